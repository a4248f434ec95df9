/*
 * Two threads for what may block: the Raft log's writes on one, everything else
 * (snapshots, names) on the other, so that a long job of one kind never stands
 * before a vote. Each runs its jobs in order from a bounded queue. The log's
 * waits awake for a moment before it sleeps (spin.h).
 */
#include "worker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "loop_private.h"
#include "spin.h"

#define WORKER_COUNT 2

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct worker_job *first;
    struct worker_job **tail;
    /* Waiting, without the one that runs; changes under the lock. */
    atomic_size_t count;
    struct spin spin;
    bool spins;
    bool stopping;
};

struct base_workers {
    struct worker each[WORKER_COUNT]; /* indexed by enum base_worker */
};

static struct worker_job *take(struct worker *worker)
{
    struct worker_job *job;

    spin_began(&worker->spin);
    while (worker->spins && atomic_load(&worker->count) == 0 &&
           spin_again(&worker->spin))
        ;
    pthread_mutex_lock(&worker->lock);
    while (worker->first == NULL && !worker->stopping)
        pthread_cond_wait(&worker->wake, &worker->lock);
    job = worker->first;
    if (job != NULL) {
        worker->first = job->next;
        if (worker->first == NULL)
            worker->tail = &worker->first;
        worker->count--;
    }
    pthread_mutex_unlock(&worker->lock);
    spin_ended(&worker->spin);
    return job;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct worker_job *job;

    while ((job = take(worker)) != NULL) {
        job->run(job->arg);
        loop_job_ran(job->loop, job);
    }
    return NULL;
}

static bool worker_start(struct worker *worker, const char *name)
{
    sigset_t all;
    sigset_t before;
    int rv;

    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    worker->tail = &worker->first;
    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rv = pthread_create(&worker->thread, NULL, work, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rv == 0)
        pthread_setname_np(worker->thread, name);
    return rv == 0;
}

static void worker_stop(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->stopping = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->wake);
    pthread_mutex_destroy(&worker->lock);
}

struct base_workers *base_workers_new(void)
{
    static const char *const names[WORKER_COUNT] = {
        [BASE_WORKER_LOG] = "isthmus-log", [BASE_WORKER_BULK] = "isthmus-bulk"};
    struct base_workers *workers;
    size_t i;

    BASE_NEW(workers);
    workers->each[BASE_WORKER_LOG].spins = true;
    for (i = 0; i < WORKER_COUNT; i++) {
        if (worker_start(&workers->each[i], names[i]))
            continue;
        while (i-- > 0)
            worker_stop(&workers->each[i]);
        base_free(workers);
        return NULL;
    }
    return workers;
}

void base_workers_free(struct base_workers *workers)
{
    size_t i;

    if (workers == NULL)
        return;
    for (i = 0; i < WORKER_COUNT; i++)
        worker_stop(&workers->each[i]);
    base_free(workers);
}

int worker_submit(struct base_workers *workers, enum base_worker which,
                  struct worker_job *job)
{
    struct worker *worker = &workers->each[which];
    int rv = BASE_EFULL;

    job->next = NULL;
    pthread_mutex_lock(&worker->lock);
    if (worker->count < WORKER_QUEUE_MAX) {
        *worker->tail = job;
        worker->tail = &job->next;
        worker->count++;
        rv = 0;
    }
    pthread_mutex_unlock(&worker->lock);
    /* After the lock: whom it wakes would run into it at once. */
    if (rv == 0)
        pthread_cond_signal(&worker->wake);
    return rv;
}
