/* Files that commands write. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include <stddef.h>

/** Whole and synced under its name, readable by its owner alone; or not at all:
 * BASE_EIO with *why, the caller's. */
int file_write(const char *name, const void *data, size_t len, char **why);

#endif
