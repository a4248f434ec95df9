/*
 * A handshake under way, as tls_handshake.c (its run), tls_verdict.c (what is
 * judged at its end) and tls_alpn.c (what a hello asks for) see it.
 */
#ifndef RPC_SRC_TLS_HANDSHAKE_H
#define RPC_SRC_TLS_HANDSHAKE_H

#include "base/buf.h"
#include "tls_priv.h"

/* The names of a certificate that count, for X509_check_host(). */
#define TLS_NAME_FLAGS                                                       \
    (X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)

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
    bool wrong_name;           /* server: the client asked for another one */
    bool local_alert;          /* we refused: let the alert get out */
    char *name;                /* client: the server asked for */
    struct base_buf alpns;     /* a list as in RFC 7301: length, bytes */
    int status;
    char *why;
    rpc_secure_fn done;
    void *arg;
    struct rpc_peer peer;
};

/** Ends it, soon, from the loop; why is given. */
void tls_handshake_end(struct tls_handshake *hs, int status, char *why);

/* ---- tls_verdict.c ---- */

/** OpenSSL has finished: ends it with 0 or with what is wrong. */
void tls_judge(struct tls_handshake *hs);
/** OpenSSL has failed: ends it with words for the oldest of its errors. */
void tls_end_on_error(struct tls_handshake *hs);

/* ---- tls_alpn.c ---- */

/** Adds to a list as in RFC 7301; RPC_EINVAL if it is empty or too long. */
int tls_add_alpn(struct base_buf *list, const char *alpn);

#endif
