/*
 * The SQLite storage on a real loop and a real disk, in a folder of its own,
 * and hands that reach into its files behind its back. Everything that can go
 * wrong and must not fails the test.
 */
#ifndef TESTS_LIBRAFT_SQLITE_BED_H
#define TESTS_LIBRAFT_SQLITE_BED_H

#include <sys/types.h>

#include "base/loop.h"
#include "raft/storage_sqlite.h"

struct sqlite_bed {
    struct base_workers *workers;
    struct base_loop *loop;
    struct raft_storage *storage;
    char folder[64];
    struct raft_stored stored;
    int status; /* 1: not yet */
};

/** A folder alone; then threads too. setup is both. */
void bed_folder(struct sqlite_bed *world);
void bed_start(struct sqlite_bed *world);
void bed_setup(struct sqlite_bed *world);
void bed_stop(struct sqlite_bed *world);
/** Stops, and removes the folder. */
void bed_teardown(struct sqlite_bed *world);
void bed_remove(const char *folder);

/** Opens as that server; the storage's error. */
int bed_open(struct sqlite_bed *world, const char *id);
void bed_close_storage(struct sqlite_bed *world);
/** Loads into world->stored; the storage's error. */
int bed_load(struct sqlite_bed *world);
/** Closes, opens and loads. */
void bed_reopen(struct sqlite_bed *world);

/** Until what was asked for is answered: its status. */
int bed_wait(struct sqlite_bed *world);
/** Writes, and waits until it is answered. */
int bed_write(struct sqlite_bed *world, const struct raft_write *write);
struct raft_entry bed_entry(raft_index index, raft_term term, const void *data,
                            size_t len);
void bed_write_entries(struct sqlite_bed *world, raft_index from, size_t count,
                       raft_term term);

#define PIECE 100000u
#define PIECES 7u
/** What a snapshot of PIECES pieces has at a place. */
uint8_t bed_content_at(size_t at);
void bed_take_snapshot(struct sqlite_bed *world, raft_index index,
                       raft_term term, raft_index keep_after);

/** SQL on the closed database: to change it, and the first integer of an
 * answer. */
void bed_meddle(struct sqlite_bed *world, const char *sql);
int bed_ask(struct sqlite_bed *world, const char *sql);
/** Bytes over those of a file of the folder. */
void bed_overwrite(struct sqlite_bed *world, const char *name, off_t at,
                   const void *data, size_t len);

#endif
