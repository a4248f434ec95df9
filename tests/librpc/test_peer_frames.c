/* A peer that speaks frames of its own making: the server answers what is
 * right, hangs up on what is not, and goes on serving others. */
#include <string.h>

#include "bed.h"
#include "frame.h"

Suite *peer_frames_suite(void);

static struct bed *plain_bed(int kind)
{
    return bed_new(&(struct bed_config){.kind = kind, .plain = true});
}

/* A connection of the multiplexed protocol that has said hello. */
static struct raw *dial_multi(struct bed *bed, const char *first, size_t len)
{
    struct raw *raw = raw_dial(bed->world, &bed->addr);
    const struct frame_hello hello = {1, 64, 1u << 24};
    uint8_t bytes[FRAME_HELLO_BYTES];

    raw_write(raw, first, len);
    frame_write_hello(bytes, &hello);
    raw_write(raw, bytes, sizeof(bytes));
    return raw;
}

static void send_request(struct raw *raw, uint32_t id, const char *method,
                         uint32_t total)
{
    static const uint8_t zeros[FRAME_PART_BYTES];
    struct frame_start start;

    frame_write_request(&start, id, method, "", 5000, 0, total);
    raw_write(raw, start.bytes, start.len);
    raw_write(raw, zeros, frame_first_part(total));
}

static void send_frame(struct raw *raw, uint8_t type, uint32_t id,
                       const void *payload, size_t len)
{
    uint8_t header[FRAME_HEADER_BYTES];

    frame_write_header(header, type, id, len);
    raw_write(raw, header, sizeof(header));
    raw_write(raw, payload, len);
}

struct frame_wait {
    struct raw *raw;
    uint8_t type;
    struct frame frame;
};

/* Skips frames of other types. */
static bool has_frame(void *arg)
{
    struct frame_wait *wait = arg;
    struct base_stream *stream = wait->raw->stream;
    int64_t used;

    while ((used = frame_read(base_stream_data(stream),
                              base_stream_len(stream), &wait->frame)) > 0) {
        if (wait->frame.type == wait->type)
            return true;
        base_stream_consume(stream, (size_t)used);
    }
    ck_assert_int_eq(used, 0);
    return false;
}

/* Waits for a frame; it stays in the input until the next wait. */
static struct frame await_frame(struct bed *bed, struct raw *raw,
                                enum frame_type type)
{
    struct frame_wait wait = {raw, (uint8_t)type, {0}};

    world_await(bed->world, has_frame, &wait);
    return wait.frame;
}

static void drop_frame(struct raw *raw, const struct frame *frame)
{
    base_stream_consume(raw->stream, FRAME_HEADER_BYTES + frame->len);
}

static int32_t await_status(struct bed *bed, struct raw *raw, uint32_t id)
{
    struct frame frame = await_frame(bed, raw, FRAME_RESPONSE);
    struct frame_head head;
    const uint8_t *part;
    size_t part_len;

    ck_assert_uint_eq(frame.id, id);
    ck_assert_int_eq(frame_read_head(&frame, &head, &part, &part_len), 0);
    drop_frame(raw, &frame);
    return head.status;
}

START_TEST(the_server_says_hello_and_answers)
{
    struct bed *bed = plain_bed(_i);
    struct raw *raw = dial_multi(bed, "\x04", 1);
    struct frame frame = await_frame(bed, raw, FRAME_HELLO);
    struct frame_hello hello;

    ck_assert_int_eq(frame_read_hello(&frame, &hello), 0);
    ck_assert_uint_eq(hello.version, 1);
    ck_assert_uint_eq(hello.streams_max, 64);
    ck_assert_uint_eq(hello.message_bytes_max, RPC_MESSAGE_BYTES_MAX);
    send_request(raw, 1, "Test.Echo", 10);
    ck_assert_int_eq(await_status(bed, raw, 1), 0);
    send_frame(raw, FRAME_PING, 77, "", 0);
    frame = await_frame(bed, raw, FRAME_PONG);
    ck_assert_uint_eq(frame.id, 77);
    raw_free(raw);
    bed_free(bed);
}
END_TEST

START_TEST(a_single_request_is_answered_and_the_connection_ends)
{
    struct bed *bed = plain_bed(_i);
    struct raw *raw = dial_multi(bed, "\0", 1);

    send_request(raw, 1, "Test.Echo", 3);
    send_request(raw, 2, "Test.Echo", 3); /* one too many */
    ck_assert_int_eq(await_status(bed, raw, 1), 0);
    world_await_flag(bed->world, &raw->closed);
    ck_assert_int_eq(raw->close_err, 0);
    raw_free(raw);
    bed_free(bed);
}
END_TEST

START_TEST(the_handlers_deadline_is_the_callers)
{
    struct bed *bed = plain_bed(_i);
    struct raw *raw = dial_multi(bed, "\x04", 1);
    struct frame_start start;

    frame_write_request(&start, 1, "Test.Hold", "", 200, 0, 0);
    raw_write(raw, start.bytes, start.len);
    ck_assert_int_eq(await_status(bed, raw, 1), RPC_EDEADLINE);
    ck_assert_uint_eq(bed->cancelled, 1);
    raw_free(raw);
    bed_free(bed);
}
END_TEST

START_TEST(a_long_request_needs_its_grant)
{
    static const uint8_t zeros[FRAME_PART_BYTES];
    struct bed *bed = plain_bed(_i);
    struct raw *raw = dial_multi(bed, "\x04", 1);
    struct frame frame;

    send_request(raw, 1, "Test.Hold", 3 * FRAME_PART_BYTES);
    frame = await_frame(bed, raw, FRAME_GRANT);
    ck_assert_uint_eq(frame.id, 1);
    send_frame(raw, FRAME_DATA, 1, zeros, FRAME_PART_BYTES);
    send_frame(raw, FRAME_DATA, 1, zeros, FRAME_PART_BYTES);
    bed_await_held(bed, 1);
    raw_free(raw);
    bed_free(bed);
}
END_TEST

/* What is sent after a good hello; after each the server hangs up. */
enum { BAD_TYPE, BAD_TWICE_HELLO, BAD_RESPONSE, BAD_ID_ZERO, BAD_ID_BACK,
       BAD_TOO_MUCH_DATA, BAD_UNGRANTED, BAD_GOAWAY, BAD_LENGTH, BAD_RESERVED,
       BAD_HEAD, BAD_EMPTY_DATA, BAD_COUNT };

static void misbehave(struct bed *bed, struct raw *raw, int how)
{
    static const uint8_t zeros[FRAME_PART_BYTES];

    switch (how) {
    case BAD_TYPE:
        send_frame(raw, 0x55, 1, "", 0);
        break;
    case BAD_TWICE_HELLO:
        send_frame(raw, FRAME_HELLO, 0, "\0\1\0\x40\1\0\0\0", 8);
        break;
    case BAD_RESPONSE:
        send_frame(raw, FRAME_RESPONSE, 1, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
        break;
    case BAD_ID_ZERO:
        send_request(raw, 0, "Test.Echo", 1);
        break;
    case BAD_ID_BACK:
        send_request(raw, 5, "Test.Echo", 1);
        send_request(raw, 5, "Test.Echo", 1);
        break;
    case BAD_TOO_MUCH_DATA:
        send_request(raw, 1, "Test.Echo", FRAME_PART_BYTES + 5);
        await_frame(bed, raw, FRAME_GRANT);
        send_frame(raw, FRAME_DATA, 1, zeros, 6);
        break;
    case BAD_UNGRANTED:
        /* The first takes all that is set aside for them. */
        send_request(raw, 1, "Test.Echo", 16u << 20);
        send_request(raw, 2, "Test.Echo", 16u << 20);
        send_request(raw, 3, "Test.Echo", 16u << 20);
        send_frame(raw, FRAME_DATA, 3, zeros, 100);
        break;
    case BAD_GOAWAY:
        send_frame(raw, FRAME_GOAWAY, 1, "", 0);
        break;
    case BAD_LENGTH:
        raw_write(raw, "\xff\xff\xff\xff\2\0\0\0\0\0\0\1", 12);
        break;
    case BAD_RESERVED:
        raw_write(raw, "\0\0\0\0\x08\1\0\0\0\0\0\1", 12);
        break;
    case BAD_HEAD:
        send_frame(raw, FRAME_REQUEST, 1, "short", 5);
        break;
    case BAD_EMPTY_DATA:
        send_request(raw, 1, "Test.Echo", FRAME_PART_BYTES + 5);
        await_frame(bed, raw, FRAME_GRANT);
        send_frame(raw, FRAME_DATA, 1, "", 0);
        break;
    }
}

START_TEST(a_broken_frame_ends_the_connection)
{
    struct bed *bed = plain_bed(_i % WORLD_KINDS);
    struct raw *raw = dial_multi(bed, "\x04", 1);
    struct asked *asked;

    misbehave(bed, raw, _i / WORLD_KINDS);
    world_await_refused(bed->world, "frame", 1);
    world_await_flag(bed->world, &raw->closed);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    asked_free(asked);
    raw_free(raw);
    bed_free(bed);
}
END_TEST

START_TEST(a_peer_without_a_hello_is_hung_up_on)
{
    struct bed *bed = plain_bed(_i);
    struct raw *raw = raw_dial(bed->world, &bed->addr);

    raw_write(raw, "\x04", 1);
    send_request(raw, 1, "Test.Echo", 1);
    world_await_refused(bed->world, "frame", 1);
    world_await_flag(bed->world, &raw->closed);
    raw_free(raw);
    bed_free(bed);
}
END_TEST

START_TEST(what_may_be_ignored_is_ignored)
{
    struct bed *bed = plain_bed(_i);
    struct raw *raw = dial_multi(bed, "\x04", 1);

    send_frame(raw, FRAME_IGNORABLE | 3, 1, "later version", 13);
    send_frame(raw, FRAME_PONG, 1, "", 0);
    send_frame(raw, FRAME_CANCEL, 1, "", 0);
    send_frame(raw, FRAME_GRANT, 1, "", 0);
    send_frame(raw, FRAME_DATA, 1, "crossed a cancel", 16);
    send_request(raw, 1, "Test.Echo", 1);
    ck_assert_int_eq(await_status(bed, raw, 1), 0);
    raw_free(raw);
    bed_free(bed);
}
END_TEST

/* Random bytes after a hello, and random changes to good ones: nothing breaks,
 * and no call is left behind. */
START_TEST(rubbish_does_no_harm)
{
    struct bed *bed = plain_bed(SIM);
    unsigned round;

    for (round = 0; round < 300; round++) {
        struct raw *raw = dial_multi(bed, "\x04", 1);
        struct frame_start start;
        unsigned i;

        for (i = 0; i < 20; i++) {
            frame_write_request(&start, i + 1, "Test.Echo", "t", 1000, 0, 0);
            if (base_sim_random_below(bed->world->sim, 3) == 0) {
                size_t at = base_sim_random_below(bed->world->sim, start.len);

                start.bytes[at] ^=
                    (uint8_t)(1 + base_sim_random_below(bed->world->sim, 255));
            }
            raw_write(raw, start.bytes, start.len);
        }
        world_pass_ms(bed->world, 5);
        raw_free(raw);
    }
    world_settle(bed->world);
    bed_free(bed);
}
END_TEST

/* The caller's side, against a server that misbehaves. */
struct liar {
    struct bed *bed;
    struct base_listener *listener;
    struct base_stream *streams[8];
    unsigned count;
    unsigned truths_after; /* says nothing itself after so many; 0: never */
    const uint8_t *bytes;
    size_t len;
};

static void on_liar_accept(void *arg, struct base_stream *stream)
{
    struct liar *liar = arg;

    ck_assert_uint_lt(liar->count, 8);
    liar->streams[liar->count++] = stream;
    if (liar->truths_after == 0 || liar->count <= liar->truths_after)
        base_stream_write(stream, liar->bytes, liar->len);
}

/* Calls of the bed go to it from now on. */
static void liar_open(struct liar *liar)
{
    struct world *world = liar->bed->world;

    ck_assert_int_eq(base_net_listen(world->gateway.net, &world->gateway.addr,
                                     on_liar_accept, liar, &liar->listener),
                     0);
    base_net_listener_addr(world->gateway.net, liar->listener,
                           &liar->bed->target.addr);
}

static void liar_close(struct liar *liar)
{
    while (liar->count > 0)
        base_stream_close(liar->streams[--liar->count]);
    base_net_listener_close(liar->bed->world->gateway.net, liar->listener);
}

static const struct {
    const char *bytes;
    size_t len;
} lies[] = {
    {"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
    {"\0\0\0\0\2\0\0\0\0\0\0\1", 12}, /* a request to us */
    {"\0\0\0\x08\1\0\0\0\0\0\0\0\0\1\0\x40\1\0\0\0"
     "\0\0\0\0\6\0\0\0\0\0\0\1", 32}, /* a cancel */
    {"\0\0\0\x08\1\0\0\0\0\0\0\0\0\1\0\x40\1\0\0\0"
     "\0\0\0\x0c\3\0\0\0\0\0\0\1\0\0\0\0\0\0\0\7\0\0\0\0", 44},
};

START_TEST(a_lying_server_fails_the_call)
{
    int row = _i / WORLD_KINDS;
    struct bed *bed = plain_bed(_i % WORLD_KINDS);
    struct liar liar = {.bed = bed,
                        .bytes = (const uint8_t *)lies[row].bytes,
                        .len = lies[row].len};
    struct asked *asked;

    liar_open(&liar);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), RPC_ECLOSED);
    asked_free(asked);
    liar_close(&liar);
    bed_free(bed);
}
END_TEST

#define HELLO_BYTES "\0\0\0\x08\1\0\0\0\0\0\0\0\0\1\0\x40\1\0\0\0"

/* An answer longer than we take is refused by its length. */
START_TEST(an_answer_over_our_limit_is_cancelled)
{
    static const uint8_t part[FRAME_PART_BYTES];
    struct bed *bed = plain_bed(_i);
    struct liar liar = {.bed = bed,
                        .bytes = (const uint8_t *)HELLO_BYTES,
                        .len = 20};
    struct frame_start start;
    struct asked *asked;
    struct raw raw = {0};
    struct frame frame;

    liar_open(&liar);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    world_settle(bed->world);
    ck_assert_uint_eq(liar.count, 1);
    frame_write_response(&start, 1, 0, "", (16u << 20) + 1);
    base_stream_write(liar.streams[0], start.bytes, start.len);
    base_stream_write(liar.streams[0], part, sizeof(part));
    ck_assert_int_eq(bed_await(bed, asked), RPC_ETOOBIG);
    raw.stream = liar.streams[0];
    base_stream_consume(raw.stream, 1); /* the type byte */
    frame = await_frame(bed, &raw, FRAME_CANCEL);
    ck_assert_uint_eq(frame.id, 1);
    asked_free(asked);
    liar_close(&liar);
    bed_free(bed);
}
END_TEST

static bool has_two_connections(void *arg)
{
    return ((struct liar *)arg)->count >= 2;
}

/* What a goaway says was not handled goes another way, once. */
START_TEST(a_request_that_crossed_a_goaway_is_sent_again)
{
    struct bed *bed = plain_bed(_i);
    struct liar liar = {.bed = bed,
                        .bytes = (const uint8_t *)HELLO_BYTES
                            "\0\0\0\0\7\0\0\0\0\0\0",
                        .len = 32};
    struct rpc_peer nobody = {.secure = false};
    struct asked *asked;

    liar_open(&liar);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), RPC_ECLOSED);
    ck_assert_uint_eq(liar.count, 2); /* it tried twice */
    asked_free(asked);
    liar_close(&liar);

    /* Now the second attempt finds a server that takes it. */
    liar.truths_after = 1;
    liar_open(&liar);
    asked = bed_ask(bed, "Test.Echo", "y", 1, 5000);
    world_await(bed->world, has_two_connections, &liar);
    world_settle(bed->world);
    base_stream_consume(liar.streams[1], 1); /* the type byte */
    rpc_server_accept_multi(bed->server, liar.streams[--liar.count], &nobody);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(asked->len, 1);
    asked_free(asked);
    liar_close(&liar);
    bed_free(bed);
}
END_TEST

static void add_both(TCase *tcase, const TTest *test, int rows)
{
    tcase_add_loop_test(tcase, test, 0, WORLD_KINDS * rows);
}

Suite *peer_frames_suite(void)
{
    Suite *suite = suite_create("rpc peer frames");
    TCase *tcase = tcase_create("frames");

    tcase_set_timeout(tcase, 60);
    add_both(tcase, the_server_says_hello_and_answers, 1);
    add_both(tcase, a_single_request_is_answered_and_the_connection_ends, 1);
    add_both(tcase, the_handlers_deadline_is_the_callers, 1);
    add_both(tcase, a_long_request_needs_its_grant, 1);
    add_both(tcase, a_broken_frame_ends_the_connection, BAD_COUNT);
    add_both(tcase, a_peer_without_a_hello_is_hung_up_on, 1);
    add_both(tcase, what_may_be_ignored_is_ignored, 1);
    tcase_add_test(tcase, rubbish_does_no_harm);
    add_both(tcase, a_lying_server_fails_the_call,
             (int)BASE_COUNT_OF(lies));
    add_both(tcase, an_answer_over_our_limit_is_cancelled, 1);
    add_both(tcase, a_request_that_crossed_a_goaway_is_sent_again, 1);
    suite_add_tcase(suite, tcase);
    return suite;
}
