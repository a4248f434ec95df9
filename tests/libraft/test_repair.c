/* The way back of a server whose storage lost something: what it may do until
 * then, and that it counts again afterwards. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cluster.h"
#include "suite.h"

/* Three servers with a history, of which one that does not lead is down. */
static struct cluster *one_down(uint64_t seed, unsigned *victim)
{
    struct cluster *cluster = cluster_new(seed, 3, 3);

    ck_assert(cluster_commit(cluster, 50, 10000));
    ck_assert(cluster_run_until_converged(cluster, 5000));
    *victim = ((unsigned)cluster_leader(cluster) + 1) % 3;
    cluster_crash(cluster, *victim);
    return cluster;
}

static void lose(struct cluster *cluster, unsigned victim, bool tail)
{
    struct raft_memory_disk *disk = cluster->servers[victim].disk;

    if (tail)
        ck_assert_uint_eq(raft_memory_disk_lose_tail(disk, 30), 30);
    else
        ck_assert(raft_memory_disk_flip_bit(disk, 20, 77));
}

static bool is_behind(const struct cluster *cluster, unsigned server)
{
    struct raft_status status;

    raft_node_status(cluster->servers[server].node, &status);
    return status.behind;
}

static bool all_are_whole(void *arg)
{
    const struct cluster *cluster = arg;
    unsigned i;

    for (i = 0; i < cluster->count; i++) {
        if (cluster->servers[i].node != NULL &&
            (!raft_node_is_ready(cluster->servers[i].node) ||
             is_behind(cluster, i)))
            return false;
    }
    return true;
}

/* _i: a damaged entry, a lost tail. */
START_TEST(who_lost_something_comes_back_and_counts)
{
    unsigned victim, leader;
    struct cluster *cluster = one_down(21, &victim);

    lose(cluster, victim, _i == 1);
    cluster_start(cluster, victim);
    ck_assert(cluster_run_until(cluster, all_are_whole, cluster, 10000));
    ck_assert(cluster_run_until_converged(cluster, 10000));
    /* Again a third of a majority: without it the next two are not one. */
    leader = (unsigned)cluster_leader(cluster);
    ck_assert_uint_ne(leader, victim);
    cluster_crash(cluster, leader);
    ck_assert(cluster_commit(cluster, 10, 20000));
    cluster_free(cluster);
}
END_TEST

START_TEST(who_lost_something_votes_for_nobody)
{
    unsigned victim;
    struct cluster *cluster = one_down(22, &victim);

    lose(cluster, victim, _i == 1);
    /* The leader goes too: the third cannot know what it alone may have. */
    cluster_crash(cluster, (unsigned)cluster_leader(cluster));
    cluster_start(cluster, victim);
    cluster_run_ms(cluster, 20000);
    ck_assert_int_lt(cluster_leader(cluster), 0);
    ck_assert(is_behind(cluster, victim));
    cluster_free(cluster);
}
END_TEST

/* Cut off from its leader in the middle of the way back, it must not forget
 * that it is on the way: not even in a crash. */
START_TEST(the_way_back_survives_a_crash)
{
    unsigned victim, leader, third;
    struct cluster *cluster = one_down(23, &victim);
    raft_index before;

    leader = (unsigned)cluster_leader(cluster);
    third = 3 - victim - leader;
    lose(cluster, victim, true);
    before = raft_last_index(cluster_core(cluster, leader));
    cluster_start(cluster, victim);
    /* Until its log may begin anew, and no further. */
    while (cluster_core(cluster, victim) == NULL ||
           raft_repair_until(cluster_core(cluster, victim)) == 0)
        cluster_run_ms(cluster, 1);
    ck_assert_uint_ge(raft_repair_until(cluster_core(cluster, victim)),
                      before);
    cluster_cut(cluster, victim, leader, true);
    cluster_run_ms(cluster, 50); /* its disk has it */
    cluster_crash(cluster, victim);
    cluster_crash(cluster, leader);
    cluster_start(cluster, victim);
    cluster_run_ms(cluster, 20000);
    ck_assert_int_lt(cluster_leader(cluster), 0);
    ck_assert(is_behind(cluster, victim));
    ck_assert_ptr_nonnull(cluster->servers[third].node);
    cluster_heal(cluster);
    cluster_start(cluster, leader);
    ck_assert(cluster_commit(cluster, 10, 20000));
    ck_assert(cluster_run_until(cluster, all_are_whole, cluster, 10000));
    cluster_free(cluster);
}
END_TEST

/* What it needs was compacted away: it comes back by a snapshot. */
START_TEST(the_way_back_can_be_a_snapshot)
{
    struct cluster *cluster = cluster_new_with(24, 3, 3, 50);
    unsigned victim;

    ck_assert(cluster_commit(cluster, 30, 10000));
    ck_assert(cluster_run_until_converged(cluster, 5000));
    victim = ((unsigned)cluster_leader(cluster) + 1) % 3;
    cluster_crash(cluster, victim);
    ck_assert(cluster_commit(cluster, 300, 20000));
    ck_assert(raft_memory_disk_flip_bit(cluster->servers[victim].disk, 5, 9));
    cluster_start(cluster, victim);
    ck_assert(cluster_run_until(cluster, all_are_whole, cluster, 20000));
    ck_assert(cluster_run_until_converged(cluster, 10000));
    cluster_free(cluster);
}
END_TEST

/* Twice in a row: the second life is told apart from the first. */
START_TEST(losing_something_again_is_noticed_again)
{
    unsigned victim;
    struct cluster *cluster = one_down(25, &victim);

    lose(cluster, victim, false);
    cluster_start(cluster, victim);
    ck_assert(cluster_run_until(cluster, all_are_whole, cluster, 10000));
    ck_assert(cluster_commit(cluster, 40, 10000));
    ck_assert(cluster_run_until_converged(cluster, 5000));
    cluster_crash(cluster, victim);
    lose(cluster, victim, true);
    cluster_start(cluster, victim);
    cluster_run_ms(cluster, 1);
    ck_assert(cluster_run_until(cluster, all_are_whole, cluster, 10000));
    ck_assert(cluster_run_until_converged(cluster, 5000));
    cluster_free(cluster);
}
END_TEST

/* Pages of SQLite's that are garbage: a server begins anew, is given all, and
 * counts. */
static void spoil(const struct cluster *cluster, unsigned victim, long page)
{
    char *path = base_asprintf(
        "%s/raft.db", fault_disk_folder(cluster->servers[victim].files));
    FILE *file = fopen(path, "r+");
    char garbage[1000];

    memset(garbage, 0x5a, sizeof(garbage));
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, page * 4096, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(garbage, sizeof(garbage), 1, file), 1);
    fclose(file);
    base_free(path);
}

START_TEST(who_lost_its_database_comes_back_and_counts)
{
    struct cluster_config config = {.seed = 26 + (uint64_t)_i,
                                    .count = 3,
                                    .voters = 3,
                                    .snapshot_threshold = _i % 2 ? 30 : 0,
                                    .on_files = true};
    struct cluster *cluster = cluster_make(&config);
    unsigned leader, victim;

    ck_assert(cluster_commit(cluster, 60, 20000));
    ck_assert(cluster_run_until_converged(cluster, 5000));
    leader = (unsigned)cluster_leader(cluster);
    victim = _i < 2 ? (leader + 1) % 3 : leader;
    cluster_kill(cluster, victim);
    spoil(cluster, victim, _i);
    cluster_start(cluster, victim);
    ck_assert_ptr_nonnull(cluster->servers[victim].node);
    ck_assert(cluster_run_until(cluster, all_are_whole, cluster, 20000));
    ck_assert(cluster_run_until_converged(cluster, 20000));
    /* It is one of two that commit. */
    cluster_crash(cluster, (victim + 1) % 3);
    ck_assert(cluster_commit(cluster, 10, 20000));
    ck_assert(!cluster->servers[victim].fatal);
    cluster_free(cluster);
}
END_TEST

Suite *repair_suite(void)
{
    Suite *suite = suite_create("repair");
    TCase *tcase = tcase_create("all");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, who_lost_something_comes_back_and_counts, 0, 2);
    tcase_add_loop_test(tcase, who_lost_something_votes_for_nobody, 0, 2);
    tcase_add_test(tcase, the_way_back_survives_a_crash);
    tcase_add_test(tcase, the_way_back_can_be_a_snapshot);
    tcase_add_test(tcase, losing_something_again_is_noticed_again);
    tcase_add_loop_test(tcase, who_lost_its_database_comes_back_and_counts, 0,
                        4);
    suite_add_tcase(suite, tcase);
    return suite;
}
