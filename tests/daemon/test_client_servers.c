/* The order in which a client asks servers. */
#include <stdio.h>
#include <string.h>

#include "base/sim.h"
#include "client/servers.h"
#include "suite.h"

static struct base_sim *sim;
static struct servers servers;

static void setup(void)
{
    struct base_addr addr;

    sim = base_sim_new(1);
    base_addr_parse_ip(&addr, "10.0.0.1");
    memset(&servers, 0, sizeof(servers));
    servers.env =
        base_sim_host_env(base_sim_host_new(sim, "host", &addr, 1), "main");
}

static void teardown(void)
{
    base_sim_free(sim);
}

static void put(const char *id, const char *node, uint16_t port)
{
    struct member_server server = {.dc = "dc1", .id = id};

    snprintf(server.node, sizeof(server.node), "%s", node);
    base_addr_parse_ip(&server.rpc, "10.0.0.2");
    server.rpc.port = port;
    servers_put(&servers, &server);
}

static const char *first(void)
{
    return servers_first(&servers)->id;
}

START_TEST(none_is_none)
{
    ck_assert_ptr_null(servers_first(&servers));
    ck_assert_ptr_null(servers_other(&servers));
    servers_remove(&servers, "a");
    servers_failed(&servers, "a");
    servers_prefer(&servers, "a");
    put("a", "n1", 1);
    ck_assert_str_eq(first(), "a");
    ck_assert_ptr_null(servers_other(&servers));
    servers_remove(&servers, "a");
    ck_assert_ptr_null(servers_first(&servers));
}
END_TEST

START_TEST(a_server_is_there_once_as_it_is_now)
{
    put("a", "n1", 1);
    put("a", "n2", 2);
    ck_assert_uint_eq(servers.count, 1);
    ck_assert_str_eq(servers_first(&servers)->node, "n2");
    ck_assert_uint_eq(servers_first(&servers)->addr.port, 2);
}
END_TEST

START_TEST(who_failed_is_asked_last)
{
    char before[64];
    int i;

    put("a", "n1", 1);
    put("b", "n2", 1);
    put("c", "n3", 1);
    strcpy(before, first());
    for (i = 0; i < 2; i++) {
        servers_failed(&servers, first());
        ck_assert_str_ne(first(), before);
    }
    servers_failed(&servers, first());
    ck_assert_str_eq(first(), before); /* round once */
}
END_TEST

START_TEST(another_one_can_be_preferred)
{
    char other[64];

    put("a", "n1", 1);
    put("b", "n2", 1);
    put("c", "n3", 1);
    strcpy(other, servers_other(&servers)->id);
    ck_assert_str_ne(other, first());
    servers_prefer(&servers, other);
    ck_assert_str_eq(first(), other);
    ck_assert_uint_eq(servers.count, 3);
}
END_TEST

/* Many clients hear of the same servers in the same order. */
START_TEST(clients_spread)
{
    unsigned firsts[3] = {0};
    int i;

    for (i = 0; i < 300; i++) {
        servers.count = 0;
        put("0", "n", 1);
        put("1", "n", 1);
        put("2", "n", 1);
        firsts[first()[0] - '0']++;
    }
    for (i = 0; i < 3; i++)
        ck_assert_uint_ge(firsts[i], 60);
}
END_TEST

START_TEST(too_many_are_left_out)
{
    char id[16];
    unsigned i;

    for (i = 0; i < SERVERS_MAX + 10; i++) {
        snprintf(id, sizeof(id), "s%u", i);
        put(id, "n", 1);
    }
    ck_assert_uint_eq(servers.count, SERVERS_MAX);
    put("s0", "n2", 7); /* known ones still change */
    servers_prefer(&servers, "s0");
    ck_assert_uint_eq(servers_first(&servers)->addr.port, 7);
}
END_TEST

Suite *client_servers_suite(void)
{
    Suite *suite = suite_create("client servers");
    TCase *tcase = tcase_create("client servers");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, none_is_none);
    tcase_add_test(tcase, a_server_is_there_once_as_it_is_now);
    tcase_add_test(tcase, who_failed_is_asked_last);
    tcase_add_test(tcase, another_one_can_be_preferred);
    tcase_add_test(tcase, clients_spread);
    tcase_add_test(tcase, too_many_are_left_out);
    suite_add_tcase(suite, tcase);
    return suite;
}
