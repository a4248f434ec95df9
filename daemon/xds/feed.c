/*
 * Two reads of the cache that are asked again as they are answered, the same
 * ones that gateways of other kinds make over HTTP, so all share what is behind
 * them. A failure is the cache's word that it has no answer at all; once there
 * is one, it stays.
 */
#include "xds/feed.h"

#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "fedstate/model.h"
#include "rpc/error.h"

#define AGAIN_MS 1000u /* after a failure */

struct follow {
    struct xds_feed *feed;
    const char *method, *name;
    struct cache_read *read;
    struct base_timer again;
    uint64_t index;
    Server__QueryReply *reply; /* the last; NULL before the first */
    int status;
    char *text;
};

enum { SERVERS, SITES, FOLLOWS };

struct xds_feed {
    struct xds_feed_config config;
    struct base_log log;
    bool known, exposes;
    struct base_addr self[2]; /* LAN, WAN */
    struct follow follows[FOLLOWS];
    struct routes *routes;
};

/* ---- the table ------------------------------------------------------------ */

static bool has_critical(const Fedstate__CheckServiceNode *entry)
{
    size_t i;

    for (i = 0; i < entry->n_checks; i++)
        if (strcmp(entry->checks[i]->status, "critical") == 0)
            return true;
    return false;
}

static struct routes_server *servers_of(const Server__QueryReply *reply,
                                        size_t *count)
{
    struct routes_server *servers =
        base_calloc(reply->n_instances + 1, sizeof(*servers));
    size_t i;

    *count = 0;
    for (i = 0; i < reply->n_instances; i++) {
        const Fedstate__CheckServiceNode *entry = reply->instances[i];
        struct routes_server *server = &servers[*count];

        if (entry->node == NULL || has_critical(entry) ||
            !fedstate_gateway_addr(entry, false, &server->addr))
            continue;
        server->node = entry->node->node;
        (*count)++;
    }
    return servers;
}

static void fill_site(struct routes_site *site,
                      const Server__DatacenterGateways *from)
{
    struct base_addr *addrs = base_calloc(from->n_nodes + 1, sizeof(*addrs));
    size_t i;

    *site = (struct routes_site){.datacenter = from->datacenter,
                                 .gateways = addrs};
    for (i = 0; i < from->n_nodes; i++)
        if (fedstate_gateway_usable(from->nodes[i]) &&
            fedstate_gateway_addr(from->nodes[i], true,
                                  &addrs[site->gateway_count]))
            site->gateway_count++;
}

static struct routes *make_routes(const struct xds_feed *feed)
{
    const Server__QueryReply *sites = feed->follows[SITES].reply;
    struct routes_input input = {.datacenter = feed->config.datacenter,
                                 .domain = feed->config.domain,
                                 .expose_servers = feed->exposes,
                                 .self = {feed->self[0], feed->self[1]}};
    struct routes_server *servers;
    struct routes_site *list;
    struct routes *routes;
    size_t i;

    if (!feed->exposes)
        return routes_new(&input);
    servers = servers_of(feed->follows[SERVERS].reply, &input.server_count);
    list = base_calloc(sites->n_gateways + 1, sizeof(*list));
    for (i = 0; i < sites->n_gateways; i++)
        fill_site(&list[i], sites->gateways[i]);
    input.servers = servers;
    input.sites = list;
    input.site_count = sites->n_gateways;
    routes = routes_new(&input);
    for (i = 0; i < sites->n_gateways; i++)
        base_free((struct base_addr *)(uintptr_t)list[i].gateways);
    base_free(list);
    base_free(servers);
    return routes;
}

static bool is_complete(const struct xds_feed *feed)
{
    return feed->known &&
           (!feed->exposes || (feed->follows[SERVERS].reply != NULL &&
                               feed->follows[SITES].reply != NULL));
}

static void renew(struct xds_feed *feed)
{
    if (is_complete(feed)) {
        struct routes *routes = make_routes(feed);

        routes_log_changes(feed->routes, routes, &feed->log);
        routes_free(feed->routes);
        feed->routes = routes;
    }
    feed->config.on_change(feed->config.arg);
}

/* ---- what is followed ----------------------------------------------------- */

static void follow_ask(void *arg);

static void on_failure(struct follow *follow, int status, const char *text)
{
    base_free(follow->text);
    follow->text = base_strdup(text);
    follow->status = status;
    /* Nobody keeps what he may not read any more. */
    if (status == RPC_EDENIED) {
        base_pb_free(follow->reply);
        follow->reply = NULL;
        follow->index = 0;
    }
    base_timer_start_ms(&follow->again, AGAIN_MS);
    follow->feed->config.on_change(follow->feed->config.arg);
}

static void on_answer(void *arg, const struct cache_answer *answer)
{
    struct follow *follow = arg;
    bool news;

    follow->read = NULL;
    if (answer->status != 0) {
        on_failure(follow, answer->status, answer->text);
        return;
    }
    news = follow->reply == NULL || answer->reply->index != follow->index;
    follow->index = answer->reply->index;
    base_timer_start_ns(&follow->again, 0);
    if (!news)
        return;
    base_pb_free(follow->reply);
    follow->reply = base_pb_dup(answer->reply);
    renew(follow->feed);
}

static void follow_ask(void *arg)
{
    struct follow *follow = arg;
    Server__Query query = SERVER__QUERY__INIT;
    struct cache_ask ask = {.method = follow->method,
                            .token = follow->feed->config.token,
                            .query = &query,
                            .max_age_ms = UINT64_MAX};
    int rv;

    query.name = (char *)(uintptr_t)follow->name;
    query.min_index = follow->index;
    rv = cache_read(follow->feed->config.cache, &ask, on_answer, follow,
                    &follow->read);
    if (rv != 0)
        on_failure(follow, RPC_EBUSY, "the agent's cache is full");
}

static void follow_stop(struct follow *follow)
{
    base_timer_stop(&follow->again);
    cache_read_cancel(follow->read);
    follow->read = NULL;
    base_pb_free(follow->reply);
    follow->reply = NULL;
    base_free(follow->text);
    follow->text = NULL;
    follow->index = 0;
}

static void follow_all(struct xds_feed *feed, bool wanted)
{
    size_t i;

    for (i = 0; i < FOLLOWS; i++) {
        struct follow *follow = &feed->follows[i];

        if (!wanted)
            follow_stop(follow);
        else if (follow->read == NULL &&
                 !base_timer_is_running(&follow->again))
            base_timer_start_ns(&follow->again, 0);
    }
}

/* ---- the service ---------------------------------------------------------- */

static const Fedstate__Service *find_service(const struct xds_feed *feed)
{
    const Fedstate__Service *service =
        local_state_find(feed->config.local, feed->config.service_id);

    return service && strcmp(service->kind, FEDSTATE_KIND_GATEWAY) == 0
               ? service
               : NULL;
}

void xds_feed_look(struct xds_feed *feed)
{
    const Fedstate__Service *service = find_service(feed);
    Fedstate__CheckServiceNode entry = FEDSTATE__CHECK_SERVICE_NODE__INIT;
    const char *meta;
    size_t i;

    feed->known = service != NULL;
    feed->exposes = false;
    if (service != NULL) {
        meta = fedstate_pair(service->meta, service->n_meta,
                             FEDSTATE_META_FEDERATION);
        feed->exposes = meta && strcmp(meta, "1") == 0;
        entry.service = (Fedstate__Service *)(uintptr_t)service;
        for (i = 0; i < BASE_COUNT_OF(feed->self); i++)
            if (!fedstate_gateway_addr(&entry, i == 1, &feed->self[i]))
                feed->self[i].family = 0;
    }
    follow_all(feed, feed->exposes);
    renew(feed);
}

/* ---- life ----------------------------------------------------------------- */

struct xds_feed *xds_feed_new(const struct xds_feed_config *config)
{
    struct xds_feed *feed;
    size_t i;

    BASE_NEW(feed);
    feed->config = *config;
    feed->log = base_log_named(&config->env->log, "xds");
    for (i = 0; i < FOLLOWS; i++) {
        struct follow *follow = &feed->follows[i];

        follow->feed = feed;
        follow->method = i == SERVERS ? "Health.Service"
                                      : "FederationState.ListMeshGateways";
        follow->name = i == SERVERS ? "consul" : "";
        base_timer_init(&follow->again, config->env, "xds-feed", follow_ask,
                        follow);
    }
    return feed;
}

void xds_feed_free(struct xds_feed *feed)
{
    follow_all(feed, false);
    routes_free(feed->routes);
    base_free(feed);
}

enum xds_feed_state xds_feed_state(const struct xds_feed *feed, int *status,
                                   const char **text)
{
    size_t i;

    if (!feed->known)
        return XDS_FEED_UNKNOWN;
    if (is_complete(feed))
        return XDS_FEED_READY;
    for (i = 0; i < FOLLOWS; i++) {
        if (feed->follows[i].reply == NULL && feed->follows[i].text != NULL) {
            *status = feed->follows[i].status;
            *text = feed->follows[i].text;
            return XDS_FEED_FAILS;
        }
    }
    return XDS_FEED_WAITS;
}

const struct routes *xds_feed_routes(const struct xds_feed *feed)
{
    return feed->routes;
}

const struct base_addr *xds_feed_address(const struct xds_feed *feed)
{
    return &feed->self[0];
}
