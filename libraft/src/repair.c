/*
 * The way back of a server that lost something it had promised: a damaged
 * entry, a tail that its side record knows of and its database does not show.
 * Its acknowledgements may have committed what it lost, so it must not vote
 * for anybody who lacks it; and it cannot tell what that was. A leader can:
 * whatever this server ever acknowledged and was committed is in the log of
 * the leader of a term at least as new as its own, for that leader was elected
 * without its vote, or before the loss (Leader Completeness, Raft 5.4.3), or
 * took the acknowledgement itself.
 *
 *   1. It tells leaders that it is `behind`, with a number for this life of
 *      it, and else does nothing. Its leader forgets what it knew of its log.
 *   2. The leader answers with that number and the end of its own log. Only
 *      now may the damaged tail be cut off, and not before that index is
 *      durably noted: until the log reaches it again in agreement with a
 *      leader's, it is no more than a non-voter, whatever the configuration
 *      says: it refuses votes, and its leader does not count its log.
 *   3. Then nothing that it promised is missing, and it counts again.
 *
 * A leader of another term may have a shorter log: the end of the first one's was
 * never agreed on. Then nothing but new entries brings the log to that index, and
 * where clients are silent the leader makes them, one a heartbeat.
 *
 * Numbers keep lives apart: a permit for another life of the server says
 * another number, and a leader disregards answers to rounds that began before
 * it heard of the loss. No change of membership takes part: it would need a
 * majority for what every server can tell by itself.
 */
#include "core_internal.h"

bool repair_is_whole(const struct raft *core)
{
    return core->behind == 0 && core->repair_until == 0;
}

/* ---- the one that comes back ---- */

void repair_report(struct raft *core, const char *leader_id, uint64_t round,
                   struct raft_update *update)
{
    struct raft_message *reply =
        update_after(core, update, RAFT_MESSAGE_APPEND_REPLY, leader_id);

    reply->u.append_reply.behind = core->behind;
    reply->u.append_reply.round = round;
}

bool repair_begin(struct raft *core, const struct raft_message *m,
                  struct raft_update *update)
{
    if (m->u.append.renew != core->behind)
        return false;
    core->behind = 0;
    core->repair_until = m->u.append.renew_index;
    update->set_repair = true;
    update->repair_until = core->repair_until;
    /* What the storage holds beyond what it could load, and the term and vote
     * that only its side record knew. */
    update->truncate_from = log_last(&core->log) + 1;
    update->set_vote = true;
    return true;
}

void repair_advance(struct raft *core, struct raft_update *update)
{
    raft_index have =
        core->verified < core->durable ? core->verified : core->durable;

    if (core->repair_until == 0 || have < core->repair_until)
        return;
    core->repair_until = 0;
    update->set_repair = true;
    update->repair_until = 0;
}

/* ---- its leader ---- */

void repair_heard(struct raft *core, struct progress *peer, uint64_t behind,
                  struct raft_update *update)
{
    if (peer->behind == behind)
        return; /* our permit is on its way; heartbeats repeat it */
    peer->behind = behind;
    peer->repairing = true;
    lead_probe_anew(core, peer);
    peer->valid_round = ++core->round;
    lead_heartbeat(core, peer, update);
}

void repair_returned(struct raft *core, struct progress *peer)
{
    peer->behind = 0;
    peer->probing = false;
    peer->valid_round = ++core->round;
}

bool repair_wants_entry(const struct raft *core, const struct progress *peer)
{
    raft_index last = log_last(&core->log);

    return peer->repairing && peer->behind == 0 && peer->match == last &&
           core->commit == last && !core->transfer_running;
}
