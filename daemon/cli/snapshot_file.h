/*
 * Saved snapshots as commands see them: read, and verified whenever they are.
 * Errors: a negative base_error with *why, the caller's, which names the file.
 */
#ifndef CLI_SNAPSHOT_FILE_H
#define CLI_SNAPSHOT_FILE_H

#include "snapshot/archive.h"

/** What came from name: *out, the caller's. */
int snapshot_verify(const void *data, size_t len, const char *name,
                    struct archive *out, char **why);
/** The file's bytes too, the caller's, also after an error. */
int snapshot_read(const char *name, struct base_buf *file, struct archive *out,
                  char **why);

#endif
