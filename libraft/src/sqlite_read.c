/*
 * Rows of the log from the one that an index lies in. Entries were checked when
 * they were written and are checked again here: what the disk has damaged is an
 * error, not an entry.
 */
#include "sqlite_read.h"

#include "entry.h"

/* 1 if there may be more to read, 0 at the limit. */
static int read_row(struct storage_reading *reading, const void *data,
                    size_t len)
{
    struct base_cursor cursor = base_cursor_of(data, len);

    while (!entries_end(&cursor)) {
        raft_index expected = reading->first + reading->count;
        struct raft_entry entry;

        if (entry_unpack(&cursor, &entry) < 0)
            return RAFT_ECORRUPT;
        if (entry.index < expected)
            continue;
        if (entry.index != expected)
            return reading->count == 0 ? RAFT_EINVAL : RAFT_ECORRUPT;
        if (!storage_reading_add(reading, &entry))
            return 0;
    }
    return 1;
}

int db_read(struct raft_db *db, struct storage_reading *reading)
{
    sqlite3_stmt *statement = NULL;
    int code = SQLITE_ROW;
    int rv = 1;

    if (sqlite3_prepare_v2(db->sqlite,
                           "SELECT entries FROM log WHERE first >="
                           " (SELECT max(first) FROM log WHERE first <= ?1)"
                           " ORDER BY first",
                           -1, &statement, NULL) != SQLITE_OK)
        return db_error(db, "read");
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)reading->first);
    while (rv == 1 && (code = sqlite3_step(statement)) == SQLITE_ROW)
        rv = read_row(reading, sqlite3_column_blob(statement, 0),
                      (size_t)sqlite3_column_bytes(statement, 0));
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        rv = db_error(db, "read");
    sqlite3_finalize(statement);
    return rv < 0 ? rv : 0;
}
