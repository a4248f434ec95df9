/*
 * The write-ahead log of SQLite as a file: it is given its room before commits
 * need it, and moved into the database in the background.
 */
#ifndef LIBRAFT_SQLITE_WAL_H
#define LIBRAFT_SQLITE_WAL_H

#include "sqlite_db.h"

/** Makes the file long enough for the next transactions, so that they change
 * no length. Before a transaction, on the thread that makes them. */
int wal_reserve(struct raft_db *db);
/** Moves what it has into the database; *moved gets the pages of it that are
 * there now. Commits of another connection go on meanwhile. */
int wal_checkpoint(struct raft_db *db, int *moved);

#endif
