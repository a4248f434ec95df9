/* Who reaches whom. Between two datacenters a gateway stands at one end at
 * least; cuts and pulled cables come on top. */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "sim/federation_internal.h"

#define HOSTS_MAX BASE_COUNT_OF(((struct federation *)0)->hosts)

struct base_addr sim_addr(unsigned dc, unsigned net, unsigned number,
                          uint16_t port)
{
    const uint8_t ip[4] = {10, (uint8_t)dc, (uint8_t)net, (uint8_t)number};
    struct base_addr addr;

    base_addr_from_ip(&addr, ip, sizeof(ip), port);
    return addr;
}

struct sim_dc *sim_dc_of(struct federation *f, const char *name)
{
    size_t i;

    for (i = 0; i < f->dc_count; i++)
        if (strcmp(f->dcs[i].name, name) == 0)
            return &f->dcs[i];
    assert(false && "no such datacenter");
    return NULL;
}

static struct sim_host_entry *entry_of(struct federation *f,
                                       const struct base_sim_host *host)
{
    size_t i;

    for (i = 0; i < f->host_count; i++)
        if (f->hosts[i].host == host)
            return &f->hosts[i];
    assert(false && "a host of no datacenter");
    return NULL;
}

void sim_register_host(struct federation *f, const struct base_sim_host *host,
                       struct sim_dc *dc, struct sim_server *server)
{
    assert(f->host_count < HOSTS_MAX);
    f->hosts[f->host_count++] =
        (struct sim_host_entry){.host = host, .dc = dc, .server = server};
}

void sim_unplug(struct federation *f, const struct base_sim_host *host)
{
    entry_of(f, host)->unplugged = true;
}

void federation_cut(struct federation *f, const char *dc, enum sim_hosts hosts,
                    const char *other, enum sim_hosts other_hosts)
{
    assert(f->cut_count < SIM_CUTS_MAX);
    f->cuts[f->cut_count++] = (struct sim_cut){
        .dc = {sim_dc_of(f, dc), other ? sim_dc_of(f, other) : NULL},
        .hosts = {hosts, other_hosts}};
}

void federation_wan_delay(struct federation *f, uint32_t min_us,
                          uint32_t max_us)
{
    f->wan_min_us = min_us;
    f->wan_max_us = max_us;
}

void federation_join_links(struct federation *f)
{
    f->cut_count = 0;
}

static bool is_one_of(const struct sim_host_entry *entry,
                      const struct sim_dc *dc, enum sim_hosts hosts)
{
    return (dc == NULL || entry->dc == dc) &&
           (hosts & (entry->server ? SIM_SERVERS : SIM_GATEWAYS)) != 0;
}

static bool is_cut(const struct federation *f, const struct sim_host_entry *a,
                   const struct sim_host_entry *b)
{
    size_t i;

    for (i = 0; i < f->cut_count; i++) {
        const struct sim_cut *cut = &f->cuts[i];

        if (is_one_of(a, cut->dc[0], cut->hosts[0]) &&
            is_one_of(b, cut->dc[1], cut->hosts[1]))
            return true;
    }
    return false;
}

static void between_datacenters(struct federation *f,
                                const struct sim_host_entry *from,
                                const struct sim_host_entry *to,
                                struct base_sim_link *link)
{
    link->delay_min_us = f->wan_min_us;
    link->delay_max_us = f->wan_max_us;
    if (from->server && to->server) {
        f->violations++;
        link->up = false;
    } else if (from->server) {
        from->server->direct++;
    }
    if (is_cut(f, from, to) || is_cut(f, to, from))
        link->up = false;
}

void sim_link_of(void *arg, const struct base_sim_host *from_host,
                 const struct base_sim_host *to_host,
                 struct base_sim_link *link)
{
    struct federation *f = arg;
    const struct sim_host_entry *from = entry_of(f, from_host);
    const struct sim_host_entry *to = entry_of(f, to_host);

    if (from->dc != to->dc)
        between_datacenters(f, from, to, link);
    if (from->unplugged || to->unplugged)
        link->up = false;
    if (from != to && ((from->server && from->server->cut) ||
                       (to->server && to->server->cut)))
        link->up = false;
}
