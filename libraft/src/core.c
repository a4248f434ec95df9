/*
 * One step: what every event has in common (time, terms) and which file has
 * the rest. A message with a newer term makes a follower of anybody (5.1); one
 * with an older term is answered with ours, if it matters, and else dropped.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "core_internal.h"
#include "entry.h"

/* splitmix64 (Steele, Lea, Flood 2014): enough for jittered timeouts. */
static uint64_t random_next(struct raft *core)
{
    uint64_t z = (core->random += 0x9e3779b97f4a7c15ull);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

uint64_t core_random_below(struct raft *core, uint64_t bound)
{
    return random_next(core) % bound; /* the bias is far below a timer tick */
}

int raft_new(const struct raft_core_config *config, struct raft **out)
{
    struct raft *core;

    if (config->id == NULL || config->id[0] == '\0' ||
        config->election_timeout_ms < 2 ||
        config->heartbeat_interval_ms == 0 ||
        config->heartbeat_interval_ms >= config->election_timeout_ms)
        return RAFT_EINVAL;
    BASE_NEW(core);
    if (!text_copy(core->id, sizeof(core->id), config->id) ||
        !text_copy(core->cluster_id, sizeof(core->cluster_id),
                   config->cluster_id)) {
        base_free(core);
        return RAFT_EINVAL;
    }
    core->election_ms = config->election_timeout_ms;
    core->heartbeat_ms = config->heartbeat_interval_ms;
    core->random = config->seed;
    if (lease_init(core, config->lease_drift_ppm) < 0) {
        base_free(core);
        return RAFT_EINVAL;
    }
    core->election_due_ms = UINT64_MAX;
    *out = core;
    return 0;
}

void raft_free(struct raft *core)
{
    if (core == NULL)
        return;
    log_close(&core->log);
    base_free(core->pending);
    base_free(core->peers);
    base_free(core->reads);
    base_free(core->configurations);
    base_free(core);
}

/* ---- starting ---- */

static void load_log(struct raft *core, const struct raft_stored *stored,
                     struct raft_update *update)
{
    size_t i;

    log_reset(&core->log, stored->snapshot_index, stored->snapshot_term);
    for (i = 0; i < stored->entry_count; i++) {
        struct raft_entry entry = stored->entries[i];

        entry.data = raft_data_dup(entry.data, entry.len);
        log_append(&core->log, &entry);
        if (entry.type == RAFT_ENTRY_CONFIGURATION)
            membership_entry(core, &entry, update);
    }
}

static int start(struct raft *core, const struct raft_stored *stored,
                 struct raft_update *update)
{
    if (core->started)
        return RAFT_EINVAL;
    core->started = true;
    if (stored->behind)
        core->behind = random_next(core) | 1;
    core->repair_until = stored->repair_until;
    core->term = stored->term;
    text_copy(core->voted_for, sizeof(core->voted_for), stored->voted_for);
    core->snapshot_index = stored->snapshot_index;
    core->snapshot_term = stored->snapshot_term;
    core->commit = stored->snapshot_index;
    if (stored->snapshot_index > 0)
        membership_push(core, stored->configuration_index,
                        &stored->snapshot_configuration, update);
    load_log(core, stored, update);
    core->durable = log_last(&core->log);
    update->state_changed = true;
    election_reset_timer(core);
    /* Our last life may have promised a leader not to vote. */
    if (core->lease_ms != 0 && core->term > 0) {
        core->quiet_until_ms = core->now_ms + core->election_ms;
        return 0;
    }
    /* Alone, there is nobody to wait for. */
    if (core_is_voter(core) && repair_is_whole(core) &&
        configuration_voter_count(core_configuration(core)) == 1)
        election_start(core, true, false, update);
    return 0;
}

static int bootstrap(struct raft *core,
                     const struct raft_configuration *configuration,
                     struct raft_update *update)
{
    struct raft_entry entry = {.type = RAFT_ENTRY_CONFIGURATION,
                               .index = 1,
                               .term = 1};
    struct raft_configuration first = *configuration;
    struct base_buf packed = BASE_BUF_INIT;

    if (configuration_validate(&first) < 0)
        return RAFT_EINVAL;
    if (log_last(&core->log) > 0 || core->term > 0 ||
        !repair_is_whole(core))
        return RAFT_EEXIST;
    if (first.cluster_id[0] == '\0')
        memcpy(first.cluster_id, core->cluster_id, sizeof(first.cluster_id));
    configuration_sort(&first);
    configuration_name(&first);
    if (core->cluster_id[0] != '\0' &&
        !id_equal(core->cluster_id, first.cluster_id))
        return RAFT_EINVAL;
    configuration_pack(&first, &packed);
    entry.len = base_buf_len(&packed);
    entry.data = raft_data_dup(base_buf_data(&packed), entry.len);
    base_buf_close(&packed);
    entry.checksum = entry_checksum(&entry);
    election_set_term(core, 1, update);
    log_append(&core->log, &entry);
    update_entry(update, &entry);
    membership_entry(core, &entry, update);
    if (core_is_voter(core) && configuration_voter_count(&first) == 1)
        core->election_due_ms = core->now_ms;
    else
        election_reset_timer(core);
    return 0;
}

/* ---- messages ---- */

static bool is_from_leader(const struct raft_message *m)
{
    return m->type == RAFT_MESSAGE_APPEND || m->type == RAFT_MESSAGE_SNAPSHOT;
}

/* Its term binds nobody: a question about an election that may never be. */
static bool is_pre_vote(const struct raft_message *m)
{
    return (m->type == RAFT_MESSAGE_VOTE_REQUEST && m->u.vote.pre) ||
           (m->type == RAFT_MESSAGE_VOTE_REPLY && m->u.vote_reply.pre &&
            m->u.vote_reply.granted);
}

static int timeout_now(struct raft *core, const struct raft_message *m,
                       struct raft_update *update)
{
    if (core->role == RAFT_LEADER || !core_may_campaign(core) ||
        !repair_is_whole(core) || !id_equal(core->leader_id, m->from))
        return 0;
    election_start(core, false, true, update);
    return 0;
}

static int dispatch(struct raft *core, struct raft_message *m,
                    struct raft_update *update)
{
    switch (m->type) {
    case RAFT_MESSAGE_VOTE_REQUEST:
        election_vote_request(core, m, update);
        return 0;
    case RAFT_MESSAGE_VOTE_REPLY:
        election_vote_reply(core, m, update);
        return 0;
    case RAFT_MESSAGE_APPEND:
        return follow_append(core, m, update);
    case RAFT_MESSAGE_APPEND_REPLY:
        return lead_append_reply(core, m, update);
    case RAFT_MESSAGE_SNAPSHOT:
        return snapshot_chunk(core, m, update);
    case RAFT_MESSAGE_SNAPSHOT_REPLY:
        return snapshot_reply(core, m, update);
    case RAFT_MESSAGE_TIMEOUT_NOW:
        return timeout_now(core, m, update);
    }
    return RAFT_EINVAL;
}

static int message(struct raft *core, struct raft_message *m,
                   struct raft_update *update)
{
    if (id_equal(m->from, core->id) || m->term == 0)
        return RAFT_EINVAL;
    if (m->term > core->term && m->term - core->term > RAFT_TERM_JUMP_MAX)
        return RAFT_EINVAL;
    /* Vote requests look at their term themselves: 4.2.3 comes first. */
    if (m->type != RAFT_MESSAGE_VOTE_REQUEST && m->term > core->term &&
        !is_pre_vote(m))
        become_follower(core, m->term, is_from_leader(m) ? m->from : "",
                        update);
    if (m->term < core->term && m->type != RAFT_MESSAGE_VOTE_REQUEST) {
        if (is_from_leader(m))
            follow_reject_stale(core, m, update);
        return 0;
    }
    return dispatch(core, m, update);
}

/* ---- the step ---- */

static int handle(struct raft *core, struct raft_event *event,
                  struct raft_update *update)
{
    switch (event->type) {
    case RAFT_EVENT_START:
        return start(core, event->u.stored, update);
    case RAFT_EVENT_BOOTSTRAP:
        return bootstrap(core, event->u.configuration, update);
    case RAFT_EVENT_TICK:
        if (core->role == RAFT_LEADER)
            lead_tick(core, update);
        else
            election_tick(core, update);
        return 0;
    case RAFT_EVENT_MESSAGE:
        return message(core, event->u.message, update);
    case RAFT_EVENT_PERSISTED:
        return persist_done(core, event->u.write_id, update);
    case RAFT_EVENT_PROPOSE:
        return lead_propose(core, event, update);
    case RAFT_EVENT_READ:
        return read_start(core, event->u.read_id, update);
    case RAFT_EVENT_ADD:
        return membership_add(core, &event->u.server, update);
    case RAFT_EVENT_REMOVE:
        return membership_remove(core, event->u.server.id, update);
    case RAFT_EVENT_TRANSFER:
        return transfer_start(core, event->u.server.id, update);
    case RAFT_EVENT_SNAPSHOT_TAKEN:
        return snapshot_taken(core, event, update);
    case RAFT_EVENT_SNAPSHOT_INSTALLED:
        return snapshot_installed(core, event, update);
    case RAFT_EVENT_ENTRIES_READ:
        lead_entries_read(core, event, update);
        return 0;
    }
    return RAFT_EINVAL;
}

int raft_step(struct raft *core, struct raft_event *event,
              struct raft_update *update)
{
    int rv;

    if (event->type != RAFT_EVENT_START && !core->started)
        return RAFT_EBUSY;
    if (event->now_ms > core->now_ms)
        core->now_ms = event->now_ms;
    rv = handle(core, event, update);
    persist_finish_step(core, update);
    return rv;
}

void raft_forget(struct raft *core, raft_index index, size_t bytes_max)
{
    if (index > raft_apply_index(core))
        index = raft_apply_index(core);
    log_forget(&core->log, index, bytes_max);
}

uint64_t raft_deadline_ms(const struct raft *core)
{
    if (!core->started)
        return UINT64_MAX;
    return core->role == RAFT_LEADER ? lead_due_ms(core)
                                     : core->election_due_ms;
}

/* ---- looking ---- */

raft_index raft_apply_index(const struct raft *core)
{
    return core->commit < core->durable ? core->commit : core->durable;
}

const struct raft_entry *raft_entry_at(const struct raft *core,
                                       raft_index index)
{
    return log_at(&core->log, index);
}

enum raft_role raft_role(const struct raft *core)
{
    return core->role;
}

raft_term raft_current_term(const struct raft *core)
{
    return core->term;
}

const char *raft_leader_id(const struct raft *core)
{
    return core->leader_id;
}

const char *raft_voted_for(const struct raft *core)
{
    return core->voted_for;
}

const char *raft_cluster_id(const struct raft *core)
{
    return core->cluster_id;
}

raft_index raft_first_index(const struct raft *core)
{
    return core->log.base + 1;
}

raft_index raft_last_index(const struct raft *core)
{
    return log_last(&core->log);
}

raft_term raft_term_at(const struct raft *core, raft_index index)
{
    raft_term term = 0;

    if (!log_term_at(&core->log, index, &term) &&
        index == core->snapshot_index)
        term = core->snapshot_term;
    return term;
}

raft_index raft_commit_index(const struct raft *core)
{
    return core->commit;
}

raft_index raft_durable_index(const struct raft *core)
{
    return core->durable;
}

uint64_t raft_leader_heard_ms(const struct raft *core)
{
    return core->role == RAFT_LEADER ? core->now_ms : core->leader_heard_ms;
}

bool raft_is_behind(const struct raft *core)
{
    return !repair_is_whole(core);
}

raft_index raft_repair_until(const struct raft *core)
{
    return core->repair_until;
}

const struct raft_configuration *
raft_current_configuration(const struct raft *core, raft_index *index)
{
    if (index != NULL)
        *index = core->configuration_count == 0
                     ? 0
                     : core->configurations[core->configuration_count - 1]
                           .index;
    return core_configuration(core);
}

const struct raft_configuration *
raft_configuration_at(const struct raft *core, raft_index index,
                      raft_index *at)
{
    size_t i = core->configuration_count;

    while (i > 0 && core->configurations[i - 1].index > index)
        i--;
    if (i == 0)
        return NULL;
    *at = core->configurations[i - 1].index;
    return &core->configurations[i - 1].configuration;
}

bool raft_peer_progress(const struct raft *core, const char *id,
                        struct raft_progress *out)
{
    const struct progress *peer = lead_peer(core, id);

    if (core->role != RAFT_LEADER || peer == NULL)
        return false;
    *out = (struct raft_progress){.match = peer->match,
                                  .next = peer->next,
                                  .heard_ms = peer->heard_ms,
                                  .moved_ms = peer->moved_ms,
                                  .inflight = peer->inflight_count,
                                  .snapshot =
                                      peer->state == PROGRESS_SNAPSHOT,
                                  .behind = peer->behind != 0 ||
                                            peer->repairing};
    return true;
}

static void check_log(const struct raft *core)
{
    raft_term term = core->log.base_term;
    raft_index index;

    assert(core->log.base <= core->log.forgotten);
    assert(core->log.forgotten <= core->durable ||
           core->log.forgotten == core->log.base);
    for (index = core->log.forgotten + 1; index <= log_last(&core->log); index++) {
        const struct raft_entry *entry = log_at(&core->log, index);

        assert(entry->index == index);
        assert(entry->term >= term);
        assert(entry->term <= core->term);
        assert(entry->term == raft_term_at(core, index));
        term = entry->term;
    }
}

void raft_check(const struct raft *core)
{
    size_t i;

    assert(core->commit <= log_last(&core->log));
    assert(core->durable <= log_last(&core->log));
    assert(core->log.base <= core->snapshot_index);
    assert(core->snapshot_index <= core->commit);
    assert(core->write_done <= core->write_last);
    check_log(core);
    for (i = 1; i < core->configuration_count; i++)
        assert(core->configurations[i - 1].index <
               core->configurations[i].index);
    for (i = 0; i < core->peer_count; i++) {
        const struct progress *peer = &core->peers[i];

        assert(core->role == RAFT_LEADER);
        assert(peer->match < peer->next);
        assert(peer->match <= log_last(&core->log));
        assert(peer->inflight_count <= RAFT_INFLIGHT_MAX);
    }
}
