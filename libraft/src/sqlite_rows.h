/* The log as rows of a table. Inside a transaction, on the log worker. What
 * returns an int returns 0 or a RAFT error. */
#ifndef LIBRAFT_SQLITE_ROWS_H
#define LIBRAFT_SQLITE_ROWS_H

#include "sqlite_db.h"

/** Entries in order; they are in the table after rows_flush(). */
int rows_add(struct raft_db *db, const struct raft_entry *entry);
int rows_flush(struct raft_db *db);
/** Drops from and all after it. */
int rows_truncate(struct raft_db *db, raft_index from);
/** Drops rows that end at keep_after or before. */
int rows_delete_until(struct raft_db *db, raft_index keep_after);
/** The term of the entry at index, or 0. */
raft_term rows_term_at(struct raft_db *db, raft_index index);
void rows_close(struct raft_db *db);

#endif
