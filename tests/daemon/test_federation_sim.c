/*
 * The whole composition in virtual time: three datacenters form one federation
 * through their gateways alone, every packet, timer, RPC and Raft message is a
 * line of the event log, and a seed is a run.
 */
#include <string.h>

#include "fedstate/error.h"
#include "server/namesakes.h"
#include "sim/federation.h"
#include "suite.h"

/* Gossip that met no way yet is made good by the next exchange of full state, at
 * most a minute later. */
#define FORM_MS 60000u
#define LIFE_MS 60000u /* after that */

/* Users of every datacenter read from every other one. */
static void use(struct federation *f, unsigned turn)
{
    static const char *const dcs[] = {"dc1", "dc2", "dc3"};

    federation_read(f, federation_server(f, dcs[turn % 3], 1 + turn % 5),
                    dcs[(turn / 3) % 3]);
}

static void live(uint64_t seed, char digest[65], uint64_t *lines)
{
    struct federation *f = federation_new(seed);
    unsigned turn;

    federation_add(f, "dc1", 5);
    federation_add(f, "dc2", 5);
    federation_add(f, "dc3", 5);
    federation_start(f);
    ck_assert_msg(federation_until(f, federation_is_whole, f, FORM_MS),
                  "no federation in time");
    for (turn = 0; turn < LIFE_MS / 25; turn++) {
        use(f, turn);
        base_sim_run_for_ms(federation_world(f), 25);
    }
    ck_assert(federation_is_whole(f));
    ck_assert_uint_eq(federation_failures(f), 0);
    ck_assert_uint_ge(federation_answers(f), turn - 10);
    ck_assert_uint_eq(federation_violations(f), 0);
    base_sim_digest(federation_world(f), digest);
    *lines = base_sim_stats(federation_world(f)).lines;
    federation_free(f);
}

START_TEST(a_seed_is_a_run)
{
    char first[65], again[65], other[65];
    uint64_t lines;

    live(1, first, &lines);
    ck_assert_uint_ge(lines, 100000);
    live(1, again, &lines);
    ck_assert_str_eq(first, again);
    live(2, other, &lines);
    ck_assert_str_ne(first, other);
}
END_TEST

/* F1: the gateway of a secondary is replaced at a new address. */
START_TEST(a_replaced_gateway_is_followed)
{
    struct federation *f = federation_new(3);

    federation_add(f, "dc1", 1);
    federation_add(f, "dc2", 1);
    federation_add(f, "dc3", 1);
    federation_start(f);
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    federation_gateway_off(f, "dc2");
    federation_gateway_on(f, "dc2");
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    ck_assert_uint_eq(federation_violations(f), 0);
    federation_free(f);
}
END_TEST

/* Power fails in a whole datacenter; nothing that was acknowledged is lost. */
START_TEST(a_primary_that_lost_power_heals)
{
    struct federation *f = federation_new(4);
    size_t i;

    federation_add(f, "dc1", 3);
    federation_add(f, "dc2", 1);
    federation_start(f);
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    for (i = 1; i <= 3; i++)
        sim_server_crash(federation_server(f, "dc1", i));
    base_sim_run_for_ms(federation_world(f), 5000);
    for (i = 1; i <= 3; i++)
        sim_server_boot(federation_server(f, "dc1", i));
    ck_assert(federation_until(f, federation_is_whole, f, 120000));
    ck_assert_uint_eq(federation_clusters(f, "dc1"), 1);
    federation_free(f);
}
END_TEST

/* Section 8: states of datacenters that nobody knows go after an hour; an
 * operator's stay, and so do those of datacenters that are only down. */
START_TEST(states_of_the_departed_are_pruned)
{
    struct federation *f = federation_new(5);

    federation_add(f, "dc1", 3);
    federation_add(f, "dc2", 1);
    federation_start(f);
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    federation_put_ghost(f, federation_server(f, "dc1", 1), "ghost");
    federation_put(f, federation_server(f, "dc2", 1), "elsewhere", NULL, NULL);
    base_sim_run_for_ms(federation_world(f), 10000);
    ck_assert(!federation_is_whole(f));
    sim_server_crash(federation_server(f, "dc2", 1));
    base_sim_run_for_ms(federation_world(f), 3600000);
    sim_server_boot(federation_server(f, "dc2", 1));
    ck_assert_msg(federation_until(f, federation_is_whole, f, 60000),
                  "the ghost is still there, or dc2 is not");
    ck_assert(sim_server_has(federation_leader(f, "dc1"), "elsewhere"));
    ck_assert(sim_server_has(federation_leader(f, "dc2"), "elsewhere"));
    federation_free(f);
}
END_TEST

/* It is told so in words, again and again but never in a hurry, and the others
 * go on. */
START_TEST(a_secondary_that_names_another_primary)
{
    struct federation *f = federation_new(6);
    struct base_sim_stats before, after;

    federation_add(f, "dc1", 1);
    federation_add(f, "dc2", 1);
    federation_add(f, "dc3", 1);
    federation_mistakes_primary(f, "dc2", "dc3");
    federation_start(f);
    base_sim_run_for_ms(federation_world(f), 120000);
    ck_assert_int_eq(federation_replication_error(f, "dc2"),
                     FEDSTATE_ENOTPRIMARY);
    ck_assert(federation_knows(f, "dc1", "dc3"));
    ck_assert(federation_knows(f, "dc3", "dc1"));
    before = base_sim_stats(federation_world(f));
    base_sim_run_for_ms(federation_world(f), 60000);
    after = base_sim_stats(federation_world(f));
    ck_assert_uint_le(after.stream_writes - before.stream_writes, 60 * 60);
    federation_free(f);
}
END_TEST

static bool dc2_sees_namesakes(void *federation)
{
    const char *first = "";

    return namesakes_count(sim_server_server(
                               federation_server(federation, "dc2", 1)),
                           &first) == 2 &&
           strncmp(first, "server", 6) == 0;
}

static bool others_go_on(void *federation)
{
    return federation_knows(federation, "dc1", "dc4") &&
           federation_knows(federation, "dc4", "dc1");
}

/* dc3's operator calls it dc2 as well: dc2's servers see strangers of their own
 * name, and dc1 and dc4 go on. */
START_TEST(two_datacenters_with_one_name)
{
    struct federation *f = federation_new(7);
    const char *first = NULL;

    federation_add(f, "dc1", 1);
    federation_add(f, "dc2", 1);
    federation_add(f, "dc3", 3);
    federation_add(f, "dc4", 1);
    federation_takes_name(f, "dc3", "dc2");
    federation_start(f);
    ck_assert(federation_until(f, dc2_sees_namesakes, f, 120000));
    ck_assert_uint_eq(namesakes_count(sim_server_server(
                                          federation_server(f, "dc1", 1)),
                                      &first),
                      0);
    ck_assert(federation_until(f, others_go_on, f, 120000));
    federation_free(f);
}
END_TEST

Suite *federation_sim_suite(void)
{
    Suite *suite = suite_create("federation_sim");
    TCase *tcase = tcase_create("federation");

    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, a_seed_is_a_run);
    tcase_add_test(tcase, a_replaced_gateway_is_followed);
    tcase_add_test(tcase, a_primary_that_lost_power_heals);
    tcase_add_test(tcase, states_of_the_departed_are_pruned);
    tcase_add_test(tcase, a_secondary_that_names_another_primary);
    tcase_add_test(tcase, two_datacenters_with_one_name);
    suite_add_tcase(suite, tcase);
    return suite;
}
