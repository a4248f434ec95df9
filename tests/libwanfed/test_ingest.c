/* Packets in: hostile lengths, limits, silence. */
#include <string.h>

#include "base/alloc.h"
#include "fed.h"

static struct fed fed;
static struct fed_gateway *gateway;
static struct fed_server *a, *b; /* b listens; a dials by hand */

static void setup_with(const struct wanfed_config *limits)
{
    fed_open(&fed);
    gateway = fed_add_gateway(&fed, "192.0.2.1");
    a = fed_add_server(&fed, "a.dc1", "10.1.0.1", gateway, 0, NULL);
    b = fed_add_server(&fed, "b.dc2", "10.2.0.1", gateway, FED_GOSSIPS,
                       limits);
}
static void setup(void)
{
    setup_with(NULL);
}
static void teardown(void)
{
    fed_close(&fed);
}

/* A packet connection of our own, without the transport. */
struct raw {
    struct base_stream *stream;
    bool closed;
};

static void on_closed(void *arg, int err)
{
    struct raw *raw = arg;

    (void)err;
    raw->closed = true;
}
static const struct base_stream_events raw_events = {.on_closed = on_closed};

static void on_dialled(void *arg, int status, struct base_stream *stream,
                       const struct rpc_peer *peer)
{
    struct raw *raw = arg;

    (void)peer;
    ck_assert_int_eq(status, 0);
    raw->stream = stream;
    base_stream_set_events(stream, &raw_events, raw);
}

static void raw_open(struct raw *raw)
{
    struct rpc_target target = {.dc = "dc2", .node = "b"};

    *raw = (struct raw){0};
    ck_assert_int_eq(rpc_dialer_dial(a->dialer, &target,
                                     RPC_PROTOCOL_GOSSIP_PACKET, 1000,
                                     on_dialled, raw, NULL),
                     0);
    fed_run_ms(&fed, 100);
    ck_assert_ptr_nonnull(raw->stream);
}

static uint64_t received(void)
{
    return fed_counter(b, "isthmus.wanfed.packets.received", NULL, NULL);
}
static uint64_t refused(void)
{
    return fed_counter(b, "isthmus.wanfed.frames.refused", NULL, NULL);
}

START_TEST(frames_arrive_however_they_are_cut)
{
    static const char bytes[] = "\0\0\0\5hello\0\0\0\1x\0\0\0\3abc";
    struct raw raw;
    size_t i;

    raw_open(&raw);
    for (i = 0; i < sizeof(bytes) - 1; i++) {
        base_stream_write(raw.stream, bytes + i, 1);
        fed_run_ms(&fed, 10);
    }
    ck_assert_uint_eq(received(), 3);
    base_stream_write(raw.stream, bytes, sizeof(bytes) - 1);
    fed_run_ms(&fed, 50);
    ck_assert_uint_eq(received(), 6);
    ck_assert(!raw.closed);
    base_stream_close(raw.stream);
}
END_TEST

static const char *const bad_heads[] = {
    "\0\0\0\0", "\0\x40\0\1", "\xff\xff\xff\xff", "GET /",
};

START_TEST(a_bad_length_closes)
{
    struct raw raw;

    raw_open(&raw);
    base_stream_write(raw.stream, "\0\0\0\1x", 5);
    base_stream_write(raw.stream, bad_heads[_i], 4);
    fed_run_ms(&fed, 100);
    ck_assert(raw.closed);
    ck_assert_uint_eq(received(), 1); /* what came before counts */
    ck_assert_uint_eq(refused(), 1);
    base_stream_close(raw.stream);
}
END_TEST

START_TEST(the_largest_packet_passes)
{
    const size_t len = WANFED_PACKET_BYTES_MAX;
    struct raw raw;
    char *big = base_calloc(1, len + 4);

    big[1] = 0x40;
    raw_open(&raw);
    base_stream_write(raw.stream, big, len + 4);
    base_stream_write(raw.stream, "\0\0\0\1x", 5);
    fed_run_ms(&fed, 10000);
    ck_assert_uint_eq(received(), 2);
    ck_assert(!raw.closed);
    base_stream_close(raw.stream);
    base_free(big);
}
END_TEST

START_TEST(few_may_hold_large_packets)
{
    struct raw raws[20];
    unsigned closed = 0;
    int i;

    for (i = 0; i < 20; i++) {
        raw_open(&raws[i]);
        base_stream_write(raws[i].stream, "\0\x40\0\0never ends", 14);
        fed_run_ms(&fed, 50);
    }
    for (i = 0; i < 20; i++) {
        closed += raws[i].closed;
        base_stream_close(raws[i].stream);
    }
    ck_assert_uint_eq(closed, 4);
    ck_assert_uint_eq(refused(), 4);
    fed_run_ms(&fed, 100); /* they gave their places back */
    raw_open(&raws[0]);
    base_stream_write(raws[0].stream, "\0\x40\0\0never ends", 14);
    fed_run_ms(&fed, 100);
    ck_assert(!raws[0].closed);
    base_stream_close(raws[0].stream);
}
END_TEST

START_TEST(silence_closes)
{
    struct raw raw;

    raw_open(&raw);
    base_stream_write(raw.stream, "\0\0\0\1x\0\0", 7);
    fed_run_ms(&fed, 140000);
    ck_assert(!raw.closed);
    base_stream_write(raw.stream, "\0", 1); /* no frame, so still silence */
    fed_run_ms(&fed, 15000);
    ck_assert(raw.closed);
    base_stream_close(raw.stream);
}
END_TEST

START_TEST(connections_are_bounded)
{
    const struct wanfed_config limits = {.inlets_max = 2};
    struct raw raws[3];
    int i;

    fed_close(&fed);
    setup_with(&limits);
    for (i = 0; i < 3; i++)
        raw_open(&raws[i]);
    fed_run_ms(&fed, 100);
    ck_assert(!raws[0].closed);
    ck_assert(!raws[1].closed);
    ck_assert(raws[2].closed);
    ck_assert_uint_eq(
        fed_counter(b, "isthmus.wanfed.connections.refused", NULL, NULL), 1);
    for (i = 0; i < 3; i++)
        base_stream_close(raws[i].stream);
}
END_TEST

START_TEST(a_burst_of_tiny_frames_passes_in_turns)
{
    struct base_buf many = BASE_BUF_INIT;
    struct raw raw;
    int i;

    for (i = 0; i < 20000; i++)
        base_buf_append(&many, "\0\0\0\1x", 5);
    raw_open(&raw);
    base_stream_write(raw.stream, base_buf_data(&many), base_buf_len(&many));
    fed_run_ms(&fed, 2000);
    ck_assert_uint_eq(received(), 20000);
    /* And an end right behind them loses none. */
    base_stream_write(raw.stream, base_buf_data(&many), base_buf_len(&many));
    base_stream_shutdown(raw.stream);
    fed_run_ms(&fed, 2000);
    ck_assert_uint_eq(received(), 40000);
    ck_assert(raw.closed);
    base_stream_close(raw.stream);
    base_buf_close(&many);
}
END_TEST

START_TEST(before_gossip_is_there_it_is_refused)
{
    struct raw raw;

    wanfed_transport_attach(b->wan, NULL);
    raw_open(&raw);
    fed_run_ms(&fed, 100);
    ck_assert(raw.closed);
    base_stream_close(raw.stream);
    wanfed_transport_attach(b->wan, b->memberlist);
}
END_TEST

Suite *ingest_suite(void)
{
    Suite *suite = suite_create("ingest");
    TCase *tc = tcase_create("ingest");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, frames_arrive_however_they_are_cut);
    tcase_add_loop_test(tc, a_bad_length_closes, 0,
                        (int)(sizeof(bad_heads) / sizeof(bad_heads[0])));
    tcase_add_test(tc, the_largest_packet_passes);
    tcase_add_test(tc, few_may_hold_large_packets);
    tcase_add_test(tc, silence_closes);
    tcase_add_test(tc, connections_are_bounded);
    tcase_add_test(tc, a_burst_of_tiny_frames_passes_in_turns);
    tcase_add_test(tc, before_gossip_is_there_it_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
