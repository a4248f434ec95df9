/*
 * The addresses of this host, in the order in which one of them is advertised
 * when a pool is bound to a wildcard (gossip.md 1.12). A private one is least
 * likely to be filtered between the members of a pool, and that of the default
 * route is the one that others can answer to.
 */
#include "host_addr.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int rank_of(const struct base_addr *addr, const struct base_addr *route)
{
    int kind = base_addr_is_loopback(addr)  ? 2
               : base_addr_is_private(addr) ? 0
                                            : 1;

    return 2 * kind + (route == NULL || !base_addr_ip_equal(addr, route));
}

size_t host_addrs_rank(struct base_addr *addrs, size_t count, uint8_t family,
                       const struct base_addr *route)
{
    size_t kept = 0;

    /* Insertion keeps equals as they stand; there are few. */
    for (size_t i = 0; i < count; i++) {
        struct base_addr addr = addrs[i];
        size_t at = kept;

        if (addr.family != family)
            continue;
        for (; at > 0 && rank_of(&addr, route) < rank_of(&addrs[at - 1], route);
             at--)
            addrs[at] = addrs[at - 1];
        addrs[at] = addr;
        kept++;
    }
    return kept;
}

static bool is_link_local(const struct base_addr *addr)
{
    if (addr->family == 4)
        return addr->ip[0] == 169 && addr->ip[1] == 254;
    return addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
}

size_t host_addrs(struct base_addr out[HOST_ADDRS_MAX])
{
    struct ifaddrs *list, *at;
    size_t count = 0;

    if (getifaddrs(&list) < 0)
        return 0;
    for (at = list; at != NULL && count < HOST_ADDRS_MAX; at = at->ifa_next)
        if (at->ifa_addr != NULL && (at->ifa_flags & IFF_UP) != 0 &&
            base_addr_from_sockaddr(&out[count], at->ifa_addr) == 0 &&
            !is_link_local(&out[count]))
            count++;
    freeifaddrs(list);
    return count;
}

/* Connecting a datagram socket only asks the kernel for the way. The addresses
 * are those of documentation, which only the default route leads to. */
bool host_addr_of_route(uint8_t family, struct base_addr *out)
{
    struct sockaddr_storage sa;
    struct base_addr far;
    socklen_t len;
    bool found;
    int fd;

    if (base_addr_parse_ip(&far, family == 4 ? "192.0.2.1" : "2001:db8::1") < 0)
        return false;
    far.port = 9;
    len = (socklen_t)base_addr_to_sockaddr(&far, &sa);
    fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    found = connect(fd, (const struct sockaddr *)&sa, len) == 0;
    len = sizeof(sa);
    found = found && getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
            base_addr_from_sockaddr(out, (const struct sockaddr *)&sa) == 0;
    (void)close(fd);
    return found;
}
