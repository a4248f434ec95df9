/* See pool.h. */
#include "pool.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "gossip/broadcast.h"

static void link_rule(void *arg, const struct base_sim_host *from,
                      const struct base_sim_host *to,
                      struct base_sim_link *link)
{
    const struct pool *pool = arg;
    size_t a = (size_t)strtoul(base_sim_host_name(from) + 1, NULL, 10);
    size_t b = (size_t)strtoul(base_sim_host_name(to) + 1, NULL, 10);

    link->up = !pool->cut[a][b];
    link->loss_ppm = pool->udp_cut[a][b] ? 1000000 : pool->loss_ppm;
    if (pool->delay_max_us > 0)
        link->delay_max_us = pool->delay_max_us;
}

static void note(struct pool_node *node, const char *what,
                 const struct gossip_node *about)
{
    snprintf(node->last_event, sizeof(node->last_event), "%s %s", what,
             about->name);
    node->last_event_ms = base_sim_now_ns(node->pool->sim) / 1000000;
    if (node->pool->verbose)
        printf("%8.3f %s: %s\n",
               (double)base_sim_now_ns(node->pool->sim) / 1e9, node->name,
               node->last_event);
}

static void on_join(void *ctx, const struct gossip_node *about)
{
    struct pool_node *node = ctx;

    node->joins++;
    note(node, "join", about);
}

static void on_leave(void *ctx, const struct gossip_node *about)
{
    struct pool_node *node = ctx;

    node->leaves++;
    note(node, "leave", about);
}

static void on_update(void *ctx, const struct gossip_node *about)
{
    struct pool_node *node = ctx;

    node->updates++;
    note(node, "update", about);
}

static void on_conflict(void *ctx, const struct gossip_node *existing,
                        const struct gossip_node *other)
{
    struct pool_node *node = ctx;

    ck_assert(!base_addr_equal(&existing->addr, &other->addr));
    node->conflicts++;
}

static void on_message(void *ctx, const void *data, size_t len)
{
    struct pool_node *node = ctx;

    node->messages++;
    node->last_message_len = len;
    snprintf(node->last_message, sizeof(node->last_message), "%.*s", (int)len,
             (const char *)data);
}

static size_t broadcasts(void *ctx, size_t overhead, size_t limit,
                         void (*emit)(void *arg, const void *data, size_t len),
                         void *arg)
{
    struct pool_node *node = ctx;

    return gossip_broadcasts_take(node->queue, node->pool->count, overhead,
                                  limit, emit, arg);
}

static void broadcasts_sent(void *ctx, bool sent)
{
    struct pool_node *node = ctx;

    gossip_broadcasts_sent(node->queue, sent);
}

static void local_state(void *ctx, bool join, struct base_buf *out)
{
    struct pool_node *node = ctx;

    (void)join;
    base_buf_append(out, node->state_out, strlen(node->state_out));
}

static void merge_state(void *ctx, const void *data, size_t len, bool join)
{
    struct pool_node *node = ctx;

    (void)join;
    snprintf(node->state_in, sizeof(node->state_in), "%.*s", (int)len,
             (const char *)data);
}

static int on_merge(void *ctx, const struct gossip_node *nodes, size_t count)
{
    struct pool_node *node = ctx;
    size_t i;

    for (i = 0; i < count; i++)
        ck_assert_ptr_nonnull(nodes[i].name);
    node->last_merge = count;
    return node->refuse_merge ? -1 : 0;
}

static int on_alive(void *ctx, const struct gossip_node *about)
{
    struct pool_node *node = ctx;

    (void)about;
    return node->refuse_alive ? -1 : 0;
}

static void ack_payload(void *ctx, struct base_buf *out)
{
    struct pool_node *node = ctx;

    base_buf_append(out, node->ack_out, strlen(node->ack_out));
}

static void on_ping_complete(void *ctx, const struct gossip_node *about,
                             uint64_t rtt_ns, const void *payload, size_t len)
{
    struct pool_node *node = ctx;

    (void)about;
    node->pings_completed++;
    node->rtt_ns = rtt_ns;
    snprintf(node->ack_in, sizeof(node->ack_in), "%.*s", (int)len,
             len > 0 ? (const char *)payload : "");
}

static const struct gossip_delegate delegate_preset = {
    .version = 1,
    .on_join = on_join,
    .on_leave = on_leave,
    .on_update = on_update,
    .on_conflict = on_conflict,
    .on_message = on_message,
    .broadcasts = broadcasts,
    .broadcasts_sent = broadcasts_sent,
    .local_state = local_state,
    .merge_state = merge_state,
    .on_merge = on_merge,
    .on_alive = on_alive,
    .ack_payload = ack_payload,
    .on_ping_complete = on_ping_complete,
};

struct pool *pool_new(uint64_t seed, size_t count)
{
    struct pool *pool;
    size_t i;

    BASE_NEW(pool);
    pool->sim = base_sim_new(seed);
    pool->count = count;
    ck_assert_uint_le(count, POOL_NODES_MAX);
    base_sim_set_link(pool->sim, link_rule, pool);
    for (i = 0; i < count; i++) {
        struct pool_node *node = &pool->nodes[i];
        const uint8_t ip[4] = {10, 0, (uint8_t)(i / 200),
                               (uint8_t)(i % 200 + 1)};
        char host[16];

        node->pool = pool;
        node->index = i;
        snprintf(node->name, sizeof(node->name), "n%zu", i);
        snprintf(host, sizeof(host), "h%zu", i);
        base_addr_from_ip(&node->addr, ip, 4, 7946);
        node->host = base_sim_host_new(pool->sim, host, &node->addr, 1);
        node->params = gossip_params_lan;
        node->delegate = delegate_preset;
        node->done_status = POOL_WAITING;
    }
    return pool;
}

void pool_free(struct pool *pool)
{
    size_t i;

    for (i = 0; i < pool->count; i++) {
        struct pool_node *node = &pool->nodes[i];

        gossip_memberlist_free(node->ml);
        gossip_net_transport_free(node->transport);
        gossip_broadcasts_free(node->queue);
        base_metrics_free(node->metrics);
        gossip_keyring_free(node->keyring);
    }
    gossip_records_free(pool->records);
    base_sim_free(pool->sim);
    base_free(pool);
}

void pool_start(struct pool *pool, size_t index)
{
    struct pool_node *node = &pool->nodes[index];
    struct gossip_memberlist_config config = {0};
    struct base_net *net;

    ck_assert_ptr_null(node->ml);
    node->env = base_sim_host_env(node->host, "gossip");
    if (node->metrics == NULL)
        node->metrics = base_metrics_new();
    node->env->metrics = node->metrics;
    net = base_sim_host_net(node->host, node->env);
    ck_assert_int_eq(gossip_net_transport_new(net, &node->addr,
                                              &node->transport), 0);
    if (node->queue == NULL)
        node->queue = gossip_broadcasts_new(4);
    config.name = node->advertised_name != NULL ? node->advertised_name
                                                : node->name;
    config.advertise = node->addr;
    config.params = node->params;
    config.keyring = node->keyring;
    config.label = node->label;
    config.cidrs_allowed = node->cidrs;
    config.cidrs_allowed_count = node->cidr_count;
    config.transport = gossip_net_transport_ops(node->transport);
    config.delegate = &node->delegate;
    config.delegate_ctx = node;
    config.subsystem = "gossip.test";
    config.records = pool->records;
    ck_assert_int_eq(gossip_memberlist_new(node->env, &config, &node->ml), 0);
    gossip_net_transport_attach(node->transport, node->ml);
}

void pool_start_all(struct pool *pool)
{
    size_t i;

    for (i = 0; i < pool->count; i++)
        pool_start(pool, i);
}

void pool_kill(struct pool *pool, size_t index)
{
    struct pool_node *node = &pool->nodes[index];

    base_sim_host_crash(node->host);
    gossip_memberlist_free(node->ml);
    gossip_net_transport_free(node->transport);
    node->ml = NULL;
    node->transport = NULL;
}

void pool_done(void *arg, int status)
{
    struct pool_node *node = arg;

    node->done_status = status;
    node->done_count++;
}

void pool_join(struct pool *pool, size_t index, size_t target)
{
    struct pool_node *node = &pool->nodes[index];
    struct gossip_peer peer = {"", pool->nodes[target].addr};

    node->done_status = POOL_WAITING;
    ck_assert_int_eq(gossip_memberlist_join(node->ml, &peer, pool_done, node),
                     0);
}

bool pool_agrees(void *arg)
{
    struct pool *pool = arg;
    size_t running = 0, i, j;

    for (i = 0; i < pool->count; i++)
        running += pool->nodes[i].ml != NULL;
    for (i = 0; i < pool->count; i++) {
        if (pool->nodes[i].ml == NULL)
            continue;
        if (gossip_memberlist_alive_count(pool->nodes[i].ml) != running)
            return false;
        for (j = 0; j < pool->count; j++)
            if (pool->nodes[j].ml != NULL &&
                pool_state(pool, i, j) != GOSSIP_ALIVE)
                return false;
    }
    return true;
}

void pool_form(struct pool *pool)
{
    size_t i;

    for (i = 1; i < pool->count; i++)
        pool_join(pool, i, 0);
    pool_until(pool, pool_agrees, pool, 60000);
}

void pool_run_ms(struct pool *pool, uint64_t ms)
{
    base_sim_run_for_ms(pool->sim, ms);
}

/* Asking all about all is expensive, so not after each event. */
uint64_t pool_until(struct pool *pool, bool (*done)(void *arg), void *arg,
                    uint64_t within_ms)
{
    uint64_t start_ns = base_sim_now_ns(pool->sim), ms = 0;

    while (!done(arg)) {
        ck_assert_msg(ms < within_ms, "not true within %llu ms",
                      (unsigned long long)within_ms);
        base_sim_run_for_ms(pool->sim, 10);
        ms = (base_sim_now_ns(pool->sim) - start_ns) / 1000000;
    }
    return ms;
}

static bool find(struct pool *pool, size_t index, size_t target,
                 struct gossip_node *out)
{
    return gossip_memberlist_find(pool->nodes[index].ml,
                                  pool->nodes[target].name, out);
}

int pool_state(struct pool *pool, size_t index, size_t target)
{
    struct gossip_node node;

    return find(pool, index, target, &node) ? (int)node.state : -1;
}

uint32_t pool_incarnation(struct pool *pool, size_t index, size_t target)
{
    struct gossip_node node;

    return find(pool, index, target, &node) ? node.incarnation : 0;
}

void pool_cut_both(struct pool *pool, size_t a, size_t b, bool cut)
{
    pool->cut[a][b] = cut;
    pool->cut[b][a] = cut;
}

uint64_t pool_dropped(struct pool *pool, size_t index, const char *reason)
{
    return base_counter_value(
        base_metrics_counter(pool->nodes[index].metrics,
                             "isthmus.memberlist.dropped", "reason", reason));
}

bool pool_sees(void *arg)
{
    const struct pool_sees *sees = arg;

    return pool_state(sees->pool, sees->index, sees->target) == sees->state;
}

bool pool_all_see(void *arg)
{
    const struct pool_sees *sees = arg;
    size_t i;

    for (i = 0; i < sees->pool->count; i++)
        if (i != sees->target && sees->pool->nodes[i].ml != NULL &&
            pool_state(sees->pool, i, sees->target) != sees->state)
            return false;
    return true;
}

bool pool_is_done(void *arg)
{
    const struct pool_node *node = arg;

    return node->done_status != POOL_WAITING;
}
