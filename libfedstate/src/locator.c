/*
 * The locator: gathers candidates from the table, the catalog and the fallback
 * addresses, decides the way to the primary (path.c), and tells when the result
 * is another than before. Every input only marks it; the work is done once, in
 * the loop's next turn. Choosing among candidates is the picker's.
 * Source: federation.md section 9.
 */
#include "fedstate/locator.h"

#include <string.h>

#include "base/alloc.h"
#include "fedstate/model.h"
#include "internal.h"
#include "path.h"
#include "routes.h"
#include "store_internal.h"

struct fedstate_locator {
    struct base_env *env;
    struct fedstate_locator_config config;
    char datacenter[FEDSTATE_DC_BYTES_MAX + 1];
    char primary[FEDSTATE_DC_BYTES_MAX + 1];
    struct base_log log;
    struct fedstate_watch watch;
    struct base_timer timer; /* locates again */
    struct base_timer hold;

    bool started;
    bool ready_told;
    struct fedstate_path_facts facts;
    struct fedstate_addrs fallback;
    struct fedstate_addrs catalog; /* our own, as our catalog has them */

    enum fedstate_path path;
    struct fedstate_routes *routes; /* never NULL after the first turn */
};

static bool in_primary(const struct fedstate_locator *locator)
{
    return fedstate_dc_compare(locator->datacenter, locator->primary) == 0;
}

static void mark(struct fedstate_locator *locator)
{
    base_timer_start_ns(&locator->timer, 0);
}

static void add_gateway(struct fedstate_addrs *addrs,
                        const Fedstate__CheckServiceNode *gateway, bool wan)
{
    struct base_addr addr;

    if (fedstate_gateway_usable(gateway) &&
        fedstate_gateway_addr(gateway, wan, &addr))
        fedstate_addrs_add(addrs, &addr);
}

/* Returns whether the record names any gateway at all. */
static bool gather(const struct fedstate_locator *locator, const char *dc,
                   bool wan, struct fedstate_addrs *addrs)
{
    const Fedstate__FederationState *state;
    size_t i;

    if (!locator->started)
        return false;
    state = fedstate_store_get(locator->config.store, dc);
    if (state == NULL)
        return false;
    for (i = 0; i < state->n_mesh_gateways; i++)
        add_gateway(addrs, state->mesh_gateways[i], wan);
    return state->n_mesh_gateways > 0;
}

static void unite(struct fedstate_addrs *addrs,
                  const struct fedstate_addrs *more)
{
    size_t i;

    for (i = 0; i < more->count; i++)
        fedstate_addrs_add(addrs, &more->at[i]);
}

static void end_hold(struct fedstate_locator *locator)
{
    base_timer_stop(&locator->hold);
    locator->facts.held = false;
}

/* Our catalog knows our gateways before the primary has heard of them: when all
 * were replaced at once, that is the way by which it will (F1). */
static void gather_local(struct fedstate_locator *locator,
                         struct fedstate_addrs *local)
{
    locator->facts.local_listed =
        gather(locator, locator->datacenter, false, local);
    if (locator->catalog.count > 0)
        *local = locator->catalog;
    locator->facts.have_local = local->count > 0;
    if (locator->facts.local_listed)
        end_hold(locator);
}

/* The primary's candidates, in a secondary; local is already gathered. */
static void gather_primary(struct fedstate_locator *locator,
                           const struct fedstate_addrs *local,
                           struct fedstate_addrs *to_primary)
{
    struct fedstate_path_facts *facts = &locator->facts;
    struct fedstate_addrs replicated = {.count = 0};

    gather(locator, locator->primary, true, &replicated);
    facts->have_primary = replicated.count > 0;
    facts->have_fallback = locator->fallback.count > 0;
    locator->path = fedstate_path_to_primary(facts);
    switch (locator->path) {
    case FEDSTATE_PATH_LOCAL:
        *to_primary = *local;
        break;
    case FEDSTATE_PATH_DIRECT:
    case FEDSTATE_PATH_FALLBACK:
        /* The union, and not the replicated alone: those may all be gone while
         * the fallback's names already tell of new ones (F2). */
        *to_primary = replicated;
        unite(to_primary, &locator->fallback);
        break;
    case FEDSTATE_PATH_NONE:
        break;
    }
}

static void log_list(const struct fedstate_locator *locator, const char *words,
                     const char *way, const struct fedstate_routes *old,
                     const struct fedstate_routes *new, const char *dc)
{
    size_t old_count;
    size_t new_count;
    const struct base_addr *from = fedstate_routes_for(old, dc, &old_count);
    const struct base_addr *to = fedstate_routes_for(new, dc, &new_count);
    char *old_text = fedstate_routes_text(from, old_count);
    char *new_text = fedstate_routes_text(to, new_count);

    if (strcmp(old_text, new_text) != 0 || old_count != new_count)
        base_log(&locator->log, BASE_LOG_INFO, words, kv_str("way", way),
                 kv_str("old", old_text), kv_str("new", new_text));
    base_free(old_text);
    base_free(new_text);
}

static void log_change(const struct fedstate_locator *locator,
                       const struct fedstate_routes *old,
                       const struct fedstate_routes *new)
{
    log_list(locator, "mesh gateways of this datacenter changed", "local", old,
             new, "");
    log_list(locator, "mesh gateways towards the primary datacenter changed",
             fedstate_locator_path(locator), old, new, locator->primary);
}

static void tell_ready(struct fedstate_locator *locator)
{
    if (locator->ready_told || in_primary(locator) ||
        !locator->facts.have_primary)
        return;
    locator->ready_told = true;
    base_log(&locator->log, BASE_LOG_INFO,
             "the primary datacenter's mesh gateways are known");
    if (locator->config.on_primary_ready != NULL)
        locator->config.on_primary_ready(locator->config.ctx);
}

static struct fedstate_routes *locate(struct fedstate_locator *locator)
{
    struct fedstate_addrs local = {.count = 0};
    struct fedstate_addrs to_primary = {.count = 0};

    gather_local(locator, &local);
    if (in_primary(locator)) {
        to_primary = local;
        locator->path = local.count > 0 ? FEDSTATE_PATH_LOCAL
                                        : FEDSTATE_PATH_NONE;
    } else {
        gather_primary(locator, &local, &to_primary);
    }
    return fedstate_routes_new(locator->primary, &local, &to_primary);
}

static void on_timer(void *arg)
{
    struct fedstate_locator *locator = arg;
    struct fedstate_routes *old = locator->routes;
    struct fedstate_routes *new = locate(locator);

    if (fedstate_routes_equal(old, new)) {
        fedstate_routes_free(new);
    } else {
        locator->routes = new;
        log_change(locator, old, new);
        fedstate_routes_free(old);
        if (locator->config.on_routes != NULL)
            locator->config.on_routes(locator->config.ctx, new);
    }
    tell_ready(locator);
}

static void on_store(void *arg)
{
    mark(arg);
}

static void on_hold_over(void *arg)
{
    struct fedstate_locator *locator = arg;

    base_log(&locator->log, BASE_LOG_WARN,
             "no leader yet to tell our gateways: goes on without");
    fedstate_locator_release(locator);
}

static bool fits(const char *dc)
{
    return dc != NULL && dc[0] != '\0' && strlen(dc) <= FEDSTATE_DC_BYTES_MAX;
}

int fedstate_locator_new(struct base_env *env,
                         const struct fedstate_locator_config *config,
                         struct fedstate_locator **out)
{
    static const struct fedstate_addrs none = {.count = 0};
    struct fedstate_locator *locator;

    *out = NULL;
    if (!fits(config->datacenter) || !fits(config->primary_datacenter) ||
        config->store == NULL)
        return FEDSTATE_EINVAL;
    BASE_NEW(locator);
    locator->env = env;
    locator->config = *config;
    strcpy(locator->datacenter, config->datacenter);
    strcpy(locator->primary, config->primary_datacenter);
    locator->config.datacenter = locator->datacenter;
    locator->config.primary_datacenter = locator->primary;
    locator->log = base_log_named(&env->log, "fedstate.locator");
    locator->facts.never_direct = config->disable_primary_fallback;
    locator->routes = fedstate_routes_new(locator->primary, &none, &none);
    base_timer_init(&locator->timer, env, "fedstate-locator", on_timer,
                    locator);
    base_timer_init(&locator->hold, env, "fedstate-hold", on_hold_over,
                    locator);
    fedstate_watch_start(&locator->watch, config->store, NULL, on_store,
                         locator);
    *out = locator;
    return 0;
}

void fedstate_locator_free(struct fedstate_locator *locator)
{
    if (locator == NULL)
        return;
    fedstate_watch_stop(&locator->watch);
    base_timer_stop(&locator->timer);
    base_timer_stop(&locator->hold);
    fedstate_routes_free(locator->routes);
    base_free(locator);
}

void fedstate_locator_hold(struct fedstate_locator *locator)
{
    if (in_primary(locator))
        return;
    locator->facts.held = true;
    if (!locator->facts.never_direct)
        base_timer_start_ms(&locator->hold, FEDSTATE_LOCATOR_HOLD_MS);
}

void fedstate_locator_release(struct fedstate_locator *locator)
{
    end_hold(locator);
    mark(locator);
}

void fedstate_locator_start(struct fedstate_locator *locator, bool stored)
{
    locator->started = true;
    locator->facts.stored |= stored;
    mark(locator);
}

int fedstate_locator_set_fallback(struct fedstate_locator *locator,
                                  const struct base_addr *addrs, size_t count)
{
    size_t i;

    locator->fallback.count = 0;
    for (i = 0; i < count; i++)
        if (addrs[i].family != 0 && addrs[i].port != 0)
            fedstate_addrs_add(&locator->fallback, &addrs[i]);
    mark(locator);
    return locator->fallback.count == 0 && count > 0 ? FEDSTATE_EINVAL : 0;
}

void fedstate_locator_set_catalog(struct fedstate_locator *locator,
                                  Fedstate__CheckServiceNode *const *gateways,
                                  size_t count)
{
    const struct fedstate_addrs before = locator->catalog;
    size_t i;

    locator->catalog.count = 0;
    for (i = 0; i < count; i++)
        add_gateway(&locator->catalog, gateways[i], false);
    /* Rounds failed by way of others: this one is given a round too. */
    for (i = 0; i < locator->catalog.count; i++)
        if (!fedstate_addrs_has(&before, &locator->catalog.at[i]) &&
            locator->facts.failures >= FEDSTATE_PATH_FAILURES)
            locator->facts.failures = FEDSTATE_PATH_FAILURES - 1;
    mark(locator);
}

/* A new leadership begins without outcomes: those of an earlier one are old. */
void fedstate_locator_set_leader(struct fedstate_locator *locator,
                                 bool is_leader)
{
    struct fedstate_path_facts *facts = &locator->facts;

    if (is_leader && !facts->leader) {
        facts->tried = false;
        facts->failures = 0;
        if (locator->started && fedstate_store_count(locator->config.store) > 0)
            facts->stored = true;
        end_hold(locator);
    }
    facts->leader = is_leader;
    mark(locator);
}

void fedstate_locator_report_round(struct fedstate_locator *locator, int status)
{
    struct fedstate_path_facts *facts = &locator->facts;

    facts->tried = true;
    if (status >= 0)
        facts->failures = 0;
    else if (facts->failures < UINT32_MAX)
        facts->failures++;
    mark(locator);
}

const char *fedstate_locator_path(const struct fedstate_locator *locator)
{
    switch (locator->path) {
    case FEDSTATE_PATH_LOCAL:
        return "local";
    case FEDSTATE_PATH_DIRECT:
        return "direct";
    case FEDSTATE_PATH_FALLBACK:
        return "fallback";
    case FEDSTATE_PATH_NONE:
        break;
    }
    return "none";
}

const struct fedstate_routes *
fedstate_locator_routes(const struct fedstate_locator *locator)
{
    return locator->routes;
}
