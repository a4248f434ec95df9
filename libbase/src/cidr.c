/*
 * Networks: parsing "address/bits" and asking whether one holds an address.
 */
#include <string.h>

#include "addr_text.h"
#include "base/error.h"

/* Clears what is right of the prefix, so that 10.1.2.3/8 is 10.0.0.0/8. */
static void mask(struct base_cidr *cidr)
{
    size_t i;

    for (i = 0; i < sizeof(cidr->net.ip); i++) {
        size_t first_bit = 8 * i;

        if (first_bit >= cidr->bits)
            cidr->net.ip[i] = 0;
        else if (cidr->bits - first_bit < 8)
            cidr->net.ip[i] &= (uint8_t)(0xff00u >> (cidr->bits - first_bit));
    }
}

int base_cidr_parse(struct base_cidr *out, const char *text)
{
    struct base_cidr cidr;
    char ip[BASE_ADDR_TEXT_MAX];
    const char *slash = strchr(text, '/');
    uint16_t bits;
    bool v6_text;

    if (slash == NULL || (size_t)(slash - text) >= sizeof(ip))
        return BASE_EPARSE;
    memcpy(ip, text, (size_t)(slash - text));
    ip[slash - text] = '\0';
    if (base_addr_parse_ip(&cidr.net, ip) < 0 ||
        addr_parse_port(slash + 1, &bits) < 0)
        return BASE_EPARSE;
    v6_text = strchr(ip, ':') != NULL;
    if (bits > (v6_text ? 128 : 32))
        return BASE_EPARSE;
    if (v6_text && cidr.net.family == 4) { /* a mapped one was collapsed */
        if (bits < 96)
            return BASE_EPARSE;
        bits = (uint16_t)(bits - 96);
    }
    cidr.bits = (uint8_t)bits;
    mask(&cidr);
    *out = cidr;
    return 0;
}

bool base_cidr_contains(const struct base_cidr *cidr,
                        const struct base_addr *addr)
{
    size_t whole = cidr->bits / 8;
    unsigned rest = cidr->bits % 8;

    if (addr->family != cidr->net.family)
        return false;
    if (memcmp(addr->ip, cidr->net.ip, whole) != 0)
        return false;
    return rest == 0 ||
           (addr->ip[whole] ^ cidr->net.ip[whole]) >> (8 - rest) == 0;
}
