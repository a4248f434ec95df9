/* See serf_pool.h. */
#include "serf_pool.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void link_rule(void *arg, const struct base_sim_host *from,
                      const struct base_sim_host *to,
                      struct base_sim_link *link)
{
    const struct serf_pool *pool = arg;
    size_t a = (size_t)strtoul(base_sim_host_name(from) + 1, NULL, 10);
    size_t b = (size_t)strtoul(base_sim_host_name(to) + 1, NULL, 10);

    link->up = !pool->cut[a][b];
    link->loss_ppm = pool->loss_ppm;
    link->delay_min_us += pool->delay_us[a] + pool->delay_us[b];
    link->delay_max_us += pool->delay_us[a] + pool->delay_us[b];
}

static void on_event(void *ctx, const struct gossip_event *event)
{
    struct serf_pool_node *node = ctx;
    const char *kind = gossip_event_kind_name(event->kind);
    size_t i;

    for (i = 0; i < event->member_count; i++)
        base_buf_printf(&node->journal, "%s %s\n", kind,
                        event->members[i].name);
    if (event->name != NULL)
        base_buf_printf(&node->journal, "%s %s %.*s\n", kind, event->name,
                        (int)event->payload_len,
                        event->payload_len ? (const char *)event->payload : "");
    if (event->kind != GOSSIP_EVENT_QUERY)
        return;
    node->last_query = event->query;
    if (node->answer != NULL)
        ck_assert_int_eq(gossip_query_respond(node->serf, event->query,
                                              node->answer,
                                              strlen(node->answer)),
                         0);
}

static int on_merge(void *ctx, const struct gossip_member *members,
                    size_t count)
{
    struct serf_pool_node *node = ctx;

    (void)members;
    (void)count;
    return node->merge_answer;
}

static int on_alive(void *ctx, const struct gossip_member *member)
{
    struct serf_pool_node *node = ctx;

    return node->refused_name != NULL &&
           strcmp(node->refused_name, member->name) == 0;
}

static void on_conflict_lost(void *ctx)
{
    struct serf_pool_node *node = ctx;

    node->lost_conflicts++;
}

static void init_node(struct serf_pool *pool, size_t i)
{
    struct serf_pool_node *node = &pool->nodes[i];
    const uint8_t ip[4] = {10, 1, (uint8_t)(i / 200), (uint8_t)(i % 200 + 1)};
    char host[16];

    node->pool = pool;
    node->index = i;
    snprintf(node->name, sizeof(node->name), "n%zu", i);
    snprintf(host, sizeof(host), "h%zu", i);
    base_addr_from_ip(&node->addr, ip, 4, SERF_POOL_PORT);
    node->host = base_sim_host_new(pool->sim, host, &node->addr, 1);
    node->metrics = base_metrics_new();
    node->status = SERF_POOL_WAITING;
    node->config = (struct gossip_serf_config){
        .name = node->name,
        .advertise = node->addr,
        .params = gossip_params_lan,
        .on_event = on_event,
        .on_merge = on_merge,
        .on_alive = on_alive,
        .on_conflict_lost = on_conflict_lost,
        .ctx = node,
    };
}

struct serf_pool *serf_pool_new(uint64_t seed, size_t count)
{
    struct serf_pool *pool;
    size_t i;

    BASE_NEW(pool);
    ck_assert_uint_le(count, SERF_POOL_MAX);
    pool->sim = base_sim_new(seed);
    base_sim_set_link(pool->sim, link_rule, pool);
    pool->count = count;
    for (i = 0; i < count; i++)
        init_node(pool, i);
    return pool;
}

void serf_pool_free(struct serf_pool *pool)
{
    size_t i;

    for (i = 0; i < pool->count; i++) {
        if (pool->nodes[i].serf != NULL)
            serf_pool_kill(pool, i);
        gossip_keyring_free(pool->nodes[i].keyring);
        base_buf_close(&pool->nodes[i].journal);
    }
    base_sim_run_for_ms(pool->sim, 60000); /* last jobs of the workers */
    base_sim_free(pool->sim);
    for (i = 0; i < pool->count; i++)
        base_metrics_free(pool->nodes[i].metrics);
    base_free(pool);
}

void serf_pool_start(struct serf_pool *pool, size_t index)
{
    struct serf_pool_node *node = &pool->nodes[index];
    struct base_net *net;

    node->env = base_sim_host_env(node->host, "gossip");
    node->env->metrics = node->metrics;
    net = base_sim_host_net(node->host, node->env);
    ck_assert_int_eq(
        gossip_net_transport_new(net, &node->addr, &node->transport), 0);
    node->config.transport = gossip_net_transport_ops(node->transport);
    node->config.keyring = node->keyring;
    ck_assert_int_eq(gossip_serf_new(node->env, &node->config, &node->serf),
                     0);
    gossip_net_transport_attach(node->transport,
                                gossip_serf_memberlist(node->serf));
}

void serf_pool_kill(struct serf_pool *pool, size_t index)
{
    struct serf_pool_node *node = &pool->nodes[index];

    gossip_serf_free(node->serf);
    gossip_net_transport_free(node->transport);
    node->serf = NULL;
    node->transport = NULL;
}

void serf_pool_done(void *arg, int status)
{
    struct serf_pool_node *node = arg;

    node->status = status;
    node->done_count++;
}

void serf_pool_joined(void *arg, int status, size_t joined)
{
    struct serf_pool_node *node = arg;

    node->joined = joined;
    serf_pool_done(node, status);
}

bool serf_pool_is_done(void *arg)
{
    const struct serf_pool_node *node = arg;

    return node->status != SERF_POOL_WAITING;
}

void serf_pool_join(struct serf_pool *pool, size_t index, size_t target)
{
    struct serf_pool_node *node = &pool->nodes[index];
    char text[BASE_ADDR_TEXT_MAX];
    const char *targets[] = {
        base_addr_format(&pool->nodes[target].addr, text)};

    node->status = SERF_POOL_WAITING;
    ck_assert_int_eq(gossip_serf_join(node->serf, targets, 1, SERF_POOL_PORT,
                                      false, serf_pool_joined, node),
                     0);
}

static void note_status(void *arg, const struct gossip_member *member)
{
    *(enum gossip_member_status *)arg = member->status;
}

enum gossip_member_status serf_pool_status(struct serf_pool *pool,
                                           size_t index, size_t target)
{
    enum gossip_member_status status = GOSSIP_MEMBER_NONE;

    (void)gossip_serf_find(pool->nodes[index].serf, pool->nodes[target].name,
                           note_status, &status);
    return status;
}

static bool all_alive(void *arg)
{
    struct serf_pool *pool = arg;
    size_t a;
    size_t b;

    for (a = 0; a < pool->count; a++)
        for (b = 0; b < pool->count; b++)
            if (serf_pool_status(pool, a, b) != GOSSIP_MEMBER_ALIVE)
                return false;
    return true;
}

void serf_pool_form(struct serf_pool *pool)
{
    size_t i;

    for (i = 0; i < pool->count; i++)
        serf_pool_start(pool, i);
    for (i = 1; i < pool->count; i++)
        serf_pool_join(pool, i, 0);
    serf_pool_until(pool, all_alive, pool, 60000);
    /* Let the news of the forming run out. */
    serf_pool_run_ms(pool, 5000);
}

void serf_pool_run_ms(struct serf_pool *pool, uint64_t ms)
{
    base_sim_run_for_ms(pool->sim, ms);
}

void serf_pool_until(struct serf_pool *pool, bool (*done)(void *arg),
                     void *arg, uint64_t within_ms)
{
    ck_assert(base_sim_run_until_true(pool->sim, done, arg, within_ms));
}

struct awaited {
    struct serf_pool *pool;
    size_t target;
    enum gossip_member_status status;
};

static bool all_see(void *arg)
{
    const struct awaited *awaited = arg;
    size_t i;

    for (i = 0; i < awaited->pool->count; i++)
        if (i != awaited->target && awaited->pool->nodes[i].serf != NULL &&
            serf_pool_status(awaited->pool, i, awaited->target) !=
                awaited->status)
            return false;
    return true;
}

void serf_pool_await(struct serf_pool *pool, size_t target,
                     enum gossip_member_status status, uint64_t within_ms)
{
    struct awaited awaited = {pool, target, status};

    serf_pool_until(pool, all_see, &awaited, within_ms);
    /* Events follow their cause from the loop. */
    serf_pool_run_ms(pool, 1);
}

size_t serf_pool_heard(const struct serf_pool_node *node, const char *line)
{
    const char *at = (const char *)base_buf_data(&node->journal);
    const char *end = at + base_buf_len(&node->journal);
    size_t len = strlen(line);
    size_t count = 0;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        count += (size_t)(newline - at) == len && memcmp(at, line, len) == 0;
        at = newline + 1;
    }
    return count;
}

void serf_pool_forget(struct serf_pool *pool)
{
    size_t i;

    for (i = 0; i < pool->count; i++)
        base_buf_reset(&pool->nodes[i].journal);
}

void serf_pool_cut(struct serf_pool *pool, size_t a, size_t b, bool cut)
{
    pool->cut[a][b] = cut;
    pool->cut[b][a] = cut;
}

uint64_t serf_pool_refused(const struct serf_pool_node *node,
                           const char *reason)
{
    return base_counter_value(base_metrics_counter(
        node->metrics, "isthmus.gossip.serf.refused", "reason", reason));
}
