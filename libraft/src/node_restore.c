/*
 * A leader puts a state that its user gives into the log: read a piece at a
 * time on the bulk worker, a window of pieces on their way, then the entry that
 * makes it the state (node_replace.c). What is in memory is that window.
 */
#include <pthread.h>

#include "base/alloc.h"
#include "crc32c.h"
#include "node_internal.h"

#define PIECE_BYTES (256u << 10)
#define PIECES_MAX 8u /* on their way to being applied */

struct node_restore {
    struct raft_node *node; /* NULL: freed by who comes last */
    struct base_env *env;
    struct raft_restore_source source;
    struct base_buf piece;
    uint64_t id;
    uint64_t offset;
    uint32_t checksum;
    unsigned waiting; /* entries that were proposed */
    int read_status;  /* of the last reading: 1 all given, 0 more */
    int failed;       /* the first error */
    bool ended;       /* the last entry was proposed */
    bool job_out;
    /* Held while the worker reads, so that freeing can wait for it. */
    pthread_mutex_t lock;
};

static void close_source(struct node_restore *restore)
{
    if (restore->source.close != NULL)
        restore->source.close(restore->source.ctx);
    restore->source = (struct raft_restore_source){0};
}

static void destroy(struct node_restore *restore)
{
    close_source(restore);
    base_buf_close(&restore->piece);
    pthread_mutex_destroy(&restore->lock);
    base_free(restore);
}

static void finish(struct node_restore *restore, int status)
{
    struct raft_node *node = restore->node;

    node->restore = NULL;
    node->restored.finished = node->restored.active;
    node->restored.status = status;
    destroy(restore);
    node_wake(node);
}

static void finish_if_failed(struct node_restore *restore)
{
    if (restore->failed != 0 && restore->waiting == 0 && !restore->job_out)
        finish(restore, restore->failed);
}

/* ---- proposing ---- */

static void read_piece(struct node_restore *restore);

static void propose(struct node_restore *restore,
                    const struct restore_part *part, raft_propose_fn done)
{
    struct base_buf packed = BASE_BUF_INIT;

    restore_part_pack(part, &packed);
    restore->waiting++;
    apply_queue(restore->node, RAFT_ENTRY_RESTORE, base_buf_data(&packed),
                base_buf_len(&packed), done, restore);
    base_buf_close(&packed);
}

static void on_piece(void *arg, int status, raft_index index, void *result)
{
    struct node_restore *restore = arg;

    (void)index;
    (void)result;
    restore->waiting--;
    /* Without its last entry a restore never happens. */
    if (status != 0 && restore->failed == 0)
        restore->failed = status == RAFT_ELOST ? RAFT_ENOTLEADER : status;
    if (restore->failed != 0)
        finish_if_failed(restore);
    else if (!restore->job_out && !restore->ended)
        read_piece(restore);
}

static void on_end(void *arg, int status, raft_index index, void *result)
{
    struct node_restore *restore = arg;

    (void)index;
    (void)result;
    restore->waiting--;
    if (restore->failed == 0 || status == RAFT_ELOST)
        restore->failed = status;
    if (status == 0)
        finish(restore, 0);
    else
        finish_if_failed(restore);
}

static void propose_piece(struct node_restore *restore)
{
    struct restore_part part = {.kind = RESTORE_PIECE,
                                .id = restore->id,
                                .offset = restore->offset,
                                .data = base_buf_data(&restore->piece),
                                .len = base_buf_len(&restore->piece)};

    restore->offset += part.len;
    restore->checksum = crc32c(restore->checksum, part.data, part.len);
    propose(restore, &part, on_piece);
    base_buf_reset(&restore->piece);
}

static void propose_end(struct node_restore *restore)
{
    struct restore_part part = {.kind = RESTORE_END,
                                .id = restore->id,
                                .offset = restore->offset,
                                .checksum = restore->checksum};

    restore->ended = true;
    propose(restore, &part, on_end);
}

/* ---- reading ---- */

/* On the worker: touches the source and the piece only. */
static void read_job(void *arg)
{
    struct node_restore *restore = arg;

    pthread_mutex_lock(&restore->lock);
    if (restore->source.read != NULL)
        restore->read_status = restore->source.read(
            restore->source.ctx, PIECE_BYTES, &restore->piece);
    pthread_mutex_unlock(&restore->lock);
}

static void read_done(void *arg)
{
    struct node_restore *restore = arg;

    restore->job_out = false;
    if (restore->node == NULL) {
        destroy(restore);
        return;
    }
    if (restore->node->stopped && restore->failed == 0)
        restore->failed = RAFT_ESTOPPED;
    if (restore->read_status < 0 && restore->failed == 0)
        restore->failed = restore->read_status;
    if (restore->failed != 0) {
        finish_if_failed(restore);
        return;
    }
    propose_piece(restore);
    if (restore->read_status > 0)
        propose_end(restore);
    else
        read_piece(restore);
}

static void read_piece(struct node_restore *restore)
{
    int rv;

    if (restore->waiting >= PIECES_MAX)
        return; /* on_piece() goes on */
    rv = base_env_submit(restore->env, BASE_WORKER_BULK, read_job, read_done,
                         restore);
    restore->job_out = rv == 0;
    if (rv < 0)
        restore->failed = rv;
    finish_if_failed(restore);
}

int raft_node_restore(struct raft_node *node,
                      const struct raft_restore_source *source,
                      raft_storage_done_fn done, void *arg)
{
    struct node_restore *restore;

    if (node->stopped)
        return RAFT_ESTOPPED;
    if (!node->ready || raft_role(node->core) != RAFT_LEADER)
        return RAFT_ENOTLEADER;
    if (node->restored.active)
        return RAFT_ERESTORE;
    if (node->config.fsm.ops->restore_begin == NULL)
        return RAFT_EINVAL;
    BASE_NEW(restore);
    pthread_mutex_init(&restore->lock, NULL);
    restore->node = node;
    restore->env = node->env;
    restore->source = *source;
    restore->id = base_env_random_u64(node->env) | 1;
    node->restore = restore;
    node->restored =
        (struct waiter){.active = true, .done = done, .arg = arg};
    read_piece(restore);
    return 0;
}

/* ---- what was begun and never ended ---- */

static void on_given_up(void *arg, int status, raft_index index, void *result)
{
    struct raft_node *node = arg;

    (void)status; /* if it failed, the next turn sees that it is still open */
    (void)index;
    (void)result;
    node->giving_up = false;
}

/* An open restore keeps snapshots from being taken. The next leader's first
 * entry closes it; while we lead on, it is ours to close. */
void restore_tidy(struct raft_node *node)
{
    struct restore_part part = {.kind = RESTORE_GIVEN_UP,
                                .id = node->track.id};
    struct base_buf packed = BASE_BUF_INIT;

    if (node->restore != NULL || node->giving_up || node->replacing.active ||
        node->track.id == 0 || raft_role(node->core) != RAFT_LEADER ||
        node->track.term != raft_current_term(node->core))
        return;
    node->giving_up = true;
    restore_part_pack(&part, &packed);
    apply_queue(node, RAFT_ENTRY_RESTORE, base_buf_data(&packed),
                base_buf_len(&packed), on_given_up, node);
    base_buf_close(&packed);
}

static void nothing(void *arg)
{
    (void)arg;
}

void restore_free(struct raft_node *node)
{
    struct node_restore *restore = node->restore;

    if (restore == NULL)
        return;
    node->restore = NULL;
    restore->node = NULL;
    pthread_mutex_lock(&restore->lock);
    close_source(restore);
    pthread_mutex_unlock(&restore->lock);
    /* A loop that is gone (a simulated loss of power) will not call back. */
    if (!restore->job_out || base_env_post(restore->env, nothing, NULL) < 0)
        destroy(restore);
}
