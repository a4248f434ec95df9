/* Candidates by datacenter, as one flat allocation (public part: locator.h). */
#ifndef FEDSTATE_ROUTES_H
#define FEDSTATE_ROUTES_H

#include "fedstate/locator.h"

/** Addresses in order, each once, at most as many as a list may have. */
struct fedstate_addrs {
    struct base_addr at[FEDSTATE_CANDIDATES_MAX];
    size_t count;
};
void fedstate_addrs_add(struct fedstate_addrs *addrs,
                        const struct base_addr *addr);
bool fedstate_addrs_has(const struct fedstate_addrs *addrs,
                        const struct base_addr *addr);

/** For datacenters that are reached by our own gateways, and for the primary.
 * Names are copied; both lists too. */
struct fedstate_routes *
fedstate_routes_new(const char *primary, const struct fedstate_addrs *local,
                    const struct fedstate_addrs *to_primary);
bool fedstate_routes_equal(const struct fedstate_routes *a,
                           const struct fedstate_routes *b);
/** "1.2.3.4:8443, ..." for a log line; the caller's (base_free). */
char *fedstate_routes_text(const struct base_addr *addrs, size_t count);

#endif
