/*
 * The log in memory: everything after the base (the last entry that compaction
 * dropped; 0 at first), in a ring that grows. The disk has the same entries;
 * here they are for replication and applying.
 */
#ifndef LIBRAFT_LOG_H
#define LIBRAFT_LOG_H

#include "raft/types.h"

struct raft_log {
    raft_index base;
    raft_term base_term;
    struct raft_entry *ring; /* data in counted blocks, one reference each */
    size_t cap;              /* a power of two, or 0 */
    size_t start;
    size_t count;
};

void log_close(struct raft_log *log);
static inline raft_index log_last(const struct raft_log *log)
{
    return log->base + log->count;
}
/** NULL if it is not held. */
const struct raft_entry *log_at(const struct raft_log *log, raft_index index);
/** True, with the term, for the base and what is held. */
bool log_term_at(const struct raft_log *log, raft_index index,
                 raft_term *term);
raft_term log_last_term(const struct raft_log *log);
/** Takes over the reference. entry->index is log_last() + 1. */
void log_append(struct raft_log *log, const struct raft_entry *entry);
/** Drops from index on. */
void log_truncate(struct raft_log *log, raft_index from);
/** Drops up to and with index, which becomes the base. */
void log_compact(struct raft_log *log, raft_index upto);
/** Drops all: the log goes on after a snapshot. */
void log_reset(struct raft_log *log, raft_index base, raft_term base_term);
/** The first index held whose term is at least term; last + 1 if none. Terms
 * never fall along a log, so halving finds it. */
raft_index log_first_of_term(const struct raft_log *log, raft_term term);

#endif
