/*
 * The TLS handshake over a stream, both sides, with a deadline. It ends in a
 * stream and the peer's names, or in an error with words that say what to mend:
 * whose certificate, which name, which protocol. What is judged here: the chain
 * (OpenSSL), the DNS name asked for (X509_check_host, subject alternative names
 * only, no wildcards), its dates on resumption too, and the exact ALPN value.
 * Who may speak what is left to listener.c. Source: federation.md section 3.
 */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tls_priv.h"

#define NAME_FLAGS                                                           \
    (X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)
#define ALERT_REASONS 1000 /* OpenSSL: reason of a received alert, less this */

struct tls_handshake {
    LIST_ENTRY(tls_handshake) link;
    struct rpc_tls *tls;
    struct tls_link *ssl_link; /* NULL once it went into the stream */
    struct base_stream *inner; /* NULL once it went elsewhere */
    struct base_timer deadline;
    struct base_timer finish;  /* tells the user with nothing on the stack */
    bool is_server;
    bool verify_name;
    bool alpn_required;
    bool local_alert;          /* we refused: let the alert get out */
    char *name;                /* client: the server asked for */
    struct base_buf alpns;     /* a list as in RFC 7301: length, bytes */
    int status;
    char *why;
    rpc_secure_fn done;
    void *arg;
    struct rpc_peer peer;
};

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

static void end(struct tls_handshake *hs, int status, char *why)
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
    end(hs, BASE_ETIMEOUT, base_strdup("TLS handshake timed out"));
}

/* ---- judging ---- */

/* An alert that the peer sent, in words a person can act on. */
static void end_on_alert(struct tls_handshake *hs, int alert)
{
    int status = RPC_ETLS;

    if (alert == SSL_AD_NO_APPLICATION_PROTOCOL)
        status = RPC_EALPN;
    else if (alert == SSL_AD_UNRECOGNIZED_NAME)
        status = RPC_ENAME;
    end(hs, status,
        base_asprintf("peer refused the handshake: alert %d, %s", alert,
                      SSL_alert_desc_string_long(alert)));
}

static void end_on_verify(struct tls_handshake *hs, long verdict)
{
    hs->local_alert = true;
    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH) {
        end(hs, RPC_ENAME,
            base_asprintf("certificate of the server does not bear the name "
                          "%s",
                          hs->name));
        return;
    }
    end(hs, RPC_ETLS,
        base_asprintf("certificate of the %s is not accepted: %s",
                      hs->is_server ? "client" : "server",
                      X509_verify_cert_error_string(verdict)));
}

static void end_on_error(struct tls_handshake *hs)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    long verdict = SSL_get_verify_result(hs->ssl_link->ssl);

    hs->ssl_link->broken = true;
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK) {
        end_on_verify(hs, verdict);
    } else if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > ALERT_REASONS) {
        end_on_alert(hs, reason - ALERT_REASONS);
    } else if (hs->is_server &&
               (reason == SSL_R_NO_APPLICATION_PROTOCOL ||
                reason == SSL_R_CLIENTHELLO_TLSEXT ||
                reason == SSL_R_CALLBACK_FAILED)) {
        hs->local_alert = true;
        end(hs, RPC_EALPN,
            base_strdup("client asked for no protocol that is served here"));
    } else {
        hs->local_alert = true;
        end(hs, RPC_ETLS,
            base_asprintf("TLS handshake failed: %s", tls_error_words()));
    }
    ERR_clear_error();
}

static void refuse(struct tls_handshake *hs, int status, char *why)
{
    hs->local_alert = true;
    SSL_shutdown(hs->ssl_link->ssl);
    hs->ssl_link->broken = true;
    end(hs, status, why);
}

/* Checks again at the end what OpenSSL skips when it resumes a session. */
static bool check_certificate(struct tls_handshake *hs, X509 *cert)
{
    if (hs->verify_name &&
        X509_check_host(cert, hs->name, 0, NAME_FLAGS, NULL) != 1) {
        refuse(hs, RPC_ENAME,
               base_asprintf("certificate of the server does not bear the "
                             "name %s",
                             hs->name));
        return false;
    }
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0 &&
        (hs->is_server || hs->tls->verify_outgoing)) {
        refuse(hs, RPC_ETLS,
               base_asprintf("certificate of the %s has expired",
                             hs->is_server ? "client" : "server"));
        return false;
    }
    tls_peer_names(cert, &hs->peer);
    return true;
}

static bool check_alpn(struct tls_handshake *hs)
{
    const unsigned char *alpn = NULL;
    unsigned len = 0;
    const uint8_t *want = base_buf_data(&hs->alpns);

    SSL_get0_alpn_selected(hs->ssl_link->ssl, &alpn, &len);
    if (len < sizeof(hs->peer.alpn) && len > 0)
        memcpy(hs->peer.alpn, alpn, len);
    if (hs->is_server) {
        if (len > 0 || !hs->alpn_required)
            return true;
    } else if (base_buf_len(&hs->alpns) == 0) {
        if (len == 0)
            return true;
    } else if (len == want[0] && memcmp(alpn, want + 1, len) == 0) {
        return true;
    }
    refuse(hs, RPC_EALPN,
           len > 0 ? base_asprintf("server took the protocol \"%s\", which "
                                   "was not asked for",
                                   hs->peer.alpn)
                   : base_strdup("peer did not agree to a protocol by ALPN"));
    return false;
}

static void judge(struct tls_handshake *hs)
{
    X509 *cert = SSL_get1_peer_certificate(hs->ssl_link->ssl);
    bool good = true;

    hs->peer.secure = true;
    if (cert != NULL)
        good = check_certificate(hs, cert);
    else if (!hs->is_server) {
        refuse(hs, RPC_ENAME, base_strdup("server gave no certificate"));
        good = false;
    }
    X509_free(cert);
    if (good && check_alpn(hs))
        end(hs, 0, NULL);
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
        judge(hs);
        return;
    }
    switch (SSL_get_error(link->ssl, rv)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        if (!hs->inner->closed_in)
            return;
        link->broken = true;
        end(hs, hs->inner->close_err != 0 ? hs->inner->close_err : RPC_ETLS,
            base_strdup("peer closed the connection during the TLS "
                        "handshake"));
        return;
    default:
        if (!link->broken || ERR_peek_error() != 0) {
            end_on_error(hs);
            return;
        }
        end(hs, BASE_ERESET,
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

static struct tls_handshake *handshake_new(struct rpc_tls *tls, SSL_CTX *context,
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

static int add_alpn(struct base_buf *list, const char *alpn)
{
    size_t len = strlen(alpn);

    if (len == 0 || len > 63)
        return RPC_EINVAL;
    base_buf_append_u8(list, (uint8_t)len);
    base_buf_append(list, alpn, len);
    return 0;
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
    if (alpn != NULL && add_alpn(&hs->alpns, alpn) < 0)
        return RPC_EINVAL;
    /* This one answers 0 for success. */
    if (alpn != NULL &&
        SSL_set_alpn_protos(ssl, base_buf_data(&hs->alpns),
                            (unsigned)base_buf_len(&hs->alpns)) != 0)
        return RPC_EINVAL;
    if (hs->verify_name && hs->tls->verify_outgoing) {
        SSL_set_hostflags(ssl, NAME_FLAGS);
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
        if (add_alpn(&hs->alpns, *alpns) < 0) {
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

/* ---- what OpenSSL asks a server ---- */

static struct tls_handshake *handshake_of(SSL *ssl)
{
    const struct tls_link *link = SSL_get_app_data(ssl);

    return link->handshake;
}

int tls_handshake_on_hello(SSL *ssl, int *alert, void *arg)
{
    const struct tls_handshake *hs = handshake_of(ssl);
    const unsigned char *data;
    size_t len;

    (void)arg;
    /* Refused before any signature is made for it. */
    if (hs != NULL && hs->alpn_required &&
        SSL_client_hello_get0_ext(
            ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data,
            &len) != 1) {
        *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* True if the client's list (RFC 7301 section 3.1) holds the protocol. */
static bool offers(const unsigned char *in, unsigned in_len,
                   const uint8_t *name, size_t len)
{
    struct base_cursor cursor = base_cursor_of(in, in_len);

    while (base_cursor_left(&cursor) > 0) {
        size_t size = base_cursor_u8(&cursor);
        const uint8_t *bytes = base_cursor_bytes(&cursor, size);

        if (bytes == NULL)
            return false;
        if (size == len && memcmp(bytes, name, len) == 0)
            return true;
    }
    return false;
}

int tls_handshake_on_alpn(SSL *ssl, const unsigned char **out,
                          unsigned char *out_len, const unsigned char *in,
                          unsigned in_len, void *arg)
{
    const struct tls_handshake *hs = handshake_of(ssl);
    struct base_cursor ours;

    (void)arg;
    if (hs == NULL || base_buf_len(&hs->alpns) == 0)
        return SSL_TLSEXT_ERR_NOACK;
    ours = base_cursor_of(base_buf_data(&hs->alpns),
                          base_buf_len(&hs->alpns));
    while (base_cursor_left(&ours) > 0) {
        size_t len = base_cursor_u8(&ours);
        const uint8_t *name = base_cursor_bytes(&ours, len);

        if (offers(in, in_len, name, len)) {
            *out = name;
            *out_len = (unsigned char)len;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}
