/*
 * The ClientHello of a connection, as a gateway reads it, beside OpenSSL's
 * server. The first byte chooses: bytes as they come, or a hello that OpenSSL's
 * client makes for a name and protocols out of them, cut into records.
 * Property: where OpenSSL reads a name, ours is the same or the hello is
 * refused; where it reads none, neither do we; and what its client says of
 * sound names is always read.
 * needs: rpc base
 * covers: librpc/src/sni.c
 */
#include "fuzz.h"

#include <ctype.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "rpc/sni.h"

/* ---- OpenSSL's server ---- */

struct heard {
    bool any;       /* it came as far as the name */
    char name[256]; /* "" if there is none */
};

static int on_name(SSL *ssl, int *alert, void *arg)
{
    struct heard *heard = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    size_t i;

    heard->any = true;
    for (i = 0; name != NULL && name[i] != '\0'; i++)
        heard->name[i] = (char)tolower((unsigned char)name[i]);
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *server_context(void)
{
    static SSL_CTX *ctx;

    if (ctx == NULL) {
        ctx = SSL_CTX_new(TLS_server_method());
        SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
    }
    return ctx;
}

static void ask_openssl(const void *data, size_t len, struct heard *heard)
{
    SSL_CTX *ctx = server_context();
    SSL *ssl;
    BIO *in = BIO_new(BIO_s_mem());

    memset(heard, 0, sizeof(*heard));
    SSL_CTX_set_tlsext_servername_arg(ctx, heard);
    ssl = SSL_new(ctx);
    BIO_write(in, data, (int)len);
    SSL_set_bio(ssl, in, BIO_new(BIO_s_mem()));
    SSL_set_accept_state(ssl);
    SSL_do_handshake(ssl);
    ERR_clear_error();
    SSL_free(ssl);
}

static void compare(const void *data, size_t len)
{
    struct rpc_hello hello;
    enum rpc_sni ours = rpc_hello_read(data, len, &hello);
    struct heard heard;
    char name[254];

    FUZZ_REQUIRE((ours == RPC_SNI_FOUND) == (hello.server_name[0] != '\0'));
    FUZZ_REQUIRE(hello.bytes <= len);
    FUZZ_REQUIRE(rpc_sni_read(data, len, name) == ours);
    FUZZ_REQUIRE(strcmp(name, hello.server_name) == 0);
    ask_openssl(data, len, &heard);
    /* Its other opening, of SSL 2, is no TLS to us. */
    if (!heard.any || ours == RPC_SNI_MALFORMED || ours == RPC_SNI_NOT_TLS)
        return;
    FUZZ_REQUIRE(ours != RPC_SNI_MORE);
    FUZZ_REQUIRE(strcmp(heard.name, hello.server_name) == 0);
}

/* ---- OpenSSL's client ---- */

static struct base_buf client_hello(const char *name, const uint8_t *alpns,
                                    size_t alpns_len)
{
    static SSL_CTX *ctx;
    struct base_buf out = BASE_BUF_INIT;
    BIO *said = BIO_new(BIO_s_mem());
    char *data;
    long len;
    SSL *ssl;

    if (ctx == NULL)
        ctx = SSL_CTX_new(TLS_client_method());
    ssl = SSL_new(ctx);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), said);
    SSL_set_connect_state(ssl);
    if (name[0] != '\0')
        SSL_set_tlsext_host_name(ssl, name);
    if (alpns_len > 0)
        SSL_set_alpn_protos(ssl, alpns, (unsigned)alpns_len);
    SSL_do_handshake(ssl);
    len = BIO_get_mem_data(said, &data);
    base_buf_append(&out, data, (size_t)len);
    ERR_clear_error();
    SSL_free(ssl);
    return out;
}

/* A name of labels: letters, digits, '-' and '_'. */
static void take_name(struct base_cursor *cursor, char out[254])
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t len = base_cursor_u8(cursor) % 254;
    size_t i, label = 0;

    for (i = 0; i < len; i++) {
        uint8_t byte = base_cursor_u8(cursor);
        bool dot = label > 0 && i + 1 < len && (byte >= 192 || label == 62);

        out[i] = dot ? '.' : letters[byte % (sizeof(letters) - 1)];
        label = dot ? 0 : label + 1;
    }
    out[len] = '\0';
}

static size_t take_alpns(struct base_cursor *cursor, uint8_t out[1024])
{
    size_t len = 0;
    unsigned count = base_cursor_u8(cursor) % 10;

    while (count-- > 0) {
        size_t size = 1 + base_cursor_u8(cursor) % 80;

        out[len++] = (uint8_t)size;
        memset(out + len, 1 + base_cursor_u8(cursor) % 255, size);
        len += size;
    }
    return len;
}

/* The hello of a one-record client in records of step bytes. */
static struct base_buf cut(const struct base_buf *hello, size_t step)
{
    struct base_buf out = BASE_BUF_INIT;
    const uint8_t *at = base_buf_data(hello) + 5;
    size_t left = base_buf_len(hello) - 5;

    while (left > 0) {
        size_t len = left < step ? left : step;

        base_buf_append(&out, base_buf_data(hello), 3);
        base_buf_append_u16be(&out, (uint16_t)len);
        base_buf_append(&out, at, len);
        at += len;
        left -= len;
    }
    return out;
}

static void make_and_compare(struct base_cursor cursor)
{
    size_t step = 1 + base_cursor_u8(&cursor) * 3u;
    struct base_buf hello, records;
    struct rpc_hello read;
    enum rpc_sni want;
    uint8_t alpns[1024];
    char name[254];
    size_t i, alpns_len;

    take_name(&cursor, name);
    alpns_len = take_alpns(&cursor, alpns);
    hello = client_hello(name, alpns, alpns_len);
    records = cut(&hello, step);
    want = name[0] != '\0' ? RPC_SNI_FOUND : RPC_SNI_NONE;
    FUZZ_REQUIRE(rpc_hello_read(base_buf_data(&records),
                                base_buf_len(&records), &read) == want);
    for (i = 0; name[i] != '\0'; i++)
        name[i] = (char)tolower((unsigned char)name[i]);
    FUZZ_REQUIRE(strcmp(read.server_name, name) == 0);
    FUZZ_REQUIRE(read.bytes == base_buf_len(&records));
    compare(base_buf_data(&records), base_buf_len(&records));
    /* And with one byte of it changed. */
    i = base_cursor_u16be(&cursor) % base_buf_len(&records);
    ((uint8_t *)(uintptr_t)base_buf_data(&records))[i] =
        base_cursor_u8(&cursor);
    compare(base_buf_data(&records), base_buf_len(&records));
    base_buf_close(&records);
    base_buf_close(&hello);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct base_cursor cursor = base_cursor_of(data, len);

    if (base_cursor_u8(&cursor) % 2 == 0)
        compare(cursor.at, base_cursor_left(&cursor));
    else
        make_and_compare(cursor);
    return 0;
}
