/*
 * Every test file defines one suite function, NAME_suite(); the folder's
 * main.c lists them in a table and calls suite_main().
 */
#ifndef TESTS_SUITE_H
#define TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

static inline int suite_main(Suite *(*const suites[])(void), size_t count)
{
    SRunner *runner;
    size_t i;
    int failed;

    /* A test that hangs ends; one on a slow machine, under a sanitizer, goes
     * on. Before the first suite is made: Check looks then. */
    setenv("CK_DEFAULT_TIMEOUT", "60", 0);
    runner = srunner_create(suites[0]());
    for (i = 1; i < count; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
