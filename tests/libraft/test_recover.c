/* Recovery by hand from a lost majority. */
#include <string.h>

#include "cluster_internal.h"
#include "raft/recover.h"
#include "suite.h"

static void on_done(void *arg, int status)
{
    *(int *)arg = status;
}

static bool is_done(void *arg)
{
    return *(int *)arg != 1;
}

/* What raft_recover() says of the storage of a server that is down. */
static int recover(struct cluster *cluster, unsigned number,
                   const struct raft_configuration *configuration)
{
    struct cluster_server *server = &cluster->servers[number];
    struct base_env *env = base_sim_host_env(server->host, "recover");
    struct raft_recover_config config = {.configuration = configuration};
    int status = 1;
    int rv;

    memset(&server->state, 0, sizeof(server->state));
    config.storage = raft_storage_memory_open(env, server->disk);
    config.fsm.ops = &cluster_fsm_ops;
    config.fsm.ctx = server;
    rv = raft_recover(env, &config, on_done, &status);
    if (rv < 0)
        return rv;
    base_sim_run_until_true(cluster->sim, is_done, &status, 10000);
    base_sim_host_crash(server->host);
    return status;
}

/* The first two of five. */
static struct raft_configuration survivors(const struct cluster *cluster)
{
    struct raft_configuration configuration = {.server_count = 2};

    cluster_server_entry(cluster, 0, RAFT_VOTER, &configuration.servers[0]);
    cluster_server_entry(cluster, 1, RAFT_VOTER, &configuration.servers[1]);
    return configuration;
}

static struct cluster *majority_lost(uint32_t snapshot_threshold)
{
    struct cluster *cluster = cluster_new_with(31, 5, 5, snapshot_threshold);
    unsigned i;

    ck_assert(cluster_commit(cluster, 300, 20000));
    ck_assert(cluster_run_until_converged(cluster, 5000));
    for (i = 0; i < 5; i++)
        cluster_crash(cluster, i);
    return cluster;
}

static const uint32_t thresholds[] = {UINT32_MAX, 50};

START_TEST(two_of_five_go_on_with_all_they_had)
{
    struct cluster *cluster = majority_lost(thresholds[_i]);
    struct raft_configuration configuration = survivors(cluster);
    uint64_t count;

    ck_assert_int_eq(recover(cluster, 0, &configuration), 0);
    count = cluster->servers[0].state.count;
    ck_assert_uint_eq(count, 300);
    ck_assert_int_eq(recover(cluster, 1, &configuration), 0);
    ck_assert_int_eq(recover(cluster, 1, &configuration), 0); /* again */
    cluster_start(cluster, 0);
    cluster_start(cluster, 1);
    ck_assert(cluster_commit(cluster, 10, 20000));
    ck_assert(cluster_run_until_converged(cluster, 5000));
    ck_assert_uint_eq(cluster->servers[1].state.count, count + 10);
    ck_assert_uint_eq(
        raft_node_configuration(cluster->servers[0].node)->server_count, 2);
    cluster_free(cluster);
}
END_TEST

/* One that comes back after all belongs to another cluster: it can neither
 * disturb nor vote. */
START_TEST(a_lost_server_that_comes_back_is_refused)
{
    struct cluster *cluster = majority_lost(UINT32_MAX);
    struct raft_configuration configuration = survivors(cluster);
    unsigned i;
    int leader;

    for (i = 0; i < 2; i++)
        ck_assert_int_eq(recover(cluster, i, &configuration), 0);
    for (i = 0; i < 4; i++)
        cluster_start(cluster, i);
    ck_assert(cluster_commit(cluster, 10, 20000));
    leader = cluster_leader(cluster);
    ck_assert(leader == 0 || leader == 1);
    ck_assert_uint_eq(cluster->servers[2].state.count, 0);
    cluster_crash(cluster, 2);
    cluster_crash(cluster, 3);
    cluster_free(cluster);
}
END_TEST

START_TEST(what_was_lost_is_given_up)
{
    struct cluster *cluster = majority_lost(UINT32_MAX);
    struct raft_configuration alone = survivors(cluster);

    alone.server_count = 1;
    memset(&alone.servers[1], 0, sizeof(alone.servers[1]));
    raft_memory_disk_lose_tail(cluster->servers[0].disk, 100);
    ck_assert_int_eq(recover(cluster, 0, &alone), 0);
    ck_assert_uint_eq(cluster->servers[0].state.count, 200);
    ck_assert(raft_memory_disk_is_whole(cluster->servers[0].disk));
    cluster_free(cluster);
}
END_TEST

START_TEST(senseless_lists_and_empty_storages_are_refused)
{
    struct cluster *cluster = majority_lost(UINT32_MAX);
    struct raft_configuration configuration = survivors(cluster);

    configuration.servers[0].suffrage = RAFT_NONVOTER;
    configuration.servers[1].suffrage = RAFT_NONVOTER;
    ck_assert_int_eq(recover(cluster, 0, &configuration), RAFT_EINVAL);
    configuration = survivors(cluster);
    strcpy(configuration.servers[1].id, configuration.servers[0].id);
    ck_assert_int_eq(recover(cluster, 0, &configuration), RAFT_EINVAL);
    cluster_free(cluster);
    cluster = cluster_new(32, 2, 1);
    configuration = survivors(cluster);
    cluster_crash(cluster, 1);
    ck_assert_int_eq(recover(cluster, 1, &configuration), RAFT_EINVAL);
    cluster_free(cluster);
}
END_TEST

Suite *recover_suite(void)
{
    Suite *suite = suite_create("recover");
    TCase *tcase = tcase_create("all");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, two_of_five_go_on_with_all_they_had, 0, 2);
    tcase_add_test(tcase, a_lost_server_that_comes_back_is_refused);
    tcase_add_test(tcase, what_was_lost_is_given_up);
    tcase_add_test(tcase, senseless_lists_and_empty_storages_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
