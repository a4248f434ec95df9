/* The choice among candidates. */
#include "routes.h"
#include "world.h"

static struct world world;
static struct fedstate_picker *picker;
static struct base_addr addrs[3];

static void setup(void)
{
    static const struct fedstate_addrs none = {.count = 0};
    struct fedstate_addrs local = {.count = 0};
    int i;

    world_open(&world);
    picker = fedstate_picker_new(world.env);
    for (i = 0; i < 3; i++) {
        addrs[i] = addr_of("10.0.0.1:8443");
        addrs[i].ip[3] = (uint8_t)(i + 1);
        fedstate_addrs_add(&local, &addrs[i]);
    }
    fedstate_picker_set(picker, fedstate_routes_new("dc1", &local, &none));
}
static void teardown(void)
{
    fedstate_picker_free(picker);
    world_close(&world);
}

/* How often each of the three is chosen in 300 picks. */
static void tally(unsigned counts[3])
{
    unsigned i;

    counts[0] = counts[1] = counts[2] = 0;
    for (i = 0; i < 300; i++) {
        struct base_addr got;

        ck_assert_int_eq(fedstate_picker_pick(picker, "dc3", NULL, &got), 0);
        ck_assert(got.ip[3] >= 1 && got.ip[3] <= 3);
        counts[got.ip[3] - 1]++;
    }
}

START_TEST(the_choice_is_random)
{
    unsigned counts[3];
    int i;

    tally(counts);
    for (i = 0; i < 3; i++)
        ck_assert_uint_gt(counts[i], 60);
}
END_TEST

START_TEST(what_failed_is_avoided_for_ten_seconds)
{
    unsigned counts[3];

    fedstate_picker_report(picker, &addrs[1], -1);
    tally(counts);
    ck_assert_uint_eq(counts[1], 0);
    world_run_ms(&world, 9999);
    tally(counts);
    ck_assert_uint_eq(counts[1], 0);
    world_run_ms(&world, 1);
    tally(counts);
    ck_assert_uint_gt(counts[1], 0);
}
END_TEST

START_TEST(a_success_clears_it)
{
    unsigned counts[3];

    fedstate_picker_report(picker, &addrs[1], -1);
    fedstate_picker_report(picker, &addrs[1], 0);
    tally(counts);
    ck_assert_uint_gt(counts[1], 0);
}
END_TEST

START_TEST(when_all_failed_any_will_do)
{
    unsigned counts[3];
    int i;

    for (i = 0; i < 3; i++)
        fedstate_picker_report(picker, &addrs[i], -1);
    tally(counts);
    for (i = 0; i < 3; i++)
        ck_assert_uint_gt(counts[i], 0);
}
END_TEST

START_TEST(what_another_uses_is_left_to_it_while_there_is_a_good_one)
{
    struct base_addr got;
    int i;

    for (i = 0; i < 100; i++) {
        fedstate_picker_pick(picker, "dc3", &addrs[1], &got);
        ck_assert(!base_addr_equal(&got, &addrs[1]));
    }
    /* Better the same than one that failed. */
    fedstate_picker_report(picker, &addrs[0], -1);
    fedstate_picker_report(picker, &addrs[2], -1);
    for (i = 0; i < 100; i++) {
        fedstate_picker_pick(picker, "dc3", &addrs[1], &got);
        ck_assert(base_addr_equal(&got, &addrs[1]));
    }
}
END_TEST

START_TEST(no_candidates_no_gateway)
{
    static const struct fedstate_addrs none = {.count = 0};
    struct fedstate_picker *fresh = fedstate_picker_new(world.env);
    struct base_addr got;

    ck_assert_int_eq(fedstate_picker_pick(fresh, "dc3", NULL, &got),
                     FEDSTATE_ENOGATEWAY);
    fedstate_picker_set(fresh, fedstate_routes_new("dc1", &none, &none));
    ck_assert_int_eq(fedstate_picker_pick(fresh, "dc3", NULL, &got),
                     FEDSTATE_ENOGATEWAY);
    ck_assert_int_eq(fedstate_picker_pick(picker, "dc1", NULL, &got),
                     FEDSTATE_ENOGATEWAY); /* the primary's own list is empty */
    fedstate_picker_free(fresh);
}
END_TEST

START_TEST(its_memory_is_bounded)
{
    unsigned counts[3];
    unsigned i;

    fedstate_picker_report(picker, &addrs[0], -1);
    for (i = 0; i < 64; i++) {
        struct base_addr other = addr_of("10.9.0.1:8443");

        other.port = (uint16_t)(1000 + i);
        fedstate_picker_report(picker, &other, -1);
    }
    tally(counts);
    ck_assert_uint_gt(counts[0], 0); /* the oldest was forgotten */
}
END_TEST

Suite *picker_suite(void)
{
    Suite *suite = suite_create("picker");
    TCase *tc = tcase_create("picker");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_choice_is_random);
    tcase_add_test(tc, what_failed_is_avoided_for_ten_seconds);
    tcase_add_test(tc, a_success_clears_it);
    tcase_add_test(tc, when_all_failed_any_will_do);
    tcase_add_test(tc,
                   what_another_uses_is_left_to_it_while_there_is_a_good_one);
    tcase_add_test(tc, no_candidates_no_gateway);
    tcase_add_test(tc, its_memory_is_bounded);
    suite_add_tcase(suite, tc);
    return suite;
}
