/*
 * What a database holds, as raft_stored. Every byte may be damaged: what does
 * not match its checksum, or does not follow, ends the log there, and the
 * server is behind.
 */
#include <string.h>

#include "base/alloc.h"
#include "configuration.h"
#include "crc32c.h"
#include "entry.h"
#include "sqlite_db.h"

static int load_state(struct raft_db *db, struct raft_stored *stored)
{
    sqlite3_stmt *statement = NULL;
    const char *vote;
    int code, rv = 0;

    if (sqlite3_prepare_v2(db->sqlite, "SELECT term, voted_for FROM state", -1,
                           &statement, NULL) != SQLITE_OK)
        return db_error(db, "state");
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        stored->term = db_column_u64(statement, 0);
        vote = (const char *)sqlite3_column_text(statement, 1);
        if (vote == NULL || !text_copy(stored->voted_for,
                                       sizeof(stored->voted_for), vote))
            rv = RAFT_ECORRUPT;
    } else if (code != SQLITE_DONE) {
        rv = db_error(db, "state");
    }
    sqlite3_finalize(statement);
    return rv;
}

uint32_t db_snapshot_checksum(raft_index index, raft_term term,
                              raft_index configuration_index,
                              const void *configuration, size_t len)
{
    const uint64_t numbers[] = {index, term, configuration_index};
    struct base_buf packed = BASE_BUF_INIT;
    uint32_t sum;
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(numbers); i++)
        base_buf_append_u64be(&packed, numbers[i]);
    base_buf_append(&packed, configuration, len);
    sum = crc32c(0, base_buf_data(&packed), base_buf_len(&packed));
    base_buf_close(&packed);
    return sum;
}

static int read_snapshot_row(sqlite3_stmt *row, struct raft_stored *stored)
{
    const void *configuration = sqlite3_column_blob(row, 3);
    size_t len = (size_t)sqlite3_column_bytes(row, 3);

    stored->snapshot_index = db_column_u64(row, 0);
    stored->snapshot_term = db_column_u64(row, 1);
    stored->configuration_index = db_column_u64(row, 2);
    if (db_column_u64(row, 4) !=
        db_snapshot_checksum(stored->snapshot_index, stored->snapshot_term,
                             stored->configuration_index, configuration, len))
        return RAFT_ECORRUPT;
    return configuration_unpack(configuration, len,
                                &stored->snapshot_configuration) < 0
               ? RAFT_ECORRUPT
               : 0;
}

static int load_snapshot(struct raft_db *db, struct raft_stored *stored)
{
    sqlite3_stmt *statement = NULL;
    int code, rv = 0;

    if (sqlite3_prepare_v2(db->sqlite,
                           "SELECT idx, term, configuration_index,"
                           " configuration, checksum FROM snapshot",
                           -1, &statement, NULL) != SQLITE_OK)
        return db_error(db, "snapshot");
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        rv = read_snapshot_row(statement, stored);
    } else if (code != SQLITE_DONE) {
        rv = db_error(db, "snapshot");
    }
    sqlite3_finalize(statement);
    return rv;
}

struct loading {
    struct raft_stored *stored;
    size_t cap;
};

static void keep_entry(struct loading *loading, const struct raft_entry *entry)
{
    struct raft_stored *stored = loading->stored;
    struct raft_entry *kept;

    if (stored->entry_count == loading->cap) {
        loading->cap = loading->cap == 0 ? 256 : loading->cap * 2;
        stored->entries = base_reallocarray(stored->entries, loading->cap,
                                            sizeof(*stored->entries));
    }
    kept = &stored->entries[stored->entry_count++];
    *kept = *entry;
    kept->data = base_memdup(entry->data, entry->len);
}

static bool entry_is_sound(const struct raft_entry *entry)
{
    struct raft_configuration configuration;

    return entry->type != RAFT_ENTRY_CONFIGURATION ||
           configuration_unpack(entry->data, entry->len, &configuration) == 0;
}

/* False at the first entry that is damaged or does not follow. */
static bool load_row(struct loading *loading, const void *data, size_t len)
{
    struct base_cursor cursor = base_cursor_of(data, len);
    struct raft_stored *stored = loading->stored;

    while (!entries_end(&cursor)) {
        raft_index expected = stored->snapshot_index + 1;
        struct raft_entry entry;

        if (entry_unpack(&cursor, &entry) < 0 || !entry_is_sound(&entry))
            return false;
        if (stored->entry_count > 0)
            expected = stored->entries[stored->entry_count - 1].index + 1;
        else if (entry.index < expected)
            continue; /* the snapshot has it */
        if (entry.index != expected)
            return false;
        keep_entry(loading, &entry);
    }
    return true;
}

static int load_log(struct raft_db *db, struct raft_stored *stored)
{
    struct loading loading = {.stored = stored};
    sqlite3_stmt *statement = NULL;
    int code;

    if (sqlite3_prepare_v2(db->sqlite,
                           "SELECT entries FROM log ORDER BY first", -1,
                           &statement, NULL) != SQLITE_OK)
        return db_error(db, "log");
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (!load_row(&loading, sqlite3_column_blob(statement, 0),
                      (size_t)sqlite3_column_bytes(statement, 0))) {
            stored->behind = true;
            break;
        }
    }
    /* A damaged page in the middle is entries lost, not no entries. */
    if (code != SQLITE_DONE && code != SQLITE_ROW) {
        (void)db_error(db, "log");
        stored->behind = true;
    }
    sqlite3_finalize(statement);
    return 0;
}

int db_check(struct raft_db *db)
{
    sqlite3_stmt *statement = NULL;
    const char *found;
    int rv = 0;

    if (sqlite3_prepare_v2(db->sqlite, "PRAGMA quick_check(1)", -1, &statement,
                           NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW) {
        rv = db_error(db, "check");
    } else {
        found = (const char *)sqlite3_column_text(statement, 0);
        if (found == NULL || strcmp(found, "ok") != 0) {
            base_log(db->log, BASE_LOG_ERROR, "raft.db is damaged",
                     kv_str("found", found != NULL ? found : ""));
            rv = RAFT_ECORRUPT;
        }
    }
    sqlite3_finalize(statement);
    return rv;
}

int db_load(struct raft_db *db, struct raft_stored *stored)
{
    int rv = load_state(db, stored);

    if (rv == 0)
        rv = load_snapshot(db, stored);
    if (rv == 0)
        rv = load_log(db, stored);
    if (rv < 0)
        return rv;
    db->term = stored->term;
    memcpy(db->voted_for, stored->voted_for, sizeof(db->voted_for));
    db->last_index = stored->snapshot_index;
    db->last_term = stored->snapshot_term;
    if (stored->entry_count > 0) {
        db->last_index = stored->entries[stored->entry_count - 1].index;
        db->last_term = stored->entries[stored->entry_count - 1].term;
    }
    return 0;
}
