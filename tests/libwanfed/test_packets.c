/*
 * Packets out: one connection a peer, whole queues in one write, failures told
 * by the next packets, slow and dead peers alone with their trouble.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "fed.h"

#define DROPPED "isthmus.wanfed.packets.dropped"
#define DIALS "isthmus.wanfed.dials"

static struct fed fed;
static struct fed_gateway *gateway;
static struct fed_server *a, *b, *c;

static void open_with(const struct wanfed_config *limits)
{
    fed_open(&fed);
    gateway = fed_add_gateway(&fed, "192.0.2.1");
    a = fed_add_server(&fed, "a.dc1", "10.1.0.1", gateway, 0, limits);
    b = fed_add_server(&fed, "b.dc2", "10.2.0.1", gateway, 0, NULL);
    c = fed_add_server(&fed, "c.dc2", "10.2.0.2", gateway, 0, NULL);
}

static void setup(void)
{
    open_with(NULL);
}
static void teardown(void)
{
    fed_close(&fed);
}

static void expect_sunk(struct fed_server *server, const char *want)
{
    char *got = fed_sunk(server);

    ck_assert_str_eq(got, want);
    base_free(got);
}

START_TEST(packets_arrive_in_order_on_one_connection)
{
    ck_assert_int_eq(fed_send(a, "b.dc2", "one"), 0);
    ck_assert_int_eq(fed_send(a, "B.DC2", "two"), 0); /* no case */
    ck_assert_uint_eq(gateway->accepted, 0); /* nothing happens inside */
    fed_run_ms(&fed, 200);
    ck_assert_int_eq(fed_send(a, "b.dc2", "three"), 0);
    ck_assert_int_eq(fed_send(a, "b.dc2", "four"), 0);
    fed_run_ms(&fed, 200);
    expect_sunk(b, "one|two|three|four");
    ck_assert_uint_eq(b->sinks, 1);
    ck_assert_uint_eq(gateway->accepted, 1);
    ck_assert_uint_eq(
        fed_counter(a, "isthmus.wanfed.packets.sent", NULL, NULL), 4);
}
END_TEST

START_TEST(what_waits_together_leaves_in_one_write)
{
    uint64_t writes;
    int i;

    fed_send(a, "b.dc2", "first");
    fed_run_ms(&fed, 200);
    writes = base_sim_stats(fed.sim).stream_writes;
    for (i = 0; i < 100; i++)
        fed_send(a, "b.dc2", "x");
    fed_run_ms(&fed, 200);
    /* One to the gateway and one on from there. */
    ck_assert_uint_le(base_sim_stats(fed.sim).stream_writes - writes, 2);
    ck_assert_uint_eq(
        fed_counter(a, "isthmus.wanfed.packets.sent", NULL, NULL), 101);
}
END_TEST

START_TEST(every_peer_has_a_connection_of_its_own)
{
    fed_send(a, "b.dc2", "to b");
    fed_send(a, "c.dc2", "to c");
    fed_run_ms(&fed, 200);
    expect_sunk(b, "to b");
    expect_sunk(c, "to c");
    ck_assert_uint_eq(gateway->accepted, 2);
}
END_TEST

START_TEST(the_placeholder_reaches_any_server)
{
    ck_assert_int_eq(fed_send(a, "*.dc2", "hello"), 0);
    fed_run_ms(&fed, 200);
    expect_sunk(b, "hello");
}
END_TEST

static const struct {
    const char *name;
} bad_names[] = {{""}, {"b"}, {"b.dc2.x"}, {".dc2"}, {"b."}};

START_TEST(a_name_without_two_labels_is_an_error)
{
    ck_assert_int_eq(fed_send(a, bad_names[_i].name, "x"), GOSSIP_ENAME);
    ck_assert_uint_eq(fed_counter(a, DROPPED, "reason", "name"), 1);
}
END_TEST

START_TEST(oversized_packets_are_refused)
{
    char *big = base_alloc(1024 * 1024 + 1);

    memset(big, 'x', 1024 * 1024);
    big[1024 * 1024] = '\0';
    ck_assert_int_eq(fed_send(a, "b.dc2", big), GOSSIP_ETOOBIG);
    ck_assert_int_eq(fed_send(a, "b.dc2", ""), GOSSIP_ETOOBIG);
    ck_assert_uint_eq(fed_counter(a, DROPPED, "reason", "size"), 2);
    big[1024 * 1024 - 4] = '\0';
    ck_assert_int_eq(fed_send(a, "b.dc2", big), 0);
    base_free(big);
}
END_TEST

START_TEST(an_idle_connection_closes_after_two_minutes)
{
    fed_send(a, "b.dc2", "one");
    fed_run_ms(&fed, 119000);
    ck_assert(!b->sink_closed);
    fed_send(a, "b.dc2", "two");
    fed_run_ms(&fed, 119000);
    ck_assert(!b->sink_closed);
    fed_run_ms(&fed, 3000);
    ck_assert(b->sink_closed);
    fed_send(a, "b.dc2", "three");
    fed_run_ms(&fed, 200);
    expect_sunk(b, "one|two|three");
    ck_assert_uint_eq(b->sinks, 2);
}
END_TEST

/* F11: an end is noticed when it comes, and the connection never used again. */
START_TEST(a_half_closed_connection_is_never_reused)
{
    fed_send(a, "b.dc2", "one");
    fed_run_ms(&fed, 5000);
    base_stream_shutdown(b->sink); /* it would still read */
    fed_run_ms(&fed, 200);
    ck_assert_int_eq(fed_send(a, "b.dc2", "two"), 0);
    fed_run_ms(&fed, 200);
    ck_assert_uint_eq(b->sinks, 2);
    expect_sunk(b, "one|two");
    ck_assert_uint_eq(fed_counter(a, DROPPED, "reason", "down"), 0);
}
END_TEST

START_TEST(an_end_after_a_good_while_is_no_failure)
{
    fed_send(a, "b.dc2", "one");
    fed_run_ms(&fed, 5000);
    fed_gateway_cut(gateway);
    fed_run_ms(&fed, 200);
    ck_assert_int_eq(fed_send(a, "b.dc2", "two"), 0); /* dials anew at once */
    fed_run_ms(&fed, 200);
    expect_sunk(b, "one|two");
}
END_TEST

START_TEST(a_peer_that_talks_back_is_hung_up_on)
{
    fed_send(a, "b.dc2", "one");
    fed_run_ms(&fed, 5000);
    base_stream_write(b->sink, "hey", 3);
    fed_run_ms(&fed, 200);
    ck_assert_int_eq(fed_send(a, "b.dc2", "two"), GOSSIP_EROUTE);
    ck_assert(b->sink_closed);
}
END_TEST

/* F13: how a gateway can fail, and when the sender has to know. */
static const struct {
    const char *what;
    enum { CRASHED, MODE, NO_GATEWAY, NO_SUCH_NAME } how;
    enum fed_gateway_mode mode;
    uint64_t known_ms;
} failures[] = {
    {"the gateway is gone", CRASHED, FED_ROUTES, 10100},
    {"the gateway resets", MODE, FED_RESETS, 100},
    {"the gateway says nothing", MODE, FED_HOLDS, 10100},
    {"no gateway is known", NO_GATEWAY, FED_ROUTES, 0},
    {"the gateway knows no such server", NO_SUCH_NAME, FED_ROUTES, 100},
};

START_TEST(a_failed_way_is_told_by_the_next_packets)
{
    const char *to = failures[_i].how == NO_SUCH_NAME ? "ghost.dc2" : "b.dc2";
    int first;
    int i;

    if (failures[_i].how == CRASHED)
        fed_gateway_crash(gateway);
    if (failures[_i].how == NO_GATEWAY)
        a->gateway = NULL;
    gateway->mode = failures[_i].mode;
    first = fed_send(a, to, "lost");
    ck_assert_int_eq(first, failures[_i].known_ms > 0 ? 0 : GOSSIP_EROUTE);
    fed_run_ms(&fed, failures[_i].known_ms);
    for (i = 0; i < 30; i++) { /* and as long as it lasts */
        ck_assert_msg(fed_send(a, to, "refused") == GOSSIP_EROUTE, "%s, %d",
                      failures[_i].what, i);
        fed_run_ms(&fed, 1000);
    }
    ck_assert_uint_ge(fed_counter(a, DIALS, "outcome", "failed"), 2);
    ck_assert_uint_le(fed_counter(a, DIALS, "outcome", "failed"), 12);
    expect_sunk(b, "");
}
END_TEST

START_TEST(a_way_that_comes_back_is_found)
{
    int i;

    gateway->mode = FED_RESETS;
    fed_send(a, "b.dc2", "lost");
    for (i = 0; i < 60; i++) {
        fed_run_ms(&fed, 1000);
        ck_assert_int_eq(fed_send(a, "b.dc2", "refused"), GOSSIP_EROUTE);
    }
    gateway->mode = FED_ROUTES;
    fed_run_ms(&fed, 8200);
    ck_assert_int_eq(fed_send(a, "b.dc2", "back"), 0);
    fed_run_ms(&fed, 200);
    expect_sunk(b, "back");
}
END_TEST

START_TEST(a_retry_finds_it_at_once)
{
    int i;

    a->gateway = NULL;
    for (i = 0; i < 60; i++) {
        fed_send(a, "b.dc2", "refused");
        fed_run_ms(&fed, 1000);
    }
    a->gateway = gateway;
    wanfed_transport_retry(a->wan);
    fed_run_ms(&fed, 100);
    ck_assert_int_eq(fed_send(a, "b.dc2", "back"), 0);
    fed_run_ms(&fed, 200);
    expect_sunk(b, "back");
}
END_TEST

static bool is_no_way(void *arg, const char *dc,
                      const struct base_addr *through)
{
    unsigned *asked = arg;

    ck_assert_str_eq(dc, "dc2");
    ck_assert(base_addr_equal(through, &gateway->addr));
    (*asked)++;
    return false;
}

START_TEST(a_gateway_that_is_a_way_no_more_is_left)
{
    unsigned asked = 0;

    fed_send(a, "b.dc2", "one");
    fed_run_ms(&fed, 5000);
    expect_sunk(b, "one");
    ck_assert_uint_eq(gateway->accepted, 1);
    wanfed_transport_renew(a->wan, is_no_way, &asked);
    ck_assert_uint_eq(asked, 1);
    ck_assert_int_eq(fed_send(a, "b.dc2", "two"), 0);
    fed_run_ms(&fed, 200);
    expect_sunk(b, "two");
    ck_assert_uint_eq(gateway->accepted, 2);
}
END_TEST

START_TEST(without_interest_nobody_dials)
{
    unsigned accepted;

    gateway->mode = FED_RESETS;
    fed_send(a, "b.dc2", "lost");
    fed_run_ms(&fed, 60000);
    accepted = gateway->accepted;
    fed_run_ms(&fed, 600000);
    ck_assert_uint_eq(gateway->accepted, accepted);
    gateway->mode = FED_ROUTES;
    ck_assert_int_eq(fed_send(a, "b.dc2", "anew"), 0);
    fed_run_ms(&fed, 200);
    expect_sunk(b, "anew");
}
END_TEST

START_TEST(an_early_end_is_a_failure)
{
    fed_send(a, "b.dc2", "one");
    fed_run_ms(&fed, 100);
    ck_assert_uint_eq(b->sinks, 1);
    fed_gateway_cut(gateway);
    fed_run_ms(&fed, 100);
    ck_assert_int_eq(fed_send(a, "b.dc2", "two"), GOSSIP_EROUTE);
    ck_assert_uint_eq(
        fed_counter(a, "isthmus.wanfed.connections.closed_early", NULL, NULL),
        1);
    fed_run_ms(&fed, 1000);
    ck_assert_int_eq(fed_send(a, "b.dc2", "three"), 0);
    fed_run_ms(&fed, 100);
    expect_sunk(b, "one|three");
}
END_TEST

/* F9: one peer's trouble is its own. */
START_TEST(a_slow_peer_delays_nobody)
{
    struct fed_gateway *other = fed_add_gateway(&fed, "192.0.2.2");
    char text[8193];
    int i;

    memset(text, 's', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    fed_send(a, "b.dc2", "open");
    fed_run_ms(&fed, 3000);
    gateway->mode = FED_STALLS;
    a->gateway = other;
    for (i = 0; i < 1000; i++) {
        ck_assert_int_eq(fed_send(a, "b.dc2", text), 0);
        if (i % 100 == 0) {
            ck_assert_int_eq(fed_send(a, "c.dc2", "quick"), 0);
            fed_run_ms(&fed, 100);
            expect_sunk(c, "quick");
        }
    }
    ck_assert_uint_gt(fed_counter(a, DROPPED, "reason", "queue"), 500);
}
END_TEST

START_TEST(while_dialling_the_oldest_go)
{
    const struct wanfed_config limits = {.queue_packets_max = 3};
    int i;

    fed_close(&fed);
    open_with(&limits);
    for (i = 0; i < 10; i++) {
        char text[16];

        snprintf(text, sizeof(text), "p%d", i);
        ck_assert_int_eq(fed_send(a, "b.dc2", text), 0);
    }
    fed_run_ms(&fed, 200);
    expect_sunk(b, "p7|p8|p9");
    ck_assert_uint_eq(fed_counter(a, DROPPED, "reason", "queue"), 7);
}
END_TEST

START_TEST(peers_are_bounded)
{
    const struct wanfed_config limits = {.peers_max = 2};

    fed_close(&fed);
    open_with(&limits);
    ck_assert_int_eq(fed_send(a, "b.dc2", "x"), 0);
    ck_assert_int_eq(fed_send(a, "c.dc2", "x"), 0);
    ck_assert_int_eq(fed_send(a, "d.dc2", "x"), BASE_EFULL);
    ck_assert_uint_eq(fed_counter(a, DROPPED, "reason", "peers"), 1);
    /* Those that hold nothing make room. */
    fed_run_ms(&fed, 5000);
    fed_gateway_cut(gateway);
    fed_run_ms(&fed, 100);
    ck_assert_int_eq(fed_send(a, "d.dc2", "x"), 0);
}
END_TEST

START_TEST(queues_together_are_bounded)
{
    char *big = base_alloc(1000001);
    char name[32];
    int i;
    int refused = 0;

    memset(big, 'x', 1000000);
    big[1000000] = '\0';
    gateway->mode = FED_HOLDS;
    for (i = 0; i < 80; i++) {
        snprintf(name, sizeof(name), "n%d.dc2", i);
        refused += fed_send(a, name, big) == BASE_EFULL;
    }
    ck_assert_int_eq(refused, 13); /* 67 of a million fit in 64 MiB */
    ck_assert_int_eq(fed_send(a, "n1.dc2", big), 0); /* its own old one goes */
    base_free(big);
}
END_TEST

/* What waits when a dial fails, and what comes while it is known to fail. */
START_TEST(packets_that_meet_no_way_are_counted)
{
    gateway->mode = FED_RESETS;
    ck_assert_int_eq(fed_send(a, "b.dc2", "one"), 0);
    ck_assert_int_eq(fed_send(a, "b.dc2", "two"), 0);
    fed_run_ms(&fed, 100);
    ck_assert_uint_eq(fed_counter(a, DROPPED, "reason", "failed"), 2);
    ck_assert_int_eq(fed_send(a, "b.dc2", "three"), GOSSIP_EROUTE);
    ck_assert_uint_eq(fed_counter(a, DROPPED, "reason", "down"), 1);
    ck_assert_uint_eq(
        fed_counter(a, "isthmus.wanfed.packets.sent", NULL, NULL), 0);
}
END_TEST

START_TEST(a_warmed_connection_waits_for_the_first_packet)
{
    wanfed_transport_warm(a->wan, "b.dc2");
    wanfed_transport_warm(a->wan, "B.DC2"); /* the same */
    wanfed_transport_warm(a->wan, "a.dc1"); /* ours: by UDP */
    wanfed_transport_warm(a->wan, "odd");
    ck_assert_uint_eq(gateway->accepted, 0); /* nothing happens inside */
    fed_run_ms(&fed, 1200);
    ck_assert_uint_eq(b->sinks, 1);
    fed_send(a, "b.dc2", "one");
    fed_run_ms(&fed, 50);
    expect_sunk(b, "one");
    ck_assert_uint_eq(gateway->accepted, 1);
    fed_run_ms(&fed, 122000); /* idle like any other */
    ck_assert(b->sink_closed);
    fed_run_ms(&fed, 10000);
    ck_assert_uint_eq(gateway->accepted, 1);
}
END_TEST

START_TEST(what_cannot_be_warmed_is_let_be)
{
    gateway->mode = FED_RESETS;
    wanfed_transport_warm(a->wan, "b.dc2");
    fed_run_ms(&fed, 600000);
    ck_assert_uint_ge(gateway->accepted, 1);
    ck_assert_uint_le(gateway->accepted, 12);
}
END_TEST

START_TEST(it_can_be_freed_in_any_state)
{
    uint64_t ms;

    for (ms = 0; ms < 40; ms += 2) {
        fed_close(&fed);
        open_with(NULL);
        fed_send(a, "b.dc2", "x");
        fed_send(a, "ghost.dc2", "x");
        fed_run_ms(&fed, ms);
    }
}
END_TEST

Suite *packets_suite(void)
{
    Suite *suite = suite_create("packets");
    TCase *tc = tcase_create("packets");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, packets_arrive_in_order_on_one_connection);
    tcase_add_test(tc, what_waits_together_leaves_in_one_write);
    tcase_add_test(tc, every_peer_has_a_connection_of_its_own);
    tcase_add_test(tc, the_placeholder_reaches_any_server);
    tcase_add_loop_test(tc, a_name_without_two_labels_is_an_error, 0,
                        (int)(sizeof(bad_names) / sizeof(bad_names[0])));
    tcase_add_test(tc, oversized_packets_are_refused);
    tcase_add_test(tc, an_idle_connection_closes_after_two_minutes);
    tcase_add_test(tc, a_half_closed_connection_is_never_reused);
    tcase_add_test(tc, an_end_after_a_good_while_is_no_failure);
    tcase_add_test(tc, a_peer_that_talks_back_is_hung_up_on);
    tcase_add_loop_test(tc, a_failed_way_is_told_by_the_next_packets, 0,
                        (int)(sizeof(failures) / sizeof(failures[0])));
    tcase_add_test(tc, a_way_that_comes_back_is_found);
    tcase_add_test(tc, a_retry_finds_it_at_once);
    tcase_add_test(tc, a_gateway_that_is_a_way_no_more_is_left);
    tcase_add_test(tc, without_interest_nobody_dials);
    tcase_add_test(tc, an_early_end_is_a_failure);
    tcase_add_test(tc, a_slow_peer_delays_nobody);
    tcase_add_test(tc, while_dialling_the_oldest_go);
    tcase_add_test(tc, peers_are_bounded);
    tcase_add_test(tc, queues_together_are_bounded);
    tcase_add_test(tc, packets_that_meet_no_way_are_counted);
    tcase_add_test(tc, a_warmed_connection_waits_for_the_first_packet);
    tcase_add_test(tc, what_cannot_be_warmed_is_let_be);
    tcase_add_test(tc, it_can_be_freed_in_any_state);
    suite_add_tcase(suite, tc);
    return suite;
}
