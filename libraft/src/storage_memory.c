/*
 * Storage in memory. A disk is plain data that outlives storages; writes reach
 * it on the log worker, so a simulated crash loses exactly what had not got
 * that far. Everything is copied both ways: a disk shares nothing with a
 * process.
 */
#include "raft/storage_memory.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "entry.h"
#include "storage_reading.h"

struct memory_snapshot {
    raft_index index;
    raft_term term;
    raft_index configuration_index;
    struct raft_configuration configuration;
    struct base_buf data;
};

struct raft_memory_disk {
    bool used;
    raft_term term;
    char voted_for[RAFT_ID_MAX];
    struct raft_entry *entries; /* data from base_alloc */
    size_t count;
    size_t cap;
    bool lost;               /* entries, and nobody was told yet */
    bool flipped;
    raft_index repair_until; /* struct raft_write */
    struct memory_snapshot snapshot; /* index 0: none */
    struct raft_memory_faults faults;
};

struct storage_memory {
    struct raft_storage storage; /* first */
    struct raft_memory_disk *disk;
    struct storage_queue *queue;
    bool taking;
    struct memory_snapshot next;
};

static struct storage_memory *memory_of(struct raft_storage *storage)
{
    return BASE_CONTAINER_OF(storage, struct storage_memory, storage);
}

/* ---- the disk ---- */

struct raft_memory_disk *raft_memory_disk_new(void)
{
    struct raft_memory_disk *disk;

    BASE_NEW(disk);
    return disk;
}

static void truncate_at(struct raft_memory_disk *disk, size_t count)
{
    while (disk->count > count)
        base_free((void *)disk->entries[--disk->count].data);
}

void raft_memory_disk_free(struct raft_memory_disk *disk)
{
    if (disk == NULL)
        return;
    truncate_at(disk, 0);
    base_free(disk->entries);
    base_buf_close(&disk->snapshot.data);
    base_free(disk);
}

bool raft_memory_disk_is_empty(const struct raft_memory_disk *disk)
{
    return !disk->used;
}

void raft_memory_disk_set_faults(struct raft_memory_disk *disk,
                                 const struct raft_memory_faults *faults)
{
    disk->faults = *faults;
}

size_t raft_memory_disk_entry_count(const struct raft_memory_disk *disk)
{
    return disk->count;
}

bool raft_memory_disk_flip_bit(struct raft_memory_disk *disk, size_t entry,
                               size_t bit)
{
    struct raft_entry *victim;

    if (entry >= disk->count)
        return false;
    victim = &disk->entries[entry];
    if (victim->len == 0)
        victim->checksum ^= 1u << (bit % 32);
    else
        ((uint8_t *)victim->data)[bit / 8 % victim->len] ^=
            (uint8_t)(1u << (bit % 8));
    disk->flipped = true;
    return true;
}

size_t raft_memory_disk_lose_tail(struct raft_memory_disk *disk, size_t count)
{
    if (count > disk->count)
        count = disk->count;
    truncate_at(disk, disk->count - count);
    disk->lost = disk->lost || count > 0;
    return count;
}

bool raft_memory_disk_is_whole(const struct raft_memory_disk *disk)
{
    return !disk->lost && !disk->flipped && disk->repair_until == 0;
}

static void drop_front(struct raft_memory_disk *disk, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        base_free((void *)disk->entries[i].data);
    disk->count -= count;
    memmove(disk->entries, disk->entries + count,
            disk->count * sizeof(*disk->entries));
}

static void append(struct raft_memory_disk *disk,
                   const struct raft_entry *entry)
{
    if (disk->count == disk->cap) {
        disk->cap = disk->cap == 0 ? 64 : disk->cap * 2;
        disk->entries = base_reallocarray(disk->entries, disk->cap,
                                          sizeof(*disk->entries));
    }
    disk->entries[disk->count] = *entry;
    disk->entries[disk->count].data = base_memdup(entry->data, entry->len);
    disk->count++;
}

static void write_one(struct raft_memory_disk *disk,
                      const struct raft_write *write)
{
    size_t i;

    disk->used = true;
    if (write->set_vote) {
        disk->term = write->term;
        snprintf(disk->voted_for, sizeof(disk->voted_for), "%s",
                 write->voted_for);
    }
    if (write->set_repair) {
        disk->lost = false;
        disk->flipped = false;
        disk->repair_until = write->repair_until;
    }
    if (write->truncate_from != 0) {
        for (i = 0; i < disk->count; i++) {
            if (disk->entries[i].index >= write->truncate_from)
                break;
        }
        truncate_at(disk, i);
    }
    for (i = 0; i < write->entry_count; i++)
        append(disk, &write->entries[i]);
}

static int commit(void *storage, const struct storage_op_list *writes)
{
    struct raft_memory_disk *disk = memory_of(storage)->disk;
    const struct storage_op *op;

    if (disk->faults.before_write != NULL) {
        int rv = disk->faults.before_write(disk->faults.arg);

        if (rv < 0)
            return rv;
    }
    STAILQ_FOREACH(op, writes, next)
        write_one(disk, op->write);
    return 0;
}

/* ---- loading ---- */

struct load_op {
    struct storage_op op; /* first */
    raft_storage_load_fn done;
    struct raft_stored *stored;
};

static void stored_free(struct raft_stored *stored)
{
    size_t i;

    for (i = 0; i < stored->entry_count; i++)
        base_free((void *)stored->entries[i].data);
    base_free(stored->entries);
    base_free(stored);
}

/* What the snapshot covers and the log does not continue is left out. */
static void load_entries(const struct raft_memory_disk *disk,
                         struct raft_stored *stored)
{
    size_t i;

    stored->entries = base_reallocarray(NULL, disk->count + 1,
                                        sizeof(*stored->entries));
    for (i = 0; i < disk->count; i++) {
        struct raft_entry entry = disk->entries[i];
        raft_index expected = stored->snapshot_index + 1;

        if (stored->entry_count > 0)
            expected = stored->entries[stored->entry_count - 1].index + 1;
        else if (entry.index < expected)
            continue;
        if (entry.index != expected)
            break;
        if (entry_checksum(&entry) != entry.checksum) {
            stored->behind = true; /* it and all after it are lost */
            break;
        }
        entry.data = base_memdup(entry.data, entry.len);
        stored->entries[stored->entry_count++] = entry;
    }
}

static int load_run(void *storage, struct storage_op *op)
{
    struct raft_memory_disk *disk = memory_of(storage)->disk;
    struct load_op *load = BASE_CONTAINER_OF(op, struct load_op, op);
    struct raft_stored *stored;

    BASE_NEW(stored);
    stored->term = disk->term;
    memcpy(stored->voted_for, disk->voted_for, sizeof(stored->voted_for));
    stored->snapshot_index = disk->snapshot.index;
    stored->snapshot_term = disk->snapshot.term;
    stored->snapshot_configuration = disk->snapshot.configuration;
    stored->configuration_index = disk->snapshot.configuration_index;
    stored->behind = disk->lost;
    stored->repair_until = disk->repair_until;
    load_entries(disk, stored);
    disk->flipped = disk->flipped && stored->behind; /* else: compacted away */
    load->stored = stored;
    return 0;
}

static void load_tell(struct storage_op *op)
{
    struct load_op *load = BASE_CONTAINER_OF(op, struct load_op, op);
    struct raft_stored *stored = load->stored;
    struct raft_stored shell;

    if (op->status < 0) {
        load->done(op->arg, op->status, NULL);
        return;
    }
    shell = *stored;
    base_free(stored);
    load->stored = NULL;
    load->done(op->arg, 0, &shell);
}

static void load_drop(struct storage_op *op)
{
    struct load_op *load = BASE_CONTAINER_OF(op, struct load_op, op);

    if (load->stored != NULL)
        stored_free(load->stored);
}

static int memory_load(struct raft_storage *storage, raft_storage_load_fn done,
                       void *arg)
{
    struct load_op *load;

    BASE_NEW(load);
    load->op = (struct storage_op){.kind = STORAGE_OP_OTHER,
                                   .run = load_run,
                                   .tell = load_tell,
                                   .drop = load_drop,
                                   .arg = arg};
    load->done = done;
    return storage_queue_push(memory_of(storage)->queue, &load->op);
}

static int memory_write(struct raft_storage *storage,
                        const struct raft_write *write,
                        raft_storage_done_fn done, void *arg)
{
    return storage_queue_write(memory_of(storage)->queue, write, done, arg);
}

/* ---- snapshots ---- */

static void memory_snapshot_abort(struct raft_storage *storage)
{
    struct storage_memory *memory = memory_of(storage);

    base_buf_close(&memory->next.data);
    memory->taking = false;
}

static int memory_snapshot_begin(struct raft_storage *storage,
                                 raft_index index, raft_term term,
                                 const struct raft_configuration *configuration,
                                 raft_index configuration_index)
{
    struct storage_memory *memory = memory_of(storage);

    memory_snapshot_abort(storage);
    memory->taking = true;
    memory->next = (struct memory_snapshot){
        .index = index,
        .term = term,
        .configuration = *configuration,
        .configuration_index = configuration_index};
    return 0;
}

/* A done that waits its turn and does nothing else. */
static int nothing_run(void *storage, struct storage_op *op)
{
    (void)storage;
    (void)op;
    return 0;
}

static int memory_snapshot_append(struct raft_storage *storage,
                                  const void *data, size_t len,
                                  raft_storage_done_fn done, void *arg)
{
    struct storage_memory *memory = memory_of(storage);
    struct storage_op *op;

    if (!memory->taking)
        return RAFT_EINVAL;
    base_buf_append(&memory->next.data, data, len);
    BASE_NEW(op);
    op->kind = STORAGE_OP_OTHER;
    op->run = nothing_run;
    op->done = done;
    op->arg = arg;
    return storage_queue_push(memory->queue, op);
}

struct finish_op {
    struct storage_op op; /* first */
    struct memory_snapshot snapshot;
    raft_index keep_after;
};

static void finish_log(struct raft_memory_disk *disk, raft_index keep_after)
{
    const struct memory_snapshot *snapshot = &disk->snapshot;
    bool matches = false;
    size_t i;

    for (i = 0; i < disk->count; i++)
        matches = matches || (disk->entries[i].index == snapshot->index &&
                              disk->entries[i].term == snapshot->term);
    if (!matches) {
        truncate_at(disk, 0);
        return;
    }
    for (i = 0; i < disk->count; i++) {
        if (disk->entries[i].index > keep_after)
            break;
    }
    drop_front(disk, i);
}

static int finish_run(void *storage, struct storage_op *op)
{
    struct raft_memory_disk *disk = memory_of(storage)->disk;
    struct finish_op *finish = BASE_CONTAINER_OF(op, struct finish_op, op);

    disk->used = true;
    base_buf_close(&disk->snapshot.data);
    disk->snapshot = finish->snapshot;
    finish->snapshot.data = (struct base_buf)BASE_BUF_INIT;
    finish_log(disk, finish->keep_after);
    return 0;
}

static void finish_drop(struct storage_op *op)
{
    struct finish_op *finish = BASE_CONTAINER_OF(op, struct finish_op, op);

    base_buf_close(&finish->snapshot.data);
}

static int memory_snapshot_finish(struct raft_storage *storage,
                                  raft_index keep_after,
                                  raft_storage_done_fn done, void *arg)
{
    struct storage_memory *memory = memory_of(storage);
    struct finish_op *finish;

    if (!memory->taking)
        return RAFT_EINVAL;
    memory->taking = false;
    BASE_NEW(finish);
    finish->op = (struct storage_op){.kind = STORAGE_OP_OTHER,
                                     .run = finish_run,
                                     .drop = finish_drop,
                                     .fatal = true,
                                     .done = done,
                                     .arg = arg};
    finish->snapshot = memory->next;
    finish->keep_after = keep_after;
    memory->next.data = (struct base_buf)BASE_BUF_INIT;
    return storage_queue_push(memory->queue, &finish->op);
}

struct read_op {
    struct storage_op op; /* first */
    raft_index index;
    uint64_t offset;
    size_t limit;
    void *data;
    size_t len;
    bool last;
    void (*done)(void *arg, int status, const void *data, size_t len,
                 bool last);
};

static int read_run(void *storage, struct storage_op *op)
{
    const struct memory_snapshot *snapshot =
        &memory_of(storage)->disk->snapshot;
    struct read_op *read = BASE_CONTAINER_OF(op, struct read_op, op);
    size_t total = base_buf_len(&snapshot->data);

    if (snapshot->index != read->index || read->offset > total)
        return RAFT_EINVAL;
    read->len = total - (size_t)read->offset;
    if (read->len > read->limit)
        read->len = read->limit;
    read->last = read->offset + read->len == total;
    read->data = base_memdup(base_buf_data(&snapshot->data) + read->offset,
                             read->len);
    return 0;
}

static void read_tell(struct storage_op *op)
{
    struct read_op *read = BASE_CONTAINER_OF(op, struct read_op, op);

    read->done(op->arg, op->status, read->data, read->len, read->last);
}

static void read_drop(struct storage_op *op)
{
    base_free(BASE_CONTAINER_OF(op, struct read_op, op)->data);
}

static int memory_snapshot_read(struct raft_storage *storage,
                                raft_index index, uint64_t offset,
                                size_t limit,
                                void (*done)(void *arg, int status,
                                             const void *data, size_t len,
                                             bool last),
                                void *arg)
{
    struct read_op *read;

    BASE_NEW(read);
    read->op = (struct storage_op){.kind = STORAGE_OP_OTHER,
                                   .run = read_run,
                                   .tell = read_tell,
                                   .drop = read_drop,
                                   .arg = arg};
    read->index = index;
    read->offset = offset;
    read->limit = limit;
    read->done = done;
    return storage_queue_push(memory_of(storage)->queue, &read->op);
}

static int entries_run(void *storage, struct storage_op *op)
{
    const struct raft_memory_disk *disk = memory_of(storage)->disk;
    struct storage_reading *reading = storage_reading_of(op);
    size_t i;

    for (i = 0; i < disk->count; i++) {
        if (disk->entries[i].index >= reading->first &&
            !storage_reading_add(reading, &disk->entries[i]))
            break;
    }
    return reading->count > 0 && reading->entries[0].index != reading->first
               ? RAFT_EINVAL
               : 0;
}

static int memory_read_entries(struct raft_storage *storage, raft_index first,
                               size_t limit, raft_storage_entries_fn done,
                               void *arg)
{
    return storage_reading_push(memory_of(storage)->queue, entries_run, first,
                                limit, done, arg);
}

static void memory_close(struct raft_storage *storage)
{
    struct storage_memory *memory = memory_of(storage);

    storage_queue_close(memory->queue);
    memory_snapshot_abort(storage);
    base_free(memory);
}

struct raft_storage *raft_storage_memory_open(struct base_env *env,
                                              struct raft_memory_disk *disk)
{
    static const struct raft_storage_ops ops = {
        .version = 2,
        .load = memory_load,
        .write = memory_write,
        .snapshot_begin = memory_snapshot_begin,
        .snapshot_append = memory_snapshot_append,
        .snapshot_finish = memory_snapshot_finish,
        .snapshot_abort = memory_snapshot_abort,
        .snapshot_read = memory_snapshot_read,
        .close = memory_close,
        .read_entries = memory_read_entries};
    struct storage_memory *memory;

    BASE_NEW(memory);
    memory->storage.ops = &ops;
    memory->storage.env = env;
    memory->disk = disk;
    memory->queue =
        storage_queue_new(env, BASE_WORKER_LOG, &memory->storage, commit);
    return &memory->storage;
}
