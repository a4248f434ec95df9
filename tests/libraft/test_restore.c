/* A user restores a state: on all servers, at one place of the log, or not at
 * all, whatever happens meanwhile. That clients see it as writes at one moment
 * is raft_sim's to check. */
#include "base/alloc.h"
#include "cluster.h"
#include "suite.h"

#define PENDING 1

static struct cluster *make(uint64_t seed, uint32_t threshold, size_t ballast)
{
    struct cluster_config config = {.seed = seed,
                                    .count = 3,
                                    .voters = 3,
                                    .snapshot_threshold = threshold,
                                    .ballast_bytes = ballast,
                                    .on_files = seed % 2 == 0};
    struct cluster *cluster = cluster_make(&config);

    ck_assert(cluster_commit(cluster, 20, 20000));
    return cluster;
}

static bool is_known(void *arg)
{
    return *(int *)arg != PENDING;
}

static void restore_at_leader(struct cluster *cluster)
{
    int status = PENDING;

    ck_assert_int_eq(cluster_restore(cluster,
                                     (unsigned)cluster_leader(cluster),
                                     &status),
                     0);
    ck_assert(cluster_run_until(cluster, is_known, &status, 60000));
    ck_assert_int_eq(status, 0);
}

static raft_index first_index(const struct cluster *cluster, unsigned server)
{
    return raft_first_index(cluster_core(cluster, server));
}

/* On every server, with what came after it; and the log does not keep it. */
START_TEST(a_restored_state_is_everywhere)
{
    struct cluster *cluster = make(10 + (uint64_t)_i, 1000, 3u << 20);
    unsigned i;

    restore_at_leader(cluster);
    ck_assert(cluster_commit(cluster, 10, 20000));
    ck_assert(cluster_run_until_converged(cluster, 20000));
    cluster_run_ms(cluster, 5000);
    for (i = 0; i < 3; i++) {
        ck_assert_uint_eq(cluster->servers[i].state.count, 10);
        ck_assert_uint_ne(cluster->servers[i].state.registers[0], 0);
        ck_assert_uint_gt(first_index(cluster, i), 20);
    }
    /* And after a restart, from its snapshot. */
    cluster_crash(cluster, 0);
    cluster_start(cluster, 0);
    ck_assert(cluster_run_until_converged(cluster, 20000));
    cluster_check_history(cluster);
    cluster_free(cluster);
}
END_TEST

/* Without snapshots the log alone says it again. */
START_TEST(a_restart_restores_again)
{
    struct cluster *cluster = make(20 + (uint64_t)_i, 0, 1u << 20);
    unsigned i;

    restore_at_leader(cluster);
    ck_assert(cluster_commit(cluster, 10, 20000));
    for (i = 0; i < 3; i++)
        cluster_crash(cluster, i);
    for (i = 0; i < 3; i++)
        cluster_start(cluster, i);
    ck_assert(cluster_commit(cluster, 1, 20000));
    ck_assert(cluster_run_until_converged(cluster, 20000));
    ck_assert_uint_eq(cluster->servers[0].state.count, 11);
    ck_assert_uint_eq(first_index(cluster, 0), 1);
    cluster_free(cluster);
}
END_TEST

START_TEST(a_server_that_was_down_gets_it)
{
    struct cluster *cluster = make(30 + (uint64_t)_i, 1000, 2u << 20);
    unsigned down = ((unsigned)cluster_leader(cluster) + 1) % 3;

    cluster_crash(cluster, down);
    restore_at_leader(cluster);
    ck_assert(cluster_commit(cluster, 10, 20000));
    cluster_run_ms(cluster, 5000); /* the pieces leave the log */
    cluster_start(cluster, down);
    ck_assert(cluster_run_until_converged(cluster, 20000));
    ck_assert_uint_eq(cluster->servers[down].state.count, 10);
    ck_assert_uint_gt(cluster->counts.installs, 0);
    cluster_free(cluster);
}
END_TEST

/* Pieces are in the logs, their end is not: the old state stays, the next
 * leader takes snapshots as ever, and can be given a state. */
START_TEST(a_leader_that_dies_on_the_way_leaves_the_old_state)
{
    struct cluster *cluster = make(40 + (uint64_t)_i, 30, 4u << 20);
    unsigned leader = (unsigned)cluster_leader(cluster);
    raft_index before = raft_last_index(cluster_core(cluster, leader));
    int status = PENDING;
    uint64_t snapshots;
    unsigned i;

    base_sim_set_job_delay(cluster->sim, 5000, 5000);
    ck_assert_int_eq(cluster_restore(cluster, leader, &status), 0);
    while (raft_commit_index(cluster_core(cluster, leader)) < before + 6)
        cluster_run_ms(cluster, 1);
    ck_assert_int_eq(status, PENDING);
    snapshots = cluster->counts.snapshots;
    cluster_kill(cluster, leader);
    base_sim_set_job_delay(cluster->sim, 50, 500);
    ck_assert(cluster_commit(cluster, 50, 20000));
    cluster_start(cluster, leader);
    ck_assert(cluster_run_until_converged(cluster, 20000));
    ck_assert_uint_gt(cluster->counts.snapshots, snapshots);
    for (i = 0; i < 3; i++)
        ck_assert_uint_eq(cluster->servers[i].state.count, 70);
    restore_at_leader(cluster);
    ck_assert(cluster_run_until_converged(cluster, 20000));
    ck_assert_uint_eq(cluster->servers[leader].state.count, 0);
    cluster_free(cluster);
}
END_TEST

/* A follower restarts in the middle of it: what it had of the pieces counts,
 * for no snapshot was taken over them. */
START_TEST(a_follower_that_dies_on_the_way_has_it_all)
{
    struct cluster *cluster = make(50 + (uint64_t)_i, 30, 4u << 20);
    unsigned leader = (unsigned)cluster_leader(cluster);
    unsigned follower = (leader + 1) % 3;
    raft_index before = raft_last_index(cluster_core(cluster, leader));
    int status = PENDING;
    unsigned i;

    base_sim_set_job_delay(cluster->sim, 5000, 5000);
    ck_assert_int_eq(cluster_restore(cluster, leader, &status), 0);
    while (raft_commit_index(cluster_core(cluster, leader)) < before + 4)
        cluster_run_ms(cluster, 1);
    for (i = 0; i < 40; i++) /* a snapshot would be due */
        ck_assert_int_eq(cluster_propose(cluster, leader, 10), 0);
    cluster_run_ms(cluster, 30);
    ck_assert_int_eq(status, PENDING);
    cluster_crash(cluster, follower);
    base_sim_set_job_delay(cluster->sim, 50, 500);
    cluster_start(cluster, follower);
    ck_assert(cluster_run_until(cluster, is_known, &status, 20000));
    ck_assert_int_eq(status, 0);
    ck_assert(cluster_commit(cluster, 10, 20000));
    ck_assert(cluster_run_until_converged(cluster, 20000));
    ck_assert_uint_eq(cluster->servers[follower].state.count,
                      cluster->servers[leader].state.count);
    cluster_free(cluster);
}
END_TEST

START_TEST(one_at_a_time_and_only_at_the_leader)
{
    struct cluster *cluster = make(60, 0, 2u << 20);
    unsigned leader = (unsigned)cluster_leader(cluster);
    int status = PENDING;

    ck_assert_int_eq(cluster_restore(cluster, (leader + 1) % 3, NULL),
                     RAFT_ENOTLEADER);
    ck_assert_int_eq(cluster_restore(cluster, leader, &status), 0);
    ck_assert_int_eq(cluster_restore(cluster, leader, NULL), RAFT_ERESTORE);
    ck_assert(cluster_run_until(cluster, is_known, &status, 20000));
    ck_assert_int_eq(status, 0);
    restore_at_leader(cluster);
    cluster_free(cluster);
}
END_TEST

static void on_answer(void *arg, int status)
{
    *(int *)arg = status;
}

static int push(struct raft_node *node, uint64_t id, int *status)
{
    static const char piece[1000];

    *status = PENDING;
    return raft_node_restore_piece(node, id, piece, sizeof(piece), on_answer,
                                   status);
}

START_TEST(one_that_is_aborted_leaves_the_old_state)
{
    struct cluster *cluster = make(70 + (uint64_t)_i, 30, 1000);
    unsigned leader = (unsigned)cluster_leader(cluster);
    struct raft_node *node = cluster->servers[leader].node;
    raft_term term = raft_current_term(cluster_core(cluster, leader));
    uint64_t snapshots = cluster->counts.snapshots, id;
    int status;

    ck_assert_int_eq(raft_node_restore_begin(node, &id), 0);
    ck_assert_int_eq(push(node, id, &status), 0);
    ck_assert(cluster_run_until(cluster, is_known, &status, 20000));
    ck_assert_int_eq(status, 0);
    raft_node_restore_abort(node, id);
    ck_assert_int_eq(push(node, id, &status), RAFT_EINVAL);
    ck_assert_int_eq(raft_node_restore_end(node, id, on_answer, &status),
                     RAFT_EINVAL);
    ck_assert(cluster_commit(cluster, 60, 20000));
    cluster_run_ms(cluster, 2000);
    ck_assert_uint_eq(cluster->servers[leader].state.count, 80);
    /* It was given up in the log: snapshots go on in the same term. */
    ck_assert_uint_gt(cluster->counts.snapshots, snapshots + 1);
    ck_assert_uint_eq(raft_current_term(cluster_core(cluster, leader)), term);
    restore_at_leader(cluster);
    cluster_free(cluster);
}
END_TEST

/* While leadership is on its way to a server that cannot take it, the leader
 * takes nothing into its log, not its own word that a restore was given up
 * either; it must not ask itself again at once, and for ever. */
START_TEST(one_is_given_up_while_leadership_is_handed_on)
{
    struct cluster *cluster = make(90, 30, 1000);
    unsigned leader = (unsigned)cluster_leader(cluster);
    struct raft_node *node = cluster->servers[leader].node;
    unsigned deaf = (leader + 1) % 3;
    uint64_t snapshots = cluster->counts.snapshots, id;
    int status, handed = PENDING;

    ck_assert_int_eq(raft_node_restore_begin(node, &id), 0);
    ck_assert_int_eq(push(node, id, &status), 0);
    ck_assert(cluster_run_until(cluster, is_known, &status, 20000));
    cluster_isolate(cluster, deaf, true);
    ck_assert_int_eq(raft_node_transfer(node, cluster->servers[deaf].id,
                                        on_answer, &handed),
                     0);
    raft_node_restore_abort(node, id);
    ck_assert(cluster_run_until(cluster, is_known, &handed, 20000));
    ck_assert_int_ne(handed, 0);
    cluster_isolate(cluster, deaf, false);
    ck_assert(cluster_commit(cluster, 60, 20000));
    ck_assert_uint_gt(cluster->counts.snapshots, snapshots);
    cluster_free(cluster);
}
END_TEST

START_TEST(pieces_on_their_way_are_bounded)
{
    struct cluster *cluster = make(80, 0, 1000);
    struct raft_node *node =
        cluster->servers[cluster_leader(cluster)].node;
    static const char large[RAFT_RESTORE_PIECE_BYTES_MAX + 1];
    int status[RAFT_RESTORE_PIECES_MAX + 1];
    uint64_t id;
    unsigned i;

    ck_assert_int_eq(raft_node_restore_begin(node, &id), 0);
    ck_assert_int_eq(raft_node_restore_end(node, id, on_answer, status),
                     RAFT_EINVAL); /* of nothing */
    ck_assert_int_eq(raft_node_restore_piece(node, id, large, sizeof(large),
                                             on_answer, status),
                     RAFT_ETOOBIG);
    for (i = 0; i < RAFT_RESTORE_PIECES_MAX; i++)
        ck_assert_int_eq(push(node, id, &status[i]), 0);
    ck_assert_int_eq(push(node, id, &status[i]), RAFT_EBUSY);
    ck_assert(cluster_run_until(cluster, is_known, &status[i - 1], 20000));
    ck_assert_int_eq(status[i - 1], 0);
    ck_assert_int_eq(push(node, id, &status[i]), 0);
    cluster_free(cluster);
}
END_TEST

Suite *restore_suite(void);

Suite *restore_suite(void)
{
    Suite *suite = suite_create("restore");
    TCase *tcase = tcase_create("restore");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_restored_state_is_everywhere, 0, 2);
    tcase_add_loop_test(tcase, a_restart_restores_again, 0, 2);
    tcase_add_loop_test(tcase, a_server_that_was_down_gets_it, 0, 2);
    tcase_add_loop_test(
        tcase, a_leader_that_dies_on_the_way_leaves_the_old_state, 0, 4);
    tcase_add_loop_test(tcase, a_follower_that_dies_on_the_way_has_it_all, 0,
                        4);
    tcase_add_test(tcase, one_at_a_time_and_only_at_the_leader);
    tcase_add_loop_test(tcase, one_that_is_aborted_leaves_the_old_state, 0, 2);
    tcase_add_test(tcase, one_is_given_up_while_leadership_is_handed_on);
    tcase_add_test(tcase, pieces_on_their_way_are_bounded);
    suite_add_tcase(suite, tcase);
    return suite;
}
