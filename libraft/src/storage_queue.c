/* Operations wait on the loop and run on a worker, in order, in batches. */
#include "storage_queue.h"

#include <assert.h>

#include "base/alloc.h"
#include "base/error.h"

struct storage_queue {
    struct base_env *env;
    enum base_worker worker;
    void *storage;
    int (*commit)(void *storage, const struct storage_op_list *writes);
    struct base_timer retry; /* the worker's queue was full */
    struct storage_op_list waiting;
    struct storage_op_list running;
    bool busy;    /* a job is out */
    bool telling; /* callbacks run, and may close us */
    int failed; /* final */
    /* Held while a batch runs, so that closing can wait for it. */
    pthread_mutex_t lock;
    bool closed;
};

static void start(struct storage_queue *queue);

static void retry(void *arg)
{
    start(arg);
}

struct storage_queue *storage_queue_new(
    struct base_env *env, enum base_worker worker, void *storage,
    int (*commit)(void *storage, const struct storage_op_list *writes))
{
    struct storage_queue *queue;

    BASE_NEW(queue);
    queue->env = env;
    queue->worker = worker;
    queue->storage = storage;
    queue->commit = commit;
    base_timer_init(&queue->retry, env, "raft-storage", retry, queue);
    STAILQ_INIT(&queue->waiting);
    STAILQ_INIT(&queue->running);
    pthread_mutex_init(&queue->lock, NULL);
    return queue;
}

static void op_free(struct storage_op *op)
{
    if (op->drop != NULL)
        op->drop(op);
    base_free(op);
}

static void list_free(struct storage_op_list *list)
{
    struct storage_op *op;

    while ((op = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, next);
        op_free(op);
    }
}

static void queue_free(struct storage_queue *queue)
{
    list_free(&queue->running);
    list_free(&queue->waiting);
    pthread_mutex_destroy(&queue->lock);
    base_free(queue);
}

/* ---- on the worker ---- */

static void run_batch(struct storage_queue *queue)
{
    struct storage_op *op = STAILQ_FIRST(&queue->running);
    int status;

    if (op->kind == STORAGE_OP_OTHER) {
        op->status = op->run(queue->storage, op);
        return;
    }
    status = queue->commit(queue->storage, &queue->running);
    STAILQ_FOREACH(op, &queue->running, next)
        op->status = status;
}

static void job(void *arg)
{
    struct storage_queue *queue = arg;

    pthread_mutex_lock(&queue->lock);
    if (!queue->closed)
        run_batch(queue);
    pthread_mutex_unlock(&queue->lock);
}

/* ---- on the loop ---- */

/* A run of writes, or one operation of another kind. */
static void take_batch(struct storage_queue *queue)
{
    struct storage_op *op;

    while ((op = STAILQ_FIRST(&queue->waiting)) != NULL) {
        bool first = STAILQ_EMPTY(&queue->running);

        if (op->kind == STORAGE_OP_OTHER && !first)
            return;
        STAILQ_REMOVE_HEAD(&queue->waiting, next);
        STAILQ_INSERT_TAIL(&queue->running, op, next);
        if (op->kind == STORAGE_OP_OTHER)
            return;
    }
}

static void tell(struct storage_op *op)
{
    if (op->tell != NULL)
        op->tell(op);
    else if (op->done != NULL)
        op->done(op->arg, op->status);
}

static void job_done(void *arg)
{
    struct storage_queue *queue = arg;
    struct storage_op_list finished;
    struct storage_op *op;

    queue->busy = false;
    if (queue->closed) {
        queue_free(queue);
        return;
    }
    STAILQ_INIT(&finished);
    STAILQ_CONCAT(&finished, &queue->running);
    STAILQ_FOREACH(op, &finished, next) {
        if (op->status < 0 && op->fatal && queue->failed == 0)
            queue->failed = op->status;
    }
    /* The disk goes on while callbacks make the next writes. */
    start(queue);
    queue->telling = true;
    while ((op = STAILQ_FIRST(&finished)) != NULL) {
        STAILQ_REMOVE_HEAD(&finished, next);
        if (!queue->closed)
            tell(op);
        op_free(op);
    }
    queue->telling = false;
    /* Closed by a callback: then the last one out frees. */
    if (queue->closed && !queue->busy)
        queue_free(queue);
}

/* After a failure nothing runs; everybody is told, from the loop. */
static void fail_batch(void *arg)
{
    struct storage_queue *queue = arg;
    struct storage_op *op;

    STAILQ_FOREACH(op, &queue->running, next)
        op->status = queue->failed;
    job_done(queue);
}

static void start(struct storage_queue *queue)
{
    int rv;

    if (queue->busy || queue->closed)
        return;
    if (STAILQ_EMPTY(&queue->running))
        take_batch(queue);
    if (STAILQ_EMPTY(&queue->running))
        return;
    queue->busy = true;
    if (queue->failed < 0)
        rv = base_env_post(queue->env, fail_batch, queue);
    else
        rv = base_env_submit(queue->env, queue->worker, job, job_done, queue);
    if (rv < 0) {
        queue->busy = false;
        if (rv == BASE_EFULL)
            base_timer_start_ms(&queue->retry, 1);
    }
}

int storage_queue_push(struct storage_queue *queue, struct storage_op *op)
{
    assert(!queue->closed);
    if (queue->failed < 0) {
        op_free(op);
        return queue->failed;
    }
    STAILQ_INSERT_TAIL(&queue->waiting, op, next);
    start(queue);
    return 0;
}

int storage_queue_write(struct storage_queue *queue,
                        const struct raft_write *write,
                        raft_storage_done_fn done, void *arg)
{
    struct storage_op *op;

    BASE_NEW(op);
    op->kind = STORAGE_OP_WRITE;
    op->fatal = true;
    op->write = write;
    op->done = done;
    op->arg = arg;
    return storage_queue_push(queue, op);
}

static void nothing(void *arg)
{
    (void)arg;
}

void storage_queue_close(struct storage_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_mutex_unlock(&queue->lock);
    base_timer_stop(&queue->retry);
    list_free(&queue->waiting);
    /* A loop that is gone (a simulated loss of power) will not call back. */
    if (queue->busy && base_env_post(queue->env, nothing, NULL) < 0)
        queue->busy = false;
    if (!queue->busy && !queue->telling)
        queue_free(queue);
}
