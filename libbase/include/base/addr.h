/*
 * Addresses: an IP and a port as a value, and the text forms that people type.
 * A mapped IPv4 address (::ffff:a.b.c.d) is always collapsed to IPv4, so that
 * two equal endpoints are equal values (gossip.md 1.4).
 * Threads: any; nothing here allocates.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;
struct sockaddr_storage;

/** family 0 is "no address". Compare with base_addr_equal(). */
struct base_addr {
    uint8_t family; /* 0, 4 or 6 */
    uint8_t ip[16]; /* network order; 4 bytes used for family 4, rest zero */
    uint16_t port;  /* host order */
};

#define BASE_ADDR_TEXT_MAX 56 /* "[v6]:port" with its NUL */
#define BASE_HOST_MAX 254     /* a DNS name with its NUL */

/** An address from 4 or 16 bytes in network order; BASE_EINVAL otherwise. */
int base_addr_from_ip(struct base_addr *out, const void *ip, size_t ip_len,
                      uint16_t port);
/** 4 or 16; 0 for no address. */
size_t base_addr_ip_len(const struct base_addr *addr);
/** "1.2.3.4:80", "[::1]:80", or without a port if default_port is not 0.
 * Returns 0 or BASE_EPARSE with *out untouched. */
int base_addr_parse(struct base_addr *out, const char *text,
                    uint16_t default_port);
/** An IP alone, "1.2.3.4" or "::1" (brackets allowed); the port is 0. */
int base_addr_parse_ip(struct base_addr *out, const char *text);
/** "1.2.3.4:80" or "[::1]:80"; "" for no address. Returns out. */
const char *base_addr_format(const struct base_addr *addr,
                             char out[BASE_ADDR_TEXT_MAX]);
/** The IP alone, without brackets. Returns out. */
const char *base_addr_format_ip(const struct base_addr *addr,
                                char out[BASE_ADDR_TEXT_MAX]);
bool base_addr_equal(const struct base_addr *a, const struct base_addr *b);
bool base_addr_ip_equal(const struct base_addr *a, const struct base_addr *b);
/** <0, 0, >0: family, then ip, then port. */
int base_addr_compare(const struct base_addr *a, const struct base_addr *b);
bool base_addr_is_any(const struct base_addr *addr); /* 0.0.0.0 or :: */
bool base_addr_is_loopback(const struct base_addr *addr);
/** RFC 1918, RFC 6598, RFC 4193, link-local and loopback. */
bool base_addr_is_private(const struct base_addr *addr);
int base_addr_from_sockaddr(struct base_addr *out, const struct sockaddr *sa);
/** Fills *out and returns its length for bind(2) and connect(2). */
unsigned base_addr_to_sockaddr(const struct base_addr *addr,
                               struct sockaddr_storage *out);

/** What an operator types as a target: [name "/"] host [":" port], host being
 * an IP or a DNS name (gossip.md 1.12). */
struct base_target {
    char name[BASE_HOST_MAX]; /* "" if none was given */
    char host[BASE_HOST_MAX];
    uint16_t port;
};
/** Splits text; a missing port becomes default_port. Returns 0 or BASE_EPARSE:
 * empty name before "/", empty host, bad port, too long. */
int base_target_parse(struct base_target *out, const char *text,
                      uint16_t default_port);

/** A network, "10.0.0.0/8" or "fd00::/8". */
struct base_cidr {
    struct base_addr net;
    uint8_t bits;
};
int base_cidr_parse(struct base_cidr *out, const char *text);
bool base_cidr_contains(const struct base_cidr *cidr,
                        const struct base_addr *addr);

#endif
