/* See gossip_crowd.h. */
#include "gossip_crowd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define STEP_MS 100u /* what the crowd does, it does so often */
/* Tags as serf writes them: dc, role, and an id that each has for itself. */
#define META                                                                 \
    "\xff\x83\xa2" "dc\xa3" "eu1\xa4" "role\xa6" "server\xa2" "id\xbf"        \
    "%08x-0000-4000-8000-%07x"

/* ---- the network ---- */

/* A host whose process stands still for a while gets all at the end of it, and
 * what it wanted to say leaves then. */
static uint32_t stands_still_us(const struct crowd *crowd,
                                const struct base_sim_host *host)
{
    size_t index = (size_t)strtoul(base_sim_host_name(host) + 1, NULL, 10);
    uint64_t period_us = 2000 * (uint64_t)crowd->slow_ms, at_us;

    if (index >= crowd->slow_count)
        return 0;
    at_us = (base_sim_now_ns(crowd->sim) / 1000 +
             index * period_us / crowd->slow_count) % period_us;
    return at_us < period_us / 2 ? (uint32_t)(period_us / 2 - at_us) : 0;
}

static void link_rule(void *arg, const struct base_sim_host *from,
                      const struct base_sim_host *to,
                      struct base_sim_link *link)
{
    const struct crowd *crowd = arg;

    link->loss_ppm = crowd->loss_ppm;
    if (crowd->slow_count > 0) {
        uint32_t still_us =
            stands_still_us(crowd, from) + stands_still_us(crowd, to);

        link->delay_min_us += still_us;
        link->delay_max_us += still_us;
    }
}

/* ---- who knows of whose death ---- */

static struct crowd_death *death_of(struct crowd *crowd, size_t victim)
{
    size_t i;

    for (i = 0; i < crowd->death_count; i++)
        if (crowd->deaths[i].victim == victim)
            return &crowd->deaths[i];
    return NULL;
}

static void said_dead(struct crowd *crowd, struct crowd_node *victim,
                      uint32_t incarnation)
{
    crowd->false_views++;
    if (victim->false_incarnation > incarnation)
        return;
    victim->false_incarnation = (uint64_t)incarnation + 1;
    if (victim->index < crowd->slow_count)
        crowd->false_slow++;
    else
        crowd->false_healthy++;
}

static void on_leave(void *ctx, const struct gossip_node *about)
{
    struct crowd_node *node = ctx;
    struct crowd *crowd = node->crowd;
    size_t victim = (size_t)strtoul(about->name + 1, NULL, 10);
    struct crowd_death *death = death_of(crowd, victim);
    uint64_t now_ns = base_sim_now_ns(crowd->sim);

    if (crowd->nodes[victim].ml != NULL) {
        said_dead(crowd, &crowd->nodes[victim], about->incarnation);
        return;
    }
    if (death == NULL || node->born_ns > death->at_ns)
        return;
    if (death->heard++ == 0)
        bench_series_add(&crowd->first_ms, (now_ns - death->at_ns) / 1000000);
    if (death->heard == death->needed)
        bench_series_add(&crowd->all_ms, (now_ns - death->at_ns) / 1000000);
}

/* A node that dies has no part in deaths that others have yet to hear of. */
static void forget_listener(struct crowd *crowd, const struct crowd_node *node)
{
    size_t i;

    for (i = 0; i < crowd->death_count; i++) {
        struct crowd_death *death = &crowd->deaths[i];
        struct gossip_node view;

        if (node->born_ns > death->at_ns || death->heard == death->needed)
            continue;
        if (gossip_memberlist_find(
                node->ml, crowd->known[death->victim].name, &view) &&
            (view.state == GOSSIP_DEAD || view.state == GOSSIP_LEFT))
            death->heard--;
        death->needed--;
    }
}

/* ---- life ---- */

static const struct gossip_delegate hooks = {.version = 1,
                                             .on_leave = on_leave};

static void introduce(struct crowd *crowd, size_t index)
{
    static const uint8_t vsn[6] = {1, 5, 2, 2, 5, 5};
    struct crowd_node *node = &crowd->nodes[index];
    struct gossip_node *known = &crowd->known[index];
    const uint8_t ip[4] = {10, (uint8_t)(index >> 16), (uint8_t)(index >> 8),
                           (uint8_t)index};
    char *meta = base_asprintf(META, (unsigned)index, (unsigned)index);
    char *host = base_asprintf("h%zu", index);

    base_addr_from_ip(&known->addr, ip, 4, 7946);
    known->name = base_asprintf("n%05zu.eu1.example", index);
    known->meta = (const uint8_t *)meta;
    known->meta_len = strlen(meta);
    known->incarnation = 1;
    memcpy(known->vsn, vsn, sizeof(vsn));
    node->crowd = crowd;
    node->index = index;
    node->host = base_sim_host_new(crowd->sim, host, &known->addr, 1);
    base_free(host);
}

struct crowd *crowd_new(uint64_t seed, size_t count,
                        const struct gossip_params *params)
{
    struct crowd *crowd;
    size_t i;

    BASE_NEW(crowd);
    crowd->sim = base_sim_new(seed);
    base_sim_set_digest(crowd->sim, false);
    base_sim_set_link(crowd->sim, link_rule, crowd);
    crowd->records = gossip_records_new(seed);
    crowd->params = *params;
    crowd->count = count;
    crowd->nodes = base_calloc(count, sizeof(*crowd->nodes));
    crowd->known = base_calloc(count, sizeof(*crowd->known));
    for (i = 0; i < count; i++)
        introduce(crowd, i);
    return crowd;
}

void crowd_start(struct crowd *crowd, size_t index, bool filled)
{
    struct crowd_node *node = &crowd->nodes[index];
    const struct gossip_node *self = &crowd->known[index];
    struct gossip_memberlist_config config = {0};

    node->env = base_sim_host_env(node->host, "gossip");
    if (gossip_net_transport_new(base_sim_host_net(node->host, node->env),
                                 &self->addr, &node->transport) < 0)
        exit(1);
    config.name = self->name;
    config.advertise = self->addr;
    config.meta = self->meta;
    config.meta_len = self->meta_len;
    memcpy(config.delegate_vsn, self->vsn + 3, 3);
    config.params = crowd->params;
    config.transport = gossip_net_transport_ops(node->transport);
    config.delegate = &hooks;
    config.delegate_ctx = node;
    config.records = crowd->records;
    if (gossip_memberlist_new(node->env, &config, &node->ml) < 0)
        exit(1);
    gossip_net_transport_attach(node->transport, node->ml);
    node->born_ns = base_sim_now_ns(crowd->sim);
    crowd->running++;
    if (filled)
        gossip_memberlist_restore(node->ml, crowd->known, crowd->count);
}

void crowd_kill(struct crowd *crowd, size_t index)
{
    struct crowd_node *node = &crowd->nodes[index];
    struct crowd_death *death;

    forget_listener(crowd, node);
    base_sim_host_crash(node->host);
    gossip_memberlist_free(node->ml);
    gossip_net_transport_free(node->transport);
    node->ml = NULL;
    crowd->running--;
    if (crowd->death_count == crowd->death_cap) {
        crowd->death_cap = crowd->death_cap == 0 ? 16 : 2 * crowd->death_cap;
        crowd->deaths = base_reallocarray(crowd->deaths, crowd->death_cap,
                                          sizeof(*crowd->deaths));
    }
    death = &crowd->deaths[crowd->death_count++];
    *death = (struct crowd_death){.victim = index,
                                  .at_ns = base_sim_now_ns(crowd->sim),
                                  .needed = crowd->running};
}

static struct crowd_node *random_node(struct crowd *crowd, const void *except)
{
    struct crowd_node *node;

    do
        node = &crowd->nodes[base_sim_random_below(crowd->sim, crowd->count)];
    while (node->ml == NULL || node == except);
    return node;
}

static void on_joined(void *arg, int status)
{
    struct crowd_node *node = arg;

    node->join_failed = status < 0;
    node->crowd->joined += status == 0;
}

void crowd_join(struct crowd *crowd, size_t index)
{
    struct crowd_node *node = &crowd->nodes[index];
    const struct crowd_node *other = random_node(crowd, node);
    struct gossip_peer peer = {crowd->known[other->index].name,
                               crowd->known[other->index].addr};

    node->join_failed = gossip_memberlist_join(node->ml, &peer, on_joined,
                                               node) < 0;
}

double crowd_agreement(const struct crowd *crowd)
{
    size_t held = 0, i;

    for (i = 0; i < crowd->count; i++)
        if (crowd->nodes[i].ml != NULL)
            held += gossip_memberlist_alive_count(crowd->nodes[i].ml);
    return (double)held / (double)(crowd->running * crowd->running);
}

/* ---- what happens on the way ---- */

static void bring_back(struct crowd *crowd)
{
    size_t i = 0;

    while (i < crowd->death_count) {
        struct crowd_death death = crowd->deaths[i];

        if (death.heard < death.needed) {
            i++;
            continue;
        }
        crowd->deaths[i] = crowd->deaths[--crowd->death_count];
        crowd_start(crowd, death.victim, false);
        crowd_join(crowd, death.victim);
    }
}

static void join_again(struct crowd *crowd)
{
    size_t i;

    for (i = 0; i < crowd->count; i++)
        if (crowd->nodes[i].join_failed && crowd->nodes[i].ml != NULL)
            crowd_join(crowd, i);
}

void crowd_run(struct crowd *crowd, uint64_t duration_ms, uint64_t gap_ms)
{
    uint64_t at_ms, kill_ms = 0;

    for (at_ms = 0; at_ms < duration_ms; at_ms += STEP_MS) {
        if (gap_ms > 0 && at_ms >= kill_ms) {
            crowd_kill(crowd, random_node(crowd, NULL)->index);
            kill_ms += gap_ms;
        }
        base_sim_run_for_ms(crowd->sim, STEP_MS);
        bring_back(crowd);
        join_again(crowd);
    }
}

/* Somebody probes it: each round it is spared with probability 1/e, 14 times
 * in a row once in a million. The probe fails, nobody confirms the suspicion,
 * and the news is told as often as it may be, in each tick of gossip once. */
uint64_t crowd_bound_ms(const struct crowd *crowd)
{
    const struct gossip_params *params = &crowd->params;
    double size = (double)crowd->count;
    double scale = fmax(1, log10(size));
    double suspicion_ms = scale * params->suspicion_mult *
                          params->probe_interval_ms *
                          fmax(1, params->suspicion_max_timeout_mult);
    double spread_ms = ceil(log10(size + 1)) * params->retransmit_mult *
                       params->gossip_interval_ms;

    return (uint64_t)(15 * params->probe_interval_ms + suspicion_ms +
                      spread_ms);
}
