/*
 * Who is in the cluster. The newest configuration of the log is in force from
 * appending on (thesis 4.1); truncation brings the one before back. Changes go
 * one server at a time: any majority of the old configuration and any of the
 * new one then share a server. That holds only if the old configuration is
 * itself committed and a leader has committed an entry of its own term before
 * its first change (Ongaro's correction of 2015 to thesis 4.1); both are
 * checked here.
 *
 * A new voter first joins without a vote and catches up in rounds (4.2.1).
 * Leadership transfer (3.10) lives here too: it is the other wish of an
 * operator.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "core_internal.h"
#include "entry.h"

/* ---- configurations of the log ---- */

const struct raft_configuration *core_configuration(const struct raft *core)
{
    static const struct raft_configuration none;

    if (core->configuration_count == 0)
        return &none;
    return &core->configurations[core->configuration_count - 1].configuration;
}

static raft_index configuration_index(const struct raft *core)
{
    if (core->configuration_count == 0)
        return 0;
    return core->configurations[core->configuration_count - 1].index;
}

bool core_is_voter(const struct raft *core)
{
    return configuration_is_voter(core_configuration(core), core->id);
}

bool core_may_campaign(const struct raft *core)
{
    size_t count = core->configuration_count;

    if (core_is_voter(core))
        return true;
    /* 4.2.2: until its removal is committed, a server may hold the only log
     * that can win; it does not count itself. */
    return count > 1 && configuration_index(core) > core->commit &&
           configuration_is_voter(
               &core->configurations[count - 2].configuration, core->id);
}

static void configuration_changed(struct raft *core,
                                  struct raft_update *update)
{
    const struct raft_configuration *now = core_configuration(core);

    update->configuration_changed = true;
    if (core->cluster_id[0] == '\0')
        text_copy(core->cluster_id, sizeof(core->cluster_id),
                  now->cluster_id);
    if (core->role == RAFT_LEADER)
        lead_set_peers(core);
}

void membership_push(struct raft *core, raft_index index,
                     const struct raft_configuration *configuration,
                     struct raft_update *update)
{
    struct configuration_at *last;

    if (core->configuration_count == core->configuration_cap) {
        core->configuration_cap += 4;
        core->configurations =
            base_reallocarray(core->configurations, core->configuration_cap,
                              sizeof(*core->configurations));
    }
    assert(core->configuration_count == 0 ||
           configuration_index(core) < index);
    last = &core->configurations[core->configuration_count++];
    last->index = index;
    last->configuration = *configuration;
    configuration_changed(core, update);
}

void membership_entry(struct raft *core, const struct raft_entry *entry,
                      struct raft_update *update)
{
    struct raft_configuration configuration;
    int rv = configuration_unpack(entry->data, entry->len, &configuration);

    assert(rv == 0); /* checked where it came in */
    membership_push(core, entry->index, &configuration, update);
}

void membership_truncated(struct raft *core, raft_index from,
                          struct raft_update *update)
{
    bool changed = false;

    while (core->configuration_count > 0 &&
           configuration_index(core) >= from) {
        core->configuration_count--;
        changed = true;
    }
    if (changed)
        configuration_changed(core, update);
}

/* ---- changes ---- */

static int may_change(const struct raft *core)
{
    if (core->role != RAFT_LEADER)
        return RAFT_ENOTLEADER;
    if (core->change_phase != CHANGE_NONE ||
        configuration_index(core) > core->commit)
        return RAFT_ECHANGE;
    if (core->commit < core->term_start || core->transfer_running)
        return RAFT_EBUSY;
    return 0;
}

static void append_configuration(struct raft *core,
                                 const struct raft_configuration *next,
                                 struct raft_update *update)
{
    struct raft_entry entry = {.type = RAFT_ENTRY_CONFIGURATION};
    struct base_buf packed = BASE_BUF_INIT;

    configuration_pack(next, &packed);
    entry.len = base_buf_len(&packed);
    entry.data = raft_data_dup(base_buf_data(&packed), entry.len);
    base_buf_close(&packed);
    lead_append(core, &entry, update);
    core->change_phase = CHANGE_COMMIT;
    core->change_index = entry.index;
    lead_replicate(core, update);
    /* Alone, or without followers, our own disk decides: nothing to await
     * from the network. */
}

static void done_at_once(struct raft_update *update)
{
    update->change_done = true;
    update->change_status = 0;
}

static struct raft_server *find_mutable(struct raft_configuration *of,
                                        const char *id)
{
    uint32_t i;

    for (i = 0; i < of->server_count; i++) {
        if (id_equal(of->servers[i].id, id))
            return &of->servers[i];
    }
    return NULL;
}

static void begin_catch_up(struct raft *core, const char *id)
{
    core->change_phase = CHANGE_CATCH_UP;
    text_copy(core->change_id, sizeof(core->change_id), id);
    core->catch_up_target = log_last(&core->log);
    core->catch_up_since_ms = core->now_ms;
    core->catch_up_round = 1;
}

int membership_add(struct raft *core, const struct raft_server *server,
                   struct raft_update *update)
{
    struct raft_configuration next = *core_configuration(core);
    struct raft_server *known = find_mutable(&next, server->id);
    int rv = may_change(core);

    if (rv < 0)
        return rv;
    if (server->id[0] == '\0')
        return RAFT_EINVAL;
    core->promote_next = false;
    if (known == NULL) {
        if (next.server_count == RAFT_SERVERS_MAX)
            return RAFT_EINVAL;
        known = &next.servers[next.server_count++];
        *known = *server;
        known->suffrage = RAFT_NONVOTER;
        core->promote_next = server->suffrage == RAFT_VOTER;
        text_copy(core->change_id, sizeof(core->change_id), server->id);
        append_configuration(core, &next, update);
        return 0;
    }
    if (known->suffrage == RAFT_NONVOTER && server->suffrage == RAFT_VOTER) {
        bool moved = strcmp(known->address, server->address) != 0;

        if (!moved) {
            begin_catch_up(core, server->id);
            membership_advance(core, update);
            return 0;
        }
        core->promote_next = true;
        memcpy(known->address, server->address, sizeof(known->address));
        text_copy(core->change_id, sizeof(core->change_id), server->id);
        append_configuration(core, &next, update);
        return 0;
    }
    if (known->suffrage == server->suffrage &&
        strcmp(known->address, server->address) == 0) {
        done_at_once(update);
        return 0;
    }
    *known = *server;
    if (configuration_voter_count(&next) == 0)
        return RAFT_EINVAL;
    append_configuration(core, &next, update);
    return 0;
}

int membership_remove(struct raft *core, const char *id,
                      struct raft_update *update)
{
    struct raft_configuration next = *core_configuration(core);
    struct raft_server *known = find_mutable(&next, id);
    int rv = may_change(core);

    if (rv < 0)
        return rv;
    if (known == NULL)
        return RAFT_ENOSERVER;
    *known = next.servers[--next.server_count];
    memset(&next.servers[next.server_count], 0, sizeof(*known));
    configuration_sort(&next);
    if (configuration_voter_count(&next) == 0)
        return RAFT_EINVAL;
    core->promote_next = false;
    append_configuration(core, &next, update);
    return 0;
}

void membership_end(struct raft *core, int status, struct raft_update *update)
{
    if (core->change_phase == CHANGE_NONE)
        return;
    core->change_phase = CHANGE_NONE;
    core->promote_next = false;
    update->change_done = true;
    update->change_status = status;
}

static void promote(struct raft *core, struct raft_update *update)
{
    struct raft_configuration next = *core_configuration(core);
    struct raft_server *server = find_mutable(&next, core->change_id);

    assert(server != NULL);
    server->suffrage = RAFT_VOTER;
    append_configuration(core, &next, update);
}

/* Rounds, each up to where the log ended when it began: the last one must be
 * so short that nobody waits long for the new voter (4.2.1). */
static void catch_up(struct raft *core, struct raft_update *update)
{
    const struct progress *peer = lead_peer(core, core->change_id);
    uint64_t stall_ms = core->election_ms * CATCH_UP_STALL_TIMEOUTS;
    uint64_t took_ms;

    if (peer == NULL) {
        membership_end(core, RAFT_ENOSERVER, update);
        return;
    }
    if (peer->match < core->catch_up_target) {
        if (core->now_ms >= peer->moved_ms + stall_ms &&
            core->now_ms >= core->catch_up_since_ms + stall_ms &&
            core->now_ms >= peer->heard_ms + core->election_ms)
            membership_end(core, RAFT_ETIMEOUT, update);
        return;
    }
    took_ms = core->now_ms - core->catch_up_since_ms;
    if (took_ms < core->election_ms) {
        promote(core, update);
    } else if (core->catch_up_round >= CATCH_UP_ROUNDS_MAX) {
        membership_end(core, RAFT_ETIMEOUT, update);
    } else {
        core->catch_up_round++;
        core->catch_up_target = log_last(&core->log);
        core->catch_up_since_ms = core->now_ms;
    }
}

void membership_advance(struct raft *core, struct raft_update *update)
{
    if (core->role != RAFT_LEADER)
        return;
    if (core->change_phase == CHANGE_COMMIT &&
        core->commit >= core->change_index) {
        if (core->promote_next) {
            core->promote_next = false;
            begin_catch_up(core, core->change_id);
        } else {
            membership_end(core, 0, update);
        }
    }
    if (core->change_phase == CHANGE_CATCH_UP)
        catch_up(core, update);
    /* A leader that was removed or lost its vote leads until that is
     * committed, not counting itself, and no longer (4.2.2). */
    if (core->role == RAFT_LEADER && !core_is_voter(core) &&
        configuration_index(core) <= core->commit)
        become_follower(core, core->term, "", update);
}

/* ---- leadership transfer ---- */

static struct progress *most_caught_up(const struct raft *core)
{
    struct progress *best = NULL;
    uint32_t i;

    for (i = 0; i < core->peer_count; i++) {
        struct progress *peer = &core->peers[i];

        if (peer->voter && peer->behind == 0 && !peer->repairing &&
            core->now_ms < peer->heard_ms + core->election_ms &&
            (best == NULL || peer->match > best->match))
            best = peer;
    }
    return best;
}

int transfer_start(struct raft *core, const char *id,
                   struct raft_update *update)
{
    struct progress *target;

    if (core->role != RAFT_LEADER)
        return RAFT_ENOTLEADER;
    if (core->transfer_running || core->change_phase != CHANGE_NONE)
        return RAFT_EBUSY;
    target = id[0] == '\0' ? most_caught_up(core) : lead_peer(core, id);
    if (target == NULL || !target->voter)
        return RAFT_ENOSERVER;
    if (target->behind != 0 || target->repairing)
        return RAFT_EBUSY;
    core->transfer_running = true;
    core->transfer_due_ms = core->now_ms + core->election_ms;
    memcpy(core->transfer_id, target->id, sizeof(core->transfer_id));
    transfer_advance(core, update);
    return 0;
}

void transfer_advance(struct raft *core, struct raft_update *update)
{
    const struct progress *target;

    if (!core->transfer_running)
        return;
    target = lead_peer(core, core->transfer_id);
    if (target == NULL) {
        transfer_end(core, RAFT_ENOSERVER, update);
        return;
    }
    if (target->match != log_last(&core->log))
        return;
    /* It stands at once, and is voted for at once: now or, if this message
     * takes its time, later in this term. */
    core->lease_broken = true;
    update_now(core, update, RAFT_MESSAGE_TIMEOUT_NOW, target->id);
}

void transfer_end(struct raft *core, int status, struct raft_update *update)
{
    if (!core->transfer_running)
        return;
    core->transfer_running = false;
    update->transfer_done = true;
    update->transfer_status = status;
}
