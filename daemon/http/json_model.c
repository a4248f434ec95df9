#include "http/json_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "http/json_put.h"

json_t *json_from_pairs(Fedstate__Pair *const *pairs, size_t count)
{
    json_t *object = json_object();
    size_t i;

    for (i = 0; i < count; i++)
        json_put_text(object, pairs[i]->key, pairs[i]->value);
    return object;
}

json_t *json_from_texts(char *const *texts, size_t count)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < count; i++)
        json_array_append_new(list, json_text(texts[i]));
    return list;
}

json_t *json_from_tagged(Fedstate__TaggedAddress *const *tagged, size_t count)
{
    json_t *object = json_object();
    size_t i;

    for (i = 0; i < count; i++) {
        const Fedstate__ServiceAddress *address = tagged[i]->address;
        json_t *one = json_object();

        json_put_text(one, "Address", address ? address->address : "");
        json_put_uint(one, "Port", address ? address->port : 0);
        json_put(object, tagged[i]->tag, one);
    }
    return object;
}

static void put_indexes(json_t *object, uint64_t create, uint64_t modify)
{
    json_put_uint(object, "CreateIndex", create);
    json_put_uint(object, "ModifyIndex", modify);
}

json_t *json_from_node(const Fedstate__Node *node)
{
    json_t *object;

    if (node == NULL)
        return json_null();
    object = json_object();
    json_put_text(object, "ID", node->id);
    json_put_text(object, "Node", node->node);
    json_put_text(object, "Address", node->address);
    json_put_text(object, "Datacenter", node->datacenter);
    json_put(object, "TaggedAddresses",
             json_from_pairs(node->tagged_addresses,
                             node->n_tagged_addresses));
    json_put(object, "Meta", json_from_pairs(node->meta, node->n_meta));
    put_indexes(object, node->create_index, node->modify_index);
    return object;
}

/* Consul's weights, which nothing here changes. */
static json_t *weights(void)
{
    return json_pack("{s:i, s:i}", "Passing", 1, "Warning", 1);
}

json_t *json_from_service(const Fedstate__Service *service)
{
    json_t *object;

    if (service == NULL)
        return json_null();
    object = json_object();
    if (*service->kind != '\0')
        json_put_text(object, "Kind", service->kind);
    json_put_text(object, "ID", service->id);
    json_put_text(object, "Service", service->service);
    json_put(object, "Tags", json_from_texts(service->tags, service->n_tags));
    json_put_text(object, "Address", service->address);
    json_put(object, "TaggedAddresses",
             json_from_tagged(service->tagged_addresses,
                              service->n_tagged_addresses));
    json_put(object, "Meta", json_from_pairs(service->meta, service->n_meta));
    json_put_uint(object, "Port", service->port);
    json_put(object, "Weights", weights());
    json_put_bool(object, "EnableTagOverride", false);
    put_indexes(object, service->create_index, service->modify_index);
    return object;
}

json_t *json_from_check(const Fedstate__Check *check,
                        const Fedstate__Service *service)
{
    json_t *object = json_object();
    bool is_its = service && *check->service_id != '\0' &&
                  strcmp(service->id, check->service_id) == 0;

    json_put_text(object, "Node", check->node);
    json_put_text(object, "CheckID", check->check_id);
    json_put_text(object, "Name", check->name);
    json_put_text(object, "Status", check->status);
    json_put_text(object, "Notes", check->notes);
    json_put_text(object, "Output", check->output);
    json_put_text(object, "ServiceID", check->service_id);
    json_put_text(object, "ServiceName", check->service_name);
    json_put(object, "ServiceTags",
             is_its ? json_from_texts(service->tags, service->n_tags)
                    : json_array());
    json_put_text(object, "Type", check->type);
    json_put(object, "Definition", json_object());
    put_indexes(object, check->create_index, check->modify_index);
    return object;
}

json_t *json_from_instance(const Fedstate__CheckServiceNode *instance)
{
    json_t *object = json_object(), *checks = json_array();
    size_t i;

    for (i = 0; i < instance->n_checks; i++)
        json_array_append_new(
            checks, json_from_check(instance->checks[i], instance->service));
    json_put(object, "Node", json_from_node(instance->node));
    json_put(object, "Service", json_from_service(instance->service));
    json_put(object, "Checks", checks);
    return object;
}

json_t *json_from_instances(Fedstate__CheckServiceNode *const *instances,
                            size_t count)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < count; i++)
        json_array_append_new(list, json_from_instance(instances[i]));
    return list;
}

json_t *json_from_catalog_row(const Fedstate__CheckServiceNode *instance)
{
    static const Fedstate__Node no_node = FEDSTATE__NODE__INIT;
    static const Fedstate__Service no_service = FEDSTATE__SERVICE__INIT;
    const Fedstate__Node *node = instance->node ? instance->node : &no_node;
    const Fedstate__Service *service =
        instance->service ? instance->service : &no_service;
    json_t *row = json_object();

    json_put_text(row, "ID", node->id);
    json_put_text(row, "Node", node->node);
    json_put_text(row, "Address", node->address);
    json_put_text(row, "Datacenter", node->datacenter);
    json_put(row, "TaggedAddresses",
             json_from_pairs(node->tagged_addresses,
                             node->n_tagged_addresses));
    json_put(row, "NodeMeta", json_from_pairs(node->meta, node->n_meta));
    json_put_text(row, "ServiceKind", service->kind);
    json_put_text(row, "ServiceID", service->id);
    json_put_text(row, "ServiceName", service->service);
    json_put(row, "ServiceTags",
             json_from_texts(service->tags, service->n_tags));
    json_put_text(row, "ServiceAddress", service->address);
    json_put(row, "ServiceTaggedAddresses",
             json_from_tagged(service->tagged_addresses,
                              service->n_tagged_addresses));
    json_put(row, "ServiceWeights", weights());
    json_put(row, "ServiceMeta",
             json_from_pairs(service->meta, service->n_meta));
    json_put_uint(row, "ServicePort", service->port);
    json_put_bool(row, "ServiceEnableTagOverride", false);
    put_indexes(row, service->create_index, service->modify_index);
    return row;
}

json_t *json_from_time(int64_t wall_ns)
{
    int64_t ns = wall_ns % 1000000000;
    time_t seconds = (time_t)(wall_ns / 1000000000);
    char text[64], fraction[16] = "";
    struct tm utc;
    size_t len;

    if (ns < 0) {
        ns += 1000000000;
        seconds--;
    }
    gmtime_r(&seconds, &utc);
    if (ns > 0) {
        len = (size_t)snprintf(fraction, sizeof(fraction), ".%09" PRId64, ns);
        while (fraction[len - 1] == '0')
            fraction[--len] = '\0';
    }
    len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, sizeof(text) - len, "%sZ", fraction);
    return json_text(text);
}

json_t *json_from_state(const Fedstate__FederationState *state)
{
    json_t *object = json_object();

    json_put_text(object, "Datacenter", state->datacenter);
    json_put(object, "MeshGateways",
             json_from_instances(state->mesh_gateways,
                                 state->n_mesh_gateways));
    json_put(object, "UpdatedAt", json_from_time(state->updated_at_ns));
    json_put_uint(object, "PrimaryModifyIndex", state->primary_modify_index);
    put_indexes(object, state->create_index, state->modify_index);
    return object;
}
