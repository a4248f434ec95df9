/* Waiting readers: each is told once, from the loop, and why. */
#include "base/error.h"
#include "base/sim.h"
#include "server/watch.h"
#include "suite.h"

static struct base_sim *sim;
static struct base_env *env;
static struct watch_list list;

struct reader {
    unsigned told;
    enum watch_wake why;
    bool again; /* waits anew when it is told */
    struct watch *watch;
};

static void setup(void)
{
    struct base_addr addr;

    sim = base_sim_new(1);
    base_addr_parse_ip(&addr, "10.0.0.1");
    env = base_sim_host_env(base_sim_host_new(sim, "host", &addr, 1), "main");
    watch_list_init(&list, env);
}

static void teardown(void)
{
    watch_list_close(&list);
    base_sim_free(sim);
}

static void on_told(void *arg, enum watch_wake why)
{
    struct reader *reader = arg;

    reader->told++;
    reader->why = why;
    if (reader->again)
        ck_assert_int_eq(watch_add(&list, 1000, false, on_told, reader,
                                   &reader->watch),
                         0);
}

static void wait_for(struct reader *reader, uint32_t ms, bool default_mode)
{
    ck_assert_int_eq(
        watch_add(&list, ms, default_mode, on_told, reader, &reader->watch),
        0);
}

START_TEST(a_change_wakes_all_from_the_loop)
{
    struct reader a = {0}, b = {0};

    wait_for(&a, 1000, true);
    wait_for(&b, 1000, false);
    watch_list_wake(&list);
    watch_list_wake(&list);
    ck_assert_uint_eq(a.told, 0);
    base_sim_run_for_ms(sim, 1);
    ck_assert_uint_eq(a.told, 1);
    ck_assert_uint_eq(b.told, 1);
    ck_assert_int_eq(a.why, WATCH_CHANGED);
    base_sim_run_for_ms(sim, 5000);
    ck_assert_uint_eq(a.told, 1);
    ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(time_ends_a_wait)
{
    struct reader a = {0};

    wait_for(&a, 1000, false);
    base_sim_run_for_ms(sim, 999);
    ck_assert_uint_eq(a.told, 0);
    base_sim_run_for_ms(sim, 2);
    ck_assert_uint_eq(a.told, 1);
    ck_assert_int_eq(a.why, WATCH_TIMEOUT);
}
END_TEST

START_TEST(a_lost_lead_wakes_those_who_depend_on_it)
{
    struct reader normal = {0}, stale = {0};

    wait_for(&normal, 1000, true);
    wait_for(&stale, 1000, false);
    watch_list_abandon(&list);
    base_sim_run_for_ms(sim, 1);
    ck_assert_int_eq(normal.why, WATCH_LEADER_LOST);
    ck_assert_uint_eq(normal.told, 1);
    ck_assert_uint_eq(stale.told, 0);
}
END_TEST

/* A reader whose answer was there before the lead was lost gets it. */
START_TEST(the_first_reason_counts)
{
    struct reader a = {0};

    wait_for(&a, 1000, true);
    watch_list_wake(&list);
    watch_list_abandon(&list);
    base_sim_run_for_ms(sim, 1);
    ck_assert_int_eq(a.why, WATCH_CHANGED);
}
END_TEST

START_TEST(a_cancelled_reader_hears_nothing)
{
    struct reader a = {0}, b = {0}, c = {0};

    wait_for(&a, 1000, false);
    wait_for(&b, 1000, false);
    wait_for(&c, 1000, false);
    watch_list_wake(&list);
    watch_cancel(b.watch);
    base_sim_run_for_ms(sim, 2000);
    ck_assert_uint_eq(a.told + c.told, 2);
    ck_assert_uint_eq(b.told, 0);
}
END_TEST

START_TEST(a_reader_may_wait_anew_inside)
{
    struct reader a = {.again = true};

    wait_for(&a, 1000, false);
    watch_list_wake(&list);
    base_sim_run_for_ms(sim, 1);
    ck_assert_uint_eq(a.told, 1); /* the same change does not tell it twice */
    ck_assert_uint_eq(list.count, 1);
    base_sim_run_for_ms(sim, 1001);
    ck_assert_uint_eq(a.told, 2);
}
END_TEST

START_TEST(readers_are_bounded)
{
    struct reader a = {0};
    size_t i;

    for (i = 0; i < WATCHES_MAX; i++)
        wait_for(&a, 1000, false);
    ck_assert_int_eq(watch_add(&list, 1, false, on_told, &a, &a.watch),
                     BASE_EFULL);
    ck_assert_uint_eq(list.count, WATCHES_MAX);
}
END_TEST

Suite *watch_suite(void)
{
    Suite *suite = suite_create("watches");
    TCase *tcase = tcase_create("watch");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_change_wakes_all_from_the_loop);
    tcase_add_test(tcase, time_ends_a_wait);
    tcase_add_test(tcase, a_lost_lead_wakes_those_who_depend_on_it);
    tcase_add_test(tcase, the_first_reason_counts);
    tcase_add_test(tcase, a_cancelled_reader_hears_nothing);
    tcase_add_test(tcase, a_reader_may_wait_anew_inside);
    tcase_add_test(tcase, readers_are_bounded);
    suite_add_tcase(suite, tcase);
    return suite;
}
