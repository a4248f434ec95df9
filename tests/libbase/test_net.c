/*
 * Dialling, listening and datagrams, and how each fails; and streams that move
 * between two loops in two threads.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

/* A port of 127.0.0.1 that nobody listens on: bound, and kept. */
static struct base_addr dead_port(int *fd)
{
    struct base_addr addr = loopback("127.0.0.1");
    struct sockaddr_storage sa;
    socklen_t len = base_addr_to_sockaddr(&addr, &sa);

    *fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(*fd, (struct sockaddr *)&sa, len), 0);
    ck_assert_int_eq(getsockname(*fd, (struct sockaddr *)&sa, &len), 0);
    ck_assert_int_eq(base_addr_from_sockaddr(&addr, (struct sockaddr *)&sa), 0);
    return addr;
}

START_TEST(nobody_there_is_refused)
{
    struct real_world world = real_world_open();
    struct peer peer = {0};
    struct base_dial *dial;
    int fd;
    struct base_addr to = dead_port(&fd);

    ck_assert_int_eq(base_net_dial(world.net, &to, NULL, WITHIN_MS,
                                   peer_on_dialled, &peer, &dial),
                     0);
    ck_assert(!peer.dial_failed); /* never inside the call */
    await(&world, &peer.dial_failed);
    ck_assert_int_eq(peer.dial_status, BASE_EREFUSED);
    close(fd);
    real_world_close(&world);
}
END_TEST

/* A listening socket whose backlog is full never answers. */
struct deaf {
    int listener;
    int fillers[8];
    struct base_addr addr;
};

static void deaf_open(struct deaf *deaf)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    size_t i;

    deaf->addr = dead_port(&deaf->listener);
    ck_assert_int_eq(listen(deaf->listener, 0), 0);
    getsockname(deaf->listener, (struct sockaddr *)&sa, &len);
    for (i = 0; i < BASE_COUNT_OF(deaf->fillers); i++) {
        deaf->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(deaf->fillers[i], (struct sockaddr *)&sa, len);
    }
}

static void deaf_close(struct deaf *deaf)
{
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(deaf->fillers); i++)
        close(deaf->fillers[i]);
    close(deaf->listener);
}

START_TEST(a_silent_host_times_out)
{
    struct real_world world = real_world_open();
    struct peer peer = {0};
    struct deaf deaf;

    deaf_open(&deaf);
    ck_assert_int_eq(base_net_dial(world.net, &deaf.addr, NULL, 20,
                                   peer_on_dialled, &peer, NULL),
                     0);
    await(&world, &peer.dial_failed);
    ck_assert_int_eq(peer.dial_status, BASE_ETIMEOUT);
    deaf_close(&deaf);
    real_world_close(&world);
}
END_TEST

START_TEST(a_cancelled_dial_says_nothing)
{
    struct real_world world = real_world_open();
    struct peer peer = {0};
    struct base_dial *dial = NULL;
    struct deaf deaf;
    int fd;
    struct base_addr dead = dead_port(&fd);

    deaf_open(&deaf);
    ck_assert_int_eq(base_net_dial(world.net, &deaf.addr, NULL, 20,
                                   peer_on_dialled, &peer, &dial),
                     0);
    base_net_dial_cancel(world.net, dial);
    /* Also one whose outcome is known already. */
    ck_assert_int_eq(base_net_dial(world.net, &dead, NULL, 20, peer_on_dialled,
                                   &peer, &dial),
                     0);
    base_net_dial_cancel(world.net, dial);
    settle(&world);
    ck_assert(!peer.open && !peer.dial_failed);
    deaf_close(&deaf);
    close(fd);
    real_world_close(&world);
}
END_TEST

START_TEST(the_source_address_is_ours_to_choose)
{
    struct real_world world = real_world_open();
    struct base_addr from = loopback("127.0.0.2");
    struct base_addr at = loopback("127.0.0.1");
    struct peer server = {.net = world.net};
    struct peer dialler = {0};

    from.port = 1; /* ignored */
    base_net_listen(world.net, &at, peer_on_accepted, &server,
                    &server.listener);
    base_net_listener_addr(world.net, server.listener, &at);
    ck_assert_int_eq(base_net_dial(world.net, &at, &from, WITHIN_MS,
                                   peer_on_dialled, &dialler, NULL),
                     0);
    await(&world, &server.open);
    ck_assert(base_addr_ip_equal(&server.stream->peer, &from));
    ck_assert_uint_ne(server.stream->peer.port, 1);
    await(&world, &dialler.open);
    peer_close(&server);
    peer_close(&dialler);
    real_world_close(&world);
}
END_TEST

START_TEST(impossible_dials_and_listens_say_why)
{
    struct real_world world = real_world_open();
    struct base_addr foreign = loopback("192.0.2.1"); /* RFC 5737 */
    struct base_addr six = loopback("::1");
    struct base_addr none = {0};
    struct peer peer = {0};
    struct base_listener *listener = NULL;
    int fd;
    struct base_addr taken = dead_port(&fd);

    ck_assert_int_eq(
        base_net_dial(world.net, &taken, &six, 1, peer_on_dialled, &peer, NULL),
        BASE_EINVAL);
    ck_assert_int_eq(base_net_dial(world.net, &taken, &foreign, 1,
                                   peer_on_dialled, &peer, NULL),
                     BASE_EADDR);
    ck_assert_int_eq(
        base_net_dial(world.net, &none, NULL, 1, peer_on_dialled, &peer, NULL),
        BASE_EINVAL);
    ck_assert_int_eq(base_net_listen(world.net, &foreign, peer_on_accepted,
                                     &peer, &listener),
                     BASE_EADDR);
    ck_assert_int_eq(
        base_net_listen(world.net, &taken, peer_on_accepted, &peer, &listener),
        BASE_EINUSE);
    ck_assert_ptr_null(listener);
    settle(&world);
    ck_assert(!peer.open && !peer.dial_failed);
    close(fd);
    real_world_close(&world);
}
END_TEST

START_TEST(one_socket_serves_both_families)
{
    struct real_world world = real_world_open();
    struct base_addr at = loopback("::");
    struct base_addr to = loopback("127.0.0.1");
    struct peer server = {.net = world.net};
    struct peer dialler = {0};

    ck_assert_int_eq(base_net_listen(world.net, &at, peer_on_accepted, &server,
                                     &server.listener),
                     0);
    base_net_listener_addr(world.net, server.listener, &at);
    to.port = at.port;
    ck_assert_int_eq(base_net_dial(world.net, &to, NULL, WITHIN_MS,
                                   peer_on_dialled, &dialler, NULL),
                     0);
    await(&world, &server.open);
    await(&world, &dialler.open);
    ck_assert_uint_eq(server.stream->peer.family, 4); /* mapped collapses */
    peer_close(&server);
    peer_close(&dialler);
    real_world_close(&world);
}
END_TEST

struct hoard {
    struct base_stream *streams[64];
    unsigned count;
};

static void hoard_on_accepted(void *arg, struct base_stream *stream)
{
    struct hoard *hoard = arg;

    hoard->streams[hoard->count++] = stream;
}

static bool hoard_has_one(void *arg)
{
    return ((struct hoard *)arg)->count > 0;
}

static void find_pauses(void *arg, const struct base_metric *metric)
{
    if (strcmp(metric->name, "isthmus.net.accept_pauses") == 0)
        *(uint64_t *)arg = metric->count;
}

static bool has_paused(void *arg)
{
    uint64_t pauses = 0;

    base_metrics_each(((struct real_world *)arg)->metrics, find_pauses,
                      &pauses);
    return pauses >= 5;
}

START_TEST(a_full_descriptor_table_pauses_accepting)
{
    struct real_world world = real_world_open();
    struct base_addr at = loopback("127.0.0.1");
    struct base_listener *listener;
    struct hoard hoard = {.count = 0};
    struct sockaddr_storage sa;
    struct rlimit limit;
    struct rlimit low;
    uint64_t began_ms;
    unsigned len;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    base_net_listen(world.net, &at, hoard_on_accepted, &hoard, &listener);
    base_net_listener_addr(world.net, listener, &at);
    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = (rlim_t)fd + 1; /* no number is left below it */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (dup(fd) >= 0)
        ;
    len = base_addr_to_sockaddr(&at, &sa);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
    began_ms = base_env_now_ms(world.net->env);
    await_that(&world, has_paused, &world);
    /* Between five pauses lie 5, 10, 20 and 40 ms: a loop that spins is there
     * at once. */
    ck_assert_uint_ge(base_env_now_ms(world.net->env) - began_ms, 70);
    ck_assert_uint_eq(hoard.count, 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    await_that(&world, hoard_has_one, &hoard); /* it waited in the backlog */
    base_stream_close(hoard.streams[0]);
    base_net_listener_close(world.net, listener);
    close(fd);
    real_world_close(&world);
}
END_TEST

/* ---- datagrams ------------------------------------------------------------
 */

struct box {
    struct base_net *net;
    struct base_packets *packets;
    struct base_addr addr;
    unsigned got;
    size_t last_len;
    uint8_t last_byte;
    struct base_addr from;
    bool close_at_first;
};

static void on_packet(void *arg, const struct base_addr *from, const void *data,
                      size_t len)
{
    struct box *box = arg;

    box->got++;
    box->from = *from;
    box->last_len = len;
    box->last_byte = ((const uint8_t *)data)[len - 1];
    if (box->close_at_first) {
        base_net_packets_close(box->net, box->packets);
        box->packets = NULL;
    }
}

static void box_open(struct box *box, struct real_world *world, const char *ip)
{
    struct base_addr at = loopback(ip);

    *box = (struct box){.net = world->net};
    ck_assert_int_eq(
        base_net_packets(world->net, &at, on_packet, box, &box->packets), 0);
    base_net_packets_addr(world->net, box->packets, &box->addr);
}

static void box_close(struct box *box)
{
    if (box->packets != NULL)
        base_net_packets_close(box->net, box->packets);
}

static bool box_got_hundred(void *arg)
{
    return ((struct box *)arg)->got >= 100;
}

static bool box_got_one(void *arg)
{
    return ((struct box *)arg)->got >= 1;
}

START_TEST(datagrams_arrive_with_their_sender)
{
    struct real_world world = real_world_open();
    static uint8_t bytes[70000];
    size_t largest = _i == 0 ? 65507 : 65527; /* 65535 less headers */
    struct box a;
    struct box b;
    unsigned i;

    box_open(&a, &world, _i == 0 ? "127.0.0.1" : "::1");
    box_open(&b, &world, _i == 0 ? "127.0.0.1" : "::1");
    for (i = 0; i < 100; i++) {
        bytes[i] = (uint8_t)(i + 1);
        ck_assert_int_eq(
            base_net_packets_send(world.net, a.packets, &b.addr, bytes, i + 1),
            0);
    }
    ck_assert_uint_eq(b.got, 0);
    await_that(&world, box_got_hundred, &b);
    ck_assert(base_addr_equal(&b.from, &a.addr));
    ck_assert_uint_eq(b.last_len, 100);
    ck_assert_uint_eq(b.last_byte, 100);
    /* The largest there is, and one byte more. */
    bytes[largest - 1] = 77;
    b.got = 0;
    ck_assert_int_eq(
        base_net_packets_send(world.net, a.packets, &b.addr, bytes, largest),
        0);
    await_that(&world, box_got_one, &b);
    ck_assert_uint_eq(b.last_len, largest);
    ck_assert_uint_eq(b.last_byte, 77);
    ck_assert_int_eq(base_net_packets_send(world.net, a.packets, &b.addr, bytes,
                                           largest + 1),
                     BASE_ETOOBIG);
    box_close(&a);
    box_close(&b);
    real_world_close(&world);
}
END_TEST

START_TEST(odd_datagrams_are_refused_or_dropped)
{
    struct real_world world = real_world_open();
    struct base_addr six = loopback("::1");
    struct base_addr none = {0};
    struct sockaddr_storage sa;
    struct box a;
    struct box b;
    unsigned len;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    box_open(&a, &world, "127.0.0.1");
    box_open(&b, &world, "127.0.0.1");
    six.port = 1;
    ck_assert_int_eq(base_net_packets_send(world.net, a.packets, &six, "x", 1),
                     BASE_EUNREACH);
    ck_assert_int_eq(base_net_packets_send(world.net, a.packets, &none, "x", 1),
                     BASE_EINVAL);
    ck_assert_int_eq(
        base_net_packets_send(world.net, a.packets, &b.addr, "", 0),
        BASE_EINVAL);
    /* An empty one from elsewhere is dropped, the next one is not. */
    len = base_addr_to_sockaddr(&b.addr, &sa);
    ck_assert_int_eq(sendto(fd, "", 0, 0, (struct sockaddr *)&sa, len), 0);
    ck_assert_int_eq(
        base_net_packets_send(world.net, a.packets, &b.addr, "x", 1), 0);
    await_that(&world, box_got_one, &b);
    ck_assert_uint_eq(b.got, 1);
    ck_assert_uint_eq(b.last_len, 1);
    close(fd);
    box_close(&a);
    box_close(&b);
    real_world_close(&world);
}
END_TEST

START_TEST(a_wide_socket_speaks_both_families)
{
    struct real_world world = real_world_open();
    struct base_addr wide_addr = loopback("127.0.0.1");
    struct box wide;
    struct box four;

    box_open(&wide, &world, "::");
    box_open(&four, &world, "127.0.0.1");
    wide_addr.port = wide.addr.port;
    ck_assert_int_eq(
        base_net_packets_send(world.net, four.packets, &wide_addr, "x", 1), 0);
    await_that(&world, box_got_one, &wide);
    ck_assert(base_addr_equal(&wide.from, &four.addr));
    ck_assert_int_eq(
        base_net_packets_send(world.net, wide.packets, &wide.from, "y", 1), 0);
    await_that(&world, box_got_one, &four);
    ck_assert(base_addr_equal(&four.from, &wide_addr));
    box_close(&wide);
    box_close(&four);
    real_world_close(&world);
}
END_TEST

START_TEST(a_datagram_socket_may_be_closed_in_its_callback)
{
    struct real_world world = real_world_open();
    struct box a;
    struct box b;
    int i;

    box_open(&a, &world, "127.0.0.1");
    box_open(&b, &world, "127.0.0.1");
    b.close_at_first = true;
    for (i = 0; i < 20; i++)
        base_net_packets_send(world.net, a.packets, &b.addr, "x", 1);
    await_that(&world, box_got_one, &b);
    settle(&world);
    ck_assert_uint_eq(b.got, 1);
    box_close(&a);
    real_world_close(&world);
}
END_TEST

/* ---- moving between loops -------------------------------------------------
 */

/* The second loop echoes what it gets, in its own thread. */
struct mover {
    struct real_world *home;
    struct base_loop *away;
    pthread_t thread;
    struct base_stream *stream;
    bool echo_gone;
};

static void echo_on_readable(void *arg)
{
    struct mover *mover = arg;
    struct base_stream *stream = mover->stream;

    ck_assert(pthread_equal(pthread_self(), mover->thread));
    ck_assert_int_eq(base_stream_write(stream, base_stream_data(stream),
                                       base_stream_len(stream)),
                     0);
    base_stream_consume(stream, base_stream_len(stream));
}

static void tell_home(void *arg)
{
    ((struct mover *)arg)->echo_gone = true;
}

static void echo_on_closed(void *arg, int err)
{
    struct mover *mover = arg;

    ck_assert_int_eq(err, 0);
    base_stream_close(mover->stream);
    ck_assert_int_eq(base_env_post(mover->home->env, tell_home, mover), 0);
}

static const struct base_stream_events echo_events = {
    .on_readable = echo_on_readable, .on_closed = echo_on_closed};

static void arrive(void *arg)
{
    struct mover *mover = arg;

    base_stream_attach(mover->stream, base_loop_env(mover->away));
    base_stream_set_events(mover->stream, &echo_events, mover);
}

static void leave(void *arg)
{
    struct mover *mover = arg;

    base_stream_detach(mover->stream);
    ck_assert_int_eq(base_env_post(base_loop_env(mover->away), arrive, mover),
                     0);
}

static void *run_away(void *arg)
{
    base_loop_run(((struct mover *)arg)->away);
    return NULL;
}

static bool echoed(void *arg)
{
    return base_buf_len(&((struct peer *)arg)->got) == 1024 * 1024;
}

static bool has_input(void *arg)
{
    return base_stream_len(arg) > 0;
}

START_TEST(streams_move_between_threads)
{
    struct real_world world = real_world_open();
    struct mover mover = {.home = &world};
    struct peer_pair pair;
    uint8_t *bytes = base_alloc(1024 * 1024);

    memset(bytes, 'm', 1024 * 1024);
    mover.away = base_loop_new("away", NULL, NULL, NULL);
    peer_pair_open(&pair, &world, "127.0.0.1");
    /* Some input waits, and some output, when it moves. */
    pair.server.hungry = false;
    base_stream_write(pair.dialler.stream, bytes, 512 * 1024);
    await_that(&world, has_input, pair.server.stream);
    mover.stream = pair.server.stream;
    pair.server.stream = NULL;
    base_stream_set_events(mover.stream, NULL, NULL);
    pthread_create(&mover.thread, NULL, run_away, &mover);
    base_env_post(world.env, leave, &mover);
    base_stream_write(pair.dialler.stream, bytes, 512 * 1024);
    await_that(&world, echoed, &pair.dialler);
    ck_assert_mem_eq(base_buf_data(&pair.dialler.got), bytes, 1024 * 1024);
    base_stream_shutdown(pair.dialler.stream);
    await(&world, &mover.echo_gone);
    base_loop_stop(mover.away);
    pthread_join(mover.thread, NULL);
    peer_pair_close(&pair);
    base_loop_free(mover.away);
    base_free(bytes);
    real_world_close(&world);
}
END_TEST

static bool got_six(void *arg)
{
    return base_buf_len(&((struct peer *)arg)->got) == 6;
}

START_TEST(a_detached_stream_keeps_its_output)
{
    struct real_world world = real_world_open();
    struct peer_pair pair;
    struct base_stream *stream;

    peer_pair_open(&pair, &world, "127.0.0.1");
    stream = pair.server.stream;
    base_stream_write(stream, "before", 6);
    base_stream_detach(stream);
    settle(&world);
    ck_assert_uint_eq(base_buf_len(&pair.dialler.got), 0);
    base_stream_attach(stream, world.env);
    await_that(&world, got_six, &pair.dialler);
    base_stream_detach(stream);
    peer_close(&pair.server); /* while it belongs to no loop */
    await(&world, &pair.dialler.ended);
    peer_pair_close(&pair);
    real_world_close(&world);
}
END_TEST

Suite *net_suite(void);
Suite *net_suite(void)
{
    Suite *suite = suite_create("net");
    TCase *tc = tcase_create("net");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, nobody_there_is_refused);
    tcase_add_test(tc, a_silent_host_times_out);
    tcase_add_test(tc, a_cancelled_dial_says_nothing);
    tcase_add_test(tc, the_source_address_is_ours_to_choose);
    tcase_add_test(tc, impossible_dials_and_listens_say_why);
    tcase_add_test(tc, one_socket_serves_both_families);
    tcase_add_test(tc, a_full_descriptor_table_pauses_accepting);
    tcase_add_loop_test(tc, datagrams_arrive_with_their_sender, 0, 2);
    tcase_add_test(tc, odd_datagrams_are_refused_or_dropped);
    tcase_add_test(tc, a_wide_socket_speaks_both_families);
    tcase_add_test(tc, a_datagram_socket_may_be_closed_in_its_callback);
    tcase_add_test(tc, streams_move_between_threads);
    tcase_add_test(tc, a_detached_stream_keeps_its_output);
    suite_add_tcase(suite, tc);
    return suite;
}
