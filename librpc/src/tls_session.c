/*
 * Sessions to resume: a small table keyed by server name and ALPN, since behind
 * one gateway address stand many servers (federation.md section 3). A session
 * is used once; the server gives a new one each time (RFC 8446 appendix C.4).
 * All are dropped when certificates change.
 */
#include <string.h>

#include "base/alloc.h"
#include "tls_priv.h"

static void drop(struct rpc_tls *tls, struct tls_session *entry)
{
    TAILQ_REMOVE(&tls->sessions, entry, link);
    tls->session_count--;
    SSL_SESSION_free(entry->session);
    base_free(entry->key);
    base_free(entry);
}

static struct tls_session *find(struct rpc_tls *tls, const char *key)
{
    struct tls_session *entry;

    TAILQ_FOREACH(entry, &tls->sessions, link)
        if (strcmp(entry->key, key) == 0)
            return entry;
    return NULL;
}

void tls_sessions_put(struct rpc_tls *tls, const char *key,
                      SSL_SESSION *session)
{
    struct tls_session *entry = find(tls, key);

    if (entry != NULL)
        drop(tls, entry);
    else if (tls->session_count >= TLS_SESSIONS_MAX)
        drop(tls, TAILQ_LAST(&tls->sessions, tls_session_list));
    BASE_NEW(entry);
    entry->key = base_strdup(key);
    entry->session = session;
    TAILQ_INSERT_HEAD(&tls->sessions, entry, link);
    tls->session_count++;
}

SSL_SESSION *tls_sessions_take(struct rpc_tls *tls, const char *key)
{
    struct tls_session *entry = find(tls, key);
    SSL_SESSION *session;

    if (entry == NULL)
        return NULL;
    session = entry->session;
    entry->session = NULL;
    drop(tls, entry);
    return session;
}

void tls_sessions_drop(struct rpc_tls *tls)
{
    while (!TAILQ_EMPTY(&tls->sessions))
        drop(tls, TAILQ_FIRST(&tls->sessions));
}

int tls_session_on_new(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_link *link = SSL_get_app_data(ssl);

    /* A connection from before a reload must not bring its session back. */
    if (link == NULL || link->tls == NULL || link->session_key == NULL ||
        SSL_get_SSL_CTX(ssl) != link->tls->contexts.client)
        return 0;
    tls_sessions_put(link->tls, link->session_key, session);
    return 1; /* the reference is ours now */
}
