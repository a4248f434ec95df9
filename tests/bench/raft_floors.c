/* The disk below everything, and SQLite on it without Raft. */
#include "raft_floors.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SQLITE_NS 2000000000u
#define SAMPLES_MAX 100000u

double floor_fdatasync(const struct load_options *options)
{
    char path[300];
    char block[256] = {0};
    uint64_t began = load_now_ns();
    uint64_t until = began + 1000000000u;
    unsigned count = 0;
    int fd;

    snprintf(path, sizeof(path), "%s-floor", options->folder);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    while (fd >= 0 && load_now_ns() < until) {
        if (write(fd, block, sizeof(block)) < 0 || fdatasync(fd) < 0)
            break;
        count++;
    }
    close(fd);
    unlink(path);
    return count / ((double)(load_now_ns() - began) / 1e9);
}

static sqlite3 *open_table(const char *folder, sqlite3_stmt **insert)
{
    char path[300];
    sqlite3 *db = NULL;

    snprintf(path, sizeof(path), "%s/floor.db", folder);
    sqlite3_open(path, &db);
    sqlite3_exec(db,
                 "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                 "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB)",
                 NULL, NULL, NULL);
    sqlite3_prepare_v2(db, "INSERT INTO t(data) VALUES(?1)", -1, insert, NULL);
    return db;
}

static void transaction(sqlite3 *db, sqlite3_stmt *insert, const void *data,
                        const struct load_options *options)
{
    unsigned i;

    sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (i = 0; i < options->proposers; i++) {
        sqlite3_bind_blob(insert, 1, data, (int)options->size, SQLITE_STATIC);
        sqlite3_step(insert);
        sqlite3_reset(insert);
    }
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
}

static void run(const struct load_options *options, unsigned number, int fd)
{
    uint32_t *samples = calloc(SAMPLES_MAX, sizeof(*samples));
    void *data = calloc(1, options->size);
    struct load_result result = {0};
    sqlite3_stmt *insert = NULL;
    sqlite3 *db = open_table(options->folder, &insert);
    uint64_t began = load_now_ns();
    size_t count = 0;

    (void)number;
    while (load_now_ns() < began + SQLITE_NS && count < SAMPLES_MAX) {
        uint64_t since = load_now_ns();

        transaction(db, insert, data, options);
        samples[count++] = (uint32_t)((load_now_ns() - since) / 1000u);
    }
    result.commits = count * options->proposers;
    result.seconds = (double)(load_now_ns() - began) / 1e9;
    load_percentiles(samples, count, &result);
    if (write(fd, &result, sizeof(result)) < 0)
        _exit(1);
    _exit(0);
}

bool floor_sqlite(const struct load_options *options,
                  struct load_result *result)
{
    return load_run(options, run, result);
}
