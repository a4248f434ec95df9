/*
 * What the tls*.c files share. OpenSSL is seen by these only.
 *
 *   tls.c            the public object: files, reload, the rpc_secure table
 *   tls_context.c    two SSL_CTX (client, server) out of three files
 *   tls_session.c    sessions to resume, by server name and ALPN
 *   tls_link.c       OpenSSL's BIO over a base_stream
 *   tls_peer.c       names and dates out of a certificate
 *   tls_handshake.c  the handshake, both sides
 *   tls_verdict.c    what is judged at its end
 *   tls_alpn.c       protocols
 *   tls_stream.c     the stream after it
 */
#ifndef RPC_SRC_TLS_PRIV_H
#define RPC_SRC_TLS_PRIV_H

#include <openssl/ssl.h>
#include <sys/queue.h>

#include "base/stream.h"
#include "linger.h"
#include "peer.h"
#include "rpc/tls.h"

struct tls_handshake;

/** Both ways to use one certificate, made together and replaced together. */
struct tls_contexts {
    SSL_CTX *client;
    SSL_CTX *server;
    X509 *leaf; /* our own; NULL without a certificate */
};

#define TLS_SESSIONS_MAX 256u

struct tls_session {
    TAILQ_ENTRY(tls_session) link;
    char *key;
    SSL_SESSION *session;
};
TAILQ_HEAD(tls_session_list, tls_session);

struct rpc_tls {
    struct base_env *env;
    char *ca_file;
    char *cert_file;
    char *key_file;
    bool verify_incoming;
    bool verify_outgoing;
    struct tls_contexts contexts;
    BIO_METHOD *bio_method;
    struct tls_session_list sessions; /* the newest first */
    unsigned session_count;
    LIST_HEAD(, tls_handshake) handshakes;
    struct lingers lingers;
};

/* ---- tls_context.c ---- */

/** Fills *out. On an error, why (may be NULL) gets the caller's text. */
int tls_contexts_make(const struct rpc_tls *tls, struct tls_contexts *out,
                      char **why);
void tls_contexts_close(struct tls_contexts *contexts);

/* ---- tls_link.c ---- */

/** An SSL over a stream. Reading takes from the stream's input buffer, writing
 * goes to its output queue; no bytes stay in between. */
struct tls_link {
    struct base_stream *inner;
    SSL *ssl;
    size_t taken;  /* input that SSL has had and that is not yet consumed */
    bool broken;   /* SSL must not be asked any more */
    struct rpc_tls *tls; /* for sessions; NULL once it left the loop */
    char *session_key;   /* client side; NULL: keep none */
    struct tls_handshake *handshake; /* NULL after it */
};

BIO_METHOD *tls_link_method(void);
/** NULL if OpenSSL refuses; inner then stays the caller's. */
struct tls_link *tls_link_new(struct rpc_tls *tls, SSL_CTX *context,
                              struct base_stream *inner);
/** Consumes from inner what SSL has taken. */
void tls_link_consume(struct tls_link *link);
/** Frees it, but leaves inner to the caller. */
void tls_link_free(struct tls_link *link);
/** Words for the oldest error of OpenSSL's queue, and empties it. */
const char *tls_error_words(void);

/* ---- tls_session.c ---- */

void tls_sessions_put(struct rpc_tls *tls, const char *key,
                      SSL_SESSION *session);
/** The session for key (given), or NULL; it is used once. */
SSL_SESSION *tls_sessions_take(struct rpc_tls *tls, const char *key);
void tls_sessions_drop(struct rpc_tls *tls);
int tls_session_on_new(SSL *ssl, SSL_SESSION *session);

/* ---- tls_peer.c ---- */

/** Adds the DNS names of the certificate. */
void tls_peer_names(X509 *cert, struct rpc_peer *peer);
int64_t tls_cert_not_after(const X509 *cert);

/* ---- tls_handshake.c ---- */

int tls_handshake_client(void *ctx, struct base_stream *inner,
                         const char *server_name, bool verify_name,
                         const char *alpn, uint32_t timeout_ms,
                         rpc_secure_fn done, void *arg,
                         struct rpc_handshake **out);
int tls_handshake_server(void *ctx, struct base_stream *inner,
                         const char *const *alpns, bool alpn_required,
                         uint32_t timeout_ms, rpc_secure_fn done, void *arg,
                         struct rpc_handshake **out);
void tls_handshake_cancel(struct rpc_handshake *handshake);
void tls_handshakes_end(struct rpc_tls *tls);

/* ---- tls_alpn.c ---- */

/* OpenSSL asks these during a server's handshake. */
int tls_handshake_on_hello(SSL *ssl, int *alert, void *arg);
int tls_handshake_on_name(SSL *ssl, int *alert, void *arg);
int tls_handshake_on_alpn(SSL *ssl, const unsigned char **out,
                          unsigned char *out_len, const unsigned char *in,
                          unsigned in_len, void *arg);

/* ---- tls_stream.c ---- */

/** The stream over a finished handshake; takes link and its inner stream. */
struct base_stream *tls_stream_new(struct tls_link *link);
/** True if the handshake resumed a session; for tests. */
bool tls_stream_resumed(const struct base_stream *stream);

#endif
