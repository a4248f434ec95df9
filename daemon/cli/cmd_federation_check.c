/* isthmus federation check */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/federation_view.h"
#include "cli/http_client.h"
#include "cli/output.h"
#include "cli/path_walk.h"
#include "cli/table.h"
#include "rpc/protocol.h"

#define STEP_MS 5000

struct request {
    struct http_options options;
    const char *domain, *node, *format;
    struct args_list gateways;
    const char *dc;
    bool is_json;
};

/* What the agent knows; 0 with a list of "host:port", the caller's. */
static int find_gateways(const struct request *request, json_t **out,
                         char **why)
{
    char *dc = http_escape(request->dc);
    char *path = base_asprintf("/v1/internal/federation-state/%s?stale", dc);
    struct http_target target;
    json_t *state, *gateway;
    int rv = http_target_init(&target, &request->options, why);
    size_t i;

    if (rv == 0) {
        rv = http_json(&target, "GET", path, &state, why);
        http_target_close(&target);
    }
    base_free(path);
    base_free(dc);
    if (rv != 0)
        return rv;
    *out = json_array();
    json_array_foreach(json_object_get(state, "MeshGateways"), i, gateway)
    {
        char *at = federation_address_of(gateway, "wan");

        if (*at != '\0')
            json_array_append_new(*out, json_string(at));
        base_free(at);
    }
    json_decref(state);
    return 0;
}

static json_t *given_gateways(const struct request *request)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < request->gateways.count; i++)
        json_array_append_new(list, json_string(request->gateways.items[i]));
    return list;
}

static json_t *row_of(const char *gateway, const struct path_result *result)
{
    bool is_well = result->failed == PATH_STEPS;

    return json_pack("{s:s, s:b, s:s, s:s}", "Gateway", gateway, "OK", is_well,
                     "FailedStep",
                     is_well ? "" : path_step_word(result->failed), "Error",
                     result->why ? result->why : "");
}

/* The walks' rows; NULL with *why. */
static json_t *walk_all(const struct request *request, const json_t *gateways,
                        bool *all_well, char **why)
{
    const struct https_config tls = http_tls_of(&request->options);
    char name[254];
    struct path_config config = {.server_name = name,
                                 .ca_file = tls.ca_file,
                                 .cert_file = tls.cert_file,
                                 .key_file = tls.key_file,
                                 .timeout_ms = STEP_MS};
    json_t *rows = json_array(), *gateway;
    size_t i;

    if (config.ca_file == NULL) {
        *why = base_strdup("-ca-file is needed, the agents' authority");
    } else if (rpc_server_name(name, request->node ? request->node : "",
                               request->dc, request->domain) != 0) {
        *why = base_strdup("the server's name is too long for DNS");
    } else {
        json_array_foreach((json_t *)gateways, i, gateway)
        {
            struct path_result result;

            if (path_walk(&config, json_string_value(gateway), &result, why))
                break;
            *all_well = *all_well && result.failed == PATH_STEPS;
            json_array_append_new(rows,
                                  row_of(json_string_value(gateway), &result));
            base_free(result.why);
        }
    }
    if (*why == NULL)
        return rows;
    json_decref(rows);
    return NULL;
}

static void print_rows(const json_t *rows)
{
    static const char *const headings[] = {"Gateway", "Fails at", "Because"};
    struct table *table = table_new(headings, BASE_COUNT_OF(headings));
    const json_t *row;
    size_t i;

    json_array_foreach((json_t *)rows, i, row)
    {
        const char *cells[] = {
            json_string_value(json_object_get(row, "Gateway")),
            json_string_value(json_object_get(row, "FailedStep")),
            json_string_value(json_object_get(row, "Error"))};

        table_add(table, cells);
    }
    table_print(table, stdout);
    table_free(table);
}

static int check(const struct request *request)
{
    json_t *gateways = NULL, *rows = NULL;
    bool all_well = true;
    char *why = NULL;

    if (request->gateways.count > 0)
        gateways = given_gateways(request);
    else if (find_gateways(request, &gateways, &why) != 0)
        return cmd_fail("federation check", why);
    if (json_array_size(gateways) == 0)
        why = base_asprintf("no gateway of %s is known: -gateway names one",
                            request->dc);
    else
        rows = walk_all(request, gateways, &all_well, &why);
    json_decref(gateways);
    if (rows == NULL)
        return cmd_fail("federation check", why);
    if (request->is_json)
        output_json(rows);
    else
        print_rows(rows);
    json_decref(rows);
    return all_well ? 0 : 1;
}

int cmd_federation_check(int argc, char **argv)
{
    struct request request = {.domain = "consul", .format = "table"};
    struct args_list words = {NULL, 0};
    const struct args_flag flags[] = {
        {"gateway", ARGS_LIST, &request.gateways, "ADDRESS",
         "walk through that gateway, host:port; repeatable; default: those that "
         "the agent knows"},
        {"node", ARGS_TEXT, &request.node, "NAME",
         "to that server; default: to any of the datacenter"},
        {"domain", ARGS_TEXT, &request.domain, "DOMAIN", "default: consul"},
        {"format", ARGS_TEXT, &request.format, "FORMAT", "table or json"},
        HTTP_FLAGS(request.options)};
    const struct args_command command = {
        "isthmus federation check [flags] DATACENTER",
        "Walks the way through each gateway of a datacenter to its servers: the\n"
        "gateway's name, TCP, SNI, ALPN, certificates both ways, clocks; and "
        "names the\nfirst step that fails. -ca-file, -client-cert and "
        "-client-key are the agent's own.",
        flags, BASE_COUNT_OF(flags),
        "isthmus federation check -ca-file=consul-agent-ca.pem "
        "-client-cert=dc1-server-consul-0.pem "
        "-client-key=dc1-server-consul-0-key.pem dc2"};
    int code;

    if (args_parse(&command, argc, argv, &words, &code) == 0) {
        if (words.count != 1 || *words.items[0] == '\0') {
            code = args_usage_error(&command, "one datacenter is needed");
        } else if (!output_format(request.format, &request.is_json)) {
            code = args_usage_error(&command, "-format: wanted table or json");
        } else {
            request.dc = words.items[0];
            code = check(&request);
        }
    }
    args_list_close(&words);
    args_list_close(&request.gateways);
    return code;
}
