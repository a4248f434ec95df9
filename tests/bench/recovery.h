/*
 * What the parts of recovery-bench share: a server alone in this process, on
 * files, with a state machine that only counts or is as large as one likes.
 */
#ifndef TESTS_BENCH_RECOVERY_H
#define TESTS_BENCH_RECOVERY_H

#include "base/loop.h"
#include "raft/node.h"
#include "raft/storage_sqlite.h"
#include "raft/transport_stream.h"

struct recovery_server {
    struct base_loop *loop;
    struct base_env *env;
    struct raft_storage *storage;
    struct raft_transport_stream *transport;
    struct raft_node *node;
    struct raft_configuration cluster;
    /* The state machine: how many commands, and so many bytes of state. */
    uint64_t applied;
    uint64_t state_bytes, restored_bytes;
};

uint64_t recovery_now_us(void);
/** Of this process, in KiB: now, or the highest so far. */
uint64_t recovery_resident_kib(void);
uint64_t recovery_peak_kib(void);
/** A folder of its own under /tmp, and its end. */
void recovery_folder(char path[64]);
void recovery_remove(const char *path);

/** Server number of a cluster whose first configuration is the first `voters`,
 * loaded and bootstrapped (voters 0: it joins). Ends the process if it cannot. */
void recovery_open(struct recovery_server *server, const char *folder,
                   unsigned number, unsigned voters,
                   uint32_t snapshot_threshold);
void recovery_close(struct recovery_server *server);
/** Runs until it leads. */
void recovery_wait_leader(struct recovery_server *server);
/** Commits that many commands of 128 bytes with 64 proposers; microseconds. */
uint64_t recovery_commit(struct recovery_server *server, uint64_t count);

void recovery_elections(unsigned trials);
void recovery_restart(void);
void recovery_lengths(void);
void recovery_snapshot(uint64_t bytes);

#endif
