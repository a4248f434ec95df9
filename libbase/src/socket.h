/*
 * Opening sockets as we want all of them: non-blocking, not inherited by
 * children, and IPv6 ones open to IPv4 too.
 */
#ifndef LIBBASE_SOCKET_H
#define LIBBASE_SOCKET_H

#include <sys/socket.h>

#include "base/addr.h"

/** A descriptor for the family of addr, or a base error. type is SOCK_STREAM or
 * SOCK_DGRAM. */
int socket_open(const struct base_addr *addr, int type);
/** 0 or a base error. */
int socket_bind(int fd, const struct base_addr *addr);
/** What every TCP stream has: no delay of small writes, and an end where what
 * was sent is not acknowledged. Accepted sockets have it of their listener. */
void socket_set_stream(int fd);
/** The address it is bound to; family 0 if the kernel does not say. */
void socket_local_addr(int fd, struct base_addr *out);

#endif
