/* /v1/coordinate: where the nodes are in Vivaldi space, as a server heard. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "http/json_put.h"
#include "http/web.h"

/* JSON has no word for what is no number. */
static json_t *real(double value)
{
    return json_real(isfinite(value) ? value : 0);
}

static json_t *node_json(const Server__Coordinate *from, const char *node)
{
    json_t *object = json_object(), *coord = json_object(),
           *vec = json_array();
    size_t i;

    for (i = 0; i < from->n_vec; i++)
        json_array_append_new(vec, real(from->vec[i]));
    json_put(coord, "Vec", vec);
    json_put(coord, "Error", real(from->error));
    json_put(coord, "Adjustment", real(from->adjustment));
    json_put(coord, "Height", real(from->height));
    json_put_text(object, "Node", node);
    json_put_text(object, "Segment", "");
    json_put(object, "Coord", coord);
    return object;
}

/* ---- nodes of the LAN ------------------------------------------------------ */

static void show_nodes(struct web_request *request,
                       const Server__QueryReply *reply)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < reply->n_coordinates; i++)
        json_array_append_new(list,
                              node_json(reply->coordinates[i],
                                        reply->coordinates[i]->node));
    web_reply_json(request, list);
}

void coordinate_nodes(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    web_query(request, "Coordinate.Nodes", &query, show_nodes);
}

static void show_node(struct web_request *request,
                      const Server__QueryReply *reply)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < reply->n_coordinates; i++)
        if (strcmp(reply->coordinates[i]->node, request->name) == 0)
            json_array_append_new(list, node_json(reply->coordinates[i],
                                                  request->name));
    if (json_array_size(list) > 0) {
        web_reply_json(request, list);
        return;
    }
    json_decref(list);
    web_reply_text(request, 404, "no coordinate of %s is known",
                   request->name);
}

void coordinate_node(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    web_query(request, "Coordinate.Nodes", &query, show_node);
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

static void show_datacenters(struct web_request *request,
                             const Server__QueryReply *reply)
{
    json_t *answer = json_array(), *index = json_object();
    size_t i;

    for (i = 0; i < reply->n_coordinates; i++) {
        /* node.dc: node names bear no dot. */
        char *node = base_strdup(reply->coordinates[i]->node);
        char *dot = strchr(node, '.');
        json_t *into;

        if (dot) {
            *dot = '\0';
            into = list_of(answer, index, dot + 1);
            if (into)
                json_array_append_new(into,
                                      node_json(reply->coordinates[i], node));
        }
        base_free(node);
    }
    json_decref(index);
    web_reply_json(request, answer);
}

void coordinate_datacenters(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    web_query(request, "Coordinate.Datacenters", &query, show_datacenters);
}
