/*
 * The sockets that a gateway listens on: one an address and worker, all of one
 * address in a group among which the kernel spreads connections
 * (SO_REUSEPORT). A connection is told when its first bytes are there
 * (TCP_DEFER_ACCEPT), or after a second without.
 */
#ifndef GATEWAY_SOCKETS_H
#define GATEWAY_SOCKETS_H

#include <stddef.h>

#include "base/addr.h"

/** Opens count sockets that listen and do not block. A base_error, and none, if
 * the address cannot be had: BASE_EINUSE also where the sockets that have it
 * would share it. */
int sockets_listen(const struct base_addr *at, int *fds, size_t count);
void sockets_close(int *fds, size_t count);

#endif
