/* What users of other libraries met (docs/raft.md has the list), as tests of
 * whole clusters. */
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "cluster.h"
#include "suite.h"

static struct cluster *on_files(uint64_t seed, unsigned count,
                                uint32_t snapshot_threshold)
{
    struct cluster_config config = {.seed = seed,
                                    .count = count,
                                    .voters = count,
                                    .snapshot_threshold = snapshot_threshold,
                                    .on_files = true};

    return cluster_make(&config);
}

static struct raft_node *leader_of(struct cluster *cluster)
{
    int leader;

    ck_assert(cluster_run_until_leader(cluster, 20000));
    leader = cluster_leader(cluster);
    return cluster->servers[leader].node;
}

/* A leader whose disk is full does not keep its place by its heartbeats, and
 * its log loads once there is room. */
START_TEST(a_leader_with_a_full_disk_is_replaced)
{
    struct cluster *cluster = on_files(1, 3, 0);
    unsigned full;

    ck_assert(cluster_commit(cluster, 20, 10000));
    full = (unsigned)cluster_leader(cluster);
    fault_disk_set_room(cluster->servers[full].files, 0);
    ck_assert(cluster_commit(cluster, 50, 10000));
    ck_assert_int_ne(cluster_leader(cluster), (int)full);
    ck_assert(cluster->servers[full].fatal);
    cluster_crash(cluster, full);
    fault_disk_set_room(cluster->servers[full].files, UINT64_MAX);
    cluster_start(cluster, full);
    ck_assert_ptr_nonnull(cluster->servers[full].node);
    ck_assert(cluster_run_until_converged(cluster, 10000));
    cluster_free(cluster);
}
END_TEST

/* A disk that hangs is not hidden by heartbeats either: another server leads
 * within seconds, and the one that hung follows when its disk answers. */
START_TEST(a_leader_whose_disk_stalls_is_replaced)
{
    struct cluster *cluster =
        _i == 0 ? on_files(4, 3, 0) : cluster_new(4, 3, 3);
    unsigned stalled;

    ck_assert(cluster_commit(cluster, 20, 10000));
    stalled = (unsigned)cluster_leader(cluster);
    base_sim_host_set_job_delay(cluster->servers[stalled].host, 20000000,
                                20000000);
    ck_assert(cluster_commit(cluster, 5, 10000)); /* the others' disks work */
    cluster_run_ms(cluster, 4000);
    ck_assert_int_ge(cluster_leader(cluster), 0);
    ck_assert_int_ne(cluster_leader(cluster), (int)stalled);
    ck_assert_int_eq(raft_role(cluster_core(cluster, stalled)),
                     RAFT_FOLLOWER);
    ck_assert(cluster_commit(cluster, 50, 10000));
    base_sim_host_set_job_delay(cluster->servers[stalled].host, 0, 0);
    ck_assert(cluster_run_until_converged(cluster, 60000));
    ck_assert(!cluster->servers[stalled].fatal);
    cluster_free(cluster);
}
END_TEST

/* With a slow disk a snapshot takes long; commands are applied and
 * acknowledged all the while. */
START_TEST(commits_go_on_while_a_snapshot_is_taken)
{
    struct cluster *cluster = cluster_new_with(2, 1, 1, 50);
    uint64_t acked_at_begin = 0, acked_at_end = 0;
    struct raft_status status = {0};
    unsigned turn;

    leader_of(cluster);
    base_sim_set_job_delay(cluster->sim, 20000, 20000);
    for (turn = 0; turn < 2000 && acked_at_end == 0; turn++) {
        (void)cluster_propose(cluster, 0, 32);
        cluster_run_ms(cluster, 5);
        raft_node_status(cluster->servers[0].node, &status);
        if (acked_at_begin == 0 && cluster->counts.snapshots > 0)
            acked_at_begin = cluster->counts.acked;
        if (status.first_index > 1)
            acked_at_end = cluster->counts.acked;
    }
    ck_assert_uint_gt(acked_at_begin, 0);
    ck_assert_uint_gt(acked_at_end, acked_at_begin + 5);
    cluster_free(cluster);
}
END_TEST

/* ---- every server is replaced by another, under load, with snapshots ---- */

struct change {
    bool done;
    int status;
};

static void on_changed(void *arg, int status)
{
    *(struct change *)arg = (struct change){true, status};
}

static bool is_changed(void *arg)
{
    return ((struct change *)arg)->done;
}

/* Until it is so, whoever leads. */
static void set_member(struct cluster *cluster, unsigned number, bool member)
{
    struct change change = {0};
    struct raft_server server;
    unsigned tries;

    cluster_server_entry(cluster, number, RAFT_VOTER, &server);
    for (tries = 0; tries < 20 && !(change.done && change.status == 0);
         tries++) {
        struct raft_node *node = leader_of(cluster);
        int rv;

        change = (struct change){0};
        rv = member ? raft_node_add_server(node, &server, on_changed, &change)
                    : raft_node_remove_server(node, server.id, on_changed,
                                              &change);
        if (rv == 0)
            ck_assert(cluster_run_until(cluster, is_changed, &change, 60000));
        else
            cluster_run_ms(cluster, 500);
    }
    ck_assert(change.done && change.status == 0);
}

START_TEST(all_servers_are_replaced_one_by_one)
{
    struct cluster *cluster = cluster_new_with(3 + (uint64_t)_i, 6, 3, 60);
    const struct raft_configuration *members;
    uint64_t elections;
    unsigned i;

    ck_assert(cluster_commit(cluster, 200, 20000));
    elections = cluster->counts.elections;
    for (i = 0; i < 3; i++) {
        set_member(cluster, 3 + i, true);
        ck_assert(cluster_commit(cluster, 100, 20000));
        set_member(cluster, i, false);
        ck_assert(cluster_commit(cluster, 100, 20000));
        cluster_crash(cluster, i);
    }
    members = raft_node_configuration(leader_of(cluster));
    ck_assert_uint_eq(members->server_count, 3);
    for (i = 0; i < 3; i++)
        ck_assert_ptr_null(
            raft_configuration_find(members, cluster->servers[i].id));
    ck_assert(cluster_run_until_converged(cluster, 20000));
    ck_assert_uint_gt(cluster->counts.installs, 0);
    /* Only a leader that left made room for another: nobody was disturbed. */
    ck_assert_uint_le(cluster->counts.elections, elections + 3);
    cluster_free(cluster);
}
END_TEST

/* ---- memory and space ---- */

/* A leader that hears nobody takes so many proposals and no more; then it
 * steps down, and everybody is told. */
START_TEST(proposals_without_a_majority_are_bounded)
{
    struct cluster *cluster = cluster_new(7, 3, 3);
    unsigned leader, taken = 0;
    int rv = 0;

    ck_assert(cluster_commit(cluster, 10, 10000));
    leader = (unsigned)cluster_leader(cluster);
    cluster_isolate(cluster, leader, true);
    while (rv == 0 && taken < 100000) {
        rv = cluster_propose(cluster, leader, 8);
        taken += rv == 0;
    }
    ck_assert_int_eq(rv, RAFT_EBUSY);
    ck_assert_uint_le(taken, 65536);
    cluster_run_ms(cluster, 5000);
    ck_assert_uint_eq(cluster->proposals_open, 0);
    cluster_free(cluster);
}
END_TEST

/* Of the server that is down: with what its write-ahead log still holds. */
static off_t database_bytes(const struct cluster *cluster)
{
    char *path = base_asprintf(
        "%s/raft.db", fault_disk_folder(cluster->servers[0].files));
    struct stat info;
    sqlite3 *db;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "PRAGMA wal_checkpoint", NULL, NULL,
                                  NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(stat(path, &info), 0);
    base_free(path);
    return info.st_size;
}

/* A log that grew long while there were no snapshots does not leave its file
 * so long for ever. */
START_TEST(the_database_gives_its_space_back)
{
    struct cluster *cluster = on_files(8, 1, 0);
    unsigned i;

    leader_of(cluster);
    for (i = 0; i < 2000; i++) {
        (void)cluster_propose(cluster, 0, 8000);
        if (i % 20 == 19)
            cluster_run_ms(cluster, 20);
    }
    ck_assert(cluster_commit(cluster, 10, 20000));
    cluster_kill(cluster, 0);
    ck_assert_int_gt(database_bytes(cluster), 8 << 20);
    cluster->config.snapshot_threshold = 100;
    cluster_start(cluster, 0);
    for (i = 0; i < 30; i++) { /* a snapshot each */
        ck_assert(cluster_commit(cluster, 120, 20000));
        cluster_run_ms(cluster, 500);
    }
    cluster_kill(cluster, 0);
    ck_assert_int_lt(database_bytes(cluster), 4 << 20);
    cluster_free(cluster);
}
END_TEST

Suite *troubles_suite(void);

Suite *troubles_suite(void)
{
    Suite *suite = suite_create("troubles");
    TCase *tcase = tcase_create("troubles");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_leader_with_a_full_disk_is_replaced);
    tcase_add_loop_test(tcase, a_leader_whose_disk_stalls_is_replaced, 0, 2);
    tcase_add_test(tcase, commits_go_on_while_a_snapshot_is_taken);
    tcase_add_loop_test(tcase, all_servers_are_replaced_one_by_one, 0, 3);
    tcase_add_test(tcase, proposals_without_a_majority_are_bounded);
    tcase_add_test(tcase, the_database_gives_its_space_back);
    suite_add_tcase(suite, tcase);
    return suite;
}
