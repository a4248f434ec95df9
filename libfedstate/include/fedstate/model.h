/*
 * Questions about records: are two the same, which address of a gateway, is it
 * fit to carry the federation. Source: federation.md sections 6 and 9.
 * Threads: any; pure.
 */
#ifndef FEDSTATE_MODEL_H
#define FEDSTATE_MODEL_H

#include <stdbool.h>

#include "base/addr.h"
#include "fedstate/fedstate.pb-c.h"

#define FEDSTATE_KIND_GATEWAY "mesh-gateway"
#define FEDSTATE_META_FEDERATION "consul-wan-federation"
#define FEDSTATE_GATEWAYS_MAX 1024 /* in one record */

/** Every field of node, service and check but indexes (and UpdatedAt), gateways
 * in any order. ignore_output: check outputs are not compared either. */
bool fedstate_same(const Fedstate__FederationState *a,
                   const Fedstate__FederationState *b, bool ignore_output);
/** meta consul-wan-federation is "1" and no check is critical. */
bool fedstate_gateway_usable(const Fedstate__CheckServiceNode *gateway);
/** Where to reach it: its WAN address (service wan, else service address, else
 * node wan, else node address) or its LAN address likewise. False if none of
 * them is an IP with a port. */
bool fedstate_gateway_addr(const Fedstate__CheckServiceNode *gateway, bool wan,
                           struct base_addr *out);
/** The value of a key; NULL if it is not there. */
const char *fedstate_pair(Fedstate__Pair *const *pairs, size_t count,
                          const char *key);
/** Whether an endpoint may take it: 0, or FEDSTATE_ENODC, or FEDSTATE_EINVAL
 * for a bad name, over FEDSTATE_GATEWAYS_MAX gateways, or a gateway that is
 * none; then *why (if not NULL) is a sentence (static). A gateway that nobody
 * can dial is no error: it is passed over, and the others serve. */
int fedstate_check(const Fedstate__FederationState *state, const char **why);

#endif
