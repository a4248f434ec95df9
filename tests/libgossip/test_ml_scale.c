/*
 * What keeps a node small and awake in large pools: states that are made once
 * and sent to many, members that are merged in turns, records that are shared,
 * the inbox under a flood.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "lone.h"
#include "memberlist/exchange.h"
#include "pool.h"
#include "suite.h"

/* The bytes of a push/pull with that many members, alive, none of them there.
 * No answer to it is waited for. */
static void put_members(size_t count, size_t meta_len, struct base_buf *out)
{
    static const uint8_t vsn[] = {1, 5, 2, 0, 0, 0};
    static uint8_t meta[512];
    struct ml_push_pull header = {(int64_t)count, 0, false};
    struct ml_push_node node = {0};
    char name[64];
    uint8_t ip[4];
    size_t i;

    memset(meta, 'm', sizeof(meta));
    ml_put(out, ML_PUSH_PULL, &header);
    for (i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "member-%zu.example", i);
        ip[0] = 172;
        ip[1] = 16;
        ip[2] = (uint8_t)(i >> 8);
        ip[3] = (uint8_t)i;
        node.name = mp_str_of(name);
        node.addr = mp_bytes_of(ip, 4);
        node.port = 7946;
        node.meta = mp_bytes_of(meta, meta_len);
        node.incarnation = 1;
        node.vsn = mp_bytes_of(vsn, 6);
        ml_put(out, ML_PUSH_NODE, &node);
    }
}

/* A peer that sends bytes to node 0 and reads as fast as it is told to. */
struct feeder {
    struct base_stream *stream;
    const struct base_buf *bytes;
    size_t got;
    bool lazy; /* reads nothing */
    bool closed;
};

static void feeder_readable(void *arg)
{
    struct feeder *feeder = arg;

    if (feeder->lazy)
        return;
    feeder->got += base_stream_len(feeder->stream);
    base_stream_consume(feeder->stream, base_stream_len(feeder->stream));
}

static void feeder_closed(void *arg, int err)
{
    (void)err;
    ((struct feeder *)arg)->closed = true;
}

static const struct base_stream_events feeder_events = {feeder_readable, NULL,
                                                        feeder_closed};

static void feeder_dialled(void *arg, int status, struct base_stream *stream)
{
    struct feeder *feeder = arg;

    ck_assert_int_eq(status, 0);
    feeder->stream = stream;
    base_stream_set_events(stream, &feeder_events, feeder);
    ck_assert_int_eq(base_stream_write(stream, base_buf_data(feeder->bytes),
                                       base_buf_len(feeder->bytes)), 0);
}

static void feed(struct feeder *feeder, struct pool *pool,
                 const struct base_buf *bytes)
{
    struct pool_node *me = &pool->nodes[pool->count - 1];
    struct base_net *net;

    memset(feeder, 0, sizeof(*feeder));
    feeder->bytes = bytes;
    if (me->env == NULL)
        me->env = base_sim_host_env(me->host, "feeder");
    net = base_sim_host_net(me->host, me->env);
    ck_assert_int_eq(base_net_dial(net, &pool->nodes[0].addr, NULL, 1000,
                                   feeder_dialled, feeder, NULL), 0);
}

static struct pool *large_pool(size_t members, bool encrypted,
                               struct base_buf *bytes)
{
    struct pool *pool = pool_new(1, 3);
    size_t i;

    for (i = 0; i < 2; i++) {
        pool->nodes[i].params.probe_interval_ms = 0;
        pool->nodes[i].params.gossip_interval_ms = 0;
        pool->nodes[i].params.push_pull_interval_ms = 0;
        if (encrypted) {
            pool->nodes[i].keyring = gossip_keyring_new();
            gossip_keyring_add(pool->nodes[i].keyring, "0123456789abcdef", 16);
            pool->nodes[i].params.verify_incoming = i == 1;
        }
        pool_start(pool, i);
    }
    put_members(members, 200, bytes);
    return pool;
}

/* Thousands of members through encoding, compression, encryption and back. */
START_TEST(large_states_travel)
{
    struct base_buf bytes = BASE_BUF_INIT;
    struct pool *pool = large_pool(5000, _i / 2 == 1, &bytes);
    struct feeder feeder;

    pool->nodes[0].ml->params.compression = _i % 2 == 1;
    snprintf(pool->nodes[0].state_out, 64, "user state");
    feed(&feeder, pool, &bytes);
    pool_run_ms(pool, 3000);
    ck_assert_uint_eq(gossip_memberlist_count(pool->nodes[0].ml), 5001);
    base_stream_close(feeder.stream);
    pool_join(pool, 1, 0);
    pool_until(pool, pool_is_done, &pool->nodes[1], 5000);
    ck_assert_int_eq(pool->nodes[1].done_status, 0);
    ck_assert_uint_eq(gossip_memberlist_count(pool->nodes[1].ml), 5002);
    ck_assert_str_eq(pool->nodes[1].state_in, "user state");
    ck_assert_uint_eq(pool->nodes[0].ml->exchange_bytes, 0);
    ck_assert_uint_eq(pool->nodes[1].ml->exchange_bytes, 0);
    ck_assert_uint_eq(ml_frames_count(pool->nodes[0].ml), 0);
    ml_members_check(&pool->nodes[1].ml->members);
    base_buf_close(&bytes);
    pool_free(pool);
}
END_TEST

/* A hundred exchanges at once, some of whom never read: one or two copies of
 * our state, not a hundred; and those who read get it. */
START_TEST(exchanges_share_our_state)
{
    struct base_buf bytes = BASE_BUF_INIT, empty = BASE_BUF_INIT;
    struct pool *pool = large_pool(3000, false, &bytes);
    struct ml_push_pull header = {0};
    struct feeder feeders[100];
    size_t i, full = 0;

    pool->nodes[0].ml->params.compression = false; /* more than buffers take */
    feed(&feeders[0], pool, &bytes);
    pool_run_ms(pool, 3000);
    ck_assert_uint_eq(gossip_memberlist_count(pool->nodes[0].ml), 3001);
    base_stream_close(feeders[0].stream);
    ml_put(&empty, ML_PUSH_PULL, &header);
    for (i = 0; i < 100; i++) {
        feed(&feeders[i], pool, &empty);
        feeders[i].lazy = i % 2 == 0;
        pool_run_ms(pool, 20);
        ck_assert_uint_le(ml_frames_count(pool->nodes[0].ml), 2);
    }
    pool_run_ms(pool, 5000);
    for (i = 0; i < 100; i++) {
        full += feeders[i].got > 10000 && feeders[i].got == feeders[1].got;
        base_stream_close(feeders[i].stream);
    }
    ck_assert_uint_eq(full, 50);
    pool_run_ms(pool, 12000);
    ck_assert_uint_eq(ml_frames_count(pool->nodes[0].ml), 0);
    base_buf_close(&bytes);
    base_buf_close(&empty);
    pool_free(pool);
}
END_TEST

/* While a large state is read and merged, pings are answered: no turn of the
 * loop takes on all of it. */
START_TEST(large_states_are_taken_in_turns)
{
    struct base_buf bytes = BASE_BUF_INIT;
    struct pool *pool = large_pool(5000, false, &bytes);
    struct feeder feeder;
    size_t last = 1, count, largest = 0;

    feed(&feeder, pool, &bytes);
    while (gossip_memberlist_count(pool->nodes[0].ml) < 5001) {
        ck_assert(base_sim_step(pool->sim));
        count = gossip_memberlist_count(pool->nodes[0].ml);
        if (count - last > largest)
            largest = count - last;
        last = count;
    }
    ck_assert_uint_le(largest, 128);
    base_stream_close(feeder.stream);
    base_buf_close(&bytes);
    pool_free(pool);
}
END_TEST

/* Members that we know just so are not held while an exchange is read. */
START_TEST(known_members_are_not_staged)
{
    struct base_buf bytes = BASE_BUF_INIT;
    struct pool *pool = large_pool(2000, false, &bytes);
    struct feeder feeder;
    size_t most = 0;
    int round;

    for (round = 0; round < 2; round++) {
        feed(&feeder, pool, &bytes);
        most = 0;
        while (!feeder.closed) {
            ck_assert(base_sim_step(pool->sim));
            if (pool->nodes[0].ml->exchange_bytes > most)
                most = pool->nodes[0].ml->exchange_bytes;
        }
        if (round == 0)
            ck_assert_uint_gt(most, 2000 * 200);
        base_stream_close(feeder.stream);
    }
    ck_assert_uint_eq(most, 0);
    base_buf_close(&bytes);
    pool_free(pool);
}
END_TEST

START_TEST(records_are_shared)
{
    struct pool *pool = pool_new(1, 20);

    pool->records = gossip_records_new(1);
    pool_start_all(pool);
    pool_form(pool);
    ck_assert_uint_eq(ml_records_count(pool->records), 20);
    pool_free(pool);
}
END_TEST

/* A flood of accusations: the inbox drops the oldest and counts, alive ones
 * pass it by, and pings are answered before any of it is merged. */
START_TEST(a_flood_drops_the_oldest)
{
    struct lone *lone = lone_new();
    struct ml_claim claim = {1, mp_str_of("a"), mp_str_of("b")};
    struct ml_ping ping = {0};
    struct base_buf one = BASE_BUF_INIT;
    struct base_addr from;
    int i;

    lone_start(lone);
    lone_alive(lone, "a", 1, 1);
    lone_forget(lone);
    base_addr_parse(&from, "10.0.0.9:7946", 0);
    for (i = 0; i < 3000; i++) {
        base_buf_reset(&one);
        claim.incarnation = (uint32_t)(1 + i);
        ml_put(&one, ML_SUSPECT, &claim);
        gossip_packet_in(lone->ml, &from, base_buf_data(&one),
                         base_buf_len(&one));
    }
    base_buf_reset(&one);
    ml_put(&one, ML_PING, &ping);
    gossip_packet_in(lone->ml, &from, base_buf_data(&one), base_buf_len(&one));
    ck_assert_uint_eq(lone_sent_count(lone, ML_ACK), 1); /* at once */
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_ALIVE);
    ck_assert_uint_eq(lone_dropped(lone, "inbox_full"), 3000 - 1024);
    ck_assert_uint_eq(ml_inbox_count(&lone->ml->inbox), 1024);
    base_sim_run_for_ms(lone->sim, 10);
    ck_assert_uint_eq(lone_incarnation(lone, "a"), 3000);
    ck_assert_uint_eq(ml_inbox_count(&lone->ml->inbox), 0);
    base_buf_close(&one);
    lone_free(lone);
}
END_TEST

/* Gossip says everything twenty times: what was merged does not even get into
 * the inbox, until a member comes anew, of whom it may be true again. */
START_TEST(claims_heard_before_are_passed_over)
{
    struct lone *lone = lone_new();
    struct ml_claim claim = {1, mp_str_of("a"), mp_str_of("b")};
    struct base_buf one = BASE_BUF_INIT;
    struct base_addr from;

    lone_start(lone);
    base_addr_parse(&from, "10.0.0.9:7946", 0);
    lone_alive(lone, "a", 1, 1);
    lone_claim(lone, ML_DEAD, "a", 1, "b");
    ml_put(&one, ML_DEAD, &claim);
    gossip_packet_in(lone->ml, &from, base_buf_data(&one), base_buf_len(&one));
    ck_assert_uint_eq(ml_inbox_count(&lone->ml->inbox), 0);
    claim.from = mp_str_of("c");
    base_buf_reset(&one);
    ml_put(&one, ML_DEAD, &claim);
    gossip_packet_in(lone->ml, &from, base_buf_data(&one), base_buf_len(&one));
    ck_assert_uint_eq(ml_inbox_count(&lone->ml->inbox), 1);
    lone_alive(lone, "a", 1, 2);
    lone_claim(lone, ML_DEAD, "a", 2, "a");
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_LEFT);
    lone_alive(lone, "a", 2, 1); /* another machine took the name */
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_ALIVE);
    lone_claim(lone, ML_DEAD, "a", 2, "a");
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_LEFT);
    base_buf_close(&one);
    lone_free(lone);
}
END_TEST

Suite *scale_suite(void)
{
    Suite *suite = suite_create("memberlist-scale");
    TCase *tcase = tcase_create("scale");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, large_states_travel, 0, 4);
    tcase_add_test(tcase, exchanges_share_our_state);
    tcase_add_test(tcase, large_states_are_taken_in_turns);
    tcase_add_test(tcase, known_members_are_not_staged);
    tcase_add_test(tcase, records_are_shared);
    tcase_add_test(tcase, a_flood_drops_the_oldest);
    tcase_add_test(tcase, claims_heard_before_are_passed_over);
    suite_add_tcase(suite, tcase);
    return suite;
}
