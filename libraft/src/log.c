/* A ring of entries; index arithmetic and nothing else. */
#include "log.h"

#include <assert.h>

#include "base/alloc.h"
#include "raft/core.h"

#define LOG_CAP_MIN 64u

static struct raft_entry *slot(const struct raft_log *log, size_t position)
{
    return &log->ring[(log->start + position) & (log->cap - 1)];
}

static void drop_front(struct raft_log *log, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        raft_data_unref(slot(log, i)->data);
    log->start = (log->start + count) & (log->cap - 1);
    log->count -= count;
}

void log_close(struct raft_log *log)
{
    if (log->count > 0)
        drop_front(log, log->count);
    base_free(log->ring);
    *log = (struct raft_log){0};
}

const struct raft_entry *log_at(const struct raft_log *log, raft_index index)
{
    if (index <= log->base || index > log_last(log))
        return NULL;
    return slot(log, (size_t)(index - log->base - 1));
}

bool log_term_at(const struct raft_log *log, raft_index index,
                 raft_term *term)
{
    const struct raft_entry *entry;

    if (index == log->base) {
        *term = log->base_term;
        return true;
    }
    entry = log_at(log, index);
    if (entry == NULL)
        return false;
    *term = entry->term;
    return true;
}

raft_term log_last_term(const struct raft_log *log)
{
    if (log->count == 0)
        return log->base_term;
    return slot(log, log->count - 1)->term;
}

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
    log->count++;
    *slot(log, log->count - 1) = *entry;
}

void log_truncate(struct raft_log *log, raft_index from)
{
    assert(from > log->base);
    while (log_last(log) >= from) {
        raft_data_unref(slot(log, log->count - 1)->data);
        log->count--;
    }
}

void log_compact(struct raft_log *log, raft_index upto)
{
    raft_term term = 0;
    bool known = log_term_at(log, upto, &term);

    assert(known);
    if (upto == log->base)
        return;
    drop_front(log, (size_t)(upto - log->base));
    log->base = upto;
    log->base_term = term;
}

void log_reset(struct raft_log *log, raft_index base, raft_term base_term)
{
    log_close(log);
    log->base = base;
    log->base_term = base_term;
}

raft_index log_first_of_term(const struct raft_log *log, raft_term term)
{
    size_t low = 0;
    size_t high = log->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slot(log, middle)->term < term)
            low = middle + 1;
        else
            high = middle;
    }
    return log->base + 1 + low;
}
