#include "suite.h"

Suite *calls_suite(void);
Suite *listener_suite(void);
Suite *protocol_suite(void);

static Suite *(*const suites[])(void) = {
    protocol_suite,
    listener_suite,
    calls_suite,
};

int main(void)
{
    return suite_main(suites, sizeof(suites) / sizeof(suites[0]));
}
