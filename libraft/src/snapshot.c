/*
 * Snapshots, as far as the core goes: the log forgets what one holds (section
 * 7), a follower that needs what was forgotten is sent one in chunks, a window
 * of them on their way at a time. Chunks go from storage to storage past the core,
 * which decides only whom they come from and what they change.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "core_internal.h"

static void forget_configurations(struct raft *core, raft_index upto)
{
    size_t drop = 0;

    while (drop + 1 < core->configuration_count &&
           core->configurations[drop + 1].index <= upto)
        drop++;
    core->configuration_count -= drop;
    memmove(core->configurations, core->configurations + drop,
            core->configuration_count * sizeof(*core->configurations));
}

int snapshot_taken(struct raft *core, const struct raft_event *event,
                   struct raft_update *update)
{
    raft_index keep = event->u.snapshot.keep_after;

    (void)update;
    if (event->u.snapshot.index > raft_apply_index(core))
        return RAFT_EINVAL;
    if (event->u.snapshot.index <= core->snapshot_index)
        return 0;
    core->snapshot_index = event->u.snapshot.index;
    core->snapshot_term = event->u.snapshot.term;
    if (keep > event->u.snapshot.index)
        keep = event->u.snapshot.index;
    if (keep > core->log.base)
        log_compact(&core->log, keep);
    forget_configurations(core, event->u.snapshot.index);
    return 0;
}

int snapshot_chunk(struct raft *core, const struct raft_message *m,
                   struct raft_update *update)
{
    struct raft_message *reply;

    if (core->role == RAFT_LEADER)
        return RAFT_EINVAL;
    become_follower(core, core->term, m->from, update);
    core->leader_heard = true;
    core->leader_heard_ms = core->now_ms;
    election_reset_timer(core);
    if (core->behind != 0) {
        repair_report(core, m->from, m->u.snapshot.round, update);
        return 0;
    }
    if (m->u.snapshot.index > core->commit) {
        update->snapshot_chunk = true;
        return 0;
    }
    /* We have all that it holds. */
    reply = update_after(core, update, RAFT_MESSAGE_SNAPSHOT_REPLY, m->from);
    reply->u.snapshot_reply.index = m->u.snapshot.index;
    reply->u.snapshot_reply.done = true;
    reply->u.snapshot_reply.round = m->u.snapshot.round;
    return 0;
}

/* The snapshot's configuration, then those of the entries kept after it. */
static void replace_configurations(struct raft *core,
                                   const struct raft_event *event,
                                   struct raft_update *update)
{
    struct configuration_at *old = core->configurations;
    size_t count = core->configuration_count;
    size_t i;

    core->configurations = NULL;
    core->configuration_count = 0;
    core->configuration_cap = 0;
    membership_push(core, event->u.snapshot.configuration_index,
                    event->u.snapshot.configuration, update);
    for (i = 0; i < count; i++) {
        if (old[i].index > event->u.snapshot.index &&
            old[i].index <= log_last(&core->log))
            membership_push(core, old[i].index, &old[i].configuration, update);
    }
    base_free(old);
}

int snapshot_installed(struct raft *core, const struct raft_event *event,
                       struct raft_update *update)
{
    raft_index index = event->u.snapshot.index;
    raft_term term;

    if (index <= core->commit)
        return 0; /* appends were faster */
    assert(core->role != RAFT_LEADER);
    if (log_term_at(&core->log, index, &term) &&
        term == event->u.snapshot.term) {
        log_compact(&core->log, index);
    } else {
        /* Section 7: all of the old log is superseded. What a write under way
         * may put behind the snapshot on the disk must go again. */
        log_reset(&core->log, index, event->u.snapshot.term);
        persist_truncated(core, index + 1);
        update->truncate_from = index + 1;
        if (core->verified > index)
            core->verified = index;
    }
    replace_configurations(core, event, update);
    core->snapshot_index = index;
    core->snapshot_term = event->u.snapshot.term;
    core->commit = index;
    if (core->durable < index)
        core->durable = index;
    if (core->verified < index)
        core->verified = index;
    repair_advance(core, update);
    return 0;
}

void snapshot_ask(struct raft *core, struct progress *peer,
                  struct raft_update *update)
{
    /* The first one alone: its answer says where to go on. */
    uint64_t window = peer->snapshot_offset == 0 ? 1 : RAFT_SNAPSHOT_WINDOW;
    uint64_t end =
        peer->snapshot_offset + window * (uint64_t)RAFT_SNAPSHOT_CHUNK_MAX;

    while (peer->snapshot_sent < end)
        update_want(core, update, peer);
}

static void snapshot_went_on(struct raft *core, struct progress *peer,
                             uint64_t offset, struct raft_update *update)
{
    if (offset > peer->snapshot_offset)
        peer->moved_ms = core->now_ms;
    /* It begins anew, or has more of it than we sent. */
    if (offset < peer->snapshot_offset || offset > peer->snapshot_sent)
        peer->snapshot_sent = offset;
    peer->snapshot_offset = offset;
    snapshot_ask(core, peer, update);
}

int snapshot_reply(struct raft *core, const struct raft_message *m,
                   struct raft_update *update)
{
    struct progress *peer = lead_peer(core, m->from);
    char id[RAFT_ID_MAX];

    if (core->role != RAFT_LEADER || peer == NULL)
        return 0;
    if (m->u.snapshot_reply.round > core->round ||
        (m->u.snapshot_reply.done &&
         m->u.snapshot_reply.index > log_last(&core->log)))
        return RAFT_EINVAL;
    if (m->u.snapshot_reply.round < peer->valid_round)
        return 0; /* of an earlier life */
    memcpy(id, peer->id, sizeof(id));
    lead_heard(core, peer, m->u.snapshot_reply.round, update);
    if (peer->state != PROGRESS_SNAPSHOT)
        return 0; /* late */
    if (!m->u.snapshot_reply.done) {
        snapshot_went_on(core, peer, m->u.snapshot_reply.offset, update);
        return 0;
    }
    lead_matched(core, peer, m->u.snapshot_reply.index, update);
    if (core->role == RAFT_LEADER)
        lead_replicate(core, update);
    return 0;
}
