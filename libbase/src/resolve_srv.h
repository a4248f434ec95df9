/*
 * What the two halves of resolving share. Worker threads only.
 */
#ifndef LIBBASE_RESOLVE_SRV_H
#define LIBBASE_RESOLVE_SRV_H

#include "base/env.h"

struct resolve_list {
    struct base_addr addrs[BASE_RESOLVE_MAX];
    size_t count;
};

/** Adds it unless it is there already or the list is full. */
void resolve_list_add(struct resolve_list *list, const struct base_addr *addr);
/** Adds the addresses of a DNS name, all with that port; 0 or an error. */
int resolve_host(const char *name, uint16_t port, struct resolve_list *list);
/** Adds the addresses of the targets of the name's SRV records, best priority
 * first; 0 or an error. */
int resolve_srv(const char *name, struct resolve_list *list);
/** The same from a DNS answer; the part that hostile bytes reach. */
struct srv_target {
    uint16_t priority, weight, port;
    char host[BASE_HOST_MAX];
};
/** Up to max targets sorted by priority, then by falling weight; their count,
 * or BASE_EPARSE. */
int resolve_srv_parse(const uint8_t *answer, size_t len,
                      struct srv_target *targets, size_t max);

#endif
