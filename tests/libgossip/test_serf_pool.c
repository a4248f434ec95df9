/* Members of a simulated pool: how they come, change, fail, leave, return. */
#include <string.h>

#include "base/error.h"
#include "serf_pool.h"
#include "suite.h"

START_TEST(join_reaches_both_sides)
{
    struct serf_pool *pool = serf_pool_new(1, 2);

    serf_pool_form(pool);
    ck_assert_int_eq(pool->nodes[1].status, 0);
    ck_assert_uint_eq(pool->nodes[1].joined, 1);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "member-join n0"), 1);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "member-join n1"), 1);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[1], "member-join n0"), 1);
    ck_assert_uint_eq(gossip_serf_member_count(pool->nodes[0].serf), 2);
    serf_pool_free(pool);
}
END_TEST

START_TEST(join_by_name_tries_every_address)
{
    struct serf_pool *pool = serf_pool_new(2, 3);
    const char *targets[] = {"pool.example", "nobody.example", "n2/10.1.0.3"};
    struct base_addr addrs[2];
    struct serf_pool_node *node = &pool->nodes[0];
    size_t i;

    for (i = 0; i < 3; i++)
        serf_pool_start(pool, i);
    base_addr_parse_ip(&addrs[0], "10.9.9.9"); /* nobody there */
    base_addr_parse_ip(&addrs[1], "10.1.0.2");
    base_sim_set_name(pool->sim, "pool.example", addrs, 2);
    ck_assert_int_eq(gossip_serf_join(node->serf, targets, 3, SERF_POOL_PORT,
                                      false, serf_pool_joined, node),
                     0);
    ck_assert_int_eq(node->status, SERF_POOL_WAITING); /* later, not inside */
    serf_pool_until(pool, serf_pool_is_done, node, 60000);
    ck_assert_int_eq(node->status, 0);
    ck_assert_uint_eq(node->joined, 2);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_ALIVE, 60000);
    serf_pool_free(pool);
}
END_TEST

START_TEST(join_of_nobody_fails)
{
    struct serf_pool *pool = serf_pool_new(3, 1);
    struct serf_pool_node *node = &pool->nodes[0];
    const char *targets[] = {"10.9.9.9", "/10.1.0.1", "nobody.example"};

    serf_pool_start(pool, 0);
    ck_assert_int_eq(gossip_serf_join(node->serf, targets, 3, SERF_POOL_PORT,
                                      false, serf_pool_joined, node),
                     0);
    serf_pool_until(pool, serf_pool_is_done, node, 60000);
    ck_assert_int_lt(node->status, 0);
    ck_assert_uint_eq(node->joined, 0);
    ck_assert_int_eq(gossip_serf_join(node->serf, targets, 0, 1, false, NULL,
                                      NULL),
                     GOSSIP_EINVAL);
    serf_pool_free(pool);
}
END_TEST

START_TEST(join_under_way_does_not_outlive_its_node)
{
    struct serf_pool *pool = serf_pool_new(4, 1);
    struct serf_pool_node *node = &pool->nodes[0];
    const char *targets[] = {"10.9.9.9", "slow.example"};

    serf_pool_start(pool, 0);
    ck_assert_int_eq(gossip_serf_join(node->serf, targets, 2, SERF_POOL_PORT,
                                      true, serf_pool_joined, node),
                     0);
    base_sim_step(pool->sim);
    base_sim_step(pool->sim);
    serf_pool_kill(pool, 0);
    serf_pool_run_ms(pool, 60000);
    ck_assert_int_eq(node->status, SERF_POOL_WAITING);
    serf_pool_free(pool);
}
END_TEST

static void note_role(void *arg, const struct gossip_member *member)
{
    const char *role = gossip_member_tag(member, "role");

    snprintf(arg, 16, "%s", role == NULL ? "(none)" : role);
}

START_TEST(tags_travel_and_change)
{
    struct serf_pool *pool = serf_pool_new(5, 3);
    const struct gossip_tag web[] = {{"role", "web"}, {"dc", "eu"}};
    const struct gossip_tag db[] = {{"role", "db"}};
    struct gossip_tag large[] = {{"key", NULL}};
    char value[600];
    char role[16];

    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    large[0].value = value;
    pool->nodes[1].config.tags = web;
    pool->nodes[1].config.tag_count = 2;
    serf_pool_form(pool);
    ck_assert(gossip_serf_find(pool->nodes[2].serf, "n1", note_role, role));
    ck_assert_str_eq(role, "web");
    ck_assert_int_eq(gossip_serf_set_tags(pool->nodes[1].serf, large, 1),
                     GOSSIP_EMETA);
    ck_assert_int_eq(gossip_serf_set_tags(pool->nodes[1].serf, db, 1), 0);
    serf_pool_run_ms(pool, 5000);
    gossip_serf_find(pool->nodes[2].serf, "n1", note_role, role);
    ck_assert_str_eq(role, "db");
    gossip_serf_find(pool->nodes[1].serf, "n1", note_role, role);
    ck_assert_str_eq(role, "db");
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[2], "member-update n1"), 1);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "member-update n1"), 1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(leave_shows_left)
{
    struct serf_pool *pool = serf_pool_new(6, 4);
    struct serf_pool_node *node = &pool->nodes[3];

    serf_pool_form(pool);
    ck_assert_int_eq(gossip_serf_leave(node->serf, serf_pool_done, node), 0);
    ck_assert_int_eq(gossip_serf_state(node->serf), GOSSIP_SERF_LEAVING);
    ck_assert_int_eq(gossip_serf_leave(node->serf, NULL, NULL), GOSSIP_ESTATE);
    node->status = SERF_POOL_WAITING;
    serf_pool_until(pool, serf_pool_is_done, node, 20000);
    ck_assert_int_eq(node->status, 0);
    ck_assert_int_eq(gossip_serf_state(node->serf), GOSSIP_SERF_LEFT);
    serf_pool_await(pool, 3, GOSSIP_MEMBER_LEFT, 5000);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "member-leave n3"), 1);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "member-failed n3"), 0);
    /* Joining is over, leaving again a formality. */
    ck_assert_int_eq(gossip_serf_join(node->serf,
                                      (const char *const[]){"10.1.0.1"}, 1,
                                      SERF_POOL_PORT, false, NULL, NULL),
                     GOSSIP_ESTATE);
    node->status = SERF_POOL_WAITING;
    ck_assert_int_eq(gossip_serf_leave(node->serf, serf_pool_done, node), 0);
    serf_pool_until(pool, serf_pool_is_done, node, 1);
    serf_pool_free(pool);
}
END_TEST

/* No packet takes its news: the original gave up, and stayed (gossip.md
 * 9.36). */
START_TEST(leave_that_times_out_goes_on)
{
    struct serf_pool *pool = serf_pool_new(6, 3);
    struct serf_pool_node *node = &pool->nodes[2];

    node->config.params.gossip_interval_ms = 0;
    node->config.params.probe_interval_ms = 0;
    serf_pool_form(pool);
    serf_pool_cut(pool, 0, 2, true);
    serf_pool_cut(pool, 1, 2, true);
    node->status = SERF_POOL_WAITING;
    ck_assert_int_eq(gossip_serf_leave(node->serf, serf_pool_done, node), 0);
    serf_pool_run_ms(pool, 9000);
    ck_assert_int_eq(node->status, SERF_POOL_WAITING); /* both steps wait */
    serf_pool_until(pool, serf_pool_is_done, node, 5000);
    ck_assert_int_eq(node->status, 0);
    ck_assert_int_eq(gossip_serf_state(node->serf), GOSSIP_SERF_LEFT);
    serf_pool_free(pool);
}
END_TEST

START_TEST(leave_of_a_lone_node_is_quick)
{
    struct serf_pool *pool = serf_pool_new(7, 1);
    struct serf_pool_node *node = &pool->nodes[0];

    serf_pool_start(pool, 0);
    gossip_serf_leave(node->serf, serf_pool_done, node);
    serf_pool_until(pool, serf_pool_is_done, node, 2000);
    serf_pool_free(pool);
}
END_TEST

START_TEST(death_shows_failed_and_restart_alive)
{
    struct serf_pool *pool = serf_pool_new(8, 4);

    serf_pool_form(pool);
    serf_pool_kill(pool, 2);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_FAILED, 60000);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "member-failed n2"), 1);
    ck_assert_uint_eq(gossip_serf_stats(pool->nodes[0].serf).failed, 1);
    serf_pool_start(pool, 2);
    serf_pool_join(pool, 2, 0);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_ALIVE, 60000);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "member-join n2"), 2);
    ck_assert_uint_eq(gossip_serf_stats(pool->nodes[0].serf).failed, 0);
    serf_pool_free(pool);
}
END_TEST

START_TEST(left_node_comes_back_alive)
{
    struct serf_pool *pool = serf_pool_new(9, 3);
    struct serf_pool_node *node = &pool->nodes[2];

    serf_pool_form(pool);
    gossip_serf_leave(node->serf, serf_pool_done, node);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_LEFT, 20000);
    serf_pool_run_ms(pool, 10000);
    serf_pool_kill(pool, 2);
    serf_pool_start(pool, 2);
    serf_pool_join(pool, 2, 1);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_ALIVE, 60000);
    serf_pool_run_ms(pool, 60000);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_ALIVE, 1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(force_leave_turns_failed_into_left)
{
    struct serf_pool *pool = serf_pool_new(10, 4);
    struct serf_pool_node *node = &pool->nodes[0];

    serf_pool_form(pool);
    serf_pool_kill(pool, 3);
    serf_pool_await(pool, 3, GOSSIP_MEMBER_FAILED, 60000);
    node->status = SERF_POOL_WAITING;
    ck_assert_int_eq(gossip_serf_force_leave(node->serf, "n3", false,
                                             serf_pool_done, node),
                     0);
    serf_pool_until(pool, serf_pool_is_done, node, 10000);
    ck_assert_int_eq(node->status, 0);
    serf_pool_await(pool, 3, GOSSIP_MEMBER_LEFT, 10000);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[1], "member-leave n3"), 1);
    ck_assert_int_eq(gossip_serf_force_leave(node->serf, "", false, NULL, NULL),
                     GOSSIP_ENAME);
    serf_pool_free(pool);
}
END_TEST

START_TEST(prune_forgets_at_once)
{
    struct serf_pool *pool = serf_pool_new(11, 4);
    struct serf_pool_node *node = &pool->nodes[0];

    serf_pool_form(pool);
    serf_pool_kill(pool, 3);
    serf_pool_await(pool, 3, GOSSIP_MEMBER_FAILED, 60000);
    gossip_serf_force_leave(node->serf, "n3", true, serf_pool_done, node);
    serf_pool_await(pool, 3, GOSSIP_MEMBER_NONE, 10000);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[1], "member-reap n3"), 1);
    /* And nobody brings it back. */
    serf_pool_run_ms(pool, 120000);
    serf_pool_await(pool, 3, GOSSIP_MEMBER_NONE, 1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(living_member_refutes_a_force_leave)
{
    struct serf_pool *pool = serf_pool_new(12, 4);
    struct serf_pool_node *node = &pool->nodes[0];

    serf_pool_form(pool);
    gossip_serf_force_leave(node->serf, "n3", true, serf_pool_done, node);
    ck_assert_int_eq(serf_pool_status(pool, 0, 3), GOSSIP_MEMBER_LEAVING);
    serf_pool_await(pool, 3, GOSSIP_MEMBER_ALIVE, 10000);
    serf_pool_run_ms(pool, 30000); /* the prune looks again, and lets it be */
    serf_pool_await(pool, 3, GOSSIP_MEMBER_ALIVE, 1);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[1], "member-leave n3"), 0);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[1], "member-reap n3"), 0);
    serf_pool_free(pool);
}
END_TEST

/* Where nobody else is alive an intent is told to nobody, so the one that it
 * is about cannot refute it: agents of the original keep it in leaving. */
START_TEST(force_leave_of_the_only_other_does_not_stay)
{
    struct serf_pool *pool = serf_pool_new(12, 2);

    serf_pool_form(pool);
    gossip_serf_force_leave(pool->nodes[0].serf, "n1", false, NULL, NULL);
    serf_pool_run_ms(pool, 1000);
    ck_assert_int_eq(serf_pool_status(pool, 0, 1), GOSSIP_MEMBER_LEAVING);
    serf_pool_await(pool, 1, GOSSIP_MEMBER_ALIVE, 60000);
    serf_pool_free(pool);
}
END_TEST

START_TEST(prune_of_a_leaving_member_waits_for_its_end)
{
    struct serf_pool *pool = serf_pool_new(13, 3);

    serf_pool_form(pool);
    gossip_serf_leave(pool->nodes[2].serf, NULL, NULL);
    serf_pool_run_ms(pool, 300);
    gossip_serf_force_leave(pool->nodes[0].serf, "n2", true, NULL, NULL);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_NONE, 30000);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "member-leave n2"), 1);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "member-reap n2"), 1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(partition_heals_without_help)
{
    struct serf_pool *pool = serf_pool_new(14, 5);
    size_t a;
    size_t b;

    for (a = 0; a < 5; a++)
        pool->nodes[a].config.reconnect_interval_ms = 10000;
    serf_pool_form(pool);
    for (a = 0; a < 2; a++)
        for (b = 2; b < 5; b++)
            serf_pool_cut(pool, a, b, true);
    serf_pool_run_ms(pool, 180000);
    ck_assert_int_eq(serf_pool_status(pool, 0, 4), GOSSIP_MEMBER_FAILED);
    ck_assert_int_eq(serf_pool_status(pool, 4, 0), GOSSIP_MEMBER_FAILED);
    ck_assert_int_eq(serf_pool_status(pool, 0, 1), GOSSIP_MEMBER_ALIVE);
    for (a = 0; a < 2; a++)
        for (b = 2; b < 5; b++)
            serf_pool_cut(pool, a, b, false);
    for (b = 0; b < 5; b++)
        serf_pool_await(pool, b, GOSSIP_MEMBER_ALIVE, 60000);
    serf_pool_free(pool);
}
END_TEST

START_TEST(failed_and_left_members_are_reaped_in_time)
{
    struct serf_pool *pool = serf_pool_new(15, 4);
    size_t i;

    for (i = 0; i < 4; i++) {
        pool->nodes[i].config.reconnect_timeout_ms = 120000;
        pool->nodes[i].config.tombstone_timeout_ms = 240000;
    }
    serf_pool_form(pool);
    gossip_serf_leave(pool->nodes[3].serf, NULL, NULL);
    serf_pool_await(pool, 3, GOSSIP_MEMBER_LEFT, 20000);
    serf_pool_run_ms(pool, 10000);
    serf_pool_kill(pool, 3);
    serf_pool_kill(pool, 2);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_FAILED, 60000);
    serf_pool_run_ms(pool, 90000);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_FAILED, 1);
    serf_pool_run_ms(pool, 60000);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_NONE, 1);
    serf_pool_await(pool, 3, GOSSIP_MEMBER_LEFT, 1);
    serf_pool_run_ms(pool, 120000);
    serf_pool_await(pool, 3, GOSSIP_MEMBER_NONE, 1);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "member-reap n2"), 1);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "member-reap n3"), 1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(user_event_reaches_all_exactly_once)
{
    struct serf_pool *pool = serf_pool_new(16, 20);
    size_t i;

    pool->loss_ppm = 50000;
    serf_pool_form(pool);
    ck_assert_int_eq(gossip_serf_user_event(pool->nodes[7].serf, "deploy", "v1",
                                            2, true),
                     0);
    /* Not inside the call. */
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[7], "user deploy v1"), 0);
    serf_pool_run_ms(pool, 120000); /* push/pulls bring it again */
    for (i = 0; i < 20; i++)
        ck_assert_uint_eq(serf_pool_heard(&pool->nodes[i], "user deploy v1"),
                          1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(user_event_of_the_wrong_size_is_refused)
{
    struct serf_pool *pool = serf_pool_new(17, 1);
    static char payload[10000];

    pool->nodes[0].config.user_event_bytes_max = 9216;
    serf_pool_start(pool, 0);
    ck_assert_int_eq(gossip_serf_user_event(pool->nodes[0].serf, "big", payload,
                                            1300, false),
                     0);
    /* The limit was raised, but a packet does not carry more (6.4). */
    ck_assert_int_eq(gossip_serf_user_event(pool->nodes[0].serf, "big", payload,
                                            1400, false),
                     GOSSIP_ETOOBIG);
    ck_assert_int_eq(gossip_serf_user_event(pool->nodes[0].serf, "big", payload,
                                            9999, false),
                     GOSSIP_ETOOBIG);
    serf_pool_kill(pool, 0);
    pool->nodes[0].config.user_event_bytes_max = 0;
    serf_pool_start(pool, 0);
    ck_assert_int_eq(gossip_serf_user_event(pool->nodes[0].serf, "big", payload,
                                            513, false),
                     GOSSIP_ETOOBIG);
    serf_pool_free(pool);
}
END_TEST

START_TEST(join_brings_old_events_unless_ignored)
{
    struct serf_pool *pool = serf_pool_new(18, 4);
    const char *targets[] = {"10.1.0.1"};

    serf_pool_start(pool, 0);
    gossip_serf_user_event(pool->nodes[0].serf, "old", NULL, 0, false);
    serf_pool_start(pool, 1);
    serf_pool_join(pool, 1, 0);
    serf_pool_start(pool, 2);
    gossip_serf_join(pool->nodes[2].serf, targets, 1, SERF_POOL_PORT, true,
                     serf_pool_joined, &pool->nodes[2]);
    serf_pool_await(pool, 0, GOSSIP_MEMBER_ALIVE, 10000);
    serf_pool_run_ms(pool, 120000);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[1], "user old "), 1);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[2], "user old "), 0);
    gossip_serf_user_event(pool->nodes[0].serf, "new", NULL, 0, false);
    serf_pool_run_ms(pool, 5000);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[2], "user new "), 1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(merge_can_be_refused)
{
    struct serf_pool *pool = serf_pool_new(19, 2);

    serf_pool_start(pool, 0);
    serf_pool_start(pool, 1);
    pool->nodes[1].merge_answer = -1;
    serf_pool_join(pool, 1, 0);
    serf_pool_until(pool, serf_pool_is_done, &pool->nodes[1], 20000);
    ck_assert_int_lt(pool->nodes[1].status, 0);
    ck_assert_int_eq(serf_pool_status(pool, 1, 0), GOSSIP_MEMBER_NONE);
    serf_pool_free(pool);
}
END_TEST

START_TEST(single_member_can_be_refused)
{
    struct serf_pool *pool = serf_pool_new(20, 3);
    size_t i;

    pool->nodes[0].refused_name = "n2";
    for (i = 0; i < 3; i++)
        serf_pool_start(pool, i);
    serf_pool_join(pool, 1, 0);
    serf_pool_join(pool, 2, 1);
    serf_pool_run_ms(pool, 30000);
    ck_assert_int_eq(serf_pool_status(pool, 1, 2), GOSSIP_MEMBER_ALIVE);
    ck_assert_int_eq(serf_pool_status(pool, 0, 2), GOSSIP_MEMBER_NONE);
    serf_pool_free(pool);
}
END_TEST

START_TEST(coordinates_converge_to_round_trips)
{
    struct serf_pool *pool = serf_pool_new(21, 8);
    uint64_t near_ns;
    uint64_t far_ns;
    size_t i;

    for (i = 4; i < 8; i++)
        pool->delay_us[i] = 10000; /* the far site: 40 ms between two there */
    serf_pool_form(pool);
    serf_pool_run_ms(pool, 600000);
    near_ns = gossip_serf_rtt_ns(pool->nodes[0].serf, "n0", "n1");
    far_ns = gossip_serf_rtt_ns(pool->nodes[0].serf, "n0", "n5");
    ck_assert_uint_gt(near_ns, 0);
    ck_assert_uint_lt(near_ns, 5000000);
    ck_assert_uint_gt(far_ns, 14000000); /* 21 ms */
    ck_assert_uint_lt(far_ns, 28000000);
    ck_assert_uint_eq(gossip_serf_rtt_ns(pool->nodes[0].serf, "n0", "who"), 0);
    serf_pool_free(pool);
}
END_TEST

START_TEST(maintenance_leaves_nobody_in_leaving)
{
    struct serf_pool *pool = serf_pool_new(22, 12);
    size_t i;
    size_t other;

    /* A third of the pool leaves and returns at once, with loss. */
    pool->loss_ppm = 30000;
    serf_pool_form(pool);
    for (i = 8; i < 12; i++)
        gossip_serf_leave(pool->nodes[i].serf, NULL, NULL);
    serf_pool_run_ms(pool, 12000);
    for (i = 8; i < 12; i++) {
        serf_pool_kill(pool, i);
        serf_pool_start(pool, i);
        serf_pool_join(pool, i, i - 8);
    }
    serf_pool_run_ms(pool, 180000);
    for (i = 0; i < 12; i++)
        for (other = 0; other < 12; other++)
            ck_assert_int_eq(serf_pool_status(pool, i, other),
                             GOSSIP_MEMBER_ALIVE);
    serf_pool_free(pool);
}
END_TEST

static bool all_see_all(void *arg)
{
    struct serf_pool *pool = arg;
    size_t a;
    size_t b;

    for (a = 0; a < pool->count; a++)
        for (b = 0; b < pool->count; b++)
            if (serf_pool_status(pool, a, b) != GOSSIP_MEMBER_ALIVE)
                return false;
    return true;
}

#define CHAOS_NODES 10
#define CHAOS_STEPS 60

static void restart(struct serf_pool *pool, size_t i)
{
    size_t target = base_sim_random_below(pool->sim, CHAOS_NODES);

    base_buf_reset(&pool->nodes[i].journal);
    serf_pool_start(pool, i);
    serf_pool_join(pool, i, target == i ? (i + 1) % CHAOS_NODES : target);
}

static void chaos_step(struct serf_pool *pool, unsigned step)
{
    size_t i = base_sim_random_below(pool->sim, CHAOS_NODES);
    size_t other = base_sim_random_below(pool->sim, CHAOS_NODES);
    struct gossip_serf *serf = pool->nodes[i].serf;
    char name[16];

    if (serf == NULL) {
        restart(pool, i);
        return;
    }
    switch (base_sim_random_below(pool->sim, 8)) {
    case 0:
        serf_pool_kill(pool, i);
        break;
    case 1:
        (void)gossip_serf_leave(serf, NULL, NULL);
        break;
    case 2:
        (void)gossip_serf_force_leave(serf, pool->nodes[other].name,
                                      step % 2 == 0, NULL, NULL);
        break;
    case 3:
        serf_pool_cut(pool, i, other, true);
        break;
    case 4:
        serf_pool_cut(pool, i, other, false);
        break;
    default:
        snprintf(name, sizeof(name), "e%u", step);
        (void)gossip_serf_user_event(serf, name, NULL, 0, false);
    }
}

static void end_chaos(struct serf_pool *pool)
{
    size_t i;

    pool->loss_ppm = 0;
    memset(pool->cut, 0, sizeof(pool->cut));
    for (i = 0; i < CHAOS_NODES; i++) {
        if (pool->nodes[i].serf != NULL &&
            gossip_serf_state(pool->nodes[i].serf) != GOSSIP_SERF_ALIVE) {
            serf_pool_run_ms(pool, 10000);
            serf_pool_kill(pool, i);
        }
        if (pool->nodes[i].serf == NULL) {
            base_buf_reset(&pool->nodes[i].journal);
            serf_pool_start(pool, i);
        }
    }
    for (i = 1; i < CHAOS_NODES; i++)
        serf_pool_join(pool, i, 0);
}

/* Random kills, leaves, partitions and events under loss: afterwards all agree,
 * and no event came twice to anybody. */
START_TEST(views_converge_after_chaos)
{
    struct serf_pool *pool = serf_pool_new(1000 + (uint64_t)_i, CHAOS_NODES);
    char line[32];
    unsigned step;
    size_t i;

    for (i = 0; i < CHAOS_NODES; i++)
        pool->nodes[i].config.params.push_pull_interval_ms = 10000;
    serf_pool_form(pool);
    pool->loss_ppm = 20000;
    for (step = 0; step < CHAOS_STEPS; step++) {
        chaos_step(pool, step);
        serf_pool_run_ms(pool, base_sim_random_below(pool->sim, 6000));
    }
    end_chaos(pool);
    serf_pool_until(pool, all_see_all, pool, 180000);
    serf_pool_run_ms(pool, 60000);
    ck_assert(all_see_all(pool));
    for (i = 0; i < CHAOS_NODES; i++) {
        for (step = 0; step < CHAOS_STEPS; step++) {
            snprintf(line, sizeof(line), "user e%u ", step);
            ck_assert_uint_le(serf_pool_heard(&pool->nodes[i], line), 1);
        }
    }
    serf_pool_free(pool);
}
END_TEST

Suite *serf_pool_suite(void)
{
    Suite *suite = suite_create("serf-pool");
    TCase *tcase = tcase_create("members");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, join_reaches_both_sides);
    tcase_add_test(tcase, join_by_name_tries_every_address);
    tcase_add_test(tcase, join_of_nobody_fails);
    tcase_add_test(tcase, join_under_way_does_not_outlive_its_node);
    tcase_add_test(tcase, tags_travel_and_change);
    tcase_add_test(tcase, leave_shows_left);
    tcase_add_test(tcase, leave_that_times_out_goes_on);
    tcase_add_test(tcase, leave_of_a_lone_node_is_quick);
    tcase_add_test(tcase, death_shows_failed_and_restart_alive);
    tcase_add_test(tcase, left_node_comes_back_alive);
    tcase_add_test(tcase, force_leave_turns_failed_into_left);
    tcase_add_test(tcase, prune_forgets_at_once);
    tcase_add_test(tcase, living_member_refutes_a_force_leave);
    tcase_add_test(tcase, force_leave_of_the_only_other_does_not_stay);
    tcase_add_test(tcase, prune_of_a_leaving_member_waits_for_its_end);
    tcase_add_test(tcase, partition_heals_without_help);
    tcase_add_test(tcase, failed_and_left_members_are_reaped_in_time);
    tcase_add_test(tcase, user_event_reaches_all_exactly_once);
    tcase_add_test(tcase, user_event_of_the_wrong_size_is_refused);
    tcase_add_test(tcase, join_brings_old_events_unless_ignored);
    tcase_add_test(tcase, merge_can_be_refused);
    tcase_add_test(tcase, single_member_can_be_refused);
    tcase_add_test(tcase, coordinates_converge_to_round_trips);
    tcase_add_test(tcase, maintenance_leaves_nobody_in_leaving);
    tcase_add_loop_test(tcase, views_converge_after_chaos, 0, 20);
    suite_add_tcase(suite, tcase);
    return suite;
}
