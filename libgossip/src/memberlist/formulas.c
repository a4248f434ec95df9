/* Arithmetic of gossip.md 2.6, 2.8 and 2.9; rounding as peers round. */
#include "memberlist/formulas.h"

#include <math.h>

#define PUSH_PULL_SCALE_FROM 32.0

uint32_t ml_retransmit_limit(uint32_t mult, size_t node_count)
{
    return mult * (uint32_t)ceil(log10((double)(node_count + 1)));
}

uint64_t ml_suspicion_min_ns(uint32_t mult, size_t node_count,
                             uint64_t probe_interval_ns)
{
    double scale = fmax(1.0, log10(fmax(1.0, (double)node_count)));
    uint64_t scale_milli = (uint64_t)floor(1000 * scale);

    return mult * scale_milli * probe_interval_ns / 1000;
}

uint64_t ml_suspicion_total_ns(uint32_t confirmations, uint32_t k,
                               uint64_t min_ns, uint64_t max_ns)
{
    double fraction, seconds, min_s = (double)min_ns / 1e9,
                              max_s = (double)max_ns / 1e9;
    uint64_t total_ns;

    if (k < 1)
        return min_ns;
    if (confirmations == 0)
        return max_ns;
    fraction = log((double)confirmations + 1) / log((double)k + 1);
    seconds = max_s - fraction * (max_s - min_s);
    total_ns = (uint64_t)floor(1000 * fmax(seconds, 0)) * 1000000u;
    return total_ns < min_ns ? min_ns : total_ns;
}

uint64_t ml_push_pull_scale_ns(uint64_t interval_ns, size_t node_count)
{
    double doublings;

    if ((double)node_count <= PUSH_PULL_SCALE_FROM)
        return interval_ns;
    doublings = ceil(log2((double)node_count) - log2(PUSH_PULL_SCALE_FROM));
    return interval_ns * ((uint64_t)doublings + 1);
}
