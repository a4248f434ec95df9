/*
 * What is durable. The storage answers in order, and several writes may be on
 * their way; each remembers up to which index it makes the log durable. A
 * truncation that comes later lowers that for the ones still out: their
 * entries beyond it will be on the disk for a moment, but are no part of the
 * log any more.
 */
#include <assert.h>

#include "base/alloc.h"
#include "core_internal.h"

static struct pending_write *pending_at(const struct raft *core, size_t i)
{
    return &core->pending[(core->pending_start + i) % core->pending_cap];
}

static void pending_grow(struct raft *core)
{
    size_t cap = core->pending_cap == 0 ? 16 : core->pending_cap * 2;
    struct pending_write *bigger =
        base_reallocarray(NULL, cap, sizeof(*bigger));
    size_t i;

    for (i = 0; i < core->pending_count; i++)
        bigger[i] = *pending_at(core, i);
    base_free(core->pending);
    core->pending = bigger;
    core->pending_cap = cap;
    core->pending_start = 0;
}

void persist_finish_step(struct raft *core, struct raft_update *update)
{
    if (update->set_vote || update->truncate_from != 0 || update->set_repair ||
        update->entry_count > 0) {
        if (core->pending_count == core->pending_cap)
            pending_grow(core);
        update->write_id = ++core->write_last;
        update->term = core->term;
        text_copy(update->voted_for, sizeof(update->voted_for),
                  core->voted_for);
        core->pending_count++;
        *pending_at(core, core->pending_count - 1) = (struct pending_write){
            .id = update->write_id,
            .since_ms = core->now_ms,
            .last_index = log_last(&core->log)};
        if (update->set_vote || update->set_repair)
            core->write_vote = update->write_id;
    }
    update->after_id = core->write_vote;
}

void persist_truncated(struct raft *core, raft_index from)
{
    size_t i;

    for (i = 0; i < core->pending_count; i++) {
        struct pending_write *write = pending_at(core, i);

        if (write->last_index >= from)
            write->last_index = from - 1;
    }
    if (core->durable >= from)
        core->durable = from - 1;
}

int persist_done(struct raft *core, uint64_t write_id,
                 struct raft_update *update)
{
    if (write_id <= core->write_done || write_id > core->write_last)
        return RAFT_EINVAL;
    core->write_done = write_id;
    while (core->pending_count > 0 && pending_at(core, 0)->id <= write_id) {
        raft_index last = pending_at(core, 0)->last_index;

        if (last > core->durable)
            core->durable = last;
        core->pending_start = (core->pending_start + 1) % core->pending_cap;
        core->pending_count--;
    }
    assert(core->durable <= log_last(&core->log));
    election_persisted(core, update);
    if (core->role == RAFT_LEADER)
        lead_advance_commit(core, update);
    else
        follow_persisted(core, update);
    return 0;
}

uint64_t persist_stall_due_ms(const struct raft *core)
{
    if (core->pending_count == 0)
        return UINT64_MAX;
    return pending_at(core, 0)->since_ms + core->election_ms;
}

bool persist_is_stalled(const struct raft *core)
{
    return core->now_ms >= persist_stall_due_ms(core);
}
