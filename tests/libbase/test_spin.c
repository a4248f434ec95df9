/* Waiting awake: only after short waits, and never for long. */
#include <check.h>
#include <unistd.h>

#include "spin.h"

static void wait_shortly(struct spin *spin, unsigned times)
{
    while (times-- > 0) {
        spin_began(spin);
        spin_ended(spin);
    }
}

/* Nothing comes: looks until it is told to sleep. */
static void wait_in_vain(struct spin *spin, unsigned times)
{
    while (times-- > 0) {
        spin_began(spin);
        while (spin_again(spin))
            ;
        usleep(400);
        spin_ended(spin);
    }
}

START_TEST(nobody_hopes_at_first)
{
    struct spin spin = {0};

    spin_began(&spin);
    ck_assert(!spin_again(&spin));
}
END_TEST

START_TEST(short_waits_raise_hope)
{
    struct spin spin = {0};

    wait_shortly(&spin, 8);
    spin_began(&spin);
    ck_assert(spin_again(&spin) == (sysconf(_SC_NPROCESSORS_ONLN) > 1));
}
END_TEST

START_TEST(waits_in_vain_end_it)
{
    struct spin spin = {0};

    wait_shortly(&spin, 100);
    wait_in_vain(&spin, 8);
    spin_began(&spin);
    ck_assert(!spin_again(&spin));
    ck_assert_uint_eq(spin.hope, 0);
}
END_TEST

Suite *spin_suite(void)
{
    Suite *suite = suite_create("spin");
    TCase *tcase = tcase_create("spin");

    tcase_add_test(tcase, nobody_hopes_at_first);
    tcase_add_test(tcase, short_waits_raise_hope);
    tcase_add_test(tcase, waits_in_vain_end_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
