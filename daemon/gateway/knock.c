/*
 * OpenSSL between two memory buffers, fed by hand: what it wants to say after
 * the certificate came is never sent, so the server sees a client that went,
 * and not one that failed.
 */
#include "gateway/knock.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "rpc/protocol.h"

/* A server's names are exact, and no common name stands in for them. */
#define NAME_FLAGS (X509_CHECK_FLAG_NO_WILDCARDS | \
                    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)

struct knocker {
    SSL_CTX *tls;
};

struct knock {
    struct knock_config config;
    char *name;
    SSL *ssl;
    struct base_dial *dial;
    struct base_stream *stream;
    struct base_timer deadline; /* also tells that the dial could not begin */
    const char *why;
    bool seen;  /* a certificate came */
    bool right; /* and bears the name */
};

/* ---- what all share -------------------------------------------------------
 */

static int on_certificate(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(
        store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct knock *knock = SSL_get_app_data(ssl);

    (void)arg;
    knock->seen = true;
    knock->right = X509_check_host(X509_STORE_CTX_get0_cert(store), knock->name,
                                   0, NAME_FLAGS, NULL) == 1;
    return 1;
}

struct knocker *knocker_new(void)
{
    struct knocker *knocker;

    BASE_NEW(knocker);
    knocker->tls = SSL_CTX_new(TLS_client_method());
    assert(knocker->tls); /* memory is all that it needs */
    SSL_CTX_set_min_proto_version(knocker->tls, TLS1_2_VERSION);
    SSL_CTX_set_cert_verify_callback(knocker->tls, on_certificate, NULL);
    return knocker;
}

void knocker_free(struct knocker *knocker)
{
    if (knocker == NULL)
        return;
    SSL_CTX_free(knocker->tls);
    base_free(knocker);
}

/* ---- one knock ------------------------------------------------------------
 */

static void finish(struct knock *knock, enum knock_result result,
                   const char *why)
{
    struct knock_config config = knock->config;

    knock_free(knock);
    config.done(config.arg, result, why);
}

static const char *words_of_openssl(void)
{
    const char *words = ERR_reason_error_string(ERR_peek_error());

    return words != NULL ? words : "the handshake failed";
}

static void send_pending(struct knock *knock)
{
    char bytes[4096];
    int len;

    while ((len = BIO_read(SSL_get_wbio(knock->ssl), bytes, sizeof(bytes))) > 0)
        base_stream_write(knock->stream, bytes, (size_t)len);
}

static void step(struct knock *knock)
{
    size_t have = base_stream_len(knock->stream);
    int rv;

    if (have > 0) /* at most the stream's limit, far below INT_MAX */
        BIO_write(SSL_get_rbio(knock->ssl), base_stream_data(knock->stream),
                  (int)have);
    base_stream_consume(knock->stream, have);
    ERR_clear_error();
    rv = SSL_do_handshake(knock->ssl);
    if (knock->right)
        finish(knock, KNOCK_ANSWERED, "");
    else if (knock->seen)
        finish(knock, KNOCK_NO_ANSWER,
               "the certificate that came is of another name");
    else if (SSL_get_error(knock->ssl, rv) != SSL_ERROR_WANT_READ)
        finish(knock, KNOCK_NO_ANSWER, words_of_openssl());
    else if (knock->stream->closed_in)
        finish(knock, KNOCK_NO_ANSWER,
               "closed before a server's certificate came");
    else
        send_pending(knock);
}

static void on_readable(void *arg)
{
    step(arg);
}

static void on_closed(void *arg, int err)
{
    (void)err;
    step(arg);
}

static const struct base_stream_events events = {
    .on_readable = on_readable,
    .on_closed = on_closed,
};

static void say_hello(struct knock *knock)
{
    const char *alpn = rpc_protocol_row(RPC_PROTOCOL_MULTI)->alpn;
    unsigned char offer[64];
    size_t len = strlen(alpn);

    assert(len < sizeof(offer));
    offer[0] = (unsigned char)len;
    memcpy(offer + 1, alpn, len);
    SSL_set_app_data(knock->ssl, knock);
    SSL_set_bio(knock->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_tlsext_host_name(knock->ssl, knock->name);
    SSL_set_alpn_protos(knock->ssl, offer, (unsigned)len + 1);
    SSL_set_connect_state(knock->ssl);
    base_stream_set_events(knock->stream, &events, knock);
    step(knock);
}

static void on_dialled(void *arg, int status, struct base_stream *stream)
{
    struct knock *knock = arg;

    knock->dial = NULL;
    knock->stream = stream;
    if (status != 0)
        finish(knock, KNOCK_NO_CONNECTION, base_strerror(status));
    else if (knock->name == NULL)
        finish(knock, KNOCK_ANSWERED, "");
    else
        say_hello(knock);
}

static void on_deadline(void *arg)
{
    struct knock *knock = arg;

    finish(knock,
           knock->stream != NULL ? KNOCK_NO_ANSWER : KNOCK_NO_CONNECTION,
           knock->why);
}

struct knock *knock_start(struct knocker *knocker,
                          const struct knock_config *config)
{
    const struct base_addr *from = &config->from;
    struct knock *knock;
    int rv;

    BASE_NEW(knock);
    knock->config = *config;
    knock->name = config->name != NULL ? base_strdup(config->name) : NULL;
    knock->why = "no answer in time";
    knock->ssl = SSL_new(knocker->tls);
    assert(knock->ssl);
    base_timer_init(&knock->deadline, config->net->env, "knock", on_deadline,
                    knock);
    base_timer_start_ms(&knock->deadline, config->timeout_ms);
    if (from->family != config->to.family || base_addr_is_any(from))
        from = NULL;
    rv = base_net_dial(config->net, &config->to, from, config->timeout_ms,
                       on_dialled, knock, &knock->dial);
    if (rv < 0) {
        knock->dial = NULL;
        knock->why = base_strerror(rv);
        base_timer_start_ns(&knock->deadline, 0);
    }
    return knock;
}

void knock_free(struct knock *knock)
{
    if (knock == NULL)
        return;
    base_timer_stop(&knock->deadline);
    if (knock->dial != NULL)
        base_net_dial_cancel(knock->config.net, knock->dial);
    if (knock->stream != NULL)
        base_stream_close(knock->stream);
    SSL_free(knock->ssl);
    base_free(knock->name);
    base_free(knock);
}
