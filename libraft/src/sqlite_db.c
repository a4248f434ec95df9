/*
 * Opening, tables and transactions; the rows of the log are sqlite_rows.c's.
 *
 * Why each PRAGMA:
 *   journal_mode=WAL          one sync a transaction, and readers beside it
 *   synchronous=FULL          that sync happens before COMMIT returns
 *   wal_autocheckpoint=0      checkpoints are ours to time: not in a vote
 *   auto_vacuum=INCREMENTAL   space of dropped entries can be given back
 *   cell_size_check=ON        a damaged page is an error, not a guess
 *   trusted_schema=OFF        nothing runs that the file may have brought
 */
#include "sqlite_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "configuration.h"
#include "sqlite_rows.h"
#include "sqlite_wal.h"

/* 2: a row of the log may have room for more, and `last` is 0 then. */
#define FORMAT 2

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS meta("
    "  key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS state("
    "  id INTEGER PRIMARY KEY CHECK(id = 1),"
    "  term INTEGER NOT NULL, voted_for TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS log("
    "  first INTEGER PRIMARY KEY, last INTEGER NOT NULL,"
    "  entries BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS snapshot("
    "  id INTEGER PRIMARY KEY CHECK(id = 1),"
    "  idx INTEGER NOT NULL, term INTEGER NOT NULL,"
    "  configuration_index INTEGER NOT NULL, configuration BLOB NOT NULL,"
    "  checksum INTEGER NOT NULL);";

int db_error(struct raft_db *db, const char *what)
{
    int code = sqlite3_errcode(db->sqlite);

    base_log(db->log, BASE_LOG_ERROR, "the log's database failed",
             kv_str("what", what), kv_int("code", code),
             kv_str("error", sqlite3_errmsg(db->sqlite)));
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? RAFT_ECORRUPT
                                                           : RAFT_ESTORAGE;
}

int db_run(struct raft_db *db, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);

    if (code == SQLITE_ROW)
        code = SQLITE_DONE;
    if (code != SQLITE_DONE) {
        int rv = db_error(db, sqlite3_sql(statement));

        sqlite3_reset(statement);
        return rv;
    }
    sqlite3_reset(statement);
    return 0;
}

static int execute(struct raft_db *db, const char *sql)
{
    if (sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
        return db_error(db, sql);
    return 0;
}

/* ---- opening ---- */

static int on_wal(void *arg, sqlite3 *sqlite, const char *name, int pages)
{
    struct raft_db *db = arg;

    (void)sqlite;
    (void)name;
    __atomic_store_n(&db->wal_pages, pages, __ATOMIC_RELAXED);
    return SQLITE_OK;
}

static int prepare_all(struct raft_db *db)
{
    const struct {
        sqlite3_stmt **out;
        const char *sql;
    } statements[] = {
        {&db->begin, "BEGIN IMMEDIATE"},
        {&db->commit, "COMMIT"},
        {&db->rollback, "ROLLBACK"},
        {&db->insert_rows,
         "INSERT INTO log(first, last, entries) VALUES(?1, ?2, ?3)"},
        {&db->set_state,
         "INSERT INTO state(id, term, voted_for) VALUES(1, ?1, ?2)"
         " ON CONFLICT(id) DO UPDATE SET term = ?1, voted_for = ?2"},
        {&db->delete_from, "DELETE FROM log WHERE first >= ?1"},
        {&db->row_before, "SELECT first, last, entries FROM log"
                          " WHERE first < ?1 ORDER BY first DESC LIMIT 1"},
        {&db->shorten_row,
         "UPDATE log SET last = ?2, entries = ?3 WHERE first = ?1"},
        {&db->fill_row, "UPDATE log SET entries = ?2 WHERE first = ?1"},
        {&db->delete_below, "DELETE FROM log WHERE first < ?1"}};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(statements); i++) {
        if (sqlite3_prepare_v3(db->sqlite, statements[i].sql, -1,
                               SQLITE_PREPARE_PERSISTENT, statements[i].out,
                               NULL) != SQLITE_OK)
            return db_error(db, statements[i].sql);
    }
    return 0;
}

static char *meta_get(struct raft_db *db, const char *key)
{
    sqlite3_stmt *statement = NULL;
    char *value = NULL;

    if (sqlite3_prepare_v2(db->sqlite, "SELECT value FROM meta WHERE key = ?1",
                           -1, &statement, NULL) != SQLITE_OK)
        return NULL;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) == SQLITE_ROW &&
        sqlite3_column_type(statement, 0) == SQLITE_TEXT)
        value = base_strdup((const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return value;
}

static int meta_set(struct raft_db *db, const char *key, const char *value)
{
    sqlite3_stmt *statement = NULL;
    int code;

    code = sqlite3_prepare_v2(
        db->sqlite, "INSERT OR REPLACE INTO meta(key, value) VALUES(?1, ?2)",
        -1, &statement, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
        code = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? 0 : db_error(db, "meta");
}

static int set_format(struct raft_db *db)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", FORMAT);
    return meta_set(db, "format", text);
}

/* Whose file it is, and whether we know its format. A newer version's file is
 * refused untouched; an older one's is migrated here, in one transaction,
 * raising the number last. Rows of format 1 are rows without room. */
static int check_identity(struct raft_db *db, const char *server_id, char **why)
{
    char *format = meta_get(db, "format");
    char *owner = meta_get(db, "server_id");
    int rv = 0;

    if (format == NULL && owner == NULL) {
        rv = meta_set(db, "server_id", server_id);
        if (rv == 0)
            rv = set_format(db);
    } else if (format == NULL || owner == NULL) {
        rv = RAFT_ECORRUPT;
        *why = base_strdup("raft.db names no format or no owner");
    } else if (strtol(format, NULL, 10) > FORMAT) {
        rv = RAFT_EFORMAT;
        *why = base_asprintf("raft.db has format %s, newer than %d", format,
                             FORMAT);
    } else if (strcmp(owner, server_id) != 0) {
        rv = RAFT_EFOREIGN;
        *why = base_asprintf("raft.db belongs to server %s, not to %s", owner,
                             server_id);
    } else if (strtol(format, NULL, 10) < FORMAT) {
        rv = set_format(db);
    }
    base_free(format);
    base_free(owner);
    return rv;
}

static int set_up(struct raft_db *db, const char *server_id, char **why)
{
    static const char *const pragmas[] = {
        "PRAGMA auto_vacuum=INCREMENTAL", "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",        "PRAGMA wal_autocheckpoint=0",
        "PRAGMA cell_size_check=ON",      "PRAGMA trusted_schema=OFF",
        "PRAGMA cache_size=-16384",       "PRAGMA journal_size_limit=67108864"};
    size_t i;
    int rv;

    for (i = 0; i < BASE_COUNT_OF(pragmas); i++) {
        rv = execute(db, pragmas[i]);
        if (rv < 0)
            return rv;
    }
    rv = execute(db, "BEGIN IMMEDIATE");
    if (rv == 0)
        rv = execute(db, schema);
    if (rv == 0)
        rv = check_identity(db, server_id, why);
    if (rv < 0) {
        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
        return rv;
    }
    rv = execute(db, "COMMIT");
    if (rv < 0)
        return rv;
    sqlite3_wal_hook(db->sqlite, on_wal, db);
    return prepare_all(db);
}

/* The folder is locked for this process, so its two connections need no locks
 * of the kernel's between them, nor an index of the write-ahead log in a file:
 * six system calls less a commit. Another VFS than the usual one is kept. */
static const char *vfs_name(void)
{
    const sqlite3_vfs *usual = sqlite3_vfs_find(NULL);

    return strcmp(usual->zName, "unix") == 0 ? "unix-excl" : usual->zName;
}

int db_open(struct raft_db *db, const char *path, const char *server_id,
            struct base_log *log, char **why)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    int rv;

    memset(db, 0, sizeof(*db));
    db->log = log;
    *why = NULL;
    if (sqlite3_open_v2(path, &db->sqlite, flags, vfs_name()) != SQLITE_OK) {
        rv = db_error(db, "open");
    } else {
        sqlite3_extended_result_codes(db->sqlite, 0);
        sqlite3_busy_timeout(db->sqlite, 1000);
        rv = set_up(db, server_id, why);
    }
    if (rv < 0) {
        if (*why == NULL)
            *why = base_asprintf("%s: %s", path, sqlite3_errmsg(db->sqlite));
        db_close(db);
    }
    return rv;
}

void db_close(struct raft_db *db)
{
    sqlite3_stmt *statement;

    while ((statement = sqlite3_next_stmt(db->sqlite, NULL)) != NULL)
        sqlite3_finalize(statement);
    sqlite3_close(db->sqlite);
    rows_close(db);
    db->sqlite = NULL;
}

/* ---- writing ---- */

static int write_one(struct raft_db *db, const struct raft_write *write)
{
    size_t i;
    int rv = 0;

    if (write->set_vote) {
        db_bind_u64(db->set_state, 1, write->term);
        sqlite3_bind_text(db->set_state, 2, write->voted_for, -1,
                          SQLITE_STATIC);
        rv = db_run(db, db->set_state);
        sqlite3_clear_bindings(db->set_state);
        db->term = write->term;
        text_copy(db->voted_for, sizeof(db->voted_for), write->voted_for);
    }
    if (rv == 0 && write->truncate_from != 0)
        rv = rows_truncate(db, write->truncate_from);
    for (i = 0; rv == 0 && i < write->entry_count; i++)
        rv = rows_add(db, &write->entries[i]);
    return rv;
}

int db_commit_writes(struct raft_db *db, const struct storage_op_list *writes)
{
    const struct storage_op *op;
    int rv = wal_reserve(db);

    if (rv == 0)
        rv = db_run(db, db->begin);
    STAILQ_FOREACH(op, writes, next) {
        if (rv == 0)
            rv = write_one(db, op->write);
    }
    if (rv == 0)
        rv = rows_flush(db);
    if (rv == 0)
        rv = db_run(db, db->commit);
    return rv; /* after an error the connection is not used again */
}

/* ---- snapshots and upkeep ---- */

static int set_snapshot(struct raft_db *db, raft_index index, raft_term term,
                        raft_index configuration_index,
                        const struct raft_configuration *configuration)
{
    struct base_buf packed = BASE_BUF_INIT;
    sqlite3_stmt *statement = NULL;
    int rv;

    configuration_pack(configuration, &packed);
    if (sqlite3_prepare_v2(db->sqlite,
                           "INSERT OR REPLACE INTO snapshot(id, idx, term,"
                           " configuration_index, configuration, checksum)"
                           " VALUES(1, ?1, ?2, ?3, ?4, ?5)",
                           -1, &statement, NULL) != SQLITE_OK) {
        rv = db_error(db, "snapshot");
    } else {
        db_bind_u64(statement, 1, index);
        db_bind_u64(statement, 2, term);
        db_bind_u64(statement, 3, configuration_index);
        sqlite3_bind_blob64(statement, 4, base_buf_data(&packed),
                            base_buf_len(&packed), SQLITE_STATIC);
        db_bind_u64(statement, 5,
                 db_snapshot_checksum(index, term, configuration_index,
                                      base_buf_data(&packed),
                                      base_buf_len(&packed)));
        rv = db_run(db, statement);
    }
    sqlite3_finalize(statement);
    base_buf_close(&packed);
    return rv;
}

int db_snapshot_finished(struct raft_db *db, raft_index index, raft_term term,
                         raft_index configuration_index,
                         const struct raft_configuration *configuration,
                         raft_index keep_after)
{
    int rv = db_run(db, db->begin);

    if (rv == 0)
        rv = set_snapshot(db, index, term, configuration_index, configuration);
    if (rv == 0 && rows_term_at(db, index) == term) {
        rv = rows_delete_until(db, keep_after < index ? keep_after : index);
    } else if (rv == 0) {
        rv = rows_truncate(db, 1);
        db->last_index = index;
        db->last_term = term;
    }
    if (rv == 0)
        rv = db_run(db, db->commit);
    return rv;
}

int db_give_back(struct raft_db *db, int pages, bool *more)
{
    sqlite3_stmt *statement = NULL;
    char sql[64];
    int rv;

    *more = false;
    if (sqlite3_prepare_v2(db->sqlite, "PRAGMA freelist_count", -1, &statement,
                           NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        *more = sqlite3_column_int(statement, 0) > pages;
    sqlite3_finalize(statement);
    snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", pages);
    rv = execute(db, sql);
    return rv;
}
