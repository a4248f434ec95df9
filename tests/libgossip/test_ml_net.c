/* The transport of plain pools, on the real loop and real sockets. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/loop.h"
#include "gossip/memberlist.h"
#include "gossip/net_transport.h"
#include "host_addr.h"
#include "suite.h"

struct real {
    struct gossip_net_transport *transport;
    struct gossip_memberlist *ml;
    struct base_addr addr;
    int status; /* of the join; 1: not yet */
    unsigned acks;
    char message[16];
};

static void on_message(void *ctx, const void *data, size_t len)
{
    struct real *real = ctx;

    ck_assert_uint_lt(len, sizeof(real->message));
    memcpy(real->message, data, len);
}

static void on_ping_complete(void *ctx, const struct gossip_node *node,
                             uint64_t rtt_ns, const void *payload, size_t len)
{
    (void)node;
    (void)payload;
    (void)len;
    ck_assert_uint_gt(rtt_ns, 0);
    ((struct real *)ctx)->acks++;
}

static const struct gossip_delegate delegate = {
    .version = 1,
    .on_message = on_message,
    .on_ping_complete = on_ping_complete,
};

static void start(struct real *real, struct base_loop *loop, const char *name)
{
    struct gossip_memberlist_config config = {0};
    struct base_addr bind;

    memset(real, 0, sizeof(*real));
    real->status = 1;
    base_addr_parse_ip(&bind, "127.0.0.1");
    ck_assert_int_eq(gossip_net_transport_new(base_loop_net(loop), &bind,
                                              &real->transport), 0);
    gossip_net_transport_addr(real->transport, &real->addr);
    ck_assert_uint_ne(real->addr.port, 0);
    config.name = name;
    config.advertise = real->addr;
    config.params = gossip_params_local;
    config.params.probe_interval_ms = 50;
    config.params.probe_timeout_ms = 40;
    config.transport = gossip_net_transport_ops(real->transport);
    config.delegate = &delegate;
    config.delegate_ctx = real;
    ck_assert_int_eq(gossip_memberlist_new(base_loop_env(loop), &config,
                                           &real->ml), 0);
    gossip_net_transport_attach(real->transport, real->ml);
}

static void stop(struct real *real)
{
    gossip_memberlist_free(real->ml);
    gossip_net_transport_free(real->transport);
}

static void on_joined(void *arg, int status)
{
    ((struct real *)arg)->status = status;
}

static bool both_probe(void *arg)
{
    struct real *reals = arg;

    return reals[0].acks > 2 && reals[1].acks > 2;
}

static bool has_message(void *arg)
{
    return ((struct real *)arg)->message[0] != '\0';
}

static bool is_joined(void *arg)
{
    return ((struct real *)arg)->status != 1;
}

START_TEST(two_nodes_meet_on_loopback)
{
    struct base_workers *workers = base_workers_new();
    struct base_loop *loop = base_loop_new("test", NULL, NULL, workers);
    struct gossip_peer peer = {"", {0}};
    struct real reals[2];

    start(&reals[0], loop, "a");
    start(&reals[1], loop, "b");
    peer.addr = reals[0].addr;
    ck_assert_int_eq(gossip_memberlist_join(reals[1].ml, &peer, on_joined,
                                            &reals[1]), 0);
    ck_assert_int_eq(reals[1].status, 1);
    ck_assert(base_loop_run_until(loop, is_joined, &reals[1], 10000));
    ck_assert_int_eq(reals[1].status, 0);
    ck_assert(base_loop_run_until(loop, both_probe, reals, 10000));
    ck_assert_uint_eq(gossip_memberlist_alive_count(reals[0].ml), 2);
    peer.name = "a";
    ck_assert_int_eq(gossip_memberlist_send(reals[1].ml, &peer, "hi", 2), 0);
    ck_assert(base_loop_run_until(loop, has_message, &reals[0], 10000));
    ck_assert_str_eq(reals[0].message, "hi");
    stop(&reals[1]);
    /* Nobody listens there any more. */
    peer.addr = reals[1].addr;
    reals[0].status = 1;
    ck_assert_int_eq(gossip_memberlist_join(reals[0].ml, &peer, on_joined,
                                            &reals[0]), 0);
    ck_assert(base_loop_run_until(loop, is_joined, &reals[0], 10000));
    ck_assert_int_eq(reals[0].status, BASE_EREFUSED);
    stop(&reals[0]);
    base_loop_free(loop);
    base_workers_free(workers);
}
END_TEST

START_TEST(a_port_is_one_for_both)
{
    struct base_workers *workers = base_workers_new();
    struct base_loop *loop = base_loop_new("test", NULL, NULL, workers);
    struct gossip_net_transport *first, *second;
    struct base_addr bind, got;

    base_addr_parse_ip(&bind, "127.0.0.1");
    ck_assert_int_eq(gossip_net_transport_new(base_loop_net(loop), &bind,
                                              &first), 0);
    gossip_net_transport_addr(first, &got);
    ck_assert_int_eq(gossip_net_transport_new(base_loop_net(loop), &got,
                                              &second), BASE_EINUSE);
    gossip_net_transport_free(first);
    ck_assert_int_eq(gossip_net_transport_new(base_loop_net(loop), &got,
                                              &second), 0);
    gossip_net_transport_free(second);
    base_addr_parse_ip(&bind, "192.0.2.1");
    ck_assert_int_eq(gossip_net_transport_new(base_loop_net(loop), &bind,
                                              &second), BASE_EADDR);
    base_loop_free(loop);
    base_workers_free(workers);
}
END_TEST

/* What a host has, and in which order it is offered. */
static const struct {
    const char *has;
    const char *route; /* NULL: no default route */
    const char *order;
} hosts[] = {
    {"127.0.0.1", NULL, "127.0.0.1"},
    {"127.0.0.1 10.1.2.3", NULL, "10.1.2.3 127.0.0.1"},
    {"127.0.0.1 192.168.0.9 10.1.2.3", "10.1.2.3",
     "10.1.2.3 192.168.0.9 127.0.0.1"},
    {"127.0.0.1 192.168.0.9 10.1.2.3", NULL, "192.168.0.9 10.1.2.3 127.0.0.1"},
    {"127.0.0.1 8.8.4.4 10.1.2.3", "8.8.4.4", "10.1.2.3 8.8.4.4 127.0.0.1"},
    {"8.8.4.4 ::1 fd00::2 9.9.9.9", "9.9.9.9", "9.9.9.9 8.8.4.4"},
    {"::1", NULL, ""},
};

START_TEST(the_best_address_comes_first)
{
    struct base_addr addrs[HOST_ADDRS_MAX], route;
    char text[256], got[256] = "", ip[BASE_ADDR_TEXT_MAX], *save, *word;
    size_t count = 0, kept, i;

    snprintf(text, sizeof(text), "%s", hosts[_i].has);
    for (word = strtok_r(text, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save))
        ck_assert_int_eq(base_addr_parse_ip(&addrs[count++], word), 0);
    if (hosts[_i].route != NULL)
        base_addr_parse_ip(&route, hosts[_i].route);
    kept = host_addrs_rank(addrs, count, 4,
                           hosts[_i].route != NULL ? &route : NULL);
    for (i = 0; i < kept; i++)
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
                 i > 0 ? " " : "", base_addr_format_ip(&addrs[i], ip));
    ck_assert_str_eq(got, hosts[_i].order);
}
END_TEST

/* A bound address is what others are told; of a wildcard one of the host's. */
START_TEST(wildcards_are_not_advertised)
{
    struct base_workers *workers = base_workers_new();
    struct base_loop *loop = base_loop_new("l", NULL, NULL, workers);
    const char *const binds[] = {"127.0.0.1", "0.0.0.0"};
    struct gossip_net_transport *transport;
    struct base_addr bind, bound, told, has[HOST_ADDRS_MAX];
    size_t i, j, count = host_addrs(has);
    bool known = false;

    ck_assert_uint_gt(count, 0);
    for (i = 0; i < 2; i++) {
        base_addr_parse_ip(&bind, binds[i]);
        ck_assert_int_eq(gossip_net_transport_new(base_loop_net(loop), &bind,
                                                  &transport), 0);
        gossip_net_transport_addr(transport, &bound);
        ck_assert_int_eq(gossip_net_transport_advertise(transport, &told), 0);
        ck_assert(!base_addr_is_any(&told));
        ck_assert_uint_eq(told.port, bound.port);
        ck_assert(base_addr_is_any(&bound) || base_addr_equal(&told, &bound));
        gossip_net_transport_free(transport);
    }
    for (j = 0; j < count; j++)
        known |= base_addr_ip_equal(&has[j], &told);
    ck_assert(known);
    base_loop_free(loop);
    base_workers_free(workers);
}
END_TEST

Suite *net_suite(void)
{
    Suite *suite = suite_create("memberlist-sockets");
    TCase *tcase = tcase_create("sockets");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, two_nodes_meet_on_loopback);
    tcase_add_test(tcase, a_port_is_one_for_both);
    tcase_add_loop_test(tcase, the_best_address_comes_first, 0,
                        (int)BASE_COUNT_OF(hosts));
    tcase_add_test(tcase, wildcards_are_not_advertised);
    suite_add_tcase(suite, tcase);
    return suite;
}
