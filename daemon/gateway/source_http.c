/*
 * First the agent is asked who it is (datacenter and domain), then two queries
 * run side by side: the local servers, and the gateways of all datacenters. A
 * new answer of either makes a new table from the last ones of both.
 */
#include "gateway/source_http.h"

#include "base/alloc.h"
#include "gateway/backoff.h"
#include "gateway/catalog_json.h"
#include "gateway/watch.h"

#define SELF_TIMEOUT_S 10
#define DOMAIN_DEFAULT "consul"

struct source {
    struct source_config config;
    struct base_env *env;
    struct base_log log;
    struct api_call *self_call;
    struct base_timer self_again;
    unsigned failures;
    char *datacenter;
    char *domain;
    struct watch *servers_watch, *sites_watch;
    json_t *servers, *sites; /* the last answers; NULL before the first */
};

/* ---- tables ---------------------------------------------------------------
 */

static void tell_routes(struct source *source)
{
    struct routes_input input = {
        .datacenter = source->datacenter,
        .domain = source->domain,
        .expose_servers = source->config.expose_servers,
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

static void on_recovered(void *arg)
{
    struct source *source = arg;

    source->config.on_recovered(source->config.arg);
}

/* ---- who the agent is -----------------------------------------------------
 */

static void start_watches(struct source *source)
{
    struct watch_config servers = {.api = source->config.api,
                                   .path = "/v1/health/service/consul",
                                   .on_answer = on_servers,
                                   .on_recovered = on_recovered,
                                   .arg = source};
    struct watch_config sites = servers;

    sites.path = "/v1/internal/federation-states/mesh-gateways";
    sites.on_answer = on_sites;
    sites.on_recovered = NULL; /* once is enough */
    source->servers_watch = watch_new(&servers);
    source->sites_watch = watch_new(&sites);
}

static void ask_self(void *arg);

static void on_self(void *arg, const struct api_reply *reply)
{
    struct source *source = arg;
    const json_t *config = json_object_get(reply->body, "Config");
    const char *datacenter =
        json_string_value(json_object_get(config, "Datacenter"));
    const char *domain = json_string_value(json_object_get(config, "Domain"));

    source->self_call = NULL;
    if (reply->status != 200 || datacenter == NULL) {
        source->failures++;
        if (backoff_is_worth_a_line(source->failures))
            base_log(&source->log, BASE_LOG_WARN,
                     "waiting for the agent to tell its datacenter",
                     kv_int("status", reply->status),
                     kv_str("error", reply->why));
        base_timer_start_ms(&source->self_again,
                            backoff_ms(source->env, source->failures));
        return;
    }
    source->datacenter = base_strdup(datacenter);
    source->domain = base_strdup(domain != NULL ? domain : DOMAIN_DEFAULT);
    base_log(&source->log, BASE_LOG_INFO, "following the agent",
             kv_str("datacenter", source->datacenter),
             kv_str("domain", source->domain));
    start_watches(source);
}

static void ask_self(void *arg)
{
    struct source *source = arg;

    source->self_call = api_get(source->config.api, "/v1/agent/self",
                                SELF_TIMEOUT_S, on_self, source);
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
    base_timer_init(&source->self_again, source->env, "source", ask_self,
                    source);
    if (config->expose_servers)
        ask_self(source);
    return source;
}

void source_free(struct source *source)
{
    if (source == NULL)
        return;
    base_timer_stop(&source->self_again);
    api_cancel(source->self_call);
    watch_free(source->servers_watch);
    watch_free(source->sites_watch);
    if (source->servers != NULL)
        json_decref(source->servers);
    if (source->sites != NULL)
        json_decref(source->sites);
    base_free(source->datacenter);
    base_free(source->domain);
    base_free(source);
}

bool source_is_ready(const struct source *source)
{
    return !source->config.expose_servers ||
           (source->servers != NULL && source->sites != NULL);
}
