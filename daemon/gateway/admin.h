/*
 * A window on a running gateway, plain HTTP on an address of its own:
 *   GET /metrics  all counters, in Consul's JSON spelling; or, with
 *                 ?format=prometheus, in that one's. The agent's path for it,
 *                 /v1/agent/metrics, is good too
 *   GET /routes   the table as it is now
 *   GET /ready    200 once routes are known and the service is registered,
 *                 503 before
 * It changes nothing and needs no token: bind it where only operators are.
 * Threads: the loop.
 */
#ifndef GATEWAY_ADMIN_H
#define GATEWAY_ADMIN_H

#include "base/loop.h"
#include "gateway/routes.h"

struct admin;

struct admin_config {
    struct base_loop *loop; /* its metrics are shown */
    const struct routes *(*routes)(void *ctx); /* in force */
    bool (*is_ready)(void *ctx);
    void *ctx;
};

/** Listens. A base_error if that fails. */
int admin_new(const struct admin_config *config, const struct base_addr *at,
              struct admin **out);
void admin_free(struct admin *admin);

#endif
