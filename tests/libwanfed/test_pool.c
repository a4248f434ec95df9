/*
 * Real gossip over the transport: two datacenters become one pool through
 * gateways, and the dead are noticed however a gateway fails (F13).
 */
#include <string.h>

#include "base/error.h"
#include "fed.h"

/* 3 to 5 servers, k = 0: 6 x 5 s, a probe's wait, the next one's turn. */
#define NOTICED_WITHIN_MS 120000u

static struct fed fed;
static struct fed_gateway *gateway;
static struct fed_server *a1, *a2, *b1, *b2;
static int joined;

static void on_joined(void *arg, int status)
{
    (void)arg;
    joined = status;
}

static bool all_alive(void)
{
    size_t i, j;

    for (i = 0; i < fed.server_count; i++)
        for (j = 0; j < fed.server_count; j++)
            if (fed.servers[i].memberlist != NULL &&
                fed.servers[j].memberlist != NULL &&
                fed_sees(&fed.servers[i], fed.servers[j].name) != GOSSIP_ALIVE)
                return false;
    return true;
}

/* Dead, or dead for so long that it is forgotten. */
static bool is_lost(int state)
{
    return state == GOSSIP_DEAD || state == -1;
}

static void join(struct fed_server *who, const char *name)
{
    struct gossip_peer peer = {.name = name};

    ck_assert_int_eq(base_addr_parse(&peer.addr, "192.0.2.2:8302", 0), 0);
    joined = 1;
    ck_assert_int_eq(
        gossip_memberlist_join(who->memberlist, &peer, on_joined, NULL), 0);
    fed_run_ms(&fed, 5000);
}

static void setup(void)
{
    struct gossip_peer peer = {.name = "a1.dc1"};

    fed_open(&fed);
    gateway = fed_add_gateway(&fed, "192.0.2.1");
    a1 = fed_add_server(&fed, "a1.dc1", "10.1.0.1", gateway, FED_GOSSIPS,
                        NULL);
    a2 = fed_add_server(&fed, "a2.dc1", "10.1.0.2", gateway, FED_GOSSIPS,
                        NULL);
    b1 = fed_add_server(&fed, "b1.dc2", "10.2.0.1", gateway, FED_GOSSIPS,
                        NULL);
    b2 = fed_add_server(&fed, "b2.dc2", "10.2.0.2", gateway, FED_GOSSIPS,
                        NULL);
    peer.addr = a1->addr; /* inside the datacenter: by address */
    peer.addr.port = 8302;
    gossip_memberlist_join(a2->memberlist, &peer, on_joined, NULL);
    peer.name = "b1.dc2";
    peer.addr = b1->addr;
    peer.addr.port = 8302;
    gossip_memberlist_join(b2->memberlist, &peer, on_joined, NULL);
    fed_run_ms(&fed, 2000);
    join(b1, "*.dc1"); /* federation.md section 10 */
    ck_assert_int_eq(joined, 0);
    fed_run_ms(&fed, 10000);
    ck_assert(all_alive());
}
static void teardown(void)
{
    fed_close(&fed);
}

START_TEST(two_datacenters_are_one_pool_and_stay_it)
{
    int minutes;

    for (minutes = 0; minutes < 30; minutes++) {
        fed_run_ms(&fed, 60000);
        ck_assert(all_alive());
        ck_assert_uint_eq(gossip_memberlist_health(a1->memberlist), 0);
    }
    ck_assert_uint_gt(
        fed_counter(b1, "isthmus.wanfed.packets.received", NULL, NULL), 100);
    ck_assert_uint_eq(
        fed_counter(a1, "isthmus.wanfed.dials", "outcome", "failed"), 0);
    /* One connection a peer, for all of it. */
    ck_assert_uint_eq(fed_counter(a1, "isthmus.wanfed.dials", "outcome", "ok"),
                      2);
}
END_TEST

START_TEST(stream_pings_stay_at_home)
{
    struct gossip_transport out = wanfed_transport_ops(a1->wan);
    struct gossip_peer home = {.name = "a2.DC1"};
    struct gossip_peer away = {.name = "b1.dc2"};
    struct gossip_peer odd = {.name = "b1"};

    ck_assert(out.ops->wants_stream_ping(out.ctx, &home));
    ck_assert(!out.ops->wants_stream_ping(out.ctx, &away));
    ck_assert(!out.ops->wants_stream_ping(out.ctx, &odd));
}
END_TEST

START_TEST(a_join_that_cannot_be_says_why)
{
    struct gossip_peer any = {.name = "*.dc2"};

    join(a1, "*.dc9");
    ck_assert_int_lt(joined, 0);
    a1->gateway = NULL;
    ck_assert_int_eq(gossip_memberlist_join(a1->memberlist, &any, on_joined,
                                            NULL),
                     RPC_ENOGATEWAY);
}
END_TEST

START_TEST(a_dead_server_is_noticed)
{
    fed_server_crash(b2);
    fed_run_ms(&fed, NOTICED_WITHIN_MS);
    ck_assert(is_lost(fed_sees(a1, "b2.dc2")));
    ck_assert(is_lost(fed_sees(a2, "b2.dc2")));
    ck_assert(is_lost(fed_sees(b1, "b2.dc2")));
    ck_assert_int_eq(fed_sees(a1, "b1.dc2"), GOSSIP_ALIVE);
}
END_TEST

/* A whole datacenter dies behind any kind of gateway. */
static const enum fed_gateway_mode modes[] = {FED_ROUTES, FED_RESETS,
                                              FED_HOLDS, FED_STALLS};

START_TEST(a_dead_datacenter_is_noticed)
{
    gateway->mode = modes[_i];
    fed_server_crash(b1);
    fed_server_crash(b2);
    fed_run_ms(&fed, NOTICED_WITHIN_MS);
    ck_assert(is_lost(fed_sees(a1, "b1.dc2")));
    ck_assert(is_lost(fed_sees(a1, "b2.dc2")));
    ck_assert(is_lost(fed_sees(a2, "b1.dc2")));
    ck_assert_int_eq(fed_sees(a1, "a2.dc1"), GOSSIP_ALIVE);
}
END_TEST

START_TEST(a_dead_gateway_parts_them_and_a_new_one_heals)
{
    struct fed_gateway *fresh;
    size_t i;

    fed_gateway_crash(gateway);
    fed_run_ms(&fed, NOTICED_WITHIN_MS);
    ck_assert(is_lost(fed_sees(a1, "b1.dc2")));
    ck_assert(is_lost(fed_sees(b1, "a1.dc1")));
    ck_assert_int_eq(fed_sees(b1, "b2.dc2"), GOSSIP_ALIVE);
    fresh = fed_add_gateway(&fed, "192.0.2.9");
    for (i = 0; i < 4; i++)
        fed.servers[i].gateway = fresh;
    join(b1, "*.dc1"); /* as retry join and reconnect do */
    fed_run_ms(&fed, 20000);
    ck_assert(all_alive());
}
END_TEST

/* The old gateway swallows everything without a sign, its TCP connections too.
 * What gossip suspects is dialled anew, by the gateway known now. */
START_TEST(a_void_is_left_before_anyone_is_lost)
{
    struct fed_gateway *fresh = fed_add_gateway(&fed, "192.0.2.9");
    size_t i;
    int seconds;

    fed_run_ms(&fed, 10000);
    gateway->mode = FED_STALLS;
    for (i = 0; i < 4; i++)
        fed.servers[i].gateway = fresh;
    for (seconds = 0; seconds < 180; seconds++) {
        fed_run_ms(&fed, 1000);
        for (i = 0; i < 4; i++) {
            size_t j;

            for (j = 0; j < 4; j++)
                ck_assert_int_ne(
                    fed_sees(&fed.servers[i], fed.servers[j].name),
                    GOSSIP_DEAD);
        }
    }
    ck_assert(all_alive());
    ck_assert_uint_gt(
        fed_counter(a1, "isthmus.wanfed.connections.closed_doubted", NULL,
                    NULL),
        0);
}
END_TEST

static void no_stream(void *arg, int status, struct base_stream *stream)
{
    (void)arg;
    (void)status;
    (void)stream;
    ck_abort_msg("it was cancelled");
}

START_TEST(dials_of_both_kinds_can_be_cancelled)
{
    struct gossip_transport out = wanfed_transport_ops(a1->wan);
    struct gossip_peer peers[2] = {{.name = "a2.dc1"}, {.name = "b1.dc2"}};
    struct gossip_peer odd = {.name = "b1"};
    struct gossip_dial *dial;
    int i;

    peers[0].addr = a2->addr;
    peers[0].addr.port = 8302;
    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(out.ops->dial_stream(out.ctx, &peers[i], 1000,
                                              no_stream, NULL, &dial),
                         0);
        out.ops->dial_cancel(out.ctx, dial);
        fed_run_ms(&fed, 2000);
    }
    ck_assert_int_eq(out.ops->dial_stream(out.ctx, &odd, 1000, no_stream, NULL,
                                          &dial),
                     GOSSIP_ENAME);
    ck_assert_int_eq(out.ops->dial_stream(out.ctx, &peers[1], 1000, no_stream,
                                          NULL, &dial),
                     0); /* left under way: freed with the transport */
}
END_TEST

static void take_stream(void *arg, int status, struct base_stream *stream)
{
    *(int *)arg = status;
    if (stream != NULL)
        base_stream_close(stream);
}

START_TEST(a_stream_takes_another_gateway_than_the_packets)
{
    struct fed_gateway *second = fed_add_gateway(&fed, "192.0.2.9");
    struct gossip_transport out = wanfed_transport_ops(a1->wan);
    struct gossip_peer to = {.name = "b1.dc2"};
    int status = 1;

    a1->second = second;
    fed_send(a1, "b1.dc2", "x");
    fed_run_ms(&fed, 1000);
    ck_assert_uint_eq(second->accepted, 0);
    ck_assert_int_eq(out.ops->dial_stream(out.ctx, &to, 1000, take_stream,
                                          &status, NULL),
                     0);
    fed_run_ms(&fed, 1000);
    ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(second->accepted, 1);
}
END_TEST

Suite *pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *tc = tcase_create("pool");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, two_datacenters_are_one_pool_and_stay_it);
    tcase_add_test(tc, stream_pings_stay_at_home);
    tcase_add_test(tc, a_join_that_cannot_be_says_why);
    tcase_add_test(tc, a_dead_server_is_noticed);
    tcase_add_loop_test(tc, a_dead_datacenter_is_noticed, 0,
                        (int)(sizeof(modes) / sizeof(modes[0])));
    tcase_add_test(tc, a_dead_gateway_parts_them_and_a_new_one_heals);
    tcase_add_test(tc, a_void_is_left_before_anyone_is_lost);
    tcase_add_test(tc, dials_of_both_kinds_can_be_cancelled);
    tcase_add_test(tc, a_stream_takes_another_gateway_than_the_packets);
    suite_add_tcase(suite, tc);
    return suite;
}
