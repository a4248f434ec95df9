/*
 * server_stable on a folder: one file a blob, replaced atomically and synced
 * before it counts. Written on the bulk worker.
 */
#ifndef AGENT_STABLE_FILES_H
#define AGENT_STABLE_FILES_H

#include "server/server.h"

struct stable_files;

struct stable_files *stable_files_new(struct base_env *env, const char *folder);
void stable_files_free(struct stable_files *files);
struct server_stable stable_files_ops(struct stable_files *files);

/** Replaces path by len bytes so that a crash leaves the old or the new file,
 * whole (mode 0600). Waits for the disk. 0 or a base_error. */
int stable_write_file(const char *path, const void *data, size_t len);
/** Appends the file's bytes, at most limit. BASE_ENOTFOUND, BASE_ETOOBIG. */
int stable_read_file(const char *path, size_t limit, struct base_buf *out);

#endif
