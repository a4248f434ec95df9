/* Nodes in the simulator: elections, replication, crashes, partitions. */
#include <string.h>

#include "base/alloc.h"
#include "cluster.h"
#include "suite.h"

static const unsigned sizes[] = {1, 3, 5};

START_TEST(a_cluster_elects_and_commits)
{
    struct cluster *cluster = cluster_new(1, sizes[_i], sizes[_i]);

    ck_assert(cluster_run_until_leader(cluster, 10000));
    ck_assert(cluster_commit(cluster, 100, 10000));
    ck_assert(cluster_run_until_converged(cluster, 5000));
    ck_assert_uint_eq(cluster->servers[0].state.count, 100);
    cluster_free(cluster);
}
END_TEST

START_TEST(a_single_server_leads_at_once)
{
    struct cluster *cluster = cluster_new(2, 1, 1);

    ck_assert(cluster_run_until_leader(cluster, 100));
    cluster_free(cluster);
}
END_TEST

START_TEST(everything_acknowledged_survives_a_crash_of_all)
{
    unsigned count = sizes[_i];
    struct cluster *cluster = cluster_new(3, count, count);
    uint64_t acked;
    unsigned i;

    ck_assert(cluster_commit(cluster, 200, 20000));
    acked = cluster->counts.acked;
    for (i = 0; i < count; i++)
        cluster_crash(cluster, i);
    for (i = 0; i < count; i++)
        cluster_start(cluster, i);
    ck_assert(cluster_run_until_leader(cluster, 20000));
    ck_assert(cluster_run_until_converged(cluster, 5000));
    ck_assert_uint_ge(cluster->servers[0].state.count, acked);
    cluster_free(cluster);
}
END_TEST

START_TEST(a_crashed_leader_is_replaced_and_catches_up)
{
    struct cluster *cluster = cluster_new(4, 3, 3);
    unsigned old;

    ck_assert(cluster_commit(cluster, 10, 10000));
    old = (unsigned)cluster_leader(cluster);
    cluster_crash(cluster, old);
    ck_assert(cluster_commit(cluster, 50, 10000));
    cluster_start(cluster, old);
    ck_assert(cluster_run_until_converged(cluster, 10000));
    ck_assert_uint_ge(cluster->servers[old].state.count, 60);
    cluster_free(cluster);
}
END_TEST

START_TEST(a_leader_cut_off_steps_down_and_its_tail_is_replaced)
{
    struct cluster *cluster = cluster_new(5, 5, 5);
    const struct raft *core;
    unsigned old;

    ck_assert(cluster_commit(cluster, 10, 10000));
    old = (unsigned)cluster_leader(cluster);
    cluster_isolate(cluster, old, true);
    ck_assert_int_eq(cluster_propose(cluster, old, 32), 0);
    cluster_run_ms(cluster, 2500);
    core = cluster_core(cluster, old);
    ck_assert_int_ne(raft_role(core), RAFT_LEADER); /* check-quorum */
    ck_assert_uint_eq(cluster->proposals_open, 0);  /* it was told */
    ck_assert(cluster_commit(cluster, 10, 10000));
    cluster_heal(cluster);
    ck_assert(cluster_run_until_converged(cluster, 10000));
    ck_assert_uint_gt(cluster->counts.truncations, 0);
    ck_assert_uint_eq(cluster->servers[old].state.count, 20);
    cluster_free(cluster);
}
END_TEST

/* Pre-vote: one that was away comes back without raising anybody's term. */
START_TEST(who_returns_disturbs_no_leader)
{
    struct cluster *cluster = cluster_new(6, 3, 3);
    raft_term term;
    unsigned leader, away;

    ck_assert(cluster_commit(cluster, 10, 10000));
    leader = (unsigned)cluster_leader(cluster);
    term = raft_current_term(cluster_core(cluster, leader));
    away = (leader + 1) % 3;
    cluster_isolate(cluster, away, true);
    cluster_run_ms(cluster, 20000);
    cluster_heal(cluster);
    cluster_run_ms(cluster, 5000);
    ck_assert_int_eq(cluster_leader(cluster), (int)leader);
    ck_assert_uint_eq(raft_current_term(cluster_core(cluster, leader)), term);
    ck_assert_uint_eq(raft_current_term(cluster_core(cluster, away)), term);
    cluster_free(cluster);
}
END_TEST

/* One way only: a follower that hears nothing but can be heard must not win
 * against a leader that works for everybody else. */
START_TEST(a_deaf_follower_disturbs_no_leader)
{
    struct cluster *cluster = cluster_new(7, 3, 3);
    raft_term term;
    unsigned leader, deaf;

    ck_assert(cluster_commit(cluster, 10, 10000));
    leader = (unsigned)cluster_leader(cluster);
    term = raft_current_term(cluster_core(cluster, leader));
    deaf = (leader + 1) % 3;
    cluster_cut_one_way(cluster, leader, deaf, true);
    cluster_run_ms(cluster, 10000);
    ck_assert(cluster_commit(cluster, 10, 2000));
    ck_assert_int_eq(cluster_leader(cluster), (int)leader);
    ck_assert_uint_eq(raft_current_term(cluster_core(cluster, leader)), term);
    cluster_heal(cluster);
    ck_assert(cluster_run_until_converged(cluster, 10000));
    cluster_free(cluster);
}
END_TEST

/* A leader that can speak and hears nobody must go. */
START_TEST(a_deaf_leader_steps_down)
{
    struct cluster *cluster = cluster_new(8, 3, 3);
    unsigned leader;

    ck_assert(cluster_commit(cluster, 10, 10000));
    leader = (unsigned)cluster_leader(cluster);
    cluster_cut_one_way(cluster, (leader + 1) % 3, leader, true);
    cluster_cut_one_way(cluster, (leader + 2) % 3, leader, true);
    cluster_run_ms(cluster, 5000);
    ck_assert_int_ne(raft_role(cluster_core(cluster, leader)), RAFT_LEADER);
    ck_assert(cluster_commit(cluster, 10, 10000));
    cluster_heal(cluster);
    ck_assert(cluster_run_until_converged(cluster, 10000));
    cluster_free(cluster);
}
END_TEST

START_TEST(loss_and_duplicates_only_slow_it_down)
{
    struct cluster *cluster = cluster_new(9, 3, 3);

    cluster->loss_ppm = 200000;
    cluster->duplicate_ppm = 100000;
    ck_assert(cluster_commit(cluster, 100, 120000));
    cluster_heal(cluster);
    ck_assert(cluster_run_until_converged(cluster, 10000));
    cluster_free(cluster);
}
END_TEST

START_TEST(without_a_majority_nothing_is_acknowledged)
{
    struct cluster *cluster = cluster_new(10, 3, 3);
    uint64_t acked;
    unsigned leader;

    ck_assert(cluster_commit(cluster, 10, 10000));
    acked = cluster->counts.acked;
    leader = (unsigned)cluster_leader(cluster);
    cluster_crash(cluster, (leader + 1) % 3);
    cluster_crash(cluster, (leader + 2) % 3);
    (void)cluster_propose(cluster, leader, 32);
    cluster_run_ms(cluster, 10000);
    ck_assert_uint_eq(cluster->counts.acked, acked);
    ck_assert_int_eq(cluster_leader(cluster), -1);
    cluster_start(cluster, (leader + 1) % 3);
    ck_assert(cluster_commit(cluster, 10, 20000));
    cluster_free(cluster);
}
END_TEST

static int fail_write(void *arg)
{
    return *(bool *)arg ? RAFT_ESTORAGE : 0;
}

/* A failed write is final: the server stops, the others go on. */
START_TEST(a_leader_whose_disk_fails_stops)
{
    struct cluster *cluster = cluster_new(11, 3, 3);
    bool failing = true;
    struct raft_memory_faults faults = {fail_write, &failing};
    struct raft_status status;
    unsigned leader;

    ck_assert(cluster_commit(cluster, 10, 10000));
    leader = (unsigned)cluster_leader(cluster);
    raft_memory_disk_set_faults(cluster->servers[leader].disk, &faults);
    ck_assert_int_eq(cluster_propose(cluster, leader, 32), 0);
    cluster_run_ms(cluster, 100);
    ck_assert(cluster->servers[leader].fatal);
    ck_assert_uint_eq(cluster->proposals_open, 0);
    ck_assert_int_eq(cluster_propose(cluster, leader, 32), RAFT_ESTOPPED);
    raft_node_status(cluster->servers[leader].node, &status);
    ck_assert(status.stopped);
    ck_assert_int_eq(status.role, RAFT_FOLLOWER);
    ck_assert(cluster_commit(cluster, 10, 20000));
    ck_assert_int_ne(cluster_leader(cluster), (int)leader);
    cluster_free(cluster);
}
END_TEST

static void read_done(void *arg, int status)
{
    *(int *)arg = status;
}

START_TEST(a_read_barrier_confirms_leadership)
{
    struct cluster *cluster = cluster_new(13, 3, 3);
    int status = 1;
    unsigned leader;

    ck_assert(cluster_commit(cluster, 10, 10000));
    leader = (unsigned)cluster_leader(cluster);
    ck_assert_int_eq(raft_node_read_barrier(cluster->servers[leader].node,
                                            read_done, &status),
                     0);
    ck_assert_int_eq(status, 1); /* never inside the call */
    cluster_run_ms(cluster, 50);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(
        raft_node_read_barrier(cluster->servers[(leader + 1) % 3].node,
                               read_done, &status),
        RAFT_ENOTLEADER);

    /* Cut off, it cannot confirm, and says so when it steps down. */
    status = 1;
    cluster_isolate(cluster, leader, true);
    ck_assert_int_eq(raft_node_read_barrier(cluster->servers[leader].node,
                                            read_done, &status),
                     0);
    cluster_run_ms(cluster, 3000);
    ck_assert_int_eq(status, RAFT_ENOTLEADER);
    cluster_free(cluster);
}
END_TEST

START_TEST(a_second_bootstrap_is_refused)
{
    struct cluster *cluster = cluster_new(14, 1, 1);
    struct raft_configuration none = {0};

    ck_assert_int_eq(raft_node_bootstrap(cluster->servers[0].node,
                                         &cluster->configuration, NULL, NULL),
                     RAFT_EEXIST);
    ck_assert_int_eq(
        raft_node_bootstrap(cluster->servers[0].node, &none, NULL, NULL),
        RAFT_EINVAL);
    cluster_free(cluster);
}
END_TEST

/* Who frees a node inside one of its callbacks gets away with it. */
struct freer {
    struct cluster *cluster;
    bool called;
};

static void free_inside(void *arg, int status, raft_index index, void *result)
{
    struct freer *freer = arg;
    struct cluster_server *server = &freer->cluster->servers[0];
    struct raft_node *node = server->node;

    (void)index;
    (void)result;
    if (!freer->called)
        ck_assert_int_eq(status, 0);
    else
        ck_assert_int_eq(status, RAFT_ESTOPPED);
    freer->called = true;
    server->node = NULL;
    raft_node_free(node);
}

START_TEST(a_callback_may_free_the_node)
{
    struct cluster *cluster = cluster_new(15, 1, 1);
    struct freer freer = {cluster, false};
    int i;

    ck_assert(cluster_run_until_leader(cluster, 1000));
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(raft_node_propose(cluster->servers[0].node, "x", 1,
                                           free_inside, &freer),
                         0);
    cluster_run_ms(cluster, 1000);
    ck_assert(freer.called);
    cluster_free(cluster);
}
END_TEST

/* Silence, a loss, lagging and being level again are told within a moment. */
START_TEST(a_leader_tells_how_its_followers_fare)
{
    struct cluster *cluster = cluster_new(71, 3, 3);
    struct cluster_server *leader;
    unsigned victim;
    uint64_t limit = 100;

    ck_assert(cluster_commit(cluster, 10, 10000));
    leader = &cluster->servers[cluster_leader(cluster)];
    victim = (leader->number + 1) % 3;
    cluster_run_ms(cluster, 300);
    ck_assert_int_eq(leader->told[victim], RAFT_FOLLOWER_LEVEL);
    cluster_crash(cluster, victim);
    cluster_run_ms(cluster, 1500);
    ck_assert_int_eq(leader->told[victim], RAFT_FOLLOWER_SILENT);
    ck_assert(cluster_commit(cluster, 3000, 20000));
    raft_memory_disk_lose_tail(cluster->servers[victim].disk, 5);
    cluster_start(cluster, victim);
    while (leader->told[victim] == RAFT_FOLLOWER_SILENT && limit-- > 0)
        cluster_run_ms(cluster, 10);
    ck_assert_int_ne(leader->told[victim], RAFT_FOLLOWER_SILENT);
    cluster_run_ms(cluster, 3000);
    ck_assert_int_eq(leader->told[victim], RAFT_FOLLOWER_LEVEL);
    cluster_free(cluster);
}
END_TEST

START_TEST(hostile_bytes_are_refused)
{
    struct cluster *cluster = cluster_new(16, 3, 3);
    uint8_t garbage[512];
    unsigned round, i;

    ck_assert(cluster_commit(cluster, 5, 10000));
    for (round = 0; round < 2000; round++) {
        size_t len = base_sim_random_below(cluster->sim, sizeof(garbage));

        for (i = 0; i < len; i++)
            garbage[i] = (uint8_t)base_sim_random_below(cluster->sim, 256);
        raft_node_receive(cluster->servers[0].node, garbage, len);
    }
    ck_assert(cluster_commit(cluster, 5, 10000));
    cluster_free(cluster);
}
END_TEST

static void receive(struct cluster *cluster, unsigned server,
                    const struct raft_message *message, const char *cluster_id)
{
    struct base_buf packed = BASE_BUF_INIT;

    raft_message_pack(message, cluster_id, &packed);
    raft_node_receive(cluster->servers[server].node, base_buf_data(&packed),
                      base_buf_len(&packed));
    base_buf_close(&packed);
}

START_TEST(strangers_and_far_terms_are_refused)
{
    struct cluster *cluster = cluster_new(17, 3, 3);
    struct raft_message message = {.type = RAFT_MESSAGE_APPEND_REPLY};
    struct raft_status status;
    char ours[RAFT_ID_MAX];
    unsigned leader;
    raft_term term;

    ck_assert(cluster_commit(cluster, 5, 10000));
    leader = (unsigned)cluster_leader(cluster);
    raft_node_status(cluster->servers[leader].node, &status);
    memcpy(ours, status.cluster_id, sizeof(ours));
    term = status.term;
    strcpy(message.to, cluster->servers[leader].id);
    strcpy(message.from, "nobody");
    message.term = term + 10;
    receive(cluster, leader, &message, ours); /* unknown server */
    strcpy(message.from, cluster->servers[(leader + 1) % 3].id);
    receive(cluster, leader, &message, "other"); /* another cluster */
    strcpy(message.to, "s9");
    receive(cluster, leader, &message, ours); /* not for us */
    strcpy(message.to, cluster->servers[leader].id);
    message.term = term + RAFT_TERM_JUMP_MAX + 1;
    receive(cluster, leader, &message, ours); /* far future */
    message.term = term;
    message.u.append_reply.match = 1u << 30;
    receive(cluster, leader, &message, ours); /* acks what is not there */
    raft_node_status(cluster->servers[leader].node, &status);
    ck_assert_uint_eq(status.term, term);
    ck_assert_int_eq(status.role, RAFT_LEADER);
    ck_assert_uint_lt(status.commit_index, 1u << 30);
    cluster_free(cluster);
}
END_TEST

START_TEST(who_is_far_behind_gets_a_snapshot)
{
    struct cluster *cluster = cluster_new_with(18, 3, 3, 50);
    struct raft_status status;
    unsigned away;

    ck_assert(cluster_commit(cluster, 10, 10000));
    away = ((unsigned)cluster_leader(cluster) + 1) % 3;
    cluster_crash(cluster, away);
    ck_assert(cluster_commit(cluster, 400, 30000));
    cluster_run_ms(cluster, 1000);
    raft_node_status(
        cluster->servers[(unsigned)cluster_leader(cluster)].node, &status);
    ck_assert_uint_gt(status.first_index, 100); /* the log was compacted */
    cluster_start(cluster, away);
    ck_assert(cluster_run_until_converged(cluster, 20000));
    ck_assert_uint_gt(cluster->counts.installs, 0);
    ck_assert_uint_eq(cluster->servers[away].state.count, 410);
    /* And it comes back from its own disk. */
    cluster_crash(cluster, away);
    cluster_start(cluster, away);
    ck_assert(cluster_commit(cluster, 10, 10000));
    ck_assert(cluster_run_until_converged(cluster, 20000));
    cluster_free(cluster);
}
END_TEST

static bool is_installed(void *arg)
{
    return ((const struct cluster *)arg)->counts.installs > 0;
}

/* 48 pieces over a link of 40 ms there and back: one at a time would take two
 * seconds. */
START_TEST(a_large_snapshot_goes_in_a_window_of_pieces)
{
    struct cluster_config config = {.seed = 21,
                                    .count = 3,
                                    .voters = 3,
                                    .snapshot_threshold = 50,
                                    .ballast_bytes = 12u << 20};
    struct cluster *cluster = cluster_make(&config);
    unsigned away;

    ck_assert(cluster_commit(cluster, 10, 10000));
    away = ((unsigned)cluster_leader(cluster) + 1) % 3;
    cluster_crash(cluster, away);
    ck_assert(cluster_commit(cluster, 200, 30000));
    cluster_run_ms(cluster, 2000);
    cluster->delay_min_us = 20000; /* always: in order */
    cluster->delay_max_us = 20000;
    cluster_start(cluster, away);
    ck_assert(cluster_run_until(cluster, is_installed, cluster, 1500));
    ck_assert(cluster_run_until_converged(cluster, 5000));
    ck_assert_uint_eq(cluster->servers[away].state.count, 210);
    cluster_free(cluster);
}
END_TEST

static void wish_done(void *arg, int status)
{
    *(int *)arg = status;
}

START_TEST(servers_join_and_leave_one_at_a_time)
{
    struct cluster *cluster = cluster_new_with(19, 4, 3, 50);
    const struct raft_configuration *now;
    struct raft_server server;
    struct raft_node *leader;
    int status = 1, other = 1;
    unsigned first;

    ck_assert(cluster_commit(cluster, 200, 20000));
    first = (unsigned)cluster_leader(cluster);
    leader = cluster->servers[first].node;
    cluster_server_entry(cluster, 3, RAFT_VOTER, &server);
    ck_assert_int_eq(raft_node_add_server(leader, &server, wish_done, &status),
                     0);
    ck_assert_int_eq(
        raft_node_remove_server(leader, "s0", wish_done, &other),
        RAFT_ECHANGE);
    ck_assert_int_eq(status, 1);
    cluster_run_ms(cluster, 5000);
    ck_assert_int_eq(status, 0);
    now = raft_node_configuration(cluster->servers[3].node);
    ck_assert_uint_eq(now->server_count, 4);
    ck_assert_int_eq(raft_configuration_find(now, "s3")->suffrage, RAFT_VOTER);
    ck_assert(cluster_run_until_converged(cluster, 5000));

    /* The leader removes itself, and another one leads. */
    status = 1;
    ck_assert_int_eq(
        raft_node_remove_server(leader, cluster->servers[first].id, wish_done,
                                &status),
        0);
    cluster_run_ms(cluster, 10000);
    ck_assert_int_eq(status, 0);
    ck_assert_int_ne(cluster_leader(cluster), (int)first);
    cluster_crash(cluster, first);
    ck_assert(cluster_commit(cluster, 50, 20000));
    ck_assert(cluster_run_until_converged(cluster, 5000));
    cluster_free(cluster);
}
END_TEST

START_TEST(leadership_goes_to_whom_it_is_handed)
{
    struct cluster *cluster = cluster_new(20, 3, 3);
    unsigned old, target;
    uint64_t began;
    int status = 1;

    ck_assert(cluster_commit(cluster, 50, 20000));
    old = (unsigned)cluster_leader(cluster);
    target = (old + 2) % 3;
    began = base_sim_now_ns(cluster->sim);
    ck_assert_int_eq(raft_node_transfer(cluster->servers[old].node,
                                        cluster->servers[target].id,
                                        wish_done, &status),
                     0);
    while (cluster_leader(cluster) != (int)target &&
           base_sim_now_ns(cluster->sim) < began + 500000000u)
        cluster_run_ms(cluster, 5);
    /* Far below an election timeout. */
    ck_assert_int_eq(cluster_leader(cluster), (int)target);
    cluster_run_ms(cluster, 100);
    ck_assert_int_eq(status, 0);
    ck_assert(cluster_commit(cluster, 10, 5000));
    cluster_free(cluster);
}
END_TEST

/* Random faults, all invariants after every event, then quiet: it must
 * converge. `make sim` runs thousands of these. */
START_TEST(random_faults_break_no_invariant)
{
    struct cluster *cluster = cluster_new((uint64_t)_i + 100, 5, 5);
    unsigned round;

    for (round = 0; round < 60; round++) {
        unsigned victim = (unsigned)base_sim_random_below(cluster->sim, 5);
        unsigned other = (unsigned)base_sim_random_below(cluster->sim, 5);
        int leader = cluster_leader(cluster);

        switch (base_sim_random_below(cluster->sim, 6)) {
        case 0:
            cluster_crash(cluster, victim);
            break;
        case 1:
        case 2:
            cluster_start(cluster, victim);
            break;
        case 3:
            if (victim != other)
                cluster_cut_one_way(cluster, victim, other, true);
            break;
        case 4:
            cluster_heal(cluster);
            break;
        default:
            cluster->loss_ppm = 100000;
        }
        if (leader >= 0) {
            (void)cluster_propose(cluster, (unsigned)leader, 64);
            (void)cluster_propose(cluster, (unsigned)leader, 64);
        }
        cluster_run_ms(cluster, base_sim_random_below(cluster->sim, 1000));
    }
    cluster_heal(cluster);
    for (round = 0; round < 5; round++)
        cluster_start(cluster, round);
    ck_assert(cluster_commit(cluster, 5, 30000));
    ck_assert(cluster_run_until_converged(cluster, 10000));
    cluster_free(cluster);
}
END_TEST

Suite *node_suite(void)
{
    Suite *suite = suite_create("node");
    TCase *tcase = tcase_create("node");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, a_cluster_elects_and_commits, 0, 3);
    tcase_add_test(tcase, a_single_server_leads_at_once);
    tcase_add_loop_test(tcase, everything_acknowledged_survives_a_crash_of_all,
                        0, 3);
    tcase_add_test(tcase, a_crashed_leader_is_replaced_and_catches_up);
    tcase_add_test(tcase,
                   a_leader_cut_off_steps_down_and_its_tail_is_replaced);
    tcase_add_test(tcase, who_returns_disturbs_no_leader);
    tcase_add_test(tcase, a_deaf_follower_disturbs_no_leader);
    tcase_add_test(tcase, a_deaf_leader_steps_down);
    tcase_add_test(tcase, loss_and_duplicates_only_slow_it_down);
    tcase_add_test(tcase, without_a_majority_nothing_is_acknowledged);
    tcase_add_test(tcase, a_leader_whose_disk_fails_stops);
    tcase_add_test(tcase, a_read_barrier_confirms_leadership);
    tcase_add_test(tcase, a_second_bootstrap_is_refused);
    tcase_add_test(tcase, a_callback_may_free_the_node);
    tcase_add_test(tcase, a_leader_tells_how_its_followers_fare);
    tcase_add_test(tcase, hostile_bytes_are_refused);
    tcase_add_test(tcase, strangers_and_far_terms_are_refused);
    tcase_add_test(tcase, who_is_far_behind_gets_a_snapshot);
    tcase_add_test(tcase, a_large_snapshot_goes_in_a_window_of_pieces);
    tcase_add_test(tcase, servers_join_and_leave_one_at_a_time);
    tcase_add_test(tcase, leadership_goes_to_whom_it_is_handed);
    tcase_add_loop_test(tcase, random_faults_break_no_invariant, 0, 10);
    suite_add_tcase(suite, tcase);
    return suite;
}
