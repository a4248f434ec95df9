/*
 * PUT and DELETE of a federation state: an operator speaks for a datacenter
 * that runs no server of ours. Its gateways are given by their WAN addresses;
 * the record that is made of them has no checks, so they count as healthy.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/addr.h"
#include "fedstate/model.h"
#include "http/web.h"

#define GATEWAY_PORT 8443u
#define SERVICE "mesh-gateway"

/* The WAN address of a service: all that is known of it. */
static void tag_address(struct json_reader *reader, Fedstate__Service *service)
{
    Fedstate__TaggedAddress *wan = json_reader_alloc(reader, 1, sizeof(*wan));
    Fedstate__ServiceAddress *at = json_reader_alloc(reader, 1, sizeof(*at));

    fedstate__tagged_address__init(wan);
    fedstate__service_address__init(at);
    at->address = service->address;
    at->port = service->port;
    wan->tag = (char *)(uintptr_t)"wan";
    wan->address = at;
    service->n_tagged_addresses = 1;
    service->tagged_addresses =
        json_reader_alloc(reader, 1, sizeof(*service->tagged_addresses));
    service->tagged_addresses[0] = wan;
}

/* "ip[:port]" as a gateway of the catalog. */
static Fedstate__CheckServiceNode *gateway_of(struct json_reader *reader,
                                              const char *dc,
                                              const char *address)
{
    Fedstate__CheckServiceNode *gateway =
        json_reader_alloc(reader, 1, sizeof(*gateway));
    Fedstate__Node *node = json_reader_alloc(reader, 1, sizeof(*node));
    Fedstate__Service *service =
        json_reader_alloc(reader, 1, sizeof(*service));
    Fedstate__Pair *meta = json_reader_alloc(reader, 1, sizeof(*meta));
    char *name = json_reader_alloc(reader, 1, BASE_ADDR_TEXT_MAX + 16);
    char *ip = json_reader_alloc(reader, 1, BASE_ADDR_TEXT_MAX);
    char *id = json_reader_alloc(reader, 1, sizeof(SERVICE) + 8);
    struct base_target target;
    struct base_addr addr;

    if (base_target_parse(&target, address, GATEWAY_PORT) != 0 ||
        base_addr_parse_ip(&addr, target.host) != 0 ||
        base_addr_is_any(&addr) || target.port == 0) {
        json_reader_fail(reader, "Gateways: \"%.64s\" is no IP[:PORT]",
                         address);
        return NULL;
    }
    base_addr_format_ip(&addr, ip);
    sprintf(name, SERVICE "-%s", ip);
    sprintf(id, SERVICE "-%u", target.port);
    fedstate__check_service_node__init(gateway);
    fedstate__node__init(node);
    fedstate__service__init(service);
    fedstate__pair__init(meta);
    node->node = name;
    node->address = ip;
    node->datacenter = (char *)(uintptr_t)dc;
    meta->key = (char *)(uintptr_t)FEDSTATE_META_FEDERATION;
    meta->value = (char *)(uintptr_t)"1";
    service->kind = (char *)(uintptr_t)FEDSTATE_KIND_GATEWAY;
    service->id = id;
    service->service = (char *)(uintptr_t)SERVICE;
    service->address = ip;
    service->port = target.port;
    service->n_meta = 1;
    service->meta = json_reader_alloc(reader, 1, sizeof(*service->meta));
    service->meta[0] = meta;
    tag_address(reader, service);
    gateway->node = node;
    gateway->service = service;
    return gateway;
}

static void on_written(struct web_request *request)
{
    web_reply_json(request, json_true());
}

static void apply(struct web_request *request, Fedstate__Change__Op op,
                  Fedstate__FederationState *state)
{
    Server__Write write = SERVER__WRITE__INIT;
    Fedstate__Change change = FEDSTATE__CHANGE__INIT;

    state->datacenter = request->name;
    state->operator_owned = true;
    change.op = op;
    change.state = state;
    change.unconditional = true;
    write.change = &change;
    web_write(request, "FederationState.Apply", &write, on_written);
}

void federation_declare(struct web_request *request)
{
    Fedstate__FederationState state = FEDSTATE__FEDERATION_STATE__INIT;
    struct json_reader reader = {0};
    json_t *body = web_body(request, &reader);
    char **gateways = NULL;
    size_t count = 0, i;

    if (body)
        gateways = json_read_texts(&reader, body, "", "Gateways", &count);
    if (body && !reader.why && count == 0)
        json_reader_fail(&reader, "Gateways: at least one WAN address");
    if (body && !reader.why)
        state.mesh_gateways = json_reader_alloc(
            &reader, count, sizeof(*state.mesh_gateways));
    for (i = 0; i < count && !reader.why; i++)
        state.mesh_gateways[i] =
            gateway_of(&reader, request->name, gateways[i]);
    state.n_mesh_gateways = count;
    if (reader.why)
        web_refuse_body(request, &reader);
    else
        apply(request, FEDSTATE__CHANGE__OP__UPSERT, &state);
    json_decref(body);
    json_reader_close(&reader);
}

void federation_delete(struct web_request *request)
{
    Fedstate__FederationState state = FEDSTATE__FEDERATION_STATE__INIT;

    apply(request, FEDSTATE__CHANGE__OP__DELETE, &state);
}
