/*
 * The log is kept in rows of packed entries, for a row costs more than the
 * entry in it. What a transaction brings is one row (up to 64 KiB), if it is
 * much. If it is little, its row is made longer than it is, with zeros, and
 * what comes next is written over these: SQLite compares what is updated page
 * by page and writes only those that changed (btreeOverwriteCell, since 3.23),
 * where a new row also costs its leaf, the page of pointers that auto_vacuum
 * keeps, and page 1 with the length of the file. Such a row's `last` is 0: its
 * entries say it.
 *
 * Truncation may cut a row in two; compaction leaves the row that reaches
 * beyond, and one that had room.
 */
#include "sqlite_rows.h"

#include <string.h>

#include "base/alloc.h"
#include "entry.h"

#define ROW_BYTES_MAX (64u << 10)
/* More makes a row of its own: then zeros cost more than they save. */
#define LITTLE_BYTES_MAX (8u << 10)
#define ROOM_BYTES_MIN (8u << 10)
#define ROOM_TIMES 16u /* what came first, so often */

/* ---- adding ---- */

static int insert(struct raft_db *db, raft_index first, raft_index last,
                  const void *data, size_t len)
{
    int rv;

    db_bind_u64(db->insert_rows, 1, first);
    db_bind_u64(db->insert_rows, 2, last);
    sqlite3_bind_blob64(db->insert_rows, 3, data, len, SQLITE_STATIC);
    rv = db_run(db, db->insert_rows);
    sqlite3_clear_bindings(db->insert_rows);
    return rv;
}

static int insert_with_room(struct raft_db *db, const void *data, size_t len)
{
    struct log_rows *rows = &db->rows;
    size_t whole = len * ROOM_TIMES;

    if (whole < ROOM_BYTES_MIN)
        whole = ROOM_BYTES_MIN;
    if (whole > ROW_BYTES_MAX)
        whole = ROW_BYTES_MAX;
    if (rows->room == NULL)
        rows->room = base_alloc(ROW_BYTES_MAX);
    memcpy(rows->room, data, len);
    memset(rows->room + len, 0, whole - len);
    rows->room_len = whole;
    rows->room_used = len;
    rows->room_first = rows->first;
    return insert(db, rows->first, 0, rows->room, whole);
}

static int fill_room(struct raft_db *db, const void *data, size_t len)
{
    struct log_rows *rows = &db->rows;
    int rv;

    memcpy(rows->room + rows->room_used, data, len);
    rows->room_used += len;
    db_bind_u64(db->fill_row, 1, rows->room_first);
    sqlite3_bind_blob64(db->fill_row, 2, rows->room, rows->room_len,
                        SQLITE_STATIC);
    rv = db_run(db, db->fill_row);
    sqlite3_clear_bindings(db->fill_row);
    return rv;
}

int rows_flush(struct raft_db *db)
{
    struct log_rows *rows = &db->rows;
    const void *data = base_buf_data(&rows->row);
    size_t len = base_buf_len(&rows->row);
    int rv;

    if (rows->first == 0)
        return 0;
    if (rows->room_first != 0 && len <= rows->room_len - rows->room_used) {
        rv = fill_room(db, data, len);
    } else if (len <= LITTLE_BYTES_MAX) {
        rv = insert_with_room(db, data, len);
    } else {
        rows->room_first = 0;
        rv = insert(db, rows->first, rows->last, data, len);
    }
    base_buf_reset(&rows->row);
    rows->first = 0;
    return rv;
}

int rows_add(struct raft_db *db, const struct raft_entry *entry)
{
    struct log_rows *rows = &db->rows;
    int rv = 0;

    if (rows->first != 0 &&
        base_buf_len(&rows->row) + entry_packed_len(entry) > ROW_BYTES_MAX)
        rv = rows_flush(db);
    if (rows->first == 0)
        rows->first = entry->index;
    rows->last = entry->index;
    entry_pack(entry, &rows->row);
    db->last_index = entry->index;
    db->last_term = entry->term;
    return rv;
}

/* ---- cutting ---- */

/* The part of a row's bytes before index; the first index is that of the row.
 * *cuts: whether anything follows. What begins at index may be damaged: that
 * can be why it is cut off. */
static int bytes_before(const void *data, size_t len, raft_index first,
                        raft_index index, size_t *out, bool *cuts)
{
    struct base_cursor cursor = base_cursor_of(data, len);
    const uint8_t *start = cursor.at;

    for (; first < index && !entries_end(&cursor); first++) {
        struct raft_entry entry;

        if (entry_unpack(&cursor, &entry) < 0 || entry.index != first)
            return RAFT_ECORRUPT;
    }
    *out = (size_t)(cursor.at - start);
    *cuts = !entries_end(&cursor);
    return 0;
}

/* The row that index lies in, if it begins before it, ends before it now. */
static int shorten_row(struct raft_db *db, raft_index from)
{
    raft_index first, last;
    size_t keep = 0;
    bool cuts = false;
    void *data;
    int code, rv;

    db_bind_u64(db->row_before, 1, from);
    code = sqlite3_step(db->row_before);
    last = code == SQLITE_ROW ? db_column_u64(db->row_before, 1) : 0;
    if (code != SQLITE_ROW || (last != 0 && last < from)) {
        rv = code == SQLITE_ROW || code == SQLITE_DONE
                 ? 0
                 : db_error(db, "row before");
        sqlite3_reset(db->row_before);
        return rv;
    }
    first = db_column_u64(db->row_before, 0);
    rv = bytes_before(sqlite3_column_blob(db->row_before, 2),
                      (size_t)sqlite3_column_bytes(db->row_before, 2), first,
                      from, &keep, &cuts);
    data = base_memdup(sqlite3_column_blob(db->row_before, 2), keep);
    sqlite3_reset(db->row_before);
    if (rv == 0 && cuts) {
        db_bind_u64(db->shorten_row, 1, first);
        db_bind_u64(db->shorten_row, 2, from - 1);
        sqlite3_bind_blob64(db->shorten_row, 3, data, keep, SQLITE_STATIC);
        rv = db_run(db, db->shorten_row);
        sqlite3_clear_bindings(db->shorten_row);
    }
    base_free(data);
    return rv;
}

int rows_truncate(struct raft_db *db, raft_index from)
{
    int rv = rows_flush(db);

    db->rows.room_first = 0;
    if (rv == 0) {
        db_bind_u64(db->delete_from, 1, from);
        rv = db_run(db, db->delete_from);
    }
    if (rv == 0)
        rv = shorten_row(db, from);
    if (db->last_index >= from) {
        db->last_index = from - 1;
        db->last_term = 0;
    }
    return rv;
}

int rows_delete_until(struct raft_db *db, raft_index keep_after)
{
    raft_index below = 0;

    db_bind_u64(db->row_before, 1, keep_after + 1);
    if (sqlite3_step(db->row_before) == SQLITE_ROW) {
        raft_index last = db_column_u64(db->row_before, 1);

        below = last != 0 && last <= keep_after
                    ? keep_after + 1
                    : db_column_u64(db->row_before, 0);
    }
    sqlite3_reset(db->row_before);
    db_bind_u64(db->delete_below, 1, below);
    return db_run(db, db->delete_below);
}

/* ---- looking ---- */

raft_term rows_term_at(struct raft_db *db, raft_index index)
{
    raft_term term = 0;

    db_bind_u64(db->row_before, 1, index + 1);
    if (sqlite3_step(db->row_before) == SQLITE_ROW) {
        struct base_cursor cursor =
            base_cursor_of(sqlite3_column_blob(db->row_before, 2),
                           (size_t)sqlite3_column_bytes(db->row_before, 2));
        struct raft_entry entry;

        while (!entries_end(&cursor) && entry_unpack(&cursor, &entry) == 0) {
            if (entry.index == index)
                term = entry.term;
        }
    }
    sqlite3_reset(db->row_before);
    return term;
}

void rows_close(struct raft_db *db)
{
    base_buf_close(&db->rows.row);
    base_free(db->rows.room);
    db->rows = (struct log_rows){0};
}
