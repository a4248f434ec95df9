/*
 * The virtual network: which machine an address leads to, what a link does,
 * and which socket has which address. Datagrams are in sim_packets.c,
 * connections in sim_dial.c, bytes in sim_stream.c.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "sim_internal.h"

#define LINK_DELAY_MIN_US 200u /* base/sim.h */
#define LINK_DELAY_MAX_US 800u

const struct base_net_ops sim_net_ops = {
    .version = 1,
    .dial = sim_dial,
    .dial_cancel = sim_dial_cancel,
    .listen = sim_listen,
    .listener_addr = sim_listener_addr,
    .listener_close = sim_listener_close,
    .packets = sim_packets_open,
    .packets_addr = sim_packets_addr,
    .packets_send = sim_packets_send,
    .packets_close = sim_packets_close,
};

struct base_sim_link sim_link_ask(struct base_sim *sim,
                                  struct base_sim_host *from,
                                  struct base_sim_host *to)
{
    struct base_sim_link link = {.up = true,
                                 .delay_min_us = LINK_DELAY_MIN_US,
                                 .delay_max_us = LINK_DELAY_MAX_US};

    if (from == to)
        link.delay_min_us = link.delay_max_us = SIM_LOOPBACK_US;
    else if (sim->link != NULL)
        sim->link(sim->link_arg, from, to, &link);
    return link;
}

uint64_t sim_link_delay_ns(struct base_sim *sim,
                           const struct base_sim_link *link)
{
    return sim_rng_delay_ns(&sim->network_random, link->delay_min_us,
                            link->delay_max_us);
}

struct base_sim_host *sim_route(struct base_sim_host *host,
                                const struct base_addr *ip)
{
    if (base_addr_is_loopback(ip) || base_addr_is_any(ip))
        return host; /* connecting to "any" reaches oneself, as on Linux */
    return sim_host_find(host->sim, ip);
}

static struct base_addr without_port(const struct base_addr *addr)
{
    struct base_addr copy = *addr;

    copy.port = 0;
    return copy;
}

int sim_source_addr(const struct base_sim_host *host,
                    const struct base_addr *at, const struct base_addr *to,
                    struct base_addr *out)
{
    size_t i;

    if (at != NULL && !base_addr_is_any(at)) {
        if (at->family != to->family)
            return BASE_EINVAL;
        *out = without_port(at);
        return 0;
    }
    if (base_addr_is_loopback(to) || base_addr_is_any(to)) {
        *out = (struct base_addr){.family = to->family};
        if (to->family == 4) {
            out->ip[0] = 127;
            out->ip[3] = 1;
        } else {
            out->ip[15] = 1;
        }
        return 0;
    }
    for (i = 0; i < host->addr_count; i++) {
        if (host->addrs[i].family == to->family) {
            *out = host->addrs[i];
            return 0;
        }
    }
    return BASE_EUNREACH;
}

/* ---- who is bound to what ---- */

/* True if traffic to addr may reach a socket bound to at. An IPv6 "any" takes
 * IPv4 too. */
static bool takes(const struct base_addr *at, const struct base_addr *addr)
{
    if (at->port != addr->port)
        return false;
    if (base_addr_is_any(at))
        return at->family == 6 || addr->family == 4;
    return base_addr_ip_equal(at, addr);
}

struct sim_socket *sim_socket_find(const struct sim_socket_list *list,
                                   const struct base_addr *addr)
{
    struct sim_socket *socket;

    LIST_FOREACH(socket, list, link)
    {
        if (!socket->dead && takes(&socket->addr, addr))
            return socket;
    }
    return NULL;
}

static bool in_use(const struct sim_socket_list *list,
                   const struct base_addr *at)
{
    struct sim_socket *socket;

    LIST_FOREACH(socket, list, link)
    {
        if (!socket->dead &&
            (takes(&socket->addr, at) || takes(at, &socket->addr)))
            return true;
    }
    return false;
}

uint16_t sim_port_next(struct base_sim_host *host)
{
    uint16_t port = host->next_port;

    host->next_port =
        port == UINT16_MAX ? (uint16_t)SIM_PORT_FIRST : (uint16_t)(port + 1);
    return port;
}

int sim_socket_bind(struct sim_socket *socket, struct sim_env *env,
                    struct sim_socket_list *list, const struct base_addr *at)
{
    unsigned tries = UINT16_MAX - SIM_PORT_FIRST + 1;

    if (env->dead)
        return BASE_ECLOSED;
    if (at->family == 0)
        return BASE_EINVAL;
    if (!base_addr_is_any(at) && !sim_host_has(env->host, at))
        return BASE_EADDR;
    socket->addr = *at;
    do {
        if (at->port == 0)
            socket->addr.port = sim_port_next(env->host);
    } while (in_use(list, &socket->addr) && at->port == 0 && --tries > 0);
    if (in_use(list, &socket->addr))
        return BASE_EINUSE;
    socket->env = env;
    socket->dead = false;
    LIST_INSERT_HEAD(list, socket, link);
    return 0;
}
