/*
 * What a leader does: takes proposals into its log, keeps every follower's log
 * growing towards its own (5.3), and finds out what is committed (5.4.2).
 *
 * Appends run ahead of acks, within a window a follower, and leave before our
 * own disk has the entries (thesis 10.2.1): we count ourselves only up to what
 * is durable. A leader that no majority answers, or whose own disk does not,
 * steps down: somebody else may do better.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "core_internal.h"
#include "entry.h"

struct progress *lead_peer(const struct raft *core, const char *id)
{
    uint32_t i;

    for (i = 0; i < core->peer_count; i++) {
        if (id_equal(core->peers[i].id, id))
            return &core->peers[i];
    }
    return NULL;
}

static void peer_init(const struct raft *core, struct progress *peer,
                      const struct raft_server *server)
{
    memset(peer, 0, sizeof(*peer));
    memcpy(peer->id, server->id, sizeof(peer->id));
    peer->next = log_last(&core->log) + 1;
    peer->heard_ms = core->now_ms;
    peer->moved_ms = core->now_ms;
}

void lead_set_peers(struct raft *core)
{
    const struct raft_configuration *configuration = core_configuration(core);
    struct progress *peers =
        base_calloc(RAFT_SERVERS_MAX, sizeof(*peers));
    uint32_t count = 0;
    uint32_t i;

    for (i = 0; i < configuration->server_count; i++) {
        const struct raft_server *server = &configuration->servers[i];
        const struct progress *known = lead_peer(core, server->id);

        if (id_equal(server->id, core->id))
            continue;
        if (known != NULL)
            peers[count] = *known;
        else
            peer_init(core, &peers[count], server);
        peers[count].voter = server->suffrage == RAFT_VOTER;
        count++;
    }
    base_free(core->peers);
    core->peers = peers;
    core->peer_count = count;
}

/* ---- windows ---- */

static bool window_is_full(const struct progress *peer)
{
    return peer->inflight_count == RAFT_INFLIGHT_MAX ||
           peer->inflight_bytes >= RAFT_INFLIGHT_BYTES_MAX;
}

static void window_add(struct progress *peer, raft_index last, size_t bytes)
{
    uint32_t at;

    assert(peer->inflight_count < RAFT_INFLIGHT_MAX);
    at = (peer->inflight_start + peer->inflight_count) % RAFT_INFLIGHT_MAX;
    peer->inflight[at].last = last;
    peer->inflight[at].bytes = (uint32_t)bytes;
    peer->inflight_count++;
    peer->inflight_bytes += (uint32_t)bytes;
}

static void window_free(struct progress *peer, raft_index match)
{
    while (peer->inflight_count > 0 &&
           peer->inflight[peer->inflight_start].last <= match) {
        peer->inflight_bytes -= peer->inflight[peer->inflight_start].bytes;
        peer->inflight_start =
            (peer->inflight_start + 1) % RAFT_INFLIGHT_MAX;
        peer->inflight_count--;
    }
}

static void set_state(struct progress *peer, enum progress_state state)
{
    peer->state = state;
    peer->probing = false;
    peer->inflight_start = 0;
    peer->inflight_count = 0;
    peer->inflight_bytes = 0;
}

/* ---- sending ---- */

/* An append that follows the one before peer->next; what it carries is the
 * caller's to fill in. */
static struct raft_message *begin_append(struct raft *core,
                                         struct progress *peer,
                                         struct raft_update *update)
{
    struct raft_message *m =
        update_now(core, update, RAFT_MESSAGE_APPEND, peer->id);
    raft_index prev = peer->next - 1;

    if (peer->state == PROGRESS_SNAPSHOT || peer->behind != 0)
        prev = 0; /* only to be heard: everybody agrees on nothing */
    else if (!log_term_at(&core->log, prev, &m->u.append.prev_term))
        assert(false);
    m->u.append.prev_index = prev;
    m->u.append.commit = core->commit;
    m->u.append.round = core->round;
    if (peer->behind != 0) {
        m->u.append.renew = peer->behind;
        m->u.append.renew_index = log_last(&core->log);
    }
    if (core->lease_ms != 0)
        m->u.append.sent_ms = core->now_ms;
    peer->sent_ms = core->now_ms;
    peer->commit_sent = core->commit;
    return m;
}

static void carry(struct raft_message *m, const struct raft_entry *entry)
{
    m->u.append.entries[m->u.append.entry_count++] = *entry;
    raft_data_ref(entry->data);
}

static void sent(struct progress *peer, size_t count, size_t bytes)
{
    if (peer->state == PROGRESS_REPLICATE && count > 0) {
        window_add(peer, peer->next + count - 1, bytes);
        peer->next += count;
    } else if (peer->state == PROGRESS_PROBE) {
        peer->probing = true;
    }
}

/* What this many bytes of entries from peer->next on make: at least one entry,
 * if limit is not 0 and it is in memory. */
static void send_append(struct raft *core, struct progress *peer, size_t limit,
                        struct raft_update *update)
{
    struct raft_message *m = begin_append(core, peer, update);
    raft_index at = peer->next;
    size_t bytes = 0;
    size_t count = 0;
    size_t i;

    if (peer->next <= core->log.forgotten)
        limit = 0;
    while (limit > 0 && at <= log_last(&core->log)) {
        size_t more = entry_packed_len(log_at(&core->log, at));

        if (count > 0 && bytes + more > limit)
            break;
        bytes += more;
        count++;
        at++;
    }
    if (count > 0) {
        m->u.append.entries =
            base_reallocarray(NULL, count, sizeof(struct raft_entry));
        for (i = 0; i < count; i++)
            carry(m, log_at(&core->log, peer->next + i));
    }
    sent(peer, count, bytes);
}

/* What it needs may have been compacted away. */
static bool needs_snapshot(const struct raft *core, const struct progress *peer)
{
    return peer->next <= core->log.base;
}

static void replicate_to(struct raft *core, struct progress *peer,
                         struct raft_update *update)
{
    if (peer->state == PROGRESS_SNAPSHOT || peer->behind != 0)
        return;
    if (needs_snapshot(core, peer)) {
        set_state(peer, PROGRESS_SNAPSHOT);
        peer->snapshot_offset = 0;
        peer->snapshot_sent = 0;
        snapshot_ask(core, peer, update);
        return;
    }
    if (peer->state == PROGRESS_PROBE) {
        if (!peer->probing)
            send_append(core, peer, PROBE_BYTES_MAX, update);
        return;
    }
    while (peer->next <= log_last(&core->log) && !window_is_full(peer)) {
        if (peer->next <= core->log.forgotten) {
            if (!peer->reading)
                update_fetch(core, update, peer);
            return;
        }
        send_append(core, peer,
                    RAFT_APPEND_BYTES_MAX - RAFT_ENTRY_BYTES_MAX, update);
    }
}

/* As many of the entries as are still the log's, and next for the peer. */
static size_t wanted(const struct raft *core, const struct progress *peer,
                     const struct raft_entry *entries, size_t count,
                     size_t *bytes)
{
    raft_term term;
    size_t i;

    *bytes = 0;
    if (peer->state != PROGRESS_REPLICATE || peer->behind != 0 ||
        window_is_full(peer))
        return 0;
    for (i = 0; i < count; i++) {
        if (entries[i].index != peer->next + i ||
            !log_term_at(&core->log, entries[i].index, &term) ||
            term != entries[i].term)
            break;
        *bytes += entry_packed_len(&entries[i]);
    }
    return i;
}

void lead_entries_read(struct raft *core, const struct raft_event *event,
                       struct raft_update *update)
{
    const struct raft_entries_want *want = event->u.read.want;
    struct progress *peer = lead_peer(core, want->to);
    struct raft_message *m;
    size_t count, bytes, i;

    if (core->role != RAFT_LEADER || core->term != want->term || peer == NULL)
        return;
    peer->reading = false;
    count = wanted(core, peer, event->u.read.entries, event->u.read.count,
                   &bytes);
    if (count == 0)
        return; /* a heartbeat asks again, if it must */
    m = begin_append(core, peer, update);
    m->u.append.entries =
        base_reallocarray(NULL, count, sizeof(struct raft_entry));
    for (i = 0; i < count; i++)
        carry(m, &event->u.read.entries[i]);
    sent(peer, count, bytes);
    replicate_to(core, peer, update); /* the next piece, while this one goes */
}

void lead_replicate(struct raft *core, struct raft_update *update)
{
    uint32_t i;

    for (i = 0; i < core->peer_count; i++)
        replicate_to(core, &core->peers[i], update);
}

void lead_heartbeat(struct raft *core, struct progress *peer,
                    struct raft_update *update)
{
    if (peer->behind != 0) {
        send_append(core, peer, 0, update);
        return;
    }
    if (peer->state == PROGRESS_SNAPSHOT) {
        send_append(core, peer, 0, update);
        /* A chunk or its answer got lost: ask for it again. */
        if (core->now_ms >= peer->snapshot_asked_ms + core->election_ms) {
            peer->snapshot_sent = peer->snapshot_offset;
            update_want(core, update, peer);
        }
        return;
    }
    if (needs_snapshot(core, peer)) {
        replicate_to(core, peer, update);
        return;
    }
    send_append(core, peer, 0, update);
    if (peer->state == PROGRESS_REPLICATE &&
        peer->next <= core->log.forgotten)
        replicate_to(core, peer, update); /* a reading may have failed */
}

void lead_heartbeat_all(struct raft *core, struct raft_update *update)
{
    uint32_t i;

    for (i = 0; i < core->peer_count; i++)
        lead_heartbeat(core, &core->peers[i], update);
}

void lead_probe_anew(struct raft *core, struct progress *peer)
{
    set_state(peer, PROGRESS_PROBE);
    peer->match = 0;
    peer->next = log_last(&core->log) + 1;
}

/* ---- beginning and ending ---- */

static void append_noop(struct raft *core, struct raft_update *update)
{
    struct raft_entry noop = {.type = RAFT_ENTRY_NOOP,
                              .data = raft_data_new(0)};

    lead_append(core, &noop, update);
    lead_replicate(core, update);
}

void lead_begin(struct raft *core, struct raft_update *update)
{
    uint32_t i;

    assert(core->role == RAFT_CANDIDATE);
    assert(core->write_done >= core->write_vote);
    core->role = RAFT_LEADER;
    text_copy(core->leader_id, sizeof(core->leader_id), core->id);
    update->state_changed = true;
    core->round = 0;
    core->round_running = false;
    core->lease_broken = false;
    base_free(core->peers);
    core->peers = NULL;
    core->peer_count = 0;
    lead_set_peers(core);
    for (i = 0; i < core->peer_count; i++)
        set_state(&core->peers[i], PROGRESS_PROBE);
    /* Entries of old terms are committed by counting only below one of ours
     * (5.4.2): have one at once. Its arrival also tells followers. */
    core->term_start = log_last(&core->log) + 1;
    append_noop(core, update);
}

void lead_end(struct raft *core, bool outvoted, struct raft_update *update)
{
    read_end(core, update);
    membership_end(core, RAFT_ELOST, update);
    /* A newer term is how the target's election reaches us. */
    transfer_end(core, outvoted ? 0 : RAFT_ELOST, update);
    update->lost_leadership = true;
    base_free(core->peers);
    core->peers = NULL;
    core->peer_count = 0;
}

/* ---- proposals ---- */

void lead_append(struct raft *core, struct raft_entry *entry,
                 struct raft_update *update)
{
    entry->term = core->term;
    entry->index = log_last(&core->log) + 1;
    entry->checksum = entry_checksum(entry);
    log_append(&core->log, entry);
    update_entry(update, entry);
    if (entry->type == RAFT_ENTRY_CONFIGURATION)
        membership_entry(core, entry, update);
}

int lead_propose(struct raft *core, struct raft_event *event,
                 struct raft_update *update)
{
    size_t i;

    if (core->role != RAFT_LEADER)
        return RAFT_ENOTLEADER;
    if (core->transfer_running)
        return RAFT_EBUSY; /* thesis 3.10: let the target catch up */
    for (i = 0; i < event->u.propose.count; i++) {
        if (event->u.propose.entries[i].len > RAFT_ENTRY_BYTES_MAX)
            return RAFT_EINVAL;
    }
    event->u.propose.first = log_last(&core->log) + 1;
    for (i = 0; i < event->u.propose.count; i++)
        lead_append(core, &event->u.propose.entries[i], update);
    lead_replicate(core, update);
    return 0;
}

/* ---- commit ---- */

/* The highest index that a majority of voters has durably, ourselves counted
 * up to our own disk, and only if we are a voter (4.2.2). */
static raft_index majority_match(const struct raft *core)
{
    raft_index matches[RAFT_SERVERS_MAX];
    uint32_t count = 0;
    uint32_t i, j;

    if (core_is_voter(core))
        matches[count++] = core->durable;
    for (i = 0; i < core->peer_count; i++) {
        if (core->peers[i].voter)
            matches[count++] =
                core->peers[i].repairing ? 0 : core->peers[i].match;
    }
    if (count == 0)
        return 0;
    for (i = 1; i < count; i++) {
        raft_index value = matches[i];

        for (j = i; j > 0 && matches[j - 1] < value; j--)
            matches[j] = matches[j - 1];
        matches[j] = value;
    }
    return matches[count / 2]; /* descending: this one and all before it */
}

void lead_advance_commit(struct raft *core, struct raft_update *update)
{
    raft_index index = majority_match(core);
    raft_term term;

    /* 5.4.2: only an entry of our own term is committed by counting. */
    if (index > core->commit && log_term_at(&core->log, index, &term) &&
        term == core->term) {
        core->commit = index;
        read_advance(core, update);
    }
    membership_advance(core, update);
}

/* ---- answers ---- */

static bool majority_heard(const struct raft *core)
{
    uint32_t voters = 0;
    uint32_t heard = 0;
    uint32_t i;

    if (core_is_voter(core)) {
        voters++;
        heard++;
    }
    for (i = 0; i < core->peer_count; i++) {
        if (!core->peers[i].voter)
            continue;
        voters++;
        heard += core->now_ms < core->peers[i].heard_ms + core->election_ms;
    }
    return heard > voters / 2;
}

void lead_heard(struct raft *core, struct progress *peer, uint64_t round,
                struct raft_update *update)
{
    peer->heard_ms = core->now_ms;
    if (round > peer->round) {
        peer->round = round;
        read_advance(core, update);
    }
}

void lead_matched(struct raft *core, struct progress *peer, raft_index match,
                  struct raft_update *update)
{
    if (match > peer->match) {
        peer->match = match;
        peer->moved_ms = core->now_ms;
    }
    if (peer->next <= peer->match)
        peer->next = peer->match + 1;
    window_free(peer, peer->match);
    if (peer->state == PROGRESS_SNAPSHOT && !needs_snapshot(core, peer))
        set_state(peer, PROGRESS_PROBE);
    lead_advance_commit(core, update);
}

/* The follower's log does not have, or has something else at, prev_index. */
static void step_back(struct raft *core, struct progress *peer,
                      const struct raft_message *m)
{
    raft_index hint = m->u.append_reply.conflict_index;
    raft_term term = m->u.append_reply.conflict_term;

    if (m->u.append_reply.prev_index <= peer->match)
        return; /* an answer from before it agreed */
    if (peer->state == PROGRESS_PROBE &&
        m->u.append_reply.prev_index != peer->next - 1)
        return; /* to an earlier probe */
    if (term != 0) {
        /* If we have that term too, its end here is where to look. */
        raft_index ours = log_first_of_term(&core->log, term + 1);
        raft_term found;

        if (ours > hint && log_term_at(&core->log, ours - 1, &found) &&
            found == term)
            hint = ours;
    }
    if (hint > m->u.append_reply.prev_index)
        hint = m->u.append_reply.prev_index;
    if (hint <= peer->match)
        hint = peer->match + 1;
    set_state(peer, PROGRESS_PROBE);
    peer->next = hint;
}

int lead_append_reply(struct raft *core, const struct raft_message *m,
                      struct raft_update *update)
{
    struct progress *peer = lead_peer(core, m->from);
    char id[RAFT_ID_MAX];

    if (core->role != RAFT_LEADER || peer == NULL)
        return 0; /* late */
    if (m->u.append_reply.match > log_last(&core->log) ||
        m->u.append_reply.round > core->round ||
        m->u.append_reply.sent_ms > core->now_ms)
        return RAFT_EINVAL;
    if (m->u.append_reply.round < peer->valid_round)
        return 0; /* of an earlier life (repair.c) */
    memcpy(id, peer->id, sizeof(id));
    lead_heard(core, peer, m->u.append_reply.round, update);
    if (m->u.append_reply.behind != 0) {
        repair_heard(core, peer, m->u.append_reply.behind, update);
        return 0;
    }
    if (peer->behind != 0)
        repair_returned(core, peer);
    peer->repairing = m->u.append_reply.repairing;
    if (m->u.append_reply.sent_ms > peer->lease_ms)
        peer->lease_ms = m->u.append_reply.sent_ms;
    if (m->u.append_reply.rejected) {
        step_back(core, peer, m);
    } else {
        /* The first agreement ends probing; but an ack of a heartbeat to one
         * who gets a snapshot says only what it said before. */
        bool agreed = peer->state == PROGRESS_PROBE &&
                      m->u.append_reply.match + 1 >= peer->next;

        lead_matched(core, peer, m->u.append_reply.match, update);
        peer = core->role == RAFT_LEADER ? lead_peer(core, id) : NULL;
        if (peer != NULL && peer->state == PROGRESS_PROBE) {
            if (agreed)
                set_state(peer, PROGRESS_REPLICATE);
        }
    }
    if (peer != NULL) {
        replicate_to(core, peer, update);
        transfer_advance(core, update);
    }
    return 0;
}

/* ---- time ---- */

static uint64_t peer_due_ms(const struct raft *core,
                            const struct progress *peer)
{
    uint64_t due = peer->sent_ms + core->heartbeat_ms;

    if (peer->state == PROGRESS_REPLICATE && peer->inflight_count == 0 &&
        peer->commit_sent < core->commit &&
        peer->sent_ms + COMMIT_NOTICE_MS < due)
        due = peer->sent_ms + COMMIT_NOTICE_MS;
    return due;
}

uint64_t lead_due_ms(const struct raft *core)
{
    uint64_t due = persist_stall_due_ms(core);
    uint32_t i;

    for (i = 0; i < core->peer_count; i++) {
        const struct progress *peer = &core->peers[i];
        uint64_t other = peer_due_ms(core, peer);
        uint64_t lost = peer->heard_ms + core->election_ms;

        if (other < due)
            due = other;
        if (lost > core->now_ms && lost < due)
            due = lost;
    }
    if (core->transfer_running && core->transfer_due_ms < due)
        due = core->transfer_due_ms;
    return due;
}

void lead_tick(struct raft *core, struct raft_update *update)
{
    uint32_t i;

    /* Check-quorum (thesis 6.2): clients of a leader cut off must not wait. A
     * disk that does not answer is no better than a network that does not. */
    if (!majority_heard(core) || persist_is_stalled(core)) {
        become_follower(core, core->term, "", update);
        return;
    }
    if (core->transfer_running && core->now_ms >= core->transfer_due_ms)
        transfer_end(core, RAFT_ETIMEOUT, update);
    for (i = 0; i < core->peer_count; i++) {
        struct progress *peer = &core->peers[i];

        if (core->now_ms < peer_due_ms(core, peer))
            continue;
        peer->probing = false;
        if (repair_wants_entry(core, peer))
            append_noop(core, update);
        lead_heartbeat(core, peer, update);
    }
    membership_advance(core, update);
}
