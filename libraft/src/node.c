/*
 * The life of a node: it loads its storage, runs the core on the env's time,
 * and tells its user, from its own turn of the loop, what has changed. What
 * goes in and out is node_io.c, what is applied node_apply.c.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "configuration.h"
#include "node_internal.h"

#define ELECTION_TIMEOUT_MS 1000u
#define HEARTBEAT_INTERVAL_MS 100u
#define PROPOSALS_MAX 65536u
#define INFLIGHT_BYTES_MAX (64u << 20)
#define SNAPSHOT_THRESHOLD 16384u
#define SNAPSHOT_TRAILING 4096u
#define LOG_CACHE_BYTES (16u << 20)

void node_wake(struct raft_node *node)
{
    if (!base_timer_is_running(&node->turn))
        base_timer_start_ns(&node->turn, 0);
}

void node_fail(struct raft_node *node, int err, const char *why)
{
    if (node->stopped)
        return;
    node->stopped = true;
    node->fatal_err = err;
    node->fatal_why = why;
    node->tell_fatal = true;
    base_timer_stop(&node->tick);
    base_log(&node->log, BASE_LOG_ERROR, "stopped", kv_str("why", why),
             kv_str("error", raft_strerror(err)));
    base_env_trace(node->env, "raft", "%s stopped: %s", node->id, why);
    node_wake(node);
}

/* ---- the turn ---- */

static void log_state(struct raft_node *node, enum raft_role role)
{
    struct raft_term_role now = {raft_current_term(node->core), role};

    if (now.term == node->logged.term && now.role == node->logged.role)
        return;
    if (role == RAFT_CANDIDATE)
        base_counter_add(node->metrics.elections, 1);
    node->logged = now;
    base_log(&node->log, BASE_LOG_INFO, "role changed",
             kv_str("role", raft_role_name(role)), kv_uint("term", now.term),
             kv_str("leader", raft_leader_id(node->core)));
}

static bool tell_state(struct raft_node *node)
{
    enum raft_role role =
        node->stopped ? RAFT_FOLLOWER : raft_role(node->core);
    const char *leader = node->stopped ? "" : raft_leader_id(node->core);

    if (!node->tell_state)
        return true;
    node->tell_state = false;
    base_env_trace(node->env, "raft", "%s is %s term=%llu leader=%s", node->id,
                   raft_role_name(role),
                   (unsigned long long)raft_current_term(node->core), leader);
    log_state(node, role);
    if (node->config.on_state != NULL) {
        char id[RAFT_ID_MAX];

        text_copy(id, sizeof(id), leader);
        node->config.on_state(node->config.ctx, role,
                              raft_current_term(node->core), id);
    }
    return !node->freed;
}

static bool tell_configuration(struct raft_node *node)
{
    struct raft_configuration copy;

    if (!node->tell_configuration)
        return true;
    node->tell_configuration = false;
    if (node->config.on_configuration == NULL)
        return true;
    copy = *raft_current_configuration(node->core, NULL);
    node->config.on_configuration(node->config.ctx, &copy);
    return !node->freed;
}

static bool tell_waiter(struct raft_node *node, struct waiter *waiter)
{
    struct waiter copy = *waiter;

    if (!waiter->finished)
        return true;
    *waiter = (struct waiter){0};
    if (copy.done != NULL)
        copy.done(copy.arg, copy.status);
    return !node->freed;
}

static bool tell_fatal(struct raft_node *node)
{
    if (!node->tell_fatal)
        return true;
    node->tell_fatal = false;
    if (!apply_fail_all(node, RAFT_ESTOPPED))
        return false;
    node->bootstrap.finished = node->bootstrap.active;
    node->change.finished = node->change.active;
    node->transfer.finished = node->transfer.active;
    node->bootstrap.status = RAFT_ESTOPPED;
    node->change.status = RAFT_ESTOPPED;
    node->transfer.status = RAFT_ESTOPPED;
    node->tell_state = true;
    if (node->config.on_fatal != NULL)
        node->config.on_fatal(node->config.ctx, node->fatal_err,
                              node->fatal_why);
    return !node->freed;
}

static bool apply_everything(struct raft_node *node)
{
    if (!node->ready || node->stopped)
        return true;
    if (!apply_committed(node))
        return false;
    if (node->lost_leadership) {
        node->lost_leadership = false;
        if (!apply_fail_all(node, RAFT_ELOST))
            return false;
    }
    restore_tidy(node);
    apply_flush_proposals(node);
    if (node->freed || !apply_barriers(node))
        return false;
    snapshot_consider(node);
    return true;
}

static void update_gauges(struct raft_node *node)
{
    struct node_metrics *metrics = &node->metrics;

    base_gauge_set(metrics->term, (int64_t)raft_current_term(node->core));
    base_gauge_set(metrics->last_index, (int64_t)raft_last_index(node->core));
    base_gauge_set(metrics->commit_index,
                   (int64_t)raft_commit_index(node->core));
    base_gauge_set(metrics->applied_index, (int64_t)node->applied);
    base_gauge_set(metrics->proposals, (int64_t)node->waiting.count);
    base_gauge_set(metrics->writes, (int64_t)node->write_count);
    base_gauge_set(metrics->leader, raft_role(node->core) == RAFT_LEADER &&
                                        !node->stopped);
}

static void turn(void *arg)
{
    struct raft_node *node = arg;

    node->in_turn = true;
    if (apply_everything(node) && tell_fatal(node) &&
        tell_configuration(node) && tell_state(node) &&
        followers_tell(node) && tell_waiter(node, &node->bootstrap) &&
        tell_waiter(node, &node->change) &&
        tell_waiter(node, &node->transfer))
        update_gauges(node);
    node->in_turn = false;
    if (node->freed)
        base_free(node);
}

static void tick(void *arg)
{
    struct raft_node *node = arg;
    struct raft_event event = {.type = RAFT_EVENT_TICK};

    node_step(node, &event);
    followers_look(node);
    restore_tick(node);
}

/* ---- life ---- */

static void stored_free(struct raft_stored *stored)
{
    size_t i;

    for (i = 0; i < stored->entry_count; i++)
        base_free((void *)stored->entries[i].data);
    base_free(stored->entries);
}

/* A durable state machine goes on where it is. One that is ahead of a whole log
 * belongs to another. */
static bool take_up_state(struct raft_node *node,
                          const struct raft_stored *stored)
{
    const struct raft_fsm *fsm = &node->config.fsm;
    raft_index last = stored->snapshot_index + stored->entry_count;

    if (fsm->ops->version < 2 || fsm->ops->last_applied == NULL)
        return true;
    node->applied = fsm->ops->last_applied(fsm->ctx);
    if (node->applied <= last || stored->behind || stored->repair_until != 0)
        return true;
    node_fail(node, RAFT_EFOREIGN,
              "the state machine has applied more than the log holds");
    return false;
}

/* A durable state machine may stand within an open restore. */
static void take_up_restore(struct raft_node *node,
                            const struct raft_stored *stored)
{
    size_t i;

    for (i = 0; i < stored->entry_count &&
                stored->entries[i].index <= node->applied; i++) {
        if (restore_track_entry(&node->track, &stored->entries[i]) == 1)
            node->track = (struct restore_track){0};
    }
}

static void on_loaded(void *arg, int status, struct raft_stored *stored)
{
    struct raft_node *node = arg;
    struct raft_event event = {.type = RAFT_EVENT_START};

    if (status < 0) {
        node_fail(node, status, "the storage could not be loaded");
        return;
    }
    base_log(&node->log, BASE_LOG_INFO, "loaded",
             kv_uint("term", stored->term),
             kv_uint("entries", stored->entry_count),
             kv_uint("snapshot_index", stored->snapshot_index));
    if (stored->behind)
        base_log(&node->log, BASE_LOG_ERROR,
                 "storage has lost what it once promised: this server neither "
                 "votes nor leads until a leader has given it back",
                 kv_str("id", node->id));
    node->newest = (struct snapshot_about){
        .index = stored->snapshot_index,
        .term = stored->snapshot_term,
        .configuration_index = stored->configuration_index,
        .configuration = stored->snapshot_configuration};
    event.u.stored = stored;
    node->ready = true;
    if (!take_up_state(node, stored)) {
        stored_free(stored);
        return;
    }
    if (node->newest.index > node->applied)
        snapshot_restore(node);
    else
        take_up_restore(node, stored);
    node_step(node, &event);
    stored_free(stored);
    node_wake(node);
}

static uint32_t default_u32(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static void set_defaults(struct raft_node_config *config)
{
    config->election_timeout_ms =
        default_u32(config->election_timeout_ms, ELECTION_TIMEOUT_MS);
    config->heartbeat_interval_ms =
        default_u32(config->heartbeat_interval_ms, HEARTBEAT_INTERVAL_MS);
    config->proposals_max = default_u32(config->proposals_max, PROPOSALS_MAX);
    config->inflight_bytes_max =
        default_u32(config->inflight_bytes_max, INFLIGHT_BYTES_MAX);
    config->snapshot_threshold =
        default_u32(config->snapshot_threshold, SNAPSHOT_THRESHOLD);
    config->snapshot_trailing =
        default_u32(config->snapshot_trailing, SNAPSHOT_TRAILING);
    config->log_cache_bytes =
        default_u32(config->log_cache_bytes, LOG_CACHE_BYTES);
    config->id = NULL; /* ours is in the node */
    config->cluster_id = NULL;
}

static struct base_counter *counter(struct raft_node *node, const char *name)
{
    return base_metrics_counter(node->env->metrics, name, NULL, NULL);
}

static struct base_counter *refused(struct raft_node *node, const char *why)
{
    return base_metrics_counter(node->env->metrics,
                                "isthmus.raft.messages_refused", "why", why);
}

static struct base_gauge *gauge(struct raft_node *node, const char *name)
{
    return base_metrics_gauge(node->env->metrics, name, NULL, NULL);
}

void node_metrics_init(struct raft_node *node)
{
    struct node_metrics *metrics = &node->metrics;

    metrics->sent = counter(node, "isthmus.raft.messages_sent");
    metrics->received = counter(node, "isthmus.raft.messages_received");
    metrics->dropped = counter(node, "isthmus.raft.messages_dropped");
    metrics->elections = counter(node, "isthmus.raft.elections");
    metrics->applied = counter(node, "isthmus.raft.applied");
    metrics->snapshots_taken = counter(node, "isthmus.raft.snapshots_taken");
    metrics->snapshots_installed =
        counter(node, "isthmus.raft.snapshots_installed");
    metrics->restored = counter(node, "isthmus.raft.restored");
    metrics->entries_read = counter(node, "isthmus.raft.entries_read");
    metrics->snapshot_chunks_sent =
        counter(node, "isthmus.raft.snapshot_chunks_sent");
    metrics->refused_decode = refused(node, "malformed");
    metrics->refused_cluster = refused(node, "cluster");
    metrics->refused_to = refused(node, "destination");
    metrics->refused_unknown = refused(node, "unknown");
    metrics->refused_state = refused(node, "impossible");
    metrics->commit_us = base_metrics_histogram(
        node->env->metrics, "isthmus.raft.commit_us", NULL, NULL);
    metrics->write_us = base_metrics_histogram(
        node->env->metrics, "isthmus.raft.write_us", NULL, NULL);
    metrics->term = gauge(node, "isthmus.raft.term");
    metrics->last_index = gauge(node, "isthmus.raft.last_index");
    metrics->commit_index = gauge(node, "isthmus.raft.commit_index");
    metrics->applied_index = gauge(node, "isthmus.raft.applied_index");
    metrics->proposals = gauge(node, "isthmus.raft.proposals_waiting");
    metrics->writes = gauge(node, "isthmus.raft.writes_waiting");
    metrics->leader = gauge(node, "isthmus.raft.is_leader");
}

int raft_node_new(struct base_env *env, const struct raft_node_config *config,
                  struct raft_node **out)
{
    struct raft_core_config core = {0};
    struct raft_node *node;
    int rv;

    *out = NULL;
    if (config->id == NULL || config->storage == NULL ||
        config->transport.ops == NULL || config->fsm.ops == NULL)
        return RAFT_EINVAL;
    BASE_NEW(node);
    node->env = env;
    node->log = base_log_named(&env->log, "raft");
    node->config = *config;
    set_defaults(&node->config);
    core.id = config->id;
    core.cluster_id = config->cluster_id;
    core.election_timeout_ms = node->config.election_timeout_ms;
    core.heartbeat_interval_ms = node->config.heartbeat_interval_ms;
    core.lease_drift_ppm = node->config.lease_drift_ppm;
    core.seed = base_env_random_u64(env);
    rv = raft_new(&core, &node->core);
    if (rv < 0)
        goto err_free;
    text_copy(node->id, sizeof(node->id), config->id);
    LIST_INIT(&node->writes);
    LIST_INIT(&node->sendings);
    LIST_INIT(&node->readings);
    STAILQ_INIT(&node->held);
    STAILQ_INIT(&node->barriers);
    base_timer_init(&node->tick, env, "raft-tick", tick, node);
    base_timer_init(&node->turn, env, "raft-turn", turn, node);
    node_metrics_init(node);
    rv = config->storage->ops->load(config->storage, on_loaded, node);
    if (rv < 0)
        goto err_core;
    *out = node;
    return 0;

err_core:
    raft_free(node->core);
err_free:
    base_free(node);
    return rv;
}

void raft_node_free(struct raft_node *node)
{
    if (node == NULL || node->freed)
        return;
    node->stopped = true;
    base_timer_stop(&node->tick);
    base_timer_stop(&node->turn);
    node->freed = true;
    apply_fail_all(node, RAFT_ESTOPPED);
    base_timer_stop(&node->turn);
    taking_free(node);
    /* First the storage: it borrows from the writes. */
    node->config.storage->ops->close(node->config.storage);
    snapshot_free(node);
    reading_free(node);
    node_io_free(node);
    apply_free(node);
    raft_free(node->core);
    node->core = NULL;
    if (!node->in_turn)
        base_free(node);
}

/* ---- wishes ---- */

static int wish(struct raft_node *node, struct waiter *waiter,
                struct raft_event *event, raft_storage_done_fn done, void *arg)
{
    int rv;

    if (node->stopped)
        return RAFT_ESTOPPED;
    if (!node->ready)
        return RAFT_EBUSY;
    if (waiter->active)
        return RAFT_ECHANGE;
    *waiter = (struct waiter){.active = true, .done = done, .arg = arg};
    rv = node_step(node, event);
    if (rv < 0)
        *waiter = (struct waiter){0};
    return rv;
}

int raft_node_bootstrap(struct raft_node *node,
                        const struct raft_configuration *configuration,
                        raft_storage_done_fn done, void *arg)
{
    struct raft_event event = {.type = RAFT_EVENT_BOOTSTRAP};
    int rv;

    event.u.configuration = configuration;
    node->bootstrap_write = UINT64_MAX;
    rv = wish(node, &node->bootstrap, &event, done, arg);
    if (rv == 0 && !LIST_EMPTY(&node->writes))
        node->bootstrap_write = LIST_FIRST(&node->writes)->update.write_id;
    return rv;
}

int raft_node_add_server(struct raft_node *node,
                         const struct raft_server *server,
                         raft_storage_done_fn done, void *arg)
{
    struct raft_event event = {.type = RAFT_EVENT_ADD};

    event.u.server = *server;
    return wish(node, &node->change, &event, done, arg);
}

int raft_node_remove_server(struct raft_node *node, const char *id,
                            raft_storage_done_fn done, void *arg)
{
    struct raft_event event = {.type = RAFT_EVENT_REMOVE};

    if (!text_copy(event.u.server.id, sizeof(event.u.server.id), id))
        return RAFT_ENOSERVER;
    return wish(node, &node->change, &event, done, arg);
}

int raft_node_transfer(struct raft_node *node, const char *id,
                       raft_storage_done_fn done, void *arg)
{
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER};

    if (!text_copy(event.u.server.id, sizeof(event.u.server.id), id))
        return RAFT_ENOSERVER;
    return wish(node, &node->transfer, &event, done, arg);
}

/* ---- looking ---- */

bool raft_node_is_ready(const struct raft_node *node)
{
    return node->ready;
}

bool raft_node_is_bootstrapped(const struct raft_node *node)
{
    return raft_current_configuration(node->core, NULL)->server_count > 0;
}

const struct raft_configuration *
raft_node_configuration(const struct raft_node *node)
{
    return raft_current_configuration(node->core, NULL);
}

const struct raft *raft_node_core(const struct raft_node *node)
{
    return node->core;
}

void raft_node_status(const struct raft_node *node, struct raft_status *out)
{
    const struct raft *core = node->core;
    const struct raft_server *leader;

    memset(out, 0, sizeof(*out));
    out->stopped = node->stopped;
    out->behind = raft_is_behind(core);
    out->term = raft_current_term(core);
    out->first_index = raft_first_index(core);
    out->last_index = raft_last_index(core);
    out->commit_index = raft_commit_index(core);
    out->durable_index = raft_durable_index(core);
    out->applied_index = node->applied;
    out->leader_contact_ms = raft_leader_heard_ms(core);
    out->proposals_waiting = node->waiting.count + node->queued_count;
    out->writes_waiting = node->write_count;
    text_copy(out->cluster_id, sizeof(out->cluster_id), node_cluster_id(node));
    if (node->stopped)
        return;
    out->role = raft_role(core);
    text_copy(out->leader_id, sizeof(out->leader_id), raft_leader_id(core));
    leader = raft_configuration_find(raft_current_configuration(core, NULL),
                                     out->leader_id);
    if (leader != NULL)
        text_copy(out->leader_address, sizeof(out->leader_address),
                  leader->address);
}
