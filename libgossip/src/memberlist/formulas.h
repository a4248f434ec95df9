/*
 * The arithmetic of the protocol, as pure functions. Source: gossip.md 2.6,
 * 2.8, 2.9.
 */
#ifndef MEMBERLIST_FORMULAS_H
#define MEMBERLIST_FORMULAS_H

#include <stddef.h>
#include <stdint.h>

/** How often one message is sent: mult x ceil(log10(n + 1)). */
uint32_t ml_retransmit_limit(uint32_t mult, size_t node_count);
/** Floor of the suspicion time, in nanoseconds. */
uint64_t ml_suspicion_min_ns(uint32_t mult, size_t node_count,
                             uint64_t probe_interval_ns);
/** The whole suspicion time after that many confirmations of the k that are
 * wanted, in nanoseconds since it began. */
uint64_t ml_suspicion_total_ns(uint32_t confirmations, uint32_t k,
                               uint64_t min_ns, uint64_t max_ns);
/** Wait between push/pulls in a pool of that size. */
uint64_t ml_push_pull_scale_ns(uint64_t interval_ns, size_t node_count);

#endif
