/*
 * Machines: their addresses, their loops, and what is left when power goes.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "sim_internal.h"

/* ---- who has an address ---- */

static size_t ip_hash(const struct base_addr *ip)
{
    uint64_t hash = ip->family;
    size_t len = base_addr_ip_len(ip);
    size_t i;

    for (i = 0; i < len; i++) /* FNV-1a, wide */
        hash = (hash ^ ip->ip[i]) * 0x100000001b3u;
    return (size_t)(hash ^ (hash >> 29));
}

/* The slot that holds ip, or the empty one where it would go. */
static struct sim_ip_slot *ip_slot(const struct base_sim *sim,
                                   const struct base_addr *ip)
{
    size_t i = ip_hash(ip) & (sim->ip_cap - 1);

    while (sim->ips[i].host != NULL && !base_addr_ip_equal(&sim->ips[i].ip, ip))
        i = (i + 1) & (sim->ip_cap - 1);
    return &sim->ips[i];
}

static void ip_grow(struct base_sim *sim)
{
    struct sim_ip_slot *old = sim->ips;
    size_t old_cap = sim->ip_cap;
    size_t i;

    sim->ip_cap = old_cap > 0 ? old_cap * 2 : 64;
    sim->ips = base_calloc(sim->ip_cap, sizeof(*sim->ips));
    for (i = 0; i < old_cap; i++) {
        if (old[i].host != NULL)
            *ip_slot(sim, &old[i].ip) = old[i];
    }
    base_free(old);
}

/* The machine made last has a contested address. */
static void ip_add(struct base_sim_host *host, const struct base_addr *ip)
{
    struct base_sim *sim = host->sim;
    struct sim_ip_slot *slot;

    if (sim->ip_count * 2 >= sim->ip_cap)
        ip_grow(sim);
    slot = ip_slot(sim, ip);
    if (slot->host == NULL)
        sim->ip_count++;
    slot->ip = *ip;
    slot->host = host;
}

struct base_sim_host *sim_host_find(const struct base_sim *sim,
                                    const struct base_addr *ip)
{
    return sim->ip_cap > 0 ? ip_slot(sim, ip)->host : NULL;
}

bool sim_host_has(const struct base_sim_host *host, const struct base_addr *ip)
{
    size_t i;

    for (i = 0; i < host->addr_count; i++) {
        if (base_addr_ip_equal(&host->addrs[i], ip))
            return true;
    }
    return base_addr_is_loopback(ip);
}

/* ---- life ---- */

struct base_sim_host *base_sim_host_new(struct base_sim *sim, const char *name,
                                        const struct base_addr *addrs,
                                        size_t addr_count)
{
    struct base_sim_host *host;
    size_t i;

    BASE_NEW(host);
    host->sim = sim;
    host->name = base_strdup(name);
    host->addrs = base_memdup(addrs, addr_count * sizeof(*addrs));
    host->addr_count = addr_count;
    host->next_port = SIM_PORT_FIRST;
    SLIST_INIT(&host->envs);
    LIST_INIT(&host->packets);
    LIST_INIT(&host->listeners);
    LIST_INIT(&host->dials);
    LIST_INIT(&host->streams);
    LIST_INSERT_HEAD(&sim->hosts, host, link);
    for (i = 0; i < addr_count; i++) {
        host->addrs[i].port = 0;
        ip_add(host, &host->addrs[i]);
    }
    return host;
}

void sim_host_free(struct base_sim_host *host)
{
    struct sim_env *env;

    sim_packets_free_all(host);
    sim_listeners_free_all(host);
    sim_dials_free_all(host);
    sim_streams_free_all(host);
    while ((env = SLIST_FIRST(&host->envs)) != NULL) {
        SLIST_REMOVE_HEAD(&host->envs, next);
        sim_env_free(env);
    }
    LIST_REMOVE(host, link);
    base_free(host->name);
    base_free(host->addrs);
    base_free(host);
}

const char *base_sim_host_name(const struct base_sim_host *host)
{
    return host->name;
}

struct base_env *base_sim_host_env(struct base_sim_host *host, const char *name)
{
    struct sim_env *env = sim_env_new(host, name);

    SLIST_INSERT_HEAD(&host->envs, env, next);
    host->down = false;
    return &env->env;
}

struct base_net *base_sim_host_net(struct base_sim_host *host,
                                   struct base_env *env)
{
    (void)host;
    return &BASE_CONTAINER_OF(env, struct sim_env, env)->net;
}

void base_sim_host_shift_wall(struct base_sim_host *host, int64_t shift_ns)
{
    host->wall_shift_ns = shift_ns;
}

void base_sim_host_set_drift(struct base_sim_host *host, int32_t drift_ppm)
{
    assert(SLIST_EMPTY(&host->envs) && drift_ppm > -1000000);
    host->drift_ppm = drift_ppm;
}

void base_sim_host_set_job_delay(struct base_sim_host *host, uint32_t min_us,
                                 uint32_t max_us)
{
    host->job_min_us = min_us;
    host->job_max_us = max_us;
}

void base_sim_host_jump(struct base_sim_host *host, uint64_t jump_ns)
{
    host->jumped_ns += jump_ns;
}

/* ---- power loss ---- */

static bool is_timer_of(const struct base_timer *timer,
                        const struct base_sim_host *host)
{
    return timer->env != NULL &&
           BASE_CONTAINER_OF(timer->env, struct sim_env, env)->host == host;
}

/* Timers know their env and not the other way round: walk them all. Crashes
 * are rare, timers are not. */
static void stop_timers(struct base_sim_host *host, struct timer_heap *heap)
{
    struct base_timer **found;
    size_t count = 0;
    size_t i;

    found = base_calloc(heap->count + 1, sizeof(*found));
    for (i = 0; i < heap->count; i++) {
        if (is_timer_of(heap->slots[i].timer, host))
            found[count++] = heap->slots[i].timer;
    }
    for (i = 0; i < count; i++)
        timer_heap_remove(heap, found[i]);
    base_free(found);
}

static void kill_sockets(struct sim_socket_list *list)
{
    struct sim_socket *socket;

    LIST_FOREACH(socket, list, link)
    {
        socket->dead = true;
    }
}

void base_sim_host_crash(struct base_sim_host *host)
{
    struct sim_env *env;

    sim_log_line(host->sim, host->name, "crash", "");
    SLIST_FOREACH(env, &host->envs, next)
    {
        env->dead = true;
    }
    stop_timers(host, &host->sim->heaps[SIM_NEAR]);
    stop_timers(host, &host->sim->heaps[SIM_FAR]);
    kill_sockets(&host->packets);
    kill_sockets(&host->listeners);
    sim_dials_kill(host);
    sim_streams_kill(host);
    memset(host->workers, 0, sizeof(host->workers));
    host->boots++;
    host->down = true;
}
