#include "agent/check_tls.h"

#include "base/alloc.h"

#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"

const struct rpc_secure *check_tls_get(void *ctx, bool verify)
{
    struct check_tls *tls = ctx;
    struct rpc_tls_config config = {.verify_outgoing = verify};
    char *why = NULL;

    if (verify)
        config.ca_file = tls->ca_file ? tls->ca_file : SYSTEM_CA_FILE;
    if (tls->made[verify] == NULL) {
        if (rpc_tls_new(&config, tls->env, &tls->made[verify], &why) != 0) {
            base_log(&tls->env->log, BASE_LOG_ERROR,
                     "https checks cannot be made", kv_str("error", why));
            base_free(why);
            return NULL;
        }
        tls->secure[verify] = rpc_tls_secure(tls->made[verify]);
    }
    return &tls->secure[verify];
}

void check_tls_close(struct check_tls *tls)
{
    size_t i;

    for (i = 0; i < 2; i++)
        if (tls->made[i])
            rpc_tls_free(tls->made[i]);
}
