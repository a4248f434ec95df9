/*
 * The public TLS object: remembers the files, makes contexts of them, changes
 * them on reload, and gives the rpc_secure table. One loop each.
 */
#include "rpc/tls.h"

#include <openssl/bio.h>
#include <string.h>

#include "base/alloc.h"
#include "tls_priv.h"

int rpc_tls_new(const struct rpc_tls_config *config, struct base_env *env,
                struct rpc_tls **out, char **why)
{
    struct rpc_tls *tls;
    int rv;

    *out = NULL;
    if (why != NULL)
        *why = NULL;
    if ((config->cert_file == NULL) != (config->key_file == NULL) ||
        (config->ca_file == NULL &&
         (config->verify_incoming || config->verify_outgoing))) {
        if (why != NULL)
            *why = base_strdup("a CA file is needed to verify, and a "
                               "certificate needs its key");
        return RPC_EINVAL;
    }
    BASE_NEW(tls);
    tls->env = env;
    tls->ca_file = base_strdup(config->ca_file);
    tls->cert_file = base_strdup(config->cert_file);
    tls->key_file = base_strdup(config->key_file);
    tls->verify_incoming = config->verify_incoming;
    tls->verify_outgoing = config->verify_outgoing;
    TAILQ_INIT(&tls->sessions);
    LIST_INIT(&tls->handshakes);
    tls->lingers.env = env;
    tls->bio_method = tls_link_method();
    rv = tls->bio_method == NULL
             ? RPC_ETLS
             : tls_contexts_make(tls, &tls->contexts, why);
    if (rv < 0) {
        rpc_tls_free(tls);
        return rv;
    }
    *out = tls;
    return 0;
}

void rpc_tls_free(struct rpc_tls *tls)
{
    if (tls == NULL)
        return;
    tls_handshakes_end(tls);
    lingers_end(&tls->lingers);
    tls_sessions_drop(tls);
    tls_contexts_close(&tls->contexts);
    BIO_meth_free(tls->bio_method);
    base_free(tls->ca_file);
    base_free(tls->cert_file);
    base_free(tls->key_file);
    base_free(tls);
}

int rpc_tls_reload(struct rpc_tls *tls, char **why)
{
    struct tls_contexts made;
    int rv;

    if (why != NULL)
        *why = NULL;
    rv = tls_contexts_make(tls, &made, why);
    if (rv < 0)
        return rv;
    /* Live connections hold the old contexts by reference. The new server
     * context has new ticket keys, so old tickets die with the old one. */
    tls_contexts_close(&tls->contexts);
    tls->contexts = made;
    tls_sessions_drop(tls);
    return 0;
}

static const struct rpc_secure_ops tls_ops = {
    .version = 1,
    .client = tls_handshake_client,
    .server = tls_handshake_server,
    .cancel = tls_handshake_cancel,
};

struct rpc_secure rpc_tls_secure(struct rpc_tls *tls)
{
    return (struct rpc_secure){&tls_ops, tls};
}

void rpc_tls_own_names(const struct rpc_tls *tls, struct rpc_peer *out)
{
    memset(out, 0, sizeof(*out));
    if (tls->contexts.leaf != NULL)
        tls_peer_names(tls->contexts.leaf, out);
}

int64_t rpc_tls_not_after(const struct rpc_tls *tls)
{
    return tls->contexts.leaf != NULL
               ? tls_cert_not_after(tls->contexts.leaf)
               : 0;
}
