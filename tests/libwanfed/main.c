/* All suites of libwanfed. */
#include "suite.h"

#define SUITES(X) X(names) X(frame) X(queue) X(packets) X(ingest) X(pool)

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
