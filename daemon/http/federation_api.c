/* /v1/internal/federation-state*: for people and gateways, read-only. */
#include "http/json_model.h"
#include "http/json_put.h"
#include "http/web.h"

static void show_states(struct web_request *request,
                        const Server__QueryReply *reply)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < reply->n_states; i++)
        json_array_append_new(list, json_from_state(reply->states[i]));
    web_reply_json(request, list);
}

void federation_list(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    web_query(request, "FederationState.List", &query, show_states);
}

static void show_gateways(struct web_request *request,
                          const Server__QueryReply *reply)
{
    json_t *map = json_object();
    size_t i;

    for (i = 0; i < reply->n_gateways; i++)
        json_put(map, reply->gateways[i]->datacenter,
                 json_from_instances(reply->gateways[i]->nodes,
                                     reply->gateways[i]->n_nodes));
    web_reply_json(request, map);
}

void federation_gateways(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    web_query(request, "FederationState.ListMeshGateways", &query,
              show_gateways);
}

static void show_state(struct web_request *request,
                       const Server__QueryReply *reply)
{
    if (reply->n_states == 0)
        web_reply_text(request, 404,
                       "no federation state of the datacenter %s",
                       request->name);
    else
        web_reply_json(request, json_from_state(reply->states[0]));
}

void federation_get(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    query.name = request->name;
    web_query(request, "FederationState.Get", &query, show_state);
}
