/*
 * A snapshot as a file: an 8-byte magic, then blocks of 64 KiB (the last one
 * may be shorter), each followed by its CRC-32C, big-endian. Blocks let a
 * reader check any piece of a file that is larger than memory.
 * Threads: one at a time per object; blocks.
 */
#ifndef LIBRAFT_SQLITE_SNAPSHOT_H
#define LIBRAFT_SQLITE_SNAPSHOT_H

#include "base/buf.h"
#include "raft/types.h"

struct snapshot_writer {
    int fd; /* -1: closed */
    char *path;
    struct base_buf block;
};

/** 0 or RAFT_ESTORAGE. An old file of that path goes. */
int snapshot_writer_open(struct snapshot_writer *writer, const char *path);
int snapshot_writer_add(struct snapshot_writer *writer, const void *data,
                        size_t len);
/** Everything is on the disk and under its final name when it returns 0. */
int snapshot_writer_finish(struct snapshot_writer *writer,
                           const char *final_path, const char *folder);
/** Closes and removes it, if it is not finished. */
void snapshot_writer_abort(struct snapshot_writer *writer);

/** Appends up to limit bytes from offset on to out. RAFT_EINVAL past the end,
 * RAFT_ECORRUPT, RAFT_ESTORAGE. */
int snapshot_file_read(const char *path, uint64_t offset, size_t limit,
                       struct base_buf *out, bool *last);

/** Reads all of it: 0, RAFT_ECORRUPT (damaged, cut short, not there),
 * RAFT_ESTORAGE. */
int snapshot_file_check(const char *path);

#endif
