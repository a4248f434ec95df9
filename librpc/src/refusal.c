/* Counting and logging what the server port refuses. */
#include "refusal.h"

#include <stdio.h>

#include "base/log.h"
#include "peer.h"

void rpc_refusal_count(struct base_env *env, const char *reason)
{
    base_counter_add(base_metrics_counter(env->metrics, "isthmus.rpc.refused",
                                          "reason", reason),
                     1);
    base_env_trace(env, "rpc", "refused reason=%s", reason);
}

void rpc_refusal_log(struct base_env *env, struct base_log_limit *limit,
                     const struct rpc_refused *refused)
{
    struct base_log log = base_log_named(&env->log, "rpc");
    const struct rpc_peer *peer = refused->peer;
    uint32_t suppressed = limit->suppressed;
    char byte[8] = "";

    if (!base_log_limit_pass(limit, base_env_now_ns(env)))
        return;
    if (refused->byte >= 0)
        snprintf(byte, sizeof(byte), "0x%02x", (unsigned)refused->byte & 0xffu);
    base_log(&log, BASE_LOG_WARN, "refused a connection",
             kv_addr("peer", refused->from), kv_str("byte", byte),
             kv_str("reason", refused->reason), kv_str("why", refused->why),
             kv_str("name",
                    peer != NULL ? rpc_peer_name(peer, refused->domain) : ""),
             kv_str("alpn", peer != NULL ? peer->alpn : ""),
             kv_uint("suppressed", suppressed));
}
