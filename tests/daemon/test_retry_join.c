/* The one retry engine, in virtual time. */
#include "agent/retry_join.h"

#include <string.h>

#include "base/error.h"
#include "base/sim.h"
#include "suite.h"

static struct base_sim *sim;
static struct base_env *env;

/* Fails so many attempts, later or inside the call, then succeeds. */
static struct {
    unsigned attempts, exhausted;
    unsigned failures;
    uint64_t times_ms[64];
    bool inside;
    struct base_timer later;
    struct retry_join *retry;
} state;

static void setup(void)
{
    struct base_addr addr;

    sim = base_sim_new(1);
    base_addr_parse_ip(&addr, "10.0.0.1");
    env = base_sim_host_env(base_sim_host_new(sim, "host", &addr, 1), "main");
    memset(&state, 0, sizeof(state));
}

static void teardown(void)
{
    base_timer_stop(&state.later);
    retry_join_free(state.retry);
    base_sim_free(sim);
}

static void finish(void *arg)
{
    struct retry_join *retry = arg;

    if (state.attempts <= state.failures)
        retry_join_attempted(retry, BASE_EREFUSED, "connection refused");
    else
        retry_join_attempted(retry, 0, NULL);
}

static void attempt(void *ctx, struct retry_join *retry)
{
    (void)ctx;
    state.times_ms[state.attempts++ % 64] = base_env_now_ms(env);
    if (state.inside) {
        finish(retry);
        return;
    }
    base_timer_init(&state.later, env, "attempt", finish, retry);
    base_timer_start_ms(&state.later, 10);
}

static void exhausted(void *ctx, const char *what)
{
    (void)ctx;
    ck_assert_str_eq(what, "LAN");
    state.exhausted++;
}

static void start(uint32_t max, bool keep_on)
{
    struct retry_join_config config = {.what = "LAN",
                                       .interval_ms = 1000,
                                       .max = max,
                                       .keep_on = keep_on,
                                       .attempt = attempt,
                                       .exhausted = exhausted};

    state.retry = retry_join_new(env, &config);
}

static struct retry_join_status status(void)
{
    struct retry_join_status out;

    retry_join_status(state.retry, &out);
    return out;
}

START_TEST(tries_at_once_and_then_each_interval)
{
    state.failures = 3;
    start(0, false);
    ck_assert_uint_eq(state.attempts, 0); /* from the loop */
    base_sim_run_for_ms(sim, 500);
    ck_assert_uint_eq(state.attempts, 1);
    ck_assert_str_eq(status().last_error, "connection refused");
    ck_assert_uint_gt(status().next_ms, 0);
    ck_assert(!status().succeeded);
    base_sim_run_for_ms(sim, 10000);
    ck_assert_uint_eq(state.attempts, 4);
    ck_assert_uint_eq(state.times_ms[3] - state.times_ms[2], 1010);
    ck_assert(status().succeeded);
    ck_assert_str_eq(status().last_error, "");
    ck_assert_uint_eq(status().next_ms, 0);
}
END_TEST

/* F6: without a maximum it never gives up. */
START_TEST(zero_is_for_ever)
{
    state.failures = 1000000;
    start(0, false);
    base_sim_run_for_ms(sim, 3600000);
    ck_assert_uint_ge(state.attempts, 3500);
    ck_assert_uint_eq(state.exhausted, 0);
}
END_TEST

START_TEST(the_maximum_ends_it_once)
{
    state.failures = 1000000;
    start(3, false);
    base_sim_run_for_ms(sim, 60000);
    ck_assert_uint_eq(state.attempts, 3);
    ck_assert_uint_eq(state.exhausted, 1);
    ck_assert_uint_eq(status().next_ms, 0);
}
END_TEST

START_TEST(a_discovery_goes_on_after_success)
{
    start(0, true);
    base_sim_run_for_ms(sim, 10000);
    ck_assert_uint_ge(state.attempts, 9);
    ck_assert(status().succeeded);
}
END_TEST

START_TEST(an_attempt_may_end_inside_its_call)
{
    state.inside = true;
    state.failures = 5;
    start(0, false);
    base_sim_run_for_ms(sim, 20000);
    ck_assert_uint_eq(state.attempts, 6);
    ck_assert(status().succeeded);
}
END_TEST

START_TEST(a_long_error_is_cut)
{
    char text[1000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    state.failures = 1000;
    start(0, false);
    base_sim_run_for_ms(sim, 100);
    retry_join_attempted(state.retry, BASE_EIO, text);
    ck_assert_uint_eq(strlen(status().last_error), 127);
}
END_TEST

Suite *retry_join_suite(void)
{
    Suite *suite = suite_create("retry_join");
    TCase *tcase = tcase_create("retry join");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, tries_at_once_and_then_each_interval);
    tcase_add_test(tcase, zero_is_for_ever);
    tcase_add_test(tcase, the_maximum_ends_it_once);
    tcase_add_test(tcase, a_discovery_goes_on_after_success);
    tcase_add_test(tcase, an_attempt_may_end_inside_its_call);
    tcase_add_test(tcase, a_long_error_is_cut);
    suite_add_tcase(suite, tcase);
    return suite;
}
