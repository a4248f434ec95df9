/*
 * The gateway as a process, against an agent's API, TLS servers and TLS clients
 * that are Python's: gateway_run.py says what holds.
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

Suite *gateway_run_suite(void)
{
    Suite *suite = suite_create("gateway_run");
    TCase *tcase = tcase_create("run");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_gateway_from_start_to_leave);
    tcase_add_test(tcase, bytes_that_move_in_the_kernel);
    suite_add_tcase(suite, tcase);
    return suite;
}
