/*
 * A snapshot of a datacenter's state as a file, in Consul's form: a gzipped tar
 * of meta.json, state.bin and SHA256SUMS. What is inside state.bin is this
 * project's own (a packed Server__Snapshot).
 *
 * Threads: any; pure.
 */
#ifndef SNAPSHOT_ARCHIVE_H
#define SNAPSHOT_ARCHIVE_H

#include "base/buf.h"

#define ARCHIVE_STATE_BYTES_MAX (1u << 30) /* what a server takes */

/** Zero-initialise it. */
struct archive {
    char id[80]; /* term-index-time */
    uint64_t index, term;
    struct base_buf state;
};
void archive_close(struct archive *archive);

/** Appends the file's bytes. */
void archive_pack(const struct archive *archive, struct base_buf *out);
/** Reads and verifies all of it; a state of up to limit bytes. BASE_EPARSE or BASE_ETOOBIG, with *why a
 * static sentence; *out is empty then. */
int archive_unpack(const void *data, size_t len, size_t limit,
                   struct archive *out, const char **why);

/** gzip, and back: BASE_EPARSE, or BASE_ETOOBIG past limit bytes. */
void gzip_pack(const void *data, size_t len, struct base_buf *out);
int gzip_unpack(const void *data, size_t len, size_t limit,
                struct base_buf *out);

#endif
