/* /v1/coordinate: where the nodes are in Vivaldi space, as this agent heard. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "gossip/error.h"
#include "http/json_put.h"
#include "http/web.h"

static json_t *coord_json(const struct gossip_coordinate *coordinate)
{
    json_t *object = json_object(), *vec = json_array();
    size_t i;

    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
        json_array_append_new(vec, json_real(coordinate->vec[i]));
    json_put(object, "Vec", vec);
    json_put(object, "Error", json_real(coordinate->error));
    json_put(object, "Adjustment", json_real(coordinate->adjustment));
    json_put(object, "Height", json_real(coordinate->height));
    return object;
}

static json_t *node_json(const char *node,
                         const struct gossip_coordinate *coordinate)
{
    json_t *object = json_object();

    json_put_text(object, "Node", node);
    json_put_text(object, "Segment", "");
    json_put(object, "Coord", coord_json(coordinate));
    return object;
}

static struct web_request *taken(void *arg, int status)
{
    struct web_request *request = web_ticket_end(arg);

    if (request == NULL || status == 0)
        return request;
    web_reply_text(request, 500, "no coordinates: %s", gossip_strerror(status));
    return NULL;
}

static int by_node(const void *a, const void *b)
{
    const struct pool_coordinate *const *left = a;
    const struct pool_coordinate *const *right = b;

    return strcmp((*left)->node, (*right)->node);
}

static const struct pool_coordinate **
sorted(const struct pool_coordinate *list, size_t count)
{
    const struct pool_coordinate **out = base_calloc(count + 1, sizeof(*out));
    size_t i;

    for (i = 0; i < count; i++)
        out[i] = &list[i];
    qsort(out, count, sizeof(*out), by_node);
    return out;
}

/* ---- nodes of the LAN ------------------------------------------------------ */

static void show_nodes(void *arg, int status,
                       const struct pool_coordinate *list, size_t count)
{
    struct web_request *request = taken(arg, status);
    const struct pool_coordinate **order;
    json_t *answer;
    size_t i;

    if (request == NULL)
        return;
    order = sorted(list, count);
    answer = json_array();
    for (i = 0; i < count; i++)
        json_array_append_new(
            answer, node_json(order[i]->node, &order[i]->coordinate));
    base_free(order);
    web_reply_json(request, answer);
}

/* ---- servers of the WAN, by datacenter ------------------------------------- */

/* The list of a datacenter's coordinates, made at its first use. */
static json_t *list_of(json_t *answer, json_t *index, const char *dc)
{
    json_t *list = json_object_get(index, dc), *object;

    if (list)
        return list;
    list = json_array();
    object = json_object();
    json_put_text(object, "Datacenter", dc);
    json_put_text(object, "AreaID", "wan");
    json_put(object, "Coordinates", list);
    json_array_append_new(answer, object);
    json_object_set(index, dc, list);
    return list;
}

static void show_datacenters(void *arg, int status,
                             const struct pool_coordinate *list, size_t count)
{
    struct web_request *request = taken(arg, status);
    const struct pool_coordinate **order;
    json_t *answer, *index;
    size_t i;

    if (request == NULL)
        return;
    order = sorted(list, count);
    answer = json_array();
    index = json_object();
    for (i = 0; i < count; i++) {
        /* node.dc: node names bear no dot. */
        char *node = base_strdup(order[i]->node);
        char *dot = strchr(node, '.');
        json_t *into;

        if (dot) {
            *dot = '\0';
            into = list_of(answer, index, dot + 1);
            if (into)
                json_array_append_new(
                    into, node_json(node, &order[i]->coordinate));
        }
        base_free(node);
    }
    json_decref(index);
    base_free(order);
    web_reply_json(request, answer);
}

static void survey(struct web_request *request, bool wan,
                   pool_coordinates_fn done)
{
    struct web_ticket *ticket;
    struct pool *pool;
    int rv;

    if (!web_own_dc(request) || (pool = web_pool(request, wan)) == NULL)
        return;
    ticket = web_ticket_new(request);
    rv = pool_coordinates(pool, done, ticket);
    if (rv != 0)
        done(ticket, rv, NULL, 0);
}

void coordinate_nodes(struct web_request *request)
{
    survey(request, false, show_nodes);
}

void coordinate_datacenters(struct web_request *request)
{
    survey(request, true, show_datacenters);
}
