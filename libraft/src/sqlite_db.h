/*
 * The database of one server: its tables, its statements, one transaction a
 * batch of writes. Blocks; one thread at a time.
 */
#ifndef LIBRAFT_SQLITE_DB_H
#define LIBRAFT_SQLITE_DB_H

#include <sqlite3.h>

#include "base/buf.h"
#include "raft/storage.h"
#include "storage_queue.h"

/* sqlite_rows.c */
struct log_rows {
    struct base_buf row; /* packed entries of the row being gathered */
    raft_index first;    /* 0: none */
    raft_index last;
    /* The last row, if it has room: as it is stored, the room as zeros. */
    uint8_t *room;
    size_t room_len, room_used;
    raft_index room_first; /* 0: none */
};

struct raft_db {
    sqlite3 *sqlite;
    sqlite3_stmt *begin, *commit, *rollback;
    sqlite3_stmt *insert_rows, *set_state;
    sqlite3_stmt *delete_from, *row_before, *shorten_row, *fill_row,
        *delete_below;
    struct log_rows rows;
    raft_term term;
    char voted_for[RAFT_ID_MAX];
    raft_index last_index; /* of the log and the snapshot */
    raft_term last_term;   /* of that entry; 0: not known */
    int wal_pages;         /* as of the last commit */
    sqlite3_int64 wal_reserved; /* length of its file, as far as known */
    struct base_log *log;
};

/** Opens or makes path for server_id. On an error *why gets a sentence
 * (base_free). */
int db_open(struct raft_db *db, const char *path, const char *server_id,
            struct base_log *log, char **why);
void db_close(struct raft_db *db);
/** The error that the last call had, logged: RAFT_ECORRUPT or RAFT_ESTORAGE. */
int db_error(struct raft_db *db, const char *what);

/** All writes of the list in one transaction, durable when it returns 0. */
int db_commit_writes(struct raft_db *db, const struct storage_op_list *writes);
/** RAFT_ECORRUPT if pages of it do not hang together. */
int db_check(struct raft_db *db);
/** Reads what is there into stored (sqlite_load.c). */
int db_load(struct raft_db *db, struct raft_stored *stored);
/** Entries have checksums of their own; a page of SQLite's has none, so the
 * row of the snapshot has one too. */
uint32_t db_snapshot_checksum(raft_index index, raft_term term,
                              raft_index configuration_index,
                              const void *configuration, size_t len);
/** Runs a statement that gives no rows. */
int db_run(struct raft_db *db, sqlite3_stmt *statement);
/** Terms and indexes are SQLite's signed 64 bits there. */
static inline int db_bind_u64(sqlite3_stmt *statement, int column,
                              uint64_t value)
{
    return sqlite3_bind_int64(statement, column, (sqlite3_int64)value);
}
static inline uint64_t db_column_u64(sqlite3_stmt *statement, int column)
{
    return (uint64_t)sqlite3_column_int64(statement, column);
}
/** Records a finished snapshot and drops the log before it, in one
 * transaction. */
int db_snapshot_finished(struct raft_db *db, raft_index index, raft_term term,
                         raft_index configuration_index,
                         const struct raft_configuration *configuration,
                         raft_index keep_after);
/** Gives up to pages unused pages back to the file system; *more says whether
 * there are some left. */
int db_give_back(struct raft_db *db, int pages, bool *more);

#endif
