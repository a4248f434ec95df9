/*
 * Addresses as text, and nothing but their usual forms: no octal, no names, no
 * zones, no signs or spaces.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "addr_text.h"
#include "base/error.h"

int addr_parse_port(const char *text, uint16_t *out)
{
    uint32_t value = 0;
    size_t i;

    for (i = 0; text[i] != '\0'; i++) {
        if (text[i] < '0' || text[i] > '9' || i == 5)
            return BASE_EPARSE;
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    if (i == 0 || value > UINT16_MAX)
        return BASE_EPARSE;
    *out = (uint16_t)value;
    return 0;
}

int addr_split(const char *text, char host[BASE_HOST_MAX], const char **port)
{
    const char *colon = strchr(text, ':');
    const char *from = text;
    size_t len;

    *port = NULL;
    if (*text == '[') {
        const char *close = strchr(text, ']');

        if (close == NULL || (close[1] != '\0' && close[1] != ':'))
            return BASE_EPARSE;
        from = text + 1;
        len = (size_t)(close - from);
        /* Brackets are for IPv6 alone. */
        if (memchr(from, ':', len) == NULL)
            return BASE_EPARSE;
        if (close[1] == ':')
            *port = close + 2;
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        len = (size_t)(colon - text);
        *port = colon + 1;
    } else {
        len = strlen(text); /* a name, an IPv4, or IPv6 without a port */
    }
    if (len == 0 || len >= BASE_HOST_MAX)
        return BASE_EPARSE;
    memcpy(host, from, len);
    host[len] = '\0';
    return 0;
}

static int parse_bare_ip(struct base_addr *out, const char *text)
{
    uint8_t ip[16];

    if (inet_pton(AF_INET, text, ip) == 1)
        return base_addr_from_ip(out, ip, 4, 0);
    if (inet_pton(AF_INET6, text, ip) == 1)
        return base_addr_from_ip(out, ip, 16, 0);
    return BASE_EPARSE;
}

int base_addr_parse_ip(struct base_addr *out, const char *text)
{
    char host[BASE_HOST_MAX];
    const char *port;

    if (*text != '[')
        return parse_bare_ip(out, text);
    if (addr_split(text, host, &port) < 0 || port != NULL)
        return BASE_EPARSE;
    return parse_bare_ip(out, host);
}

int base_addr_parse(struct base_addr *out, const char *text,
                    uint16_t default_port)
{
    struct base_addr addr;
    char host[BASE_HOST_MAX];
    const char *port_text;
    uint16_t port = default_port;

    if (addr_split(text, host, &port_text) < 0)
        return BASE_EPARSE;
    if (port_text == NULL && default_port == 0)
        return BASE_EPARSE;
    if (port_text != NULL && addr_parse_port(port_text, &port) < 0)
        return BASE_EPARSE;
    if (parse_bare_ip(&addr, host) < 0)
        return BASE_EPARSE;
    addr.port = port;
    *out = addr;
    return 0;
}

const char *base_addr_format_ip(const struct base_addr *addr,
                                char out[BASE_ADDR_TEXT_MAX])
{
    out[0] = '\0';
    if (addr->family == 4)
        inet_ntop(AF_INET, addr->ip, out, BASE_ADDR_TEXT_MAX);
    else if (addr->family == 6)
        inet_ntop(AF_INET6, addr->ip, out, BASE_ADDR_TEXT_MAX);
    return out;
}

const char *base_addr_format(const struct base_addr *addr,
                             char out[BASE_ADDR_TEXT_MAX])
{
    char ip[BASE_ADDR_TEXT_MAX];

    base_addr_format_ip(addr, ip);
    out[0] = '\0';
    if (addr->family == 4)
        snprintf(out, BASE_ADDR_TEXT_MAX, "%.15s:%u", ip, addr->port);
    else if (addr->family == 6)
        snprintf(out, BASE_ADDR_TEXT_MAX, "[%.46s]:%u", ip, addr->port);
    return out;
}
