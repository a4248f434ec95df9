/*
 * Taking a snapshot while everything goes on: the state machine gives an image
 * at once, the bulk worker serialises it a piece at a time, and the storage
 * takes the pieces. What is in memory is one piece. Then the log may forget.
 */
#include <pthread.h>

#include "base/alloc.h"
#include "base/env.h"
#include "node_internal.h"

#define PIECE_BYTES (256u << 10)
#define FEEDING_MS 10000u
#define FEEDING_THRESHOLDS 64u /* then the log has grown enough */

struct node_taking {
    struct raft_node *node; /* NULL: given up, and freed by who comes last */
    struct base_env *env;
    struct raft_fsm fsm;
    void *image;
    struct snapshot_about about;
    struct base_buf piece;
    int status; /* of the last reading: 1 all given, 0 more */
    bool job_out;
    bool after_restore;
    /* Held while the worker reads, so that giving up can wait for it. */
    pthread_mutex_t lock;
};

static void read_piece(struct node_taking *taking);

static void image_free(struct node_taking *taking)
{
    if (taking->image != NULL)
        taking->fsm.ops->snapshot_free(taking->fsm.ctx, taking->image);
    taking->image = NULL;
}

static void taking_destroy(struct node_taking *taking)
{
    image_free(taking);
    base_buf_close(&taking->piece);
    pthread_mutex_destroy(&taking->lock);
    base_free(taking);
}

static void give_up(struct node_taking *taking, const char *why, int err)
{
    struct raft_node *node = taking->node;

    base_log(&node->log, BASE_LOG_ERROR, "snapshot failed", kv_str("why", why),
             kv_str("error", raft_strerror(err)));
    node->config.storage->ops->snapshot_abort(node->config.storage);
    node->taking = NULL;
    taking_destroy(taking);
}

/* A restored state is in the log as a whole, which must not stay there: who
 * lags is sent the snapshot. */
static raft_index keep_after(const struct node_taking *taking)
{
    raft_index trailing = taking->node->config.snapshot_trailing;
    raft_index index = taking->about.index;

    if (taking->after_restore)
        return index;
    return index > trailing ? index - trailing : 0;
}

static void on_finished(void *arg, int status)
{
    struct node_taking *taking = arg;
    struct raft_node *node = taking->node;
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_TAKEN};

    if (status < 0) {
        give_up(taking, "it could not be finished", status);
        return;
    }
    node->taking = NULL;
    node->newest = taking->about;
    event.u.snapshot.index = taking->about.index;
    event.u.snapshot.term = taking->about.term;
    event.u.snapshot.keep_after = keep_after(taking);
    base_counter_add(node->metrics.snapshots_taken, 1);
    base_log(&node->log, BASE_LOG_INFO, "snapshot taken",
             kv_uint("index", taking->about.index));
    base_env_trace(node->env, "raft", "%s snapshot taken index=%llu",
                   node->id, (unsigned long long)taking->about.index);
    taking_destroy(taking);
    node_step(node, &event);
}

static void on_piece_stored(void *arg, int status)
{
    struct node_taking *taking = arg;
    struct raft_storage *storage = taking->node->config.storage;
    int rv;

    if (status < 0) {
        give_up(taking, "a piece could not be stored", status);
        return;
    }
    if (taking->status == 0) {
        read_piece(taking);
        return;
    }
    rv = storage->ops->snapshot_finish(storage, keep_after(taking),
                                       on_finished, taking);
    if (rv < 0)
        give_up(taking, "the storage refused to finish", rv);
}

/* On the worker: touches the image only. */
static void read_job(void *arg)
{
    struct node_taking *taking = arg;

    pthread_mutex_lock(&taking->lock);
    if (taking->image != NULL)
        taking->status = taking->fsm.ops->snapshot_read(
            taking->fsm.ctx, taking->image, PIECE_BYTES, &taking->piece);
    pthread_mutex_unlock(&taking->lock);
}

static void read_done(void *arg)
{
    struct node_taking *taking = arg;
    struct raft_storage *storage;
    int rv;

    taking->job_out = false;
    if (taking->node == NULL) {
        taking_destroy(taking);
        return;
    }
    if (taking->status < 0) {
        give_up(taking, "the state machine could not be read", RAFT_EFSM);
        return;
    }
    storage = taking->node->config.storage;
    rv = storage->ops->snapshot_append(storage, base_buf_data(&taking->piece),
                                       base_buf_len(&taking->piece),
                                       on_piece_stored, taking);
    base_buf_reset(&taking->piece);
    if (rv < 0)
        give_up(taking, "the storage refused a piece", rv);
}

static void read_piece(struct node_taking *taking)
{
    int rv = base_env_submit(taking->env, BASE_WORKER_BULK, read_job,
                             read_done, taking);

    taking->job_out = rv == 0;
    if (rv < 0)
        give_up(taking, "the bulk worker is busy", rv);
}

/* A new snapshot makes a follower that is being sent the last one begin anew,
 * which might never end: so it waits while one comes further, for a while. */
static bool is_feeding(const struct raft_node *node)
{
    const struct raft_configuration *configuration =
        raft_current_configuration(node->core, NULL);
    struct raft_progress progress;
    uint32_t i;

    if ((node->applied - node->newest.index) / FEEDING_THRESHOLDS >=
        node->config.snapshot_threshold)
        return false;
    for (i = 0; i < configuration->server_count; i++) {
        if (raft_peer_progress(node->core, configuration->servers[i].id,
                               &progress) &&
            progress.snapshot &&
            base_env_now_ms(node->env) < progress.moved_ms + FEEDING_MS)
            return true;
    }
    return false;
}

static bool is_due(struct raft_node *node)
{
    return node->config.snapshot_threshold != UINT32_MAX &&
           node->config.fsm.ops->snapshot != NULL &&
           node->config.storage->ops->snapshot_begin != NULL &&
           node->taking == NULL && !snapshot_is_installing(node) &&
           !node->restoring.active && !node->stopped &&
           node->applied <= raft_apply_index(node->core) &&
           !node->replacing.active && node->track.id == 0 &&
           (node->snapshot_wanted ||
            (node->applied >=
                 node->newest.index + node->config.snapshot_threshold &&
             !is_feeding(node)));
}

void snapshot_consider(struct raft_node *node)
{
    const struct raft_configuration *configuration;
    struct raft_storage *storage = node->config.storage;
    struct node_taking *taking;
    raft_index at = 0;
    int rv;

    if (!is_due(node))
        return;
    configuration = raft_configuration_at(node->core, node->applied, &at);
    if (configuration == NULL)
        return;
    BASE_NEW(taking);
    pthread_mutex_init(&taking->lock, NULL);
    taking->node = node;
    taking->env = node->env;
    taking->fsm = node->config.fsm;
    taking->after_restore = node->snapshot_wanted;
    node->snapshot_wanted = false;
    taking->about = (struct snapshot_about){
        .index = node->applied,
        .term = raft_term_at(node->core, node->applied),
        .configuration_index = at,
        .configuration = *configuration};
    node->taking = taking;
    rv = taking->fsm.ops->snapshot(taking->fsm.ctx, &taking->image);
    if (rv != 0) {
        give_up(taking, "the state machine gave no image", RAFT_EFSM);
        return;
    }
    rv = storage->ops->snapshot_begin(storage, taking->about.index,
                                      taking->about.term, configuration, at);
    if (rv < 0)
        give_up(taking, "the storage refused to begin", rv);
    else
        read_piece(taking);
}

static void nothing(void *arg)
{
    (void)arg;
}

void taking_free(struct raft_node *node)
{
    struct node_taking *taking = node->taking;

    if (taking == NULL)
        return;
    node->taking = NULL;
    taking->node = NULL;
    pthread_mutex_lock(&taking->lock);
    image_free(taking);
    pthread_mutex_unlock(&taking->lock);
    /* A loop that is gone (a simulated loss of power) will not call back. */
    if (!taking->job_out || base_env_post(taking->env, nothing, NULL) < 0)
        taking_destroy(taking);
}
