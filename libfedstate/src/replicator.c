/*
 * Replication towards a secondary: rounds of one blocking List at the primary
 * and the due changes through our own Raft, one after the other. One timer says
 * when the next step is due, one phase says which it is; a call under way is
 * held and can be cancelled at any moment.
 * Source: federation.md section 7.
 */
#include "fedstate/replicator.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "diff.h"
#include "pace.h"

#define ROUND_BURST 5u
#define BACKOFF_FIRST_MS 1000u
/* Over what the primary may take for an answer, before we ask again. */
#define LIST_GRACE_MS 60000u

enum phase {
    PHASE_WAITING, /* for the next round's turn, or a backoff's end */
    PHASE_LISTING, /* the primary has our question */
    PHASE_PACING,  /* for the next apply's turn */
    PHASE_APPLYING /* our Raft has a change */
};

struct fedstate_replicator {
    struct base_env *env;
    struct fedstate_replicator_config config;
    struct base_log log;
    struct base_log_limit log_limit;
    struct base_timer timer;
    enum phase phase;
    struct fedstate_bucket rounds, applies;
    struct fedstate_call *call; /* LISTING and APPLYING */

    /* The round under way. */
    struct fedstate_diff diff;
    size_t next; /* change to apply */
    uint64_t index;
    char cluster_id[64];
    int refused; /* one of its changes was, for its own sake */

    uint32_t pauses; /* failures in a row since the last wake */
    bool known; /* remote_index and cluster_id are of an answer */
    struct fedstate_replicator_status status;
    struct base_counter *ok, *failed, *lagging, *applied, *skipped;
};

static void on_timer(void *arg);
static void apply_next(struct fedstate_replicator *replicator);

static void wait_ns(struct fedstate_replicator *replicator, enum phase phase,
                    uint64_t delay_ns)
{
    replicator->phase = phase;
    base_timer_start_ns(&replicator->timer, delay_ns);
}

static void tell(struct fedstate_replicator *replicator, int status)
{
    if (replicator->config.on_round != NULL)
        replicator->config.on_round(replicator->config.ctx, status);
}

static uint64_t now_ms(struct fedstate_replicator *replicator)
{
    uint64_t now = base_env_now_ms(replicator->env);

    return now != 0 ? now : 1; /* 0 says never */
}

static void log_failure(struct fedstate_replicator *replicator, int status,
                        uint64_t retry_ms)
{
    if (!base_log_limit_pass(&replicator->log_limit,
                             base_env_now_ns(replicator->env)))
        return;
    base_log(&replicator->log, BASE_LOG_WARN,
             "replication of federation states failed",
             kv_str("error", fedstate_strerror(status)),
             kv_int("code", status),
             kv_uint("failures", replicator->status.failures),
             kv_uint("retry_ms", retry_ms));
}

/* The round is over without success: the remote index is kept, so that the next
 * one finds the same differences again (item 5). */
static void back_off(struct fedstate_replicator *replicator, int status)
{
    uint64_t delay_ms;

    fedstate_diff_close(&replicator->diff);
    if (replicator->status.failures < UINT32_MAX)
        replicator->status.failures++;
    if (replicator->pauses < UINT32_MAX)
        replicator->pauses++;
    replicator->status.last_error = status;
    replicator->status.last_failure_ms = now_ms(replicator);
    if (replicator->status.first_failure_ms == 0)
        replicator->status.first_failure_ms = replicator->status.last_failure_ms;
    base_counter_add(replicator->failed, 1);
    delay_ms = fedstate_backoff_ms(replicator->env, replicator->pauses,
                                   BACKOFF_FIRST_MS,
                                   replicator->config.backoff_max_ms);
    log_failure(replicator, status, delay_ms);
    wait_ns(replicator, PHASE_WAITING, delay_ms * 1000000u);
}

/* The telling comes last: it may even free the replicator. */
static void primary_failed(struct fedstate_replicator *replicator, int status)
{
    back_off(replicator, status);
    tell(replicator, status);
}

static void round_done(struct fedstate_replicator *replicator)
{
    int refused = replicator->refused;

    if (refused < 0) {
        /* The way to the primary is good, and all else was applied; what was
         * refused is tried again, but never in a hurry. */
        back_off(replicator, refused);
        tell(replicator, 0);
        return;
    }
    fedstate_diff_close(&replicator->diff);
    replicator->status.remote_index = replicator->index;
    memcpy(replicator->status.cluster_id, replicator->cluster_id,
           sizeof(replicator->status.cluster_id));
    replicator->known = true;
    replicator->status.failures = 0;
    replicator->status.first_failure_ms = 0;
    replicator->pauses = 0;
    replicator->status.last_error = 0;
    replicator->status.last_success_ms = now_ms(replicator);
    base_counter_add(replicator->ok, 1);
    wait_ns(replicator, PHASE_WAITING, 0);
    tell(replicator, 0);
}

/* The change itself is at fault, not our Raft: the others go on. */
static bool is_refusal(int status)
{
    return status == FEDSTATE_EINVAL || status == FEDSTATE_ENODC ||
           status == FEDSTATE_EOP || status == FEDSTATE_ESTALE ||
           status == FEDSTATE_ETOOBIG || status == BASE_ETOOBIG;
}

static void on_applied(void *arg, int status)
{
    struct fedstate_replicator *replicator = arg;
    const Fedstate__Change *change = replicator->diff.changes[replicator->next];

    replicator->call = NULL;
    if (status < 0 && !is_refusal(status)) {
        /* Our own Raft: it says nothing of the way to the primary, so the
         * locator does not hear of it. */
        back_off(replicator, status);
        return;
    }
    if (status < 0) {
        replicator->refused = status;
        if (base_log_limit_pass(&replicator->log_limit,
                                base_env_now_ns(replicator->env)))
            base_log(&replicator->log, BASE_LOG_WARN,
                     "a replicated federation state was refused",
                     kv_str("datacenter", change->state->datacenter),
                     kv_str("error", fedstate_strerror(status)));
    } else {
        base_counter_add(replicator->applied, 1);
    }
    replicator->next++;
    apply_next(replicator);
}

static void apply_next(struct fedstate_replicator *replicator)
{
    const struct fedstate_local *local = &replicator->config.local;
    uint64_t delay_ns;
    int rv;

    if (replicator->next == replicator->diff.count) {
        round_done(replicator);
        return;
    }
    delay_ns = fedstate_bucket_take(&replicator->applies,
                                    base_env_now_ns(replicator->env));
    if (delay_ns > 0) {
        wait_ns(replicator, PHASE_PACING, delay_ns);
        return;
    }
    replicator->phase = PHASE_APPLYING;
    rv = local->ops->apply(local->ctx,
                           replicator->diff.changes[replicator->next],
                           on_applied, replicator, &replicator->call);
    if (rv < 0) {
        replicator->call = NULL;
        back_off(replicator, rv);
    }
}

static void diff_answer(struct fedstate_replicator *replicator,
                        const Fedstate__ListReply *reply, bool full)
{
    const struct fedstate_store *store = replicator->config.store;
    size_t count = fedstate_store_count(store);
    const Fedstate__FederationState **local =
        base_calloc(count + 1, sizeof(local[0]));
    size_t i;

    for (i = 0; i < count; i++)
        local[i] = fedstate_store_at(store, i);
    fedstate_diff_init(&replicator->diff, local, count, reply->states,
                       reply->n_states, full);
    base_free(local);
    base_counter_add(replicator->skipped, replicator->diff.skipped);
}

/* Item 3: the same cluster with a smaller index is a server that lags; another
 * cluster is a rebuilt primary, whatever its index. */
static void take_answer(struct fedstate_replicator *replicator,
                        const Fedstate__ListReply *reply)
{
    const struct fedstate_replicator_status *status = &replicator->status;
    const char *id = reply->cluster_id != NULL ? reply->cluster_id : "";
    bool same = replicator->known && strcmp(id, status->cluster_id) == 0;

    if (strlen(id) >= sizeof(replicator->cluster_id)) {
        primary_failed(replicator, FEDSTATE_EDECODE);
        return;
    }
    if (same && reply->index < status->remote_index) {
        base_counter_add(replicator->lagging, 1);
        wait_ns(replicator, PHASE_WAITING, 0);
        return;
    }
    if (replicator->known && !same)
        base_log(&replicator->log, BASE_LOG_WARN,
                 "the primary datacenter was rebuilt, syncing in full",
                 kv_str("old_cluster", status->cluster_id),
                 kv_str("new_cluster", id));
    diff_answer(replicator, reply, !same);
    strcpy(replicator->cluster_id, id);
    replicator->index = reply->index;
    replicator->next = 0;
    replicator->refused = 0;
    apply_next(replicator);
}

static void on_listed(void *arg, int status, const Fedstate__ListReply *reply)
{
    struct fedstate_replicator *replicator = arg;

    replicator->call = NULL;
    base_timer_stop(&replicator->timer);
    if (status < 0)
        primary_failed(replicator, status);
    else if (reply == NULL)
        primary_failed(replicator, FEDSTATE_EDECODE);
    else
        take_answer(replicator, reply);
}

static void list(struct fedstate_replicator *replicator)
{
    const struct fedstate_primary *primary = &replicator->config.primary;
    Fedstate__ListRequest request = FEDSTATE__LIST_REQUEST__INIT;
    uint32_t max_wait_ms = replicator->config.list_wait_ms;
    int rv;

    request.min_index = replicator->status.remote_index;
    request.max_wait_ms = max_wait_ms;
    request.known_cluster_id = replicator->status.cluster_id;
    replicator->phase = PHASE_LISTING;
    rv = primary->ops->list(primary->ctx, &request, on_listed, replicator,
                            &replicator->call);
    if (rv < 0) {
        replicator->call = NULL;
        primary_failed(replicator, rv);
        return;
    }
    base_timer_start_ms(&replicator->timer,
                        (uint64_t)max_wait_ms + max_wait_ms / 16 +
                            LIST_GRACE_MS);
}

static void start_round(struct fedstate_replicator *replicator)
{
    uint64_t delay_ns = fedstate_bucket_take(&replicator->rounds,
                                             base_env_now_ns(replicator->env));

    if (delay_ns > 0)
        wait_ns(replicator, PHASE_WAITING, delay_ns);
    else
        list(replicator);
}

static void on_timer(void *arg)
{
    struct fedstate_replicator *replicator = arg;

    switch (replicator->phase) {
    case PHASE_WAITING:
        start_round(replicator);
        break;
    case PHASE_PACING:
        apply_next(replicator);
        break;
    case PHASE_LISTING: /* nobody answers, not even with an error */
        replicator->config.primary.ops->cancel(replicator->config.primary.ctx,
                                               replicator->call);
        replicator->call = NULL;
        primary_failed(replicator, BASE_ETIMEOUT);
        break;
    case PHASE_APPLYING:
        assert(false); /* no timer runs while our Raft has a change */
    }
}

static void set_defaults(struct fedstate_replicator_config *config)
{
    if (config->list_wait_ms == 0)
        config->list_wait_ms = FEDSTATE_WAIT_DEFAULT_MS;
    if (config->list_wait_ms > FEDSTATE_WAIT_MAX_MS)
        config->list_wait_ms = FEDSTATE_WAIT_MAX_MS;
    if (config->round_interval_ms == 0)
        config->round_interval_ms = 1000;
    if (config->applies_per_second == 0)
        config->applies_per_second = 100;
    if (config->backoff_max_ms == 0)
        config->backoff_max_ms = 120000;
}

static void count_by(struct fedstate_replicator *replicator)
{
    struct base_metrics *metrics = replicator->env->metrics;
    const char *rounds = "isthmus.fedstate.replication.rounds";

    replicator->ok = base_metrics_counter(metrics, rounds, "outcome", "ok");
    replicator->failed =
        base_metrics_counter(metrics, rounds, "outcome", "failed");
    replicator->lagging =
        base_metrics_counter(metrics, rounds, "outcome", "lagging");
    replicator->applied = base_metrics_counter(
        metrics, "isthmus.fedstate.replication.applied", NULL, NULL);
    replicator->skipped = base_metrics_counter(
        metrics, "isthmus.fedstate.replication.skipped", NULL, NULL);
}

int fedstate_replicator_new(struct base_env *env,
                            const struct fedstate_replicator_config *config,
                            struct fedstate_replicator **out)
{
    struct fedstate_replicator *replicator;

    *out = NULL;
    if (config->store == NULL || config->primary.ops == NULL ||
        config->local.ops == NULL)
        return FEDSTATE_EINVAL;
    BASE_NEW(replicator);
    replicator->env = env;
    replicator->config = *config;
    replicator->log = base_log_named(&env->log, "fedstate.replication");
    set_defaults(&replicator->config);
    count_by(replicator);
    replicator->rounds = (struct fedstate_bucket){
        .interval_ns = replicator->config.round_interval_ms * 1000000ull,
        .burst = ROUND_BURST};
    replicator->applies = (struct fedstate_bucket){
        .interval_ns = 1000000000ull / replicator->config.applies_per_second,
        .burst = 1};
    base_timer_init(&replicator->timer, env, "fedstate-replication", on_timer,
                    replicator);
    wait_ns(replicator, PHASE_WAITING, 0);
    *out = replicator;
    return 0;
}

void fedstate_replicator_free(struct fedstate_replicator *replicator)
{
    if (replicator == NULL)
        return;
    base_timer_stop(&replicator->timer);
    if (replicator->call != NULL && replicator->phase == PHASE_LISTING)
        replicator->config.primary.ops->cancel(replicator->config.primary.ctx,
                                               replicator->call);
    else if (replicator->call != NULL)
        replicator->config.local.ops->cancel(replicator->config.local.ctx,
                                             replicator->call);
    fedstate_diff_close(&replicator->diff);
    base_free(replicator);
}

void fedstate_replicator_status(const struct fedstate_replicator *replicator,
                                struct fedstate_replicator_status *out)
{
    *out = replicator->status;
}

void fedstate_replicator_wake(struct fedstate_replicator *replicator)
{
    replicator->pauses = 0;
    if (replicator->phase == PHASE_WAITING)
        base_timer_start_ns(&replicator->timer, 0);
}
