/*
 * A follower and its leader's appends (5.3): check that the logs agree just
 * before the new entries, drop what disagrees after, take what is new. It
 * acknowledges what is durable, so acks leave when the disk has answered, one
 * for all that it answered.
 */
#include <assert.h>

#include "core_internal.h"

void follow_ack(struct raft *core, struct raft_update *update)
{
    struct raft_message *reply;

    repair_advance(core, update);
    reply = update_after(core, update, RAFT_MESSAGE_APPEND_REPLY,
                         core->leader_id);
    reply->u.append_reply.repairing = !repair_is_whole(core);
    reply->u.append_reply.match =
        core->verified < core->durable ? core->verified : core->durable;
    reply->u.append_reply.round = core->ack_round;
    reply->u.append_reply.sent_ms = core->ack_sent_ms;
    core->ack_owed = core->verified > core->durable;
}

void follow_persisted(struct raft *core, struct raft_update *update)
{
    if (core->ack_owed && core->leader_id[0] != '\0')
        follow_ack(core, update);
}

void follow_reject_stale(struct raft *core, const struct raft_message *m,
                         struct raft_update *update)
{
    struct raft_message *reply =
        update_after(core, update, RAFT_MESSAGE_APPEND_REPLY, m->from);

    /* Our term is the message: a deposed leader steps down by it (5.1). */
    reply->u.append_reply.rejected = true;
}

/* Where the leader should look next, so that one answer skips a whole term
 * (end of 5.3). */
static void reject(struct raft *core, const struct raft_message *m,
                   struct raft_update *update)
{
    struct raft_message *reply =
        update_after(core, update, RAFT_MESSAGE_APPEND_REPLY, m->from);
    raft_index index = log_last(&core->log) + 1;
    raft_term term = 0;

    if (m->u.append.prev_index < index &&
        log_term_at(&core->log, m->u.append.prev_index, &term)) {
        index = log_first_of_term(&core->log, term);
        if (index <= core->commit)
            index = core->commit + 1; /* up to there logs cannot differ */
    }
    reply->u.append_reply.rejected = true;
    reply->u.append_reply.repairing = !repair_is_whole(core);
    reply->u.append_reply.prev_index = m->u.append.prev_index;
    reply->u.append_reply.conflict_index = index;
    reply->u.append_reply.conflict_term = term;
    reply->u.append_reply.round = m->u.append.round;
}

static void truncate(struct raft *core, raft_index from,
                     struct raft_update *update)
{
    /* Committed entries are shared history: dropping one is a broken replica,
     * not an error to report (State Machine Safety, 5.4.3). */
    assert(from > core->commit);
    log_truncate(&core->log, from);
    persist_truncated(core, from);
    membership_truncated(core, from, update);
    update->truncate_from = from;
}

/* Takes what is new; m's entries keep their references. */
static void take_entries(struct raft *core, const struct raft_message *m,
                         struct raft_update *update)
{
    size_t i;

    for (i = 0; i < m->u.append.entry_count; i++) {
        const struct raft_entry *entry = &m->u.append.entries[i];
        raft_term term;

        if (entry->index <= core->commit)
            continue;
        if (entry->index <= log_last(&core->log)) {
            if (log_term_at(&core->log, entry->index, &term) &&
                term == entry->term)
                continue;
            truncate(core, entry->index, update);
        }
        raft_data_ref(entry->data);
        log_append(&core->log, entry);
        update_entry(update, entry);
        /* A configuration counts from the log on, not from commit (4.1). */
        if (entry->type == RAFT_ENTRY_CONFIGURATION)
            membership_entry(core, entry, update);
    }
}

/* A leader of this very term would contradict history: no honest one does. */
static bool contradicts_committed(const struct raft *core,
                                  const struct raft_message *m)
{
    raft_term term;
    size_t i;

    if (m->u.append.prev_index <= core->commit &&
        log_term_at(&core->log, m->u.append.prev_index, &term) &&
        term != m->u.append.prev_term)
        return true;
    for (i = 0; i < m->u.append.entry_count; i++) {
        const struct raft_entry *entry = &m->u.append.entries[i];

        if (entry->index > core->commit)
            break;
        if (log_term_at(&core->log, entry->index, &term) &&
            term != entry->term)
            return true;
    }
    return false;
}

static bool logs_agree_at(const struct raft *core, const struct raft_message *m)
{
    raft_term term;

    if (m->u.append.prev_index < core->log.base)
        return true; /* committed, and in our snapshot */
    return log_term_at(&core->log, m->u.append.prev_index, &term) &&
           term == m->u.append.prev_term;
}

int follow_append(struct raft *core, struct raft_message *m,
                  struct raft_update *update)
{
    raft_index end = m->u.append.prev_index + m->u.append.entry_count;

    if (core->role == RAFT_LEADER || contradicts_committed(core, m))
        return RAFT_EINVAL;
    become_follower(core, core->term, m->from, update);
    core->leader_heard = true;
    core->leader_heard_ms = core->now_ms;
    election_reset_timer(core);
    if (core->behind != 0 && !repair_begin(core, m, update)) {
        repair_report(core, m->from, m->u.append.round, update);
        return 0;
    }
    if (m->u.append.round > core->ack_round)
        core->ack_round = m->u.append.round;
    if (core->lease_ms != 0 && m->u.append.sent_ms > core->ack_sent_ms)
        core->ack_sent_ms = m->u.append.sent_ms;
    if (!logs_agree_at(core, m)) {
        reject(core, m, update);
        return 0;
    }
    take_entries(core, m, update);
    if (end < core->commit)
        end = core->commit; /* a later leader has all that is committed */
    if (end > log_last(&core->log))
        end = log_last(&core->log);
    if (end > core->verified)
        core->verified = end;
    if (m->u.append.commit > core->commit)
        core->commit = m->u.append.commit < core->verified
                           ? m->u.append.commit
                           : core->verified;
    /* Without news for the disk the ack need not wait; with, it is sent when
     * the disk has answered. */
    if (core->verified <= core->durable || m->u.append.entry_count == 0)
        follow_ack(core, update);
    else
        core->ack_owed = true;
    return 0;
}
