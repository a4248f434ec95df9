/* A ring of entries and a list of runs; index arithmetic and nothing else. */
#include "log.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "raft/core.h"

#define LOG_CAP_MIN 64u
#define RUN_CAP_MIN 8u
/* What an entry takes beside its data: its place in the ring, the count of its
 * block, and about what an allocator adds. */
#define ENTRY_EXTRA_BYTES (sizeof(struct raft_entry) + 24u)

static struct raft_entry *slot(const struct raft_log *log, size_t position)
{
    return &log->ring[(log->start + position) & (log->cap - 1)];
}

static size_t bytes_of(const struct raft_entry *entry)
{
    return entry->len + ENTRY_EXTRA_BYTES;
}

static void drop(struct raft_log *log, const struct raft_entry *entry)
{
    log->bytes -= bytes_of(entry);
    log->count--;
    raft_data_unref(entry->data);
}

static void drop_first(struct raft_log *log)
{
    drop(log, slot(log, 0));
    log->start = (log->start + 1) & (log->cap - 1);
    log->forgotten++;
}

void log_close(struct raft_log *log)
{
    while (log->count > 0)
        drop_first(log);
    base_free(log->ring);
    base_free(log->runs);
    *log = (struct raft_log){0};
}

const struct raft_entry *log_at(const struct raft_log *log, raft_index index)
{
    if (index <= log->forgotten || index > log_last(log))
        return NULL;
    return slot(log, (size_t)(index - log->forgotten - 1));
}

/* ---- runs ---- */

/* How many runs begin at index or before it. */
static size_t runs_upto(const struct raft_log *log, raft_index index)
{
    size_t low = 0;
    size_t high = log->run_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (log->runs[middle].first <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void run_append(struct raft_log *log, raft_index index, raft_term term)
{
    if (log->run_count > 0 && log->runs[log->run_count - 1].term == term)
        return;
    if (log->run_count == log->run_cap) {
        log->run_cap = log->run_cap == 0 ? RUN_CAP_MIN : log->run_cap * 2;
        log->runs = base_reallocarray(log->runs, log->run_cap,
                                      sizeof(*log->runs));
    }
    log->runs[log->run_count++] = (struct log_run){index, term};
}

/* The run that reaches beyond upto begins after it now. */
static void runs_compact(struct raft_log *log, raft_index upto)
{
    size_t drop_count = runs_upto(log, upto + 1);

    if (drop_count == 0)
        return;
    drop_count--;
    log->run_count -= drop_count;
    memmove(log->runs, log->runs + drop_count,
            log->run_count * sizeof(*log->runs));
    if (log_last(log) <= upto)
        log->run_count = 0;
    else
        log->runs[0].first = upto + 1;
}

bool log_term_at(const struct raft_log *log, raft_index index,
                 raft_term *term)
{
    if (index == log->base) {
        *term = log->base_term;
        return true;
    }
    if (index < log->base || index > log_last(log))
        return false;
    *term = log->runs[runs_upto(log, index) - 1].term;
    return true;
}

raft_term log_last_term(const struct raft_log *log)
{
    return log->run_count == 0 ? log->base_term
                               : log->runs[log->run_count - 1].term;
}

raft_index log_first_of_term(const struct raft_log *log, raft_term term)
{
    size_t low = 0;
    size_t high = log->run_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (log->runs[middle].term < term)
            low = middle + 1;
        else
            high = middle;
    }
    return low < log->run_count ? log->runs[low].first : log_last(log) + 1;
}

/* ---- growing and shrinking ---- */

static void grow(struct raft_log *log)
{
    size_t cap = log->cap == 0 ? LOG_CAP_MIN : log->cap * 2;
    struct raft_entry *ring =
        base_reallocarray(NULL, cap, sizeof(*log->ring));
    size_t i;

    for (i = 0; i < log->count; i++)
        ring[i] = *slot(log, i);
    base_free(log->ring);
    log->ring = ring;
    log->cap = cap;
    log->start = 0;
}

void log_append(struct raft_log *log, const struct raft_entry *entry)
{
    assert(entry->index == log_last(log) + 1);
    assert(entry->term >= log_last_term(log));
    if (log->count == log->cap)
        grow(log);
    run_append(log, entry->index, entry->term);
    log->bytes += bytes_of(entry);
    log->count++;
    *slot(log, log->count - 1) = *entry;
}

void log_truncate(struct raft_log *log, raft_index from)
{
    assert(from > log->forgotten);
    while (log_last(log) >= from)
        drop(log, slot(log, log->count - 1));
    while (log->run_count > 0 && log->runs[log->run_count - 1].first >= from)
        log->run_count--;
}

void log_compact(struct raft_log *log, raft_index upto)
{
    raft_term term = 0;
    bool known = log_term_at(log, upto, &term);

    assert(known);
    log_forget(log, upto, 0);
    if (log->forgotten < upto)
        log->forgotten = upto;
    runs_compact(log, upto);
    log->base = upto;
    log->base_term = term;
}

void log_forget(struct raft_log *log, raft_index upto, size_t bytes_max)
{
    while (log->count > 0 && log->bytes > bytes_max && log->forgotten < upto)
        drop_first(log);
}

void log_reset(struct raft_log *log, raft_index base, raft_term base_term)
{
    log_close(log);
    log->base = base;
    log->forgotten = base;
    log->base_term = base_term;
}
