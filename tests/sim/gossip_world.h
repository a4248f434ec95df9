/*
 * A pool of whole serf nodes, one a host, on a network that a scenario bends
 * as it likes; and what must hold of it at every moment. A promise that breaks
 * is told once, in a sentence, and stays in world->broken.
 */
#ifndef SIM_GOSSIP_WORLD_H
#define SIM_GOSSIP_WORLD_H

#include "base/sim.h"
#include "gossip/net_transport.h"
#include "gossip/serf.h"

#define GOSSIP_WORLD_NODES 30
#define GOSSIP_WORLD_IDS 512 /* of user events and queries, each */
#define GOSSIP_WORLD_PORT 7946

/* What a run saw; each is printed, and fails the program where it is zero. */
#define GOSSIP_COUNTS(X)                                                     \
    X(joins, "joins")                                                        \
    X(deaths, "deaths")                                                      \
    X(refutations, "refutations")                                            \
    X(push_pulls, "push/pulls")                                              \
    X(partitions, "partitions")                                              \
    X(one_way, "one-way cuts")                                               \
    X(slow, "slow nodes")                                                    \
    X(crashes, "crashes")                                                    \
    X(restarts, "restarts")                                                  \
    X(leaves, "leaves")                                                      \
    X(force_leaves, "force-leaves")                                          \
    X(updates, "tag changes seen")                                           \
    X(events, "user events")                                                 \
    X(queries, "queries")                                                    \
    X(answers, "answers")                                                    \
    X(lost, "lost packets")

struct gossip_counts {
#define X(name, text) uint64_t name;
    GOSSIP_COUNTS(X)
#undef X
};

struct gossip_world;

/* One node's view of another when it was last looked at. */
struct gossip_seen {
    bool known;
    enum gossip_state state;
    uint32_t incarnation;
    uint64_t change_ms;
};

struct gossip_world_node {
    struct gossip_world *world;
    size_t index;
    char name[8];
    struct base_addr addr;
    struct base_sim_host *host;
    struct base_env *env;
    struct gossip_net_transport *transport;
    struct gossip_serf *serf; /* NULL: not running */
    struct base_timer retry;  /* joins until somebody answers */
    bool joined;
    unsigned tag; /* the value of its tag "v", now */
    uint64_t leaving_ms; /* when it began to leave; 0: it does not */
    bool left;           /* said goodbye, and was not started since */

    /* Of this life. */
    uint8_t heard[GOSSIP_WORLD_IDS]; /* user events */
    uint8_t asked[GOSSIP_WORLD_IDS]; /* queries */
    uint64_t times[3];               /* Lamport clocks */
    struct gossip_seen seen[GOSSIP_WORLD_NODES];
};

struct gossip_world {
    struct base_sim *sim;
    uint64_t seed;
    size_t count;
    struct gossip_world_node nodes[GOSSIP_WORLD_NODES];
    struct base_metrics *metrics; /* of all nodes together */
    struct gossip_keyring *keyring; /* NULL: plain */
    bool compression;
    bool broken;
    struct gossip_counts counts;
    unsigned last_event, last_query; /* the newest ids */

    /* The network. */
    uint32_t loss_ppm, duplicate_ppm, delay_max_us; /* 0 us: as preset */
    uint32_t slow_us[GOSSIP_WORLD_NODES];
    bool cut[GOSSIP_WORLD_NODES][GOSSIP_WORLD_NODES]; /* from, to */
};

/** count hosts, nothing running. log may be NULL. */
struct gossip_world *gossip_world_new(uint64_t seed, size_t count, FILE *log);
void gossip_world_free(struct gossip_world *world);
uint64_t gossip_world_below(struct gossip_world *world, uint64_t bound);
/** A sentence on standard error; the first one stays. */
void gossip_world_break(struct gossip_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Starts it, to join the pool by some other nodes, until one answers. */
void gossip_world_start(struct gossip_world *world, size_t index);
/** The power goes. */
void gossip_world_crash(struct gossip_world *world, size_t index);
/** Begins a goodbye; it goes off when that is over. */
void gossip_world_leave(struct gossip_world *world, size_t index);
void gossip_world_force_leave(struct gossip_world *world, size_t index,
                              size_t target, bool prune);
void gossip_world_set_tag(struct gossip_world *world, size_t index);
/** The id of the event or query, 0 if it could not be sent. */
unsigned gossip_world_event(struct gossip_world *world, size_t index);
unsigned gossip_world_query(struct gossip_world *world, size_t index);

/** A whole network again, and quick. */
void gossip_world_heal(struct gossip_world *world);
/** Runs, and looks at the promises as it goes. */
void gossip_world_run_ms(struct gossip_world *world, uint64_t ms);
static inline bool gossip_world_runs(const struct gossip_world *world,
                                     size_t index)
{
    return world->nodes[index].serf != NULL;
}

/* gossip_promises.c */

/** What must hold at every moment: nothing goes back. */
void gossip_world_check(struct gossip_world *world);
/** Does everybody see exactly those alive that run, with their tags, nobody on
 * his way out, and all others gone? With tell, the first difference is told. */
bool gossip_world_agrees(const struct gossip_world *world, bool tell);
/** Do all who list a node that is gone say the same of its end: left, or
 * failed? */
bool gossip_world_agrees_on_gone(const struct gossip_world *world, bool tell);
/** Groups of running nodes that know nothing of each other (all who knew a node
 * were started anew, or somebody pruned it from here and it restarted there) it
 * joins as an operator would. Returns how many joins that took. */
size_t gossip_world_bridge(struct gossip_world *world);

#endif
