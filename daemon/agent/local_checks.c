/*
 * What makes checks move by themselves: a TTL that runs out, a run that
 * reports, and the time after which a service that stays critical goes.
 */
#include <string.h>
#include <strings.h>

#include "agent/local_private.h"
#include "base/alloc.h"

static Fedstate__Check *check_of(const struct local_check *state)
{
    return state->entry->checks[state - state->entry->state];
}

static void set(struct local_check *state, const char *status,
                const char *output)
{
    struct local_entry *entry = state->entry;

    local_set_check(entry, (size_t)(state - entry->state), status, output);
}

/* ---- critical for long ---------------------------------------------------- */

static void on_reap(void *arg)
{
    struct local_check *state = arg;
    struct local_state *local = state->entry->local;
    char *id = base_strdup(state->entry->service->id);

    base_log(&local->log, BASE_LOG_WARN,
             "a service was critical for too long and is taken away",
             kv_str("service", id),
             kv_str("check", check_of(state)->check_id));
    local_state_deregister(local, id); /* frees the state */
    base_free(id);
}

static void mind_critical(struct local_check *state)
{
    if (state->spec.deregister_ms == 0)
        return;
    if (strcmp(check_of(state)->status, "critical") != 0)
        base_timer_stop(&state->reap);
    else if (!base_timer_is_running(&state->reap))
        base_timer_start_ms(&state->reap, state->spec.deregister_ms);
}

/* ---- TTL ------------------------------------------------------------------ */

void local_checks_said(struct local_check *state)
{
    if (state->spec.ttl_ms > 0)
        base_timer_start_ms(&state->expiry, state->spec.ttl_ms);
    mind_critical(state);
}

static void on_expiry(void *arg)
{
    struct local_check *state = arg;
    const Fedstate__Check *check = check_of(state);
    char *output;

    if (strcmp(check->status, "critical") == 0)
        return;
    base_log(&state->entry->local->log, BASE_LOG_WARN,
             "a check's TTL ran out", kv_str("check", check->check_id),
             kv_uint("ttl_ms", state->spec.ttl_ms));
    output = base_asprintf("TTL expired: nothing was heard for %u ms; the last "
                           "output was: %s",
                           state->spec.ttl_ms, check->output);
    set(state, "critical", output);
    base_free(output);
    mind_critical(state);
}

/* ---- runs ----------------------------------------------------------------- */

/* Results count only so many in a row (success_before_passing and its twin);
 * until then the check stays as it is. */
static void on_report(void *ctx, const char *status, const char *output)
{
    struct local_check *state = ctx;
    bool bad = strcmp(status, "critical") == 0;
    char *text;

    state->failures = bad ? state->failures + 1 : 0;
    state->successes = bad ? 0 : state->successes + 1;
    if (bad ? state->failures < state->spec.critical_after
            : state->successes < state->spec.passing_after)
        return;
    text = base_strndup(output, strnlen(output, LOCAL_OUTPUT_BYTES_MAX));
    set(state, status, text);
    base_free(text);
    mind_critical(state);
}

static void start_run(struct local_check *state)
{
    const struct local_state *local = state->entry->local;
    struct check_run_config config = {.env = local->env,
                                      .net = local->net,
                                      .spec = &state->spec,
                                      .report = on_report,
                                      .ctx = state};

    if (strncasecmp(state->spec.http, "https:", 6) == 0 && local->tls)
        config.tls = local->tls(local->tls_ctx, !state->spec.skip_verify);
    if (local->net)
        state->run = check_run_new(&config);
}

/* ---- all of an entry ------------------------------------------------------ */

void local_checks_start(struct local_entry *entry,
                        const struct check_spec *specs)
{
    static const struct check_spec none;
    struct base_env *env = entry->local->env;
    size_t i;

    for (i = 0; i < entry->check_count; i++) {
        struct local_check *state = &entry->state[i];

        state->entry = entry;
        check_spec_copy(&state->spec, specs ? &specs[i] : &none);
        base_timer_init(&state->expiry, env, "check-ttl", on_expiry, state);
        base_timer_init(&state->reap, env, "check-reap", on_reap, state);
        local_checks_said(state);
        if (*state->spec.tcp != '\0' || *state->spec.http != '\0')
            start_run(state);
    }
}

void local_checks_stop(struct local_entry *entry)
{
    size_t i;

    for (i = 0; i < entry->check_count; i++) {
        struct local_check *state = &entry->state[i];

        base_timer_stop(&state->expiry);
        base_timer_stop(&state->reap);
        check_run_free(state->run);
        check_spec_close(&state->spec);
    }
}
