/*
 * A simulated cluster for tests: servers on hosts of base/sim.h, messages as
 * its datagrams (so links, loss and delay apply; long ones in pieces), memory
 * disks that survive crashes, and a state machine that keeps what it applied.
 * cluster_check() looks at all servers after every event for the four safety
 * properties (Raft, Figure 3).
 */
#ifndef TESTS_LIBRAFT_CLUSTER_H
#define TESTS_LIBRAFT_CLUSTER_H

#include "base/sim.h"
#include "raft/core.h"
#include "raft/node.h"
#include "raft/storage_memory.h"

#define CLUSTER_MAX 7

/* One committed entry, as the first server to apply it saw it. */
struct cluster_fact {
    raft_term term;
    uint32_t checksum;
};

/* A message that came in pieces, so far. */
#define PIECES_MAX 100u
struct gathering {
    uint32_t message;
    uint32_t count;
    bool have[PIECES_MAX];
    uint8_t *bytes;
    size_t len;
};

struct cluster_server {
    struct cluster *cluster;
    unsigned number;
    char id[16];
    struct base_sim_host *host;
    struct base_env *env;
    struct base_net *net;
    struct base_packets *packets;
    struct base_addr addr;
    struct raft_memory_disk *disk;
    struct raft_node *node; /* NULL: down */
    bool fatal;
    uint32_t boots;
    /* The state machine: a sum over all commands in order, and their count. */
    uint64_t state_sum;
    uint64_t state_count;
    raft_index applied;
    struct restoring *restoring;
    /* Seen by the checker. */
    enum raft_role role_seen;
    raft_index last_seen;
    raft_term last_term;
    uint32_t message_number;
    struct gathering gathering[CLUSTER_MAX]; /* by sender */
};

struct cluster_counts {
    uint64_t elections, truncations, crashes, acked, snapshots, restores,
        changes, leader_checks, transfers, reads, disk_failures, damaged;
};

struct cluster {
    struct base_sim *sim;
    unsigned count;
    struct cluster_server servers[CLUSTER_MAX];
    bool cut[CLUSTER_MAX][CLUSTER_MAX]; /* from, to */
    uint32_t loss_ppm, duplicate_ppm, delay_max_us;
    /* History: what any server applied at an index. */
    struct cluster_fact *facts;
    raft_index fact_count, fact_cap;
    /* Leaders by term. */
    struct {
        raft_term term;
        unsigned server;
    } *leaders;
    size_t leader_count, leader_cap;
    struct raft_configuration configuration;
    struct cluster_counts counts;
    raft_index acked_max;
    uint64_t proposals_open;
    uint32_t snapshot_threshold;
};

/** count servers on one network; the first `voters` are its first
 * configuration, bootstrapped and started. */
struct cluster *cluster_new(uint64_t seed, unsigned count, unsigned voters);
/** The same with snapshots after so many entries. */
struct cluster *cluster_new_with(uint64_t seed, unsigned count,
                                 unsigned voters, uint32_t snapshot_threshold);
/** The server as a configuration lists it. */
void cluster_server_entry(const struct cluster *cluster, unsigned server,
                          enum raft_suffrage suffrage,
                          struct raft_server *out);
/** NULL while it is down. */
const struct raft *cluster_core(const struct cluster *cluster,
                                unsigned server);
void cluster_free(struct cluster *cluster);
/** Starts a server that is down. */
void cluster_start(struct cluster *cluster, unsigned server);
/** Power loss. */
void cluster_crash(struct cluster *cluster, unsigned server);
/** Both ways, or one. */
void cluster_cut(struct cluster *cluster, unsigned a, unsigned b, bool cut);
void cluster_cut_one_way(struct cluster *cluster, unsigned from, unsigned to,
                         bool cut);
void cluster_isolate(struct cluster *cluster, unsigned server, bool cut);
void cluster_heal(struct cluster *cluster);
/** The one that leads the highest term, or -1. */
int cluster_leader(const struct cluster *cluster);
/** Runs, checking after every event. */
void cluster_run_ms(struct cluster *cluster, uint64_t duration_ms);
/** Runs until there is a leader that others know; false if never. */
bool cluster_run_until_leader(struct cluster *cluster, uint64_t within_ms);
bool cluster_run_until(struct cluster *cluster, bool (*done)(void *arg),
                       void *arg, uint64_t within_ms);
/** Proposes count commands at the leader and runs until that many more are
 * acknowledged; false if not in time. */
bool cluster_commit(struct cluster *cluster, unsigned count,
                    uint64_t within_ms);
/** Proposes one; counts acked when it is. 0 or an error. */
int cluster_propose(struct cluster *cluster, unsigned server, size_t len);
/** All who are up have applied the same, up to what was acknowledged. */
bool cluster_converged(const struct cluster *cluster);
bool cluster_run_until_converged(struct cluster *cluster, uint64_t within_ms);
/** Aborts, naming what is broken. */
void cluster_check(struct cluster *cluster);

#endif
