/* The daemon's tests: configuration, command line, server, HTTP, gateway. */
#include "suite.h"

Suite *args_suite(void);
Suite *config_suite(void);
Suite *config_rules_suite(void);
Suite *tls_commands_suite(void);

int main(void)
{
    static Suite *(*const suites[])(void) = {
        args_suite,
        config_suite,
        config_rules_suite,
        tls_commands_suite,
    };

    return suite_main(suites, sizeof(suites) / sizeof(suites[0]));
}
