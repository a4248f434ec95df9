/*
 * First the agent is asked who it is (datacenter, domain, node). Then one query
 * follows our own service for its meta, and while that says so two more run
 * beside it: the local servers, and the gateways of all datacenters. A new
 * answer of either makes a new table from the last ones of both.
 */
#include "gateway/source_http.h"

#include "base/alloc.h"
#include "gateway/backoff.h"
#include "gateway/catalog_json.h"
#include "gateway/watch.h"
#include "rpc/protocol.h"

#define SELF_TIMEOUT_S 10
#define DOMAIN_DEFAULT "consul"

struct source {
    struct source_config config;
    struct base_env *env;
    struct base_log log;
    struct api_call *self_call;
    struct base_timer again; /* ask the agent; or tell the first, empty table */
    unsigned failures;
    char *datacenter; /* NULL until the agent has told who it is */
    char *domain;
    char *node;
    char server_name[254]; /* "" if it is none: too long */
    bool exposes;
    bool settled; /* the catalog has what we registered, and counts from now */
    struct watch *own_watch, *servers_watch, *sites_watch;
    json_t *servers, *sites; /* the last answers; NULL before the first */
};

/* ---- tables ---------------------------------------------------------------
 */

static void tell_routes(struct source *source)
{
    struct routes_input input = {
        .datacenter = source->datacenter,
        .domain = source->domain,
        .expose_servers = source->exposes,
        .self = {source->config.self[0], source->config.self[1]}};
    struct routes_server *servers =
        catalog_json_servers(source->servers, &input.server_count);
    struct routes_site *sites =
        catalog_json_sites(source->sites, &input.site_count);

    input.servers = servers;
    input.sites = sites;
    source->config.on_routes(source->config.arg, routes_new(&input));
    catalog_json_sites_free(sites, input.site_count);
    base_free(servers);
}

static void keep(json_t **slot, const json_t *body)
{
    json_t *old = *slot;

    *slot = json_incref((json_t *)(uintptr_t)body);
    if (old != NULL)
        json_decref(old);
}

static void on_servers(void *arg, const json_t *body)
{
    struct source *source = arg;

    keep(&source->servers, body);
    tell_routes(source);
}

static void on_sites(void *arg, const json_t *body)
{
    struct source *source = arg;

    keep(&source->sites, body);
    tell_routes(source);
}

/* ---- what is watched ------------------------------------------------------
 */

static void start_watches(struct source *source)
{
    struct watch_config servers = {.api = source->config.api,
                                   .path = "/v1/health/service/consul",
                                   .on_answer = on_servers,
                                   .arg = source};
    struct watch_config sites = servers;

    sites.path = "/v1/internal/federation-states/mesh-gateways";
    sites.on_answer = on_sites;
    source->servers_watch = watch_new(&servers);
    source->sites_watch = watch_new(&sites);
}

static void forget(json_t **slot)
{
    if (*slot != NULL)
        json_decref(*slot);
    *slot = NULL;
}

static void stop_watches(struct source *source)
{
    watch_free(source->servers_watch);
    watch_free(source->sites_watch);
    source->servers_watch = source->sites_watch = NULL;
    forget(&source->servers);
    forget(&source->sites);
}

static void on_doubt(void *arg)
{
    struct source *source = arg;

    source->config.on_doubt(source->config.arg);
}

static void on_own(void *arg, const json_t *body)
{
    struct source *source = arg;
    bool exposes;

    if (!catalog_json_exposes(body, source->node, source->config.service_id,
                              &exposes)) {
        on_doubt(source);
        return;
    }
    source->settled |= exposes == source->config.expose_servers;
    if (!source->settled || exposes == source->exposes)
        return;
    base_log(&source->log, BASE_LOG_INFO,
             exposes ? "the meta was set: servers are exposed"
                     : "the meta was cleared: no server is exposed");
    source->exposes = exposes;
    if (exposes)
        start_watches(source);
    else
        stop_watches(source);
    source->config.on_exposes(source->config.arg, exposes);
    tell_routes(source);
}

static void watch_own(struct source *source)
{
    char *name = api_escape(source->config.service);
    char *path = base_asprintf("/v1/health/service/%s", name);
    struct watch_config own = {.api = source->config.api,
                               .path = path,
                               .on_answer = on_own,
                               .on_recovered = on_doubt,
                               .arg = source};

    source->own_watch = watch_new(&own);
    base_free(path);
    base_free(name);
}

/* ---- who the agent is -----------------------------------------------------
 */

static void ask_self(void *arg);

static void cannot_ask(struct source *source, const struct api_reply *reply)
{
    source->failures++;
    if (backoff_is_worth_a_line(source->failures))
        base_log(&source->log, BASE_LOG_WARN,
                 "waiting for the agent to tell its datacenter",
                 kv_int("status", reply->status), kv_str("error", reply->why));
    base_timer_start_ms(&source->again,
                        backoff_ms(source->env, source->failures));
}

static void on_self(void *arg, const struct api_reply *reply)
{
    struct source *source = arg;
    const json_t *config = json_object_get(reply->body, "Config");
    const char *datacenter =
        json_string_value(json_object_get(config, "Datacenter"));
    const char *domain = json_string_value(json_object_get(config, "Domain"));
    const char *node = json_string_value(json_object_get(config, "NodeName"));

    source->self_call = NULL;
    if (reply->status != 200 || datacenter == NULL) {
        cannot_ask(source, reply);
        return;
    }
    source->datacenter = base_strdup(datacenter);
    source->domain = base_strdup(domain != NULL ? domain : DOMAIN_DEFAULT);
    source->node = base_strdup(node != NULL ? node : "");
    rpc_server_name(source->server_name, "", source->datacenter,
                    source->domain);
    base_log(&source->log, BASE_LOG_INFO, "following the agent",
             kv_str("datacenter", source->datacenter),
             kv_str("domain", source->domain));
    if (source->config.service_id != NULL)
        watch_own(source);
    if (source->exposes)
        start_watches(source);
}

static void ask_self(void *arg)
{
    struct source *source = arg;

    source->self_call = api_get(source->config.api, "/v1/agent/self",
                                SELF_TIMEOUT_S, on_self, source);
}

/* There is nothing to wait for; but callbacks come later. */
static void begin_empty(void *arg)
{
    struct source *source = arg;

    base_timer_init(&source->again, source->env, "source", ask_self, source);
    if (source->config.service_id != NULL)
        ask_self(source);
    tell_routes(source);
}

/* ---- life -----------------------------------------------------------------
 */

struct source *source_new(const struct source_config *config)
{
    struct source *source;

    BASE_NEW(source);
    source->config = *config;
    source->env = api_env(config->api);
    source->log = base_log_named(&source->env->log, "gateway");
    source->exposes = config->expose_servers;
    source->settled = !config->registers;
    base_timer_init(&source->again, source->env, "source",
                    source->exposes ? ask_self : begin_empty, source);
    base_timer_start_ns(&source->again, 0);
    return source;
}

void source_free(struct source *source)
{
    if (source == NULL)
        return;
    base_timer_stop(&source->again);
    api_cancel(source->self_call);
    watch_free(source->own_watch);
    stop_watches(source);
    base_free(source->datacenter);
    base_free(source->domain);
    base_free(source->node);
    base_free(source);
}

bool source_is_ready(const struct source *source)
{
    return !source->exposes ||
           (source->servers != NULL && source->sites != NULL);
}

const char *source_server_name(const struct source *source)
{
    return source->exposes && source->server_name[0] != '\0'
               ? source->server_name
               : NULL;
}
