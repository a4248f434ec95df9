/*
 * What users of the originals met, and what must stay calm here: pools where
 * something is wrong with one node or one link, and nobody else should suffer.
 * Larger pools and longer times: tests/sim/gossip_calm_sim.c.
 */
#include "pool.h"
#include "serf_pool.h"
#include "suite.h"

#include <check.h>
#include <string.h>

#define DETACHED_NODES 30

/* Deaths of nodes that are well, told at nodes that are well; n0 is neither. */
static unsigned false_deaths;

static void on_false_death(void *ctx, const struct gossip_node *about)
{
    const struct pool_node *node = ctx;

    false_deaths += node->index != 0 && strcmp(about->name, "n0") != 0;
}

static struct pool *pool_around_n0(uint64_t seed, size_t count)
{
    struct pool *pool = pool_new(seed, count);
    size_t i;

    pool->records = gossip_records_new(seed);
    for (i = 0; i < count; i++)
        pool->nodes[i].delegate.on_leave = on_false_death;
    pool_start_all(pool);
    pool_form(pool);
    pool_run_ms(pool, 30000);
    false_deaths = 0;
    return pool;
}

static void cut_n0(struct pool *pool, bool out, bool in)
{
    size_t i;

    for (i = 1; i < pool->count; i++) {
        pool->cut[0][i] = out;
        pool->cut[i][0] = in;
    }
}

/* A node hears all and reaches none; then it reaches all and hears none; then
 * it is well, and all again: its words come out at whatever moment of its
 * suspicions. The others never lose each other (consul issue 5928). */
START_TEST(a_half_deaf_node_buries_nobody)
{
    struct pool *pool = pool_around_n0(500 + (uint64_t)_i, DETACHED_NODES);
    int round;

    for (round = 0; round < 4; round++) {
        cut_n0(pool, true, false);
        pool_run_ms(pool, 1000 * (5 + base_sim_random_below(pool->sim, 60)));
        cut_n0(pool, false, true);
        pool_run_ms(pool, 1000 * (5 + base_sim_random_below(pool->sim, 60)));
        cut_n0(pool, false, false);
        pool_run_ms(pool, 1000 * base_sim_random_below(pool->sim, 10));
    }
    ck_assert_uint_eq(false_deaths, 0);
    pool_free(pool);
}
END_TEST

/* How many member-failed events of nodes other than n0 came at others. */
static size_t failures_told(const struct serf_pool *pool)
{
    size_t count = 0, i, other;
    char line[40];

    for (other = 1; other < pool->count; other++) {
        snprintf(line, sizeof(line), "member-failed n%zu", other);
        for (i = 1; i < pool->count; i++)
            count += serf_pool_heard(&pool->nodes[i], line);
    }
    return count;
}

static bool all_see_all_alive(void *arg)
{
    struct serf_pool *pool = arg;
    size_t a, b;

    for (a = 0; a < pool->count; a++)
        for (b = 0; b < pool->count; b++)
            if (serf_pool_status(pool, a, b) != GOSSIP_MEMBER_ALIVE)
                return false;
    return true;
}

/* Virtual ms until it is so; asking all about all is expensive. */
static uint64_t await_all_alive(struct serf_pool *pool, uint64_t within_ms)
{
    uint64_t ms;

    for (ms = 0; !all_see_all_alive(pool); ms += 500) {
        ck_assert_uint_lt(ms, within_ms);
        serf_pool_run_ms(pool, 500);
    }
    return ms;
}

/* The same one floor up: serf never says that a member has failed, and brings
 * the node back by itself once it is well. */
START_TEST(a_half_deaf_member_comes_back)
{
    struct serf_pool *pool = serf_pool_new(40 + (uint64_t)_i, 20);
    size_t i;

    serf_pool_form(pool);
    serf_pool_forget(pool);
    for (i = 1; i < pool->count; i++)
        pool->cut[0][i] = true;
    serf_pool_run_ms(pool, 120000);
    for (i = 1; i < pool->count; i++) {
        pool->cut[0][i] = false;
        pool->cut[i][0] = true;
    }
    serf_pool_run_ms(pool, 120000);
    for (i = 1; i < pool->count; i++)
        pool->cut[i][0] = false;
    await_all_alive(pool, 180000);
    serf_pool_run_ms(pool, 60000);
    ck_assert(all_see_all_alive(pool));
    ck_assert_uint_eq(failures_told(pool), 0);
    serf_pool_free(pool);
}
END_TEST

/* A pool in two for ten minutes, twenty times as long as the dead are gossiped
 * to, grows together without anybody's join. */
START_TEST(a_long_split_heals_without_help)
{
    struct serf_pool *pool = serf_pool_new(60 + (uint64_t)_i, 20);
    size_t a, b;

    serf_pool_form(pool);
    for (a = 0; a < 10; a++)
        for (b = 10; b < 20; b++)
            serf_pool_cut(pool, a, b, true);
    serf_pool_run_ms(pool, 600000);
    ck_assert_int_eq(serf_pool_status(pool, 0, 19), GOSSIP_MEMBER_FAILED);
    ck_assert_int_eq(serf_pool_status(pool, 19, 0), GOSSIP_MEMBER_FAILED);
    memset(pool->cut, 0, sizeof(pool->cut));
    await_all_alive(pool, 120000);
    serf_pool_run_ms(pool, 60000);
    ck_assert(all_see_all_alive(pool));
    serf_pool_free(pool);
}
END_TEST

#define KEPT 20      /* members that stay */
#define MAINTAINED 8 /* that go for maintenance */

static void assert_nobody_leaving(struct serf_pool *pool)
{
    size_t a, b;

    for (a = 0; a < pool->count; a++)
        for (b = 0; pool->nodes[a].serf != NULL && b < pool->count; b++) {
            enum gossip_member_status status = serf_pool_status(pool, a, b);

            if (pool->nodes[b].serf != NULL)
                ck_assert_int_eq(status, GOSSIP_MEMBER_ALIVE);
            else
                ck_assert(status == GOSSIP_MEMBER_LEFT ||
                          status == GOSSIP_MEMBER_FAILED ||
                          status == GOSSIP_MEMBER_NONE);
        }
}

/* Part of a lossy pool goes for maintenance, one after the other: most say
 * goodbye to the end, some lose power in the middle of it; every second comes
 * back. Nobody is "leaving" afterwards (consul issue 13379). */
START_TEST(maintenance_of_a_part_ends)
{
    struct serf_pool *pool =
        serf_pool_new(80 + (uint64_t)_i, KEPT + MAINTAINED);
    size_t i;

    pool->loss_ppm = 50000;
    serf_pool_form(pool);
    for (i = KEPT; i < pool->count; i++) {
        gossip_serf_leave(pool->nodes[i].serf, NULL, NULL);
        serf_pool_run_ms(
            pool, i % 3 == 0 ? base_sim_random_below(pool->sim, 3000) : 12000);
        serf_pool_kill(pool, i);
    }
    for (i = KEPT; i < pool->count; i += 2) {
        serf_pool_start(pool, i);
        serf_pool_join(pool, i, i - KEPT);
    }
    serf_pool_run_ms(pool, 180000);
    assert_nobody_leaving(pool);
    serf_pool_free(pool);
}
END_TEST

Suite *calm_suite(void)
{
    Suite *suite = suite_create("gossip calm");
    TCase *tcase = tcase_create("calm");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_half_deaf_node_buries_nobody, 0, 20);
    tcase_add_loop_test(tcase, a_half_deaf_member_comes_back, 0, 5);
    tcase_add_loop_test(tcase, a_long_split_heals_without_help, 0, 5);
    tcase_add_loop_test(tcase, maintenance_of_a_part_ends, 0, 20);
    suite_add_tcase(suite, tcase);
    return suite;
}
