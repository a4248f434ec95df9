/* isthmus federation status */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/federation_status_view.h"
#include "cli/http_client.h"
#include "cli/json_get.h"
#include "cli/output.h"

#define STATUS_PATH "/v1/internal/federation-status"

/* What the leader of a datacenter says of itself goes into its row. */
static void merge(json_t *row, const json_t *said)
{
    const char *dc = json_get_text(said, "Datacenter");
    const char *primary = json_get_text(said, "PrimaryDatacenter");
    const json_t *rows = json_object_get(said, "Datacenters"), *other;
    size_t i;

    json_object_set(row, "Leader", json_object_get(said, "Node"));
    json_object_set(row, "Index", json_object_get(said, "Index"));
    json_object_set(row, "Replication", json_object_get(said, "Replication"));
    json_object_set(row, "AntiEntropy", json_object_get(said, "AntiEntropy"));
    if (strcasecmp(dc, primary) == 0)
        return;
    json_array_foreach (rows, i, other)
        if (strcasecmp(json_get_text(other, "Name"), primary) == 0)
            json_object_set(row, "PrimaryPath", json_object_get(other, "Path"));
}

static void ask_row(const struct http_target *target, json_t *row)
{
    char *dc = http_escape(json_get_text(row, "Name"));
    char *path = base_asprintf(STATUS_PATH "?dc=%s", dc), *why = NULL;
    json_t *said = NULL;

    if (http_json(target, "GET", path, &said, &why) == 0)
        merge(row, said);
    else
        json_object_set_new(row, "Error", json_string(why));
    json_decref(said);
    base_free(why);
    base_free(path);
    base_free(dc);
}

/* Datacenters of foreign members have no leader to ask. */
static bool can_be_asked(const json_t *row)
{
    return json_get_int(row, "ServersAlive") > 0 &&
           !json_is_true(json_object_get(row, "OperatorOwned"));
}

static int collect(const struct http_target *target, json_t **out, char **why)
{
    json_t *self = NULL, *row;
    int rv = http_json(target, "GET", STATUS_PATH, out, why);
    size_t i;

    if (rv != 0)
        return rv;
    json_array_foreach (json_object_get(*out, "Datacenters"), i, row)
        if (can_be_asked(row))
            ask_row(target, row);
    rv = http_json(target, "GET", "/v1/agent/self", &self, why);
    if (rv == 0)
        json_object_set(*out, "RetryJoin",
                        json_get_path(self, "xIsthmus.RetryJoin"));
    json_decref(self);
    if (rv != 0)
        json_decref(*out);
    return rv;
}

int cmd_federation_status(int argc, char **argv)
{
    struct http_options options = {0};
    struct http_target target;
    const char *format = "table";
    const struct args_flag flags[] = {
        {"format", ARGS_TEXT, &format, "FORMAT", "table or json"},
        HTTP_FLAGS(options)};
    const struct args_command command = {
        "isthmus federation status [flags]",
        "Shows each datacenter as the agent sees it (servers alive, gateways "
        "that fit, age\nof its record, the path to it) and as its own leader "
        "does (its path to the\nprimary, the index it has replicated, how long "
        "it lags, the last error), and\nwhat the agent's retry engines do.\n"
        "Paths: local (through the own gateways), direct (to the primary's), "
        "fallback (to\nwhat primary_gateways resolves to), none.",
        flags, BASE_COUNT_OF(flags), "isthmus federation status"};
    json_t *status = NULL;
    char *why = NULL;
    bool is_json;
    int code, rv;

    if (args_parse(&command, argc, argv, NULL, &code) != 0)
        return code;
    if (!output_format(format, &is_json))
        return args_usage_error(&command, "-format: wanted table or json");
    rv = http_target_init(&target, &options, &why);
    if (rv == 0) {
        rv = collect(&target, &status, &why);
        http_target_close(&target);
    }
    if (rv != 0)
        return cmd_fail("federation status", why);
    if (is_json)
        output_json(status);
    else
        federation_print_status(status, stdout);
    json_decref(status);
    return 0;
}
