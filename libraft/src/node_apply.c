/*
 * Proposals on their way into the log, committed entries on their way into the
 * state machine, and reads that wait for it. Proposals of one turn of the loop
 * make one append: one write, one message a follower.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "node_internal.h"

/* ---- the ring of proposals that wait ---- */

static struct proposal *ring_at(const struct proposal_ring *ring, size_t i)
{
    return &ring->ring[(ring->start + i) & (ring->cap - 1)];
}

static void ring_push(struct proposal_ring *ring,
                      const struct proposal *proposal)
{
    if (ring->count == ring->cap) {
        size_t cap = ring->cap == 0 ? 64 : ring->cap * 2;
        struct proposal *bigger =
            base_reallocarray(NULL, cap, sizeof(*bigger));
        size_t i;

        for (i = 0; i < ring->count; i++)
            bigger[i] = *ring_at(ring, i);
        base_free(ring->ring);
        ring->ring = bigger;
        ring->cap = cap;
        ring->start = 0;
    }
    ring->count++;
    *ring_at(ring, ring->count - 1) = *proposal;
}

static struct proposal ring_pop(struct proposal_ring *ring)
{
    struct proposal first = *ring_at(ring, 0);

    ring->start = (ring->start + 1) & (ring->cap - 1);
    ring->count--;
    return first;
}

/* ---- proposing ---- */

static void queue_grow(struct raft_node *node)
{
    node->queued_cap = node->queued_cap == 0 ? 64 : node->queued_cap * 2;
    node->queued = base_reallocarray(node->queued, node->queued_cap,
                                     sizeof(*node->queued));
    node->queued_proposals =
        base_reallocarray(node->queued_proposals, node->queued_cap,
                          sizeof(*node->queued_proposals));
}

void apply_queue(struct raft_node *node, enum raft_entry_type type,
                 const void *data, size_t len, raft_propose_fn done, void *arg)
{
    if (node->queued_count == node->queued_cap)
        queue_grow(node);
    node->queued[node->queued_count] = (struct raft_entry){
        .type = type, .data = raft_data_dup(data, len), .len = len};
    node->queued_proposals[node->queued_count] =
        (struct proposal){.done = done,
                          .arg = arg,
                          .len = len,
                          .since_ns = base_env_now_ns(node->env)};
    node->queued_count++;
    node->inflight_bytes += len;
    node_wake(node);
}

int raft_node_propose(struct raft_node *node, const void *data, size_t len,
                      raft_propose_fn done, void *arg)
{
    if (node->stopped)
        return RAFT_ESTOPPED;
    if (len > RAFT_ENTRY_BYTES_MAX)
        return RAFT_ETOOBIG;
    if (!node->ready || raft_role(node->core) != RAFT_LEADER)
        return RAFT_ENOTLEADER;
    if (node->waiting.count + node->queued_count >=
            node->config.proposals_max ||
        node->inflight_bytes + len > node->config.inflight_bytes_max)
        return RAFT_EBUSY;
    apply_queue(node, RAFT_ENTRY_COMMAND, data, len, done, arg);
    return 0;
}

static bool fail_queued(struct raft_node *node, int err)
{
    size_t count = node->queued_count;
    struct proposal *proposals = node->queued_proposals;
    struct raft_entry *entries = node->queued;
    size_t i;

    /* Callbacks may propose again: the arrays are ours from here. */
    node->queued = NULL;
    node->queued_proposals = NULL;
    node->queued_count = 0;
    node->queued_cap = 0;
    for (i = 0; i < count; i++) {
        raft_data_unref(entries[i].data);
        node->inflight_bytes -= proposals[i].len;
    }
    base_free(entries);
    for (i = 0; i < count; i++) {
        if (proposals[i].done != NULL)
            proposals[i].done(proposals[i].arg, err, 0, NULL);
    }
    base_free(proposals);
    return !node->freed;
}

void apply_flush_proposals(struct raft_node *node)
{
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
    size_t i;
    int rv;

    if (node->queued_count == 0)
        return;
    event.u.propose.entries = node->queued;
    event.u.propose.count = node->queued_count;
    rv = node_step(node, &event);
    if (rv < 0) {
        fail_queued(node, rv);
        return;
    }
    for (i = 0; i < node->queued_count; i++) {
        node->queued_proposals[i].index = event.u.propose.first + i;
        node->queued_proposals[i].term = raft_current_term(node->core);
        ring_push(&node->waiting, &node->queued_proposals[i]);
    }
    node->queued_count = 0;
}

/* ---- applying ---- */

/* Who waits for index, if it is the next in line. */
static bool take_proposal(struct raft_node *node, raft_index index,
                          struct proposal *out)
{
    if (node->waiting.count == 0 || ring_at(&node->waiting, 0)->index != index)
        return false;
    *out = ring_pop(&node->waiting);
    node->inflight_bytes -= out->len;
    return true;
}

/* Gathers commands from index on, up to a part of a restore; returns the last
 * index that was looked at. */
static raft_index gather(struct raft_node *node, raft_index index,
                         raft_index end, struct raft_entry *commands,
                         size_t *count)
{
    size_t bytes = 0;

    *count = 0;
    while (index < end && *count < APPLY_ENTRIES_MAX &&
           bytes < APPLY_BYTES_MAX) {
        const struct raft_entry *entry =
            raft_entry_at(node->core, index + 1);

        assert(entry != NULL);
        if (entry->type == RAFT_ENTRY_RESTORE)
            break;
        if (node->track.id != 0)
            (void)restore_track_entry(&node->track, entry);
        if (entry->type == RAFT_ENTRY_COMMAND) {
            commands[(*count)++] = *entry;
            bytes += entry->len;
        }
        index++;
    }
    return index;
}

/* Tells the proposer that its command was applied; false if result is still
 * ours. Another leader may have put something else in its place. */
static bool answer(struct raft_node *node, raft_index index, raft_term term,
                   void *result, uint64_t now_ns)
{
    struct proposal proposal;

    if (node->freed || !take_proposal(node, index, &proposal))
        return false;
    if (proposal.term != term) {
        if (proposal.done != NULL)
            proposal.done(proposal.arg, RAFT_ELOST, 0, NULL);
        return false;
    }
    base_histogram_observe(node->metrics.commit_us,
                           (now_ns - proposal.since_ns) / 1000u);
    if (proposal.done == NULL)
        return false;
    proposal.done(proposal.arg, 0, index, result);
    return true;
}

bool apply_answer_restore(struct raft_node *node, raft_index index,
                          raft_term term, int status)
{
    struct proposal proposal;

    if (!take_proposal(node, index, &proposal))
        return true;
    proposal.done(proposal.arg, proposal.term == term ? status : RAFT_ELOST,
                  index, NULL);
    return !node->freed;
}

static bool answer_batch(struct raft_node *node,
                         const struct raft_entry *commands, void **results,
                         size_t count)
{
    const struct raft_fsm *fsm = &node->config.fsm;
    uint64_t now_ns = base_env_now_ns(node->env);
    size_t i;

    for (i = 0; i < count; i++) {
        if (!answer(node, commands[i].index, commands[i].term, results[i],
                    now_ns) &&
            results[i] != NULL && fsm->ops->drop_result != NULL)
            fsm->ops->drop_result(fsm->ctx, results[i]);
    }
    return !node->freed;
}

static bool apply_batch(struct raft_node *node, raft_index end)
{
    struct raft_entry commands[APPLY_ENTRIES_MAX];
    void *results[APPLY_ENTRIES_MAX];
    size_t count;
    raft_index last = gather(node, node->applied, end, commands, &count);

    if (count > 0) {
        int rv;

        memset(results, 0, count * sizeof(results[0]));
        rv = node->config.fsm.ops->apply(node->config.fsm.ctx, commands,
                                         count, results);
        if (rv != 0) {
            node_fail(node, RAFT_EFSM, "the state machine refused an entry");
            return true;
        }
        base_counter_add(node->metrics.applied, count);
    }
    node->applied = last;
    reading_forget(node);
    return answer_batch(node, commands, results, count);
}

static bool apply_next(struct raft_node *node)
{
    const struct raft_entry *entry =
        raft_entry_at(node->core, node->applied + 1);

    assert(entry != NULL);
    if (entry->type == RAFT_ENTRY_RESTORE)
        return replace_take(node, entry);
    return apply_batch(node, raft_apply_index(node->core));
}

bool apply_committed(struct raft_node *node)
{
    uint64_t until = base_env_now_ns(node->env) + APPLY_TURN_NS;
    raft_index before;

    if (!replace_tell(node))
        return false;
    if (node->replacing.active)
        replace_go_on(node);
    /* Else the state machine is being replaced. */
    while (!node->stopped && !node->restoring.active &&
           !node->replacing.active &&
           node->applied < raft_apply_index(node->core)) {
        if (base_env_now_ns(node->env) >= until) {
            node_wake(node);
            return true;
        }
        before = node->applied;
        if (!apply_next(node))
            return false;
        if (node->applied == before)
            return true;
    }
    return true;
}

/* ---- read barriers ---- */

int raft_node_read_barrier(struct raft_node *node, raft_storage_done_fn done,
                           void *arg)
{
    struct barrier *barrier;

    if (node->stopped)
        return RAFT_ESTOPPED;
    if (!node->ready || raft_role(node->core) != RAFT_LEADER)
        return RAFT_ENOTLEADER;
    if (node->barrier_count >= node->config.proposals_max)
        return RAFT_EBUSY;
    BASE_NEW(barrier);
    barrier->done = done;
    barrier->arg = arg;
    STAILQ_INSERT_TAIL(&node->barriers, barrier, next);
    node->barrier_count++;
    node_wake(node);
    return 0;
}

/* All that came since the last turn share one question to the core. */
static void ask_for_new(struct raft_node *node)
{
    struct raft_event event = {.type = RAFT_EVENT_READ};
    struct barrier *barrier;
    bool any = false;
    int rv;

    STAILQ_FOREACH(barrier, &node->barriers, next) {
        if (barrier->read_id != 0)
            continue;
        if (!any)
            node->last_read_id++;
        any = true;
        barrier->read_id = node->last_read_id;
    }
    if (!any)
        return;
    event.u.read_id = node->last_read_id;
    rv = node_step(node, &event);
    if (rv < 0) {
        STAILQ_FOREACH(barrier, &node->barriers, next) {
            if (barrier->read_id == event.u.read_id) {
                barrier->confirmed = true;
                barrier->status = rv;
            }
        }
    }
}

void apply_reads_ready(struct raft_node *node,
                       const struct raft_update *update)
{
    struct barrier *barrier;
    size_t i;

    for (i = 0; i < update->read_count; i++) {
        STAILQ_FOREACH(barrier, &node->barriers, next) {
            if (barrier->read_id != update->reads[i].read_id)
                continue;
            barrier->confirmed = true;
            barrier->status = update->reads[i].status;
            barrier->index = update->reads[i].index;
            barrier->until_ms = update->reads[i].until_ms;
        }
    }
    node_wake(node);
}

/* Applying took longer than the lease did: ask again. */
static bool lease_ran_out(struct raft_node *node, struct barrier *barrier)
{
    if (barrier->status < 0 || barrier->until_ms == 0 ||
        node_now_ms(node) < barrier->until_ms)
        return false;
    barrier->read_id = 0;
    barrier->confirmed = false;
    ask_for_new(node);
    return true;
}

bool apply_barriers(struct raft_node *node)
{
    struct barrier *barrier;

    ask_for_new(node);
    /* Rounds are confirmed in order, and so are the barriers answered. */
    while ((barrier = STAILQ_FIRST(&node->barriers)) != NULL &&
           barrier->confirmed &&
           (barrier->status < 0 || barrier->index <= node->applied)) {
        struct barrier copy;

        if (lease_ran_out(node, barrier))
            continue;
        copy = *barrier;
        STAILQ_REMOVE_HEAD(&node->barriers, next);
        node->barrier_count--;
        base_free(barrier);
        copy.done(copy.arg, copy.status);
        if (node->freed)
            return false;
    }
    return true;
}

/* ---- the end ---- */

static void fail_barriers(struct raft_node *node, int err)
{
    struct barrier *barrier;

    while ((barrier = STAILQ_FIRST(&node->barriers)) != NULL) {
        struct barrier copy = *barrier;

        STAILQ_REMOVE_HEAD(&node->barriers, next);
        node->barrier_count--;
        base_free(barrier);
        copy.done(copy.arg, err);
    }
}

bool apply_fail_all(struct raft_node *node, int err)
{
    /* Only those who wait now: a callback may propose again. */
    size_t count = node->waiting.count;

    while (count-- > 0 && node->waiting.count > 0) {
        struct proposal proposal = ring_pop(&node->waiting);

        node->inflight_bytes -= proposal.len;
        if (proposal.done != NULL)
            proposal.done(proposal.arg, err, 0, NULL);
    }
    if (node->queued_count > 0)
        fail_queued(node, err == RAFT_ELOST ? RAFT_ENOTLEADER : err);
    if (err == RAFT_ESTOPPED)
        fail_barriers(node, err);
    return !node->freed;
}

void apply_free(struct raft_node *node)
{
    base_free(node->waiting.ring);
    base_free(node->queued);
    base_free(node->queued_proposals);
}
