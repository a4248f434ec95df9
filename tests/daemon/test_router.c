/* Which server is asked: from live pools, with some that failed. */
#include <stdio.h>
#include <string.h>

#include "server/internal.h"
#include "sim/federation.h"
#include "suite.h"

static struct federation *f;

static void setup(void)
{
    f = federation_new(1);
    base_sim_set_digest(federation_world(f), false);
    federation_add(f, "dc1", 3);
    federation_add(f, "dc2", 2);
    federation_start(f);
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
}

static void teardown(void)
{
    federation_free(f);
}

static struct server *server_of(const char *dc, size_t number)
{
    return sim_server_server(federation_server(f, dc, number));
}

/* A bit for each serverN that 200 picks gave. */
static unsigned picked(struct server *server, const char *dc)
{
    struct router_choice choice;
    unsigned bits = 0, i;

    for (i = 0; i < 200; i++) {
        if (!router_pick(server, dc, &choice))
            return 0;
        ck_assert_str_eq(choice.dc, dc);
        ck_assert_uint_eq(choice.addr.port, 8300);
        ck_assert_int_eq(strncmp(choice.node, "server", 6), 0);
        bits |= 1u << (choice.node[6] - '0');
    }
    return bits;
}

static void note_failure(struct server *server, const char *dc,
                         const char *node)
{
    struct router_choice choice = {0};

    strcpy(choice.dc, dc);
    strcpy(choice.node, node);
    router_failed(server, &choice);
}

START_TEST(every_server_of_a_datacenter_is_asked)
{
    ck_assert_uint_eq(picked(server_of("dc1", 1), "dc2"), 1u << 1 | 1u << 2);
    ck_assert_uint_eq(picked(server_of("dc2", 1), "dc1"),
                      1u << 1 | 1u << 2 | 1u << 3);
    /* In our own, everybody but ourselves. */
    ck_assert_uint_eq(picked(server_of("dc1", 1), "dc1"), 1u << 2 | 1u << 3);
    ck_assert_uint_eq(picked(server_of("dc1", 1), "dc9"), 0);
}
END_TEST

START_TEST(who_failed_is_left_out_while_others_are_left)
{
    struct server *server = server_of("dc1", 1);

    note_failure(server, "dc2", "server1");
    ck_assert_uint_eq(picked(server, "dc2"), 1u << 2);
    note_failure(server, "dc2", "server2");
    ck_assert_uint_eq(picked(server, "dc2"), 1u << 1 | 1u << 2);
    /* A namesake elsewhere did not fail. */
    ck_assert_uint_eq(picked(server, "dc1"), 1u << 2 | 1u << 3);
    base_sim_run_for_ms(federation_world(f), 10001);
    note_failure(server, "dc2", "server2");
    ck_assert_uint_eq(picked(server, "dc2"), 1u << 1);
}
END_TEST

START_TEST(many_failures_forget_the_oldest)
{
    struct server *server = server_of("dc1", 1);
    char node[16];
    unsigned i;

    note_failure(server, "dc2", "server1");
    for (i = 0; i < ROUTER_FAILURES_MAX; i++) {
        snprintf(node, sizeof(node), "other%u", i);
        note_failure(server, "dc2", node);
    }
    ck_assert_uint_eq(picked(server, "dc2"), 1u << 1 | 1u << 2);
}
END_TEST

static bool is_failed(void *arg)
{
    const struct member *member = pool_find(server_of("dc1", 1)->wan, arg);

    return member && member->status == GOSSIP_MEMBER_FAILED;
}

START_TEST(the_dead_are_not_asked)
{
    sim_server_crash(federation_server(f, "dc2", 2));
    ck_assert(federation_until(f, is_failed, (char *)"server2.dc2", 120000));
    ck_assert_uint_eq(picked(server_of("dc1", 1), "dc2"), 1u << 1);
}
END_TEST

START_TEST(followers_know_the_leader)
{
    struct sim_server *leader = federation_leader(f, "dc1");
    struct router_choice choice;
    size_t i;

    for (i = 1; i <= 3; i++) {
        struct server *server = server_of("dc1", i);

        if (server == sim_server_server(leader)) {
            ck_assert(!router_leader(server, &choice));
            continue;
        }
        ck_assert(router_leader(server, &choice));
        ck_assert_str_eq(choice.node, sim_server_server(leader)->config.node);
        ck_assert_str_eq(choice.dc, "dc1");
    }
}
END_TEST

static void gather(void *arg, const char *dc)
{
    strcat(arg, dc);
    strcat(arg, " ");
}

START_TEST(datacenters_are_listed_once_and_sorted)
{
    char all[64] = "";

    router_datacenters(server_of("dc2", 1), gather, all);
    ck_assert_str_eq(all, "dc1 dc2 ");
}
END_TEST

Suite *router_suite(void)
{
    Suite *suite = suite_create("router");
    TCase *tcase = tcase_create("router");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_server_of_a_datacenter_is_asked);
    tcase_add_test(tcase, who_failed_is_left_out_while_others_are_left);
    tcase_add_test(tcase, many_failures_forget_the_oldest);
    tcase_add_test(tcase, the_dead_are_not_asked);
    tcase_add_test(tcase, followers_know_the_leader);
    tcase_add_test(tcase, datacenters_are_listed_once_and_sorted);
    suite_add_tcase(suite, tcase);
    return suite;
}
