/* The tests of libgossip; see tests/suite.h. */
#include "suite.h"

Suite *pool_suite(void);

static Suite *(*const suites[])(void) = {
    pool_suite,
};

int main(void)
{
    return suite_main(suites, sizeof(suites) / sizeof(suites[0]));
}
