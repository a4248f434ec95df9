/*
 * A server that comes back with an empty disk is a new server: the leader finds
 * it in the LAN pool, adds it to Raft's configuration, and it catches up.
 */
#include <string.h>

#include "server/internal.h"
#include "sim/federation.h"
#include "suite.h"

struct joining {
    struct sim_server *server;
    size_t states;
};

static bool has_caught_up(void *arg)
{
    const struct joining *joining = arg;
    struct server *server = sim_server_server(joining->server);
    const struct raft_configuration *configuration =
        raft_node_configuration(server->raft);

    return raft_configuration_find(configuration, server->config.node_id) &&
           fedstate_store_count(server->fsm.store) == joining->states &&
           server->fsm.catalog.node_count >= 3;
}

START_TEST(a_server_with_an_empty_disk_joins_as_a_new_one)
{
    struct federation *f = federation_new(7);
    struct joining joining = {.states = 2};
    size_t i;

    base_sim_set_digest(federation_world(f), false);
    federation_add(f, "dc1", 3);
    federation_add(f, "dc2", 1);
    federation_start(f);
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    for (i = 1; i <= 3; i++)
        if (federation_server(f, "dc1", i) != federation_leader(f, "dc1"))
            joining.server = federation_server(f, "dc1", i);
    sim_server_crash(joining.server);
    sim_server_wipe(joining.server);
    sim_server_boot(joining.server);
    ck_assert(federation_until(f, has_caught_up, &joining, 120000));
    ck_assert_uint_eq(federation_clusters(f, "dc1"), 1);
    federation_free(f);
}
END_TEST

Suite *raft_join_suite(void)
{
    Suite *suite = suite_create("raft join");
    TCase *tcase = tcase_create("join");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_server_with_an_empty_disk_joins_as_a_new_one);
    suite_add_tcase(suite, tcase);
    return suite;
}
