/* Spans and fractions, made to be read. */
#include "cli/federation_status_view.h"

#include <stdbool.h>

#include "base/alloc.h"
#include "cli/json_get.h"
#include "cli/table.h"

/* 0 is "0s"; above, the largest unit that fits. */
static char *span(json_int_t ms)
{
    if (ms < 1000)
        return ms <= 0 ? base_strdup("0s")
                       : base_asprintf("%" JSON_INTEGER_FORMAT "ms", ms);
    if (ms < 120000)
        return base_asprintf("%" JSON_INTEGER_FORMAT "s", ms / 1000);
    if (ms < 2 * 3600000)
        return base_asprintf("%" JSON_INTEGER_FORMAT "m", ms / 60000);
    return base_asprintf("%" JSON_INTEGER_FORMAT "h", ms / 3600000);
}

static char *part_of(json_int_t some, json_int_t all)
{
    return base_asprintf("%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT, some,
                         all);
}

/* What went wrong last, of what matters most. */
static const char *error_of(const json_t *row)
{
    static const char *const paths[] = {"Error", "Replication.LastError",
                                        "AntiEntropy.LastError"};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(paths); i++)
        if (*json_get_text(row, paths[i]) != '\0')
            return json_get_text(row, paths[i]);
    return "";
}

static void add_datacenter(struct table *table, const json_t *row)
{
    json_int_t alive = json_get_int(row, "ServersAlive");
    json_int_t usable = json_get_int(row, "GatewaysUsable");
    char *servers = part_of(alive, alive + json_get_int(row, "ServersFailed"));
    char *gateways = part_of(usable, json_get_int(row, "Gateways"));
    char *age = json_is_true(json_object_get(row, "HasState"))
                    ? span(json_get_int(row, "AgeMs"))
                    : base_strdup("");
    bool replicates = json_is_true(json_get_path(row, "Replication.Running"));
    char *index = replicates ? base_asprintf(
                                   "%" JSON_INTEGER_FORMAT,
                                   json_get_int(row, "Replication.Index"))
                             : base_strdup("");
    char *lag = replicates ? span(json_get_int(row, "Replication.LagMs"))
                           : base_strdup("");

    table_add(table, (const char *const[]){
                         json_get_text(row, "Name"), servers, gateways, age,
                         json_get_text(row, "Path"),
                         json_get_text(row, "PrimaryPath"),
                         json_get_text(row, "Leader"), index, lag,
                         error_of(row)});
    base_free(servers);
    base_free(gateways);
    base_free(age);
    base_free(index);
    base_free(lag);
}

static void print_joins(const json_t *joins, FILE *to)
{
    static const char *const headings[] = {"Retry join", "Attempts", "State",
                                           "Next", "LastError"};
    struct table *table = table_new(headings, BASE_COUNT_OF(headings));
    const json_t *join;
    size_t i;

    json_array_foreach (joins, i, join) {
        char *attempts = base_asprintf("%" JSON_INTEGER_FORMAT,
                                       json_get_int(join, "Attempts"));
        bool done = json_is_true(json_object_get(join, "Succeeded"));
        char *next = json_is_integer(json_object_get(join, "NextInMs"))
                         ? span(json_get_int(join, "NextInMs"))
                         : base_strdup("");

        table_add(table, (const char *const[]){
                             json_get_text(join, "What"), attempts,
                             done ? "joined" : "trying", next,
                             json_get_text(join, "LastError")});
        base_free(attempts);
        base_free(next);
    }
    table_print(table, to);
    table_free(table);
}

void federation_print_status(const json_t *status, FILE *to)
{
    static const char *const headings[] = {
        "Datacenter", "Servers", "Gateways", "StateAge", "Path", "ToPrimary",
        "Leader",     "Index",   "Lag",      "LastError"};
    const json_t *rows = json_object_get(status, "Datacenters");
    const json_t *joins = json_object_get(status, "RetryJoin");
    struct table *table = table_new(headings, BASE_COUNT_OF(headings));
    const json_t *row;
    size_t i;

    json_array_foreach (rows, i, row)
        add_datacenter(table, row);
    table_print(table, to);
    table_free(table);
    if (json_array_size(joins) == 0)
        return;
    fputc('\n', to);
    print_joins(joins, to);
}
