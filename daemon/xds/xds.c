/*
 * The nodes that ask, found by who they are and what they show, and forgotten
 * some minutes after their last question.
 */
#include "xds/xds.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "xds/xds_private.h"

void xds_count(struct xds *xds, const char *name, const char *key,
               const char *value)
{
    base_counter_add(
        base_metrics_counter(xds->config.env->metrics, name, key, value), 1);
}

/* ---- nodes ---------------------------------------------------------------- */

void xds_node_free(struct xds_node *node)
{
    struct xds *xds = node->xds;
    size_t i;

    while (!LIST_EMPTY(&node->waits))
        xds_wait_free(LIST_FIRST(&node->waits));
    base_timer_stop(&node->forget);
    HASH_DEL(xds->nodes, node);
    base_gauge_set(xds->nodes_gauge, HASH_COUNT(xds->nodes));
    xds_feed_free(node->feed);
    xds_subs_close(node);
    for (i = 0; i < XDS_TYPES; i++)
        xds_resources_close(&node->resources[i]);
    xds_names_close(&node->sent);
    xds_names_close(&node->taken);
    base_free(node->id);
    base_free_secret(node->token, strlen(node->token));
    base_free_secret(node->key, node->key_len);
    base_free(node);
}

static void on_forget(void *arg)
{
    xds_node_free(arg);
}

static void on_feed(void *arg)
{
    xds_node_renew(arg);
}

/* One that nobody asks for makes room; the first that is found will do. */
static bool make_room(struct xds *xds)
{
    struct xds_node *node, *next;

    if (HASH_COUNT(xds->nodes) < XDS_NODES_MAX)
        return true;
    HASH_ITER(hh, xds->nodes, node, next)
    {
        if (node->wait_count == 0) {
            xds_node_free(node);
            return true;
        }
    }
    return false;
}

static struct xds_node *node_new(struct xds *xds,
                                 const struct xds_request *request,
                                 const struct base_buf *key)
{
    struct xds_node *node;
    struct xds_feed_config feed;
    size_t i;

    BASE_NEW(node);
    node->xds = xds;
    node->key_len = base_buf_len(key);
    node->key = base_memdup(base_buf_data(key), node->key_len);
    node->id = base_strdup(request->node_id);
    node->token = base_strdup(request->token);
    for (i = 0; i < XDS_LISTENERS_MAX; i++)
        node->listen[i] = request->listen[i];
    LIST_INIT(&node->waits);
    base_timer_init(&node->forget, xds->config.env, "xds-forget", on_forget,
                    node);
    HASH_ADD_KEYPTR(hh, xds->nodes, node->key, node->key_len, node);
    base_gauge_set(xds->nodes_gauge, HASH_COUNT(xds->nodes));
    feed = (struct xds_feed_config){.env = xds->config.env,
                                    .cache = xds->config.cache,
                                    .local = xds->config.local,
                                    .datacenter = xds->config.datacenter,
                                    .domain = xds->config.domain,
                                    .service_id = node->id,
                                    .token = node->token,
                                    .on_change = on_feed,
                                    .arg = node};
    node->feed = xds_feed_new(&feed);
    xds_feed_look(node->feed);
    return node;
}

/* Texts end with a NUL: no two askers make the same key. */
static void make_key(const struct xds_request *request, struct base_buf *key)
{
    char text[BASE_ADDR_TEXT_MAX];
    size_t i;

    base_buf_append(key, request->node_id, strlen(request->node_id) + 1);
    base_buf_append(key, request->token, strlen(request->token) + 1);
    for (i = 0; i < XDS_LISTENERS_MAX; i++)
        if (request->listen[i].family != 0)
            base_buf_printf(key, "%s ",
                            base_addr_format(&request->listen[i], text));
}

static struct xds_node *find_or_make(struct xds *xds,
                                     const struct xds_request *request)
{
    struct base_buf key = BASE_BUF_INIT;
    struct xds_node *node;

    make_key(request, &key);
    HASH_FIND(hh, xds->nodes, base_buf_data(&key), base_buf_len(&key), node);
    if (node == NULL && make_room(xds))
        node = node_new(xds, request, &key);
    base_buf_close(&key);
    return node;
}

int xds_ask(struct xds *xds, const struct xds_request *request,
            xds_done_fn done, void *arg, struct xds_wait **out)
{
    struct xds_node *node;
    struct xds_sub *sub = NULL;

    if (strlen(request->version) > XDS_VERSION_BYTES_MAX)
        return BASE_EINVAL;
    node = find_or_make(xds, request);
    if (node && node->wait_count < XDS_WAITS_MAX)
        sub = xds_sub_of(node, request);
    if (sub == NULL) {
        xds_count(xds, "isthmus.xds.refused", "reason", "full");
        return BASE_EFULL;
    }
    *out = xds_wait_new(node, sub, request->version, done, arg);
    return 0;
}

/* ---- life ----------------------------------------------------------------- */

static void on_local_change(void *ctx)
{
    struct xds *xds = ctx;

    base_timer_start_ns(&xds->look, 0);
}

static void look(void *arg)
{
    struct xds *xds = arg;
    struct xds_node *node, *next;

    HASH_ITER(hh, xds->nodes, node, next)
        xds_feed_look(node->feed);
}

struct xds *xds_new(const struct xds_config *config)
{
    struct base_metrics *metrics = config->env->metrics;
    struct xds *xds;

    BASE_NEW(xds);
    xds->config = *config;
    xds->log = base_log_named(&config->env->log, "xds");
    xds->nodes_gauge =
        base_metrics_gauge(metrics, "isthmus.xds.nodes", NULL, NULL);
    xds->waiting_gauge =
        base_metrics_gauge(metrics, "isthmus.xds.waiting", NULL, NULL);
    base_timer_init(&xds->look, config->env, "xds-look", look, xds);
    local_state_on_change(config->local, on_local_change, xds);
    return xds;
}

void xds_free(struct xds *xds)
{
    struct xds_node *node, *next;

    if (xds == NULL)
        return;
    local_state_on_change(xds->config.local, NULL, NULL);
    base_timer_stop(&xds->look);
    HASH_ITER(hh, xds->nodes, node, next)
        xds_node_free(node);
    base_free(xds);
}
