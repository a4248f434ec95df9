/*
 * The storage's folder, damaged. A good one is made once: votes, entries in
 * several rows, a snapshot, a configuration; with all of it in the database or
 * the end of it in the write-ahead log. The first byte chooses which, and the
 * file; then four bytes a change: where, and what. A second byte of 1 drops or
 * empties rows in ways that SQLite itself finds nothing wrong with.
 * Property: it is refused with a sentence, or what it shows is sound: entries
 * one after the other, their checksums right, and as they were written.
 * needs: raft base
 * covers: libraft/src/sqlite_load.c
 */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/sim.h"
#include "configuration.h"
#include "entry.h"
#include "raft/storage_sqlite.h"

#define ENTRIES 40u

enum { IN_WAL = 1, SIDE = 2, OF_WAL = 4, REWRITE = 8 };

static const char *const names[] = {"raft.db", "raft.db-wal", "side"};
static char folder[64], good[2][64];

/* ---- folders ---- */

static void copy_file(const char *from, const char *to, const char *name)
{
    char path[200];
    static uint8_t bytes[4u << 20];
    ssize_t len = 0;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", from, name);
    fd = open(path, O_RDONLY);
    if (fd >= 0)
        len = read(fd, bytes, sizeof(bytes));
    close(fd);
    snprintf(path, sizeof(path), "%s/%s", to, name);
    unlink(path);
    if (fd < 0)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    FUZZ_REQUIRE(write(fd, bytes, (size_t)len) == len);
    close(fd);
}

static void copy_folder(const char *from, const char *to)
{
    char path[200];
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(names); i++)
        copy_file(from, to, names[i]);
    snprintf(path, sizeof(path), "%s/raft.db-shm", to);
    unlink(path);
}

static void remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char name[400];

        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        unlink(name);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(path);
}

static void remove_all(void)
{
    remove_folder(folder);
    remove_folder(good[0]);
    remove_folder(good[1]);
}

static void make_folder(char path[64])
{
    snprintf(path, 64, "%s/raft-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    FUZZ_REQUIRE(mkdtemp(path) != NULL);
}

/* ---- a storage in virtual time ---- */

struct world {
    struct base_sim *sim;
    struct raft_storage *storage;
    int status; /* 1: not yet */
    struct raft_stored stored;
};

static void on_done(void *arg, int status)
{
    ((struct world *)arg)->status = status;
}

static void on_loaded(void *arg, int status, struct raft_stored *stored)
{
    struct world *world = arg;

    world->status = status;
    if (status == 0)
        world->stored = *stored;
}

static bool is_done(void *arg)
{
    return ((struct world *)arg)->status != 1;
}

static int wait_done(struct world *world)
{
    FUZZ_REQUIRE(
        base_sim_run_until_true(world->sim, is_done, world, 60000));
    return world->status;
}

static int open_world(struct world *world, const char *path)
{
    struct base_sim_host *host;
    struct base_addr addr;
    char *why = NULL;
    int rv;

    memset(world, 0, sizeof(*world));
    world->sim = base_sim_new(1);
    base_addr_parse(&addr, "10.0.0.1:1", 0);
    host = base_sim_host_new(world->sim, "s1", &addr, 1);
    rv = raft_storage_sqlite_open(base_sim_host_env(host, "main"), path, "s1",
                                  &world->storage, &why);
    FUZZ_REQUIRE(rv == 0 || why != NULL);
    base_free(why);
    return rv;
}

static int load(struct world *world)
{
    world->status = 1;
    FUZZ_REQUIRE(world->storage->ops->load(world->storage, on_loaded,
                                           world) == 0);
    return wait_done(world);
}

static void close_world(struct world *world)
{
    size_t i;

    if (world->storage != NULL)
        world->storage->ops->close(world->storage);
    for (i = 0; i < world->stored.entry_count; i++)
        base_free((void *)world->stored.entries[i].data);
    base_free(world->stored.entries);
    base_sim_free(world->sim);
}

/* ---- the good one ---- */

static const struct raft_configuration configuration = {
    .server_count = 1,
    .servers = {{.id = "s1", .address = "10.0.0.1:1"}},
    .cluster_id = "c"};

static struct raft_entry make_entry(raft_index index, struct base_buf *data)
{
    struct raft_entry entry = {.index = index, .term = 1 + index / 10};

    entry.type = index % 13 == 0 ? RAFT_ENTRY_CONFIGURATION
                                 : RAFT_ENTRY_COMMAND;
    base_buf_reset(data);
    if (entry.type == RAFT_ENTRY_CONFIGURATION)
        configuration_pack(&configuration, data);
    else
        while (base_buf_len(data) < 100 + index * 7)
            base_buf_append_u64be(data, index);
    entry.data = base_buf_data(data);
    entry.len = base_buf_len(data);
    entry.checksum = entry_checksum(&entry);
    return entry;
}

static void take_snapshot(struct world *world)
{
    const struct raft_storage_ops *ops = world->storage->ops;

    FUZZ_REQUIRE(ops->snapshot_begin(world->storage, 20, 3, &configuration,
                                     1) == 0);
    world->status = 1;
    FUZZ_REQUIRE(ops->snapshot_append(world->storage, "state", 5, on_done,
                                      world) == 0);
    FUZZ_REQUIRE(wait_done(world) == 0);
    world->status = 1;
    FUZZ_REQUIRE(ops->snapshot_finish(world->storage, 10, on_done, world) ==
                 0);
    FUZZ_REQUIRE(wait_done(world) == 0);
}

static void make_good(void)
{
    struct base_buf data = BASE_BUF_INIT;
    struct world world;
    raft_index i;

    make_folder(folder);
    make_folder(good[0]);
    make_folder(good[1]);
    atexit(remove_all);
    FUZZ_REQUIRE(open_world(&world, folder) == 0 && load(&world) == 0);
    for (i = 1; i <= ENTRIES; i++) {
        struct raft_entry entry = make_entry(i, &data);
        struct raft_write write = {.set_vote = i % 10 == 0,
                                   .term = entry.term,
                                   .voted_for = "s1",
                                   .entries = &entry,
                                   .entry_count = 1};

        world.status = 1;
        FUZZ_REQUIRE(world.storage->ops->write(world.storage, &write, on_done,
                                               &world) == 0);
        FUZZ_REQUIRE(wait_done(&world) == 0);
        if (i == 30)
            take_snapshot(&world);
    }
    copy_folder(folder, good[1]); /* as a process that was killed leaves it */
    close_world(&world);
    copy_folder(folder, good[0]);
    base_buf_close(&data);
}

/* ---- damage ---- */

static void change(const char *name, const uint8_t *data, size_t len)
{
    char path[200];
    int fd;
    off_t size;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_RDWR);
    size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    for (; len >= 4 && size > 0; data += 4, len -= 4) {
        off_t at = (data[0] << 16 | data[1] << 8 | data[2]) % size;

        FUZZ_REQUIRE(pwrite(fd, data + 3, 1, at) == 1);
    }
    if (len == 1 && size > 0)
        FUZZ_REQUIRE(ftruncate(fd, size * data[0] / 256) == 0);
    if (fd >= 0)
        close(fd);
}

static void rewrite(uint8_t choice)
{
    static const char *const how[] = {
        "DELETE FROM log WHERE first = 25",
        "UPDATE log SET entries = x'00' WHERE first = 30",
        "UPDATE log SET entries = zeroblob(25) WHERE first = 22",
        "UPDATE state SET voted_for = hex(zeroblob(200))",
        "UPDATE state SET voted_for = x'', term = 'many'",
        "UPDATE snapshot SET idx = 21",
        "UPDATE snapshot SET configuration = x'ffff'",
        "DELETE FROM snapshot",
        "DELETE FROM state",
        "ALTER TABLE state RENAME COLUMN term TO turn",
        "ALTER TABLE snapshot RENAME COLUMN idx TO ydx",
        "ALTER TABLE log RENAME COLUMN entries TO lines",
        "UPDATE meta SET value = 'x' WHERE key = 'format'",
        "DELETE FROM meta WHERE key = 'server_id'",
        ("UPDATE log SET entries = (SELECT entries FROM log WHERE first = 23)"
         " WHERE first = 24")};
    char path[200];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/raft.db", folder);
    FUZZ_REQUIRE(sqlite3_open(path, &db) == SQLITE_OK);
    (void)sqlite3_exec(db, how[choice % BASE_COUNT_OF(how)], NULL, NULL, NULL);
    sqlite3_close(db);
}

/* ---- what it shows ---- */

static void require_sound(const struct raft_stored *stored)
{
    struct base_buf data = BASE_BUF_INIT;
    size_t i;

    FUZZ_REQUIRE(stored->snapshot_index == 0 || stored->snapshot_index == 20);
    for (i = 0; i < stored->entry_count; i++) {
        const struct raft_entry *entry = &stored->entries[i];
        struct raft_entry want = make_entry(entry->index, &data);

        FUZZ_REQUIRE(entry->index == stored->snapshot_index + 1 + i);
        FUZZ_REQUIRE(entry->checksum == entry_checksum(entry));
        FUZZ_REQUIRE(entry->checksum == want.checksum);
    }
    FUZZ_REQUIRE(stored->behind ||
                 stored->snapshot_index + stored->entry_count == ENTRIES);
    base_buf_close(&data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct world world;
    uint8_t how;

    if (len < 2)
        return 0;
    if (good[0][0] == '\0')
        make_good();
    how = data[0];
    copy_folder(good[how & IN_WAL], folder);
    if (how & REWRITE)
        rewrite(data[1]);
    else
        change(names[how & SIDE ? 2 : (how & OF_WAL) != 0], data + 1, len - 1);
    if (open_world(&world, folder) == 0 && load(&world) == 0 &&
        (how & SIDE) == 0)
        require_sound(&world.stored);
    close_world(&world);
    return 0;
}
