/*
 * The two things that putting a file in place asks of a disk, on the bulk
 * worker: a new file written through to the disk, and a rename that survives a
 * crash.
 * Threads: the loop.
 */
#ifndef GATEWAY_FILE_JOB_H
#define GATEWAY_FILE_JOB_H

#include "base/env.h"

struct file_job;

/** Comes once, from the loop, unless forgotten before: 0 or a base_error. */
typedef void (*file_job_fn)(void *arg, int status);

/** Makes path anew, with text (copied) in it. */
struct file_job *file_job_write(struct base_env *env, const char *path,
                                const char *text, file_job_fn done, void *arg);
/** Renames, in one folder, and makes that durable. */
struct file_job *file_job_rename(struct base_env *env, const char *from,
                                 const char *to, file_job_fn done, void *arg);
/** done does not come; what is under way is done all the same. NULL is fine. */
void file_job_forget(struct file_job *job);

#endif
