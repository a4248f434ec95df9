/*
 * The workers' inside, as the loop sees it: a job and where its end is told.
 * Jobs are made by the loop and freed by it; the worker only runs them.
 */
#ifndef LIBBASE_WORKER_H
#define LIBBASE_WORKER_H

#include "base/env.h"
#include "base/loop.h"

#define WORKER_QUEUE_MAX 1024u

struct worker_job {
    base_job_fn run;
    base_job_done_fn done;
    void *arg;
    struct base_loop *loop;
    bool is_log; /* of the log worker */
    struct worker_job *next;
};

/** Queues the job. Returns 0, or BASE_EFULL (the job stays the caller's). After
 * its run, loop_job_ran() gets it on the worker's thread. Any thread. */
int worker_submit(struct base_workers *workers, enum base_worker which,
                  struct worker_job *job);

#endif
