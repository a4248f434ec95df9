/* Pools that form, lose members, and hear of it: SWIM end to end, in virtual
 * time (gossip.md 2). */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/broadcast.h"
#include "pool.h"
#include "suite.h"

static const size_t sizes[] = {3, 20, 100};

START_TEST(all_find_each_other)
{
    struct pool *pool = pool_new(1, sizes[_i]);
    size_t i;

    pool_start_all(pool);
    pool_form(pool);
    for (i = 0; i < pool->count; i++) {
        ck_assert_uint_eq(pool->nodes[i].joins, pool->count);
        ck_assert_int_eq(pool->nodes[i].leaves, 0);
    }
    pool_run_ms(pool, 30000);
    ck_assert(pool_agrees(pool));
    for (i = 0; i < pool->count; i++)
        ck_assert_uint_eq(gossip_memberlist_health(pool->nodes[i].ml), 0);
    pool_free(pool);
}
END_TEST

/* SWIM: every member is probed within two walks of the ring, and a suspicion
 * lasts at most its maximum. */
static uint64_t death_bound_ms(size_t count)
{
    const struct gossip_params *p = &gossip_params_lan;
    double scale = count < 10 ? 1 : count < 100 ? 1.31 : 2;

    return (uint64_t)(p->probe_interval_ms * 4 +
                      p->suspicion_mult * scale * p->probe_interval_ms *
                          p->suspicion_max_timeout_mult) + 2000;
}

START_TEST(a_death_is_noticed_by_all)
{
    struct pool *pool = pool_new(2, sizes[_i]);
    struct pool_sees sees = {pool, 0, 1, GOSSIP_DEAD};
    size_t i;

    pool_start_all(pool);
    pool_form(pool);
    pool_kill(pool, 1);
    pool_until(pool, pool_all_see, &sees, death_bound_ms(pool->count));
    for (i = 0; i < pool->count; i++)
        if (i != 1)
            ck_assert_int_eq(pool->nodes[i].leaves, 1);
    pool_free(pool);
}
END_TEST

START_TEST(a_leave_is_no_death)
{
    struct pool *pool = pool_new(3, sizes[_i]);
    struct pool_sees sees = {pool, 0, 2, GOSSIP_LEFT};
    struct pool_node *leaver = &pool->nodes[2];

    pool_start_all(pool);
    pool_form(pool);
    leaver->done_status = POOL_WAITING;
    ck_assert_int_eq(gossip_memberlist_leave(leaver->ml, 5000, pool_done,
                                             leaver), 0);
    ck_assert_int_eq(leaver->done_count, 1); /* of the join only */
    pool_until(pool, pool_is_done, leaver, 5000);
    ck_assert_int_eq(leaver->done_status, 0);
    pool_until(pool, pool_all_see, &sees, 5000);
    ck_assert_str_eq(leaver->last_event, "leave n2");
    ck_assert_int_eq(gossip_memberlist_leave(leaver->ml, 5000, pool_done,
                                             leaver), GOSSIP_ESTATE);
    /* Gone in silence at the end of a walk of the ring. */
    pool_run_ms(pool, 60000 + 2000 * pool->count);
    ck_assert_int_eq(pool_state(pool, 0, 2), -1);
    ck_assert_int_eq(pool->nodes[0].leaves, 1);
    pool_free(pool);
}
END_TEST

/* n1 hears everyone, but nothing that it says arrives: it is suspected, and
 * when the way back opens it talks itself out of it. */
START_TEST(a_live_node_refutes)
{
    struct pool *pool = pool_new(4, 5);
    struct pool_sees suspect = {pool, 0, 1, GOSSIP_SUSPECT};
    size_t i;

    pool_start_all(pool);
    pool_form(pool);
    for (i = 0; i < pool->count; i++)
        pool->cut[1][i] = i != 1;
    pool_until(pool, pool_sees, &suspect, 15000);
    for (i = 0; i < pool->count; i++)
        pool->cut[1][i] = false;
    pool_until(pool, pool_agrees, pool, 10000);
    for (i = 0; i < pool->count; i++) {
        ck_assert_uint_ge(pool_incarnation(pool, i, 1), 2);
        ck_assert_int_eq(pool->nodes[i].leaves, 0);
    }
    pool_free(pool);
}
END_TEST

START_TEST(lost_packets_kill_nobody)
{
    struct pool *pool = pool_new(5, 20);
    size_t i;

    pool->loss_ppm = 50000;
    pool_start_all(pool);
    pool_form(pool);
    pool_run_ms(pool, 120000);
    ck_assert(pool_agrees(pool));
    for (i = 0; i < pool->count; i++)
        ck_assert_int_eq(pool->nodes[i].leaves, 0);
    pool_free(pool);
}
END_TEST

static struct gossip_keyring *keyring_of(char fill, size_t len)
{
    struct gossip_keyring *keyring = gossip_keyring_new();
    char key[32];

    memset(key, fill, sizeof(key));
    ck_assert_int_eq(gossip_keyring_add(keyring, key, len), 0);
    return keyring;
}

START_TEST(encrypted_pools_work)
{
    static const size_t key_lens[] = {16, 24, 32};
    struct pool *pool = pool_new(6, 5);
    size_t i;

    for (i = 0; i < pool->count; i++) {
        pool->nodes[i].keyring = keyring_of('k', key_lens[_i]);
        pool->nodes[i].params.compression = i % 2 == 0;
    }
    pool_start_all(pool);
    pool_form(pool);
    pool_run_ms(pool, 20000);
    ck_assert(pool_agrees(pool));
    for (i = 0; i < pool->count; i++)
        ck_assert_uint_eq(pool_dropped(pool, i, "crypt"), 0);
    pool_free(pool);
}
END_TEST

static void join_fails(struct pool *pool, size_t index, size_t target,
                       int status)
{
    pool_join(pool, index, target);
    pool_until(pool, pool_is_done, &pool->nodes[index], 15000);
    ck_assert_int_eq(pool->nodes[index].done_status, status);
    pool_run_ms(pool, 5000);
    ck_assert_uint_eq(gossip_memberlist_count(pool->nodes[index].ml), 1);
    ck_assert_uint_eq(gossip_memberlist_count(pool->nodes[target].ml), 1);
}

START_TEST(another_key_stays_out)
{
    struct pool *pool = pool_new(7, 3);

    pool->nodes[0].keyring = keyring_of('a', 16);
    pool->nodes[1].keyring = keyring_of('b', 16);
    pool_start_all(pool);
    /* The refusal is sealed with a key that the joiner has not. */
    join_fails(pool, 1, 0, GOSSIP_ECRYPT);
    join_fails(pool, 2, 0, GOSSIP_ECRYPT);
    join_fails(pool, 1, 2, GOSSIP_ECRYPT);
    ck_assert_uint_gt(pool_dropped(pool, 0, "crypt"), 0);
    pool_free(pool);
}
END_TEST

/* Whoever can read the refusal is told why. */
START_TEST(the_reason_of_a_refusal_is_told)
{
    struct pool *pool = pool_new(8, 2);

    pool->nodes[0].keyring = keyring_of('a', 16);
    pool->nodes[1].keyring = keyring_of('a', 16);
    pool->nodes[1].params.verify_outgoing = false;
    pool_start_all(pool);
    join_fails(pool, 1, 0, GOSSIP_EREMOTE);
    pool_free(pool);
}
END_TEST

START_TEST(a_pool_migrates_to_encryption)
{
    struct pool *pool = pool_new(9, 3);
    size_t i;

    pool->nodes[0].keyring = keyring_of('a', 16);
    pool->nodes[1].keyring = keyring_of('a', 16);
    for (i = 0; i < 2; i++) {
        pool->nodes[i].params.verify_incoming = false;
        pool->nodes[i].params.verify_outgoing = false;
    }
    pool_start_all(pool);
    pool_form(pool);
    pool_run_ms(pool, 10000);
    ck_assert(pool_agrees(pool));
    pool_free(pool);
}
END_TEST

START_TEST(labels_part_pools)
{
    struct pool *pool = pool_new(10, 4);

    pool->nodes[0].label = "blue";
    pool->nodes[1].label = "green";
    pool->nodes[3].label = "blue";
    pool_start_all(pool);
    /* Label errors just close: no reason is given. */
    join_fails(pool, 1, 0, BASE_ECLOSED);
    join_fails(pool, 2, 0, BASE_ECLOSED);
    join_fails(pool, 1, 2, BASE_ECLOSED);
    ck_assert_uint_gt(pool_dropped(pool, 0, "label"), 0);
    pool_join(pool, 3, 0);
    pool_run_ms(pool, 10000);
    ck_assert_int_eq(pool_state(pool, 0, 3), GOSSIP_ALIVE);
    ck_assert_int_eq(pool_state(pool, 3, 0), GOSSIP_ALIVE);
    pool_free(pool);
}
END_TEST

START_TEST(labels_and_keys_together)
{
    struct pool *pool = pool_new(11, 3);
    size_t i;

    for (i = 0; i < 3; i++) {
        pool->nodes[i].label = "blue";
        pool->nodes[i].keyring = keyring_of('a', 32);
    }
    pool_start_all(pool);
    pool_form(pool);
    pool_run_ms(pool, 10000);
    ck_assert(pool_agrees(pool));
    pool_free(pool);
}
END_TEST

/* Shorter than the time that the dead are gossiped to. */
START_TEST(a_short_partition_heals)
{
    struct pool *pool = pool_new(12, 5);
    size_t a, b;

    pool_start_all(pool);
    pool_form(pool);
    for (a = 0; a < 2; a++)
        for (b = 2; b < 5; b++)
            pool_cut_both(pool, a, b, true);
    pool_run_ms(pool, 20000);
    ck_assert(!pool_agrees(pool));
    for (a = 0; a < 2; a++)
        for (b = 2; b < 5; b++)
            pool_cut_both(pool, a, b, false);
    pool_join(pool, 0, 3);
    pool_until(pool, pool_agrees, pool, 40000);
    pool_free(pool);
}
END_TEST

/* A node that comes back with incarnation 1 where others hold it dead with a
 * higher one has to win (gossip.md 9.11). */
START_TEST(a_restarted_node_comes_back)
{
    struct pool *pool = pool_new(13, 5);
    struct pool_sees dead = {pool, 0, 1, GOSSIP_DEAD};
    size_t i;

    pool_start_all(pool);
    pool_form(pool);
    for (i = 0; i < 3; i++) {
        struct pool_node *node = &pool->nodes[1];

        ck_assert_int_eq(gossip_memberlist_update(node->ml, "m", 1, 5000,
                                                  pool_done, node), 0);
        pool_run_ms(pool, 3000);
    }
    ck_assert_uint_eq(pool_incarnation(pool, 0, 1), 4);
    pool_kill(pool, 1);
    pool_until(pool, pool_all_see, &dead, 40000);
    pool_start(pool, 1);
    pool_join(pool, 1, 0);
    pool_until(pool, pool_agrees, pool, 10000);
    ck_assert_uint_ge(pool_incarnation(pool, 0, 1), 5);
    pool_free(pool);
}
END_TEST

START_TEST(streams_save_a_node_behind_a_firewall)
{
    struct pool *pool = pool_new(14, 3);
    size_t i;

    for (i = 0; i < 3; i++)
        pool->nodes[i].params.stream_pings = _i == 0;
    pool_start_all(pool);
    pool_form(pool);
    for (i = 0; i < 3; i++) {
        pool->udp_cut[1][i] = i != 1;
        pool->udp_cut[i][1] = i != 1;
    }
    pool_run_ms(pool, 60000);
    if (_i == 0) {
        ck_assert(pool_agrees(pool));
        ck_assert_int_eq(pool->nodes[0].leaves, 0);
    } else {
        ck_assert_int_ne(pool_state(pool, 0, 1), GOSSIP_ALIVE);
    }
    pool_free(pool);
}
END_TEST

/* n0 cannot reach n1 directly, but the others can. */
START_TEST(indirect_pings_keep_a_node_alive)
{
    struct pool *pool = pool_new(15, 4);

    pool->nodes[0].params.stream_pings = false;
    pool->nodes[1].params.stream_pings = false;
    pool_start_all(pool);
    pool_form(pool);
    pool_cut_both(pool, 0, 1, true);
    pool_run_ms(pool, 60000);
    ck_assert(pool_agrees(pool));
    ck_assert_uint_eq(pool_incarnation(pool, 2, 1), 1); /* never suspected */
    pool_free(pool);
}
END_TEST

START_TEST(meta_updates_reach_all)
{
    struct pool *pool = pool_new(16, 20);
    struct pool_node *node = &pool->nodes[7];
    struct gossip_node seen;
    uint8_t meta[GOSSIP_META_BYTES_MAX + 1] = {7};
    size_t i;

    pool_start_all(pool);
    pool_form(pool);
    ck_assert_int_eq(gossip_memberlist_update(node->ml, meta, sizeof(meta),
                                              5000, pool_done, node),
                     GOSSIP_EMETA);
    node->done_status = POOL_WAITING;
    ck_assert_int_eq(gossip_memberlist_update(node->ml, meta, 512, 5000,
                                              pool_done, node), 0);
    pool_until(pool, pool_is_done, node, 5000);
    ck_assert_int_eq(node->done_status, 0);
    pool_run_ms(pool, 3000);
    for (i = 0; i < pool->count; i++) {
        ck_assert(gossip_memberlist_find(pool->nodes[i].ml, "n7", &seen));
        ck_assert_uint_eq(seen.meta_len, 512);
        ck_assert_int_eq(pool->nodes[i].updates, 1);
    }
    pool_free(pool);
}
END_TEST

START_TEST(user_messages_and_states_travel)
{
    struct pool *pool = pool_new(17, 5);
    struct pool_node *from = &pool->nodes[1];
    struct gossip_peer to = {"n2", pool->nodes[2].addr};
    char big[5000];
    size_t i;

    for (i = 0; i < 5; i++)
        snprintf(pool->nodes[i].state_out, 64, "state of n%zu", i);
    snprintf(pool->nodes[3].ack_out, 64, "here");
    pool_start_all(pool);
    pool_form(pool);
    ck_assert(strncmp(pool->nodes[0].state_in, "state of n", 10) == 0);
    ck_assert_str_eq(pool->nodes[1].state_in, "state of n0");
    ck_assert_int_eq(gossip_memberlist_send(from->ml, &to, "hello", 5), 0);
    pool_run_ms(pool, 100);
    ck_assert_str_eq(pool->nodes[2].last_message, "hello");
    memset(big, 'x', sizeof(big));
    from->done_status = POOL_WAITING;
    ck_assert_int_eq(gossip_memberlist_send_reliable(from->ml, &to, big,
                                                     sizeof(big), pool_done,
                                                     from), 0);
    pool_until(pool, pool_is_done, from, 1000);
    ck_assert_int_eq(from->done_status, 0);
    pool_run_ms(pool, 100);
    ck_assert_uint_eq(pool->nodes[2].last_message_len, sizeof(big));
    gossip_broadcasts_add(from->queue, NULL, "to all", 6, NULL, NULL);
    pool_run_ms(pool, 3000);
    for (i = 0; i < 5; i++)
        if (i != 1)
            ck_assert_str_eq(pool->nodes[i].last_message, "to all");
    pool_run_ms(pool, 10000);
    ck_assert_uint_gt(pool->nodes[0].pings_completed, 5);
    ck_assert_uint_gt(pool->nodes[0].rtt_ns, 400000);
    ck_assert_uint_lt(pool->nodes[0].rtt_ns, 2000000);
    pool_free(pool);
}
END_TEST

START_TEST(names_are_defended)
{
    struct pool *pool = pool_new(18, 3);
    struct gossip_node seen;

    pool->nodes[2].advertised_name = "n1";
    pool_start(pool, 0);
    pool_start(pool, 1);
    pool_join(pool, 1, 0);
    pool_run_ms(pool, 2000);
    pool_start(pool, 2);
    pool_join(pool, 2, 0);
    pool_run_ms(pool, 5000);
    ck_assert_uint_gt(pool->nodes[0].conflicts, 0);
    ck_assert(gossip_memberlist_find(pool->nodes[0].ml, "n1", &seen));
    ck_assert(base_addr_equal(&seen.addr, &pool->nodes[1].addr));
    pool_free(pool);
}
END_TEST

/* A node that left may come back at another address; a dead one only after
 * the reclaim time. */
START_TEST(names_of_the_gone_can_be_taken)
{
    struct pool *pool = pool_new(19, 3);
    struct pool_sees sees = {pool, 0, 1, _i == 0 ? GOSSIP_LEFT : GOSSIP_DEAD};
    struct gossip_node seen;

    pool->nodes[2].advertised_name = "n1";
    pool->nodes[0].params.dead_node_reclaim_ms = _i == 2 ? 5000 : 0;
    pool->nodes[0].params.gossip_to_the_dead_ms = 300000;
    pool_start(pool, 0);
    pool_start(pool, 1);
    pool_join(pool, 1, 0);
    pool_run_ms(pool, 2000);
    if (_i == 0) {
        ck_assert_int_eq(gossip_memberlist_leave(pool->nodes[1].ml, 5000,
                                                 pool_done, &pool->nodes[1]),
                         0);
        pool_run_ms(pool, 5000);
    }
    pool_kill(pool, 1);
    pool_until(pool, pool_sees, &sees, 40000);
    pool_run_ms(pool, 6000);
    pool_start(pool, 2);
    pool_join(pool, 2, 0);
    pool_run_ms(pool, 5000);
    ck_assert(gossip_memberlist_find(pool->nodes[0].ml, "n1", &seen));
    if (_i == 1)
        ck_assert(!base_addr_equal(&seen.addr, &pool->nodes[2].addr));
    else
        ck_assert(base_addr_equal(&seen.addr, &pool->nodes[2].addr) &&
                  seen.state == GOSSIP_ALIVE);
    pool_free(pool);
}
END_TEST

/* The merge hook decides over a join alone; who wants more asks for every alive
 * message. */
START_TEST(merges_can_be_refused)
{
    struct pool *pool = pool_new(20, 2);

    pool->nodes[1].refuse_merge = true;
    pool_start_all(pool);
    pool_join(pool, 1, 0);
    pool_until(pool, pool_is_done, &pool->nodes[1], 5000);
    ck_assert_int_eq(pool->nodes[1].done_status, GOSSIP_EREFUSED);
    ck_assert_int_eq(pool_state(pool, 1, 0), -1);
    ck_assert_uint_gt(pool_dropped(pool, 1, "veto"), 0);
    pool_free(pool);
}
END_TEST

/* The merge hook is shown the whole other side, known or not. */
START_TEST(merges_show_all_members)
{
    struct pool *pool = pool_new(20, 5);

    pool_start_all(pool);
    pool_form(pool);
    pool_join(pool, 1, 0);
    pool_until(pool, pool_is_done, &pool->nodes[1], 5000);
    ck_assert_int_eq(pool->nodes[1].done_status, 0);
    ck_assert_uint_eq(pool->nodes[1].last_merge, 5);
    pool->nodes[1].refuse_merge = true;
    pool_join(pool, 1, 0);
    pool_until(pool, pool_is_done, &pool->nodes[1], 5000);
    ck_assert_int_eq(pool->nodes[1].done_status, GOSSIP_EREFUSED);
    pool_free(pool);
}
END_TEST

START_TEST(members_can_be_refused)
{
    struct pool *pool = pool_new(20, 2);

    pool->nodes[0].refuse_alive = true;
    pool_start_all(pool);
    pool_join(pool, 1, 0);
    pool_run_ms(pool, 5000);
    ck_assert_int_eq(pool_state(pool, 0, 1), -1);
    ck_assert_uint_gt(pool_dropped(pool, 0, "veto"), 0);
    pool_free(pool);
}
END_TEST

START_TEST(strangers_networks_are_refused)
{
    struct pool *pool = pool_new(21, 3);
    struct base_cidr cidr;
    size_t i;

    ck_assert_int_eq(base_cidr_parse(&cidr, "10.0.0.0/31"), 0);
    cidr.bits = 30; /* .0 to .3: n0, n1, n2 */
    pool->nodes[0].cidrs = &cidr;
    pool->nodes[0].cidr_count = 1;
    pool_start_all(pool);
    pool_form(pool);
    pool_free(pool);

    pool = pool_new(21, 3);
    cidr.bits = 31; /* .0 and .1: n0 alone */
    pool->nodes[0].cidrs = &cidr;
    pool->nodes[0].cidr_count = 1;
    pool_start_all(pool);
    for (i = 1; i < 3; i++)
        pool_join(pool, i, 0);
    pool_run_ms(pool, 5000);
    ck_assert_uint_eq(gossip_memberlist_count(pool->nodes[0].ml), 1);
    ck_assert_uint_gt(pool_dropped(pool, 0, "cidr"), 0);
    pool_free(pool);
}
END_TEST

START_TEST(equal_seeds_give_equal_runs)
{
    char digests[3][65];
    size_t i;

    for (i = 0; i < 3; i++) {
        struct pool *pool = pool_new(i < 2 ? 99 : 100, 10);

        pool_start_all(pool);
        pool_form(pool);
        pool_kill(pool, 4);
        pool_run_ms(pool, 20000);
        base_sim_digest(pool->sim, digests[i]);
        pool_free(pool);
    }
    ck_assert_str_eq(digests[0], digests[1]);
    ck_assert_str_ne(digests[0], digests[2]);
}
END_TEST

/* Joining nobody: the caller hears it, from the loop. */
START_TEST(a_join_that_fails_is_told)
{
    struct pool *pool = pool_new(22, 2);

    pool_start(pool, 0);
    pool_join(pool, 0, 1);
    ck_assert_int_eq(pool->nodes[0].done_status, POOL_WAITING);
    pool_until(pool, pool_is_done, &pool->nodes[0], 15000);
    ck_assert_int_eq(pool->nodes[0].done_status, BASE_EREFUSED);
    pool_cut_both(pool, 0, 1, true);
    pool_start(pool, 1);
    pool_join(pool, 0, 1);
    pool_until(pool, pool_is_done, &pool->nodes[0], 15000);
    ck_assert_int_eq(pool->nodes[0].done_status, BASE_ETIMEOUT);
    /* The original only logs it (gossip.md 9.23). */
    ck_assert_uint_eq(
        base_counter_value(base_metrics_counter(
            pool->nodes[0].metrics, "isthmus.memberlist.push_pulls", "result",
            "failed")),
        2);
    pool_free(pool);
}
END_TEST

START_TEST(a_lone_node_leaves_at_once)
{
    struct pool *pool = pool_new(23, 1);
    struct pool_node *node = &pool->nodes[0];

    pool_start(pool, 0);
    pool_run_ms(pool, 100);
    ck_assert_str_eq(node->last_event, "join n0");
    ck_assert_int_eq(gossip_memberlist_leave(node->ml, 5000, pool_done, node),
                     0);
    ck_assert_int_eq(node->done_status, POOL_WAITING);
    pool_until(pool, pool_is_done, node, 100);
    ck_assert_int_eq(node->done_status, 0);
    pool_free(pool);
}
END_TEST

Suite *pool_suite(void)
{
    Suite *suite = suite_create("memberlist-pools");
    TCase *tcase = tcase_create("pools");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, all_find_each_other, 0, 3);
    tcase_add_loop_test(tcase, a_death_is_noticed_by_all, 0, 3);
    tcase_add_loop_test(tcase, a_leave_is_no_death, 0, 3);
    tcase_add_test(tcase, a_live_node_refutes);
    tcase_add_test(tcase, lost_packets_kill_nobody);
    tcase_add_loop_test(tcase, encrypted_pools_work, 0, 3);
    tcase_add_test(tcase, another_key_stays_out);
    tcase_add_test(tcase, the_reason_of_a_refusal_is_told);
    tcase_add_test(tcase, a_pool_migrates_to_encryption);
    tcase_add_test(tcase, labels_part_pools);
    tcase_add_test(tcase, labels_and_keys_together);
    tcase_add_test(tcase, a_short_partition_heals);
    tcase_add_test(tcase, a_restarted_node_comes_back);
    tcase_add_loop_test(tcase, streams_save_a_node_behind_a_firewall, 0, 2);
    tcase_add_test(tcase, indirect_pings_keep_a_node_alive);
    tcase_add_test(tcase, meta_updates_reach_all);
    tcase_add_test(tcase, user_messages_and_states_travel);
    tcase_add_test(tcase, names_are_defended);
    tcase_add_loop_test(tcase, names_of_the_gone_can_be_taken, 0, 3);
    tcase_add_test(tcase, merges_can_be_refused);
    tcase_add_test(tcase, merges_show_all_members);
    tcase_add_test(tcase, members_can_be_refused);
    tcase_add_test(tcase, strangers_networks_are_refused);
    tcase_add_test(tcase, equal_seeds_give_equal_runs);
    tcase_add_test(tcase, a_join_that_fails_is_told);
    tcase_add_test(tcase, a_lone_node_leaves_at_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
