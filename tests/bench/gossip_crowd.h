/*
 * A large pool in the simulator: memberlist nodes with views of their own and
 * shared facts, who come and go, and how long it takes until all know.
 */
#ifndef TESTS_BENCH_GOSSIP_CROWD_H
#define TESTS_BENCH_GOSSIP_CROWD_H

#include "base/sim.h"
#include "gossip/memberlist.h"
#include "gossip/net_transport.h"
#include "gossip_bench.h"

struct crowd;

struct crowd_node {
    struct crowd *crowd;
    size_t index;
    struct base_sim_host *host;
    struct base_env *env;
    struct gossip_net_transport *transport;
    struct gossip_memberlist *ml; /* NULL: down */
    uint64_t born_ns;
    uint64_t false_incarnation; /* said dead while it lived, up to this */
    bool join_failed;
};

/* A node that was killed, until all who were there know. */
struct crowd_death {
    size_t victim;
    uint64_t at_ns;
    size_t needed; /* nodes that should hear, and those that did */
    size_t heard;
};

struct crowd {
    struct base_sim *sim;
    struct gossip_records *records;
    struct gossip_params params;
    struct crowd_node *nodes;
    struct gossip_node *known; /* every node, as filled views have it */
    size_t count;
    size_t running;
    uint32_t loss_ppm;
    size_t slow_count;    /* the first so many stop now and then */
    uint32_t slow_ms;     /* so long, and work as long in between */

    struct crowd_death *deaths; /* not known by all yet */
    size_t death_count, death_cap;
    struct bench_series first_ms, all_ms; /* from death to knowing it */
    size_t false_healthy, false_slow; /* members said dead that were there */
    size_t false_views; /* so many views were wrong, all of them together */
    size_t joined;
};

/** count hosts, nobody running. Free it never: its process ends. */
struct crowd *crowd_new(uint64_t seed, size_t count,
                        const struct gossip_params *params);
/** filled: with everybody in view. */
void crowd_start(struct crowd *crowd, size_t index, bool filled);
void crowd_kill(struct crowd *crowd, size_t index);
/** Asks a random running node; again later if that failed. */
void crowd_join(struct crowd *crowd, size_t index);
/** The share of all running nodes' views that is there: 1 is all. */
double crowd_agreement(const struct crowd *crowd);
/** Kills one per gap, and lets each come back, by a join, once all know of its
 * death. gap 0: nobody. */
void crowd_run(struct crowd *crowd, uint64_t duration_ms, uint64_t gap_ms);
/** The latest that all know of a death, in ms: gossip.md 2.3, 2.5, 2.8. */
uint64_t crowd_bound_ms(const struct crowd *crowd);

#endif
