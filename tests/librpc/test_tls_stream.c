/* The stream over TLS keeps what base/stream.h promises: order, back-pressure
 * both ways, half close, ends that tell a cut from a close, moving loops. */
#include <pthread.h>
#include <string.h>

#include "meeting.h"
#include "proxy.h"
#include "tls_priv.h"

Suite *tls_stream_suite(void);

/* Two streams, with a proxy between them that counts. */
struct pipe {
    struct world *world;
    struct rpc_tls *server_tls;
    struct rpc_tls *client_tls;
    struct meeting *meeting;
    struct proxy *proxy;
    struct base_stream *client;
    struct base_stream *server;
};

static struct pipe *pipe_new(void)
{
    struct pipe *pipe;

    BASE_NEW(pipe);
    pipe->world = world_new(REAL);
    pipe->server_tls = meeting_tls(pipe->world, pipe->world->ca,
                                   SERVER_NAMES("s1", "dc1"));
    pipe->client_tls =
        meeting_tls(pipe->world, pipe->world->ca, NAMES("client"));
    pipe->meeting =
        meeting_new(pipe->world, pipe->server_tls, pipe->client_tls);
    pipe->proxy = proxy_new(pipe->world);
    proxy_route(pipe->proxy, NULL, &pipe->meeting->addr);
    meet_at(pipe->meeting, &pipe->proxy->addr, "server.dc1.consul", true,
            NULL);
    ck_assert_int_eq(pipe->meeting->client.status, 0);
    ck_assert_int_eq(pipe->meeting->server.status, 0);
    pipe->client = pipe->meeting->client.stream;
    pipe->server = pipe->meeting->server.stream;
    world_settle(pipe->world);
    return pipe;
}

static void pipe_free(struct pipe *pipe)
{
    meeting_free(pipe->meeting);
    proxy_free(pipe->proxy);
    rpc_tls_free(pipe->server_tls);
    rpc_tls_free(pipe->client_tls);
    world_free(pipe->world);
    base_free(pipe);
}

/* Closes one end before its time. */
static void close_client(struct pipe *pipe)
{
    base_stream_close(pipe->client);
    pipe->client = pipe->meeting->client.stream = NULL;
}

/* What a test hears of a stream. */
struct ear {
    struct base_stream *stream;
    struct base_buf got;
    unsigned drained;
    unsigned closed;
    int close_err;
    bool hold;         /* do not consume */
    bool close_at_read;
    bool close_at_end;
    bool close_at_drained;
};

static void on_readable(void *arg)
{
    struct ear *ear = arg;

    if (ear->hold)
        return;
    base_buf_append(&ear->got, base_stream_data(ear->stream),
                    base_stream_len(ear->stream));
    base_stream_consume(ear->stream, base_stream_len(ear->stream));
    if (ear->close_at_read) {
        base_stream_close(ear->stream);
        ear->stream = NULL;
    }
}

static void on_drained(void *arg)
{
    struct ear *ear = arg;

    ear->drained++;
    if (ear->close_at_drained) {
        base_stream_close(ear->stream);
        ear->stream = NULL;
    }
}

static void on_closed(void *arg, int err)
{
    struct ear *ear = arg;

    ear->closed++;
    ear->close_err = err;
    if (ear->close_at_end) {
        base_stream_close(ear->stream);
        ear->stream = NULL;
    }
}

static const struct base_stream_events ear_events = {
    .on_readable = on_readable,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static void listen_to(struct ear *ear, struct base_stream *stream)
{
    ear->stream = stream;
    base_stream_set_events(stream, &ear_events, ear);
}

struct bytes_wait {
    struct ear *ear;
    size_t len;
};

static bool has_bytes(void *arg)
{
    struct bytes_wait *wait = arg;

    return base_buf_len(&wait->ear->got) >= wait->len;
}

static void await_bytes(struct pipe *pipe, struct ear *ear, size_t len)
{
    struct bytes_wait wait = {ear, len};

    world_await(pipe->world, has_bytes, &wait);
    ck_assert_uint_eq(base_buf_len(&ear->got), len);
}

static bool is_closed(void *arg)
{
    return ((struct ear *)arg)->closed > 0;
}

static bool is_drained(void *arg)
{
    return ((struct ear *)arg)->drained > 0;
}

static uint8_t *pattern(size_t len)
{
    uint8_t *bytes = base_alloc(len);
    size_t i;

    for (i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i ^ i >> 8 ^ i >> 16);
    return bytes;
}

START_TEST(many_bytes_arrive_in_order_both_ways)
{
    const size_t len = 8u << 20;
    uint8_t *bytes = pattern(len);
    struct pipe *pipe = pipe_new();
    struct ear client = {0};
    struct ear server = {0};

    listen_to(&client, pipe->client);
    listen_to(&server, pipe->server);
    base_stream_set_in_limit(pipe->client, 5000); /* less than a record */
    ck_assert_int_eq(base_stream_write(pipe->client, bytes, len), 0);
    ck_assert_int_eq(base_stream_write(pipe->server, bytes, len), 0);
    await_bytes(pipe, &client, len);
    await_bytes(pipe, &server, len);
    ck_assert(memcmp(base_buf_data(&client.got), bytes, len) == 0);
    ck_assert(memcmp(base_buf_data(&server.got), bytes, len) == 0);
    base_buf_close(&client.got);
    base_buf_close(&server.got);
    base_free(bytes);
    pipe_free(pipe);
}
END_TEST

START_TEST(small_writes_share_a_record)
{
    struct pipe *pipe = pipe_new();
    struct ear server = {0};
    uint64_t before = pipe->proxy->bytes_up;
    int i;

    listen_to(&server, pipe->server);
    for (i = 0; i < 1000; i++)
        ck_assert_int_eq(base_stream_write(pipe->client, "0123456789", 10), 0);
    ck_assert_uint_eq(base_stream_pending(pipe->client), 10000);
    await_bytes(pipe, &server, 10000);
    /* One record: 5 bytes of header, 1 of type, 16 of tag. */
    ck_assert_uint_eq(pipe->proxy->bytes_up - before, 10022);
    base_buf_close(&server.got);
    pipe_free(pipe);
}
END_TEST

START_TEST(drained_comes_when_everything_has_left)
{
    struct pipe *pipe = pipe_new();
    const size_t len = 1u << 20;
    uint8_t *bytes = pattern(len);
    struct ear client = {0};
    struct ear server = {0};

    listen_to(&client, pipe->client);
    listen_to(&server, pipe->server);
    ck_assert_int_eq(base_stream_write(pipe->client, bytes, len), 0);
    ck_assert_uint_ge(base_stream_pending(pipe->client), len);
    world_await(pipe->world, is_drained, &client);
    ck_assert_uint_eq(base_stream_pending(pipe->client), 0);
    await_bytes(pipe, &server, len);
    ck_assert_uint_eq(client.drained, 1);
    ck_assert_uint_eq(server.drained, 0);
    base_buf_close(&server.got);
    base_free(bytes);
    pipe_free(pipe);
}
END_TEST

/* In a busy loop the handshake is done for the one who dials before its last
 * bytes have left, so what he sees pending is not his own: he still hears when
 * it is gone, or he would wait for ever. */
START_TEST(what_the_handshake_left_drains_too)
{
    struct pipe *pipe = pipe_new();
    struct raw *raw = raw_dial(pipe->world, &pipe->meeting->addr);
    struct ear ear = {0};

    end_close(&pipe->meeting->server);
    ck_assert_int_eq(base_stream_write(raw->stream, "last", 4), 0);
    listen_to(&ear, tls_stream_new(tls_link_new(
                        pipe->client_tls, pipe->client_tls->contexts.client,
                        raw->stream)));
    ck_assert_uint_eq(base_stream_pending(ear.stream), 4);
    world_await(pipe->world, is_drained, &ear);
    ck_assert_uint_eq(base_stream_pending(ear.stream), 0);
    base_stream_close(ear.stream);
    raw->stream = NULL;
    raw_free(raw);
    pipe_free(pipe);
}
END_TEST

START_TEST(a_reader_that_stops_stops_the_writer)
{
    /* More than kernel, proxy and both streams will hold on the way. */
    const size_t len = 48u << 20;
    uint8_t *bytes = pattern(len);
    struct pipe *pipe = pipe_new();
    struct ear client = {0};
    struct ear server = {.hold = true};

    /* Directly, since this proxy holds everything. */
    meet(pipe->meeting, "server.dc1.consul", true, NULL);
    pipe->client = pipe->meeting->client.stream;
    pipe->server = pipe->meeting->server.stream;
    listen_to(&client, pipe->client);
    listen_to(&server, pipe->server);
    ck_assert_int_eq(base_stream_write(pipe->client, bytes, len), 0);
    world_pass_ms(pipe->world, 300);
    ck_assert_uint_eq(client.drained, 0);
    ck_assert_uint_le(base_stream_len(pipe->server),
                      BASE_STREAM_IN_LIMIT_BYTES);
    ck_assert_uint_gt(base_stream_pending(pipe->client), len / 2);
    server.hold = false;
    on_readable(&server);
    await_bytes(pipe, &server, len);
    ck_assert(memcmp(base_buf_data(&server.got), bytes, len) == 0);
    world_await(pipe->world, is_drained, &client);
    base_buf_close(&server.got);
    base_free(bytes);
    pipe_free(pipe);
}
END_TEST

START_TEST(a_full_queue_takes_no_more)
{
    const size_t len = BASE_STREAM_OUT_LIMIT_BYTES;
    uint8_t *bytes = base_calloc(1, len);
    struct pipe *pipe = pipe_new();
    struct ear server = {0};

    ck_assert_int_eq(base_stream_write(pipe->client, bytes, len + 1),
                     BASE_EFULL);
    ck_assert_int_eq(base_stream_write(pipe->client, bytes, len), 0);
    ck_assert_int_eq(base_stream_write(pipe->client, "x", 1), BASE_EFULL);
    listen_to(&server, pipe->server);
    await_bytes(pipe, &server, len);
    base_buf_close(&server.got);
    base_free(bytes);
    pipe_free(pipe);
}
END_TEST

START_TEST(one_direction_can_end_before_the_other)
{
    const size_t len = 3u << 20;
    uint8_t *bytes = pattern(len);
    struct pipe *pipe = pipe_new();
    struct ear client = {0};
    struct ear server = {0};

    listen_to(&client, pipe->client);
    listen_to(&server, pipe->server);
    ck_assert_int_eq(base_stream_write(pipe->client, bytes, len), 0);
    base_stream_shutdown(pipe->client);
    ck_assert_int_eq(base_stream_write(pipe->client, "x", 1), BASE_ECLOSED);
    world_await(pipe->world, is_closed, &server);
    ck_assert_int_eq(server.close_err, 0);
    ck_assert_uint_eq(base_buf_len(&server.got), len);
    ck_assert_int_eq(base_stream_write(pipe->server, bytes, len), 0);
    base_stream_shutdown(pipe->server);
    world_await(pipe->world, is_closed, &client);
    ck_assert_int_eq(client.close_err, 0);
    ck_assert_uint_eq(base_buf_len(&client.got), len);
    ck_assert_uint_eq(client.closed, 1);
    base_buf_close(&client.got);
    base_buf_close(&server.got);
    base_free(bytes);
    pipe_free(pipe);
}
END_TEST

START_TEST(a_close_is_an_orderly_end)
{
    struct pipe *pipe = pipe_new();
    struct ear server = {0};

    listen_to(&server, pipe->server);
    close_client(pipe);
    world_await(pipe->world, is_closed, &server);
    ck_assert_int_eq(server.close_err, 0);
    pipe_free(pipe);
}
END_TEST

START_TEST(a_cut_is_no_orderly_end)
{
    struct pipe *pipe = pipe_new();
    struct ear client = {0};
    struct ear server = {0};

    listen_to(&client, pipe->client);
    listen_to(&server, pipe->server);
    ck_assert_int_eq(base_stream_write(pipe->client, "last", 4), 0);
    await_bytes(pipe, &server, 4);
    proxy_cut(pipe->proxy);
    world_await(pipe->world, is_closed, &server);
    world_await(pipe->world, is_closed, &client);
    ck_assert_int_eq(server.close_err, BASE_ERESET);
    ck_assert_int_eq(client.close_err, BASE_ERESET);
    base_buf_close(&server.got);
    pipe_free(pipe);
}
END_TEST

START_TEST(a_changed_record_ends_the_stream)
{
    struct pipe *pipe = pipe_new();
    struct ear client = {0};
    struct ear server = {0};

    listen_to(&client, pipe->client);
    listen_to(&server, pipe->server);
    ck_assert_int_eq(base_stream_write(pipe->client, "good", 4), 0);
    await_bytes(pipe, &server, 4);
    pipe->proxy->spoil_at = pipe->proxy->bytes_up + 10;
    ck_assert_int_eq(base_stream_write(pipe->client, "evil", 4), 0);
    world_await(pipe->world, is_closed, &server);
    ck_assert_int_eq(server.close_err, RPC_ETLS);
    ck_assert_uint_eq(base_buf_len(&server.got), 4);
    ck_assert_int_eq(base_stream_write(pipe->server, "x", 1), BASE_ECLOSED);
    base_buf_close(&server.got);
    pipe_free(pipe);
}
END_TEST

START_TEST(a_user_may_close_in_any_callback)
{
    struct pipe *pipe = pipe_new();
    struct ear server = {.close_at_read = _i == 0,
                         .close_at_end = _i == 1,
                         .close_at_drained = _i == 2};
    struct ear client = {0};

    listen_to(&server, pipe->server);
    listen_to(&client, pipe->client);
    pipe->meeting->server.stream = NULL;
    ck_assert_int_eq(base_stream_write(pipe->client, "hello", 5), 0);
    ck_assert_int_eq(base_stream_write(pipe->server, "hello", 5), 0);
    base_stream_shutdown(pipe->client);
    world_await(pipe->world, is_closed, &client);
    world_settle(pipe->world);
    ck_assert_ptr_null(server.stream);
    ck_assert_int_eq(client.close_err, 0);
    base_buf_close(&server.got);
    base_buf_close(&client.got);
    pipe_free(pipe);
}
END_TEST

START_TEST(input_and_end_wait_for_a_late_listener)
{
    struct pipe *pipe = pipe_new();
    struct ear early = {.hold = true};
    struct ear late = {0};

    listen_to(&early, pipe->server);
    ck_assert_int_eq(base_stream_write(pipe->client, "hello", 5), 0);
    base_stream_shutdown(pipe->client);
    world_await(pipe->world, is_closed, &early);
    listen_to(&late, pipe->server);
    world_await(pipe->world, is_closed, &late);
    ck_assert_uint_eq(base_buf_len(&late.got), 5);
    ck_assert_int_eq(late.close_err, 0);
    base_buf_close(&late.got);
    pipe_free(pipe);
}
END_TEST

static void count_up(void *arg)
{
    ++*(unsigned *)arg;
}

START_TEST(the_watch_tells_once_when_it_is_freed)
{
    struct pipe *pipe = pipe_new();
    unsigned freed = 0;

    base_stream_watch(pipe->client, count_up, &freed);
    world_settle(pipe->world);
    ck_assert_uint_eq(freed, 0);
    close_client(pipe);
    ck_assert_uint_eq(freed, 1);
    pipe_free(pipe);
}
END_TEST

/* ---- another loop, on another thread ---- */

struct elsewhere {
    struct base_loop *loop;
    struct base_stream *stream;
    struct ear ear;
    pthread_t thread;
};

static void on_echo_readable(void *arg)
{
    struct ear *ear = arg;

    base_stream_write(ear->stream, base_stream_data(ear->stream),
                      base_stream_len(ear->stream));
    base_stream_consume(ear->stream, base_stream_len(ear->stream));
}

static void on_echo_closed(void *arg, int err)
{
    struct ear *ear = arg;

    ear->closed++;
    ear->close_err = err;
    base_stream_shutdown(ear->stream);
}

static const struct base_stream_events echo_events = {
    .on_readable = on_echo_readable, .on_closed = on_echo_closed};

static void take_over(void *arg)
{
    struct elsewhere *there = arg;

    base_stream_attach(there->stream, base_loop_env(there->loop));
    there->ear.stream = there->stream;
    base_stream_set_events(there->stream, &echo_events, &there->ear);
}

static void close_there(void *arg)
{
    struct elsewhere *there = arg;

    base_stream_close(there->stream);
    base_loop_stop(there->loop);
}

static void *run_there(void *arg)
{
    base_loop_run(((struct elsewhere *)arg)->loop);
    return NULL;
}

START_TEST(a_stream_moves_to_another_loop_with_what_waits)
{
    const size_t len = 4u << 20;
    uint8_t *bytes = pattern(len);
    struct pipe *pipe = pipe_new();
    struct elsewhere there = {
        .loop = base_loop_new("there", NULL, NULL, pipe->world->workers)};
    struct ear client = {0};

    listen_to(&client, pipe->client);
    ck_assert_int_eq(base_stream_write(pipe->client, bytes, len), 0);
    /* Some of it has come, some of an answer has not left. */
    world_settle(pipe->world);
    ck_assert_int_eq(base_stream_write(pipe->server, "first", 5), 0);
    there.stream = pipe->server;
    pipe->meeting->server.stream = NULL;
    base_stream_detach(there.stream);
    pthread_create(&there.thread, NULL, run_there, &there);
    ck_assert_int_eq(
        base_env_post(base_loop_env(there.loop), take_over, &there), 0);
    await_bytes(pipe, &client, len + 5);
    ck_assert_mem_eq(base_buf_data(&client.got), "first", 5);
    ck_assert(memcmp(base_buf_data(&client.got) + 5, bytes, len) == 0);
    base_stream_shutdown(pipe->client);
    world_await(pipe->world, is_closed, &client);
    ck_assert_int_eq(client.close_err, 0);
    ck_assert_int_eq(
        base_env_post(base_loop_env(there.loop), close_there, &there), 0);
    pthread_join(there.thread, NULL);
    base_loop_free(there.loop);
    base_buf_close(&client.got);
    base_free(bytes);
    pipe_free(pipe);
}
END_TEST

Suite *tls_stream_suite(void)
{
    Suite *suite = suite_create("rpc tls stream");
    TCase *tcase = tcase_create("stream");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, many_bytes_arrive_in_order_both_ways);
    tcase_add_test(tcase, small_writes_share_a_record);
    tcase_add_test(tcase, drained_comes_when_everything_has_left);
    tcase_add_test(tcase, what_the_handshake_left_drains_too);
    tcase_add_test(tcase, a_reader_that_stops_stops_the_writer);
    tcase_add_test(tcase, a_full_queue_takes_no_more);
    tcase_add_test(tcase, one_direction_can_end_before_the_other);
    tcase_add_test(tcase, a_close_is_an_orderly_end);
    tcase_add_test(tcase, a_cut_is_no_orderly_end);
    tcase_add_test(tcase, a_changed_record_ends_the_stream);
    tcase_add_loop_test(tcase, a_user_may_close_in_any_callback, 0, 3);
    tcase_add_test(tcase, input_and_end_wait_for_a_late_listener);
    tcase_add_test(tcase, the_watch_tells_once_when_it_is_freed);
    tcase_add_test(tcase, a_stream_moves_to_another_loop_with_what_waits);
    suite_add_tcase(suite, tcase);
    return suite;
}
