/* The proxy passes bytes on: to whom, in which order, and until when. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gateway/targets.h"
#include "gateway_world.h"
#include "suite.h"

#define S1_NAME "s1.server.dc1.consul"
#define FAR_NAME "any.server.dc2.consul"

static bool got(const struct gw_end *end, const void *data, size_t len)
{
    return base_buf_len(&end->got) == len &&
           memcmp(base_buf_data(&end->got), data, len) == 0;
}

static size_t at(const struct gw_world *world, enum gw_host host)
{
    return world->targets[host].count;
}

START_TEST(the_hello_goes_first_and_bytes_pass_both_ways)
{
    struct gw_world world;
    uint8_t hello[512];
    size_t len = gw_hello(S1_NAME, hello);
    struct gw_end *client, *server;

    gw_open(&world, NULL);
    client = gw_dial_name(&world, S1_NAME);
    gw_end_send(client, "early", 5);
    gw_run_ms(&world, 100);
    ck_assert_uint_eq(at(&world, GW_S1), 1);
    server = &world.targets[GW_S1].ends[0];
    memcpy(hello + len, "early", 5);
    ck_assert(got(server, hello, len + 5));
    gw_end_send(server, "answer", 6);
    gw_run_ms(&world, 100);
    ck_assert(got(client, "answer", 6));
    ck_assert_uint_eq(
        gw_counter(&world, "isthmus.gateway.connections", "sni", S1_NAME), 1);
    ck_assert_uint_eq(
        gw_counter(&world, "isthmus.gateway.route.bytes_in", "route", S1_NAME),
        len + 5);
    ck_assert_uint_eq(
        gw_counter(&world, "isthmus.gateway.route.bytes_out", "route", S1_NAME),
        6);
    gw_close(&world);
}
END_TEST

START_TEST(a_hello_may_come_byte_by_byte)
{
    struct gw_world world;
    uint8_t hello[512];
    size_t len = gw_hello("S1.Server.DC1.Consul", hello);
    struct gw_end *client;
    size_t i;

    gw_open(&world, NULL);
    client = gw_dial(&world);
    for (i = 0; i < len; i++) {
        ck_assert_uint_eq(at(&world, GW_S1), 0);
        gw_end_send(client, hello + i, 1);
        gw_run_ms(&world, 5);
    }
    gw_run_ms(&world, 100);
    ck_assert_uint_eq(at(&world, GW_S1), 1);
    ck_assert(got(&world.targets[GW_S1].ends[0], hello, len));
    gw_close(&world);
}
END_TEST

START_TEST(others_see_only_the_gateways_own_addresses)
{
    struct gw_world world;
    struct base_addr lan = gw_addr("10.0.0.9"), wan = gw_addr("192.0.2.9");
    size_t far;

    gw_open(&world, NULL);
    gw_dial_name(&world, S1_NAME);
    gw_dial_name(&world, FAR_NAME);
    gw_run_ms(&world, 100);
    ck_assert(
        base_addr_ip_equal(&world.targets[GW_S1].ends[0].stream->peer, &lan));
    far = at(&world, GW_G1) == 1 ? GW_G1 : GW_G2;
    ck_assert(
        base_addr_ip_equal(&world.targets[far].ends[0].stream->peer, &wan));
    gw_close(&world);
}
END_TEST

START_TEST(connections_are_spread_evenly)
{
    struct gw_world world;
    int i;

    gw_open(&world, NULL);
    for (i = 0; i < 10; i++) {
        gw_dial_name(&world, "server.dc1.consul");
        gw_dial_name(&world, "server.dc2.consul");
        gw_run_ms(&world, 20);
    }
    ck_assert_uint_eq(at(&world, GW_S1), 5);
    ck_assert_uint_eq(at(&world, GW_S2), 5);
    ck_assert_uint_eq(at(&world, GW_G1), 5);
    ck_assert_uint_eq(at(&world, GW_G2), 5);
    gw_close(&world);
}
END_TEST

START_TEST(a_dead_target_costs_one_dial_and_is_avoided_then)
{
    struct gw_world world;
    int i;

    gw_open(&world, NULL);
    gw_kill(&world, GW_G1);
    for (i = 0; i < 10; i++) {
        gw_dial_name(&world, FAR_NAME);
        gw_run_ms(&world, 20);
    }
    ck_assert_uint_eq(at(&world, GW_G2), 10);
    ck_assert_uint_eq(gw_counter(&world, "isthmus.gateway.dial_failed", "route",
                                 "*.server.dc2.consul"),
                      1);
    ck_assert_uint_eq(gw_refused(&world, "dial_failed"), 0);
    gw_close(&world);
}
END_TEST

START_TEST(a_silent_target_is_left_in_time_for_another)
{
    struct gw_world world;
    int i;

    gw_open(&world, NULL);
    world.cut[GW_G1] = true; /* dials to it hang */
    for (i = 0; i < 4; i++)
        gw_dial_name(&world, FAR_NAME);
    gw_run_ms(&world, 1500); /* the client's own patience is 5 s */
    ck_assert_uint_eq(at(&world, GW_G2), 4);
    gw_close(&world);
}
END_TEST

START_TEST(when_all_targets_are_dead_the_client_is_told)
{
    struct gw_world world;
    struct gw_end *client;

    gw_open(&world, NULL);
    gw_kill(&world, GW_G1);
    gw_kill(&world, GW_G2);
    client = gw_dial_name(&world, FAR_NAME);
    gw_run_ms(&world, 100);
    ck_assert(client->closed);
    ck_assert_uint_eq(gw_refused(&world, "dial_failed"), 1);
    ck_assert_uint_eq(proxy_count(world.proxy), 0);
    gw_close(&world);
}
END_TEST

START_TEST(an_end_is_passed_on_and_the_other_way_goes_on)
{
    struct gw_world world;
    struct gw_end *client, *server;

    gw_open(&world, NULL);
    client = gw_dial_name(&world, S1_NAME);
    base_stream_shutdown(client->stream);
    gw_run_ms(&world, 100);
    server = &world.targets[GW_S1].ends[0];
    ck_assert(server->closed);
    ck_assert_int_eq(server->close_err, 0);
    ck_assert(!client->closed);
    gw_end_send(server, "the rest", 8);
    gw_run_ms(&world, 100);
    ck_assert(got(client, "the rest", 8));
    base_stream_shutdown(server->stream);
    gw_run_ms(&world, 100);
    ck_assert(client->closed);
    ck_assert_int_eq(client->close_err, 0);
    ck_assert_uint_eq(proxy_count(world.proxy), 0);
    ck_assert_uint_eq(
        gw_counter(&world, "isthmus.gateway.ended", "reason", "finished"), 1);
    gw_close(&world);
}
END_TEST

START_TEST(the_last_words_before_a_close_arrive)
{
    struct gw_world world;
    struct gw_end *client, *server;

    gw_open(&world, NULL);
    client = gw_dial_name(&world, S1_NAME);
    gw_run_ms(&world, 100);
    server = &world.targets[GW_S1].ends[0];
    gw_end_send(server, "goodbye", 7);
    base_stream_shutdown(server->stream);
    gw_run_ms(&world, 5);
    gw_end_close(server);
    gw_run_ms(&world, 100);
    ck_assert(got(client, "goodbye", 7));
    ck_assert(client->closed);
    gw_close(&world);
}
END_TEST

START_TEST(a_reset_on_one_side_ends_the_other)
{
    struct gw_world world;
    struct gw_end *client;

    gw_open(&world, NULL);
    client = gw_dial_name(&world, S1_NAME);
    gw_run_ms(&world, 100);
    base_sim_host_crash(world.targets[GW_S1].host);
    gw_kill(&world, GW_S1);
    gw_end_close(&world.targets[GW_S1].ends[0]);
    gw_run_ms(&world, 1000);
    ck_assert(client->closed);
    ck_assert_uint_eq(proxy_count(world.proxy), 0);
    ck_assert_uint_eq(
        gw_counter(&world, "isthmus.gateway.ended", "reason", "broken"), 1);
    gw_close(&world);
}
END_TEST

START_TEST(a_slow_reader_slows_its_writer_and_loses_nothing)
{
    enum { TOTAL = 4 * 1024 * 1024 };
    struct gw_world world;
    uint8_t *data = base_alloc(TOTAL);
    struct gw_end *client, *server;
    size_t hello_len, i;
    uint8_t hello[512];

    for (i = 0; i < TOTAL; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    gw_open(&world, NULL);
    world.targets[GW_S1].deaf = true;
    client = gw_dial_name(&world, S1_NAME);
    gw_end_send(client, data, TOTAL);
    gw_run_ms(&world, 2000);
    /* What is on its way is bounded: buffers at the gateway and on the two
     * links, not the whole of it. */
    ck_assert_uint_gt(base_stream_pending(client->stream), TOTAL / 2);
    ck_assert_uint_lt(
        gw_counter(&world, "isthmus.gateway.route.bytes_in", "route", S1_NAME),
        TOTAL / 2);
    server = &world.targets[GW_S1].ends[0];
    gw_end_listen(server);
    gw_run_ms(&world, 5000);
    hello_len = gw_hello(S1_NAME, hello);
    ck_assert_uint_eq(base_buf_len(&server->got), hello_len + TOTAL);
    ck_assert(memcmp(base_buf_data(&server->got) + hello_len, data, TOTAL) ==
              0);
    base_free(data);
    gw_close(&world);
}
END_TEST

START_TEST(routes_change_under_living_connections)
{
    struct gw_world world;
    struct gw_end *client, *server;

    gw_open(&world, NULL);
    client = gw_dial_name(&world, S1_NAME);
    gw_run_ms(&world, 100);
    server = &world.targets[GW_S1].ends[0];
    proxy_set_routes(world.proxy, gw_routes_one(&world, GW_S3));
    gw_end_send(client, "still", 5);
    gw_end_send(server, "here", 4);
    gw_dial_name(&world, "server.dc1.consul");
    gw_dial_name(&world, S1_NAME);
    gw_run_ms(&world, 100);
    ck_assert(got(client, "here", 4));
    ck_assert(!client->closed && !server->closed);
    ck_assert_uint_eq(at(&world, GW_S1), 1);
    ck_assert_uint_eq(at(&world, GW_S3), 1);
    ck_assert_uint_eq(gw_refused(&world, "no_route"), 1);
    gw_close(&world);
}
END_TEST

START_TEST(a_route_that_changes_while_it_is_dialled_is_looked_up_again)
{
    struct gw_world world;

    gw_open(&world, NULL);
    proxy_set_routes(world.proxy, gw_routes_one(&world, GW_S1));
    world.cut[GW_S1] = true;
    gw_dial_name(&world, "server.dc1.consul");
    gw_run_ms(&world, 1000); /* hangs in a dial */
    proxy_set_routes(world.proxy, gw_routes_one(&world, GW_S3));
    gw_run_ms(&world, 6000);
    ck_assert_uint_eq(at(&world, GW_S3), 1);
    gw_close(&world);
}
END_TEST

START_TEST(what_moves_no_byte_is_closed)
{
    struct proxy_config config = {.idle_ms = 10000, .half_idle_ms = 2000};
    struct gw_world world;
    struct gw_end *idle, *busy, *half;
    int i;

    gw_open(&world, &config);
    idle = gw_dial_name(&world, S1_NAME);
    busy = gw_dial_name(&world, S1_NAME);
    half = gw_dial_name(&world, S1_NAME);
    gw_run_ms(&world, 100);
    base_stream_shutdown(half->stream);
    for (i = 0; i < 12; i++) {
        gw_end_send(busy, "tick", 4);
        gw_run_ms(&world, 1000);
        ck_assert(half->closed == (i >= 2));
    }
    ck_assert(idle->closed);
    ck_assert(!busy->closed);
    ck_assert_uint_eq(
        gw_counter(&world, "isthmus.gateway.ended", "reason", "idle"), 2);
    gw_close(&world);
}
END_TEST

START_TEST(a_target_that_never_answers_is_left)
{
    struct proxy_config config = {.answer_ms = 3000};
    struct gw_world world;
    struct gw_end *answered, *silent;

    gw_open(&world, &config);
    answered = gw_dial_name(&world, S1_NAME);
    gw_run_ms(&world, 100);
    gw_end_send(&world.targets[GW_S1].ends[0], "word", 4);
    silent = gw_dial_name(&world, S1_NAME);
    gw_run_ms(&world, 2000);
    gw_end_send(silent, "a client's words do not help", 28);
    gw_run_ms(&world, 1200);
    ck_assert(silent->closed);
    ck_assert(!answered->closed);
    ck_assert_uint_eq(
        gw_counter(&world, "isthmus.gateway.ended", "reason", "silent"), 1);
    gw_close(&world);
}
END_TEST

START_TEST(targets_that_hang_up_without_a_word_are_passed_over)
{
    struct gw_world world;
    struct gw_end *client;
    size_t i;

    gw_open(&world, NULL);
    for (i = 0; i < 20; i++) {
        client = gw_dial_name(&world, FAR_NAME);
        gw_run_ms(&world, 20);
        if (at(&world, GW_G1) > 0 &&
            world.targets[GW_G1].ends[at(&world, GW_G1) - 1].stream != NULL)
            gw_end_close(&world.targets[GW_G1].ends[at(&world, GW_G1) - 1]);
        else
            gw_end_send(
                &world.targets[GW_G2].ends[at(&world, GW_G2) - 1], "word", 4);
        gw_run_ms(&world, 20);
        gw_end_close(client);
        gw_run_ms(&world, 20);
    }
    ck_assert_uint_eq(at(&world, GW_G1), TARGETS_SILENT_MAX);
    gw_close(&world);
}
END_TEST

static void note_drained(void *arg)
{
    (*(int *)arg)++;
}

START_TEST(a_drain_waits_for_what_stands)
{
    struct gw_world world;
    struct gw_end *client, *late;
    int drained = 0;

    gw_open(&world, NULL);
    client = gw_dial_name(&world, S1_NAME);
    late = gw_dial(&world); /* its hello comes during the drain */
    gw_run_ms(&world, 100);
    proxy_drain(world.proxy, false, note_drained, &drained);
    gw_end_send(client, "still", 5);
    gw_end_send(&world.targets[GW_S1].ends[0], "here", 4);
    gw_run_ms(&world, 2000);
    ck_assert(got(client, "here", 4));
    ck_assert_int_eq(drained, 0);
    gw_end_close(client);
    gw_end_close(&world.targets[GW_S1].ends[0]);
    gw_run_ms(&world, 100);
    ck_assert_int_eq(drained, 0);
    gw_end_close(late);
    gw_run_ms(&world, 100);
    ck_assert_int_eq(drained, 1);
    gw_close(&world);
}
END_TEST

START_TEST(a_drain_can_be_cut_short)
{
    struct gw_world world;
    struct gw_end *joined, *waiting, *dialling;
    int drained = 0;

    gw_open(&world, NULL);
    joined = gw_dial_name(&world, S1_NAME);
    waiting = gw_dial(&world);
    world.cut[GW_G1] = world.cut[GW_G2] = true;
    dialling = gw_dial_name(&world, FAR_NAME);
    gw_run_ms(&world, 100);
    proxy_drain(world.proxy, false, note_drained, &drained);
    proxy_end(world.proxy);
    gw_run_ms(&world, 100);
    ck_assert_int_eq(drained, 1);
    ck_assert(joined->closed && waiting->closed && dialling->closed);
    ck_assert_uint_eq(gw_refused(&world, "drained"), 2);
    ck_assert_uint_eq(
        gw_counter(&world, "isthmus.gateway.ended", "reason", "drained"), 1);
    gw_close(&world);
}
END_TEST

START_TEST(the_proxy_can_go_at_any_moment)
{
    struct gw_world world;
    int i;

    gw_open(&world, NULL);
    gw_dial(&world); /* waits for a hello */
    world.cut[GW_G1] = world.cut[GW_G2] = true;
    for (i = 0; i < 3; i++)
        gw_dial_name(&world, FAR_NAME); /* dials */
    gw_dial_name(&world, S1_NAME);      /* joined */
    gw_run_ms(&world, 100);
    ck_assert_uint_eq(proxy_count(world.proxy), 5);
    gw_close(&world);
}
END_TEST

Suite *gateway_proxy_suite(void)
{
    Suite *suite = suite_create("gateway_proxy");
    TCase *tcase = tcase_create("proxy");

    tcase_add_test(tcase, the_hello_goes_first_and_bytes_pass_both_ways);
    tcase_add_test(tcase, a_hello_may_come_byte_by_byte);
    tcase_add_test(tcase, others_see_only_the_gateways_own_addresses);
    tcase_add_test(tcase, connections_are_spread_evenly);
    tcase_add_test(tcase, a_dead_target_costs_one_dial_and_is_avoided_then);
    tcase_add_test(tcase, a_silent_target_is_left_in_time_for_another);
    tcase_add_test(tcase, when_all_targets_are_dead_the_client_is_told);
    tcase_add_test(tcase, an_end_is_passed_on_and_the_other_way_goes_on);
    tcase_add_test(tcase, the_last_words_before_a_close_arrive);
    tcase_add_test(tcase, a_reset_on_one_side_ends_the_other);
    tcase_add_test(tcase, a_slow_reader_slows_its_writer_and_loses_nothing);
    tcase_add_test(tcase, routes_change_under_living_connections);
    tcase_add_test(tcase,
                   a_route_that_changes_while_it_is_dialled_is_looked_up_again);
    tcase_add_test(tcase, what_moves_no_byte_is_closed);
    tcase_add_test(tcase, a_target_that_never_answers_is_left);
    tcase_add_test(tcase, targets_that_hang_up_without_a_word_are_passed_over);
    tcase_add_test(tcase, a_drain_waits_for_what_stands);
    tcase_add_test(tcase, a_drain_can_be_cut_short);
    tcase_add_test(tcase, the_proxy_can_go_at_any_moment);
    suite_add_tcase(suite, tcase);
    return suite;
}
