/*
 * What follows from other keys, and what only this host can say: its name, and
 * which of its addresses to tell others when it listens on all of them. It
 * never guesses between several equally good addresses, since the wrong one
 * makes a pool that half works.
 */
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config_address.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

static void host_name(struct config *config)
{
    char name[256];

    if (gethostname(name, sizeof(name)) < 0)
        return; /* the check for an empty name speaks */
    name[sizeof(name) - 1] = '\0';
    config->node_name = base_strdup(name);
}

int config_choose_address(const struct base_addr *candidates, size_t count,
                          uint8_t family, struct base_addr *out)
{
    enum { PRIVATE, PUBLIC, LOOPBACK, RANKS };
    size_t found[RANKS] = {0};
    struct base_addr best[RANKS];
    size_t i;
    int rank;

    for (i = 0; i < count; i++) {
        const struct base_addr *addr = &candidates[i];

        if (addr->family != family)
            continue;
        rank = base_addr_is_loopback(addr)  ? LOOPBACK
               : base_addr_is_private(addr) ? PRIVATE
                                            : PUBLIC;
        if (found[rank]++ == 0)
            best[rank] = *addr;
    }
    for (rank = PRIVATE; rank < RANKS; rank++) {
        /* The loopback addresses of one host all lead to it. */
        if (found[rank] == 1 || (found[rank] > 1 && rank == LOOPBACK)) {
            *out = best[rank];
            return 0;
        }
        if (found[rank] > 1)
            return BASE_EEXIST;
    }
    return BASE_ENOTFOUND;
}

static bool is_link_local(const struct base_addr *addr)
{
    if (addr->family == 4)
        return addr->ip[0] == 169 && addr->ip[1] == 254;
    return addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
}

/* Addresses of interfaces that are up; link-local ones serve nobody without a
 * zone. */
static size_t host_addresses(struct base_addr *out, size_t max)
{
    struct ifaddrs *list, *at;
    size_t count = 0;

    if (getifaddrs(&list) < 0)
        return 0;
    for (at = list; at != NULL && count < max; at = at->ifa_next) {
        if (at->ifa_addr == NULL || (at->ifa_flags & IFF_UP) == 0 ||
            base_addr_from_sockaddr(&out[count], at->ifa_addr) < 0)
            continue;
        out[count].port = 0;
        if (!is_link_local(&out[count]))
            count++;
    }
    freeifaddrs(list);
    return count;
}

static int refuse_guess(const struct base_addr *addrs, size_t count,
                        uint8_t family, int rv, char **why)
{
    char text[BASE_ADDR_TEXT_MAX];
    struct base_buf buf = BASE_BUF_INIT;
    size_t i;

    if (rv == BASE_ENOTFOUND)
        base_buf_printf(&buf, "advertise_addr: this host has no address to "
                              "advertise; set it");
    else
        base_buf_printf(&buf, "advertise_addr: must be set, since this host "
                              "has several addresses:");
    for (i = 0; rv != BASE_ENOTFOUND && i < count; i++) {
        if (addrs[i].family == family && !base_addr_is_loopback(&addrs[i]))
            base_buf_printf(&buf, " %s", base_addr_format_ip(&addrs[i], text));
    }
    *why = base_buf_take_string(&buf);
    return BASE_EADDR;
}

static int advertise(struct config *config, char **why)
{
    struct base_addr addrs[64];
    size_t count;
    int rv;

    if (config->advertise_addr.family == 0)
        config->advertise_addr = config->bind_addr;
    if (base_addr_is_any(&config->advertise_addr) &&
        !config_is_set(config, "advertise_addr")) {
        count = host_addresses(addrs, BASE_COUNT_OF(addrs));
        rv = config_choose_address(addrs, count, config->bind_addr.family,
                                   &config->advertise_addr);
        if (rv < 0)
            return refuse_guess(addrs, count, config->bind_addr.family, rv,
                                why);
    }
    if (config->advertise_addr_wan.family == 0)
        config->advertise_addr_wan = config->advertise_addr;
    return 0;
}

int config_complete(struct config *config, char **why)
{
    if (config->node_name == NULL)
        host_name(config);
    if (config->primary_datacenter == NULL)
        config->primary_datacenter = base_strdup(config->datacenter);
    if (config->bootstrap && config->bootstrap_expect == 0)
        config->bootstrap_expect = 1;
    if (config->bootstrap_expect == 1)
        config->bootstrap = true;
    if (config->verify_server_hostname)
        config->verify_outgoing = true;
    if (!config_is_set(config, "verify_incoming_https"))
        config->verify_incoming_https = config->verify_incoming;
    if (config->unix_sockets_mode)
        config->unix_socket_mode =
            (uint32_t)strtoul(config->unix_sockets_mode, NULL, 8);
    /* As in Consul: a server that stops comes back, a client goes. */
    if (!config_is_set(config, "leave_on_terminate"))
        config->leave_on_terminate = !config->server;
    if (!config_is_set(config, "skip_leave_on_interrupt"))
        config->skip_leave_on_interrupt = config->server;
    return advertise(config, why);
}
