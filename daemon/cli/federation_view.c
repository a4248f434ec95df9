/*
 * What an operator asks of a federation state: which gateways, at which
 * addresses, fit or not, how old. Which of a gateway's addresses counts is the
 * rule of federation.md section 9.
 */
#include "cli/federation_view.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/json_get.h"
#include "cli/table.h"

static const char *first_of(const json_t *gateway, const char *const *paths,
                            size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        const char *text = json_get_text(gateway, paths[i]);

        if (*text != '\0')
            return text;
    }
    return "";
}

char *federation_address_of(const json_t *gateway, const char *side)
{
    char tagged[64], tagged_port[64], node[64];
    const char *const paths[] = {tagged, "Service.Address", node,
                                 "Node.Address"};
    const char *host;
    json_int_t port = 0;
    bool v6;

    snprintf(tagged, sizeof(tagged), "Service.TaggedAddresses.%s.Address",
             side);
    snprintf(tagged_port, sizeof(tagged_port),
             "Service.TaggedAddresses.%s.Port", side);
    snprintf(node, sizeof(node), "Node.TaggedAddresses.%s", side);
    host = first_of(gateway, paths, BASE_COUNT_OF(paths));
    if (*json_get_text(gateway, tagged) != '\0')
        port = json_get_int(gateway, tagged_port);
    if (port == 0)
        port = json_get_int(gateway, "Service.Port");
    if (*host == '\0')
        return base_strdup("");
    v6 = strchr(host, ':') != NULL;
    return base_asprintf("%s%s%s:%lld", v6 ? "[" : "", host, v6 ? "]" : "",
                         (long long)port);
}

/* The worst of its checks; without any it is taken for passing. */
static const char *health_of(const json_t *gateway)
{
    json_t *checks = json_object_get(gateway, "Checks");
    const char *worst = "passing";
    size_t i;

    for (i = 0; i < json_array_size(checks); i++) {
        const char *status = json_get_text(json_array_get(checks, i), "Status");

        if (strcmp(status, "critical") == 0)
            return "critical";
        if (strcmp(status, "passing") != 0)
            worst = "warning";
    }
    return worst;
}

static const char *federates(const json_t *gateway)
{
    const char *meta =
        json_get_text(gateway, "Service.Meta.consul-wan-federation");

    return strcmp(meta, "1") == 0 ? "yes" : "no";
}

static const char *const gateway_headings[] = {
    "Datacenter", "Node", "Gateway", "LAN", "WAN", "Status", "Federation"};

static void add_gateways(struct table *table, const char *dc,
                         const json_t *gateways)
{
    size_t i;

    for (i = 0; i < json_array_size(gateways); i++) {
        const json_t *gateway = json_array_get(gateways, i);
        char *lan = federation_address_of(gateway, "lan");
        char *wan = federation_address_of(gateway, "wan");

        table_add(table, (const char *const[]){
                             dc, json_get_text(gateway, "Node.Node"),
                             json_get_text(gateway, "Service.ID"), lan, wan,
                             health_of(gateway), federates(gateway)});
        base_free(lan);
        base_free(wan);
    }
}

void federation_print_gateways(json_t *map, FILE *to)
{
    struct table *table =
        table_new(gateway_headings, BASE_COUNT_OF(gateway_headings));
    const char *dc;
    json_t *gateways;

    json_object_foreach(map, dc, gateways) add_gateways(table, dc, gateways);
    table_print(table, to);
    table_free(table);
}

static size_t healthy(const json_t *gateways)
{
    size_t i, count = 0;

    for (i = 0; i < json_array_size(gateways); i++)
        count +=
            strcmp(health_of(json_array_get(gateways, i)), "critical") != 0;
    return count;
}

void federation_print_states(json_t *states, FILE *to)
{
    static const char *const headings[] = {"Datacenter",  "Gateways", "Healthy",
                                           "Updated",     "Index",    "Created",
                                           "PrimaryIndex"};
    struct table *table = table_new(headings, BASE_COUNT_OF(headings));
    size_t i;

    for (i = 0; i < json_array_size(states); i++) {
        const json_t *state = json_array_get(states, i);
        const json_t *gateways = json_object_get(state, "MeshGateways");
        char all[24], fit[24], index[24], created[24], primary[24];

        snprintf(all, sizeof(all), "%zu", json_array_size(gateways));
        snprintf(fit, sizeof(fit), "%zu", healthy(gateways));
        snprintf(index, sizeof(index), "%lld",
                 (long long)json_get_int(state, "ModifyIndex"));
        snprintf(created, sizeof(created), "%lld",
                 (long long)json_get_int(state, "CreateIndex"));
        snprintf(primary, sizeof(primary), "%lld",
                 (long long)json_get_int(state, "PrimaryModifyIndex"));
        table_add(table,
                  (const char *const[]){json_get_text(state, "Datacenter"), all,
                                        fit, json_get_text(state, "UpdatedAt"),
                                        index, created, primary});
    }
    table_print(table, to);
    table_free(table);
}

void federation_print_state(json_t *state, FILE *to)
{
    json_t *list = json_array();
    struct table *table =
        table_new(gateway_headings, BASE_COUNT_OF(gateway_headings));

    json_array_append(list, state);
    federation_print_states(list, to);
    json_decref(list);
    fputc('\n', to);
    add_gateways(table, json_get_text(state, "Datacenter"),
                 json_object_get(state, "MeshGateways"));
    table_print(table, to);
    table_free(table);
}
