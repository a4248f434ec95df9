/*
 * A simulated cluster for tests: servers on hosts of base/sim.h, messages as
 * its datagrams (so links, loss and delay apply; long ones in pieces), disks
 * that survive crashes (in memory, or SQLite on a fault_disk.h), clocks that
 * drift, clients whose history is kept, and a state machine that keeps what it
 * applied. cluster_check() looks at all servers after every event for the four
 * safety properties (Raft, Figure 3).
 */
#ifndef TESTS_LIBRAFT_CLUSTER_H
#define TESTS_LIBRAFT_CLUSTER_H

#include <sys/queue.h>

#include "base/sim.h"
#include "fault_disk.h"
#include "linear.h"
#include "raft/core.h"
#include "raft/node.h"
#include "raft/storage_memory.h"

#define CLUSTER_MAX 7
#define CLUSTER_KEYS 4 /* registers of the state machine */

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

/* The state machine: registers for clients, and for everything else a sum over
 * all commands in order, and their count. */
struct cluster_state {
    uint64_t sum;
    uint64_t count;
    raft_index applied;
    uint64_t registers[CLUSTER_KEYS];
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
    struct raft_memory_disk *disk; /* one of the two */
    struct fault_disk *files;
    struct raft_node *node; /* NULL: down */
    char *refused;          /* why its storage did not open, or NULL */
    bool fatal;
    /* As it was told of others while it led. */
    enum raft_follower_state told[CLUSTER_MAX];
    uint32_t boots;
    struct cluster_state state;
    struct restoring *restoring;
    raft_index snapshot_seen; /* newest it took or was sent */
    /* Seen by the checker. */
    raft_index last_seen;
    raft_term last_term;
    uint32_t message_number;
    struct gathering gathering[CLUSTER_MAX]; /* by sender */
};

/* A fault that never happened was never survived: simulations print these and
 * want none of them zero. */
#define CLUSTER_COUNT_MAP(X)                                                 \
    X(elections, "elections")                                                \
    X(truncations, "truncations")                                            \
    X(crashes, "losses of power")                                            \
    X(kills, "kills")                                                        \
    X(cuts, "losses of power inside of a write")                             \
    X(acked, "acknowledged")                                                 \
    X(snapshots, "snapshots taken")                                          \
    X(installs, "snapshots installed")                                       \
    X(restores, "restores by a user")                                        \
    X(changes, "membership changes")                                         \
    X(transfers, "leadership transfers")                                     \
    X(reads, "linearizable reads")                                           \
    X(disk_failures, "failed disks")                                         \
    X(damaged, "flipped bits")                                               \
    X(lost_tails, "lost ends of logs")                                       \
    X(torn_writes, "torn writes")                                            \
    X(lost_writes, "lost writes")                                            \
    X(failed_syncs, "failed syncs")                                          \
    X(full_disks, "full disks")                                              \
    X(stalled_disks, "stalled disks")                                        \
    X(clock_jumps, "clock jumps")                                            \
    X(leader_checks, "leader completeness checks")                           \
    X(histories, "linearizability checks")                                   \
    X(operations, "operations in them")

struct cluster_counts {
#define X(name, words) uint64_t name;
    CLUSTER_COUNT_MAP(X)
#undef X
};

struct cluster_config {
    uint64_t seed;
    unsigned count;  /* servers on one network */
    unsigned voters; /* the first of them are the first configuration */
    uint32_t snapshot_threshold; /* 0: never */
    size_t ballast_bytes;        /* of a snapshot; 0: 300 KiB */
    bool on_files;   /* SQLite, on disks in trouble */
    uint32_t drift_ppm; /* clocks are off by up to so much, either way */
    const int32_t *drifts; /* or of each so much; NULL: by chance */
    uint32_t lease_ppm; /* reads by lease, on that bound; 0: no leases */
};

struct cluster {
    struct base_sim *sim;
    struct cluster_config config;
    unsigned count;
    struct cluster_server servers[CLUSTER_MAX];
    bool cut[CLUSTER_MAX][CLUSTER_MAX]; /* from, to */
    uint32_t loss_ppm, duplicate_ppm, delay_min_us, delay_max_us;
    /* What any server applied at an index. */
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
    uint64_t steps_at_ns; /* events of one moment are counted */
    unsigned steps;
    raft_index acked_max;
    uint64_t proposals_open;
    struct history history;
    LIST_HEAD(, cluster_client) clients; /* who wait for an answer */
    LIST_HEAD(, cluster_restorer) restorers;
};

/** Bootstrapped and started. */
struct cluster *cluster_make(const struct cluster_config *config);
/** The same, without snapshots, on memory disks and perfect clocks. */
struct cluster *cluster_new(uint64_t seed, unsigned count, unsigned voters);
/** And with snapshots after so many entries. */
struct cluster *cluster_new_with(uint64_t seed, unsigned count,
                                 unsigned voters, uint32_t snapshot_threshold);
void cluster_free(struct cluster *cluster);
/** The server as a configuration lists it. */
void cluster_server_entry(const struct cluster *cluster, unsigned server,
                          enum raft_suffrage suffrage,
                          struct raft_server *out);
/** NULL while it is down. */
const struct raft *cluster_core(const struct cluster *cluster,
                                unsigned server);
/** Starts a server that is down. It stays down if its files are refused. */
void cluster_start(struct cluster *cluster, unsigned server);
/** Power loss. */
void cluster_crash(struct cluster *cluster, unsigned server);
/** The process only: what it wrote is there, synced or not. */
void cluster_kill(struct cluster *cluster, unsigned server);
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

/** A client of a server reads, writes or swaps a register; what it saw goes
 * into the history. Refusals count as never happened. */
void cluster_client(struct cluster *cluster, unsigned server,
                    enum history_kind kind, uint32_t key);
/** A user restores, through that server, a state in which every register has a
 * value of its own: for their history, writes at one moment. 0 or an error at
 * once; *status (may be NULL) is set when it is known. */
int cluster_restore(struct cluster *cluster, unsigned server, int *status);
/** Aborts if the history so far is not linearizable. */
void cluster_check_history(struct cluster *cluster);

#endif
