/*
 * Our own record, kept equal to our catalog. A change of either makes it look,
 * and a look that finds a difference sends, unless it must hold: when its
 * bucket of syncs is empty, after a failure for a backoff, after a success
 * that the table does not show yet for longer and longer. A move of the record
 * ends a hold of the last two kinds, since it is the news that was waited for.
 * A gateway comes in two or three steps (a service, then its health), so a few
 * syncs in a row leave without delay, and only a catalog that never rests waits.
 * So it acts on changes, and neither an Apply that always fails nor one that
 * succeeds and is never seen makes it spin.
 * Source: federation.md section 8, and F8 of section 13.
 */
#include "fedstate/antientropy.h"

#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "fedstate/model.h"
#include "internal.h"
#include "pace.h"
#include "store_internal.h"

#define BACKOFF_FIRST_MS 1000u
#define ECHO_FIRST_MS 5000u /* replication takes a round trip and a round */
/* Looking copies all gateways: a chatty catalog costs ten a second at most. */
#define LOOK_SPACING_MS 100u
#define SYNC_BURST 5u

struct fedstate_antientropy {
    struct base_env *env;
    struct fedstate_antientropy_config config;
    char *datacenter;
    struct base_log log;
    struct base_log_limit log_limit;
    struct fedstate_watch watch;
    struct base_timer timer; /* the next look */
    struct fedstate_call *call;
    uint64_t sent_over; /* the record's index when the call was made */

    uint64_t look_after_ms;
    struct fedstate_bucket syncs_left;
    uint64_t hold_until_ms; /* a backoff, or the wait to see what was sent */
    uint64_t output_since_ms; /* only outputs differ since then; 0: no */
    uint32_t pauses; /* failures in a row since the last wake */
    uint32_t unseen; /* successes in a row that the table did not show */
    struct fedstate_antientropy_status status;
    struct base_counter *looks, *syncs, *failures, *conflicts;
};

enum difference { DIFFERS_NOT, DIFFERS_IN_OUTPUT, DIFFERS };

static void look_at(struct fedstate_antientropy *antientropy, uint64_t when_ms)
{
    uint64_t now = base_env_now_ms(antientropy->env);

    if (when_ms < antientropy->look_after_ms)
        when_ms = antientropy->look_after_ms;
    base_timer_start_ms(&antientropy->timer, when_ms > now ? when_ms - now : 0);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static const Fedstate__FederationState *
own_record(const struct fedstate_antientropy *antientropy)
{
    return fedstate_store_get(antientropy->config.store,
                              antientropy->datacenter);
}

static uint64_t own_index(const struct fedstate_antientropy *antientropy)
{
    const Fedstate__FederationState *record = own_record(antientropy);

    return record != NULL ? record->modify_index : 0;
}

static enum difference compare(const Fedstate__FederationState *record,
                               const Fedstate__FederationState *wanted)
{
    if (record == NULL)
        return DIFFERS;
    if (fedstate_same(record, wanted, false))
        return DIFFERS_NOT;
    return fedstate_same(record, wanted, true) ? DIFFERS_IN_OUTPUT : DIFFERS;
}

/* The ModifyIndex in the primary of the record that we replace. */
static uint64_t replaced(const struct fedstate_antientropy *antientropy,
                         const Fedstate__FederationState *record)
{
    if (record == NULL)
        return 0;
    if (antientropy->config.is_primary || record->primary_modify_index == 0)
        return record->modify_index;
    return record->primary_modify_index;
}

static void hold(struct fedstate_antientropy *antientropy, uint32_t times,
                 uint32_t first_ms)
{
    uint64_t wait_ms =
        fedstate_backoff_ms(antientropy->env, times, first_ms,
                            antientropy->config.backoff_max_ms);

    antientropy->hold_until_ms = base_env_now_ms(antientropy->env) + wait_ms;
}

static void failed(struct fedstate_antientropy *antientropy, int status)
{
    struct fedstate_antientropy_status *seen = &antientropy->status;

    if (seen->failures < UINT32_MAX)
        seen->failures++;
    if (antientropy->pauses < UINT32_MAX)
        antientropy->pauses++;
    seen->last_error = status;
    base_counter_add(status == FEDSTATE_ESTALE ? antientropy->conflicts
                                               : antientropy->failures,
                     1);
    hold(antientropy, antientropy->pauses, BACKOFF_FIRST_MS);
    if (base_log_limit_pass(&antientropy->log_limit,
                            base_env_now_ns(antientropy->env)))
        base_log(&antientropy->log,
                 status == FEDSTATE_ESTALE ? BASE_LOG_DEBUG : BASE_LOG_WARN,
                 "our federation state was not taken",
                 kv_str("error", fedstate_strerror(status)),
                 kv_int("code", status), kv_uint("failures", seen->failures));
}

static void succeeded(struct fedstate_antientropy *antientropy)
{
    struct fedstate_antientropy_status *seen = &antientropy->status;

    seen->failures = 0;
    antientropy->pauses = 0;
    seen->last_error = 0;
    seen->last_success_ms = base_env_now_ms(antientropy->env);
    antientropy->output_since_ms = 0;
    base_counter_add(antientropy->syncs, 1);
    if (own_index(antientropy) != antientropy->sent_over)
        return;
    /* In a secondary it comes back by replication: until then we would only
     * meet our own record. */
    if (antientropy->unseen < UINT32_MAX)
        antientropy->unseen++;
    hold(antientropy, antientropy->unseen, ECHO_FIRST_MS);
}

static void on_applied(void *arg, int status)
{
    struct fedstate_antientropy *antientropy = arg;

    antientropy->call = NULL;
    if (status < 0)
        failed(antientropy, status);
    else
        succeeded(antientropy);
    /* The record may have moved meanwhile, and with it the reason to hold. */
    if (own_index(antientropy) != antientropy->sent_over)
        antientropy->hold_until_ms = 0;
    look_at(antientropy, 0);
}

static void send(struct fedstate_antientropy *antientropy,
                 Fedstate__FederationState *wanted)
{
    const struct fedstate_primary *primary = &antientropy->config.primary;
    const Fedstate__FederationState *record = own_record(antientropy);
    Fedstate__Change change = FEDSTATE__CHANGE__INIT;
    int rv;

    wanted->updated_at_ns = base_env_wall_ns(antientropy->env);
    change.op = FEDSTATE__CHANGE__OP__UPSERT;
    change.state = wanted;
    change.replaces_index = replaced(antientropy, record);
    antientropy->sent_over = own_index(antientropy);
    rv = primary->ops->apply(primary->ctx, &change, on_applied, antientropy,
                             &antientropy->call);
    if (rv < 0) {
        antientropy->call = NULL;
        failed(antientropy, rv);
        look_at(antientropy, antientropy->hold_until_ms);
    }
}

/* 0 if a sync may leave now. */
static uint64_t token_ms(struct fedstate_antientropy *antientropy)
{
    uint64_t wait_ns =
        fedstate_bucket_take(&antientropy->syncs_left,
                             base_env_now_ns(antientropy->env));

    return (wait_ns + 999999u) / 1000000u;
}

static void act(struct fedstate_antientropy *antientropy,
                Fedstate__FederationState *wanted)
{
    enum difference difference = compare(own_record(antientropy), wanted);
    uint64_t now = base_env_now_ms(antientropy->env);
    uint64_t due = antientropy->hold_until_ms;

    antientropy->status.in_sync = difference == DIFFERS_NOT;
    if (difference == DIFFERS_NOT) {
        antientropy->output_since_ms = 0;
        antientropy->unseen = 0;
        antientropy->status.failures = 0;
        antientropy->pauses = 0;
        antientropy->status.last_error = 0;
        return;
    }
    if (difference == DIFFERS_IN_OUTPUT) {
        if (antientropy->output_since_ms == 0)
            antientropy->output_since_ms = now != 0 ? now : 1;
        due = later(due, antientropy->output_since_ms +
                             antientropy->config.check_update_interval_ms);
    } else {
        antientropy->output_since_ms = 0;
    }
    if (due <= now)
        due = now + token_ms(antientropy);
    if (due > now)
        look_at(antientropy, due);
    else
        send(antientropy, wanted);
}

/* F8: an older server would refuse what it does not know, again and again. A
 * record that is there says that all of them knew it once. */
static bool is_supported(struct fedstate_antientropy *antientropy)
{
    const struct fedstate_antientropy_config *config = &antientropy->config;
    bool supported = config->supported == NULL ||
                     fedstate_store_count(config->store) > 0 ||
                     config->supported(config->supported_ctx);

    if (!supported && !antientropy->status.unsupported)
        base_log(&antientropy->log, BASE_LOG_INFO,
                 "waits until every server here and in the primary knows "
                 "federation states");
    antientropy->status.unsupported = !supported;
    return supported;
}

static void look(void *arg)
{
    struct fedstate_antientropy *antientropy = arg;
    const struct fedstate_catalog_ops *catalog = antientropy->config.catalog;
    Fedstate__FederationState wanted = FEDSTATE__FEDERATION_STATE__INIT;
    size_t i;

    if (antientropy->call != NULL || !is_supported(antientropy))
        return; /* its end looks again, or the news that it is */
    antientropy->look_after_ms =
        base_env_now_ms(antientropy->env) + LOOK_SPACING_MS;
    base_counter_add(antientropy->looks, 1);
    wanted.datacenter = antientropy->datacenter;
    (void)catalog->gateways(antientropy->config.catalog_ctx,
                            &wanted.mesh_gateways, &wanted.n_mesh_gateways);
    act(antientropy, &wanted);
    for (i = 0; i < wanted.n_mesh_gateways; i++)
        base_pb_free(wanted.mesh_gateways[i]);
    base_free(wanted.mesh_gateways);
}

static void on_record(void *arg)
{
    struct fedstate_antientropy *antientropy = arg;

    antientropy->hold_until_ms = 0;
    look_at(antientropy, 0);
}

static void set_defaults(struct fedstate_antientropy_config *config)
{
    if (config->sync_interval_ms == 0)
        config->sync_interval_ms = 1000;
    if (config->check_update_interval_ms == 0)
        config->check_update_interval_ms = 300000;
    if (config->backoff_max_ms == 0)
        config->backoff_max_ms = 120000;
}

static void count_by(struct fedstate_antientropy *antientropy)
{
    struct base_metrics *metrics = antientropy->env->metrics;
    const char *syncs = "isthmus.fedstate.antientropy.syncs";

    antientropy->looks = base_metrics_counter(
        metrics, "isthmus.fedstate.antientropy.looks", NULL, NULL);
    antientropy->syncs = base_metrics_counter(metrics, syncs, "outcome", "ok");
    antientropy->failures =
        base_metrics_counter(metrics, syncs, "outcome", "failed");
    antientropy->conflicts =
        base_metrics_counter(metrics, syncs, "outcome", "conflict");
}

int fedstate_antientropy_new(struct base_env *env,
                             const struct fedstate_antientropy_config *config,
                             struct fedstate_antientropy **out)
{
    struct fedstate_antientropy *antientropy;

    *out = NULL;
    if (config->datacenter == NULL || config->datacenter[0] == '\0' ||
        config->store == NULL || config->catalog == NULL ||
        config->primary.ops == NULL)
        return FEDSTATE_EINVAL;
    BASE_NEW(antientropy);
    antientropy->env = env;
    antientropy->config = *config;
    antientropy->datacenter = base_strdup(config->datacenter);
    antientropy->config.datacenter = antientropy->datacenter;
    antientropy->log = base_log_named(&env->log, "fedstate.antientropy");
    set_defaults(&antientropy->config);
    antientropy->syncs_left = (struct fedstate_bucket){
        .interval_ns = antientropy->config.sync_interval_ms * 1000000ull,
        .burst = SYNC_BURST};
    count_by(antientropy);
    base_timer_init(&antientropy->timer, env, "fedstate-antientropy", look,
                    antientropy);
    fedstate_watch_start(&antientropy->watch, config->store,
                         antientropy->datacenter, on_record, antientropy);
    look_at(antientropy, 0);
    *out = antientropy;
    return 0;
}

void fedstate_antientropy_free(struct fedstate_antientropy *antientropy)
{
    if (antientropy == NULL)
        return;
    fedstate_watch_stop(&antientropy->watch);
    base_timer_stop(&antientropy->timer);
    if (antientropy->call != NULL)
        antientropy->config.primary.ops->cancel(antientropy->config.primary.ctx,
                                                antientropy->call);
    base_free(antientropy->datacenter);
    base_free(antientropy);
}

void fedstate_antientropy_changed(struct fedstate_antientropy *antientropy)
{
    look_at(antientropy, 0);
}

void fedstate_antientropy_wake(struct fedstate_antientropy *antientropy)
{
    antientropy->pauses = 0;
    antientropy->hold_until_ms = 0;
    look_at(antientropy, 0);
}

void fedstate_antientropy_status(
    const struct fedstate_antientropy *antientropy,
    struct fedstate_antientropy_status *out)
{
    *out = antientropy->status;
}
