/* All suites of libfedstate. */
#include "suite.h"

#define SUITES(X)                                                            \
    X(model) X(store) X(waiters) X(snapshot) X(diff) X(replicator)           \
    X(antientropy) X(path) X(locator) X(picker)

#define X(name) Suite *name##_suite(void);
SUITES(X)
#undef X

int main(void)
{
    static Suite *(*const suites[])(void) = {
#define X(name) name##_suite,
        SUITES(X)
#undef X
    };

    return suite_main(suites, sizeof(suites) / sizeof(suites[0]));
}
