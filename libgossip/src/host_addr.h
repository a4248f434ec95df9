/*
 * Which of a host's addresses to advertise where none was given, apart from the
 * host that has them, so that tests can choose among made-up ones
 * (gossip.md 1.12).
 */
#ifndef GOSSIP_HOST_ADDR_H
#define GOSSIP_HOST_ADDR_H

#include <stddef.h>

#include "base/addr.h"

#define HOST_ADDRS_MAX 64

/** Sorts candidates, best first: private ones, public ones, loopback; among
 * equals that of the default route (may be NULL), then as they stand. Removes
 * those of the other family; returns how many are left. */
size_t host_addrs_rank(struct base_addr *addrs, size_t count, uint8_t family,
                       const struct base_addr *route);
/** The addresses of interfaces that are up; none that only their own link can
 * reach. */
size_t host_addrs(struct base_addr out[HOST_ADDRS_MAX]);
/** The address that packets leave from by the default route; false if there is
 * none. Sends nothing. */
bool host_addr_of_route(uint8_t family, struct base_addr *out);

#endif
