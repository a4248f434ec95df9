/*
 * A Lamport clock: a number that orders what nodes say without a common time.
 * It starts at 1 and stands for the next time that is not used yet. A received
 * time is witnessed: ours becomes larger than it. Times near the end of the
 * range are refused, so that a forged one cannot wrap the clock to 0
 * (gossip.md 3.3, 6.3).
 */
#ifndef SERF_LAMPORT_H
#define SERF_LAMPORT_H

#include <stdbool.h>
#include <stdint.h>

/* A pool that makes a million events a second needs 146,000 years to get here:
 * what is above it was not counted up to but made up. */
#define SERF_LTIME_MAX ((uint64_t)1 << 62)

struct serf_lamport {
    uint64_t time;
};

static inline void serf_lamport_init(struct serf_lamport *clock)
{
    clock->time = 1;
}

static inline bool serf_ltime_ok(uint64_t ltime)
{
    return ltime <= SERF_LTIME_MAX;
}

/** Ours is larger than seen afterwards; what is out of range does nothing. */
static inline void serf_lamport_witness(struct serf_lamport *clock,
                                        uint64_t seen)
{
    if (serf_ltime_ok(seen) && seen >= clock->time)
        clock->time = seen + 1;
}

/** The next free time, which is used up. */
static inline uint64_t serf_lamport_take(struct serf_lamport *clock)
{
    uint64_t now = clock->time;

    /* Reached only through a peer that lied just below the limit: stay there
     * rather than wrap. */
    if (clock->time <= SERF_LTIME_MAX)
        clock->time++;
    return now;
}

#endif
