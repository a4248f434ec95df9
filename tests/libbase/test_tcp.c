/*
 * TCP streams: bytes in order, back-pressure, both kinds of end, and closing
 * inside every callback.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define MIB (1024u * 1024u)

static uint8_t *pattern(size_t len)
{
    uint8_t *bytes = base_alloc(len);
    size_t i;

    for (i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 31 ^ i >> 8 ^ i >> 16);
    return bytes;
}

static size_t wanted_len;

static bool got_wanted(void *arg)
{
    return base_buf_len(&((struct peer *)arg)->got) >= wanted_len;
}

static void await_bytes(struct real_world *world, struct peer *peer, size_t len)
{
    wanted_len = len;
    await_that(world, got_wanted, peer);
    ck_assert_uint_eq(base_buf_len(&peer->got), len);
}

static bool input_is_wanted(void *arg)
{
    return base_stream_len(arg) >= wanted_len;
}

static void await_input(struct real_world *world, struct base_stream *stream,
                        size_t len)
{
    wanted_len = len;
    await_that(world, input_is_wanted, stream);
    settle(world);
    ck_assert_uint_eq(base_stream_len(stream), len); /* and no more */
}

static const char *const ips[] = {"127.0.0.1", "::1"};

START_TEST(a_mebibyte_goes_each_way)
{
    struct real_world world = real_world_open();
    uint8_t *bytes = pattern(MIB);
    struct peer_pair pair;
    size_t sent;

    peer_pair_open(&pair, &world, ips[_i]);
    ck_assert(base_addr_equal(&pair.dialler.stream->local,
                              &pair.server.stream->peer));
    ck_assert(base_addr_equal(&pair.dialler.stream->peer,
                              &pair.server.stream->local));
    /* One large write on one side, many odd ones on the other. */
    ck_assert_int_eq(base_stream_write(pair.dialler.stream, bytes, MIB), 0);
    for (sent = 0; sent < MIB;) {
        size_t part = sent % 977 + 1;

        if (part > MIB - sent)
            part = MIB - sent;
        ck_assert_int_eq(
            base_stream_write(pair.server.stream, bytes + sent, part), 0);
        sent += part;
    }
    ck_assert(!pair.dialler.drained);
    await_bytes(&world, &pair.server, MIB);
    await_bytes(&world, &pair.dialler, MIB);
    ck_assert_mem_eq(base_buf_data(&pair.server.got), bytes, MIB);
    ck_assert_mem_eq(base_buf_data(&pair.dialler.got), bytes, MIB);
    await(&world, &pair.server.drained);
    await(&world, &pair.dialler.drained);
    peer_pair_close(&pair);
    base_free(bytes);
    real_world_close(&world);
}
END_TEST

START_TEST(sockets_are_set_as_promised)
{
    struct real_world world = real_world_open();
    struct peer_pair pair;
    int fd;
    int sockets = 0;

    peer_pair_open(&pair, &world, "127.0.0.1");
    for (fd = 0; fd < 64; fd++) {
        struct sockaddr_storage sa;
        socklen_t len = sizeof(sa);
        int on = 0;

        if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0 ||
            sa.ss_family != AF_INET)
            continue;
        sockets++;
        ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
        len = sizeof(on);
        getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len);
        ck_assert_int_ne(on, 0);
    }
    ck_assert_int_eq(sockets, 2);
    peer_pair_close(&pair);
    real_world_close(&world);
}
END_TEST

START_TEST(an_unread_stream_pushes_back)
{
    struct real_world world = real_world_open();
    size_t len = 12 * MIB; /* more than the kernel buffers */
    uint8_t *bytes = pattern(len);
    struct peer_pair pair;

    peer_pair_open(&pair, &world, "127.0.0.1");
    pair.server.hungry = false;
    base_stream_set_in_limit(pair.server.stream, 10000);
    ck_assert_int_eq(base_stream_write(pair.dialler.stream, bytes, len), 0);
    await_input(&world, pair.server.stream, 10000);
    ck_assert_uint_gt(base_stream_pending(pair.dialler.stream), 0);
    ck_assert(!pair.dialler.drained);
    /* A raised limit lets more in, without a word from the peer. */
    base_stream_set_in_limit(pair.server.stream, 20000);
    await_input(&world, pair.server.stream, 20000);
    /* Consuming one byte makes room for one. */
    base_buf_append(&pair.server.got, base_stream_data(pair.server.stream), 1);
    base_stream_consume(pair.server.stream, 1);
    await_input(&world, pair.server.stream, 20000);
    /* Consuming all of it, ever again, brings the rest. */
    pair.server.hungry = true;
    base_buf_append(&pair.server.got, base_stream_data(pair.server.stream),
                    20000);
    base_stream_consume(pair.server.stream, 20000);
    await_bytes(&world, &pair.server, len);
    ck_assert_mem_eq(base_buf_data(&pair.server.got), bytes, len);
    await(&world, &pair.dialler.drained);
    peer_pair_close(&pair);
    base_free(bytes);
    real_world_close(&world);
}
END_TEST

START_TEST(the_output_queue_is_bounded)
{
    struct real_world world = real_world_open();
    size_t part = 8 * MIB;
    uint8_t *bytes = base_calloc(1, part);
    struct peer_pair pair;
    size_t queued;

    peer_pair_open(&pair, &world, "127.0.0.1");
    pair.server.hungry = false;
    for (queued = 0; queued < BASE_STREAM_OUT_LIMIT_BYTES; queued += part)
        ck_assert_int_eq(base_stream_write(pair.dialler.stream, bytes, part),
                         0);
    ck_assert_int_eq(base_stream_write(pair.dialler.stream, bytes, 1),
                     BASE_EFULL);
    ck_assert_uint_eq(base_stream_pending(pair.dialler.stream), queued);
    peer_pair_close(&pair);
    base_free(bytes);
    real_world_close(&world);
}
END_TEST

START_TEST(half_closed_streams_still_speak)
{
    struct real_world world = real_world_open();
    struct peer_pair pair;

    peer_pair_open(&pair, &world, "127.0.0.1");
    ck_assert_int_eq(base_stream_write(pair.dialler.stream, "question", 8), 0);
    base_stream_shutdown(pair.dialler.stream); /* after what is queued */
    ck_assert_int_eq(base_stream_write(pair.dialler.stream, "x", 1),
                     BASE_ECLOSED);
    await(&world, &pair.server.ended);
    ck_assert_int_eq(pair.server.end, 0);
    ck_assert_uint_eq(base_buf_len(&pair.server.got), 8);
    ck_assert(!pair.dialler.ended);
    ck_assert_int_eq(base_stream_write(pair.server.stream, "answer", 6), 0);
    await_bytes(&world, &pair.dialler, 6);
    base_stream_shutdown(pair.server.stream);
    await(&world, &pair.dialler.ended);
    ck_assert_int_eq(pair.dialler.end, 0);
    settle(&world);
    ck_assert_uint_eq(pair.dialler.ends, 1);
    ck_assert_uint_eq(pair.server.ends, 1);
    peer_pair_close(&pair);
    real_world_close(&world);
}
END_TEST

START_TEST(input_before_the_end_can_be_read_after_it)
{
    struct real_world world = real_world_open();
    struct peer_pair pair;

    peer_pair_open(&pair, &world, "127.0.0.1");
    pair.server.hungry = false;
    base_stream_write(pair.dialler.stream, "last words", 10);
    await(&world, &pair.dialler.drained);
    base_stream_shutdown(pair.dialler.stream);
    await(&world, &pair.server.ended);
    ck_assert_uint_gt(pair.server.readables, 0);
    ck_assert_uint_eq(base_stream_len(pair.server.stream), 10);
    ck_assert_mem_eq(base_stream_data(pair.server.stream), "last words", 10);
    base_stream_consume(pair.server.stream, 10);
    peer_pair_close(&pair);
    real_world_close(&world);
}
END_TEST

START_TEST(late_handlers_hear_what_waits)
{
    struct real_world world = real_world_open();
    struct peer_pair pair;
    struct peer late = {.hungry = true};

    peer_pair_open(&pair, &world, "127.0.0.1");
    base_stream_set_events(pair.server.stream, NULL, NULL);
    base_stream_write(pair.dialler.stream, "early", 5);
    base_stream_shutdown(pair.dialler.stream);
    settle(&world);
    ck_assert(!pair.server.ended);
    peer_take(&late, pair.server.stream);
    pair.server.stream = NULL;
    ck_assert_uint_eq(late.readables, 0); /* not inside the call */
    await(&world, &late.ended);
    ck_assert_uint_eq(late.readables, 1);
    ck_assert_uint_eq(base_buf_len(&late.got), 5);
    ck_assert_uint_eq(late.ends, 1);
    peer_close(&late);
    base_buf_close(&late.got);
    peer_pair_close(&pair);
    real_world_close(&world);
}
END_TEST

START_TEST(closing_before_the_waiting_is_told_tells_nothing)
{
    struct real_world world = real_world_open();
    struct peer_pair pair;
    struct peer late = {.hungry = true};

    peer_pair_open(&pair, &world, "127.0.0.1");
    base_stream_set_events(pair.server.stream, NULL, NULL);
    base_stream_write(pair.dialler.stream, "early", 5);
    settle(&world);
    peer_take(&late, pair.server.stream);
    pair.server.stream = NULL;
    peer_close(&late);
    settle(&world);
    ck_assert_uint_eq(late.readables + late.ends, 0);
    peer_pair_close(&pair);
    real_world_close(&world);
}
END_TEST

START_TEST(a_stream_may_be_closed_in_its_callbacks)
{
    struct real_world world = real_world_open();
    struct peer_pair pair;
    struct peer *closer = &pair.server;

    peer_pair_open(&pair, &world, "127.0.0.1");
    closer->close_when = (enum peer_close)_i;
    if (_i == PEER_CLOSES_ON_DRAINED) {
        base_stream_write(closer->stream, "x", 1);
    } else {
        base_stream_write(pair.dialler.stream, "x", 1);
        base_stream_shutdown(pair.dialler.stream);
    }
    await(&world, &pair.dialler.ended);
    ck_assert_ptr_null(closer->stream);
    ck_assert_uint_eq(closer->ends, _i == PEER_CLOSES_ON_END);
    peer_pair_close(&pair);
    real_world_close(&world);
}
END_TEST

START_TEST(closing_drops_what_is_queued_and_harms_nobody)
{
    struct real_world world = real_world_open();
    struct peer_pair pairs[3];
    size_t i;

    for (i = 0; i < 3; i++)
        peer_pair_open(&pairs[i], &world, "127.0.0.1");
    /* All three wait to be written in this turn; the middle one goes. */
    for (i = 0; i < 3; i++)
        base_stream_write(pairs[i].dialler.stream, "hello", 5);
    peer_close(&pairs[1].dialler);
    await_bytes(&world, &pairs[0].server, 5);
    await_bytes(&world, &pairs[2].server, 5);
    await(&world, &pairs[1].server.ended);
    for (i = 0; i < 3; i++)
        peer_pair_close(&pairs[i]);
    real_world_close(&world);
}
END_TEST

/* A raw connection to a listening peer, for ends that streams do not make. */
static int raw_dial(struct real_world *world, struct peer *server)
{
    struct base_addr at = loopback("127.0.0.1");
    struct sockaddr_storage sa;
    unsigned len;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    server->net = world->net;
    ck_assert_int_eq(base_net_listen(world->net, &at, peer_on_accepted, server,
                                     &server->listener),
                     0);
    base_net_listener_addr(world->net, server->listener, &at);
    len = base_addr_to_sockaddr(&at, &sa);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
    await(world, &server->open);
    return fd;
}

static void raw_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

START_TEST(a_reset_is_told_once)
{
    struct real_world world = real_world_open();
    struct peer server = {.hungry = true};
    int fd = raw_dial(&world, &server);

    raw_reset(fd);
    await(&world, &server.ended);
    ck_assert_int_eq(server.end, BASE_ERESET);
    ck_assert_int_eq(base_stream_write(server.stream, "x", 1), BASE_ECLOSED);
    ck_assert_uint_eq(base_stream_pending(server.stream), 0);
    settle(&world);
    ck_assert_uint_eq(server.ends, 1);
    peer_close(&server);
    real_world_close(&world);
}
END_TEST

START_TEST(a_reset_shows_when_writing_too)
{
    struct real_world world = real_world_open();
    struct peer server = {.hungry = false};
    uint8_t *bytes = base_calloc(1, 8 * MIB);
    int fd = raw_dial(&world, &server);

    /* Full of input, so it does not read; what it writes is not taken. */
    ck_assert_int_eq(write(fd, bytes, 100), 100);
    base_stream_set_in_limit(server.stream, 100);
    await_input(&world, server.stream, 100);
    ck_assert_int_eq(base_stream_write(server.stream, bytes, 8 * MIB), 0);
    settle(&world);
    raw_reset(fd);
    await(&world, &server.ended);
    ck_assert_int_eq(server.end, BASE_ERESET);
    ck_assert_uint_eq(base_stream_len(server.stream), 100);
    peer_close(&server);
    base_free(bytes);
    real_world_close(&world);
}
END_TEST

START_TEST(waiting_for_output_ends_when_it_fails_after_the_end)
{
    struct real_world world = real_world_open();
    struct peer server = {.hungry = true};
    uint8_t *bytes = base_calloc(1, 16 * MIB);
    int fd = raw_dial(&world, &server);

    shutdown(fd, SHUT_WR);
    await(&world, &server.ended);
    ck_assert_int_eq(server.end, 0);
    ck_assert_int_eq(base_stream_write(server.stream, bytes, 16 * MIB), 0);
    settle(&world);
    ck_assert(!server.drained);
    raw_reset(fd);
    await(&world, &server.drained);
    ck_assert_uint_eq(server.ends, 1);
    ck_assert_int_eq(base_stream_write(server.stream, "x", 1), BASE_ECLOSED);
    peer_close(&server);
    base_free(bytes);
    real_world_close(&world);
}
END_TEST

/* ---- sockets that somebody else opened ------------------------------------
 */

/* Who accepts, and what was there already when it was told. */
struct lobby {
    struct base_stream *streams[4];
    size_t bytes[4];
    size_t count;
};

static void lobby_accept(void *arg, struct base_stream *stream)
{
    struct lobby *lobby = arg;

    ck_assert_uint_lt(lobby->count, 4);
    lobby->bytes[lobby->count] = base_stream_len(stream);
    lobby->streams[lobby->count++] = stream;
}

static bool lobby_has_one(void *arg)
{
    return ((struct lobby *)arg)->count == 1;
}

static void lobby_close(struct lobby *lobby)
{
    while (lobby->count > 0)
        base_stream_close(lobby->streams[--lobby->count]);
}

static int open_socket(struct sockaddr_in *at, bool defers)
{
    socklen_t len = sizeof(*at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int seconds = 1;

    *at = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(fd, (struct sockaddr *)at, len), 0);
    if (defers)
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
                   sizeof(seconds));
    ck_assert_int_eq(listen(fd, 8), 0);
    getsockname(fd, (struct sockaddr *)at, &len);
    return fd;
}

static int connect_plain(const struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(connect(fd, (const struct sockaddr *)at, sizeof(*at)), 0);
    return fd;
}

START_TEST(a_socket_that_waits_for_data_brings_it_along)
{
    struct real_world world = real_world_open();
    struct lobby lobby = {.count = 0};
    struct sockaddr_in at;
    struct base_listener *listener = base_loop_listen_fd(
        world.loop, open_socket(&at, true), lobby_accept, &lobby);
    struct base_addr addr;
    int fd = connect_plain(&at);

    settle(&world);
    ck_assert_uint_eq(lobby.count, 0);
    ck_assert_int_eq(write(fd, "hello", 5), 5);
    await_that(&world, lobby_has_one, &lobby);
    ck_assert_uint_eq(lobby.bytes[0], 5);
    base_net_listener_addr(world.net, listener, &addr);
    ck_assert(base_addr_equal(&lobby.streams[0]->local, &addr));
    /* And what comes later comes as ever. */
    ck_assert_int_eq(write(fd, " again", 6), 6);
    await_input(&world, lobby.streams[0], 11);
    close(fd);
    lobby_close(&lobby);
    base_net_listener_close(world.net, listener);
    real_world_close(&world);
}
END_TEST

START_TEST(who_closes_can_take_what_waits_first)
{
    struct real_world world = real_world_open();
    struct lobby lobby = {.count = 0};
    struct sockaddr_in at;
    struct base_listener *listener = base_loop_listen_fd(
        world.loop, open_socket(&at, false), lobby_accept, &lobby);
    int fds[3], i;

    for (i = 0; i < 3; i++)
        fds[i] = connect_plain(&at);
    ck_assert_uint_eq(lobby.count, 0); /* the loop has not turned */
    base_loop_listener_empty(listener);
    ck_assert_uint_eq(lobby.count, 3);
    base_net_listener_close(world.net, listener);
    ck_assert_int_eq(write(fds[2], "hello", 5), 5);
    await_input(&world, lobby.streams[2], 5);
    for (i = 0; i < 3; i++)
        close(fds[i]);
    lobby_close(&lobby);
    real_world_close(&world);
}
END_TEST

Suite *tcp_suite(void);
Suite *tcp_suite(void)
{
    Suite *suite = suite_create("tcp");
    TCase *tc = tcase_create("tcp");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_mebibyte_goes_each_way, 0, 2);
    tcase_add_test(tc, sockets_are_set_as_promised);
    tcase_add_test(tc, an_unread_stream_pushes_back);
    tcase_add_test(tc, the_output_queue_is_bounded);
    tcase_add_test(tc, half_closed_streams_still_speak);
    tcase_add_test(tc, input_before_the_end_can_be_read_after_it);
    tcase_add_test(tc, late_handlers_hear_what_waits);
    tcase_add_test(tc, closing_before_the_waiting_is_told_tells_nothing);
    tcase_add_loop_test(tc, a_stream_may_be_closed_in_its_callbacks,
                        PEER_CLOSES_ON_READ, PEER_CLOSES_ON_END + 1);
    tcase_add_test(tc, closing_drops_what_is_queued_and_harms_nobody);
    tcase_add_test(tc, a_reset_is_told_once);
    tcase_add_test(tc, a_reset_shows_when_writing_too);
    tcase_add_test(tc, waiting_for_output_ends_when_it_fails_after_the_end);
    tcase_add_test(tc, a_socket_that_waits_for_data_brings_it_along);
    tcase_add_test(tc, who_closes_can_take_what_waits_first);
    suite_add_tcase(suite, tc);
    return suite;
}
