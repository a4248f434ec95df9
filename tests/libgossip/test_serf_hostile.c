/*
 * Messages that nobody means well with: a node takes them, counts them, and is
 * a healthy member afterwards (gossip.md 6.2, 6.3, 9.26 to 9.38).
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "serf/core.h"
#include "serf_pool.h"
#include "suite.h"

static void take(struct serf_pool *pool, size_t index, const void *data,
                 size_t len)
{
    /* On the heap, exactly as long: a read past the end is found. */
    uint8_t *copy = base_memdup(data, len);

    serf_take_message(pool->nodes[index].serf, copy, len);
    base_free(copy);
}

static void take_intent(struct serf_pool *pool, size_t index,
                        enum serf_message_type type, const char *name,
                        uint64_t ltime)
{
    struct serf_msg_intent msg = {.ltime = ltime, .node = mp_str_of(name)};
    struct base_buf out = BASE_BUF_INIT;

    serf_put_intent(&out, type, &msg);
    take(pool, index, base_buf_data(&out), base_buf_len(&out));
    base_buf_close(&out);
}

static void check_healthy(struct serf_pool *pool)
{
    size_t i;

    serf_pool_run_ms(pool, 20000);
    for (i = 0; i < pool->count; i++)
        serf_pool_await(pool, i, GOSSIP_MEMBER_ALIVE, 1);
    ck_assert_int_eq(
        gossip_serf_user_event(pool->nodes[1].serf, "after", NULL, 0, false),
        0);
    serf_pool_run_ms(pool, 5000);
    for (i = 0; i < pool->count; i++)
        ck_assert_uint_eq(serf_pool_heard(&pool->nodes[i], "user after "), 1);
}

static const struct {
    const char *bytes;
    size_t len;
} broken[] = {
    {"", 0},
    {"\x00", 1},
    {"\x01\xc1", 2},
    {"\x01\x80", 2},                 /* no name */
    {"\x01\x81\xa4Node\xa1\n", 8},   /* a newline in it */
    {"\x01\x81\xa4Node\xa1\0", 8},
    {"\x02\x80", 2},                 /* a push/pull body as gossip */
    {"\x03", 1},
    {"\x03\x81\xa5LTime\xff", 8},    /* negative */
    {"\x03\xdf\xff\xff\xff\xff", 6},
    {"\x04\x80", 2},                 /* no address to answer to */
    {"\x04\x81\xa7" "Filters\xdd\xff\xff\xff\xff", 14},
    {"\x05\x80", 2},
    {"\x06\xc0", 2},
    {"\x07\x80", 2},
    {"\x08\x80", 2},
    {"\x09", 1},
    {"\x09\x80", 2},                 /* relays nothing to nobody */
    {"\x0a", 1},
    {"\xff\xff\xff", 3},
};

START_TEST(broken_messages_are_counted)
{
    struct serf_pool *pool = serf_pool_new(1, 3);
    size_t i;

    serf_pool_form(pool);
    for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        take(pool, 0, broken[i].bytes, broken[i].len);
    /* A response to no open query is late, not malformed. */
    ck_assert_uint_eq(serf_pool_refused(&pool->nodes[0], "malformed"),
                      sizeof(broken) / sizeof(broken[0]) - 1);
    check_healthy(pool);
    serf_pool_free(pool);
}
END_TEST

START_TEST(absurd_times_are_ignored)
{
    struct serf_pool *pool = serf_pool_new(2, 3);
    struct gossip_serf_stats before;
    struct gossip_serf_stats after;
    struct serf_msg_event event = {UINT64_MAX, mp_str_of("e"), {NULL, 0},
                                   false};
    static const uint8_t ip[4] = {10, 1, 0, 2};
    static struct serf_msg_query query;

    serf_pool_form(pool);
    before = gossip_serf_stats(pool->nodes[0].serf);
    take_intent(pool, 0, SERF_JOIN, "n1", UINT64_MAX);
    take_intent(pool, 0, SERF_LEAVE, "n1", UINT64_MAX);
    take_intent(pool, 0, SERF_LEAVE, "n0", UINT64_MAX);
    ck_assert(!serf_user_event(pool->nodes[0].serf, &event));
    query = (struct serf_msg_query){.ltime = UINT64_MAX,
                                    .addr = {ip, 4},
                                    .name = mp_str_of("q")};
    ck_assert(!serf_query_in(pool->nodes[0].serf, &query));
    after = gossip_serf_stats(pool->nodes[0].serf);
    ck_assert_uint_eq(before.member_time, after.member_time);
    ck_assert_uint_eq(before.event_time, after.event_time);
    ck_assert_uint_eq(before.query_time, after.query_time);
    ck_assert_uint_eq(serf_pool_refused(&pool->nodes[0], "ltime"), 5);
    check_healthy(pool);
    serf_pool_free(pool);
}
END_TEST

START_TEST(largest_time_does_not_wrap)
{
    struct serf_pool *pool = serf_pool_new(3, 3);

    serf_pool_form(pool);
    take_intent(pool, 0, SERF_JOIN, "n1", SERF_LTIME_MAX);
    serf_pool_run_ms(pool, 60000); /* it travels, by push/pull too */
    ck_assert_uint_ge(gossip_serf_stats(pool->nodes[2].serf).member_time,
                      SERF_LTIME_MAX);
    check_healthy(pool);
    serf_pool_free(pool);
}
END_TEST

START_TEST(forged_leave_of_a_living_node_is_refuted)
{
    struct serf_pool *pool = serf_pool_new(4, 4);
    uint64_t ltime;
    size_t i;

    serf_pool_form(pool);
    ltime = gossip_serf_stats(pool->nodes[0].serf).member_time;
    for (i = 0; i < 20; i++) {
        take_intent(pool, 0, SERF_LEAVE, "n3", ltime + i);
        serf_pool_run_ms(pool, 50);
    }
    serf_pool_await(pool, 3, GOSSIP_MEMBER_ALIVE, 20000);
    check_healthy(pool);
    serf_pool_free(pool);
}
END_TEST

/* The same with the refutations lost: asked again, it speaks up again. */
START_TEST(nobody_stays_in_leaving)
{
    struct serf_pool *pool = serf_pool_new(11, 4);
    size_t i;

    serf_pool_form(pool);
    for (i = 0; i < 3; i++)
        pool->cut[3][i] = true;
    take_intent(pool, 0, SERF_LEAVE, "n3",
                gossip_serf_stats(pool->nodes[0].serf).member_time);
    serf_pool_run_ms(pool, 900);
    for (i = 0; i < 3; i++)
        pool->cut[3][i] = false;
    serf_pool_await(pool, 3, GOSSIP_MEMBER_ALIVE, 60000);
    check_healthy(pool);
    serf_pool_free(pool);
}
END_TEST

START_TEST(two_leave_intents_do_not_circle)
{
    struct serf_pool *pool = serf_pool_new(5, 4);
    size_t i;

    serf_pool_form(pool);
    serf_pool_kill(pool, 3);
    serf_pool_await(pool, 3, GOSSIP_MEMBER_FAILED, 60000);
    gossip_serf_force_leave(pool->nodes[0].serf, "n3", false, NULL, NULL);
    gossip_serf_force_leave(pool->nodes[1].serf, "n3", false, NULL, NULL);
    serf_pool_run_ms(pool, 60000);
    for (i = 0; i < 3; i++)
        ck_assert_uint_eq(
            gossip_serf_stats(pool->nodes[i].serf).intent_queue, 0);
    serf_pool_free(pool);
}
END_TEST

START_TEST(intents_about_strangers_are_bounded)
{
    struct serf_pool *pool = serf_pool_new(6, 2);
    char name[32];
    size_t i;

    serf_pool_form(pool);
    for (i = 0; i < SERF_INTENTS_MAX + 100; i++) {
        snprintf(name, sizeof(name), "stranger-%zu", i);
        take_intent(pool, 0, SERF_JOIN, name, 5);
    }
    ck_assert_uint_eq(serf_pool_refused(&pool->nodes[0], "full"), 100);
    /* And what is gossiped on, too: 2 x 4096. */
    ck_assert_uint_le(gossip_serf_stats(pool->nodes[0].serf).intent_queue,
                      8192);
    serf_pool_run_ms(pool, 40000);
    ck_assert_uint_le(gossip_serf_stats(pool->nodes[0].serf).intent_queue,
                      4096);
    serf_pool_free(pool);
}
END_TEST

/* Both crash the original (gossip.md 9.26). */
START_TEST(empty_filters_and_key_queries_hurt_nobody)
{
    static const char *const names[] = {
        "_serf_install-key", "_serf_use-key", "_serf_remove-key",
        "_serf_list-keys",   "_serf_conflict", "_serf_ping", "_serf_what"};
    static const uint8_t ip[4] = {10, 1, 0, 2};
    static struct serf_msg_query msg;
    struct serf_pool *pool = serf_pool_new(7, 3);
    struct base_buf out = BASE_BUF_INIT;
    size_t i;

    for (i = 0; i < 3; i++) {
        pool->nodes[i].keyring = gossip_keyring_new();
        gossip_keyring_add(pool->nodes[i].keyring, "0123456789abcdef", 16);
    }
    serf_pool_form(pool);
    for (i = 0; i < 8; i++) {
        msg = (struct serf_msg_query){.ltime = 100 + i,
                                      .id = 5,
                                      .addr = {ip, 4},
                                      .port = SERF_POOL_PORT,
                                      .source = mp_str_of("n1"),
                                      .timeout_ns = INT64_MAX,
                                      .relay_factor = 255,
                                      .name = mp_str_of("plain")};
        if (i < 7) {
            msg.name = mp_str_of(names[i]);
        } else {
            msg.filters[0] = mp_bytes_of("", 0);
            msg.filter_count = 1;
        }
        base_buf_reset(&out);
        serf_put_query(&out, &msg);
        take(pool, 0, base_buf_data(&out), base_buf_len(&out));
    }
    base_buf_close(&out);
    serf_pool_run_ms(pool, 1000);
    /* Only the ping went on: the rest would crash agents of the original. */
    ck_assert_uint_eq(gossip_serf_stats(pool->nodes[2].serf).query_time, 106);
    ck_assert_uint_eq(gossip_keyring_count(pool->nodes[2].keyring), 1);
    for (i = 0; i < 3; i++)
        ck_assert_uint_eq(serf_pool_heard(&pool->nodes[i], "query plain "), 0);
    check_healthy(pool);
    serf_pool_free(pool);
}
END_TEST

START_TEST(relay_carries_answers_only)
{
    static const uint8_t ip[4] = {10, 1, 0, 2};
    static const uint8_t event[] = "\x03\x81\xa4Name\xa1x";
    struct serf_pool *pool = serf_pool_new(8, 2);
    struct serf_msg_relay relay = {.ip = {ip, 4},
                                   .port = SERF_POOL_PORT,
                                   .node = mp_str_of("n1")};
    struct base_buf out = BASE_BUF_INIT;

    serf_pool_form(pool);
    relay.inner = mp_bytes_of(event, sizeof(event) - 1);
    serf_put_relay(&out, &relay);
    take(pool, 0, base_buf_data(&out), base_buf_len(&out));
    base_buf_close(&out);
    serf_pool_run_ms(pool, 5000);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[1], "user x "), 0);
    ck_assert_uint_eq(serf_pool_refused(&pool->nodes[0], "malformed"), 1);
    serf_pool_free(pool);
}
END_TEST

static void merge(struct serf_pool *pool, const char *bytes, size_t len)
{
    uint8_t *copy = base_memdup(bytes, len);

    serf_merge_state(pool->nodes[0].serf, copy, len, false);
    base_free(copy);
}

#define MERGE(text) merge(pool, text, sizeof(text) - 1)

START_TEST(broken_push_pull_bodies_change_nothing)
{
    struct serf_pool *pool = serf_pool_new(9, 2);
    struct gossip_serf_stats before;
    struct gossip_serf_stats after;

    serf_pool_form(pool);
    before = gossip_serf_stats(pool->nodes[0].serf);
    MERGE("");
    MERGE("\x02");
    MERGE("\x05\x80");
    MERGE("\x02\x81\xa5LTime");
    MERGE("\x02\x82\xa5LTime\x70\xa6" "Events\x05");
    MERGE("\x02\x82\xa5LTime\x70\xa6" "Events\x91\x81\xa6" "Events\x91\x05");
    MERGE("\x02\x82\xa5LTime\x70\xabLeftMembers\x91\x05");
    MERGE("\x02\x82\xa5LTime\x70\xac" "StatusLTimes\x81\xa1" "a\xa1" "b");
    MERGE("\x02\x82\xa5LTime\x70\xac" "StatusLTimes\xdf\xff\xff\xff\xff");
    ck_assert_uint_eq(serf_pool_refused(&pool->nodes[0], "malformed"), 9);
    after = gossip_serf_stats(pool->nodes[0].serf);
    ck_assert_uint_eq(after.member_time, before.member_time);
    /* A status time whose successor would wrap; a clock that is too large. */
    MERGE("\x02\x82\xabLeftMembers\x91\xa2n1\xac"
          "StatusLTimes\x81\xa2n1\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
    MERGE("\x02\x81\xa5LTime\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
    ck_assert_uint_eq(serf_pool_refused(&pool->nodes[0], "ltime"), 2);
    ck_assert_uint_eq(gossip_serf_stats(pool->nodes[0].serf).member_time,
                      before.member_time);
    MERGE("\x02\x80");
    MERGE("\x02\xc0");
    check_healthy(pool);
    serf_pool_free(pool);
}
END_TEST

static size_t load(const char *name, uint8_t bytes[4096])
{
    char path[512];
    FILE *file;
    size_t len = 0;
    unsigned byte;

    snprintf(path, sizeof(path), "%s/%s.hex", TEST_DATA, name);
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (len < 4096 && fscanf(file, "%2x", &byte) == 1)
        bytes[len++] = (uint8_t)byte;
    fclose(file);
    return len;
}

/* What the original sends: its whole ring, empty slots as nil. */
START_TEST(push_pull_of_the_original_is_taken)
{
    static const char *const names[] = {"serf_pushpull", "v2_serf_pushpull"};
    struct serf_pool *pool = serf_pool_new(12, 1);
    struct serf_pool_node *node = &pool->nodes[0];
    struct gossip_serf_stats stats;
    uint8_t bytes[4096];
    uint64_t ltime = 0;
    size_t len = load(names[_i], bytes);

    serf_pool_start(pool, 0);
    serf_pool_run_ms(pool, 10);
    merge(pool, (const char *)bytes, len);
    merge(pool, (const char *)bytes, len);
    serf_pool_run_ms(pool, 10);
    stats = gossip_serf_stats(node->serf);
    ck_assert_uint_eq(stats.member_time, 7);
    ck_assert_uint_eq(stats.event_time, 2);
    ck_assert_uint_eq(stats.query_time, 1);
    ck_assert_uint_eq(serf_pool_heard(node, "user deploy v1"), 1);
    ck_assert_uint_eq(serf_pool_heard(node, "user restart "), 1);
    ck_assert(serf_intents_get(&node->serf->intents, "node-a",
                               SERF_INTENT_JOIN, &ltime));
    ck_assert_uint_eq(ltime, 3);
    ck_assert(serf_intents_get(&node->serf->intents, "node-c",
                               SERF_INTENT_LEAVE, &ltime));
    len = load("serf_pushpull_fresh512", bytes);
    merge(pool, (const char *)bytes, len);
    ck_assert_uint_eq(serf_pool_refused(node, "malformed"), 0);
    serf_pool_free(pool);
}
END_TEST

/* Recorded messages with bytes changed at random. */
START_TEST(random_damage)
{
    static const char *const names[] = {
        "serf_leave", "serf_join", "serf_user_event", "serf_query",
        "serf_query_ping", "serf_query_response", "serf_relay",
        "serf_pushpull"};
    struct serf_pool *pool = serf_pool_new(10, 2);
    uint8_t bytes[4096];
    uint8_t damaged[4096];
    size_t name;
    size_t round;

    serf_pool_form(pool);
    for (name = 0; name < sizeof(names) / sizeof(names[0]); name++) {
        size_t len = load(names[name], bytes);

        for (round = 0; round < 3000; round++) {
            size_t changes = 1 + base_sim_random_below(pool->sim, 3);
            size_t cut = base_sim_random_below(pool->sim, 4) == 0
                             ? base_sim_random_below(pool->sim, len)
                             : len;

            memcpy(damaged, bytes, len);
            while (changes-- > 0)
                damaged[1 + base_sim_random_below(pool->sim, len - 1)] =
                    (uint8_t)base_sim_random_below(pool->sim, 256);
            take(pool, 0, damaged, cut);
            if (damaged[0] == SERF_PUSH_PULL)
                merge(pool, (const char *)damaged, cut);
        }
        serf_pool_run_ms(pool, 1000);
    }
    ck_assert_uint_gt(serf_pool_refused(&pool->nodes[0], "malformed"), 1000);
    serf_pool_run_ms(pool, 20000);
    serf_pool_await(pool, 0, GOSSIP_MEMBER_ALIVE, 60000);
    serf_pool_free(pool);
}
END_TEST

Suite *serf_hostile_suite(void)
{
    Suite *suite = suite_create("serf-hostile");
    TCase *tcase = tcase_create("hostile");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, broken_messages_are_counted);
    tcase_add_test(tcase, absurd_times_are_ignored);
    tcase_add_test(tcase, largest_time_does_not_wrap);
    tcase_add_test(tcase, forged_leave_of_a_living_node_is_refuted);
    tcase_add_test(tcase, nobody_stays_in_leaving);
    tcase_add_test(tcase, two_leave_intents_do_not_circle);
    tcase_add_test(tcase, intents_about_strangers_are_bounded);
    tcase_add_test(tcase, empty_filters_and_key_queries_hurt_nobody);
    tcase_add_test(tcase, relay_carries_answers_only);
    tcase_add_test(tcase, broken_push_pull_bodies_change_nothing);
    tcase_add_loop_test(tcase, push_pull_of_the_original_is_taken, 0, 2);
    tcase_add_test(tcase, random_damage);
    suite_add_tcase(suite, tcase);
    return suite;
}
