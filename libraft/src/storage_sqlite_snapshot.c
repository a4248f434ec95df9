/*
 * Snapshots of the SQLite storage: a file a snapshot, written and read on the
 * bulk worker. Only the last step, a row in the database and the log before it
 * dropped, is a transaction on the log worker. A crash in between leaves a
 * file that nobody names, and the next one removes it.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "storage_sqlite.h"

#define GIVE_BACK_PAGES 256

static char *file_path(const char *folder, raft_index index)
{
    return base_asprintf("%s/snapshot-%020" PRIu64, folder, index);
}

int sqlite_snapshot_check(const char *folder, raft_index index)
{
    char *path = file_path(folder, index);
    int rv = snapshot_file_check(path);

    base_free(path);
    return rv;
}

void sqlite_snapshot_clean(const char *folder, raft_index index)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char *path;

        if (strncmp(entry->d_name, "snapshot-", 9) != 0 ||
            strtoull(entry->d_name + 9, NULL, 10) == index)
            continue;
        path = base_asprintf("%s/%s", folder, entry->d_name);
        unlink(path);
        base_free(path);
    }
    if (dir != NULL)
        closedir(dir);
}

/* ---- writing ---- */

struct piece_op {
    struct storage_op op; /* first */
    bool begins;
    void *data;
    size_t len;
};

static void piece_drop(struct storage_op *op)
{
    base_free(BASE_CONTAINER_OF(op, struct piece_op, op)->data);
}

static int piece_run(void *storage, struct storage_op *op)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);
    struct piece_op *piece = BASE_CONTAINER_OF(op, struct piece_op, op);
    int rv = 0;

    if (piece->begins) {
        char *path = base_asprintf("%s/snapshot-new", sqlite->folder);

        snapshot_writer_abort(&sqlite->writer);
        rv = snapshot_writer_open(&sqlite->writer, path);
        base_free(path);
        return rv;
    }
    if (sqlite->writer.fd < 0)
        return RAFT_ESTORAGE;
    return snapshot_writer_add(&sqlite->writer, piece->data, piece->len);
}

static int push_piece(struct storage_sqlite *sqlite, const void *data,
                      size_t len, raft_storage_done_fn done, void *arg)
{
    struct piece_op *piece;

    BASE_NEW(piece);
    piece->op = (struct storage_op){.kind = STORAGE_OP_OTHER,
                                    .run = piece_run,
                                    .drop = piece_drop,
                                    .done = done,
                                    .arg = arg};
    piece->begins = data == NULL;
    if (data != NULL)
        piece->data = base_memdup(data, len);
    piece->len = len;
    return storage_queue_push(sqlite->bulk, &piece->op);
}

int sqlite_snapshot_begin(struct raft_storage *storage, raft_index index,
                          raft_term term,
                          const struct raft_configuration *configuration,
                          raft_index configuration_index)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);

    sqlite->taking = true;
    sqlite->taking_index = index;
    sqlite->taking_term = term;
    sqlite->configuration = *configuration;
    sqlite->configuration_index = configuration_index;
    return push_piece(sqlite, NULL, 0, NULL, NULL);
}

int sqlite_snapshot_append(struct raft_storage *storage, const void *data,
                           size_t len, raft_storage_done_fn done, void *arg)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);

    if (!sqlite->taking)
        return RAFT_EINVAL;
    return push_piece(sqlite, data, len, done, arg);
}

void sqlite_snapshot_abort(struct raft_storage *storage)
{
    sqlite_of(storage)->taking = false; /* the next one removes the file */
}

/* ---- finishing: the file on bulk, then the row on log ---- */

struct finish_op {
    struct storage_op op; /* first */
    struct storage_sqlite *sqlite;
    raft_index index, configuration_index, keep_after;
    raft_term term;
    struct raft_configuration configuration;
    raft_storage_done_fn done;
    void *arg;
};

static int record_run(void *storage, struct storage_op *op)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);
    struct finish_op *finish = BASE_CONTAINER_OF(op, struct finish_op, op);
    struct side_record record = sqlite->side.record;
    bool more = true;
    int rv = 0;

    /* The log may end at the snapshot now: promise no more than that first. */
    if (record.last_index > finish->index) {
        record.last_index = finish->index;
        record.last_term = 0;
        rv = side_write(&sqlite->side, &record, true);
    }
    if (rv == 0)
        rv = db_snapshot_finished(&sqlite->db, finish->index, finish->term,
                                  finish->configuration_index,
                                  &finish->configuration, finish->keep_after);
    if (rv == 0) {
        record = sqlite_record_now(sqlite);
        rv = side_write(&sqlite->side, &record, true);
    }
    if (rv == 0)
        sqlite_snapshot_clean(sqlite->folder, finish->index);
    /* The database gives the pages of the dropped log back, some each time. */
    if (rv == 0)
        rv = db_give_back(&sqlite->db, GIVE_BACK_PAGES, &more);
    return rv;
}

static int file_run(void *storage, struct storage_op *op)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);
    struct finish_op *finish = BASE_CONTAINER_OF(op, struct finish_op, op);
    char *path;
    int rv;

    if (sqlite->writer.fd < 0)
        return RAFT_ESTORAGE;
    path = file_path(sqlite->folder, finish->index);
    rv = snapshot_writer_finish(&sqlite->writer, path, sqlite->folder);
    base_free(path);
    return rv;
}

static void file_tell(struct storage_op *op)
{
    struct finish_op *file = BASE_CONTAINER_OF(op, struct finish_op, op);
    struct finish_op *record;
    int rv = op->status;

    if (rv == 0) {
        BASE_NEW(record);
        *record = *file;
        record->op = (struct storage_op){.kind = STORAGE_OP_OTHER,
                                         .run = record_run,
                                         .fatal = true,
                                         .done = file->done,
                                         .arg = file->arg};
        rv = storage_queue_push(file->sqlite->queue, &record->op);
    }
    if (rv < 0)
        file->done(file->arg, rv);
}

int sqlite_snapshot_finish(struct raft_storage *storage,
                           raft_index keep_after, raft_storage_done_fn done,
                           void *arg)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);
    struct finish_op *finish;

    if (!sqlite->taking)
        return RAFT_EINVAL;
    sqlite->taking = false;
    BASE_NEW(finish);
    finish->op = (struct storage_op){.kind = STORAGE_OP_OTHER,
                                     .run = file_run,
                                     .tell = file_tell};
    finish->sqlite = sqlite;
    finish->index = sqlite->taking_index;
    finish->term = sqlite->taking_term;
    finish->configuration = sqlite->configuration;
    finish->configuration_index = sqlite->configuration_index;
    finish->keep_after = keep_after;
    finish->done = done;
    finish->arg = arg;
    return storage_queue_push(sqlite->bulk, &finish->op);
}

/* ---- reading ---- */

struct read_op {
    struct storage_op op; /* first */
    raft_index index;
    uint64_t offset;
    size_t limit;
    struct base_buf data;
    bool last;
    void (*done)(void *arg, int status, const void *data, size_t len,
                 bool last);
};

static int read_run(void *storage, struct storage_op *op)
{
    struct read_op *read = BASE_CONTAINER_OF(op, struct read_op, op);
    char *path = file_path(sqlite_of(storage)->folder, read->index);
    int rv = snapshot_file_read(path, read->offset, read->limit, &read->data,
                                &read->last);

    base_free(path);
    return rv;
}

static void read_tell(struct storage_op *op)
{
    struct read_op *read = BASE_CONTAINER_OF(op, struct read_op, op);

    read->done(op->arg, op->status, base_buf_data(&read->data),
               base_buf_len(&read->data), read->last);
}

static void read_drop(struct storage_op *op)
{
    base_buf_close(&BASE_CONTAINER_OF(op, struct read_op, op)->data);
}

int sqlite_snapshot_read(struct raft_storage *storage, raft_index index,
                         uint64_t offset, size_t limit,
                         void (*done)(void *arg, int status, const void *data,
                                      size_t len, bool last),
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
    return storage_queue_push(sqlite_of(storage)->bulk, &read->op);
}
