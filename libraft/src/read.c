/*
 * Read barriers by read index (thesis 6.4): note the commit index, have a
 * majority confirm that we still lead, wait until it is applied. Barriers that
 * come while a round of confirmation is out share the next one. A lease, where
 * leases are used, is a confirmation that has been given already.
 */
#include "base/alloc.h"
#include "core_internal.h"

static bool term_has_committed(const struct raft *core)
{
    /* 6.4: until then we may not know what our predecessors committed. */
    return core->commit >= core->term_start;
}

static bool round_is_confirmed(const struct raft *core, uint64_t round)
{
    uint32_t voters = 0;
    uint32_t confirmed = 0;
    uint32_t i;

    if (core_is_voter(core)) {
        voters++;
        confirmed++;
    }
    for (i = 0; i < core->peer_count; i++) {
        if (!core->peers[i].voter)
            continue;
        voters++;
        confirmed += core->peers[i].round >= round;
    }
    return confirmed > voters / 2;
}

static void start_round(struct raft *core, struct raft_update *update)
{
    size_t i;

    core->round++;
    for (i = 0; i < core->read_count; i++) {
        if (core->reads[i].round == 0) {
            core->reads[i].round = core->round;
            core->reads[i].index = core->commit;
        }
    }
    core->round_running = true;
    lead_heartbeat_all(core, update);
}

/* Tells those whose round is confirmed; true if some still wait for one. */
static bool finish_rounds(struct raft *core, struct raft_update *update)
{
    size_t kept = 0;
    size_t i;

    for (i = 0; i < core->read_count; i++) {
        struct pending_read *read = &core->reads[i];

        if (read->round != 0 && round_is_confirmed(core, read->round))
            update_read(update, read->id, 0, read->index, 0);
        else
            core->reads[kept++] = *read;
    }
    core->read_count = kept;
    core->round_running = kept > 0 && core->reads[0].round != 0;
    return kept > 0 && !core->round_running;
}

void read_advance(struct raft *core, struct raft_update *update)
{
    if (core->read_count == 0 || !term_has_committed(core))
        return;
    while (finish_rounds(core, update)) {
        start_round(core, update);
        if (!round_is_confirmed(core, core->round))
            return;
    }
}

int read_start(struct raft *core, uint64_t id, struct raft_update *update)
{
    if (core->role != RAFT_LEADER)
        return RAFT_ENOTLEADER;
    if (term_has_committed(core) && core->now_ms < lease_until_ms(core)) {
        update_read(update, id, 0, core->commit, lease_until_ms(core));
        return 0;
    }
    if (core->read_count == core->read_cap) {
        core->read_cap = core->read_cap == 0 ? 16 : core->read_cap * 2;
        core->reads = base_reallocarray(core->reads, core->read_cap,
                                        sizeof(*core->reads));
    }
    core->reads[core->read_count++] = (struct pending_read){.id = id};
    read_advance(core, update);
    return 0;
}

void read_end(struct raft *core, struct raft_update *update)
{
    size_t i;

    for (i = 0; i < core->read_count; i++)
        update_read(update, core->reads[i].id, RAFT_ENOTLEADER, 0, 0);
    core->read_count = 0;
    core->round_running = false;
}
