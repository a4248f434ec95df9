/* The ClientHello reader: names found in real hellos however they are cut, and
 * odd ones refused. */
#include <openssl/ssl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "rpc/sni.h"
#include "sim_secure_wire.h"
#include "suite.h"

Suite *sni_suite(void);

/* A hello as OpenSSL says it. */
static struct base_buf openssl_hello(const char *name, const char *alpn)
{
    struct base_buf buf = BASE_BUF_INIT;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    char *data;
    long len;

    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    if (name != NULL)
        SSL_set_tlsext_host_name(ssl, name);
    if (alpn != NULL)
        SSL_set_alpn_protos(ssl, (const unsigned char *)alpn,
                            (unsigned)strlen(alpn));
    SSL_do_handshake(ssl);
    len = BIO_get_mem_data(out, &data);
    ck_assert_int_gt(len, 0);
    base_buf_append(&buf, data, (size_t)len);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return buf;
}

START_TEST(a_real_hello_gives_its_name_and_protocols)
{
    struct base_buf buf =
        openssl_hello("S1.Server.dc2.Consul", "\x0cisthmus/raft\x02h2");
    struct rpc_hello hello;
    char name[254];

    base_buf_append(&buf, "more", 4);
    ck_assert_int_eq(rpc_hello_read(base_buf_data(&buf), base_buf_len(&buf),
                                    &hello),
                     RPC_SNI_FOUND);
    ck_assert_str_eq(hello.server_name, "s1.server.dc2.consul");
    ck_assert_uint_eq(hello.alpn_count, 2);
    ck_assert_str_eq(hello.alpns[0], "isthmus/raft");
    ck_assert_str_eq(hello.alpns[1], "h2");
    ck_assert_uint_eq(hello.bytes, base_buf_len(&buf) - 4);
    ck_assert_int_eq(rpc_sni_read(base_buf_data(&buf), base_buf_len(&buf),
                                  name),
                     RPC_SNI_FOUND);
    ck_assert_str_eq(name, "s1.server.dc2.consul");
    base_buf_close(&buf);
}
END_TEST

START_TEST(a_hello_without_a_name_says_so)
{
    struct base_buf buf = openssl_hello(NULL, NULL);
    char name[254];

    ck_assert_int_eq(rpc_sni_read(base_buf_data(&buf), base_buf_len(&buf),
                                  name),
                     RPC_SNI_NONE);
    ck_assert_str_eq(name, "");
    base_buf_close(&buf);
}
END_TEST

START_TEST(every_cut_asks_for_more)
{
    struct base_buf buf = openssl_hello("a.server.dc1.consul", "\x02h2");
    char name[254];
    size_t len;

    for (len = 0; len < base_buf_len(&buf); len++) {
        /* A copy of its own, so that reading past it is noticed. */
        uint8_t *part = base_memdup(base_buf_data(&buf), len);

        ck_assert_int_eq(rpc_sni_read(part, len, name), RPC_SNI_MORE);
        base_free(part);
    }
    base_buf_close(&buf);
}
END_TEST

/* Cuts the handshake of a one-record hello into records of step bytes. */
static struct base_buf fragment(const struct base_buf *hello, size_t step)
{
    const uint8_t *data = base_buf_data(hello) + 5;
    size_t left = base_buf_len(hello) - 5;
    struct base_buf out = BASE_BUF_INIT;

    while (left > 0) {
        size_t len = left < step ? left : step;

        base_buf_append_u8(&out, 0x16);
        base_buf_append_u16be(&out, 0x0303);
        base_buf_append_u16be(&out, (uint16_t)len);
        base_buf_append(&out, data, len);
        data += len;
        left -= len;
    }
    return out;
}

START_TEST(a_hello_over_many_records_is_joined)
{
    struct base_buf whole = openssl_hello("a.server.dc1.consul", NULL);
    struct base_buf buf = fragment(&whole, (size_t)_i);
    char name[254];
    size_t len;

    for (len = 0; len < base_buf_len(&buf); len++)
        ck_assert_int_eq(rpc_sni_read(base_buf_data(&buf), len, name),
                         RPC_SNI_MORE);
    ck_assert_int_eq(rpc_sni_read(base_buf_data(&buf), base_buf_len(&buf),
                                  name),
                     RPC_SNI_FOUND);
    ck_assert_str_eq(name, "a.server.dc1.consul");
    base_buf_close(&buf);
    base_buf_close(&whole);
}
END_TEST

static const struct {
    const char *bytes;
    size_t len;
    enum rpc_sni want;
} starts[] = {
    {"", 0, RPC_SNI_MORE},
    {"G", 1, RPC_SNI_NOT_TLS},
    {"GET / HTTP/1.1\r\n", 16, RPC_SNI_NOT_TLS},
    {"\x80\x2e\x01", 3, RPC_SNI_NOT_TLS},         /* SSL 2.0 */
    {"\x15\x03\x01\0\2\2\x28", 7, RPC_SNI_NOT_TLS}, /* an alert */
    {"\x16\x02", 2, RPC_SNI_NOT_TLS},
    {"\x16\x03\x01\0\0", 5, RPC_SNI_MALFORMED},     /* empty record */
    {"\x16\x03\x01\x40\x01", 5, RPC_SNI_MALFORMED}, /* over 16 KiB */
    {"\x16\x03\x01\0\5\2", 6, RPC_SNI_MALFORMED},   /* a server's hello */
    {"\x16\x03\x01\0\5\1\0\x40\0\0", 10, RPC_SNI_MALFORMED}, /* 16 KiB + 4 */
    {"\x16\x03\x01\0\5\1\0\x10\0\0", 10, RPC_SNI_MORE},
    {"\x16\x03\x01\0\1\1G", 7, RPC_SNI_MALFORMED},  /* second record is none */
    {"\x16\x03\x01\0\x04\1\0\0\0", 9, RPC_SNI_MALFORMED}, /* empty hello */
};

START_TEST(other_openings_are_told_apart)
{
    uint8_t *bytes = base_memdup(starts[_i].bytes, starts[_i].len);
    char name[254];

    ck_assert_int_eq(rpc_sni_read(bytes, starts[_i].len, name),
                     starts[_i].want);
    base_free(bytes);
}
END_TEST

static const struct {
    const char *name;
    enum rpc_sni want;
} names[] = {
    {"a", RPC_SNI_FOUND},
    {"a-b_c.d1", RPC_SNI_FOUND},
    {"a.", RPC_SNI_MALFORMED},
    {".a", RPC_SNI_MALFORMED},
    {"a..b", RPC_SNI_MALFORMED},
    {"a b", RPC_SNI_MALFORMED},
    {"a/b", RPC_SNI_MALFORMED},
    {"a\nb", RPC_SNI_MALFORMED},
    {"*.a", RPC_SNI_MALFORMED},
    {"", RPC_SNI_MALFORMED},
    {"123456789-123456789-123456789-123456789-123456789-123456789-123.a",
     RPC_SNI_FOUND},
    {"123456789-123456789-123456789-123456789-123456789-123456789-1234.a",
     RPC_SNI_MALFORMED},
};

START_TEST(odd_names_are_refused)
{
    struct base_buf buf = BASE_BUF_INIT;
    char name[254];

    sim_write_hello(&buf, names[_i].name, NULL);
    ck_assert_int_eq(rpc_sni_read(base_buf_data(&buf), base_buf_len(&buf),
                                  name),
                     names[_i].want);
    base_buf_close(&buf);
}
END_TEST

/* Each byte of a good hello changed in turn: any answer is right that reads no
 * byte outside. */
START_TEST(changed_hellos_are_read_safely)
{
    struct base_buf buf = openssl_hello("a.server.dc1.consul", "\x02h2");
    size_t len = base_buf_len(&buf);
    size_t at;

    for (at = 0; at < len; at++) {
        uint8_t *copy = base_memdup(base_buf_data(&buf), len);
        struct rpc_hello hello;

        copy[at] = (uint8_t)(copy[at] + _i);
        if (rpc_hello_read(copy, len, &hello) == RPC_SNI_FOUND)
            ck_assert_uint_gt(strlen(hello.server_name), 0);
        base_free(copy);
    }
    base_buf_close(&buf);
}
END_TEST

START_TEST(records_without_end_are_refused)
{
    struct base_buf buf = BASE_BUF_INIT;
    enum rpc_sni rv = RPC_SNI_MORE;
    uint8_t head[4] = {1, 0, 0x3f, 0xfc};
    char name[254];
    size_t i;

    for (i = 0; rv == RPC_SNI_MORE && i < 100000; i++) {
        base_buf_append_u8(&buf, 0x16);
        base_buf_append_u16be(&buf, 0x0303);
        base_buf_append_u16be(&buf, 1);
        base_buf_append_u8(&buf, i < 4 ? head[i] : 0);
        if (i % 64 == 0)
            rv = rpc_sni_read(base_buf_data(&buf), base_buf_len(&buf), name);
    }
    ck_assert_int_eq(rv, RPC_SNI_MALFORMED);
    ck_assert_uint_le(base_buf_len(&buf), RPC_SNI_INPUT_BYTES_MAX + 512);
    base_buf_close(&buf);
}
END_TEST

Suite *sni_suite(void)
{
    Suite *suite = suite_create("rpc sni");
    TCase *tcase = tcase_create("hello");

    tcase_add_test(tcase, a_real_hello_gives_its_name_and_protocols);
    tcase_add_test(tcase, a_hello_without_a_name_says_so);
    tcase_add_test(tcase, every_cut_asks_for_more);
    tcase_add_loop_test(tcase, a_hello_over_many_records_is_joined, 1, 8);
    tcase_add_loop_test(tcase, other_openings_are_told_apart, 0,
                        (int)BASE_COUNT_OF(starts));
    tcase_add_loop_test(tcase, odd_names_are_refused, 0,
                        (int)BASE_COUNT_OF(names));
    tcase_add_loop_test(tcase, changed_hellos_are_read_safely, 1, 256);
    tcase_add_test(tcase, records_without_end_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
