/*
 * The simulator's world: time, timers, posts, jobs, names, logs, crashes, and
 * above all that two runs of one seed are the same.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim_pair.h"

#define MS UINT64_C(1000000)

/* ---- a small world with everything random in it ---- */

struct ticker {
    struct base_env *env;
    struct base_net *net;
    struct base_packets *packets;
    struct base_timer timer;
    struct base_addr peer;
};

static void on_tick(void *arg)
{
    struct ticker *ticker = arg;
    uint64_t word = base_env_random_u64(ticker->env);

    base_env_trace(ticker->env, "test", "tick %u", (unsigned)(word % 100));
    base_net_packets_send(ticker->net, ticker->packets, &ticker->peer, &word,
                          1 + word % 8);
    base_timer_start_ns(&ticker->timer, word % (10 * MS));
}

static void on_packet(void *arg, const struct base_addr *from, const void *data,
                      size_t len)
{
    (void)arg;
    (void)from;
    (void)data;
    (void)len;
}

static void run_world(uint64_t seed, char digest[65], uint64_t *lines)
{
    struct ticker tickers[2];
    struct pair pair;
    int i;

    pair_open(&pair, seed);
    for (i = 0; i < 2; i++) {
        struct base_addr at = sim_addr(i == 0 ? "10.0.0.1:9" : "10.0.0.2:9");

        pair.link[i] = (struct base_sim_link){.up = true,
                                              .delay_min_us = 10,
                                              .delay_max_us = 5000,
                                              .loss_ppm = 100000,
                                              .duplicate_ppm = 100000};
        tickers[i].env = pair.env[i];
        tickers[i].net = pair.net[i];
        tickers[i].peer = sim_addr(i == 0 ? "10.0.0.2:9" : "10.0.0.1:9");
        ck_assert_int_eq(base_net_packets(pair.net[i], &at, on_packet, NULL,
                                          &tickers[i].packets),
                         0);
        base_timer_init(&tickers[i].timer, pair.env[i], "tick", on_tick,
                        &tickers[i]);
        base_timer_start_ms(&tickers[i].timer, 1);
    }
    base_sim_run_for_ms(pair.sim, 1000);
    base_sim_digest(pair.sim, digest);
    *lines = base_sim_stats(pair.sim).lines;
    pair_close(&pair);
}

START_TEST(equal_seeds_give_equal_logs)
{
    char first[65], second[65], other[65];
    uint64_t lines[3];

    run_world(7, first, &lines[0]);
    run_world(7, second, &lines[1]);
    run_world(8, other, &lines[2]);
    ck_assert_uint_gt(lines[0], 500);
    ck_assert_uint_eq(lines[0], lines[1]);
    ck_assert_str_eq(first, second);
    ck_assert_str_ne(first, other);
}
END_TEST

START_TEST(digest_is_of_the_lines_in_the_file)
{
    /* printf '0 - note one\n1000000 - note two?\n' | sha256sum */
    static const char expected[] =
        "2aef3400cdc1a9ef74bb643654ff256f36472be9b0829ecc7f5cd6a9b454a76b";
    struct base_sim *sim = base_sim_new(1);
    char text[100] = "";
    char digest[65];
    FILE *file = tmpfile();
    size_t len;

    ck_assert_ptr_nonnull(file);
    base_sim_set_log(sim, file);
    base_sim_note(sim, "%s", "one");
    base_sim_run_for_ms(sim, 1);
    base_sim_note(sim, "two\n");
    base_sim_digest(sim, digest);
    ck_assert_str_eq(digest, expected);
    base_sim_set_digest(sim, false);
    base_sim_note(sim, "three");
    ck_assert_uint_eq(base_sim_stats(sim).lines, 2);
    rewind(file);
    len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    ck_assert_str_eq(text, "0 - note one\n1000000 - note two?\n");
    base_sim_free(sim);
    fclose(file);
}
END_TEST

/* ---- timers and time ---- */

struct order {
    char text[64];
    struct base_sim *sim;
    uint64_t at_ns;
};

static void add(struct order *order, const char *word)
{
    strncat(order->text, word, sizeof(order->text) - strlen(order->text) - 1);
    if (order->sim != NULL)
        order->at_ns = base_sim_now_ns(order->sim);
}

static void add_a(void *arg)
{
    add(arg, "a");
}
static void add_b(void *arg)
{
    add(arg, "b");
}
static void add_c(void *arg)
{
    add(arg, "c");
}

START_TEST(timers_fire_in_order_of_time_then_start)
{
    struct order order = {0};
    struct base_timer timers[3];
    struct pair pair;

    pair_open(&pair, 1);
    base_timer_init(&timers[0], pair.env[0], "a", add_a, &order);
    base_timer_init(&timers[1], pair.env[1], "b", add_b, &order);
    base_timer_init(&timers[2], pair.env[0], "c", add_c, &order);
    base_timer_start_ms(&timers[2], 5);
    base_timer_start_ms(&timers[0], 5);
    base_timer_start_ms(&timers[1], 2);
    base_timer_start_ms(&timers[2], 5); /* again: now after a */
    base_sim_run_for_ms(pair.sim, 4);
    ck_assert_str_eq(order.text, "b");
    ck_assert_uint_eq(base_sim_now_ns(pair.sim), 4 * MS);
    base_sim_run_for_ms(pair.sim, 1);
    ck_assert_str_eq(order.text, "bac");
    base_timer_start_ms(&timers[0], 1);
    base_timer_stop(&timers[0]);
    ck_assert(!base_timer_is_running(&timers[0]));
    ck_assert(!base_sim_step(pair.sim));
    pair_close(&pair);
}
END_TEST

static bool is_abc(void *arg)
{
    return strcmp(((struct order *)arg)->text, "abc") == 0;
}

START_TEST(run_until_true_stops_at_the_event_or_the_end)
{
    struct order order = {0};
    struct base_timer timer;
    struct pair pair;

    pair_open(&pair, 1);
    strcpy(order.text, "ab");
    base_timer_init(&timer, pair.env[0], "c", add_c, &order);
    base_timer_start_ms(&timer, 50);
    ck_assert(!base_sim_run_until_true(pair.sim, is_abc, &order, 49));
    ck_assert_uint_eq(base_sim_now_ns(pair.sim), 49 * MS);
    ck_assert(base_sim_run_until_true(pair.sim, is_abc, &order, 49));
    ck_assert_uint_eq(base_sim_now_ns(pair.sim), 50 * MS);
    pair_close(&pair);
}
END_TEST

START_TEST(wall_clock_shifts_and_monotonic_does_not)
{
    const int64_t start_ns = INT64_C(1767225600000000000); /* 2026-01-01 */
    struct pair pair;

    pair_open(&pair, 1);
    ck_assert_int_eq(base_env_wall_ns(pair.env[0]), start_ns);
    base_sim_run_for_ms(pair.sim, 10);
    base_sim_host_shift_wall(pair.host[0], -3600 * INT64_C(1000000000));
    ck_assert_int_eq(base_env_wall_ns(pair.env[0]),
                     start_ns + 10 * (int64_t)MS - 3600 * INT64_C(1000000000));
    ck_assert_int_eq(base_env_wall_ns(pair.env[1]),
                     start_ns + 10 * (int64_t)MS);
    ck_assert_uint_eq(base_env_now_ns(pair.env[0]), 10 * MS);
    pair_close(&pair);
}
END_TEST

static void note_time(void *arg)
{
    *(uint64_t *)arg = 1;
}

/* A tenth too fast: its eleven milliseconds are ten of the world's. */
START_TEST(a_clock_may_drift_and_jump)
{
    struct base_sim *sim = base_sim_new(1);
    struct base_sim_host *host;
    struct base_timer timer;
    struct base_env *env;
    struct base_addr addr;
    uint64_t fired = 0;

    base_addr_parse(&addr, "10.0.0.1:1", 0);
    host = base_sim_host_new(sim, "fast", &addr, 1);
    base_sim_host_set_drift(host, 100000);
    env = base_sim_host_env(host, "main");
    base_timer_init(&timer, env, "test", note_time, &fired);
    base_timer_start_ms(&timer, 11);
    base_sim_run_for_ms(sim, 9);
    ck_assert_uint_eq(fired, 0);
    base_sim_run_for_ms(sim, 2);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(base_env_now_ns(env), 12 * MS + MS / 10);
    base_sim_host_jump(host, 5 * MS);
    ck_assert_uint_eq(base_env_now_ns(env), 17 * MS + MS / 10);
    base_sim_free(sim);
}
END_TEST

START_TEST(random_numbers_differ_between_loops)
{
    uint64_t a, b;
    struct pair pair;

    pair_open(&pair, 1);
    a = base_env_random_u64(pair.env[0]);
    b = base_env_random_u64(pair.env[1]);
    ck_assert_uint_ne(a, b);
    ck_assert_uint_lt(base_sim_random_below(pair.sim, 3), 3);
    pair_close(&pair);
}
END_TEST

/* ---- posts ---- */

START_TEST(posts_keep_their_order_and_take_time)
{
    struct order order = {0};
    struct base_env *gossip;
    struct pair pair;
    int i;

    pair_open(&pair, 3);
    gossip = base_sim_host_env(pair.host[0], "gossip");
    order.sim = pair.sim;
    for (i = 0; i < 5; i++) {
        ck_assert_int_eq(base_env_post(gossip, add_a, &order), 0);
        ck_assert_int_eq(base_env_post(gossip, add_b, &order), 0);
    }
    ck_assert_str_eq(order.text, "");
    base_sim_run_for_ms(pair.sim, 1);
    ck_assert_str_eq(order.text, "ababababab");
    ck_assert_uint_ge(order.at_ns, 1000);
    ck_assert_uint_le(order.at_ns, 50000);
    pair_close(&pair);
}
END_TEST

static void count_up(void *arg)
{
    (*(unsigned *)arg)++;
}

START_TEST(posts_are_bounded)
{
    unsigned count = 0, taken = 0;
    struct pair pair;

    pair_open(&pair, 1);
    while (base_env_post(pair.env[0], count_up, &count) == 0)
        taken++;
    ck_assert_uint_eq(taken, 65536);
    ck_assert_int_eq(base_env_post(pair.env[0], count_up, &count), BASE_EFULL);
    base_sim_run_for_ms(pair.sim, 1);
    ck_assert_uint_eq(count, 65536);
    ck_assert_int_eq(base_env_post(pair.env[0], count_up, &count), 0);
    pair_close(&pair);
}
END_TEST

/* ---- jobs ---- */

struct job {
    struct order *order;
    const char *run;
    const char *done;
};

static void job_run(void *arg)
{
    struct job *job = arg;

    add(job->order, job->run);
}

static void job_done(void *arg)
{
    struct job *job = arg;

    add(job->order, job->done);
}

START_TEST(jobs_of_one_worker_run_in_order)
{
    struct order order = {0};
    struct job jobs[] = {
        {&order, "1", "a"}, {&order, "2", "b"}, {&order, "3", "c"}};
    struct pair pair;
    int i;

    pair_open(&pair, 1);
    order.sim = pair.sim;
    base_sim_set_job_delay(pair.sim, 1000, 1000);
    for (i = 0; i < 3; i++)
        ck_assert_int_eq(base_env_submit(pair.env[0], BASE_WORKER_LOG, job_run,
                                         job_done, &jobs[i]),
                         0);
    base_sim_run_for_ms(pair.sim, 1);
    ck_assert_str_eq(order.text, "1"); /* done is still to come */
    base_sim_run_for_ms(pair.sim, 5);
    ck_assert_str_eq(order.text, "1a2b3c");
    ck_assert_uint_ge(order.at_ns, 3 * MS + 1000);
    pair_close(&pair);
}
END_TEST

START_TEST(workers_do_not_wait_for_each_other)
{
    struct order order = {0};
    struct job bulk = {&order, "B", ""};
    struct job log = {&order, "L", ""};
    struct pair pair;
    int i;

    pair_open(&pair, 1);
    base_sim_set_job_delay(pair.sim, 1000, 1000);
    for (i = 0; i < 3; i++)
        base_env_submit(pair.env[0], BASE_WORKER_BULK, job_run, job_done,
                        &bulk);
    base_env_submit(pair.env[0], BASE_WORKER_LOG, job_run, job_done, &log);
    base_sim_run_for_ms(pair.sim, 10);
    ck_assert_str_eq(order.text, "BLBB");
    pair_close(&pair);
}
END_TEST

START_TEST(jobs_are_bounded)
{
    struct order order = {0};
    struct job job = {&order, "", ""};
    unsigned taken = 0;
    struct pair pair;

    pair_open(&pair, 1);
    while (base_env_submit(pair.env[0], BASE_WORKER_LOG, job_run, job_done,
                           &job) == 0)
        taken++;
    ck_assert_uint_eq(taken, 1024);
    ck_assert_int_eq(
        base_env_submit(pair.env[0], BASE_WORKER_BULK, job_run, job_done, &job),
        0);
    pair_close(&pair);
}
END_TEST

/* ---- names ---- */

struct answer {
    int calls;
    int status;
    size_t count;
    struct base_addr addrs[BASE_RESOLVE_MAX];
};

static void on_resolved(void *arg, int status, const struct base_addr *addrs,
                        size_t count)
{
    struct answer *answer = arg;

    answer->calls++;
    answer->status = status;
    answer->count = count;
    if (count > 0)
        memcpy(answer->addrs, addrs, count * sizeof(*addrs));
}

static struct answer resolve(struct pair *pair, const char *name,
                             enum base_resolve_type type)
{
    struct answer answer = {0};

    ck_assert_int_eq(
        base_env_resolve(pair->env[0], name, type, on_resolved, &answer), 0);
    ck_assert_int_eq(answer.calls, 0);
    base_sim_run_for_ms(pair->sim, 10);
    ck_assert_int_eq(answer.calls, 1);
    return answer;
}

START_TEST(names_resolve_to_what_the_scenario_says)
{
    struct base_addr addrs[2] = {sim_addr("10.0.0.1:8302"),
                                 sim_addr("[fd00::1]:8303")};
    struct answer answer;
    struct pair pair;

    pair_open(&pair, 1);
    base_sim_set_name(pair.sim, "pool.test", addrs, 2);
    answer = resolve(&pair, "POOL.test", BASE_RESOLVE_SRV);
    ck_assert_int_eq(answer.status, 0);
    ck_assert_uint_eq(answer.count, 2);
    ck_assert(base_addr_equal(&answer.addrs[1], &addrs[1]));
    answer = resolve(&pair, "pool.test", BASE_RESOLVE_HOST);
    ck_assert_uint_eq(answer.addrs[1].port, 0);
    answer = resolve(&pair, "192.0.2.9", BASE_RESOLVE_HOST);
    ck_assert_uint_eq(answer.count, 1);
    ck_assert_uint_eq(answer.addrs[0].ip[3], 9);
    base_sim_set_name(pair.sim, "pool.test", NULL, 0);
    answer = resolve(&pair, "pool.test", BASE_RESOLVE_HOST);
    ck_assert_int_eq(answer.status, BASE_ENOTFOUND);
    ck_assert_uint_eq(answer.count, 0);
    ck_assert_int_eq(base_env_resolve(pair.env[0], "", BASE_RESOLVE_HOST,
                                      on_resolved, &answer),
                     BASE_EINVAL);
    pair_close(&pair);
}
END_TEST

/* ---- the hosts' logs ---- */

static void keep_line(void *ctx, const struct base_log_record *record)
{
    char *line = base_log_render_text(record);

    snprintf(ctx, 200, "%s", line);
    base_free(line);
}

START_TEST(log_lines_carry_host_and_virtual_time)
{
    char line[200] = "";
    struct base_log_sink sink = {keep_line, NULL, line};
    struct base_log log;
    struct pair pair;

    pair_open(&pair, 1);
    base_sim_set_log_sink(pair.sim, &sink, BASE_LOG_INFO);
    pair_boot(&pair, 0);
    log = base_log_named(&pair.env[0]->log, "raft");
    base_sim_run_for_ms(pair.sim, 1500);
    base_log(&log, BASE_LOG_INFO, "became leader", kv_int("term", 3));
    ck_assert_ptr_nonnull(strstr(line, "2026-01-01T00:00:01.500Z"));
    ck_assert_ptr_nonnull(strstr(line, "raft: became leader: host=a/main"));
    ck_assert_ptr_nonnull(strstr(line, "term=3"));
    line[0] = '\0';
    base_log(&log, BASE_LOG_DEBUG, "too much");
    base_sim_host_crash(pair.host[0]);
    base_log(&log, BASE_LOG_ERROR, "from beyond");
    ck_assert_str_eq(line, "");
    pair_close(&pair);
}
END_TEST

/* ---- crashes ---- */

START_TEST(crash_takes_all_that_was_to_come)
{
    struct order order = {0};
    struct job job = {&order, "job", "done"};
    struct answer answer = {0};
    struct base_timer timer, other;
    struct pair pair;

    pair_open(&pair, 1);
    base_timer_init(&timer, pair.env[0], "a", add_a, &order);
    base_timer_init(&other, pair.env[1], "b", add_b, &order);
    base_timer_start_ms(&timer, 5);
    base_timer_start_ms(&other, 5);
    base_env_post(pair.env[0], add_a, &order);
    base_env_submit(pair.env[0], BASE_WORKER_LOG, job_run, job_done, &job);
    base_env_resolve(pair.env[0], "x", BASE_RESOLVE_HOST, on_resolved, &answer);
    base_sim_host_crash(pair.host[0]);
    ck_assert(!base_timer_is_running(&timer));
    base_sim_run_for_ms(pair.sim, 20);
    ck_assert_str_eq(order.text, "b");
    ck_assert_int_eq(answer.calls, 0);
    pair_close(&pair);
}
END_TEST

START_TEST(calls_on_a_dead_loop_have_no_effect)
{
    struct order order = {0};
    struct base_addr at = sim_addr("10.0.0.1:80");
    struct base_listener *listener;
    struct base_packets *packets;
    struct base_timer timer;
    struct pair pair;

    pair_open(&pair, 1);
    base_timer_init(&timer, pair.env[0], "a", add_a, &order);
    base_sim_host_crash(pair.host[0]);
    base_timer_start_ms(&timer, 1);
    ck_assert(!base_timer_is_running(&timer));
    base_timer_stop(&timer);
    ck_assert_int_eq(base_env_post(pair.env[0], add_a, &order), BASE_ECLOSED);
    ck_assert_int_eq(
        base_env_submit(pair.env[0], BASE_WORKER_LOG, add_a, add_b, &order),
        BASE_ECLOSED);
    ck_assert_int_eq(base_env_resolve(pair.env[0], "x", BASE_RESOLVE_HOST,
                                      on_resolved, NULL),
                     BASE_ECLOSED);
    ck_assert_int_eq(base_net_listen(pair.net[0], &at, NULL, NULL, &listener),
                     BASE_ECLOSED);
    ck_assert_int_eq(
        base_net_packets(pair.net[0], &at, on_packet, NULL, &packets),
        BASE_ECLOSED);
    ck_assert_int_eq(
        base_net_dial(pair.net[0], &at, NULL, 100, NULL, NULL, NULL),
        BASE_ECLOSED);
    base_env_trace(pair.env[0], "test", "nobody");
    base_sim_run_for_ms(pair.sim, 10);
    ck_assert_str_eq(order.text, "");
    pair_close(&pair);
}
END_TEST

START_TEST(a_machine_boots_again)
{
    struct order order = {0};
    struct job old = {&order, "old", "old"};
    struct job fresh = {&order, "1", "2"};
    struct base_timer timer;
    struct pair pair;

    pair_open(&pair, 1);
    base_env_submit(pair.env[0], BASE_WORKER_LOG, job_run, job_done, &old);
    base_sim_host_crash(pair.host[0]);
    pair_boot(&pair, 0);
    base_env_submit(pair.env[0], BASE_WORKER_LOG, job_run, job_done, &fresh);
    base_timer_init(&timer, pair.env[0], "a", add_a, &order);
    base_timer_start_ms(&timer, 5);
    base_sim_run_for_ms(pair.sim, 10);
    ck_assert_str_eq(order.text, "12a");
    pair_close(&pair);
}
END_TEST

Suite *sim_suite(void)
{
    Suite *suite = suite_create("sim");
    TCase *tcase = tcase_create("world");

    tcase_add_test(tcase, equal_seeds_give_equal_logs);
    tcase_add_test(tcase, digest_is_of_the_lines_in_the_file);
    tcase_add_test(tcase, timers_fire_in_order_of_time_then_start);
    tcase_add_test(tcase, run_until_true_stops_at_the_event_or_the_end);
    tcase_add_test(tcase, wall_clock_shifts_and_monotonic_does_not);
    tcase_add_test(tcase, a_clock_may_drift_and_jump);
    tcase_add_test(tcase, random_numbers_differ_between_loops);
    tcase_add_test(tcase, posts_keep_their_order_and_take_time);
    tcase_add_test(tcase, posts_are_bounded);
    tcase_add_test(tcase, jobs_of_one_worker_run_in_order);
    tcase_add_test(tcase, workers_do_not_wait_for_each_other);
    tcase_add_test(tcase, jobs_are_bounded);
    tcase_add_test(tcase, names_resolve_to_what_the_scenario_says);
    tcase_add_test(tcase, log_lines_carry_host_and_virtual_time);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("crash");
    tcase_add_test(tcase, crash_takes_all_that_was_to_come);
    tcase_add_test(tcase, calls_on_a_dead_loop_have_no_effect);
    tcase_add_test(tcase, a_machine_boots_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
