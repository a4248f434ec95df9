/*
 * The TLS handshake over a stream, both sides, with a deadline. It ends in a
 * stream and the peer's names, or in an error with words. Judging is left to
 * tls_verdict.c, who may speak what to listener.c.
 */
#include "tls_handshake.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/alloc.h"
#include "base/error.h"

static void handshake_free(struct tls_handshake *hs)
{
    LIST_REMOVE(hs, link);
    base_timer_stop(&hs->deadline);
    base_timer_stop(&hs->finish);
    if (hs->ssl_link != NULL)
        tls_link_free(hs->ssl_link);
    if (hs->inner != NULL)
        base_stream_close(hs->inner);
    base_buf_close(&hs->alpns);
    base_free(hs->name);
    base_free(hs->why);
    base_free(hs);
}

/* ---- the end ---- */

void tls_handshake_end(struct tls_handshake *hs, int status, char *why)
{
    hs->status = status;
    hs->why = why;
    base_stream_set_events(hs->inner, NULL, NULL);
    base_timer_stop(&hs->deadline);
    base_timer_start_ns(&hs->finish, 0);
}

static void on_finish(void *arg)
{
    struct tls_handshake *hs = arg;
    struct base_stream *stream = NULL;
    struct rpc_peer peer = hs->peer;
    rpc_secure_fn done = hs->done;
    void *done_arg = hs->arg;
    int status = hs->status;
    char *why = hs->why;

    if (status == 0) {
        hs->ssl_link->handshake = NULL;
        stream = tls_stream_new(hs->ssl_link);
        hs->ssl_link = NULL;
        hs->inner = NULL;
    } else if (hs->local_alert && !hs->inner->closed_in) {
        tls_link_free(hs->ssl_link);
        hs->ssl_link = NULL;
        linger(&hs->tls->lingers, hs->inner);
        hs->inner = NULL;
    }
    hs->why = NULL;
    handshake_free(hs);
    done(done_arg, status, why, stream, status == 0 ? &peer : NULL);
    base_free(why);
}

static void on_deadline(void *arg)
{
    struct tls_handshake *hs = arg;

    hs->ssl_link->broken = true;
    tls_handshake_end(hs, BASE_ETIMEOUT,
                      base_strdup("TLS handshake timed out"));
}

/* ---- the run ---- */

static void step(struct tls_handshake *hs)
{
    struct tls_link *link = hs->ssl_link;
    int rv;

    ERR_clear_error();
    rv = SSL_do_handshake(link->ssl);
    tls_link_consume(link);
    if (rv == 1) {
        tls_judge(hs);
        return;
    }
    switch (SSL_get_error(link->ssl, rv)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        if (!hs->inner->closed_in)
            return;
        link->broken = true;
        tls_handshake_end(
            hs,
            hs->inner->close_err != 0 ? hs->inner->close_err : BASE_ECLOSED,
            base_strdup("peer closed the connection during the TLS "
                        "handshake"));
        return;
    default:
        if (!link->broken || ERR_peek_error() != 0) {
            tls_end_on_error(hs);
            return;
        }
        tls_handshake_end(
            hs, BASE_ERESET,
            base_strdup("connection lost during the TLS handshake"));
    }
}

static void on_inner_readable(void *arg)
{
    step(arg);
}

static void on_inner_closed(void *arg, int err)
{
    (void)err;
    step(arg);
}

static const struct base_stream_events handshake_events = {
    .on_readable = on_inner_readable,
    .on_closed = on_inner_closed,
};

static struct tls_handshake *handshake_new(struct rpc_tls *tls,
                                           SSL_CTX *context,
                                           struct base_stream *inner,
                                           rpc_secure_fn done, void *arg)
{
    struct tls_link *link = tls_link_new(tls, context, inner);
    struct tls_handshake *hs;

    if (link == NULL)
        return NULL;
    BASE_NEW(hs);
    hs->tls = tls;
    hs->ssl_link = link;
    hs->inner = inner;
    hs->done = done;
    hs->arg = arg;
    hs->peer.addr = inner->peer;
    link->handshake = hs;
    base_timer_init(&hs->deadline, tls->env, "tls-deadline", on_deadline, hs);
    base_timer_init(&hs->finish, tls->env, "tls-finish", on_finish, hs);
    LIST_INSERT_HEAD(&tls->handshakes, hs, link);
    return hs;
}

static void start(struct tls_handshake *hs, uint32_t timeout_ms,
                  struct rpc_handshake **out)
{
    base_timer_start_ms(&hs->deadline, timeout_ms);
    base_stream_set_events(hs->inner, &handshake_events, hs);
    if (out != NULL)
        *out = (struct rpc_handshake *)(void *)hs;
}

/* Behind one gateway stand many servers, so the name keys a session; inside a
 * dc all servers share a name, so there the address does. */
static char *session_key(const struct base_stream *inner, const char *name,
                         const char *alpn)
{
    char addr[BASE_ADDR_TEXT_MAX];

    if (alpn == NULL)
        alpn = base_addr_format(&inner->peer, addr);
    return base_asprintf("%s %s", name, alpn);
}

static int set_client(struct tls_handshake *hs, const char *alpn)
{
    SSL *ssl = hs->ssl_link->ssl;
    SSL_SESSION *session;

    if (SSL_set_tlsext_host_name(ssl, hs->name) != 1)
        return RPC_EINVAL;
    if (alpn != NULL && tls_add_alpn(&hs->alpns, alpn) < 0)
        return RPC_EINVAL;
    /* This one answers 0 for success. */
    if (alpn != NULL &&
        SSL_set_alpn_protos(ssl, base_buf_data(&hs->alpns),
                            (unsigned)base_buf_len(&hs->alpns)) != 0)
        return RPC_EINVAL;
    if (hs->verify_name && hs->tls->verify_outgoing) {
        SSL_set_hostflags(ssl, TLS_NAME_FLAGS);
        if (SSL_set1_host(ssl, hs->name) != 1)
            return RPC_EINVAL;
    }
    hs->ssl_link->session_key = session_key(hs->inner, hs->name, alpn);
    session = tls_sessions_take(hs->tls, hs->ssl_link->session_key);
    if (session != NULL) {
        SSL_set_session(ssl, session);
        SSL_SESSION_free(session);
    }
    SSL_set_connect_state(ssl);
    return 0;
}

int tls_handshake_client(void *ctx, struct base_stream *inner,
                         const char *server_name, bool verify_name,
                         const char *alpn, uint32_t timeout_ms,
                         rpc_secure_fn done, void *arg,
                         struct rpc_handshake **out)
{
    struct rpc_tls *tls = ctx;
    struct tls_handshake *hs =
        handshake_new(tls, tls->contexts.client, inner, done, arg);

    if (hs == NULL) {
        base_stream_close(inner);
        return RPC_ETLS;
    }
    hs->name = base_strdup(server_name);
    hs->verify_name = verify_name;
    if (set_client(hs, alpn) < 0) {
        handshake_free(hs);
        return RPC_EINVAL;
    }
    start(hs, timeout_ms, out);
    /* The hello leaves now; whatever comes of it comes from the loop. */
    step(hs);
    return 0;
}

int tls_handshake_server(void *ctx, struct base_stream *inner,
                         const char *const *alpns, bool alpn_required,
                         uint32_t timeout_ms, rpc_secure_fn done, void *arg,
                         struct rpc_handshake **out)
{
    struct rpc_tls *tls = ctx;
    struct tls_handshake *hs =
        handshake_new(tls, tls->contexts.server, inner, done, arg);

    if (hs == NULL) {
        base_stream_close(inner);
        return RPC_ETLS;
    }
    hs->is_server = true;
    hs->alpn_required = alpn_required;
    for (; alpns != NULL && *alpns != NULL; alpns++) {
        if (tls_add_alpn(&hs->alpns, *alpns) < 0) {
            handshake_free(hs);
            return RPC_EINVAL;
        }
    }
    SSL_set_accept_state(hs->ssl_link->ssl);
    start(hs, timeout_ms, out);
    return 0;
}

void tls_handshake_cancel(struct rpc_handshake *handshake)
{
    struct tls_handshake *hs = (struct tls_handshake *)(void *)handshake;

    hs->ssl_link->broken = true;
    handshake_free(hs);
}

void tls_handshakes_end(struct rpc_tls *tls)
{
    while (!LIST_EMPTY(&tls->handshakes))
        handshake_free(LIST_FIRST(&tls->handshakes));
}
