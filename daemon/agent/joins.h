/*
 * The three uses of the retry engine, wired to a server (federation.md section
 * 10): in a secondary the discovery of the primary's gateways comes first, and
 * when it has found any, the WAN pool is joined by the placeholder.
 * Threads: the main loop.
 */
#ifndef AGENT_JOINS_H
#define AGENT_JOINS_H

#include "agent/retry_join.h"
#include "server/server.h"

struct joins;

/** Lists are borrowed and outlive it. */
struct joins_config {
    struct core core;
    const char *const *lan;
    size_t lan_count;
    uint32_t lan_interval_ms, lan_max;
    const char *const *wan; /* without gateways: ordinary WAN targets */
    size_t wan_count;
    uint32_t wan_interval_ms, wan_max;
    const char *const *primary_gateways; /* host[:port], default port 8443 */
    size_t primary_gateway_count;
    uint32_t primary_interval_ms;
    const char *placeholder_dc; /* the primary's name in a federated secondary,
                                   else NULL */
    void (*exhausted)(void *ctx, const char *what);
    void *ctx;
};

struct joins *joins_new(struct base_env *env, const struct joins_config *config);
void joins_free(struct joins *joins);
/** The server says that replicated gateways of the primary are known: the WAN
 * can be joined even if the discovery found nothing. */
void joins_primary_ready(struct joins *joins);
/** Calls each once an engine that runs. */
void joins_each(const struct joins *joins,
                void (*each)(void *arg, const struct retry_join_status *status),
                void *arg);

#define JOINS_GATEWAY_PORT 8443u

#endif
