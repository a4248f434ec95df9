/*
 * Targets: what an operator types to name a peer, [name "/"] host [":" port]
 * (gossip.md 1.12). Resolving the host is left to base_env_resolve().
 */
#include <string.h>

#include "addr_text.h"
#include "base/error.h"

/* A host is an IP or a DNS name: no blanks, controls or separators. */
static bool is_host(const char *host)
{
    struct base_addr ip;
    size_t i;

    if (strchr(host, ':') != NULL)
        return base_addr_parse_ip(&ip, host) == 0;
    for (i = 0; host[i] != '\0'; i++)
        if (host[i] <= ' ' || host[i] >= 0x7f || strchr("/[]@", host[i]))
            return false;
    return true;
}

int base_target_parse(struct base_target *out, const char *text,
                      uint16_t default_port)
{
    struct base_target target = {.port = default_port};
    const char *slash = strchr(text, '/');
    const char *port;

    if (slash != NULL) {
        size_t len = (size_t)(slash - text);

        if (len == 0 || len >= sizeof(target.name))
            return BASE_EPARSE;
        memcpy(target.name, text, len);
        text = slash + 1;
    }
    if (addr_split(text, target.host, &port) < 0 || !is_host(target.host))
        return BASE_EPARSE;
    if (port != NULL && addr_parse_port(port, &target.port) < 0)
        return BASE_EPARSE;
    *out = target;
    return 0;
}
