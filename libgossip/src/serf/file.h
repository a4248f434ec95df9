/* Whole files, read and replaced. Blocks: for workers, and for the start. */
#ifndef SERF_FILE_H
#define SERF_FILE_H

#include <sys/types.h>

#include "base/buf.h"

/** Appends the whole file; BASE_ETOOBIG past bytes_max, or why not. */
int serf_file_read(const char *path, size_t bytes_max, struct base_buf *out);
/** Writes path + suffix, syncs it, and renames it to path: whoever reads path
 * finds the old content or the new, also after a crash. */
int serf_file_replace(const char *path, const char *suffix, mode_t mode,
                      const void *data, size_t len);
/** Writes all of it at the descriptor. 0 or why not. */
int serf_file_write(int fd, const void *data, size_t len);

#endif
