/* The SQLite storage on a real loop and a real disk: what it wrote is there
 * again, what is damaged or foreign is said, kill -9 loses nothing answered. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "entry.h"
#include "raft/storage_sqlite.h"
#include "suite.h"

#define WAIT_MS 20000

struct world {
    struct base_workers *workers;
    struct base_loop *loop;
    struct raft_storage *storage;
    char folder[64];
    struct raft_stored stored;
    int status; /* 1: not yet */
};

static void setup_folder(struct world *world)
{
    memset(world, 0, sizeof(*world));
    strcpy(world->folder, "/tmp/raft-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(world->folder));
}

/* From here on there are threads: who forks does it before, since a child that
 * is born while one of them holds a lock never gets it. */
static void start_world(struct world *world)
{
    world->workers = base_workers_new();
    world->loop = base_loop_new("test", NULL, NULL, world->workers);
    ck_assert_ptr_nonnull(world->loop);
}

static void setup_world(struct world *world)
{
    setup_folder(world);
    start_world(world);
}

static int open_as(struct world *world, const char *id)
{
    char *why = NULL;
    int rv = raft_storage_sqlite_open(base_loop_env(world->loop),
                                      world->folder, id, &world->storage,
                                      &why);

    if (rv < 0)
        ck_assert_ptr_nonnull(why); /* never without a sentence */
    base_free(why);
    return rv;
}

static void close_storage(struct world *world)
{
    if (world->storage != NULL)
        world->storage->ops->close(world->storage);
    world->storage = NULL;
}

static void remove_folder(const char *folder)
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

static void stop_world(struct world *world)
{
    close_storage(world);
    stored_free(&world->stored);
    base_loop_free(world->loop);
    base_workers_free(world->workers);
}

static void teardown_world(struct world *world)
{
    stop_world(world);
    remove_folder(world->folder);
}

static void on_done(void *arg, int status)
{
    ((struct world *)arg)->status = status;
}

static bool is_done(void *arg)
{
    return ((struct world *)arg)->status != 1;
}

static int wait_done(struct world *world)
{
    ck_assert(base_loop_run_until(world->loop, is_done, world, WAIT_MS));
    return world->status;
}

static void on_loaded(void *arg, int status, struct raft_stored *stored)
{
    struct world *world = arg;

    stored_free(&world->stored);
    if (status == 0)
        world->stored = *stored;
    world->status = status;
}

static int load(struct world *world)
{
    world->status = 1;
    ck_assert_int_eq(world->storage->ops->load(world->storage, on_loaded,
                                               world),
                     0);
    return wait_done(world);
}

static int write_now(struct world *world, const struct raft_write *write)
{
    world->status = 1;
    ck_assert_int_eq(
        world->storage->ops->write(world->storage, write, on_done, world), 0);
    return wait_done(world);
}

static struct raft_entry make_entry(raft_index index, raft_term term,
                                    const void *data, size_t len)
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
static void write_entries(struct world *world, raft_index from, size_t count,
                          raft_term term)
{
    struct raft_entry *entries = base_calloc(count, sizeof(*entries));
    struct raft_write write = {.entries = entries, .entry_count = count};
    size_t i;

    for (i = 0; i < count; i++)
        entries[i] = make_entry(from + i, term, "0123456789abcdef", 16);
    ck_assert_int_eq(write_now(world, &write), 0);
    base_free(entries);
}

static void reopen(struct world *world)
{
    close_storage(world);
    ck_assert_int_eq(open_as(world, "s1"), 0);
    ck_assert_int_eq(load(world), 0);
}

START_TEST(what_was_written_is_there_again)
{
    struct raft_write vote = {.set_vote = true, .term = 7, .voted_for = "s2"};
    struct world world;
    size_t i;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    ck_assert_uint_eq(world.stored.term, 0);
    ck_assert_uint_eq(world.stored.entry_count, 0);
    ck_assert_int_eq(write_now(&world, &vote), 0);
    write_entries(&world, 1, 3000, 7);
    write_entries(&world, 3001, 1, 7);
    reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.term, 7);
    ck_assert_str_eq(world.stored.voted_for, "s2");
    ck_assert_uint_eq(world.stored.entry_count, 3001);
    for (i = 0; i < 3001; i++) {
        ck_assert_uint_eq(world.stored.entries[i].index, i + 1);
        ck_assert_mem_eq(world.stored.entries[i].data, "0123456789abcdef", 16);
    }
    teardown_world(&world);
}
END_TEST

/* At the start of a row, in the middle of one, of everything. */
static const raft_index cuts[] = {1, 2, 50, 100, 101, 102, 150, 200};

START_TEST(a_truncated_log_stays_truncated)
{
    struct raft_entry entry = make_entry(cuts[_i], 9, "new", 3);
    struct raft_write write = {.truncate_from = cuts[_i],
                               .entries = &entry,
                               .entry_count = 1};
    struct world world;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    write_entries(&world, 1, 100, 1);
    write_entries(&world, 101, 100, 1);
    ck_assert_int_eq(write_now(&world, &write), 0);
    reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.entry_count, cuts[_i]);
    ck_assert_uint_eq(world.stored.entries[cuts[_i] - 1].term, 9);
    ck_assert_mem_eq(world.stored.entries[cuts[_i] - 1].data, "new", 3);
    teardown_world(&world);
}
END_TEST

START_TEST(an_entry_of_the_largest_size_fits)
{
    uint8_t *data = base_calloc(1, RAFT_ENTRY_BYTES_MAX);
    struct raft_entry entries[2];
    struct raft_write write = {.entries = entries, .entry_count = 2};
    struct world world;

    memset(data, 'x', RAFT_ENTRY_BYTES_MAX);
    entries[0] = make_entry(1, 1, data, RAFT_ENTRY_BYTES_MAX);
    entries[1] = make_entry(2, 1, data, 0);
    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    ck_assert_int_eq(write_now(&world, &write), 0);
    reopen(&world);
    ck_assert_uint_eq(world.stored.entry_count, 2);
    ck_assert_uint_eq(world.stored.entries[0].len, RAFT_ENTRY_BYTES_MAX);
    ck_assert_mem_eq(world.stored.entries[0].data, data, RAFT_ENTRY_BYTES_MAX);
    teardown_world(&world);
    base_free(data);
}
END_TEST

START_TEST(a_second_opener_is_locked_out)
{
    struct raft_storage *other;
    struct world world;
    char *why = NULL;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(raft_storage_sqlite_open(base_loop_env(world.loop),
                                              world.folder, "s1", &other,
                                              &why),
                     RAFT_ELOCKED);
    ck_assert_ptr_nonnull(strstr(why, "lock"));
    ck_assert_ptr_null(other);
    base_free(why);
    teardown_world(&world);
}
END_TEST

START_TEST(another_servers_folder_is_refused)
{
    struct world world;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    write_entries(&world, 1, 10, 1);
    close_storage(&world);
    ck_assert_int_eq(open_as(&world, "s2"), RAFT_EFOREIGN);
    reopen(&world); /* and unharmed */
    ck_assert_uint_eq(world.stored.entry_count, 10);
    teardown_world(&world);
}
END_TEST

/* Runs SQL behind the storage's back. */
static void meddle(struct world *world, const char *sql)
{
    char path[128];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/raft.db", world->folder);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* The one number that a query gives. */
static int ask(struct world *world, const char *sql)
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

START_TEST(an_older_format_is_migrated)
{
    struct world world;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    write_entries(&world, 1, 3, 1);
    close_storage(&world);
    /* Rows of format 1 had no room, and said where they end. */
    meddle(&world, "UPDATE meta SET value = '1' WHERE key = 'format';"
                   "UPDATE log SET last = 3, entries ="
                   " CAST(substr(entries, 1, 3 * 41) AS BLOB)");
    reopen(&world);
    ck_assert_uint_eq(world.stored.entry_count, 3);
    write_entries(&world, 4, 3, 1);
    reopen(&world);
    ck_assert_uint_eq(world.stored.entry_count, 6);
    close_storage(&world);
    ck_assert_int_eq(ask(&world, "SELECT value FROM meta"
                                 " WHERE key = 'format'"), 2);
    teardown_world(&world);
}
END_TEST

START_TEST(small_writes_share_a_row)
{
    struct raft_write cut = {.truncate_from = 95};
    struct world world;
    raft_index index;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    for (index = 1; index <= 100; index++)
        write_entries(&world, index, 1, 1);
    write_entries(&world, 101, 1000, 1); /* one of its own, after them */
    write_entries(&world, 1101, 1, 1);
    close_storage(&world);
    ck_assert_int_eq(ask(&world, "SELECT count(*) FROM log"), 3);
    reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.entry_count, 1101);
    /* Cut in the row that had room, which has none from then on. */
    ck_assert_int_eq(write_now(&world, &cut), 0);
    write_entries(&world, 95, 2, 2);
    write_entries(&world, 97, 2, 2);
    reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.entry_count, 98);
    ck_assert_uint_eq(world.stored.entries[93].term, 1);
    ck_assert_uint_eq(world.stored.entries[94].term, 2);
    teardown_world(&world);
}
END_TEST

/* Something was to be there, or the disk is not to be trusted. */
START_TEST(a_byte_in_the_room_is_damage)
{
    struct world world;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    write_entries(&world, 1, 5, 1);
    close_storage(&world);
    meddle(&world, "UPDATE log SET entries = CAST(substr(entries, 1, 4000) ||"
                   " x'01' || substr(entries, 4002) AS BLOB)");
    reopen(&world);
    ck_assert(world.stored.behind);
    ck_assert_uint_eq(world.stored.entry_count, 5);
    teardown_world(&world);
}
END_TEST

START_TEST(a_newer_format_is_refused)
{
    struct world world;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    close_storage(&world);
    meddle(&world, "UPDATE meta SET value = '99' WHERE key = 'format'");
    ck_assert_int_eq(open_as(&world, "s1"), RAFT_EFORMAT);
    teardown_world(&world);
}
END_TEST

static void overwrite(struct world *world, const char *name, off_t at,
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

START_TEST(garbage_is_no_database)
{
    struct world world;
    char garbage[8192];

    memset(garbage, 0x5a, sizeof(garbage));
    setup_world(&world);
    overwrite(&world, "raft.db", 0, garbage, sizeof(garbage));
    ck_assert_int_eq(open_as(&world, "s1"), RAFT_ECORRUPT);
    teardown_world(&world);
}
END_TEST

/* One byte in its data; 1 to 6 take 41 bytes each in the same row. */
static void damage_entry_7(struct world *world)
{
    meddle(world, "UPDATE log SET entries = CAST(substr(entries, 1, 274) ||"
                  " x'FF' || substr(entries, 276) AS BLOB) WHERE first = 1");
}

START_TEST(a_damaged_entry_is_found)
{
    struct world world;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    write_entries(&world, 1, 5, 1);
    write_entries(&world, 6, 5, 1);
    close_storage(&world);
    damage_entry_7(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    ck_assert(world.stored.behind);
    ck_assert_uint_eq(world.stored.entry_count, 6); /* not served */
    teardown_world(&world);
}
END_TEST

/* What was lost is noted before the promise of it is taken back, and the log
 * can begin anew at the damaged entry. */
START_TEST(what_is_being_repaired_is_remembered)
{
    struct raft_write begin = {.set_vote = true,
                               .term = 4,
                               .voted_for = "",
                               .truncate_from = 7,
                               .set_repair = true,
                               .repair_until = 12};
    struct raft_write end = {.set_repair = true};
    struct world world;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    write_entries(&world, 1, 5, 1);
    write_entries(&world, 6, 5, 1);
    close_storage(&world);
    damage_entry_7(&world);
    reopen(&world);
    ck_assert(world.stored.behind);
    ck_assert_int_eq(write_now(&world, &begin), 0);
    reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.repair_until, 12);
    ck_assert_uint_eq(world.stored.entry_count, 6);
    write_entries(&world, 7, 6, 4);
    reopen(&world);
    ck_assert_uint_eq(world.stored.repair_until, 12); /* not our judgement */
    ck_assert_int_eq(write_now(&world, &end), 0);
    reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.repair_until, 0);
    ck_assert_uint_eq(world.stored.entry_count, 12);
    teardown_world(&world);
}
END_TEST

START_TEST(less_than_the_side_record_promises_is_found)
{
    struct raft_write vote = {.set_vote = true, .term = 7, .voted_for = "s2"};
    struct world world;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    write_entries(&world, 1, 10, 1);
    ck_assert_int_eq(write_now(&world, &vote), 0);
    close_storage(&world);
    meddle(&world, "UPDATE state SET term = 6, voted_for = ''");
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    ck_assert(world.stored.behind);
    ck_assert_uint_eq(world.stored.term, 7); /* the newer one is believed */
    ck_assert_str_eq(world.stored.voted_for, "s2");
    close_storage(&world);
    meddle(&world, "UPDATE state SET term = 7; DELETE FROM log");
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    ck_assert(world.stored.behind);
    teardown_world(&world);
}
END_TEST

static void append(struct world *world)
{
    write_entries(world, 1, 10, 1);
    write_entries(world, 11, 10, 1);
}

/* The tail that was replaced is as long as the new one, and the vote was before
 * it: only the term of the last entry tells. */
static void replace(struct world *world)
{
    struct raft_write vote = {.set_vote = true, .term = 2, .voted_for = "s2"};
    struct raft_entry entry = make_entry(10, 2, "new", 3);
    struct raft_write write = {
        .truncate_from = 10, .entries = &entry, .entry_count = 1};

    write_entries(world, 1, 10, 1);
    write_now(world, &vote);
    write_now(world, &write);
}

static void (*const last_writes[])(struct world *world) = {append, replace};

/* A bit flipped in the write-ahead log drops everything after it, without a
 * word from SQLite: the reason for the side record. The process dies so that
 * closing does not move the log away. */
START_TEST(a_bit_flipped_in_the_write_ahead_log_is_found)
{
    struct world world;
    char path[128];
    struct stat info;
    uint8_t byte;
    int fd, status;
    pid_t child;

    setup_folder(&world);
    child = fork();
    if (child == 0) {
        start_world(&world);
        if (open_as(&world, "s1") != 0)
            _exit(1);
        load(&world);
        last_writes[_i](&world);
        kill(getpid(), SIGKILL);
    }
    waitpid(child, &status, 0);
    ck_assert(WIFSIGNALED(status));
    snprintf(path, sizeof(path), "%s/raft.db-wal", world.folder);
    fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &info), 0);
    /* In the last frame, which holds the newest page: zeros follow it. */
    do {
        ck_assert_int_eq(pread(fd, &byte, 1, --info.st_size), 1);
    } while (byte == 0);
    byte ^= 0x10;
    ck_assert_int_eq(pwrite(fd, &byte, 1, info.st_size), 1);
    close(fd);
    start_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    ck_assert(world.stored.behind);
    ck_assert_uint_lt(world.stored.entry_count, 20);
    teardown_world(&world);
}
END_TEST

START_TEST(one_spoilt_slot_of_the_side_record_is_survived)
{
    struct raft_write vote = {.set_vote = true, .term = 3, .voted_for = "s1"};
    struct world world;
    char zeros[512] = {1, 2, 3};

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    ck_assert_int_eq(write_now(&world, &vote), 0);
    write_entries(&world, 1, 10, 3);
    close_storage(&world);
    overwrite(&world, "side", 4096, zeros, sizeof(zeros));
    reopen(&world);
    ck_assert(!world.stored.behind);
    close_storage(&world);
    overwrite(&world, "side", 0, zeros, sizeof(zeros));
    overwrite(&world, "side", 4096, zeros, sizeof(zeros));
    ck_assert_int_eq(open_as(&world, "s1"), RAFT_ECORRUPT);
    teardown_world(&world);
}
END_TEST

/* The write-ahead log is moved away in the background and does not grow. */
START_TEST(the_write_ahead_log_stays_small)
{
    struct world world;
    char path[128];
    struct stat info;
    raft_index at = 1;
    unsigned i;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    for (i = 0; i < 1500; i++, at += 1000)
        write_entries(&world, at, 1000, 1);
    snprintf(path, sizeof(path), "%s/raft.db-wal", world.folder);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_lt(info.st_size, 40 << 20); /* of 60 MiB written */
    teardown_world(&world);
}
END_TEST

/* ---- snapshots ---- */

#define PIECE 100000u
#define PIECES 7u

static uint8_t content_at(size_t at)
{
    return (uint8_t)(at * 31 >> 3);
}

static void take_snapshot(struct world *world, raft_index index,
                          raft_term term, raft_index keep_after)
{
    const struct raft_storage_ops *ops = world->storage->ops;
    struct raft_configuration configuration = {.server_count = 1};
    uint8_t *piece = base_alloc(PIECE);
    size_t i, j;

    strcpy(configuration.servers[0].id, "s1");
    strcpy(configuration.cluster_id, "test");
    ck_assert_int_eq(ops->snapshot_begin(world->storage, index, term,
                                         &configuration, 1),
                     0);
    for (i = 0; i < PIECES; i++) {
        for (j = 0; j < PIECE; j++)
            piece[j] = content_at(i * PIECE + j);
        world->status = 1;
        ck_assert_int_eq(ops->snapshot_append(world->storage, piece, PIECE,
                                              on_done, world),
                         0);
        ck_assert_int_eq(wait_done(world), 0);
    }
    world->status = 1;
    ck_assert_int_eq(ops->snapshot_finish(world->storage, keep_after, on_done,
                                          world),
                     0);
    ck_assert_int_eq(wait_done(world), 0);
    base_free(piece);
}

struct reading {
    struct world *world;
    uint64_t offset;
    bool last;
};

static void on_read(void *arg, int status, const void *data, size_t len,
                    bool last)
{
    struct reading *reading = arg;
    const uint8_t *bytes = data;
    size_t i;

    for (i = 0; status == 0 && i < len; i++)
        ck_assert_uint_eq(bytes[i], content_at((size_t)reading->offset + i));
    reading->offset += len;
    reading->last = last;
    reading->world->status = status;
}

static int read_piece(struct world *world, struct reading *reading,
                      raft_index index)
{
    world->status = 1;
    ck_assert_int_eq(world->storage->ops->snapshot_read(
                         world->storage, index, reading->offset, 77777,
                         on_read, reading),
                     0);
    return wait_done(world);
}

START_TEST(a_snapshot_replaces_the_log_before_it)
{
    struct world world;
    struct reading reading = {&world, 0, false};

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    write_entries(&world, 1, 50, 2);
    write_entries(&world, 51, 50, 2);
    take_snapshot(&world, 80, 2, 60);
    write_entries(&world, 101, 5, 2);
    reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.snapshot_index, 80);
    ck_assert_uint_eq(world.stored.snapshot_term, 2);
    ck_assert_uint_eq(world.stored.snapshot_configuration.server_count, 1);
    ck_assert_uint_eq(world.stored.entry_count, 25);
    ck_assert_uint_eq(world.stored.entries[0].index, 81);
    while (!reading.last)
        ck_assert_int_eq(read_piece(&world, &reading, 80), 0);
    ck_assert_uint_eq(reading.offset, (uint64_t)PIECE * PIECES);
    ck_assert_int_lt(read_piece(&world, &reading, 79), 0); /* not that one */
    teardown_world(&world);
}
END_TEST

START_TEST(a_foreign_log_goes_when_a_snapshot_is_installed)
{
    struct world world;

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    write_entries(&world, 1, 100, 2);
    take_snapshot(&world, 80, 5, 80); /* another term at 80 */
    reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.snapshot_index, 80);
    ck_assert_uint_eq(world.stored.entry_count, 0);
    teardown_world(&world);
}
END_TEST

START_TEST(a_damaged_snapshot_is_found)
{
    struct world world;
    struct reading reading = {&world, 0, false};
    char name[64];

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    write_entries(&world, 1, 100, 2);
    take_snapshot(&world, 80, 2, 80);
    snprintf(name, sizeof(name), "snapshot-%020u", 80);
    overwrite(&world, name, 70000, "\xff\x00\xff", 3);
    ck_assert_int_eq(read_piece(&world, &reading, 80), RAFT_ECORRUPT);
    teardown_world(&world);
}
END_TEST

/* ---- damaged files ---- */

static bool is_there(const struct world *world, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", world->folder, name);
    return access(path, F_OK) == 0;
}

/* A server with a log, a vote and, past its side record, nothing else. */
static void with_history(struct world *world)
{
    struct raft_write vote = {.set_vote = true, .term = 9, .voted_for = "s3"};

    setup_world(world);
    ck_assert_int_eq(open_as(world, "s1"), 0);
    ck_assert_int_eq(load(world), 0);
    write_entries(world, 1, 200, 2);
    write_entries(world, 201, 100, 2);
    ck_assert_int_eq(write_now(world, &vote), 0);
    close_storage(world);
}

static void expect_begun_anew(struct world *world)
{
    ck_assert_int_eq(open_as(world, "s1"), 0);
    ck_assert_int_eq(load(world), 0);
    ck_assert(world->stored.behind);
    ck_assert_uint_eq(world->stored.entry_count, 0);
    ck_assert_uint_eq(world->stored.snapshot_index, 0);
    ck_assert_uint_eq(world->stored.term, 9); /* promises are not lost */
    ck_assert_str_eq(world->stored.voted_for, "s3");
    ck_assert(is_there(world, "raft.db.damaged"));
}

/* The header, the schema, the root of the log and a page below it. */
static const off_t damaged_pages[] = {0, 100, 4096, 3 * 4096, 5 * 4096};

START_TEST(a_damaged_database_is_put_aside)
{
    struct world world;
    char garbage[2048];

    memset(garbage, 0x5a, sizeof(garbage));
    with_history(&world);
    overwrite(&world, "raft.db", damaged_pages[_i], garbage,
              sizeof(garbage));
    expect_begun_anew(&world);
    /* A term that is written meanwhile hides nothing. */
    close_storage(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    ck_assert_int_eq(
        write_now(&world, &(struct raft_write){.set_vote = true, .term = 9,
                                               .voted_for = "s3"}),
        0);
    close_storage(&world);
    expect_begun_anew(&world);
    /* What a leader gives back ends it, once it says until where. */
    ck_assert_int_eq(
        write_now(&world, &(struct raft_write){.set_repair = true,
                                               .repair_until = 40}),
        0);
    close_storage(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.repair_until, 40);
    teardown_world(&world);
}
END_TEST

/* The same for a tail that is missing: only the side record knew it. */
START_TEST(a_lost_tail_stays_lost_when_a_term_is_written)
{
    struct world world;

    with_history(&world);
    meddle(&world, "DELETE FROM log WHERE first > 200");
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    ck_assert(world.stored.behind);
    ck_assert_int_eq(
        write_now(&world, &(struct raft_write){.set_vote = true, .term = 10,
                                               .voted_for = ""}),
        0);
    close_storage(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    ck_assert(world.stored.behind);
    ck_assert_uint_eq(world.stored.term, 10);
    teardown_world(&world);
}
END_TEST

START_TEST(a_damaged_snapshot_takes_all_with_it)
{
    struct raft_write vote = {.set_vote = true, .term = 9, .voted_for = "s3"};
    struct world world;
    char name[64];

    setup_world(&world);
    ck_assert_int_eq(open_as(&world, "s1"), 0);
    ck_assert_int_eq(load(&world), 0);
    write_entries(&world, 1, 100, 2);
    ck_assert_int_eq(write_now(&world, &vote), 0);
    take_snapshot(&world, 80, 2, 80);
    close_storage(&world);
    snprintf(name, sizeof(name), "snapshot-%020u", 80);
    overwrite(&world, name, 70000, "\xff\x00\xff", 3);
    expect_begun_anew(&world);
    teardown_world(&world);
}
END_TEST

START_TEST(files_of_others_are_refused_damaged_or_not)
{
    struct world world;
    char garbage[200];

    memset(garbage, 0x5a, sizeof(garbage));
    with_history(&world);
    overwrite(&world, "raft.db", 0, garbage, sizeof(garbage));
    ck_assert_int_eq(open_as(&world, "s2"), RAFT_EFOREIGN);
    ck_assert(!is_there(&world, "raft.db.damaged"));
    /* A later layout of the side record, in both slots. */
    overwrite(&world, "side", 7, "9", 1);
    overwrite(&world, "side", 4096 + 7, "9", 1);
    ck_assert_int_eq(open_as(&world, "s1"), RAFT_EFORMAT);
    ck_assert(!is_there(&world, "raft.db.damaged"));
    /* Without one, nobody knows what was promised. */
    overwrite(&world, "side", 0, garbage, sizeof(garbage));
    overwrite(&world, "side", 4096, garbage, sizeof(garbage));
    ck_assert_int_eq(open_as(&world, "s1"), RAFT_ECORRUPT);
    ck_assert(!is_there(&world, "raft.db.damaged"));
    teardown_world(&world);
}
END_TEST

/* ---- kill -9 ---- */


/* Writes entries and tells each through a pipe once it is durable, until it
 * is killed. */
static void child_writes(struct world *world, int fd)
{
    raft_index next;

    start_world(world);
    if (open_as(world, "s1") != 0 || load(world) != 0)
        _exit(1);
    next = world->stored.entry_count + 1;
    for (;;) {
        size_t count = 1 + (size_t)(next % 7);

        write_entries(world, next, count, 1);
        next += count;
        if (write(fd, &next, sizeof(next)) < 0)
            _exit(1);
    }
}

START_TEST(kill_9_loses_nothing_that_was_answered)
{
    struct world world;
    raft_index answered = 1;
    unsigned round;

    setup_folder(&world);
    for (round = 0; round < 15; round++) {
        raft_index seen;
        int pipes[2];
        pid_t child;
        unsigned i;

        ck_assert_int_eq(pipe(pipes), 0);
        child = fork();
        if (child == 0) {
            close(pipes[0]);
            child_writes(&world, pipes[1]);
        }
        close(pipes[1]);
        for (i = 0; i < 5 + round * 3; i++) {
            ck_assert_int_eq(read(pipes[0], &seen, sizeof(seen)),
                             (ssize_t)sizeof(seen));
            answered = seen;
        }
        kill(child, SIGKILL);
        while (read(pipes[0], &seen, sizeof(seen)) == (ssize_t)sizeof(seen))
            answered = seen;
        waitpid(child, NULL, 0);
        close(pipes[0]);
        start_world(&world);
        ck_assert_int_eq(open_as(&world, "s1"), 0);
        ck_assert_int_eq(load(&world), 0);
        ck_assert(!world.stored.behind);
        ck_assert_uint_ge(world.stored.entry_count + 1, answered);
        stop_world(&world);
    }
    remove_folder(world.folder);
}
END_TEST

Suite *storage_sqlite_suite(void)
{
    Suite *suite = suite_create("storage_sqlite");
    TCase *tcase = tcase_create("storage_sqlite");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, what_was_written_is_there_again);
    tcase_add_loop_test(tcase, a_truncated_log_stays_truncated, 0,
                        (int)(sizeof(cuts) / sizeof(cuts[0])));
    tcase_add_test(tcase, an_entry_of_the_largest_size_fits);
    tcase_add_test(tcase, a_second_opener_is_locked_out);
    tcase_add_test(tcase, another_servers_folder_is_refused);
    tcase_add_test(tcase, an_older_format_is_migrated);
    tcase_add_test(tcase, small_writes_share_a_row);
    tcase_add_test(tcase, a_byte_in_the_room_is_damage);
    tcase_add_test(tcase, a_newer_format_is_refused);
    tcase_add_test(tcase, garbage_is_no_database);
    tcase_add_test(tcase, a_damaged_entry_is_found);
    tcase_add_test(tcase, what_is_being_repaired_is_remembered);
    tcase_add_test(tcase, less_than_the_side_record_promises_is_found);
    tcase_add_loop_test(tcase, a_bit_flipped_in_the_write_ahead_log_is_found,
                        0, BASE_COUNT_OF(last_writes));
    tcase_add_test(tcase, one_spoilt_slot_of_the_side_record_is_survived);
    tcase_add_test(tcase, the_write_ahead_log_stays_small);
    tcase_add_test(tcase, a_snapshot_replaces_the_log_before_it);
    tcase_add_test(tcase, a_foreign_log_goes_when_a_snapshot_is_installed);
    tcase_add_test(tcase, a_damaged_snapshot_is_found);
    tcase_add_loop_test(tcase, a_damaged_database_is_put_aside, 0,
                        (int)BASE_COUNT_OF(damaged_pages));
    tcase_add_test(tcase, a_lost_tail_stays_lost_when_a_term_is_written);
    tcase_add_test(tcase, a_damaged_snapshot_takes_all_with_it);
    tcase_add_test(tcase, files_of_others_are_refused_damaged_or_not);
    tcase_add_test(tcase, kill_9_loses_nothing_that_was_answered);
    suite_add_tcase(suite, tcase);
    return suite;
}
