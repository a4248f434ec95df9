/*
 * Who is joined when. The fallback addresses go agent -> server -> locator:
 * here a list of names becomes addresses, server_set_primary_fallback() hands
 * them on, and the locator keeps them; none knows the other's reasons.
 */
#include "agent/joins.h"

#include <stdio.h>
#include <string.h>

#include "agent/discover.h"
#include "base/alloc.h"
#include "base/error.h"
#include "server/strerror.h"

#define FALLBACK_MAX 256u

struct joins {
    struct joins_config config;
    struct base_env *env;
    struct base_log log;
    struct retry_join *lan, *wan, *primary;
    struct discovery *lan_targets, *wan_targets, *primary_targets;
    char *placeholder;

    /* One round for the primary's gateways: what the discovery found is
     * resolved, one after the other. */
    char *names[DISCOVER_TARGETS_MAX];
    size_t name_count;
    size_t resolving; /* index of the name under way */
    char why[160];    /* the last complaint */
    struct base_addr found[FALLBACK_MAX];
    size_t found_count;
};

static void exhausted(void *ctx, const char *what)
{
    struct joins *joins = ctx;

    if (joins->config.exhausted)
        joins->config.exhausted(joins->config.ctx, what);
}

/* ---- LAN and WAN ---------------------------------------------------------- */

static void on_joined(void *arg, int status, size_t joined)
{
    (void)joined;
    retry_join_attempted(arg, status, server_strerror(status));
}

static void join(struct joins *joins, bool wan, const char *const *targets,
                 size_t count, struct retry_join *retry)
{
    const struct core *core = &joins->config.core;
    int rv = pool_join(wan ? core->wan : core->lan, targets, count, on_joined,
                       retry);

    if (rv != 0)
        retry_join_attempted(retry, rv, server_strerror(rv));
}

static void on_targets(struct joins *joins, bool wan,
                       struct retry_join *retry, const char *const *targets,
                       size_t count, const char *why)
{
    if (count > 0)
        join(joins, wan, targets, count, retry);
    else
        retry_join_attempted(retry, BASE_ENOTFOUND,
                             *why ? why : "nothing to join was found");
}

static void on_lan_targets(void *arg, const char *const *targets, size_t count,
                           const char *why)
{
    struct joins *joins = arg;

    on_targets(joins, false, joins->lan, targets, count, why);
}

static void on_wan_targets(void *arg, const char *const *targets, size_t count,
                           const char *why)
{
    struct joins *joins = arg;

    on_targets(joins, true, joins->wan, targets, count, why);
}

static void attempt_lan(void *ctx, struct retry_join *retry)
{
    struct joins *joins = ctx;

    (void)retry;
    discovery_run(joins->lan_targets, on_lan_targets, joins);
}

static void attempt_wan(void *ctx, struct retry_join *retry)
{
    struct joins *joins = ctx;

    if (joins->placeholder)
        join(joins, true, (const char *const *)&joins->placeholder, 1, retry);
    else
        discovery_run(joins->wan_targets, on_wan_targets, joins);
}

/* A file of targets became another one: no need to wait out the interval. */
static void on_lan_file(void *arg)
{
    struct joins *joins = arg;

    retry_join_now(joins->lan);
}

static void on_wan_file(void *arg)
{
    struct joins *joins = arg;

    retry_join_now(joins->wan);
}

static void on_primary_file(void *arg)
{
    struct joins *joins = arg;

    retry_join_now(joins->primary);
}

static void start_wan(struct joins *joins)
{
    struct retry_join_config wan = {.what = "WAN",
                                    .interval_ms = joins->config.wan_interval_ms,
                                    .max = joins->config.wan_max,
                                    .attempt = attempt_wan,
                                    .exhausted = exhausted,
                                    .ctx = joins};

    if (joins->wan == NULL)
        joins->wan = retry_join_new(joins->env, &wan);
}

/* ---- the primary's gateways ----------------------------------------------- */

static void resolve_next(struct joins *joins);

static void on_resolved(void *arg, int status, const struct base_addr *addrs,
                        size_t count)
{
    struct joins *joins = arg;
    const char *text = joins->names[joins->resolving];
    struct base_target target;
    size_t i;

    base_target_parse(&target, text, JOINS_GATEWAY_PORT);
    if (status != 0)
        base_log(&joins->log, BASE_LOG_WARN,
                 "primary gateway name does not resolve", kv_str("name", text),
                 kv_str("error", base_strerror(status)));
    for (i = 0; i < count && joins->found_count < FALLBACK_MAX; i++) {
        joins->found[joins->found_count] = addrs[i];
        joins->found[joins->found_count++].port = target.port;
    }
    joins->resolving++;
    resolve_next(joins);
}

static void discovered(struct joins *joins)
{
    if (joins->found_count == 0) {
        retry_join_attempted(joins->primary, BASE_ENOTFOUND,
                             *joins->why ? joins->why
                                         : "no primary gateway address found");
        return;
    }
    server_set_primary_fallback(joins->config.core.server, joins->found,
                                joins->found_count);
    retry_join_attempted(joins->primary, 0, NULL);
    start_wan(joins);
}

static void resolve_next(struct joins *joins)
{
    struct base_target target;

    for (; joins->resolving < joins->name_count; joins->resolving++) {
        const char *text = joins->names[joins->resolving];

        if (base_target_parse(&target, text, JOINS_GATEWAY_PORT) == 0 &&
            base_env_resolve(joins->env, target.host, BASE_RESOLVE_HOST,
                             on_resolved, joins) == 0)
            return;
        base_log(&joins->log, BASE_LOG_WARN, "bad primary gateway address",
                 kv_str("address", text));
    }
    discovered(joins);
}

static void drop_names(struct joins *joins)
{
    while (joins->name_count > 0)
        base_free(joins->names[--joins->name_count]);
}

static void on_names(void *arg, const char *const *targets, size_t count,
                     const char *why)
{
    struct joins *joins = arg;

    drop_names(joins);
    while (joins->name_count < count) {
        joins->names[joins->name_count] =
            base_strdup(targets[joins->name_count]);
        joins->name_count++;
    }
    if (*why != '\0')
        base_log(&joins->log, BASE_LOG_WARN,
                 "discovery of the primary's gateways", kv_str("error", why));
    snprintf(joins->why, sizeof(joins->why), "%s", why);
    joins->resolving = 0;
    joins->found_count = 0;
    resolve_next(joins);
}

static void attempt_primary(void *ctx, struct retry_join *retry)
{
    struct joins *joins = ctx;

    (void)retry;
    discovery_run(joins->primary_targets, on_names, joins);
}

void joins_primary_ready(struct joins *joins)
{
    if (joins->wan)
        retry_join_now(joins->wan);
    else if (joins->placeholder)
        start_wan(joins);
}

/* ---- life ----------------------------------------------------------------- */

struct joins *joins_new(struct base_env *env, const struct joins_config *config)
{
    struct joins *joins;
    struct retry_join_config lan = {.what = "LAN",
                                    .interval_ms = config->lan_interval_ms,
                                    .max = config->lan_max,
                                    .attempt = attempt_lan,
                                    .exhausted = exhausted};
    /* Names of gateways may come to mean other addresses at any time (F2), so
     * the discovery never ends; it is a few look-ups an interval. */
    struct retry_join_config primary = {.what = "primary gateways",
                                        .interval_ms =
                                            config->primary_interval_ms,
                                        .keep_on = true,
                                        .attempt = attempt_primary};

    BASE_NEW(joins);
    joins->env = env;
    joins->log = base_log_named(&env->log, "agent.joins");
    joins->config = *config;
    if (config->placeholder_dc)
        joins->placeholder = base_asprintf("*.%s/" SERVER_WAN_PLACEHOLDER,
                                           config->placeholder_dc);
    lan.ctx = primary.ctx = joins;
    joins->lan_targets = discovery_new(env, config->lan, config->lan_count);
    joins->wan_targets = discovery_new(env, config->wan, config->wan_count);
    joins->primary_targets = discovery_new(env, config->primary_gateways,
                                           config->primary_gateway_count);
    if (config->lan_count > 0)
        joins->lan = retry_join_new(env, &lan);
    if (config->primary_gateway_count > 0)
        joins->primary = retry_join_new(env, &primary);
    if (config->wan_count > 0)
        start_wan(joins);
    discovery_watch(joins->lan_targets, on_lan_file, joins);
    discovery_watch(joins->wan_targets, on_wan_file, joins);
    discovery_watch(joins->primary_targets, on_primary_file, joins);
    return joins;
}

void joins_free(struct joins *joins)
{
    if (joins == NULL)
        return;
    retry_join_free(joins->lan);
    retry_join_free(joins->wan);
    retry_join_free(joins->primary);
    discovery_free(joins->lan_targets);
    discovery_free(joins->wan_targets);
    discovery_free(joins->primary_targets);
    drop_names(joins);
    base_free(joins->placeholder);
    base_free(joins);
}

void joins_each(const struct joins *joins,
                void (*each)(void *arg, const struct retry_join_status *status),
                void *arg)
{
    struct retry_join *const engines[] = {joins->lan, joins->primary,
                                          joins->wan};
    struct retry_join_status status;
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(engines); i++)
        if (engines[i]) {
            retry_join_status(engines[i], &status);
            each(arg, &status);
        }
}
