/*
 * The side record: what the database must at least show. A bit flipped in
 * SQLite's write-ahead log silently ends the log there, and every later commit
 * is gone, votes too; only something kept elsewhere can tell.
 *
 * Two slots of 512 bytes, 4,096 apart. Writes go to the one that was not synced
 * last, so that a torn one spoils what nobody relies on. A slot:
 *
 *   0   8  "isthsid2"; the last byte is the layout's number
 *   8   8  sequence number; the higher valid one counts
 *   16  8  term
 *   24  64 vote, NUL-padded
 *   88  8  last index
 *   96  8  repair until (raft_write), 0: nothing to repair
 *   104 8  term of the entry at last index, 0: not known
 *   112 8  1: something is lost, and no leader has given it back; else 0
 *   120 64 the server's id, NUL-padded
 *   184 4  CRC-32C of bytes 0 to 183
 *
 * Threads: one at a time; blocks.
 */
#ifndef LIBRAFT_SQLITE_SIDE_H
#define LIBRAFT_SQLITE_SIDE_H

#include "raft/types.h"

struct side_record {
    raft_term term;
    char voted_for[RAFT_ID_MAX];
    raft_index last_index;
    raft_index repair_until;
    raft_term last_term;
    bool behind; /* stays so, whatever the database shows */
};

struct side_file {
    int fd;
    int safe_slot; /* the newest that was synced, 0 or 1 */
    uint64_t sequence;
    struct side_record record; /* newest */
    char server_id[RAFT_ID_MAX]; /* whose it is; written with each record */
    bool found;                /* there was one at opening */
};

/** Opens or makes the file. 0 or a negative error of libbase. A file with no
 * valid slot is RAFT_ECORRUPT, unless it was never written; RAFT_EFORMAT if its
 * layout is a newer one. */
int side_open(struct side_file *side, const char *path);
/** Writes the other slot; with sync, returns after it is on the disk. */
int side_write(struct side_file *side, const struct side_record *record,
               bool sync);
void side_close(struct side_file *side);

#endif
