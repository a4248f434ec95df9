/*
 * An entry of node, service and checks is put into libfedstate's record, with
 * its strings borrowed, so that "usable" and "the WAN address" mean here
 * exactly what they mean to the locator (federation.md section 9).
 */
#include "gateway/catalog_json.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "fedstate/model.h"

#define PAIRS_MAX 64  /* of service meta */
#define CHECKS_MAX 64 /* of one service; more than that: not trusted */

/* A record whose arrays are here and whose strings are the JSON's. */
struct record {
    Fedstate__CheckServiceNode entry;
    Fedstate__Node node;
    Fedstate__Service service;
    Fedstate__Check checks[CHECKS_MAX], *check_list[CHECKS_MAX];
    Fedstate__Pair meta[PAIRS_MAX], *meta_list[PAIRS_MAX];
    Fedstate__Pair node_tagged[2], *node_tagged_list[2];
    Fedstate__TaggedAddress tagged[2], *tagged_list[2];
    Fedstate__ServiceAddress tagged_addr[2];
};

static const char *const tags[2] = {"lan", "wan"};

/* Borrowed, or "": protobuf-c's strings are not const, but nobody writes. */
static char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return (char *)(uintptr_t)(text != NULL ? text : "");
}

static uint32_t port_of(const json_t *object)
{
    json_int_t port = json_integer_value(json_object_get(object, "Port"));

    return port > 0 && port <= UINT16_MAX ? (uint32_t)port : 0;
}

static void fill_node(struct record *record, const json_t *json)
{
    const json_t *tagged = json_object_get(json, "TaggedAddresses");
    Fedstate__Node *node = &record->node;
    size_t i;

    fedstate__node__init(node);
    node->node = text_of(json, "Node");
    node->address = text_of(json, "Address");
    node->tagged_addresses = record->node_tagged_list;
    for (i = 0; i < BASE_COUNT_OF(tags); i++) {
        Fedstate__Pair *pair = &record->node_tagged[node->n_tagged_addresses];

        if (json_object_get(tagged, tags[i]) == NULL)
            continue;
        fedstate__pair__init(pair);
        pair->key = (char *)(uintptr_t)tags[i];
        pair->value = text_of(tagged, tags[i]);
        node->tagged_addresses[node->n_tagged_addresses++] = pair;
    }
}

static void fill_service_addresses(struct record *record, const json_t *tagged)
{
    Fedstate__Service *service = &record->service;
    size_t i;

    service->tagged_addresses = record->tagged_list;
    for (i = 0; i < BASE_COUNT_OF(tags); i++) {
        size_t at = service->n_tagged_addresses;
        const json_t *one = json_object_get(tagged, tags[i]);

        if (one == NULL)
            continue;
        fedstate__tagged_address__init(&record->tagged[at]);
        fedstate__service_address__init(&record->tagged_addr[at]);
        record->tagged[at].tag = (char *)(uintptr_t)tags[i];
        record->tagged[at].address = &record->tagged_addr[at];
        record->tagged_addr[at].address = text_of(one, "Address");
        record->tagged_addr[at].port = port_of(one);
        service->tagged_addresses[at] = &record->tagged[at];
        service->n_tagged_addresses++;
    }
}

static void fill_service(struct record *record, const json_t *json)
{
    json_t *meta = json_object_get(json, "Meta");
    Fedstate__Service *service = &record->service;
    const char *key;
    json_t *value;

    fedstate__service__init(service);
    service->kind = text_of(json, "Kind");
    service->id = text_of(json, "ID");
    service->service = text_of(json, "Service");
    service->address = text_of(json, "Address");
    service->port = port_of(json);
    service->meta = record->meta_list;
    json_object_foreach(meta, key, value)
    {
        Fedstate__Pair *pair;

        if (service->n_meta == PAIRS_MAX || !json_is_string(value))
            continue;
        pair = &record->meta[service->n_meta];
        fedstate__pair__init(pair);
        pair->key = (char *)(uintptr_t)key;
        pair->value = text_of(meta, key);
        service->meta[service->n_meta++] = pair;
    }
    fill_service_addresses(record, json_object_get(json, "TaggedAddresses"));
}

static bool fill_checks(struct record *record, const json_t *json)
{
    Fedstate__CheckServiceNode *entry = &record->entry;
    size_t i;

    if (json_array_size(json) > CHECKS_MAX)
        return false;
    entry->checks = record->check_list;
    for (i = 0; i < json_array_size(json); i++) {
        fedstate__check__init(&record->checks[i]);
        record->checks[i].status = text_of(json_array_get(json, i), "Status");
        entry->checks[entry->n_checks++] = &record->checks[i];
    }
    return true;
}

static bool fill(struct record *record, const json_t *json)
{
    fedstate__check_service_node__init(&record->entry);
    fill_node(record, json_object_get(json, "Node"));
    fill_service(record, json_object_get(json, "Service"));
    record->entry.node = &record->node;
    record->entry.service = &record->service;
    return fill_checks(record, json_object_get(json, "Checks"));
}

static bool has_critical(const struct record *record)
{
    size_t i;

    for (i = 0; i < record->entry.n_checks; i++)
        if (strcmp(record->entry.checks[i]->status, "critical") == 0)
            return true;
    return false;
}

struct routes_server *catalog_json_servers(const json_t *body, size_t *count)
{
    struct routes_server *servers =
        base_calloc(json_array_size(body) + 1, sizeof(*servers));
    size_t i;

    *count = 0;
    for (i = 0; i < json_array_size(body); i++) {
        struct record record;
        struct routes_server *server = &servers[*count];

        if (!fill(&record, json_array_get(body, i)) || has_critical(&record) ||
            !fedstate_gateway_addr(&record.entry, false, &server->addr))
            continue;
        server->node = record.node.node;
        (*count)++;
    }
    return servers;
}

static void fill_site(struct routes_site *site, const char *datacenter,
                      const json_t *list)
{
    struct base_addr *addrs =
        base_calloc(json_array_size(list) + 1, sizeof(*addrs));
    size_t i;

    *site = (struct routes_site){.datacenter = datacenter, .gateways = addrs};
    for (i = 0; i < json_array_size(list); i++) {
        struct record record;

        if (fill(&record, json_array_get(list, i)) &&
            fedstate_gateway_usable(&record.entry) &&
            fedstate_gateway_addr(&record.entry, true,
                                  &addrs[site->gateway_count]))
            site->gateway_count++;
    }
}

struct routes_site *catalog_json_sites(const json_t *body, size_t *count)
{
    struct routes_site *sites =
        base_calloc(json_object_size(body) + 1, sizeof(*sites));
    const char *datacenter;
    json_t *list;

    *count = 0;
    json_object_foreach((json_t *)(uintptr_t)body, datacenter, list)
        fill_site(&sites[(*count)++], datacenter, list);
    return sites;
}

void catalog_json_sites_free(struct routes_site *sites, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        base_free((struct base_addr *)(uintptr_t)sites[i].gateways);
    base_free(sites);
}

bool catalog_json_exposes(const json_t *body, const char *node, const char *id,
                          bool *exposes)
{
    size_t i;

    for (i = 0; i < json_array_size(body); i++) {
        const json_t *entry = json_array_get(body, i);
        const json_t *service = json_object_get(entry, "Service");

        if (strcasecmp(text_of(json_object_get(entry, "Node"), "Node"), node) !=
                0 ||
            strcmp(text_of(service, "ID"), id) != 0)
            continue;
        *exposes = strcmp(text_of(json_object_get(service, "Meta"),
                                  FEDSTATE_META_FEDERATION),
                          "1") == 0;
        return true;
    }
    return false;
}
