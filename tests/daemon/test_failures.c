/*
 * F1 to F13 of federation.md section 13 with a few seeds each; `make sim` has
 * the hundred (tests/sim/failures_sim.c), docs/failures.md the words.
 */
#include "sim/failures.h"
#include "suite.h"

#define SEEDS 2

START_TEST(heals)
{
    const struct failure *failure = &failures[_i];
    struct failure_run run;
    uint64_t seed;

    for (seed = 1; seed <= SEEDS; seed++)
        ck_assert_msg(failure_play(failure, seed, NULL, &run),
                      "%s (%s), seed %llu: not kept: %s", failure->id,
                      failure->what, (unsigned long long)seed, run.why);
}
END_TEST

Suite *failures_suite(void)
{
    Suite *suite = suite_create("failures");
    TCase *tcase = tcase_create("failures");

    tcase_set_timeout(tcase, 240);
    tcase_add_loop_test(tcase, heals, 0, (int)failure_count);
    suite_add_tcase(suite, tcase);
    return suite;
}
