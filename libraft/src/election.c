/*
 * Who leads. A server that hears no leader first asks whether it could win
 * (pre-vote, thesis 9.6), so that one cut off and back raises nobody's term;
 * then it raises its own, votes for itself and asks for votes (5.2). Votes are
 * refused to who would disturb a live leader (4.2.3), and to who lacks entries
 * that may be committed (5.4.1).
 */
#include <assert.h>
#include <string.h>

#include "core_internal.h"

void election_reset_timer(struct raft *core)
{
    /* Randomised, so that split votes are rare and soon over (5.2). */
    core->election_due_ms = core->now_ms + core->election_ms +
                            core_random_below(core, core->election_ms);
}

void election_set_term(struct raft *core, raft_term term,
                       struct raft_update *update)
{
    assert(term > core->term);
    core->term = term;
    memset(core->voted_for, 0, sizeof(core->voted_for));
    update->set_vote = true;
    update->state_changed = true;
}

static void set_leader(struct raft *core, const char *leader_id,
                       struct raft_update *update)
{
    if (id_equal(core->leader_id, leader_id))
        return;
    text_copy(core->leader_id, sizeof(core->leader_id), leader_id);
    update->state_changed = true;
}

void become_follower(struct raft *core, raft_term term, const char *leader_id,
                     struct raft_update *update)
{
    if (core->role == RAFT_LEADER)
        lead_end(core, term > core->term, update);
    if (term > core->term) {
        election_set_term(core, term, update);
        core->verified = 0;
        core->ack_owed = false;
        core->ack_round = 0;
        core->ack_sent_ms = 0;
    }
    if (core->role != RAFT_FOLLOWER) {
        core->role = RAFT_FOLLOWER;
        core->verified = 0;
        core->ack_owed = false;
        core->ack_round = 0;
        core->ack_sent_ms = 0;
        update->state_changed = true;
        election_reset_timer(core);
    }
    set_leader(core, leader_id, update);
}

bool election_is_sticky(const struct raft *core)
{
    if (core->role == RAFT_LEADER)
        return true; /* check-quorum removes one that nobody hears */
    if (core->now_ms < core->quiet_until_ms)
        return true;
    /* With leases it is a promise, whatever became of that leader since. */
    return core->leader_heard &&
           (core->lease_ms != 0 || core->leader_id[0] != '\0') &&
           core->now_ms < core->leader_heard_ms + core->election_ms;
}

/* ---- asking ---- */

static void grant(struct raft *core, const char *id)
{
    uint32_t i;

    for (i = 0; i < core->granted_count; i++) {
        if (id_equal(core->granted[i], id))
            return;
    }
    if (core->granted_count < RAFT_SERVERS_MAX)
        text_copy(core->granted[core->granted_count++], RAFT_ID_MAX, id);
}

static bool has_majority(const struct raft *core)
{
    const struct raft_configuration *configuration = core_configuration(core);
    uint32_t votes = 0;
    uint32_t i;

    for (i = 0; i < core->granted_count; i++)
        votes += configuration_is_voter(configuration, core->granted[i]);
    return votes > configuration_voter_count(configuration) / 2;
}

static void ask_everyone(struct raft *core, struct raft_update *update)
{
    const struct raft_configuration *configuration = core_configuration(core);
    uint32_t i;

    for (i = 0; i < configuration->server_count; i++) {
        const struct raft_server *server = &configuration->servers[i];
        struct raft_message *m;

        if (server->suffrage != RAFT_VOTER || id_equal(server->id, core->id))
            continue;
        /* A pre-vote promises nothing and need not wait for the disk. */
        if (core->pre_vote)
            m = update_now(core, update, RAFT_MESSAGE_VOTE_REQUEST,
                           server->id);
        else
            m = update_after(core, update, RAFT_MESSAGE_VOTE_REQUEST,
                             server->id);
        if (core->pre_vote)
            m->term = core->term + 1;
        m->u.vote.pre = core->pre_vote;
        m->u.vote.transfer = core->transfer_election;
        m->u.vote.last_index = log_last(&core->log);
        m->u.vote.last_term = log_last_term(&core->log);
    }
}

void election_start(struct raft *core, bool pre, bool transfer,
                    struct raft_update *update)
{
    assert(core->role != RAFT_LEADER);
    assert(core_may_campaign(core));
    core->role = RAFT_CANDIDATE;
    core->pre_vote = pre;
    core->transfer_election = transfer;
    core->granted_count = 0;
    set_leader(core, "", update);
    update->state_changed = true;
    election_reset_timer(core);
    if (!pre) {
        election_set_term(core, core->term + 1, update);
        text_copy(core->voted_for, sizeof(core->voted_for), core->id);
        core->campaign_write = core->write_last + 1;
        ask_everyone(core, update);
        return; /* our own vote counts once it is durable */
    }
    grant(core, core->id);
    if (has_majority(core))
        election_start(core, false, false, update);
    else
        ask_everyone(core, update);
}

void election_persisted(struct raft *core, struct raft_update *update)
{
    if (core->role != RAFT_CANDIDATE || core->pre_vote ||
        core->write_done < core->campaign_write)
        return;
    grant(core, core->id);
    if (has_majority(core))
        lead_begin(core, update);
}

void election_tick(struct raft *core, struct raft_update *update)
{
    if (core->now_ms < core->election_due_ms)
        return;
    if (!core_may_campaign(core) || !repair_is_whole(core) ||
        persist_is_stalled(core)) {
        /* Who may not lead, or whose disk does not answer, does not ask; but
         * it no longer vouches for a leader that it does not hear. */
        if (core->role == RAFT_CANDIDATE)
            become_follower(core, core->term, "", update);
        set_leader(core, "", update);
        election_reset_timer(core);
        return;
    }
    election_start(core, true, false, update);
}

/* ---- answering ---- */

/* 5.4.1: the later last term wins, then the longer log. */
static bool log_is_up_to_date(const struct raft *core,
                              const struct raft_message *m)
{
    raft_term term = log_last_term(&core->log);

    if (m->u.vote.last_term != term)
        return m->u.vote.last_term > term;
    return m->u.vote.last_index >= log_last(&core->log);
}

static bool may_grant(const struct raft *core, const struct raft_message *m)
{
    if (!repair_is_whole(core) || m->term < core->term)
        return false;
    if (!log_is_up_to_date(core, m))
        return false;
    if (m->u.vote.pre && m->term > core->term)
        return true;
    /* One vote a term, first come first served (5.2). */
    if (core->voted_for[0] != '\0')
        return id_equal(core->voted_for, m->from);
    return core->leader_id[0] == '\0';
}

static void answer(struct raft *core, const struct raft_message *m,
                   bool granted, struct raft_update *update)
{
    struct raft_message *reply =
        update_after(core, update, RAFT_MESSAGE_VOTE_REPLY, m->from);

    reply->u.vote_reply.pre = m->u.vote.pre;
    reply->u.vote_reply.granted = granted;
    if (granted)
        reply->term = m->term; /* a pre-vote's is still nobody's */
}

void election_vote_request(struct raft *core, const struct raft_message *m,
                           struct raft_update *update)
{
    bool granted;

    if (!m->u.vote.transfer && election_is_sticky(core)) {
        /* 4.2.3: not even its term is looked at. */
        answer(core, m, false, update);
        return;
    }
    if (m->term > core->term && !m->u.vote.pre)
        become_follower(core, m->term, "", update);
    granted = may_grant(core, m);
    if (granted && !m->u.vote.pre) {
        /* One who only asked around has not voted yet, and may. */
        if (core->role == RAFT_CANDIDATE)
            become_follower(core, core->term, "", update);
        assert(core->role == RAFT_FOLLOWER);
        if (!id_equal(core->voted_for, m->from)) {
            text_copy(core->voted_for, sizeof(core->voted_for), m->from);
            update->set_vote = true;
        }
        election_reset_timer(core);
    }
    answer(core, m, granted, update);
}

void election_vote_reply(struct raft *core, const struct raft_message *m,
                         struct raft_update *update)
{
    raft_term asked = core->term + (core->pre_vote ? 1 : 0);

    if (core->role != RAFT_CANDIDATE ||
        m->u.vote_reply.pre != core->pre_vote || m->term != asked ||
        !m->u.vote_reply.granted)
        return;
    grant(core, m->from);
    if (!has_majority(core))
        return;
    if (core->pre_vote) {
        election_start(core, false, false, update);
        return;
    }
    /* Others may answer before our own disk does; without our own vote
     * durable we could vote again after a crash, for somebody else. */
    if (core->write_done >= core->campaign_write)
        lead_begin(core, update);
}
