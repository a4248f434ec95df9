/* Coalescing of member and user events (gossip.md 3.11). */
#include <string.h>

#include "serf/core.h"
#include "serf_pool.h"
#include "suite.h"

/* A lone node whose core is told things directly. */
static struct serf_pool *coalescing_pool(uint64_t seed)
{
    struct serf_pool *pool = serf_pool_new(seed, 1);
    struct gossip_serf_config *config = &pool->nodes[0].config;

    config->coalesce_period_ms = 3000;
    config->quiescent_period_ms = 1000;
    config->user_coalesce_period_ms = 3000;
    config->user_quiescent_period_ms = 1000;
    serf_pool_start(pool, 0);
    serf_pool_run_ms(pool, 5000); /* our own join */
    serf_pool_forget(pool);
    return pool;
}

static struct gossip_node node_of(const char *name)
{
    struct gossip_node node = {.name = name, .vsn = {1, 5, 2, 2, 5, 5}};

    base_addr_parse(&node.addr, "10.2.0.1:7946", 0);
    return node;
}

#define HEARD(line) serf_pool_heard(&pool->nodes[0], line)

START_TEST(quiet_period_ends_the_wait)
{
    struct serf_pool *pool = coalescing_pool(1);
    struct gossip_node a = node_of("a");
    struct gossip_node b = node_of("b");

    serf_node_join(pool->nodes[0].serf, &a);
    serf_pool_run_ms(pool, 900);
    serf_node_join(pool->nodes[0].serf, &b);
    serf_pool_run_ms(pool, 990);
    ck_assert_uint_eq(HEARD("member-join a"), 0);
    serf_pool_run_ms(pool, 20);
    ck_assert_uint_eq(HEARD("member-join a"), 1);
    ck_assert_uint_eq(HEARD("member-join b"), 1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(full_period_bounds_the_wait)
{
    struct serf_pool *pool = coalescing_pool(2);
    struct gossip_node a = node_of("a");
    size_t i;

    serf_node_join(pool->nodes[0].serf, &a);
    for (i = 0; i < 6; i++) { /* never quiet */
        serf_pool_run_ms(pool, 490);
        serf_node_update(pool->nodes[0].serf, &a);
    }
    ck_assert_uint_eq(HEARD("member-update a"), 0);
    serf_pool_run_ms(pool, 100);
    ck_assert_uint_eq(HEARD("member-update a"), 1);
    ck_assert_uint_eq(HEARD("member-join a"), 0); /* the latest kind only */
    serf_pool_free(pool);
}
END_TEST

START_TEST(flapping_is_not_news)
{
    struct serf_pool *pool = coalescing_pool(3);
    struct gossip_node a = node_of("a");

    serf_node_join(pool->nodes[0].serf, &a);
    serf_pool_run_ms(pool, 5000);
    serf_node_leave(pool->nodes[0].serf, &a);
    serf_node_join(pool->nodes[0].serf, &a);
    serf_pool_run_ms(pool, 5000);
    ck_assert_uint_eq(HEARD("member-join a"), 1);
    ck_assert_uint_eq(HEARD("member-failed a"), 0);
    serf_pool_free(pool);
}
END_TEST

/* The original delivers an update again at each later flush. */
START_TEST(update_is_told_once)
{
    struct serf_pool *pool = coalescing_pool(4);
    struct gossip_node a = node_of("a");
    struct gossip_node b = node_of("b");

    serf_node_join(pool->nodes[0].serf, &a);
    serf_pool_run_ms(pool, 5000);
    serf_node_update(pool->nodes[0].serf, &a);
    serf_pool_run_ms(pool, 5000);
    serf_node_join(pool->nodes[0].serf, &b);
    serf_pool_run_ms(pool, 5000);
    ck_assert_uint_eq(HEARD("member-update a"), 1);
    serf_node_update(pool->nodes[0].serf, &a);
    serf_pool_run_ms(pool, 5000);
    ck_assert_uint_eq(HEARD("member-update a"), 2);
    serf_pool_free(pool);
}
END_TEST

START_TEST(user_events_of_the_newest_time_stay)
{
    struct serf_pool *pool = coalescing_pool(5);
    struct gossip_serf *serf = pool->nodes[0].serf;
    struct serf_msg_event msg = {10, mp_str_of("deploy"), mp_str_of("v1"),
                                 true};

    serf_user_event(serf, &msg);
    msg.payload = mp_str_of("v2");
    msg.ltime = 12;
    serf_user_event(serf, &msg);
    msg.payload = mp_str_of("v2b");
    serf_user_event(serf, &msg);
    msg.payload = mp_str_of("v0");
    msg.ltime = 9;
    serf_user_event(serf, &msg);
    msg.name = mp_str_of("other");
    serf_user_event(serf, &msg);
    msg.name = mp_str_of("now");
    msg.coalesce = false;
    serf_user_event(serf, &msg);
    serf_pool_run_ms(pool, 1);
    ck_assert_uint_eq(HEARD("user now v0"), 1); /* passes straight through */
    ck_assert_uint_eq(HEARD("user deploy v2"), 0);
    serf_pool_run_ms(pool, 1500);
    ck_assert_uint_eq(HEARD("user deploy v2"), 1);
    ck_assert_uint_eq(HEARD("user deploy v2b"), 1);
    ck_assert_uint_eq(HEARD("user deploy v1"), 0);
    ck_assert_uint_eq(HEARD("user deploy v0"), 0);
    ck_assert_uint_eq(HEARD("user other v0"), 1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(freeing_while_events_wait)
{
    struct serf_pool *pool = coalescing_pool(6);
    struct gossip_node a = node_of("a");

    serf_node_join(pool->nodes[0].serf, &a);
    gossip_serf_user_event(pool->nodes[0].serf, "x", "y", 1, true);
    gossip_serf_user_event(pool->nodes[0].serf, "x", "y", 1, false);
    serf_pool_free(pool);
}
END_TEST

/* Without coalescing: bounded all the same, and in portions. */
START_TEST(flood_of_events_is_bounded)
{
    struct serf_pool *pool = serf_pool_new(7, 1);
    struct serf_pool_node *node = &pool->nodes[0];
    size_t i;

    serf_pool_start(pool, 0);
    serf_pool_run_ms(pool, 100);
    for (i = 0; i < 3000; i++)
        gossip_serf_user_event(node->serf, "e", NULL, 0, false);
    serf_pool_run_ms(pool, 1);
    ck_assert_uint_eq(serf_pool_heard(node, "user e "), 2048);
    ck_assert_uint_eq(gossip_serf_stats(node->serf).events_dropped, 952);
    ck_assert_uint_eq(serf_pool_refused(node, "event-dropped"), 952);
    serf_pool_free(pool);
}
END_TEST

Suite *serf_coalesce_suite(void)
{
    Suite *suite = suite_create("serf-coalesce");
    TCase *tcase = tcase_create("coalesce");

    tcase_add_test(tcase, quiet_period_ends_the_wait);
    tcase_add_test(tcase, full_period_bounds_the_wait);
    tcase_add_test(tcase, flapping_is_not_news);
    tcase_add_test(tcase, update_is_told_once);
    tcase_add_test(tcase, user_events_of_the_newest_time_stay);
    tcase_add_test(tcase, freeing_while_events_wait);
    tcase_add_test(tcase, flood_of_events_is_bounded);
    suite_add_tcase(suite, tcase);
    return suite;
}
