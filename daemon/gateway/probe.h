/*
 * Tests a gateway as its users use it: every 10 s it opens a TLS connection
 * through each address that the gateway listens on, for the name that any local
 * server goes by, and wants to see a certificate of that name.
 *
 * What it says is about the gateway alone. If no answer comes, the servers are
 * asked past it: only when one of them answers there, the gateway is to blame.
 * Otherwise all gateways of a datacenter would be taken out of the federation
 * while its servers restart. After two failed rounds in a row, a second apart,
 * the gateway does not work; after one good one it does.
 *
 * Counters: isthmus.gateway.probe{result}: passed, failed, untested (it takes
 * connections, but there is no server to ask for).
 * Source: federation.md section 11.
 * Threads: the loop.
 */
#ifndef GATEWAY_PROBE_H
#define GATEWAY_PROBE_H

#include "base/loop.h"
#include "gateway/routes.h"

#define PROBE_ADDRESSES_MAX 2

struct probe;

struct probe_config {
    struct base_env *env;
    struct base_net *net;
    struct base_addr through[PROBE_ADDRESSES_MAX]; /* family 0: none */
    struct base_addr from; /* the local address to dial from */
    /** The name to ask for; NULL: the gateway carries no server's traffic. */
    const char *(*name)(void *ctx);
    const struct routes *(*routes)(void *ctx);
    /** After a round that tells something; passing and words as a health check
     * has them. */
    void (*on_result)(void *ctx, bool passing, const char *words);
    void *ctx;
};

/** The first round begins soon. */
struct probe *probe_new(const struct probe_config *config);
void probe_free(struct probe *probe);
/** Something has changed: if the gateway did not work, see now. */
void probe_refresh(struct probe *probe);

#endif
