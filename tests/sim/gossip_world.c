/* The pool itself; see gossip_world.h. */
#include "sim/gossip_world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define RETRY_MS 5000u
#define CHECK_MS 500u
/* Two broadcasts of 5 s, the second for memberlist, and a moment for both. */
#define LEAVE_MS_MAX 12000u

uint64_t gossip_world_below(struct gossip_world *world, uint64_t bound)
{
    return base_sim_random_below(world->sim, bound);
}

void gossip_world_break(struct gossip_world *world, const char *format, ...)
{
    va_list args;

    if (world->broken)
        return;
    world->broken = true;
    fprintf(stderr, "seed %llu, %.3f s: ", (unsigned long long)world->seed,
            (double)base_sim_now_ns(world->sim) / 1e9);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    base_sim_note(world->sim, "broken");
}

static size_t index_of(const struct base_sim_host *host)
{
    return (size_t)strtoul(base_sim_host_name(host) + 1, NULL, 10);
}

static void link_rule(void *arg, const struct base_sim_host *from,
                      const struct base_sim_host *to,
                      struct base_sim_link *link)
{
    const struct gossip_world *world = arg;
    size_t a = index_of(from), b = index_of(to);
    uint32_t slow_us = world->slow_us[a] + world->slow_us[b];

    link->up = !world->cut[a][b];
    link->loss_ppm = world->loss_ppm;
    link->duplicate_ppm = world->duplicate_ppm;
    if (world->delay_max_us > 0)
        link->delay_max_us = world->delay_max_us;
    link->delay_min_us += slow_us / 2;
    link->delay_max_us += slow_us;
}

struct gossip_world *gossip_world_new(uint64_t seed, size_t count, FILE *log)
{
    struct gossip_world *world;
    size_t i;

    BASE_NEW(world);
    world->seed = seed;
    world->count = count;
    world->sim = base_sim_new(seed);
    world->metrics = base_metrics_new();
    base_sim_set_log(world->sim, log);
    base_sim_set_digest(world->sim, log != NULL);
    base_sim_set_link(world->sim, link_rule, world);
    for (i = 0; i < count; i++) {
        struct gossip_world_node *node = &world->nodes[i];
        const uint8_t ip[4] = {10, 2, 0, (uint8_t)(i + 1)};

        node->world = world;
        node->index = i;
        snprintf(node->name, sizeof(node->name), "n%u", (unsigned)i);
        base_addr_from_ip(&node->addr, ip, 4, GOSSIP_WORLD_PORT);
        node->host = base_sim_host_new(world->sim, node->name, &node->addr, 1);
    }
    return world;
}

void gossip_world_free(struct gossip_world *world)
{
    size_t i;

    for (i = 0; i < world->count; i++)
        if (gossip_world_runs(world, i))
            gossip_world_crash(world, i);
    gossip_keyring_free(world->keyring);
    base_sim_free(world->sim);
    base_metrics_free(world->metrics);
    base_free(world);
}

/* The number in "e12" or "q12". */
static unsigned id_of(const struct gossip_event *event)
{
    return (unsigned)strtoul(event->name + 1, NULL, 10) % GOSSIP_WORLD_IDS;
}

static void once(struct gossip_world_node *node, uint8_t *times,
                 const struct gossip_event *event)
{
    if (++times[id_of(event)] > 1)
        gossip_world_break(node->world, "%s was told %s %s twice", node->name,
                           gossip_event_kind_name(event->kind), event->name);
}

static void on_event(void *ctx, const struct gossip_event *event)
{
    struct gossip_world_node *node = ctx;
    struct gossip_counts *counts = &node->world->counts;

    switch (event->kind) {
    case GOSSIP_EVENT_MEMBER_JOIN:
        counts->joins += event->member_count;
        break;
    case GOSSIP_EVENT_MEMBER_FAILED:
        counts->deaths += event->member_count;
        break;
    case GOSSIP_EVENT_MEMBER_UPDATE:
        counts->updates += event->member_count;
        break;
    case GOSSIP_EVENT_USER:
        counts->events++;
        once(node, node->heard, event);
        break;
    case GOSSIP_EVENT_QUERY:
        counts->queries++;
        once(node, node->asked, event);
        (void)gossip_query_respond(node->serf, event->query, "yes", 3);
        break;
    default:
        break;
    }
}

static void on_joined(void *arg, int status, size_t joined)
{
    struct gossip_world_node *node = arg;

    (void)joined;
    node->joined |= status == 0;
}

/* As the daemon's retry-join: some of the others, until one answers. */
static void on_retry(void *arg)
{
    struct gossip_world_node *node = arg;
    struct gossip_world *world = node->world;
    char text[2][BASE_ADDR_TEXT_MAX];
    const char *targets[2];
    size_t i;

    if (node->joined || world->count < 2)
        return;
    for (i = 0; i < 2; i++) {
        size_t other = gossip_world_below(world, world->count - 1);

        other += other >= node->index;
        targets[i] = base_addr_format(&world->nodes[other].addr, text[i]);
    }
    (void)gossip_serf_join(node->serf, targets, 2, GOSSIP_WORLD_PORT, false,
                           on_joined, node);
    base_timer_start_ms(&node->retry, RETRY_MS);
}

static void forget_life(struct gossip_world_node *node)
{
    node->joined = false;
    node->left = false;
    node->leaving_ms = 0;
    memset(node->heard, 0, sizeof(node->heard));
    memset(node->asked, 0, sizeof(node->asked));
    memset(node->times, 0, sizeof(node->times));
    memset(node->seen, 0, sizeof(node->seen));
}

static void tag_text(const struct gossip_world_node *node, char text[16])
{
    snprintf(text, 16, "%u", node->tag);
}

void gossip_world_start(struct gossip_world *world, size_t index)
{
    struct gossip_world_node *node = &world->nodes[index];
    struct gossip_serf_config config = {0};
    struct gossip_tag tag = {"v", NULL};
    struct base_net *net;
    char text[16];
    int rv;

    forget_life(node);
    node->tag++;
    tag_text(node, text);
    tag.value = text;
    node->env = base_sim_host_env(node->host, "gossip");
    node->env->metrics = world->metrics;
    net = base_sim_host_net(node->host, node->env);
    rv = gossip_net_transport_new(net, &node->addr, &node->transport);
    config.name = node->name;
    config.advertise = node->addr;
    config.tags = &tag;
    config.tag_count = 1;
    config.params = gossip_params_lan;
    config.params.compression = world->compression;
    config.keyring = world->keyring;
    config.on_event = on_event;
    config.ctx = node;
    if (rv == 0) {
        config.transport = gossip_net_transport_ops(node->transport);
        rv = gossip_serf_new(node->env, &config, &node->serf);
    }
    if (rv < 0)
        abort(); /* a configuration of our own that is refused */
    gossip_net_transport_attach(node->transport,
                                gossip_serf_memberlist(node->serf));
    base_timer_init(&node->retry, node->env, "retry", on_retry, node);
    base_timer_start_ns(&node->retry, 0);
}

static void free_program(struct gossip_world_node *node)
{
    base_timer_stop(&node->retry);
    gossip_serf_free(node->serf);
    gossip_net_transport_free(node->transport);
    node->serf = NULL;
    node->transport = NULL;
}

void gossip_world_crash(struct gossip_world *world, size_t index)
{
    struct gossip_world_node *node = &world->nodes[index];

    base_sim_host_crash(node->host);
    free_program(node);
}

static void on_left(void *arg, int status)
{
    struct gossip_world_node *node = arg;

    (void)status;
    node->left = true;
}

void gossip_world_leave(struct gossip_world *world, size_t index)
{
    struct gossip_world_node *node = &world->nodes[index];

    if (gossip_serf_leave(node->serf, on_left, node) < 0)
        return;
    node->joined = true; /* no more tries */
    node->leaving_ms = base_sim_now_ns(world->sim) / 1000000;
    world->counts.leaves++;
}

/* Who has said goodbye goes off; who takes too long over it is told. */
static void switch_off(struct gossip_world *world)
{
    uint64_t now_ms = base_sim_now_ns(world->sim) / 1000000;
    size_t i;

    for (i = 0; i < world->count; i++) {
        struct gossip_world_node *node = &world->nodes[i];

        if (node->serf == NULL || node->leaving_ms == 0)
            continue;
        if (node->left)
            gossip_world_crash(world, i);
        else if (now_ms - node->leaving_ms > LEAVE_MS_MAX)
            gossip_world_break(world, "%s has not left after %u ms", node->name,
                               LEAVE_MS_MAX);
    }
}

void gossip_world_force_leave(struct gossip_world *world, size_t index,
                              size_t target, bool prune)
{
    if (gossip_serf_force_leave(world->nodes[index].serf,
                                world->nodes[target].name, prune, NULL,
                                NULL) == 0)
        world->counts.force_leaves++;
}

void gossip_world_set_tag(struct gossip_world *world, size_t index)
{
    struct gossip_world_node *node = &world->nodes[index];
    struct gossip_tag tag = {"v", NULL};
    char text[16];

    node->tag++;
    tag_text(node, text);
    tag.value = text;
    if (gossip_serf_set_tags(node->serf, &tag, 1) < 0)
        node->tag--;
}

unsigned gossip_world_event(struct gossip_world *world, size_t index)
{
    char name[16];

    if (world->last_event + 1 >= GOSSIP_WORLD_IDS)
        return 0;
    snprintf(name, sizeof(name), "e%u", ++world->last_event);
    return gossip_serf_user_event(world->nodes[index].serf, name, "x", 1,
                                  false) == 0
               ? world->last_event
               : 0;
}

static void on_response(void *arg, const char *from, const void *payload,
                        size_t len)
{
    struct gossip_world_node *node = arg;

    (void)from;
    if (len != 3 || memcmp(payload, "yes", 3) != 0)
        gossip_world_break(node->world, "%s got a mangled answer", node->name);
    node->world->counts.answers++;
}

static const struct gossip_query_events query_events = {.on_response =
                                                            on_response};

unsigned gossip_world_query(struct gossip_world *world, size_t index)
{
    struct gossip_world_node *node = &world->nodes[index];
    struct gossip_query_params params = {.want_acks = true, .relay_factor = 1};
    char name[16];

    if (world->last_query + 1 >= GOSSIP_WORLD_IDS)
        return 0;
    snprintf(name, sizeof(name), "q%u", ++world->last_query);
    return gossip_serf_query(node->serf, name, NULL, 0, &params, &query_events,
                             node, NULL) == 0
               ? world->last_query
               : 0;
}

void gossip_world_heal(struct gossip_world *world)
{
    world->loss_ppm = 0;
    world->duplicate_ppm = 0;
    world->delay_max_us = 0;
    memset(world->slow_us, 0, sizeof(world->slow_us));
    memset(world->cut, 0, sizeof(world->cut));
}

void gossip_world_run_ms(struct gossip_world *world, uint64_t ms)
{
    while (ms > 0) {
        uint64_t step = ms < CHECK_MS ? ms : CHECK_MS;

        base_sim_run_for_ms(world->sim, step);
        switch_off(world);
        gossip_world_check(world);
        ms -= step;
    }
}
