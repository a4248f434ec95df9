/*
 * Writing a tar (POSIX ustar): files of mode 0600 without owner or time, so that
 * the same content has the same bytes.
 * Threads: any; pure.
 */
#ifndef SNAPSHOT_TAR_H
#define SNAPSHOT_TAR_H

#include "base/buf.h"

#define TAR_BLOCK 512u
#define TAR_NAME_MAX 99u

/** Appends a file. name has at most TAR_NAME_MAX bytes. */
void tar_add(struct base_buf *tar, const char *name, const void *data,
             size_t len);
/** Appends what ends it. */
void tar_end(struct base_buf *tar);

#endif
