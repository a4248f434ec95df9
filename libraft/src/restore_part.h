/*
 * A state that a user restores goes through the log: its bytes in entries of
 * type RAFT_ENTRY_RESTORE, then one that ends it and makes it the state
 * (docs/raft.md, "Restoring"). This is what such entries hold, and who follows
 * them through a log knows when one is whole. An entry's data is
 *
 *   0   u8   1 a piece, 2 the end, 3 given up
 *   1   u64  names the restore, never 0
 *   9   u64  a piece: where it belongs; the end: how long the state is
 *   17  u32  the end: CRC-32C of the state
 *   21  ...  a piece: its bytes
 *
 * big-endian.
 */
#ifndef LIBRAFT_RESTORE_PART_H
#define LIBRAFT_RESTORE_PART_H

#include "base/buf.h"
#include "raft/types.h"

enum restore_kind { RESTORE_PIECE = 1, RESTORE_END = 2, RESTORE_GIVEN_UP = 3 };

struct restore_part {
    enum restore_kind kind;
    uint64_t id;
    uint64_t offset;
    uint32_t checksum;
    const void *data; /* borrowed from the entry */
    size_t len;
};

void restore_part_pack(const struct restore_part *part, struct base_buf *out);
/** RAFT_EDECODE: a newer version wrote it. */
int restore_part_unpack(const struct raft_entry *entry,
                        struct restore_part *out);

/** The restore that is open behind an entry of the log. Zero-initialise it. */
struct restore_track {
    uint64_t id; /* 0: none */
    raft_term term;
    raft_index first;
    uint64_t len; /* so far */
};
/** The next entry, of any type. 1: it ends the open restore, which is whole;
 * the track stays as it is until the next entry. 0, or RAFT_EDECODE. */
int restore_track_entry(struct restore_track *track,
                        const struct raft_entry *entry);

#endif
