/*
 * The gateway as a process, against an agent's API, TLS servers and TLS clients
 * that are Python's: the scripts say what holds.
 */
#include <stdlib.h>

#include "suite.h"

START_TEST(a_gateway_from_start_to_leave)
{
    ck_assert_int_eq(
        system("python3 '" TEST_DATA "/gateway_run.py' '" ISTHMUS_BIN "'"), 0);
}
END_TEST

START_TEST(bytes_that_move_in_the_kernel)
{
    ck_assert_int_eq(system("python3 -B '" TEST_DATA
                            "/gateway_splice.py' '" ISTHMUS_BIN "'"),
                     0);
}
END_TEST

START_TEST(workers_logs_headers_and_drains)
{
    ck_assert_int_eq(system("python3 -B '" TEST_DATA
                            "/gateway_lives.py' '" ISTHMUS_BIN "'"),
                     0);
}
END_TEST

START_TEST(what_nobody_should_send)
{
    ck_assert_int_eq(
        system("python3 -B '" TEST_DATA "/gateway_bad.py' '" ISTHMUS_BIN "'"),
        0);
}
END_TEST

Suite *gateway_run_suite(void)
{
    Suite *suite = suite_create("gateway_run");
    TCase *tcase = tcase_create("run");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_gateway_from_start_to_leave);
    tcase_add_test(tcase, bytes_that_move_in_the_kernel);
    tcase_add_test(tcase, workers_logs_headers_and_drains);
    tcase_add_test(tcase, what_nobody_should_send);
    suite_add_tcase(suite, tcase);
    return suite;
}
