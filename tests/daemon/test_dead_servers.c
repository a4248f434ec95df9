/* Dead servers leave the cluster, but never so many that a quorum hangs on it. */
#include <stdio.h>
#include <string.h>

#include "server/internal.h"
#include "sim/federation.h"
#include "suite.h"

#define LONG_MS 300000u /* several looks of the leader */

static struct federation *f;

static bool leads(void *arg)
{
    struct sim_server *leader = federation_leader(f, "dc1");

    (void)arg;
    return leader && sim_server_server(leader)->leader.active;
}

static struct server *leader(void)
{
    ck_assert(federation_until(f, leads, NULL, 20000));
    return sim_server_server(federation_leader(f, "dc1"));
}

static size_t voters(void)
{
    return raft_node_configuration(leader()->raft)->server_count;
}

static size_t nodes(void)
{
    return leader()->fsm.catalog.node_count;
}

/* A running server that does not lead. */
static struct sim_server *follower(void)
{
    size_t i;

    leader();
    for (i = 1; i <= federation_size(f, "dc1"); i++) {
        struct sim_server *server = federation_server(f, "dc1", i);

        if (sim_server_server(server) && server != federation_leader(f, "dc1"))
            return server;
    }
    return NULL;
}

static struct sim_server *crash_one(void)
{
    struct sim_server *server = follower();

    ck_assert_ptr_nonnull(server);
    sim_server_crash(server);
    return server;
}

START_TEST(the_dead_leave_while_they_are_few)
{
    struct sim_server *dead;
    size_t gateway_nodes;

    f = federation_new(11);
    base_sim_set_digest(federation_world(f), false);
    federation_add(f, "dc1", 5);
    federation_start(f);
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    gateway_nodes = nodes() - 5;

    /* Two of five would leave no more than a bare quorum: they stay. */
    dead = crash_one();
    base_sim_run_for_ms(federation_world(f), 1000);
    crash_one();
    base_sim_run_for_ms(federation_world(f), LONG_MS);
    ck_assert_uint_eq(voters(), 5);
    /* One alone goes, from Raft and from the catalog. */
    sim_server_boot(dead);
    base_sim_run_for_ms(federation_world(f), LONG_MS);
    ck_assert_uint_eq(voters(), 4);
    ck_assert_uint_eq(nodes(), 4 + gateway_nodes);
    dead = crash_one();
    base_sim_run_for_ms(federation_world(f), LONG_MS);
    ck_assert_uint_eq(voters(), 3);
    /* Of three none may go. */
    crash_one();
    base_sim_run_for_ms(federation_world(f), LONG_MS);
    ck_assert_uint_eq(voters(), 3);
    /* But with a fourth that takes the place. */
    sim_server_boot(dead);
    base_sim_run_for_ms(federation_world(f), LONG_MS);
    ck_assert_uint_eq(voters(), 3);
    ck_assert_uint_eq(nodes(), 3 + gateway_nodes);
    federation_free(f);
}
END_TEST

START_TEST(a_short_absence_is_no_death)
{
    struct sim_server *absent;

    f = federation_new(12);
    base_sim_set_digest(federation_world(f), false);
    federation_add(f, "dc1", 5);
    federation_start(f);
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    absent = crash_one();
    base_sim_run_for_ms(federation_world(f), 45000);
    ck_assert_uint_eq(voters(), 5);
    sim_server_boot(absent);
    base_sim_run_for_ms(federation_world(f), LONG_MS);
    ck_assert_uint_eq(voters(), 5);
    federation_free(f);
}
END_TEST

Suite *dead_servers_suite(void)
{
    Suite *suite = suite_create("dead servers");
    TCase *tcase = tcase_create("dead servers");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, the_dead_leave_while_they_are_few);
    tcase_add_test(tcase, a_short_absence_is_no_death);
    suite_add_tcase(suite, tcase);
    return suite;
}
