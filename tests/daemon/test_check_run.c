/*
 * Checks that the agent runs, in virtual time: against a machine that answers
 * as each test wants, or does not.
 */
#include <stdio.h>
#include <string.h>

#include "agent/check_run.h"
#include "base/alloc.h"
#include "base/sim.h"
#include "suite.h"

static struct {
    struct base_sim *sim;
    struct base_env *env, *far_env;
    struct base_net *net, *far_net;
    struct base_sim_host *far;
    struct base_listener *listener;
    const char *answer; /* of every connection; NULL: none */
    bool keeps_open;    /* after the answer */
    char asked[2048];
    unsigned connections;

    struct check_spec spec;
    struct check_run *run;
    unsigned reports;
    char status[16], output[8192];
} world;

/* ---- the machine that is checked ------------------------------------------ */

static struct base_stream *held[64];
static size_t held_count;

static void on_asked(void *arg)
{
    struct base_stream *stream = arg;

    snprintf(world.asked, sizeof(world.asked), "%.*s",
             (int)base_stream_len(stream),
             (const char *)base_stream_data(stream));
    if (world.answer == NULL)
        return;
    base_stream_write(stream, world.answer, strlen(world.answer));
    if (!world.keeps_open)
        base_stream_shutdown(stream);
}

static const struct base_stream_events far_events = {.on_readable = on_asked};

static void on_accept(void *arg, struct base_stream *stream)
{
    (void)arg;
    world.connections++;
    ck_assert_uint_lt(held_count, BASE_COUNT_OF(held));
    held[held_count++] = stream;
    base_stream_set_events(stream, &far_events, stream);
}

static void far_listens(void)
{
    struct base_addr at;

    base_addr_parse_ip(&at, "10.0.0.2");
    at.port = 80;
    ck_assert_int_eq(base_net_listen(world.far_net, &at, on_accept, NULL,
                                     &world.listener),
                     0);
}

static void far_stops(void)
{
    base_net_listener_close(world.far_net, world.listener);
    world.listener = NULL;
}

/* ---- the check ------------------------------------------------------------ */

static void on_report(void *ctx, const char *status, const char *output)
{
    (void)ctx;
    world.reports++;
    snprintf(world.status, sizeof(world.status), "%s", status);
    snprintf(world.output, sizeof(world.output), "%s", output);
}

static void start(const char *tcp, const char *http)
{
    struct check_spec spec = {.tcp = (char *)(uintptr_t)tcp,
                              .http = (char *)(uintptr_t)http,
                              .headers = (char *)(uintptr_t)"X-Test: yes\r\n",
                              .interval_ms = 10000,
                              .timeout_ms = 2000};
    struct check_run_config config = {.env = world.env,
                                      .net = world.net,
                                      .spec = &world.spec,
                                      .report = on_report};

    check_spec_copy(&world.spec, &spec);
    world.run = check_run_new(&config);
}

static bool has_report(void *arg)
{
    return world.reports >= *(unsigned *)arg;
}

/* Runs until the next report, and says its status. */
static const char *next(void)
{
    unsigned wanted = world.reports + 1;

    ck_assert(base_sim_run_until_true(world.sim, has_report, &wanted, 15000));
    return world.status;
}

static void setup(void)
{
    struct base_addr addr, far;
    struct base_sim_host *host;

    memset(&world, 0, sizeof(world));
    held_count = 0;
    base_addr_parse_ip(&addr, "10.0.0.1");
    base_addr_parse_ip(&far, "10.0.0.2");
    world.sim = base_sim_new(1);
    host = base_sim_host_new(world.sim, "near", &addr, 1);
    world.far = base_sim_host_new(world.sim, "far", &far, 1);
    world.env = base_sim_host_env(host, "main");
    world.net = base_sim_host_net(host, world.env);
    world.far_env = base_sim_host_env(world.far, "main");
    world.far_net = base_sim_host_net(world.far, world.far_env);
    base_sim_set_name(world.sim, "far.example", &far, 1);
    far_listens();
}

static void teardown(void)
{
    check_run_free(world.run);
    check_spec_close(&world.spec);
    while (held_count > 0)
        base_stream_close(held[--held_count]);
    if (world.listener)
        far_stops();
    base_sim_free(world.sim);
}

START_TEST(a_tcp_check_follows_the_port)
{
    start("10.0.0.2:80", "");
    ck_assert_str_eq(next(), "passing");
    ck_assert_ptr_nonnull(strstr(world.output, "10.0.0.2:80"));
    far_stops();
    ck_assert_str_eq(next(), "critical");
    ck_assert_ptr_nonnull(strstr(world.output, "refused"));
    far_listens();
    ck_assert_str_eq(next(), "passing");
}
END_TEST

START_TEST(a_machine_that_is_off_is_critical_in_time)
{
    uint64_t before;

    start("10.0.0.2:80", "");
    next();
    while (held_count > 0)
        base_stream_close(held[--held_count]);
    far_stops();
    base_sim_host_crash(world.far);
    before = base_sim_now_ns(world.sim);
    ck_assert_str_eq(next(), "critical");
    ck_assert_uint_le((base_sim_now_ns(world.sim) - before) / 1000000,
                      10000 + 2001);
}
END_TEST

static const struct {
    const char *answer, *status, *has;
} answers[] = {
    {"HTTP/1.1 200 OK\r\n\r\nall well", "passing", "200 OK Output: all well"},
    {"HTTP/1.0 204 No Content\r\n\r\n", "passing", "204 No Content"},
    {"HTTP/1.1 429 Too Many Requests\r\n\r\nslow", "warning", "slow"},
    {"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno", "critical", "500 Oh"},
    {"HTTP/1.1 302 Found\r\n\r\n", "critical", "302"},
    {"HTTP/1.1 200 OK\r\n", "critical", "cut off"},
    {"SSH-2.0-x\r\n\r\n", "critical", "not HTTP"},
    {"HTTP/1.1 20 OK\r\n\r\n", "critical", "not HTTP"},
    {"HTTP/1.1 2000 OK\r\n\r\n", "critical", "not HTTP"},
    {"HTTP/1.1\r\n\r\n", "critical", "not HTTP"},
    {"", "critical", "cut off"},
};

START_TEST(an_http_answer_has_a_meaning)
{
    world.answer = answers[_i].answer;
    start("", "http://far.example/health?full");
    ck_assert_str_eq(next(), answers[_i].status);
    ck_assert_msg(strstr(world.output, answers[_i].has) != NULL, "%s",
                  world.output);
}
END_TEST

START_TEST(an_http_request_is_what_servers_expect)
{
    world.answer = "HTTP/1.1 200 OK\r\n\r\n";
    start("", "http://far.example:80?full");
    next();
    ck_assert_ptr_eq(strstr(world.asked, "GET /?full HTTP/1.0\r\n"),
                     world.asked);
    ck_assert_ptr_nonnull(strstr(world.asked, "\r\nHost: far.example:80\r\n"));
    ck_assert_ptr_nonnull(strstr(world.asked, "\r\nX-Test: yes\r\n"));
}
END_TEST

START_TEST(a_silent_server_is_critical_after_the_timeout)
{
    start("", "http://10.0.0.2/");
    ck_assert_str_eq(next(), "critical");
    ck_assert_ptr_nonnull(strstr(world.output, "no answer within 2000 ms"));
    ck_assert_str_eq(next(), "critical");
    ck_assert_uint_eq(world.connections, 2);
}
END_TEST

START_TEST(a_length_ends_an_answer_that_stays_open)
{
    world.answer = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine and more";
    world.keeps_open = true;
    start("", "http://10.0.0.2/");
    ck_assert_str_eq(next(), "passing");
    ck_assert_ptr_nonnull(strstr(world.output, "Output: fine"));
    ck_assert_ptr_null(strstr(world.output, "more"));
}
END_TEST

START_TEST(a_long_answer_is_cut)
{
    char *answer = base_calloc(1, 20000);
    size_t at = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\n\r\n");

    memset(answer + at, 'x', 19000 - at);
    world.answer = answer;
    world.keeps_open = true;
    start("", "http://10.0.0.2/");
    ck_assert_str_eq(next(), "passing");
    ck_assert_uint_le(strlen(world.output), CHECK_BODY_BYTES_MAX + 100);
    base_free(answer);
}
END_TEST

START_TEST(an_endless_header_is_refused)
{
    char *answer = base_calloc(1, 30000);
    size_t at = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\nX: ");

    memset(answer + at, 'x', 29000 - at);
    world.answer = answer;
    world.keeps_open = true;
    start("", "http://10.0.0.2/");
    ck_assert_str_eq(next(), "critical");
    ck_assert_ptr_nonnull(strstr(world.output, "too long"));
    base_free(answer);
}
END_TEST

START_TEST(a_name_that_is_none_is_critical)
{
    start("nowhere.example:80", "");
    ck_assert_str_eq(next(), "critical");
    ck_assert_ptr_nonnull(strstr(world.output, "does not resolve"));
}
END_TEST

START_TEST(https_without_tls_is_critical)
{
    start("", "https://10.0.0.2:80/");
    ck_assert_str_eq(next(), "critical");
}
END_TEST

/* At any moment: nothing may come or leak after it. */
START_TEST(a_run_can_be_freed_while_it_runs)
{
    world.answer = "HTTP/1.1 200 OK\r\n\r\n";
    start("", "http://far.example/");
    base_sim_run_for_ms(world.sim, (uint64_t)_i * 400);
    check_run_free(world.run);
    world.run = NULL;
    world.reports = 0;
    base_sim_run_for_ms(world.sim, 30000);
    ck_assert_uint_eq(world.reports, 0);
}
END_TEST

Suite *check_run_suite(void)
{
    Suite *suite = suite_create("check runs");
    TCase *tcase = tcase_create("runs");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_tcp_check_follows_the_port);
    tcase_add_test(tcase, a_machine_that_is_off_is_critical_in_time);
    tcase_add_loop_test(tcase, an_http_answer_has_a_meaning, 0,
                        (int)BASE_COUNT_OF(answers));
    tcase_add_test(tcase, an_http_request_is_what_servers_expect);
    tcase_add_test(tcase, a_silent_server_is_critical_after_the_timeout);
    tcase_add_test(tcase, a_length_ends_an_answer_that_stays_open);
    tcase_add_test(tcase, a_long_answer_is_cut);
    tcase_add_test(tcase, an_endless_header_is_refused);
    tcase_add_test(tcase, a_name_that_is_none_is_critical);
    tcase_add_test(tcase, https_without_tls_is_critical);
    tcase_add_loop_test(tcase, a_run_can_be_freed_while_it_runs, 0, 26);
    suite_add_tcase(suite, tcase);
    return suite;
}
