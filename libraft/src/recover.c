/*
 * Recovery by hand, as a chain of steps on the loop: load what the storage has,
 * feed the state machine with it (snapshot, then log), and store its image as a
 * snapshot that carries the new configuration and replaces the log. Until that
 * last step, which is one transaction, the storage's log is untouched.
 */
#include "raft/recover.h"

#include <string.h>

#include "base/alloc.h"
#include "configuration.h"
#include "restore_part.h"

#define PIECE_BYTES (256u << 10)
#define BATCH 512u

struct recovery {
    struct raft_recover_config config;
    struct raft_configuration configuration;
    raft_storage_done_fn done;
    void *arg;
    struct base_timer next; /* one batch a turn */
    struct raft_stored stored;
    uint64_t offset; /* of the snapshot that is restored */
    size_t applied;  /* entries */
    struct restore_track track;
    raft_index index;
    raft_term term;
    void *image;
    bool restoring;
    struct base_buf piece;
    struct raft_write write;
};

static void finish(struct recovery *recovery, int status)
{
    raft_storage_done_fn done = recovery->done;
    const struct raft_fsm *fsm = &recovery->config.fsm;
    void *arg = recovery->arg;
    size_t i;

    if (recovery->restoring)
        fsm->ops->restore_end(fsm->ctx, false);
    if (recovery->image != NULL)
        fsm->ops->snapshot_free(fsm->ctx, recovery->image);
    base_timer_stop(&recovery->next);
    recovery->config.storage->ops->close(recovery->config.storage);
    for (i = 0; i < recovery->stored.entry_count; i++)
        base_free((void *)recovery->stored.entries[i].data);
    base_free(recovery->stored.entries);
    base_buf_close(&recovery->piece);
    base_free(recovery);
    done(arg, status);
}

/* ---- the image with the new configuration --------------------------------- */

static void on_finished(void *arg, int status)
{
    finish(arg, status);
}

static void store_piece(struct recovery *recovery);

static void on_piece_stored(void *arg, int status)
{
    struct recovery *recovery = arg;

    if (status < 0)
        finish(recovery, status);
    else
        store_piece(recovery);
}

static void store_piece(struct recovery *recovery)
{
    const struct raft_fsm *fsm = &recovery->config.fsm;
    struct raft_storage *storage = recovery->config.storage;
    int rv = 1; /* all was given before */

    base_buf_reset(&recovery->piece);
    if (recovery->image != NULL)
        rv = fsm->ops->snapshot_read(fsm->ctx, recovery->image, PIECE_BYTES,
                                     &recovery->piece);
    if (rv > 0 && base_buf_len(&recovery->piece) == 0) {
        rv = storage->ops->snapshot_finish(storage, recovery->index,
                                           on_finished, recovery);
    } else if (rv >= 0) {
        if (rv > 0) {
            fsm->ops->snapshot_free(fsm->ctx, recovery->image);
            recovery->image = NULL;
        }
        rv = storage->ops->snapshot_append(
            storage, base_buf_data(&recovery->piece),
            base_buf_len(&recovery->piece), on_piece_stored, recovery);
    } else {
        rv = RAFT_EFSM;
    }
    if (rv < 0)
        finish(recovery, rv);
}

static void take_snapshot(struct recovery *recovery)
{
    const struct raft_fsm *fsm = &recovery->config.fsm;
    struct raft_storage *storage = recovery->config.storage;
    int rv;

    if (fsm->ops->snapshot(fsm->ctx, &recovery->image) != 0) {
        finish(recovery, RAFT_EFSM);
        return;
    }
    rv = storage->ops->snapshot_begin(storage, recovery->index, recovery->term,
                                      &recovery->configuration,
                                      recovery->index);
    if (rv < 0)
        finish(recovery, rv);
    else
        store_piece(recovery);
}

/* What was lost or being repaired is so no longer: the operator says that this
 * is all there is. */
static void on_settled(void *arg, int status)
{
    if (status < 0)
        finish(arg, status);
    else
        take_snapshot(arg);
}

static void settle(struct recovery *recovery)
{
    struct raft_storage *storage = recovery->config.storage;
    int rv;

    if (!recovery->stored.behind && recovery->stored.repair_until == 0) {
        take_snapshot(recovery);
        return;
    }
    recovery->write =
        (struct raft_write){.set_vote = true,
                            .term = recovery->stored.term,
                            .voted_for = recovery->stored.voted_for,
                            .truncate_from = recovery->index + 1,
                            .set_repair = true};
    rv = storage->ops->write(storage, &recovery->write, on_settled, recovery);
    if (rv < 0)
        finish(recovery, rv);
}

/* ---- what the storage has ------------------------------------------------- */

/* The pieces are all in the log: see node_replace.c. */
static int restore_entries(struct recovery *recovery,
                           const struct raft_entry *end)
{
    const struct raft_fsm *fsm = &recovery->config.fsm;
    const struct raft_entry *entry =
        end - (end->index - recovery->track.first);
    struct restore_part part;
    int rv = fsm->ops->restore_begin(fsm->ctx);

    if (rv == 0 && fsm->ops->version >= 3 && fsm->ops->restore_as != NULL)
        fsm->ops->restore_as(fsm->ctx, end->index);
    for (; rv == 0 && entry < end; entry++) {
        if (entry->type == RAFT_ENTRY_RESTORE &&
            restore_part_unpack(entry, &part) == 0)
            rv = fsm->ops->restore_write(fsm->ctx, part.data, part.len);
    }
    recovery->track = (struct restore_track){0};
    /* Above 0: refused, as by every server that stood here. */
    return rv != 0 || fsm->ops->restore_end(fsm->ctx, true) < 0 ? RAFT_EFSM : 0;
}

/* Commands up to the end of a restore, which is *end then. */
static size_t gather(struct recovery *recovery, struct raft_entry *commands,
                     const struct raft_entry **end)
{
    size_t count = 0;

    *end = NULL;
    while (*end == NULL && count < BATCH &&
           recovery->applied < recovery->stored.entry_count) {
        const struct raft_entry *entry =
            &recovery->stored.entries[recovery->applied++];

        if (entry->type == RAFT_ENTRY_COMMAND)
            commands[count++] = *entry;
        if (restore_track_entry(&recovery->track, entry) == 1)
            *end = entry;
    }
    return count;
}

static int apply_batch(struct recovery *recovery)
{
    const struct raft_fsm *fsm = &recovery->config.fsm;
    struct raft_entry commands[BATCH];
    void *results[BATCH] = {NULL};
    const struct raft_entry *end;
    size_t count = gather(recovery, commands, &end);
    size_t i;

    if (count > 0 &&
        fsm->ops->apply(fsm->ctx, commands, count, results) != 0)
        return RAFT_EFSM;
    for (i = 0; i < count; i++) {
        if (results[i] != NULL && fsm->ops->drop_result != NULL)
            fsm->ops->drop_result(fsm->ctx, results[i]);
    }
    return end != NULL ? restore_entries(recovery, end) : 0;
}

static void apply_some(void *arg)
{
    struct recovery *recovery = arg;

    if (apply_batch(recovery) < 0)
        finish(recovery, RAFT_EFSM);
    else if (recovery->applied < recovery->stored.entry_count)
        base_timer_start_ns(&recovery->next, 0);
    else
        settle(recovery);
}

static void restore_piece(struct recovery *recovery);

static void on_read(void *arg, int status, const void *data, size_t len,
                    bool last)
{
    struct recovery *recovery = arg;
    const struct raft_fsm *fsm = &recovery->config.fsm;

    if (status == 0 && fsm->ops->restore_write(fsm->ctx, data, len) != 0)
        status = RAFT_EFSM;
    if (status < 0) {
        finish(recovery, status);
        return;
    }
    recovery->offset += len;
    if (!last) {
        restore_piece(recovery);
        return;
    }
    recovery->restoring = false;
    if (fsm->ops->restore_end(fsm->ctx, true) != 0)
        finish(recovery, RAFT_EFSM);
    else
        base_timer_start_ns(&recovery->next, 0);
}

static void restore_piece(struct recovery *recovery)
{
    struct raft_storage *storage = recovery->config.storage;
    int rv = storage->ops->snapshot_read(
        storage, recovery->stored.snapshot_index, recovery->offset,
        PIECE_BYTES, on_read, recovery);

    if (rv < 0)
        finish(recovery, rv);
}

/* The configuration in force is the newest of the log. */
static struct raft_configuration known_of(const struct raft_stored *stored)
{
    struct raft_configuration known = stored->snapshot_configuration;
    size_t i;

    for (i = stored->entry_count; i > 0; i--) {
        const struct raft_entry *entry = &stored->entries[i - 1];

        if (entry->type == RAFT_ENTRY_CONFIGURATION &&
            configuration_unpack(entry->data, entry->len, &known) == 0)
            break;
    }
    return known;
}

static int prepare(struct recovery *recovery)
{
    const struct raft_stored *stored = &recovery->stored;
    struct raft_configuration known = known_of(stored);

    recovery->index = stored->snapshot_index;
    recovery->term = stored->snapshot_term;
    if (stored->entry_count > 0) {
        recovery->index = stored->entries[stored->entry_count - 1].index;
        recovery->term = stored->entries[stored->entry_count - 1].term;
    }
    if (recovery->index == 0)
        return RAFT_EINVAL;
    if (recovery->config.complete != NULL)
        recovery->config.complete(recovery->config.ctx, &known,
                                  &recovery->configuration);
    configuration_sort(&recovery->configuration);
    configuration_rename(&recovery->configuration);
    return 0;
}

static void on_loaded(void *arg, int status, struct raft_stored *stored)
{
    struct recovery *recovery = arg;
    const struct raft_fsm *fsm = &recovery->config.fsm;

    if (status == 0) {
        recovery->stored = *stored;
        status = prepare(recovery);
    }
    if (status == 0 && stored->snapshot_index > 0) {
        recovery->restoring = fsm->ops->restore_begin(fsm->ctx) == 0;
        if (!recovery->restoring)
            status = RAFT_EFSM;
    }
    if (status < 0)
        finish(recovery, status);
    else if (recovery->restoring)
        restore_piece(recovery);
    else
        base_timer_start_ns(&recovery->next, 0);
}

int raft_recover(struct base_env *env, const struct raft_recover_config *config,
                 raft_storage_done_fn done, void *arg)
{
    struct raft_storage *storage = config->storage;
    struct recovery *recovery;
    int rv = configuration_validate(config->configuration);

    if (rv == 0 && (config->fsm.ops->snapshot == NULL ||
                    config->fsm.ops->restore_begin == NULL))
        rv = RAFT_EINVAL;
    if (rv < 0) {
        storage->ops->close(storage);
        return rv;
    }
    BASE_NEW(recovery);
    recovery->config = *config;
    recovery->configuration = *config->configuration;
    recovery->done = done;
    recovery->arg = arg;
    base_timer_init(&recovery->next, env, "raft-recover", apply_some, recovery);
    rv = storage->ops->load(storage, on_loaded, recovery);
    if (rv < 0) {
        storage->ops->close(storage);
        base_free(recovery);
    }
    return rv;
}
