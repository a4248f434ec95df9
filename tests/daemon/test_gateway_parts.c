/* The proxy's small parts: whom to dial, and bounds on what strangers fill. */
#include <stdio.h>

#include "base/alloc.h"
#include "gateway/series.h"
#include "gateway/targets.h"
#include "gateway_world.h"
#include "suite.h"

/* ---- targets --------------------------------------------------------------
 */

struct fixture {
    struct base_sim *sim;
    struct targets *targets;
    struct base_env *env;
    struct base_addr addrs[3];
};

static void setup(struct fixture *fixture)
{
    struct base_addr own = gw_addr("10.0.0.9");
    int i;

    fixture->sim = base_sim_new(1);
    fixture->targets = targets_new();
    fixture->env = base_sim_host_env(
        base_sim_host_new(fixture->sim, "gateway", &own, 1), "main");
    for (i = 0; i < 3; i++) {
        fixture->addrs[i] = gw_addr("10.0.0.1:8443");
        fixture->addrs[i].ip[3] = (uint8_t)(i + 1);
    }
}

static void teardown(struct fixture *fixture)
{
    targets_free(fixture->targets);
    base_sim_free(fixture->sim);
}

static struct target *pick(struct fixture *fixture, size_t count)
{
    bool last;

    return targets_pick(fixture->targets, fixture->env, fixture->addrs, count, NULL, 0,
                        &last);
}

START_TEST(the_least_loaded_is_picked)
{
    struct fixture fixture;
    struct target *held[3];
    struct target *again;
    int i;

    setup(&fixture);
    for (i = 0; i < 3; i++)
        held[i] = pick(&fixture, 3);
    ck_assert(held[0] != held[1] && held[1] != held[2] && held[0] != held[2]);
    targets_release(fixture.targets, fixture.env, held[1]);
    again = pick(&fixture, 3);
    for (i = 0; i < 3; i++)
        ck_assert_uint_eq(targets_held(fixture.targets, &fixture.addrs[i]), 1);
    targets_release(fixture.targets, fixture.env, held[0]);
    targets_release(fixture.targets, fixture.env, held[2]);
    targets_release(fixture.targets, fixture.env, again);
    ck_assert_uint_eq(targets_count(fixture.targets), 0);
    teardown(&fixture);
}
END_TEST

START_TEST(ties_are_broken_by_chance)
{
    struct fixture fixture;
    unsigned picks[3] = {0};
    int i;

    setup(&fixture);
    for (i = 0; i < 300; i++) {
        struct target *target = pick(&fixture, 3);

        picks[target_addr(target)->ip[3] - 1]++;
        targets_release(fixture.targets, fixture.env, target);
    }
    for (i = 0; i < 3; i++)
        ck_assert_uint_gt(picks[i], 60);
    teardown(&fixture);
}
END_TEST

START_TEST(a_failure_is_held_against_one_for_a_while)
{
    struct fixture fixture;
    struct target *failed, *others[20];
    bool last;
    int i;

    setup(&fixture);
    failed = pick(&fixture, 1);
    targets_report(fixture.targets, fixture.env, failed,
                   TARGETS_DIAL_FAILED);
    targets_release(fixture.targets, fixture.env, failed);
    for (i = 0; i < 20; i++) { /* however loaded, the other one is better */
        others[i] = pick(&fixture, 2);
        ck_assert_uint_eq(target_addr(others[i])->ip[3], 2);
    }
    /* If it is the only one left, it is tried all the same. */
    failed = targets_pick(fixture.targets, fixture.env, fixture.addrs, 2, &fixture.addrs[1],
                          1, &last);
    ck_assert(base_addr_equal(target_addr(failed), &fixture.addrs[0]));
    ck_assert(last);
    targets_release(fixture.targets, fixture.env, failed);
    ck_assert_ptr_null(targets_pick(fixture.targets, fixture.env, fixture.addrs, 2,
                                    fixture.addrs, 2, &last));
    base_sim_run_for_ms(fixture.sim, TARGETS_FAILED_MS);
    failed = pick(&fixture, 2);
    ck_assert(base_addr_equal(target_addr(failed), &fixture.addrs[0]));
    targets_release(fixture.targets, fixture.env, failed);
    for (i = 0; i < 20; i++)
        targets_release(fixture.targets, fixture.env, others[i]);
    ck_assert_uint_eq(targets_count(fixture.targets), 0);
    teardown(&fixture);
}
END_TEST

START_TEST(one_that_says_nothing_three_times_is_passed_over)
{
    struct fixture fixture;
    struct target *target;
    int i;

    setup(&fixture);
    for (i = 0; i < 2 * (int)TARGETS_SILENT_MAX; i++) {
        target = pick(&fixture, 1);
        targets_report(fixture.targets, fixture.env, target, TARGETS_CONNECTED);
        /* A word in between, and it begins anew. */
        targets_report(fixture.targets, fixture.env, target,
                       i == 2 ? TARGETS_ANSWERED : TARGETS_SILENT);
        targets_release(fixture.targets, fixture.env, target);
        base_sim_run_for_ms(fixture.sim, 100);
    }
    for (i = 0; i < 20; i++) {
        target = pick(&fixture, 2);
        ck_assert_uint_eq(target_addr(target)->ip[3], 2);
        targets_release(fixture.targets, fixture.env, target);
    }
    base_sim_run_for_ms(fixture.sim, TARGETS_FAILED_MS + 1000);
    target = pick(&fixture, 1);
    ck_assert_uint_eq(targets_count(fixture.targets), 1);
    targets_report(fixture.targets, fixture.env, target, TARGETS_ANSWERED);
    targets_release(fixture.targets, fixture.env, target);
    ck_assert_uint_eq(targets_count(fixture.targets), 0);
    teardown(&fixture);
}
END_TEST

START_TEST(old_failures_are_forgotten)
{
    struct fixture fixture;
    struct target *target;

    setup(&fixture);
    target = pick(&fixture, 1);
    targets_report(fixture.targets, fixture.env, target,
                   TARGETS_DIAL_FAILED);
    targets_release(fixture.targets, fixture.env, target);
    ck_assert_uint_eq(targets_count(fixture.targets), 1);
    base_sim_run_for_ms(fixture.sim, TARGETS_FAILED_MS + 1000);
    target = targets_pick(fixture.targets, fixture.env, fixture.addrs + 1, 1, NULL, 0,
                          &(bool){false});
    ck_assert_uint_eq(targets_count(fixture.targets), 1);
    targets_release(fixture.targets, fixture.env, target);
    teardown(&fixture);
}
END_TEST

/* ---- series ---------------------------------------------------------------
 */

START_TEST(made_up_labels_share_one_counter)
{
    static const char *const names[] = {"hits", NULL};
    struct base_metrics *metrics = base_metrics_new();
    struct series *series = series_new(metrics, names, "sni", 10);
    const struct series_entry *first = series_get(series, "name-0");
    char label[32];
    int i;

    for (i = 0; i < 100; i++) {
        snprintf(label, sizeof(label), "name-%d", i);
        base_counter_add(series_get(series, label)->counters[0], 1);
    }
    ck_assert_ptr_eq(series_get(series, "name-0"), first);
    ck_assert_uint_eq(base_counter_value(base_metrics_counter(metrics, "hits",
                                                              "sni", "name-9")),
                      1);
    ck_assert_uint_eq(base_counter_value(base_metrics_counter(metrics, "hits",
                                                              "sni", "other")),
                      90);
    series_free(series);
    base_metrics_free(metrics);
}
END_TEST

Suite *gateway_parts_suite(void)
{
    Suite *suite = suite_create("gateway_parts");
    TCase *tcase = tcase_create("parts");

    tcase_add_test(tcase, the_least_loaded_is_picked);
    tcase_add_test(tcase, ties_are_broken_by_chance);
    tcase_add_test(tcase, a_failure_is_held_against_one_for_a_while);
    tcase_add_test(tcase, one_that_says_nothing_three_times_is_passed_over);
    tcase_add_test(tcase, old_failures_are_forgotten);
    tcase_add_test(tcase, made_up_labels_share_one_counter);
    suite_add_tcase(suite, tcase);
    return suite;
}
