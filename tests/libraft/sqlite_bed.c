/* The storage on a real loop, and hands that reach into its files. */
#include "sqlite_bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "entry.h"
#include "raft/storage_sqlite.h"
#include "suite.h"

#define WAIT_MS 20000

void bed_folder(struct sqlite_bed *world)
{
    memset(world, 0, sizeof(*world));
    strcpy(world->folder, "/tmp/raft-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(world->folder));
}

/* From here on there are threads: who forks does it before, since a child that
 * is born while one of them holds a lock never gets it. */
void bed_start(struct sqlite_bed *world)
{
    world->workers = base_workers_new();
    world->loop = base_loop_new("test", NULL, NULL, world->workers);
    ck_assert_ptr_nonnull(world->loop);
}

void bed_setup(struct sqlite_bed *world)
{
    bed_folder(world);
    bed_start(world);
}

int bed_open(struct sqlite_bed *world, const char *id)
{
    char *why = NULL;
    int rv = raft_storage_sqlite_open(base_loop_env(world->loop), world->folder,
                                      id, &world->storage, &why);

    if (rv < 0)
        ck_assert_ptr_nonnull(why); /* never without a sentence */
    base_free(why);
    return rv;
}

void bed_close_storage(struct sqlite_bed *world)
{
    if (world->storage != NULL)
        world->storage->ops->close(world->storage);
    world->storage = NULL;
}

void bed_remove(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[400];

        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
}

static void stored_free(struct raft_stored *stored)
{
    size_t i;

    for (i = 0; i < stored->entry_count; i++)
        base_free((void *)stored->entries[i].data);
    base_free(stored->entries);
    memset(stored, 0, sizeof(*stored));
}

void bed_stop(struct sqlite_bed *world)
{
    bed_close_storage(world);
    stored_free(&world->stored);
    base_loop_free(world->loop);
    base_workers_free(world->workers);
}

void bed_teardown(struct sqlite_bed *world)
{
    bed_stop(world);
    bed_remove(world->folder);
}

static void on_done(void *arg, int status)
{
    ((struct sqlite_bed *)arg)->status = status;
}

static bool is_done(void *arg)
{
    return ((struct sqlite_bed *)arg)->status != 1;
}

int bed_wait(struct sqlite_bed *world)
{
    ck_assert(base_loop_run_until(world->loop, is_done, world, WAIT_MS));
    return world->status;
}

static void on_loaded(void *arg, int status, struct raft_stored *stored)
{
    struct sqlite_bed *world = arg;

    stored_free(&world->stored);
    if (status == 0)
        world->stored = *stored;
    world->status = status;
}

int bed_load(struct sqlite_bed *world)
{
    world->status = 1;
    ck_assert_int_eq(
        world->storage->ops->load(world->storage, on_loaded, world), 0);
    return bed_wait(world);
}

int bed_write(struct sqlite_bed *world, const struct raft_write *write)
{
    world->status = 1;
    ck_assert_int_eq(
        world->storage->ops->write(world->storage, write, on_done, world), 0);
    return bed_wait(world);
}

struct raft_entry bed_entry(raft_index index, raft_term term, const void *data,
                            size_t len)
{
    struct raft_entry entry = {.index = index,
                               .term = term,
                               .type = RAFT_ENTRY_COMMAND,
                               .data = data,
                               .len = len};

    entry.checksum = entry_checksum(&entry);
    return entry;
}

/* Entries from..from+count-1 of a term, in one write. */
void bed_write_entries(struct sqlite_bed *world, raft_index from, size_t count,
                       raft_term term)
{
    struct raft_entry *entries = base_calloc(count, sizeof(*entries));
    struct raft_write write = {.entries = entries, .entry_count = count};
    size_t i;

    for (i = 0; i < count; i++)
        entries[i] = bed_entry(from + i, term, "0123456789abcdef", 16);
    ck_assert_int_eq(bed_write(world, &write), 0);
    base_free(entries);
}

void bed_reopen(struct sqlite_bed *world)
{
    bed_close_storage(world);
    ck_assert_int_eq(bed_open(world, "s1"), 0);
    ck_assert_int_eq(bed_load(world), 0);
}

/* Runs SQL behind the storage's back. */
void bed_meddle(struct sqlite_bed *world, const char *sql)
{
    char path[128];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/raft.db", world->folder);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* The one number that a query gives. */
int bed_ask(struct sqlite_bed *world, const char *sql)
{
    char path[128];
    sqlite3_stmt *statement;
    sqlite3 *db;
    int value;

    snprintf(path, sizeof(path), "%s/raft.db", world->folder);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

void bed_overwrite(struct sqlite_bed *world, const char *name, off_t at,
                   const void *data, size_t len)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", world->folder, name);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, data, len, at), (ssize_t)len);
    close(fd);
}

uint8_t bed_content_at(size_t at)
{
    return (uint8_t)(at * 31 >> 3);
}

void bed_take_snapshot(struct sqlite_bed *world, raft_index index,
                       raft_term term, raft_index keep_after)
{
    const struct raft_storage_ops *ops = world->storage->ops;
    struct raft_configuration configuration = {.server_count = 1};
    uint8_t *piece = base_alloc(PIECE);
    size_t i, j;

    strcpy(configuration.servers[0].id, "s1");
    strcpy(configuration.cluster_id, "test");
    ck_assert_int_eq(
        ops->snapshot_begin(world->storage, index, term, &configuration, 1), 0);
    for (i = 0; i < PIECES; i++) {
        for (j = 0; j < PIECE; j++)
            piece[j] = bed_content_at(i * PIECE + j);
        world->status = 1;
        ck_assert_int_eq(
            ops->snapshot_append(world->storage, piece, PIECE, on_done, world),
            0);
        ck_assert_int_eq(bed_wait(world), 0);
    }
    world->status = 1;
    ck_assert_int_eq(
        ops->snapshot_finish(world->storage, keep_after, on_done, world), 0);
    ck_assert_int_eq(bed_wait(world), 0);
    base_free(piece);
}
