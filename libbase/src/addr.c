/*
 * Addresses as values: making them from bytes and sockaddrs, comparing them,
 * and what is special about some. Their text forms are in addr_text.c.
 */
#include "base/addr.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/error.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0,    0,
                                          0, 0, 0, 0, 0xff, 0xff};

int base_addr_from_ip(struct base_addr *out, const void *ip, size_t ip_len,
                      uint16_t port)
{
    const uint8_t *bytes = ip;

    if (ip_len != 4 && ip_len != 16)
        return BASE_EINVAL;
    /* One host, one value: mapped IPv4 is IPv4 (gossip.md 1.4). */
    if (ip_len == 16 && memcmp(bytes, mapped_prefix, 12) == 0) {
        bytes += 12;
        ip_len = 4;
    }
    *out = (struct base_addr){.family = ip_len == 4 ? 4 : 6, .port = port};
    memcpy(out->ip, bytes, ip_len);
    return 0;
}

size_t base_addr_ip_len(const struct base_addr *addr)
{
    return addr->family == 4 ? 4 : addr->family == 6 ? 16 : 0;
}

bool base_addr_ip_equal(const struct base_addr *a, const struct base_addr *b)
{
    return a->family == b->family &&
           memcmp(a->ip, b->ip, base_addr_ip_len(a)) == 0;
}

bool base_addr_equal(const struct base_addr *a, const struct base_addr *b)
{
    return base_addr_ip_equal(a, b) && a->port == b->port;
}

int base_addr_compare(const struct base_addr *a, const struct base_addr *b)
{
    int order;

    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    order = memcmp(a->ip, b->ip, base_addr_ip_len(a));
    if (order != 0)
        return order;
    return (a->port > b->port) - (a->port < b->port);
}

bool base_addr_is_any(const struct base_addr *addr)
{
    static const uint8_t zero[16];

    return addr->family != 0 &&
           memcmp(addr->ip, zero, base_addr_ip_len(addr)) == 0;
}

struct range {
    uint8_t family;
    uint8_t bits;
    uint8_t ip[16];
};

static bool is_in(const struct base_addr *addr, const struct range *ranges,
                  size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        struct base_cidr cidr = {{.family = ranges[i].family}, ranges[i].bits};

        memcpy(cidr.net.ip, ranges[i].ip, sizeof(cidr.net.ip));
        if (base_cidr_contains(&cidr, addr))
            return true;
    }
    return false;
}

static const struct range loopback_ranges[] = {
    {4, 8, {127}},
    {6, 128, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
};

static const struct range private_ranges[] = {
    {4, 8, {10}},         /* RFC 1918 */
    {4, 12, {172, 16}},   /* RFC 1918 */
    {4, 16, {192, 168}},  /* RFC 1918 */
    {4, 10, {100, 64}},   /* RFC 6598, carrier-grade NAT */
    {4, 16, {169, 254}},  /* RFC 3927, link-local */
    {6, 7, {0xfc}},       /* RFC 4193 */
    {6, 10, {0xfe, 0x80}} /* RFC 4291, link-local */
};

bool base_addr_is_loopback(const struct base_addr *addr)
{
    return is_in(addr, loopback_ranges, BASE_COUNT_OF(loopback_ranges));
}

bool base_addr_is_private(const struct base_addr *addr)
{
    return base_addr_is_loopback(addr) ||
           is_in(addr, private_ranges, BASE_COUNT_OF(private_ranges));
}

int base_addr_from_sockaddr(struct base_addr *out, const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof(in));
        return base_addr_from_ip(out, &in.sin_addr, 4, ntohs(in.sin_port));
    }
    if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof(in6));
        return base_addr_from_ip(out, &in6.sin6_addr, 16, ntohs(in6.sin6_port));
    }
    return BASE_EINVAL;
}

unsigned base_addr_to_sockaddr(const struct base_addr *addr,
                               struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (addr->family == 4) {
        struct sockaddr_in in = {.sin_family = AF_INET,
                                 .sin_port = htons(addr->port)};

        memcpy(&in.sin_addr, addr->ip, 4);
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    if (addr->family == 6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
                                   .sin6_port = htons(addr->port)};

        memcpy(&in6.sin6_addr, addr->ip, 16);
        memcpy(out, &in6, sizeof(in6));
        return sizeof(in6);
    }
    return 0;
}
