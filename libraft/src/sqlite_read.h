/* Old entries, read back. */
#ifndef LIBRAFT_SQLITE_READ_H
#define LIBRAFT_SQLITE_READ_H

#include "sqlite_db.h"
#include "storage_reading.h"

/** Reads what reading asks for. Beside another connection's commits. */
int db_read(struct raft_db *db, struct storage_reading *reading);

#endif
