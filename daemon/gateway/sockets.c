/* The kernel lets anybody of the same user into a group; so it is asked first,
 * by a socket that does not share, whether the address is free. */
#include "gateway/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"

#define DATA_WITHIN_S 1

static int open_bound(const struct base_addr *at, bool shared)
{
    struct sockaddr_storage sa;
    unsigned len = base_addr_to_sockaddr(at, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                    0);
    int on = 1, off = 0;
    int rv;

    if (fd < 0)
        return base_error_from_errno(errno);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (sa.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&sa, len) == 0)
        return fd;
    rv = base_error_from_errno(errno);
    close(fd);
    return rv;
}

static int open_listening(const struct base_addr *at)
{
    int fd = open_bound(at, true);
    int seconds = DATA_WITHIN_S;
    int rv;

    if (fd < 0)
        return fd;
    setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    if (listen(fd, SOMAXCONN) == 0)
        return fd;
    rv = base_error_from_errno(errno);
    close(fd);
    return rv;
}

int sockets_listen(const struct base_addr *at, int *fds, size_t count)
{
    int rv = open_bound(at, false);
    size_t i;

    if (rv < 0)
        return rv;
    close(rv);
    for (i = 0; i < count; i++) {
        fds[i] = open_listening(at);
        if (fds[i] < 0) {
            rv = fds[i];
            sockets_close(fds, i);
            return rv;
        }
    }
    return 0;
}

void sockets_close(int *fds, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}
