/*
 * All suites of libbase.
 */
#include "suite.h"

#define SUITES(X) \
    X(addr) X(buf) X(log) X(metrics) X(pb) X(timer_heap) X(loop) X(spin) \
    X(worker) X(tcp) X(net) \
    X(sim) X(sim_packets) X(sim_stream) X(sim_chaos)

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
