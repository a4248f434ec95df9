/*
 * A pool on loopback, all of it in one process and on one loop: how long until
 * all know all, how fast a message and a death reach everybody, and what a node
 * costs at rest. LAN parameters as they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "gossip/broadcast.h"
#include "gossip/memberlist.h"
#include "gossip/net_transport.h"
#include "gossip_bench.h"

struct live;

struct live_node {
    struct live *live;
    struct gossip_net_transport *transport;
    struct gossip_memberlist *ml;
    struct gossip_broadcasts *queue;
    struct base_addr addr;
    char name[24];
    uint32_t heard; /* the last message */
    bool buried;    /* knows that the dead one is dead */
};

struct live {
    struct base_loop *loop;
    struct base_env *env;
    struct live_node *nodes;
    size_t count;
    const struct live_node *dead;
    uint32_t message; /* on its way */
    uint64_t since_ns;
    uint64_t most_us; /* until 99 % of all views' entries were there */
    size_t reached; /* by the message or the death */
    struct bench_series message_us, death_ms;
};

static uint64_t since_us(const struct live *live)
{
    return (base_env_now_ns(live->env) - live->since_ns) / 1000;
}

/* Each passes on what it hears for the first time. */
static void on_message(void *ctx, const void *data, size_t len)
{
    struct live_node *node = ctx;
    struct live *live = node->live;
    uint32_t message;

    if (len != sizeof(message))
        return;
    memcpy(&message, data, len);
    if (message != live->message || node->heard == message)
        return;
    node->heard = message;
    gossip_broadcasts_add(node->queue, NULL, data, len, NULL, NULL);
    bench_series_add(&live->message_us, since_us(live));
    live->reached++;
}

static size_t broadcasts(void *ctx, size_t overhead, size_t limit,
                         void (*emit)(void *arg, const void *data, size_t len),
                         void *arg)
{
    struct live_node *node = ctx;

    return gossip_broadcasts_take(node->queue, node->live->count, overhead,
                                  limit, emit, arg);
}

static void broadcasts_sent(void *ctx, bool sent)
{
    struct live_node *node = ctx;

    gossip_broadcasts_sent(node->queue, sent);
}

static void on_leave(void *ctx, const struct gossip_node *about)
{
    struct live_node *node = ctx;
    struct live *live = node->live;

    if (live->dead == NULL || strcmp(about->name, live->dead->name) != 0 ||
        node->buried)
        return;
    node->buried = true;
    bench_series_add(&live->death_ms, since_us(live) / 1000);
    live->reached++;
}

static const struct gossip_delegate hooks = {.version = 1,
                                             .on_message = on_message,
                                             .broadcasts = broadcasts,
                                             .broadcasts_sent = broadcasts_sent,
                                             .on_leave = on_leave};

static void start(struct live *live, size_t index)
{
    struct live_node *node = &live->nodes[index];
    struct gossip_memberlist_config config = {0};

    node->live = live;
    base_addr_parse_ip(&config.advertise, "127.0.0.1");
    if (gossip_net_transport_new(base_loop_net(live->loop), &config.advertise,
                                 &node->transport) < 0)
        exit(1);
    gossip_net_transport_addr(node->transport, &node->addr);
    snprintf(node->name, sizeof(node->name), "n%zu", index);
    node->queue = gossip_broadcasts_new(gossip_params_lan.retransmit_mult);
    config.name = node->name;
    config.advertise = node->addr;
    config.params = gossip_params_lan;
    config.transport = gossip_net_transport_ops(node->transport);
    config.delegate = &hooks;
    config.delegate_ctx = node;
    if (gossip_memberlist_new(live->env, &config, &node->ml) < 0)
        exit(1);
    gossip_net_transport_attach(node->transport, node->ml);
}

static bool all_agree(void *arg)
{
    struct live *live = arg;
    size_t entries = live->count * live->count, held = 0, i;

    for (i = 0; i < live->count; i++)
        held += gossip_memberlist_alive_count(live->nodes[i].ml);
    if (live->most_us == 0 && held * 100 >= entries * 99)
        live->most_us = since_us(live);
    return held == entries;
}

static bool all_reached(void *arg)
{
    const struct live *live = arg;

    return live->reached >= live->count - 1;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void send_message(struct live *live)
{
    struct live_node *node = &live->nodes[live->message % live->count];

    live->message++;
    live->reached = 0;
    live->since_ns = base_env_now_ns(live->env);
    node->heard = live->message;
    gossip_broadcasts_add(node->queue, NULL, &live->message,
                          sizeof(live->message), NULL, NULL);
    base_loop_run_until(live->loop, all_reached, live, 20000);
}

static void kill_one(struct live *live)
{
    struct live_node *node = &live->nodes[live->count - 1];

    live->dead = node;
    live->reached = 0;
    live->since_ns = base_env_now_ns(live->env);
    gossip_memberlist_free(node->ml);
    gossip_net_transport_free(node->transport);
    node->ml = NULL;
    base_loop_run_until(live->loop, all_reached, live, 120000);
}

static void print_series(const char *what, struct bench_series *series,
                         double scale)
{
    double p50 = (double)bench_percentile(series->values, series->count, 50);
    double p99 = (double)bench_percentile(series->values, series->count, 99);
    double max = (double)bench_percentile(series->values, series->count, 100);

    printf("| %s, s: half, 99 %%, all | %.2f, %.2f, %.2f |\n", what,
           p50 / scale, p99 / scale, max / scale);
}

static void join_all(struct live *live)
{
    struct gossip_peer peer = {"", live->nodes[0].addr};
    size_t i;

    for (i = 1; i < live->count; i++)
        (void)gossip_memberlist_join(live->nodes[i].ml, &peer, NULL, NULL);
    live->since_ns = base_env_now_ns(live->env);
    base_loop_run_until(live->loop, all_agree, live, 180000);
}

/* Its processor time: two loops of it run, the kernel's part is in it. */
static double cpu_at_rest(struct live *live, uint32_t seconds)
{
    double before_s = bench_cpu_s();

    base_loop_run_until(live->loop, never, NULL, seconds * 1000);
    return (bench_cpu_s() - before_s) / seconds / (double)live->count;
}

void bench_live(const struct bench_options *options)
{
    struct live live = {0};
    double before_mib = bench_resident_mib(), agree_s, mib, cpu_s;
    size_t i;

    live.loop = base_loop_new("live", NULL, NULL, base_workers_new());
    live.env = base_loop_env(live.loop);
    live.count = options->nodes > 0 ? options->nodes
                 : options->quick  ? 30
                                   : 200;
    live.nodes = base_calloc(live.count, sizeof(*live.nodes));
    for (i = 0; i < live.count; i++)
        start(&live, i);
    join_all(&live);
    agree_s = (double)since_us(&live) / 1e6;
    /* News of the joins dies away before rest is measured. */
    base_loop_run_until(live.loop, never, NULL, options->quick ? 3000 : 20000);
    mib = bench_resident_mib() - before_mib;
    cpu_s = cpu_at_rest(&live, options->quick ? 2 : 10);
    for (i = 0; i < (options->quick ? 3u : 20u); i++)
        send_message(&live);
    kill_one(&live);
    printf("%zu nodes on loopback, one process, one loop, LAN parameters.\n\n"
           "| | |\n| --- | --: |\n"
           "| all join one node at once, until 99 %% of all views are there, "
           "s | %.1f |\n| until all of them are, s | %.1f |\n",
           live.count, (double)live.most_us / 1e6, agree_s);
    print_series("a user message", &live.message_us, 1e6);
    print_series("a death", &live.death_ms, 1e3);
    printf("| processor time of a node at rest, %% | %.3f |\n"
           "| memory a node, KiB | %.0f |\n",
           cpu_s * 100, mib * 1024 / (double)live.count);
}
