/*
 * The simulator's connections: dialling, bytes both ways, back-pressure, half
 * close, loops changed, links down, machines gone.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim_pair.h"

#define MS UINT64_C(1000000)

/* One end as its user sees it. */
struct end {
    struct base_stream *stream;
    struct base_buf got;
    bool greedy; /* takes input at once */
    int status;  /* of the dial */
    int dials, readables, draineds, closeds;
    int err;
    uint64_t at_ns; /* of the last thing heard */
    struct base_sim *sim;
};

static void take(struct end *end)
{
    base_buf_append(&end->got, base_stream_data(end->stream),
                    base_stream_len(end->stream));
    base_stream_consume(end->stream, base_stream_len(end->stream));
}

static void on_readable(void *arg)
{
    struct end *end = arg;

    end->readables++;
    end->at_ns = base_sim_now_ns(end->sim);
    if (end->greedy)
        take(end);
}

static void on_drained(void *arg)
{
    struct end *end = arg;

    end->draineds++;
}

static void on_closed(void *arg, int err)
{
    struct end *end = arg;

    end->closeds++;
    end->err = err;
    end->at_ns = base_sim_now_ns(end->sim);
}

static const struct base_stream_events events = {on_readable, on_drained,
                                                 on_closed};

static void on_dialled(void *arg, int status, struct base_stream *stream)
{
    struct end *end = arg;

    end->dials++;
    end->status = status;
    end->stream = stream;
    end->at_ns = base_sim_now_ns(end->sim);
    if (stream != NULL)
        base_stream_set_events(stream, &events, end);
}

static void on_accepted(void *arg, struct base_stream *stream)
{
    struct end *end = arg;

    ck_assert_ptr_null(end->stream);
    end->stream = stream;
    base_stream_set_events(stream, &events, end);
}

/* A pair with a listener at b:80; end[0] is a's. */
struct call {
    struct pair pair;
    struct base_listener *listener;
    struct end end[2];
};

static const struct base_addr server = {4, {10, 0, 0, 2}, 80};

static void open_call(struct call *call)
{
    memset(call, 0, sizeof(*call));
    pair_open(&call->pair, 5);
    call->end[0].sim = call->end[1].sim = call->pair.sim;
    call->end[0].greedy = call->end[1].greedy = true;
    ck_assert_int_eq(base_net_listen(call->pair.net[1], &server, on_accepted,
                                     &call->end[1], &call->listener),
                     0);
}

static void run_ms(struct call *call, uint64_t ms)
{
    base_sim_run_for_ms(call->pair.sim, ms);
}

static void dial(struct call *call, const struct base_addr *to,
                 uint32_t timeout_ms)
{
    ck_assert_int_eq(base_net_dial(call->pair.net[0], to, NULL, timeout_ms,
                                   on_dialled, &call->end[0], NULL),
                     0);
    ck_assert_int_eq(call->end[0].dials, 0);
}

static void connect_call(struct call *call)
{
    open_call(call);
    dial(call, &server, 1000);
    run_ms(call, 10);
    ck_assert_int_eq(call->end[0].status, 0);
    ck_assert_ptr_nonnull(call->end[0].stream);
    ck_assert_ptr_nonnull(call->end[1].stream);
}

static void hang_up(struct call *call, int i)
{
    if (call->end[i].stream != NULL)
        base_stream_close(call->end[i].stream);
    call->end[i].stream = NULL;
    base_buf_close(&call->end[i].got);
}

/* Also looks for leaks: after the user closed all, none is open. */
static void close_call(struct call *call)
{
    hang_up(call, 0);
    hang_up(call, 1);
    ck_assert_uint_eq(base_sim_stats(call->pair.sim).streams_open, 0);
    pair_close(&call->pair);
}

static void write_text(struct call *call, int i, const char *text)
{
    ck_assert_int_eq(base_stream_write(call->end[i].stream, text, strlen(text)),
                     0);
}

static void assert_got(struct call *call, int i, const char *text)
{
    ck_assert_uint_eq(base_buf_len(&call->end[i].got), strlen(text));
    ck_assert_int_eq(
        memcmp(base_buf_data(&call->end[i].got), text, strlen(text)), 0);
}

/* ---- dialling ---- */

START_TEST(dial_takes_a_round_trip_and_both_know_each_other)
{
    struct call call;

    open_call(&call);
    dial(&call, &server, 1000);
    base_sim_run_until(call.pair.sim, 2 * MS);
    ck_assert_int_eq(call.end[0].dials, 1);
    ck_assert_uint_eq(call.end[0].at_ns, 2 * MS);
    ck_assert_ptr_null(call.end[1].stream);
    base_sim_run_until(call.pair.sim, 3 * MS);
    ck_assert_ptr_nonnull(call.end[1].stream);
    ck_assert(base_addr_equal(&call.end[0].stream->peer, &server));
    ck_assert(base_addr_equal(&call.end[1].stream->local, &server));
    ck_assert(
        base_addr_equal(&call.end[0].stream->local, &call.end[1].stream->peer));
    ck_assert_uint_ge(call.end[0].stream->local.port, 32768);
    close_call(&call);
}
END_TEST

START_TEST(closed_port_refuses_after_a_round_trip)
{
    struct call call;
    struct base_addr to = server;

    open_call(&call);
    to.port = 81;
    dial(&call, &to, 1000);
    run_ms(&call, 100);
    ck_assert_int_eq(call.end[0].status, BASE_EREFUSED);
    ck_assert_ptr_null(call.end[0].stream);
    ck_assert_uint_eq(call.end[0].at_ns, 2 * MS);
    close_call(&call);
}
END_TEST

static void assert_times_out(struct call *call, const struct base_addr *to)
{
    uint64_t start_ns = base_sim_now_ns(call->pair.sim);

    dial(call, to, 700);
    run_ms(call, 2000);
    ck_assert_int_eq(call->end[0].dials, 1);
    ck_assert_int_eq(call->end[0].status, BASE_ETIMEOUT);
    ck_assert_uint_eq(call->end[0].at_ns, start_ns + 700 * MS);
}

START_TEST(silence_times_out)
{
    struct call call;
    struct base_addr nobody = sim_addr("192.0.2.1:80");
    unsigned i;

    for (i = 0; i < 4; i++) {
        open_call(&call);
        if (i < 2)
            call.pair.link[i].up = false;
        else if (i == 2)
            base_sim_host_crash(call.pair.host[1]);
        assert_times_out(&call, i == 3 ? &nobody : &server);
        close_call(&call);
    }
}
END_TEST

START_TEST(dial_goes_through_when_the_link_comes_back)
{
    struct call call;

    open_call(&call);
    call.pair.link[1].up = false;
    dial(&call, &server, 5000);
    run_ms(&call, 500);
    call.pair.link[1].up = true;
    run_ms(&call, 1500);
    ck_assert_int_eq(call.end[0].dials, 1);
    ck_assert_int_eq(call.end[0].status, 0);
    close_call(&call);
}
END_TEST

START_TEST(cancelled_dial_is_not_told)
{
    struct call call;
    struct base_dial *one;

    open_call(&call);
    ck_assert_int_eq(base_net_dial(call.pair.net[0], &server, NULL, 1000,
                                   on_dialled, &call.end[0], &one),
                     0);
    base_net_dial_cancel(call.pair.net[0], one);
    run_ms(&call, 2000);
    ck_assert_int_eq(call.end[0].dials, 0);
    ck_assert_ptr_null(call.end[1].stream);
    close_call(&call);
}
END_TEST

START_TEST(source_address_is_chosen)
{
    struct call call;
    struct base_addr own = sim_addr("127.0.0.9:5");
    struct base_addr foreign = sim_addr("10.0.0.2:5");

    open_call(&call);
    ck_assert_int_eq(base_net_dial(call.pair.net[0], &server, &foreign, 100,
                                   on_dialled, &call.end[0], NULL),
                     BASE_EADDR);
    ck_assert_int_eq(base_net_dial(call.pair.net[0], &server, &own, 100,
                                   on_dialled, &call.end[0], NULL),
                     0);
    run_ms(&call, 10);
    ck_assert(base_addr_ip_equal(&call.end[1].stream->peer, &own));
    ck_assert_uint_ne(call.end[1].stream->peer.port, 5);
    close_call(&call);
}
END_TEST

START_TEST(listening_twice_is_refused_until_closed)
{
    struct call call;
    struct base_listener *second;
    struct base_addr port0 = server;
    struct base_addr got;

    open_call(&call);
    ck_assert_int_eq(
        base_net_listen(call.pair.net[1], &server, on_accepted, NULL, &second),
        BASE_EINUSE);
    port0.port = 0;
    ck_assert_int_eq(
        base_net_listen(call.pair.net[1], &port0, on_accepted, NULL, &second),
        0);
    base_net_listener_addr(call.pair.net[1], second, &got);
    ck_assert_uint_ge(got.port, 32768);
    base_net_listener_close(call.pair.net[1], second);
    base_net_listener_close(call.pair.net[1], call.listener);
    dial(&call, &server, 1000);
    run_ms(&call, 10);
    ck_assert_int_eq(call.end[0].status, BASE_EREFUSED);
    close_call(&call);
}
END_TEST

START_TEST(listener_gone_in_between_resets)
{
    struct call call;

    open_call(&call);
    dial(&call, &server, 1000);
    base_sim_run_until(call.pair.sim, 2 * MS);
    ck_assert_ptr_nonnull(call.end[0].stream);
    base_net_listener_close(call.pair.net[1], call.listener);
    run_ms(&call, 10);
    ck_assert_int_eq(call.end[0].closeds, 1);
    ck_assert_int_eq(call.end[0].err, BASE_ERESET);
    close_call(&call);
}
END_TEST

/* ---- bytes ---- */

START_TEST(bytes_flow_both_ways_in_order)
{
    struct call call;
    char word[16];
    int i;

    connect_call(&call);
    call.pair.link[0].delay_max_us = 9000; /* must not reorder */
    write_text(&call, 1, "hello");
    for (i = 0; i < 100; i++) {
        snprintf(word, sizeof(word), "%03d", i);
        write_text(&call, 0, word);
        run_ms(&call, 1);
    }
    run_ms(&call, 20);
    assert_got(&call, 0, "hello");
    ck_assert_uint_eq(base_buf_len(&call.end[1].got), 300);
    for (i = 0; i < 100; i++) {
        snprintf(word, sizeof(word), "%03d", i);
        ck_assert_int_eq(
            memcmp(base_buf_data(&call.end[1].got) + 3 * i, word, 3), 0);
    }
    close_call(&call);
}
END_TEST

START_TEST(nothing_is_told_inside_write)
{
    struct call call;

    connect_call(&call);
    write_text(&call, 0, "x");
    ck_assert_uint_eq(base_stream_pending(call.end[0].stream), 1);
    ck_assert_int_eq(call.end[0].draineds, 0);
    base_sim_run_until(call.pair.sim, base_sim_now_ns(call.pair.sim));
    ck_assert_uint_eq(base_stream_pending(call.end[0].stream), 0);
    ck_assert_int_eq(call.end[0].draineds, 1);
    ck_assert_int_eq(call.end[1].readables, 0);
    close_call(&call);
}
END_TEST

static void write_pattern(struct call *call, int i, size_t len)
{
    uint8_t *bytes = base_alloc(len);
    size_t at;

    for (at = 0; at < len; at++)
        bytes[at] = (uint8_t)(at * 31 + at / 251);
    ck_assert_int_eq(base_stream_write(call->end[i].stream, bytes, len), 0);
    base_free(bytes);
}

static void assert_pattern(struct call *call, int i, size_t len)
{
    const uint8_t *bytes = base_buf_data(&call->end[i].got);
    size_t at;

    ck_assert_uint_eq(base_buf_len(&call->end[i].got), len);
    for (at = 0; at < len; at++) {
        if (bytes[at] != (uint8_t)(at * 31 + at / 251))
            ck_abort_msg("byte %zu differs", at);
    }
}

START_TEST(a_slow_reader_holds_the_writer)
{
    const size_t total = 4u << 20;
    struct call call;
    size_t held;

    connect_call(&call);
    call.end[1].greedy = false;
    base_stream_set_in_limit(call.end[1].stream, 100000);
    write_pattern(&call, 0, total);
    run_ms(&call, 5000);
    ck_assert_uint_eq(base_stream_len(call.end[1].stream), 100000);
    held = base_stream_pending(call.end[0].stream);
    ck_assert_uint_eq(held, total - 100000 - 256 * 1024);
    ck_assert_int_eq(call.end[0].draineds, 0);
    take(&call.end[1]);
    run_ms(&call, 100);
    ck_assert_uint_eq(base_stream_len(call.end[1].stream), 100000);
    ck_assert_uint_eq(base_stream_pending(call.end[0].stream), held - 100000);
    call.end[1].greedy = true;
    take(&call.end[1]);
    run_ms(&call, 1000);
    assert_pattern(&call, 1, total);
    ck_assert_int_eq(call.end[0].draineds, 1);
    close_call(&call);
}
END_TEST

START_TEST(much_flows_both_ways_at_once)
{
    const size_t total = 3u << 20;
    struct call call;

    connect_call(&call);
    write_pattern(&call, 0, total);
    write_pattern(&call, 1, total);
    base_stream_shutdown(call.end[0].stream);
    base_stream_shutdown(call.end[1].stream);
    run_ms(&call, 1000);
    assert_pattern(&call, 0, total);
    assert_pattern(&call, 1, total);
    ck_assert_int_eq(call.end[0].closeds, 1);
    ck_assert_int_eq(call.end[1].closeds, 1);
    ck_assert_int_eq(call.end[1].err, 0);
    close_call(&call);
}
END_TEST

START_TEST(half_close_lets_the_other_half_flow)
{
    struct call call;

    connect_call(&call);
    write_text(&call, 0, "request");
    base_stream_shutdown(call.end[0].stream);
    ck_assert_int_eq(base_stream_write(call.end[0].stream, "x", 1),
                     BASE_ECLOSED);
    run_ms(&call, 10);
    assert_got(&call, 1, "request");
    ck_assert_int_eq(call.end[1].closeds, 1);
    ck_assert_int_eq(call.end[1].err, 0);
    ck_assert_int_eq(call.end[0].closeds, 0);
    write_text(&call, 1, "answer");
    run_ms(&call, 10);
    base_stream_shutdown(call.end[1].stream);
    run_ms(&call, 10);
    assert_got(&call, 0, "answer");
    ck_assert_int_eq(call.end[0].closeds, 1);
    ck_assert_int_eq(call.end[0].err, 0);
    close_call(&call);
}
END_TEST

START_TEST(end_waits_behind_unread_input)
{
    struct call call;

    connect_call(&call);
    call.end[1].greedy = false;
    base_stream_set_in_limit(call.end[1].stream, 10);
    write_pattern(&call, 0, 25);
    base_stream_shutdown(call.end[0].stream);
    run_ms(&call, 100);
    ck_assert_int_eq(call.end[1].closeds, 0);
    take(&call.end[1]);
    run_ms(&call, 1);
    take(&call.end[1]);
    run_ms(&call, 1);
    ck_assert_int_eq(call.end[1].closeds, 1);
    take(&call.end[1]);
    assert_pattern(&call, 1, 25);
    close_call(&call);
}
END_TEST

START_TEST(close_is_an_orderly_end_and_loses_the_queue)
{
    struct call call;

    connect_call(&call);
    write_text(&call, 0, "sent");
    run_ms(&call, 0);
    write_text(&call, 0, "queued");
    hang_up(&call, 0);
    run_ms(&call, 10);
    assert_got(&call, 1, "sent");
    ck_assert_int_eq(call.end[1].closeds, 1);
    ck_assert_int_eq(call.end[1].err, 0);
    close_call(&call);
}
END_TEST

START_TEST(writing_to_a_closed_end_is_reset)
{
    struct call call;

    connect_call(&call);
    hang_up(&call, 1);
    run_ms(&call, 10);
    ck_assert_int_eq(call.end[0].err, 0);
    write_text(&call, 0, "anybody?");
    run_ms(&call, 10);
    ck_assert_int_eq(call.end[0].closeds, 1); /* told once, as the end */
    ck_assert_int_eq(base_stream_write(call.end[0].stream, "x", 1),
                     BASE_ECLOSED);
    close_call(&call);
}
END_TEST

START_TEST(closing_on_unread_bytes_resets)
{
    struct call call;

    connect_call(&call);
    call.end[1].greedy = false;
    write_pattern(&call, 0, 1u << 20);
    run_ms(&call, 100);
    ck_assert_uint_gt(base_stream_pending(call.end[0].stream), 0);
    hang_up(&call, 1);
    run_ms(&call, 10);
    ck_assert_int_eq(call.end[0].closeds, 1);
    ck_assert_int_eq(call.end[0].err, BASE_ERESET);
    close_call(&call);
}
END_TEST

START_TEST(a_stream_moves_between_loops)
{
    struct call call;
    struct base_env *other;

    connect_call(&call);
    other = base_sim_host_env(call.pair.host[1], "gossip");
    base_stream_detach(call.end[1].stream);
    write_text(&call, 0, "while away");
    base_stream_shutdown(call.end[0].stream);
    run_ms(&call, 10);
    ck_assert_int_eq(call.end[1].readables, 0);
    base_stream_attach(call.end[1].stream, other);
    base_stream_set_events(call.end[1].stream, &events, &call.end[1]);
    ck_assert_int_eq(call.end[1].readables, 0);
    run_ms(&call, 1);
    assert_got(&call, 1, "while away");
    ck_assert_int_eq(call.end[1].closeds, 1);
    write_text(&call, 1, "back");
    run_ms(&call, 10);
    assert_got(&call, 0, "back");
    close_call(&call);
}
END_TEST

/* ---- links down, machines gone ---- */

START_TEST(a_short_outage_only_delays)
{
    struct call call;

    connect_call(&call);
    call.pair.link[0].up = false;
    write_text(&call, 0, "late");
    run_ms(&call, 20000);
    ck_assert_uint_eq(base_buf_len(&call.end[1].got), 0);
    ck_assert_uint_eq(base_stream_pending(call.end[0].stream), 4);
    call.pair.link[0].up = true;
    run_ms(&call, 300);
    assert_got(&call, 1, "late");
    ck_assert_int_eq(call.end[0].closeds, 0);
    close_call(&call);
}
END_TEST

START_TEST(a_long_outage_resets_both)
{
    struct call call;
    uint64_t start_ns;

    connect_call(&call);
    start_ns = base_sim_now_ns(call.pair.sim);
    call.pair.link[0].up = false;
    write_text(&call, 0, "never");
    run_ms(&call, 29000);
    ck_assert_int_eq(call.end[0].closeds, 0);
    run_ms(&call, 2000);
    ck_assert_int_eq(call.end[0].closeds, 1);
    ck_assert_int_eq(call.end[0].err, BASE_ERESET);
    ck_assert_uint_eq(call.end[0].at_ns, start_ns + 30000 * MS);
    ck_assert_int_eq(base_stream_write(call.end[0].stream, "x", 1),
                     BASE_ECLOSED);
    run_ms(&call, 30000);
    ck_assert_int_eq(call.end[1].err, BASE_ERESET);
    ck_assert_uint_eq(base_buf_len(&call.end[1].got), 0);
    close_call(&call);
}
END_TEST

START_TEST(data_passes_where_only_answers_are_lost)
{
    struct call call;

    connect_call(&call);
    call.pair.link[1].up = false;
    write_text(&call, 0, "heard");
    run_ms(&call, 10);
    assert_got(&call, 1, "heard");
    run_ms(&call, 31000);
    ck_assert_int_eq(call.end[0].err, BASE_ERESET); /* never acknowledged */
    close_call(&call);
}
END_TEST

START_TEST(an_idle_stream_survives_any_outage)
{
    struct call call;

    connect_call(&call);
    call.pair.link[0].up = call.pair.link[1].up = false;
    run_ms(&call, 100000);
    call.pair.link[0].up = call.pair.link[1].up = true;
    write_text(&call, 0, "still here");
    run_ms(&call, 10);
    assert_got(&call, 1, "still here");
    close_call(&call);
}
END_TEST

START_TEST(a_crash_resets_the_peer_after_a_delay)
{
    struct call call;
    uint64_t start_ns;

    connect_call(&call);
    write_text(&call, 1, "last words");
    run_ms(&call, 0);
    write_text(&call, 0, "into the void");
    run_ms(&call, 0);
    start_ns = base_sim_now_ns(call.pair.sim);
    base_sim_host_crash(call.pair.host[1]);
    ck_assert_int_eq(base_stream_write(call.end[1].stream, "x", 1),
                     BASE_ECLOSED);
    ck_assert_uint_eq(base_stream_pending(call.end[1].stream), 0);
    base_stream_shutdown(call.end[1].stream);
    ck_assert_int_eq(call.end[0].closeds, 0);
    run_ms(&call, 10);
    assert_got(&call, 0, "last words");
    ck_assert_int_eq(call.end[0].closeds, 1);
    ck_assert_int_eq(call.end[0].err, BASE_ERESET);
    ck_assert_uint_eq(call.end[0].at_ns, start_ns + MS);
    ck_assert_int_eq(call.end[1].readables, 0);
    ck_assert_int_eq(call.end[1].closeds, 0);
    base_net_listener_close(call.pair.net[1], call.listener);
    close_call(&call);
}
END_TEST

START_TEST(a_crash_at_any_moment_of_a_dial_is_safe)
{
    unsigned step;
    int victim;

    for (step = 0; step <= 12; step++) {
        for (victim = 0; victim < 2; victim++) {
            struct base_dial *one;
            struct call call;

            open_call(&call);
            ck_assert_int_eq(base_net_dial(call.pair.net[0], &server, NULL,
                                           1000, on_dialled, &call.end[0],
                                           &one),
                             0);
            base_sim_run_until(call.pair.sim, step * MS / 4);
            base_sim_host_crash(call.pair.host[victim]);
            if (victim == 0 && call.end[0].dials == 0)
                base_net_dial_cancel(call.pair.net[0], one);
            pair_boot(&call.pair, victim);
            run_ms(&call, 2000);
            if (victim == 1)
                ck_assert(call.end[0].status != 0 ||
                          call.end[0].err == BASE_ERESET);
            close_call(&call);
        }
    }
}
END_TEST

START_TEST(what_is_left_goes_with_the_world)
{
    struct end third = {0};
    struct call call;

    connect_call(&call);
    write_pattern(&call, 0, 1u << 20);
    call.end[1].greedy = false;
    third.sim = call.pair.sim;
    ck_assert_int_eq(base_net_dial(call.pair.net[0], &server, NULL, 1000,
                                   on_dialled, &third, NULL),
                     0);
    base_buf_close(&call.end[0].got);
    base_buf_close(&call.end[1].got);
    pair_close(&call.pair);
}
END_TEST

Suite *sim_stream_suite(void)
{
    Suite *suite = suite_create("sim_stream");
    TCase *tcase = tcase_create("dial");

    tcase_add_test(tcase, dial_takes_a_round_trip_and_both_know_each_other);
    tcase_add_test(tcase, closed_port_refuses_after_a_round_trip);
    tcase_add_test(tcase, silence_times_out);
    tcase_add_test(tcase, dial_goes_through_when_the_link_comes_back);
    tcase_add_test(tcase, cancelled_dial_is_not_told);
    tcase_add_test(tcase, source_address_is_chosen);
    tcase_add_test(tcase, listening_twice_is_refused_until_closed);
    tcase_add_test(tcase, listener_gone_in_between_resets);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("bytes");
    tcase_add_test(tcase, bytes_flow_both_ways_in_order);
    tcase_add_test(tcase, nothing_is_told_inside_write);
    tcase_add_test(tcase, a_slow_reader_holds_the_writer);
    tcase_add_test(tcase, much_flows_both_ways_at_once);
    tcase_add_test(tcase, half_close_lets_the_other_half_flow);
    tcase_add_test(tcase, end_waits_behind_unread_input);
    tcase_add_test(tcase, close_is_an_orderly_end_and_loses_the_queue);
    tcase_add_test(tcase, writing_to_a_closed_end_is_reset);
    tcase_add_test(tcase, closing_on_unread_bytes_resets);
    tcase_add_test(tcase, a_stream_moves_between_loops);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("faults");
    tcase_add_test(tcase, a_short_outage_only_delays);
    tcase_add_test(tcase, a_long_outage_resets_both);
    tcase_add_test(tcase, data_passes_where_only_answers_are_lost);
    tcase_add_test(tcase, an_idle_stream_survives_any_outage);
    tcase_add_test(tcase, a_crash_resets_the_peer_after_a_delay);
    tcase_add_test(tcase, a_crash_at_any_moment_of_a_dial_is_safe);
    tcase_add_test(tcase, what_is_left_goes_with_the_world);
    suite_add_tcase(suite, tcase);
    return suite;
}
