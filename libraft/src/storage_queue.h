/*
 * The order of work in front of a disk, for storages: operations queue up on
 * the loop; while the worker does one batch, the next gathers (group commit).
 * One job at a time is with the worker. An error is final: it fails everything
 * after it too.
 *
 * Closing waits for the batch under way; whatever has not run by then never
 * does, and no callback comes any more.
 */
#ifndef LIBRAFT_STORAGE_QUEUE_H
#define LIBRAFT_STORAGE_QUEUE_H

#include <pthread.h>
#include <sys/queue.h>

#include "raft/storage.h"

struct storage_op;
STAILQ_HEAD(storage_op_list, storage_op);

enum storage_op_kind { STORAGE_OP_WRITE, STORAGE_OP_OTHER };

/** Kinds embed it first, from base_alloc. */
struct storage_op {
    STAILQ_ENTRY(storage_op) next;
    enum storage_op_kind kind;
    const struct raft_write *write; /* STORAGE_OP_WRITE */
    /* STORAGE_OP_OTHER: runs alone, on the worker; its error is final only if
     * fatal says so. */
    int (*run)(void *storage, struct storage_op *op);
    bool fatal;
    int status;
    /* On the loop, instead of done. */
    void (*tell)(struct storage_op *op);
    /** Frees what the kind holds, told or not. May be NULL. */
    void (*drop)(struct storage_op *op);
    raft_storage_done_fn done;
    void *arg;
};

struct storage_queue;

/** commit makes the writes of a list durable in one go, on the worker. */
struct storage_queue *storage_queue_new(
    struct base_env *env, enum base_worker worker, void *storage,
    int (*commit)(void *storage, const struct storage_op_list *writes));
/** Takes the op. 0, or the error that ended the storage (op is freed). */
int storage_queue_push(struct storage_queue *queue, struct storage_op *op);
/** A plain write. */
int storage_queue_write(struct storage_queue *queue,
                        const struct raft_write *write,
                        raft_storage_done_fn done, void *arg);
/** See above. storage is not touched after it returns. */
void storage_queue_close(struct storage_queue *queue);

#endif
