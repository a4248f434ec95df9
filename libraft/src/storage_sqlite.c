/*
 * The storage of a real server: raft.db, the side record and a lock in one
 * folder. Writes go to the log worker in batches, each one transaction; the
 * write-ahead log is moved into the database on the bulk worker, so that what
 * is left for the log worker to move is small.
 */
#include "storage_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "configuration.h"
#include "sqlite_read.h"
#include "sqlite_wal.h"

/* 6 to 10 MiB of write-ahead log. Moving it competes with commits for the disk:
 * more often than this, or more at once, and the slowest hundredth of commits
 * takes longer. By chance between the two, because servers of one cluster write
 * the same: when each moves its log at another time, a majority has none. */
#define CHECKPOINT_PAGES_MIN 1500
#define CHECKPOINT_PAGES_SPREAD 1000
/* So little is left to the log worker, if that takes no more rounds. */
#define REST_PAGES 100
#define ROUNDS_MAX 4

/* ---- on the log worker ---- */

struct side_record sqlite_record_now(const struct storage_sqlite *sqlite)
{
    struct side_record record;

    memset(&record, 0, sizeof(record));
    record.term = sqlite->db.term;
    memcpy(record.voted_for, sqlite->db.voted_for, sizeof(record.voted_for));
    record.last_index = sqlite->db.last_index;
    record.last_term = sqlite->db.last_term;
    record.repair_until = sqlite->side.record.repair_until;
    record.behind = sqlite->side.record.behind;
    if (record.behind) { /* what was promised stays so */
        record.last_index = sqlite->side.record.last_index;
        record.last_term = sqlite->side.record.last_term;
    }
    return record;
}

/* Before the log gets shorter, the side record has to promise less: else a
 * crash between the two would look like a loss. And before it promises less
 * than was lost, it has to say until where. */
static int side_before(struct storage_sqlite *sqlite,
                       const struct storage_op_list *writes)
{
    struct side_record record = sqlite->side.record;
    const struct storage_op *op;
    bool differs = false;

    STAILQ_FOREACH(op, writes, next) {
        raft_index from = op->write->truncate_from;

        if (from != 0 && record.last_index >= from) {
            record.last_index = from - 1;
            record.last_term = 0;
            differs = true;
        }
        if (op->write->set_repair) {
            record.repair_until = op->write->repair_until;
            record.behind = false;
            differs = true;
        }
    }
    return differs ? side_write(&sqlite->side, &record, true) : 0;
}

/* A vote is synced there too before it is answered; an append only written:
 * that survives the process, and checkpoints sync it. */
static int side_after(struct storage_sqlite *sqlite,
                      const struct storage_op_list *writes)
{
    struct side_record record = sqlite_record_now(sqlite);
    const struct storage_op *op;
    bool sync = false;

    STAILQ_FOREACH(op, writes, next)
        sync = sync || op->write->set_vote;
    return side_write(&sqlite->side, &record, sync);
}

static uint64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static int commit(void *storage, const struct storage_op_list *writes)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);
    uint64_t began_us = clock_us();
    int rv = side_before(sqlite, writes);

    if (rv == 0)
        rv = db_commit_writes(&sqlite->db, writes);
    base_histogram_observe(sqlite->sync_us, clock_us() - began_us);
    if (rv == 0)
        rv = side_after(sqlite, writes);
    return rv;
}

/* ---- checkpoints ---- */

/* The count is the log worker's; a little old, it only times the work. */
static int wal_pages(const struct storage_sqlite *sqlite)
{
    return __atomic_load_n(&sqlite->db.wal_pages, __ATOMIC_RELAXED);
}

static int checkpoint_rest_run(void *storage, struct storage_op *op)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);
    struct side_record record = sqlite_record_now(sqlite);
    int moved;
    int rv = wal_checkpoint(&sqlite->db, &moved);

    (void)op;
    __atomic_store_n(&sqlite->db.wal_pages, 0, __ATOMIC_RELAXED);
    return rv < 0 ? rv : side_write(&sqlite->side, &record, true);
}

static void set_checkpoint(struct storage_sqlite *sqlite)
{
    sqlite->checkpoint_pages =
        CHECKPOINT_PAGES_MIN +
        (int)base_env_random_below(sqlite->storage.env,
                                   CHECKPOINT_PAGES_SPREAD);
}

static void checkpoint_rest_done(void *arg, int status)
{
    struct storage_sqlite *sqlite = arg;

    (void)status; /* fatal: the queue has failed */
    sqlite->checkpointing = false;
    set_checkpoint(sqlite);
}

/* Each round moves what was committed during the one before it. */
static int checkpoint_bulk_run(void *storage, struct storage_op *op)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);
    int rounds = 0;
    int moved = 0;
    int rv;

    (void)op;
    do {
        rv = wal_checkpoint(&sqlite->bulk_db, &moved);
    } while (rv == 0 && wal_pages(sqlite) - moved > REST_PAGES &&
             ++rounds < ROUNDS_MAX);
    return rv;
}

/* Most is moved; what came meanwhile is the log worker's to finish, so that
 * the write-ahead log can begin anew. */
static void checkpoint_bulk_done(void *arg, int status)
{
    struct storage_sqlite *sqlite = arg;
    struct storage_op *op;

    if (status < 0)
        base_log(&sqlite->log, BASE_LOG_ERROR, "checkpoint failed",
                 kv_str("error", raft_strerror(status)));
    BASE_NEW(op);
    op->kind = STORAGE_OP_OTHER;
    op->run = checkpoint_rest_run;
    op->fatal = true;
    op->done = checkpoint_rest_done;
    op->arg = sqlite;
    (void)storage_queue_push(sqlite->queue, op);
}

static void consider_checkpoint(struct storage_sqlite *sqlite)
{
    struct storage_op *op;

    if (sqlite->checkpointing || wal_pages(sqlite) < sqlite->checkpoint_pages)
        return;
    sqlite->checkpointing = true;
    BASE_NEW(op);
    op->kind = STORAGE_OP_OTHER;
    op->run = checkpoint_bulk_run;
    op->done = checkpoint_bulk_done;
    op->arg = sqlite;
    (void)storage_queue_push(sqlite->bulk, op);
}

/* ---- loading ---- */

struct load_op {
    struct storage_op op; /* first */
    raft_storage_load_fn done;
    struct raft_stored *stored;
};

/* The term of the last entry that the side record promises; 0: not known. */
static raft_term term_promised(const struct side_record *side,
                               const struct raft_stored *stored)
{
    size_t at = (size_t)(side->last_index - stored->snapshot_index - 1);

    if (side->last_term == 0 || side->last_index <= stored->snapshot_index ||
        at >= stored->entry_count)
        return side->last_term;
    return stored->entries[at].term;
}

/* Whether the database is an older one than the side record knew, as after a
 * bit that flipped in its write-ahead log: shorter, of an earlier term or
 * vote, or with what a later leader had replaced. */
static bool is_older(const struct storage_sqlite *sqlite,
                     const struct raft_stored *stored)
{
    const struct side_record *side = &sqlite->side.record;

    return side->last_index > sqlite->db.last_index ||
           side->last_term != term_promised(side, stored) ||
           side->term > stored->term ||
           (side->term == stored->term && side->voted_for[0] != '\0' &&
            strcmp(side->voted_for, stored->voted_for) != 0);
}

/* What the side record promises and the database does not show. The newer
 * term and vote are believed wherever they are found. */
static void compare_with_side(struct storage_sqlite *sqlite,
                              struct raft_stored *stored)
{
    const struct side_record *side = &sqlite->side.record;

    if (!sqlite->side.found)
        return;
    stored->repair_until = side->repair_until;
    stored->behind = stored->behind || side->behind;
    if (is_older(sqlite, stored)) {
        base_log(&sqlite->log, BASE_LOG_ERROR,
                 "raft.db shows less than its side record",
                 kv_uint("term", stored->term), kv_uint("side_term", side->term),
                 kv_uint("last_index", sqlite->db.last_index),
                 kv_uint("side_last_index", side->last_index));
        stored->behind = true;
    }
    if (side->term > stored->term ||
        (side->term == stored->term && side->voted_for[0] != '\0')) {
        stored->term = side->term;
        memcpy(stored->voted_for, side->voted_for, sizeof(stored->voted_for));
        sqlite->db.term = stored->term;
        memcpy(sqlite->db.voted_for, stored->voted_for,
               sizeof(sqlite->db.voted_for));
    }
}

/* Once something is known to be lost it is lost until a leader has given it
 * back: a term that is written meanwhile must not hide it. */
static int note_loss(struct storage_sqlite *sqlite,
                     const struct raft_stored *stored)
{
    struct side_record record = sqlite->side.record;

    if (!stored->behind || !sqlite->side.found || record.behind)
        return 0;
    record.behind = true;
    return side_write(&sqlite->side, &record, true);
}

/* Pages of SQLite's have no checksums; what does not hang together is found
 * here, not at a write in the middle of the day. */
static int load_sound(struct storage_sqlite *sqlite,
                      struct raft_stored *stored)
{
    int rv = db_check(&sqlite->db);

    if (rv == 0)
        rv = db_load(&sqlite->db, stored);
    if (rv == 0 && stored->snapshot_index > 0)
        rv = sqlite_snapshot_check(sqlite->folder, stored->snapshot_index);
    return rv;
}

static void stored_reset(struct raft_stored *stored)
{
    size_t i;

    for (i = 0; i < stored->entry_count; i++)
        base_free((void *)stored->entries[i].data);
    base_free(stored->entries);
    memset(stored, 0, sizeof(*stored));
}

static int load_run(void *storage, struct storage_op *op)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);
    struct load_op *load = BASE_CONTAINER_OF(op, struct load_op, op);
    int rv;

    BASE_NEW(load->stored);
    rv = load_sound(sqlite, load->stored);
    if (rv == RAFT_ECORRUPT) {
        stored_reset(load->stored);
        rv = sqlite_set_aside(sqlite);
        if (rv == 0)
            rv = db_load(&sqlite->db, load->stored);
    }
    if (rv == 0) {
        compare_with_side(sqlite, load->stored);
        rv = note_loss(sqlite, load->stored);
    }
    if (rv == 0) {
        sqlite_snapshot_clean(sqlite->folder, load->stored->snapshot_index);
    }
    return rv;
}

static void load_tell(struct storage_op *op)
{
    struct load_op *load = BASE_CONTAINER_OF(op, struct load_op, op);
    struct raft_stored shell;

    if (op->status < 0) {
        load->done(op->arg, op->status, NULL);
        return;
    }
    shell = *load->stored;
    base_free(load->stored);
    load->stored = NULL;
    load->done(op->arg, 0, &shell);
}

static void load_drop(struct storage_op *op)
{
    struct load_op *load = BASE_CONTAINER_OF(op, struct load_op, op);

    if (load->stored == NULL)
        return;
    stored_reset(load->stored);
    base_free(load->stored);
}

static int sqlite_load(struct raft_storage *storage, raft_storage_load_fn done,
                       void *arg)
{
    struct load_op *load;

    BASE_NEW(load);
    load->op = (struct storage_op){.kind = STORAGE_OP_OTHER,
                                   .run = load_run,
                                   .tell = load_tell,
                                   .drop = load_drop,
                                   .fatal = true,
                                   .arg = arg};
    load->done = done;
    return storage_queue_push(sqlite_of(storage)->queue, &load->op);
}

static int sqlite_write(struct raft_storage *storage,
                        const struct raft_write *write,
                        raft_storage_done_fn done, void *arg)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);

    consider_checkpoint(sqlite);
    return storage_queue_write(sqlite->queue, write, done, arg);
}

/* From the bulk worker: a lagging follower must not keep the log worker. */
static int read_run(void *storage, struct storage_op *op)
{
    return db_read(&sqlite_of(storage)->bulk_db, storage_reading_of(op));
}

static int sqlite_read_entries(struct raft_storage *storage, raft_index first,
                               size_t limit, raft_storage_entries_fn done,
                               void *arg)
{
    return storage_reading_push(sqlite_of(storage)->bulk, read_run, first,
                                limit, done, arg);
}

/* ---- opening and closing ---- */

static void sqlite_free(struct storage_sqlite *sqlite)
{
    if (sqlite->bulk_db.sqlite != NULL)
        db_close(&sqlite->bulk_db);
    if (sqlite->db.sqlite != NULL)
        db_close(&sqlite->db);
    side_close(&sqlite->side);
    snapshot_writer_abort(&sqlite->writer);
    base_free(sqlite->folder);
    if (sqlite->lock_fd >= 0)
        close(sqlite->lock_fd);
    base_free(sqlite);
}

static void sqlite_close_storage(struct raft_storage *storage)
{
    struct storage_sqlite *sqlite = sqlite_of(storage);

    storage_queue_close(sqlite->bulk);
    storage_queue_close(sqlite->queue);
    sqlite_free(sqlite);
}

/* A lock that belongs to the open file, so that it also keeps out another
 * storage of this process, and goes with the process however that ends. */
static int lock_folder(const char *folder, int *fd, char **why)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *path = base_asprintf("%s/lock", folder);
    int rv = 0;

    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0) {
        rv = base_error_from_errno(errno);
        *why = base_asprintf("%s: %s", path, strerror(errno));
    } else if (fcntl(*fd, F_OFD_SETLK, &lock) < 0) {
        rv = RAFT_ELOCKED;
        *why = base_asprintf("%s is held by another process", path);
    }
    base_free(path);
    return rv;
}

static int open_side(struct storage_sqlite *sqlite, const char *folder,
                     char **why)
{
    char *path = base_asprintf("%s/side", folder);
    int rv = side_open(&sqlite->side, path);

    if (rv < 0) {
        *why = base_asprintf("%s: %s", path, raft_strerror(rv));
    } else if (sqlite->side.found &&
               strcmp(sqlite->side.server_id, sqlite->server_id) != 0) {
        rv = RAFT_EFOREIGN;
        *why = base_asprintf("%s belongs to server %s, not to %s", path,
                             sqlite->side.server_id, sqlite->server_id);
    }
    memcpy(sqlite->side.server_id, sqlite->server_id, RAFT_ID_MAX);
    base_free(path);
    return rv;
}

/* New files are there after a power loss only if their folder is synced. */
static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rv = 0;

    if (fd < 0 || fsync(fd) < 0)
        rv = base_error_from_errno(errno);
    if (fd >= 0)
        close(fd);
    return rv;
}

static int open_databases(struct storage_sqlite *sqlite, char **why)
{
    char *path = base_asprintf("%s/raft.db", sqlite->folder);
    int rv = db_open(&sqlite->db, path, sqlite->server_id, &sqlite->log, why);

    if (rv == 0)
        rv = db_open(&sqlite->bulk_db, path, sqlite->server_id, &sqlite->log,
                     why);
    base_free(path);
    return rv;
}

/* The write-ahead log goes first: beside a new database it would be believed. */
static int rename_away(const char *folder)
{
    static const char *const ends[] = {"-wal", ""};
    int rv = 0;
    size_t i;

    for (i = 0; rv == 0 && i < BASE_COUNT_OF(ends); i++) {
        char *from = base_asprintf("%s/raft.db%s", folder, ends[i]);
        char *to = base_asprintf("%s/raft.db.damaged%s", folder, ends[i]);

        if (rename(from, to) < 0 && errno != ENOENT)
            rv = base_error_from_errno(errno);
        base_free(from);
        base_free(to);
        if (rv == 0)
            rv = sync_folder(folder);
    }
    return rv;
}

int sqlite_set_aside(struct storage_sqlite *sqlite)
{
    struct side_record record = sqlite->side.record;
    char *why = NULL;
    int rv;

    if (!sqlite->side.found)
        return RAFT_ECORRUPT; /* what it promised nobody knows */
    record.behind = true;
    rv = side_write(&sqlite->side, &record, true);
    if (sqlite->bulk_db.sqlite != NULL)
        db_close(&sqlite->bulk_db);
    if (sqlite->db.sqlite != NULL)
        db_close(&sqlite->db);
    if (rv == 0)
        rv = rename_away(sqlite->folder);
    if (rv == 0)
        rv = open_databases(sqlite, &why);
    base_log(&sqlite->log, BASE_LOG_ERROR,
             "raft.db is damaged: it is now raft.db.damaged, and this server "
             "waits for its leader to give everything back",
             kv_str("folder", sqlite->folder),
             kv_str("error", rv == 0 ? "" : raft_strerror(rv)));
    base_free(why);
    return rv;
}

static int open_files(struct storage_sqlite *sqlite, const char *folder,
                      const char *server_id, char **why)
{
    int rv = lock_folder(folder, &sqlite->lock_fd, why);

    if (rv == 0 && !text_copy(sqlite->server_id, sizeof(sqlite->server_id),
                              server_id))
        rv = RAFT_EINVAL;
    if (rv == 0)
        rv = open_side(sqlite, folder, why);
    if (rv == 0)
        rv = open_databases(sqlite, why);
    if (rv == RAFT_ECORRUPT && sqlite->side.found) {
        base_free(*why);
        *why = NULL;
        rv = sqlite_set_aside(sqlite);
        if (rv < 0)
            *why = base_asprintf("%s/raft.db is damaged, and cannot be put "
                                 "aside: %s",
                                 folder, raft_strerror(rv));
    }
    if (rv == 0) {
        rv = sync_folder(folder);
        if (rv < 0)
            *why = base_asprintf("%s: cannot be synced", folder);
    }
    return rv;
}

int raft_storage_sqlite_open(struct base_env *env, const char *folder,
                             const char *server_id, struct raft_storage **out,
                             char **why)
{
    static const struct raft_storage_ops ops = {
        .version = 2,
        .load = sqlite_load,
        .write = sqlite_write,
        .snapshot_begin = sqlite_snapshot_begin,
        .snapshot_append = sqlite_snapshot_append,
        .snapshot_finish = sqlite_snapshot_finish,
        .snapshot_abort = sqlite_snapshot_abort,
        .snapshot_read = sqlite_snapshot_read,
        .close = sqlite_close_storage,
        .read_entries = sqlite_read_entries};
    struct storage_sqlite *sqlite;
    char *reason = NULL;
    int rv;

    *out = NULL;
    BASE_NEW(sqlite);
    sqlite->lock_fd = -1;
    sqlite->writer.fd = -1;
    sqlite->folder = base_strdup(folder);
    sqlite->side.fd = -1;
    sqlite->log = base_log_named(&env->log, "raft");
    sqlite->sync_us = base_metrics_histogram(env->metrics,
                                             "isthmus.raft.sync_us", NULL,
                                             NULL);
    sqlite->storage.ops = &ops;
    sqlite->storage.env = env;
    rv = open_files(sqlite, folder, server_id, &reason);
    if (rv < 0) {
        sqlite_free(sqlite);
        if (why != NULL)
            *why = reason;
        else
            base_free(reason);
        return rv;
    }
    set_checkpoint(sqlite);
    sqlite->queue = storage_queue_new(env, BASE_WORKER_LOG, &sqlite->storage,
                                      commit);
    sqlite->bulk =
        storage_queue_new(env, BASE_WORKER_BULK, &sqlite->storage, NULL);
    *out = &sqlite->storage;
    return 0;
}
