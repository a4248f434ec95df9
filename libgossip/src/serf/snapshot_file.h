/*
 * The snapshot's file and the jobs on it. One job at a time: while it runs, the
 * worker has the file, and the loop only collects what comes next.
 */
#ifndef SERF_SNAPSHOT_FILE_H
#define SERF_SNAPSHOT_FILE_H

#include "base/buf.h"
#include "base/env.h"

struct serf_snapshot_file;

/** Reads the whole file into *content (which may be empty, or not be there),
 * and opens it for appending. Blocks. */
int serf_snapshot_file_open(struct base_env *env, const char *path,
                            struct base_buf *content,
                            struct serf_snapshot_file **out);
/** Cuts it to len bytes, before the first job. Blocks. */
int serf_snapshot_file_cut(struct serf_snapshot_file *file, size_t len);

/** Told on the loop after each job, with its status. */
typedef void (*serf_snapshot_file_fn)(void *arg, int status);

bool serf_snapshot_file_is_busy(const struct serf_snapshot_file *file);
/** Bytes in the file, as far as known. */
size_t serf_snapshot_file_bytes(const struct serf_snapshot_file *file);
/**
 * Starts a job; the file must not be busy. data is taken over (and empty
 * afterwards), also on error.
 * replace  data is the whole new content, else it is appended
 * sync     wait until it is on the disk
 * Returns 0, or what base_env_submit() said; done then never comes.
 */
int serf_snapshot_file_submit(struct serf_snapshot_file *file,
                              struct base_buf *data, bool replace, bool sync,
                              serf_snapshot_file_fn done, void *arg);
/** Appends data (taken over) after what is under way, syncs, closes, frees:
 * all on the worker, and without a word. */
void serf_snapshot_file_finish(struct serf_snapshot_file *file,
                               struct base_buf *data);

#endif
