/*
 * Entries in memory and packed. The data of an entry in the core is a counted
 * block (raft_data_*, raft/core.h): the log, a write under way and a message
 * may hold the same one. Packed, on the wire and in the database, an entry is
 *
 *   0   u32  CRC-32C of all that follows
 *   4   u32  length of the data
 *   8   u64  index
 *   16  u64  term
 *   24  u8   type
 *   25  ...  data
 *
 * big-endian, one after the other.
 */
#ifndef LIBRAFT_ENTRY_H
#define LIBRAFT_ENTRY_H

#include "base/buf.h"
#include "raft/core.h"

#define ENTRY_HEADER_BYTES 25u

/** The checksum that an entry must have. */
uint32_t entry_checksum(const struct raft_entry *entry);
static inline size_t entry_packed_len(const struct raft_entry *entry)
{
    return ENTRY_HEADER_BYTES + entry->len;
}
void entry_pack(const struct raft_entry *entry, struct base_buf *out);

/** Whether a row's entries end here: at its end, or with zeros to its end, which
 * no entry begins with (its index would be 0). */
bool entries_end(const struct base_cursor *from);
/**
 * Reads the next packed entry; data points into the input.
 * Returns 0, RAFT_EDECODE (cut short, a type or a length out of range) or
 * RAFT_ECORRUPT (the checksum does not match). At RAFT_ECORRUPT the entry is
 * filled in all the same, for the report.
 */
int entry_unpack(struct base_cursor *from, struct raft_entry *out);

/** All entries of a block as an array, the data in counted blocks; the
 * caller's (entries_free). RAFT_EDECODE, RAFT_ECORRUPT, RAFT_ETOOBIG. */
int entries_unpack(const void *data, size_t len, struct raft_entry **out,
                   size_t *count);
/** Gives back each data (counted) and the array. */
void entries_free(struct raft_entry *entries, size_t count);

#endif
