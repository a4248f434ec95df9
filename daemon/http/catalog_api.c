/* /v1/catalog: nodes and services as they were registered. */
#include <string.h>

#include "http/json_model.h"
#include "http/json_put.h"
#include "http/service_form.h"
#include "http/web.h"

/* ---- reading -------------------------------------------------------------- */

static void show_datacenters(struct web_request *request,
                             const Server__QueryReply *reply)
{
    web_reply_json(request,
                   json_from_texts(reply->datacenters, reply->n_datacenters));
}

void catalog_list_datacenters(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    web_query(request, "Catalog.Datacenters", &query, show_datacenters);
}

static void show_nodes(struct web_request *request,
                       const Server__QueryReply *reply)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < reply->n_nodes; i++)
        json_array_append_new(list, json_from_node(reply->nodes[i]));
    web_reply_json(request, list);
}

void catalog_list_nodes(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    if (web_filters(request, &query))
        web_query(request, "Catalog.Nodes", &query, show_nodes);
}

static void show_services(struct web_request *request,
                          const Server__QueryReply *reply)
{
    json_t *object = json_object();
    size_t i;

    for (i = 0; i < reply->n_services; i++)
        json_put(object, reply->services[i]->name,
                 json_from_texts(reply->services[i]->tags,
                                 reply->services[i]->n_tags));
    web_reply_json(request, object);
}

void catalog_list_services(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    if (web_filters(request, &query))
        web_query(request, "Catalog.Services", &query, show_services);
}

static void show_service(struct web_request *request,
                         const Server__QueryReply *reply)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < reply->n_instances; i++)
        json_array_append_new(list,
                              json_from_catalog_row(reply->instances[i]));
    web_reply_json(request, list);
}

void catalog_show_service(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    query.name = request->name;
    if (web_filters(request, &query))
        web_query(request, "Health.Service", &query, show_service);
}

/* A node that is not there is null, and no error: so Consul. */
static void show_node(struct web_request *request,
                      const Server__QueryReply *reply)
{
    json_t *object, *services = json_object();
    size_t i;

    if (reply->n_nodes == 0) {
        json_decref(services);
        web_reply_json(request, json_null());
        return;
    }
    for (i = 0; i < reply->n_instances; i++)
        if (reply->instances[i]->service)
            json_put(services, reply->instances[i]->service->id,
                     json_from_service(reply->instances[i]->service));
    object = json_object();
    json_put(object, "Node", json_from_node(reply->nodes[0]));
    json_put(object, "Services", services);
    web_reply_json(request, object);
}

void catalog_show_node(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    query.node = request->name;
    web_query(request, "Catalog.Node", &query, show_node);
}

/* ---- writing -------------------------------------------------------------- */

static void say_true(struct web_request *request)
{
    web_reply_json(request, json_true());
}

/* A parameter counts unless the body names the datacenter. */
static char *datacenter_of(struct web_request *request,
                           struct json_reader *reader, const json_t *json)
{
    char *dc = json_read_text(reader, json, "", "Datacenter");

    return *dc != '\0' ? dc : (char *)(uintptr_t)request->options.dc;
}

static void read_node(struct json_reader *reader, const json_t *json,
                      const char *own_dc, const char *dc, Fedstate__Node *node)
{
    node->id = json_read_text(reader, json, "", "ID");
    node->node = json_read_text(reader, json, "", "Node");
    node->address = json_read_text(reader, json, "", "Address");
    node->datacenter = (char *)(uintptr_t)(*dc != '\0' ? dc : own_dc);
    node->tagged_addresses =
        json_read_pairs(reader, json, "", "TaggedAddresses",
                        &node->n_tagged_addresses);
    node->meta = json_read_pairs(reader, json, "", "NodeMeta", &node->n_meta);
    if (*node->node == '\0' || *node->address == '\0')
        json_reader_fail(reader, "Must provide node and address");
}

/* Checks name their node, and those of a service its name; what the client
 * left out is known here. */
static void complete_check(Fedstate__Check *check,
                           const Server__Register *change)
{
    size_t i;

    if (*check->node == '\0')
        check->node = change->node->node;
    for (i = 0; i < change->n_services; i++)
        if (*check->service_name == '\0' &&
            strcmp(check->service_id, change->services[i]->id) == 0)
            check->service_name = change->services[i]->service;
}

static void add_check(struct json_reader *reader, const json_t *json,
                      const char *where, Server__Register *change)
{
    Fedstate__Check *check;

    if (!json_is_object(json)) {
        json_reader_fail(reader, "%s: wanted an object", where);
        return;
    }
    check = check_from_json(reader, json, where);
    if (*check->check_id == '\0')
        json_reader_fail(reader, "%sCheckID: a check needs one", where);
    complete_check(check, change);
    if (strcmp(check->node, change->node->node) != 0)
        json_reader_fail(reader, "%sNode: not the node that is registered",
                         where);
    change->checks[change->n_checks++] = check;
}

static void read_checks(struct json_reader *reader, const json_t *json,
                        Server__Register *change)
{
    const json_t *one = json_read_object(reader, json, "", "Check");
    const json_t *list = json_read_array(reader, json, "", "Checks");
    size_t i;

    change->checks = json_reader_alloc(reader, json_array_size(list) + 1,
                                       sizeof(*change->checks));
    if (one)
        add_check(reader, one, "Check.", change);
    for (i = 0; i < json_array_size(list); i++)
        add_check(reader, json_array_get(list, i), "Checks.", change);
}

static void read_register(struct web_request *request,
                          struct json_reader *reader, const json_t *json,
                          Server__Write *write)
{
    Server__Register *change = json_reader_alloc(reader, 1, sizeof(*change));
    const json_t *service = json_read_object(reader, json, "", "Service");

    server__register__init(change);
    write->register_ = change;
    write->datacenter = datacenter_of(request, reader, json);
    change->node = json_reader_alloc(reader, 1, sizeof(*change->node));
    fedstate__node__init(change->node);
    read_node(reader, json, request->agent->core.datacenter,
              write->datacenter, change->node);
    if (service) {
        change->services =
            json_reader_alloc(reader, 1, sizeof(*change->services));
        change->services[change->n_services++] =
            service_from_json(reader, service, "Service.");
    }
    read_checks(reader, json, change);
}

static void read_deregister(struct web_request *request,
                            struct json_reader *reader, const json_t *json,
                            Server__Write *write)
{
    Server__Deregister *change =
        json_reader_alloc(reader, 1, sizeof(*change));

    server__deregister__init(change);
    write->deregister = change;
    write->datacenter = datacenter_of(request, reader, json);
    change->node = json_read_text(reader, json, "", "Node");
    change->service_id = json_read_text(reader, json, "", "ServiceID");
    change->check_id = json_read_text(reader, json, "", "CheckID");
    if (*change->node == '\0')
        json_reader_fail(reader, "Must provide node");
}

/* Consul has it there too, and old clients nowhere else. */
static void take_token(struct web_request *request, struct json_reader *reader,
                       const json_t *json)
{
    const json_t *write = json_read_object(reader, json, "", "WriteRequest");

    if (write && !web_body_token(request, json_read_text(reader, write,
                                                         "WriteRequest.",
                                                         "Token")))
        json_reader_fail(reader, "WriteRequest.Token: malformed");
}

static void put(struct web_request *request, const char *method,
                void (*read)(struct web_request *, struct json_reader *,
                             const json_t *, Server__Write *))
{
    Server__Write write = SERVER__WRITE__INIT;
    struct json_reader reader = {0};
    json_t *json = web_body(request, &reader);

    if (json) {
        take_token(request, &reader, json);
        read(request, &reader, json, &write);
    }
    if (reader.why)
        web_refuse_body(request, &reader);
    else
        web_write(request, method, &write, say_true);
    json_decref(json);
    json_reader_close(&reader);
}

void catalog_put(struct web_request *request)
{
    put(request, "Catalog.Register", read_register);
}

void catalog_remove(struct web_request *request)
{
    put(request, "Catalog.Deregister", read_deregister);
}
