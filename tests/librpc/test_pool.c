/* The connections behind calls: when they close, which are shared, and which way
 * they go. */
#include <stdio.h>
#include <string.h>

#include "bed.h"
#include "proxy.h"

Suite *pool_suite(void);

START_TEST(an_idle_connection_closes_and_the_next_call_dials_again)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .pool.idle_timeout_ms = 200});
    struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);

    ck_assert_int_eq(bed_await(bed, asked), 0);
    asked_free(asked);
    world_pass_ms(bed->world, 400);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, 2);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(a_server_that_closes_idle_ones_loses_no_call)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .server.idle_timeout_ms = 100});
    unsigned round;

    /* Calls at about the time that the server says goodbye. */
    for (round = 0; round < 12; round++) {
        struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);

        ck_assert_int_eq(bed_await(bed, asked), 0);
        asked_free(asked);
        world_pass_ms(bed->world, 94 + round);
    }
    ck_assert_uint_gt(bed->accepted, 1);
    bed_free(bed);
}
END_TEST

START_TEST(a_connection_with_a_call_under_way_is_not_idle)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = SIM, .pool.idle_timeout_ms = 1000,
        .server.idle_timeout_ms = 1000});
    struct asked *asked = bed_ask(bed, "Test.Hold", "x", 1, 600000);

    bed_await_held(bed, 1);
    world_pass_ms(bed->world, 300000);
    ck_assert(!asked->done);
    rpc_call_reply(bed_take_held(bed), "ok", 2);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, 1);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

static void cut(void *arg, const struct base_sim_host *from,
                const struct base_sim_host *to, struct base_sim_link *link)
{
    (void)from;
    (void)to;
    link->up = !*(bool *)arg;
}

START_TEST(a_peer_that_falls_silent_ends_the_call)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = SIM});
    bool is_cut = false;
    struct asked *asked;

    base_sim_set_link(bed->world->sim, cut, &is_cut);
    asked = bed_ask(bed, "Test.Hold", "x", 1, 600000);
    bed_await_held(bed, 1);
    is_cut = true;
    world_pass_ms(bed->world, 61000);
    ck_assert(asked->done);
    ck_assert_int_eq(asked->status, RPC_ECLOSED);
    bed_await_cancelled(bed, 1);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

/* By a gateway that lost power, say: the call is not sent there. */
START_TEST(a_connection_that_died_silently_is_not_used)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = SIM});
    struct proxy *proxy = proxy_new(bed->world);
    struct asked *asked;
    uint64_t began_ms;

    proxy_route(proxy, NULL, &bed->addr);
    bed->target.addr = proxy->addr;
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    asked_free(asked);
    /* One that lives is used again, however long it was silent. */
    world_pass_ms(bed->world, 60000);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    asked_free(asked);
    ck_assert_uint_eq(proxy->connections, 1);
    world_pass_ms(bed->world, 11000);
    proxy_freeze(proxy);
    began_ms = base_env_now_ms(bed->world->client.env);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_lt(base_env_now_ms(bed->world->client.env) - began_ms,
                      2100);
    ck_assert_uint_eq(proxy->connections, 2);
    asked_free(asked);
    proxy_free(proxy);
    bed_free(bed);
}
END_TEST

START_TEST(a_connection_forgotten_while_it_is_asked_loses_no_call)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = SIM});
    struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);

    ck_assert_int_eq(bed_await(bed, asked), 0);
    asked_free(asked);
    world_pass_ms(bed->world, 11000);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    rpc_pool_forget(bed->pool, "dc1", "s1");
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, 2);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

/* Asks again at once for as long; how often it was dialled. */
static unsigned dials_within(struct bed *bed, const unsigned *dialled,
                             uint32_t ms)
{
    uint64_t end_ms = base_env_now_ms(bed->world->client.env) + ms;
    unsigned before = *dialled;

    while (base_env_now_ms(bed->world->client.env) < end_ms) {
        struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);

        ck_assert_int_lt(bed_await(bed, asked), 0);
        asked_free(asked);
        world_pass_ms(bed->world, 1);
    }
    return *dialled - before;
}

static void hang_up(void *arg, struct base_stream *stream)
{
    ++*(unsigned *)arg;
    base_stream_close(stream);
}

START_TEST(a_server_that_cannot_be_dialled_is_left_alone_for_a_while)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = SIM});
    struct world *world = bed->world;
    struct base_listener *listener;
    struct asked *asked;
    struct base_addr good = bed->addr;
    unsigned dialled = 0;

    ck_assert_int_eq(base_net_listen(world->gateway.net, &world->gateway.addr,
                                     hang_up, &dialled, &listener),
                     0);
    base_net_listener_addr(world->gateway.net, listener, &bed->target.addr);
    /* At once, again at once, after 100 ms, 200, 400, 800. */
    ck_assert_uint_ge(dials_within(bed, &dialled, 1600), 4);
    ck_assert_uint_le(dialled, 6);
    /* Then one a second, and no less. */
    ck_assert_uint_ge(dials_within(bed, &dialled, 10000), 8);
    ck_assert_uint_le(dialled, 17);
    /* Others are not concerned. */
    bed->target.addr = good;
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    asked_free(asked);
    base_net_listener_close(world->gateway.net, listener);
    bed_free(bed);
}
END_TEST

START_TEST(servers_behind_one_address_do_not_share_a_connection)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    struct asked *other;

    bed->target.node = "s2";
    other = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_int_eq(bed_await(bed, other), 0);
    ck_assert_uint_eq(bed->accepted, 2);
    asked_free(asked);
    asked_free(other);
    bed_free(bed);
}
END_TEST

START_TEST(forgetting_a_server_drops_its_idle_connection)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);

    ck_assert_int_eq(bed_await(bed, asked), 0);
    asked_free(asked);
    rpc_pool_forget(bed->pool, "dc1", "s1");
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, 2);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

static bool is_way(void *arg, const char *dc, const struct base_addr *to)
{
    const struct bed *bed = arg;

    ck_assert_str_eq(dc, "dc1");
    ck_assert(base_addr_equal(to, &bed->addr));
    return false;
}

static bool is_any_way(void *arg, const char *dc, const struct base_addr *to)
{
    (void)arg;
    (void)dc;
    (void)to;
    return true;
}

START_TEST(calls_go_a_new_way_while_old_ones_end_on_theirs)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *held = bed_ask(bed, "Test.Hold", "h", 1, 5000);
    struct asked *asked;

    bed_await_held(bed, 1);
    rpc_pool_renew(bed->pool, is_any_way, NULL);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, 1);
    asked_free(asked);

    rpc_pool_renew(bed->pool, is_way, bed);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, 2);
    asked_free(asked);
    rpc_call_reply(bed_take_held(bed), "late", 4);
    ck_assert_int_eq(bed_await(bed, held), 0);
    asked_free(held);
    bed_free(bed);
}
END_TEST

/* A connection that leaves takes no new call: nothing is left to wait for. */
START_TEST(calls_fail_when_the_new_way_is_none)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *held = bed_ask(bed, "Test.Hold", "h", 1, 60000);
    struct asked *asked;

    bed_await_held(bed, 1);
    rpc_pool_renew(bed->pool, is_way, bed);
    rpc_listener_free(bed->listener);
    bed->listener = NULL;
    asked = bed_ask(bed, "Test.Echo", "x", 1, 60000);
    ck_assert_int_lt(bed_await(bed, asked), 0);
    ck_assert_int_ne(asked->status, RPC_EDEADLINE);
    ck_assert(!held->done);
    asked_free(asked);
    rpc_call_reply(bed_take_held(bed), "late", 4);
    ck_assert_int_eq(bed_await(bed, held), 0);
    asked_free(held);
    bed_free(bed);
}
END_TEST

START_TEST(ways_that_change_often_leave_room_for_calls)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *held[12];
    struct asked *asked;
    unsigned i;

    for (i = 0; i < BASE_COUNT_OF(held); i++) {
        held[i] = bed_ask(bed, "Test.Hold", "h", 1, 5000);
        bed_await_held(bed, i + 1);
        rpc_pool_renew(bed->pool, is_way, bed);
    }
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, BASE_COUNT_OF(held) + 1);
    asked_free(asked);
    for (i = 0; i < BASE_COUNT_OF(held); i++)
        rpc_call_reply(bed_take_held(bed), "late", 4);
    for (i = 0; i < BASE_COUNT_OF(held); i++) {
        ck_assert_int_eq(bed_await(bed, held[i]), 0);
        asked_free(held[i]);
    }
    bed_free(bed);
}
END_TEST

START_TEST(a_server_nobody_uses_any_more_is_forgotten_and_found_again)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .pool.idle_timeout_ms = 50});
    const char *nodes[] = {"s1", "s2", "s1"};
    unsigned i;

    for (i = 0; i < 3; i++) {
        struct asked *asked;

        bed->target.node = nodes[i];
        asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
        ck_assert_int_eq(bed_await(bed, asked), 0);
        asked_free(asked);
        world_pass_ms(bed->world, 150);
    }
    ck_assert_uint_eq(bed->accepted, 3);
    bed_free(bed);
}
END_TEST

START_TEST(calls_beyond_the_queue_are_busy)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked[1025];
    unsigned i;

    for (i = 0; i < 1025; i++)
        asked[i] = bed_ask(bed, "Test.Echo", "x", 1, 20000);
    ck_assert_int_eq(bed_await(bed, asked[1024]), RPC_EBUSY);
    for (i = 0; i < 1025; i++) {
        ck_assert_int_eq(bed_await(bed, asked[i]),
                         i == 1024 ? RPC_EBUSY : 0);
        asked_free(asked[i]);
    }
    bed_free(bed);
}
END_TEST

START_TEST(a_target_that_cannot_be_dialled_fails_the_call)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked;

    bed->target.addr = (struct base_addr){0};
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), RPC_EINVAL);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

static void add_both(TCase *tcase, const TTest *test)
{
    tcase_add_loop_test(tcase, test, 0, WORLD_KINDS);
}

Suite *pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("pool");

    tcase_set_timeout(tcase, 60);
    add_both(tcase, an_idle_connection_closes_and_the_next_call_dials_again);
    add_both(tcase, a_server_that_closes_idle_ones_loses_no_call);
    tcase_add_test(tcase, a_connection_with_a_call_under_way_is_not_idle);
    tcase_add_test(tcase, a_peer_that_falls_silent_ends_the_call);
    tcase_add_test(tcase, a_connection_that_died_silently_is_not_used);
    tcase_add_test(tcase,
                   a_connection_forgotten_while_it_is_asked_loses_no_call);
    tcase_add_test(tcase,
                   a_server_that_cannot_be_dialled_is_left_alone_for_a_while);
    add_both(tcase, servers_behind_one_address_do_not_share_a_connection);
    add_both(tcase, forgetting_a_server_drops_its_idle_connection);
    add_both(tcase, calls_go_a_new_way_while_old_ones_end_on_theirs);
    add_both(tcase, calls_fail_when_the_new_way_is_none);
    add_both(tcase, ways_that_change_often_leave_room_for_calls);
    add_both(tcase, a_server_nobody_uses_any_more_is_forgotten_and_found_again);
    add_both(tcase, calls_beyond_the_queue_are_busy);
    add_both(tcase, a_target_that_cannot_be_dialled_fails_the_call);
    suite_add_tcase(suite, tcase);
    return suite;
}
