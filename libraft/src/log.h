/*
 * The log as the core sees it: all after the base (the last entry that
 * compaction dropped; 0 at first). The newest entries are in memory, in a ring
 * that grows; older ones, which the disk has too, may be forgotten here. Terms
 * are known of all of them, as runs: a list that elections make longer, not
 * entries.
 */
#ifndef LIBRAFT_LOG_H
#define LIBRAFT_LOG_H

#include "raft/types.h"

/* Entries from first on, up to the next run, have this term. */
struct log_run {
    raft_index first;
    raft_term term;
};

struct raft_log {
    raft_index base;
    raft_term base_term;
    raft_index forgotten;    /* in memory is what comes after; >= base */
    struct raft_entry *ring; /* data in counted blocks, one reference each */
    size_t cap;              /* a power of two, or 0 */
    size_t start;
    size_t count;
    size_t bytes;            /* that the entries in memory take */
    struct log_run *runs;    /* of all after the base */
    size_t run_count, run_cap;
};

void log_close(struct raft_log *log);
static inline raft_index log_last(const struct raft_log *log)
{
    return log->forgotten + log->count;
}
/** NULL if it is not in memory. */
const struct raft_entry *log_at(const struct raft_log *log, raft_index index);
/** True, with the term, for the base and all after it. */
bool log_term_at(const struct raft_log *log, raft_index index,
                 raft_term *term);
raft_term log_last_term(const struct raft_log *log);
/** Takes over the reference. entry->index is log_last() + 1. */
void log_append(struct raft_log *log, const struct raft_entry *entry);
/** Drops from index on, which is in memory. */
void log_truncate(struct raft_log *log, raft_index from);
/** Drops up to and with index, which becomes the base. */
void log_compact(struct raft_log *log, raft_index upto);
/** Forgets the oldest, up to index at most, until what is in memory takes no
 * more than bytes_max. */
void log_forget(struct raft_log *log, raft_index upto, size_t bytes_max);
/** Drops all: the log goes on after a snapshot. */
void log_reset(struct raft_log *log, raft_index base, raft_term base_term);
/** The first index after the base whose term is at least term; last + 1 if
 * none. Terms never fall along a log. */
raft_index log_first_of_term(const struct raft_log *log, raft_term term);

#endif
