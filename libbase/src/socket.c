/*
 * Opening and binding sockets: see socket.h.
 */
#include "socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/error.h"

/* What was sent and is not acknowledged for so long ends the connection
 * (tcp(7)): a peer, or a gateway on the way, that lost power says no word, and
 * the kernel alone would go on for a quarter of an hour. */
#define SILENCE_MS_MAX 20000u

int socket_open(const struct base_addr *addr, int type)
{
    int family = addr->family == 4 ? AF_INET : AF_INET6;
    int off = 0;
    int fd;

    if (addr->family == 0)
        return BASE_EINVAL;
    fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? BASE_EADDR
                                     : base_error_from_errno(errno);
    /* Bound to [::], one socket serves both families, whatever the system's
     * preset; its IPv4 peers show up as IPv4 (base/addr.h). */
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    return fd;
}

int socket_bind(int fd, const struct base_addr *addr)
{
    struct sockaddr_storage sa;
    unsigned len = base_addr_to_sockaddr(addr, &sa);

    if (bind(fd, (struct sockaddr *)&sa, len) < 0)
        return base_error_from_errno(errno);
    return 0;
}

void socket_set_stream(int fd)
{
    unsigned silence_ms = SILENCE_MS_MAX;
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms,
               sizeof(silence_ms));
}

void socket_local_addr(int fd, struct base_addr *out)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);

    *out = (struct base_addr){0};
    if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        base_addr_from_sockaddr(out, (struct sockaddr *)&sa);
}
