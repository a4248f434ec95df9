/*
 * The state machine that the log drives. Same entries, same state, on every
 * server. Source: Raft section 2.
 * Threads: the loop of the node. Reentry: must not call into the node.
 */
#ifndef RAFT_FSM_H
#define RAFT_FSM_H

#include "base/buf.h"
#include "raft/types.h"

struct raft_fsm_ops {
    uint32_t version; /* 3: restore_as. 2: last_applied. 1 has neither */
    /**
     * Applies committed commands in order. results[i] is what the proposer's
     * callback gets for entry i: a pointer handed on as is (NULL is fine),
     * which on_result frees if nobody waits here.
     * Nonzero stops the server loudly; an entry is never skipped: after a
     * restart the batch comes again. Indexes grow, with gaps where the log has
     * entries of its own.
     */
    int (*apply)(void *ctx, const struct raft_entry *entries, size_t count,
                 void **results);
    /** Frees a result that no proposer on this server waits for. */
    void (*drop_result)(void *ctx, void *result);
    /** A consistent image of the state now; serialised later in pieces by
     * snapshot_read, ended by snapshot_free. */
    int (*snapshot)(void *ctx, void **image);
    /** Appends up to limit bytes more; 1 when all has been given, 0 if there is
     * more, an error otherwise. May run on the bulk worker: touches the image
     * only. */
    int (*snapshot_read)(void *ctx, void *image, size_t limit,
                         struct base_buf *out);
    void (*snapshot_free)(void *ctx, void *image);
    /** Replaces the state: begin, then pieces in order, then end(ok). With ok
     * false the old state stays. An end that returns above 0 refuses what came
     * and keeps the old state, the same on every server: right for what a user
     * restores, which stops no server then. Below 0 always does. */
    int (*restore_begin)(void *ctx);
    int (*restore_write)(void *ctx, const void *data, size_t len);
    int (*restore_end)(void *ctx, bool ok);
    /** For a state machine that is durable by itself: the index of the last
     * entry that its state holds, 0 for none. It is asked once, at the start;
     * the snapshot is not restored if it is older than that, and no entry is
     * applied again. What it holds must have been applied, and durable with its
     * index in one piece. NULL: the state begins empty at each start. */
    raft_index (*last_applied)(void *ctx);
    /** Between begin and the first piece, if a user restores this image
     * (raft_node_restore_begin()): it is of another time, or of another cluster,
     * and counts as the state at this index. NULL: nothing to do. */
    void (*restore_as)(void *ctx, raft_index index);
};

struct raft_fsm {
    const struct raft_fsm_ops *ops;
    void *ctx;
};

#endif
