/*
 * The table of `isthmus members`: Consul's columns. A member without our role
 * tag is a plain serf agent, welcome in a LAN pool.
 */
#include "cli/members_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/json_get.h"
#include "cli/table.h"

const char *members_status(json_int_t status)
{
    static const char *const names[] = {"none", "alive", "leaving", "left",
                                        "failed"};

    if (status < 0 || status >= (json_int_t)BASE_COUNT_OF(names))
        return "unknown";
    return names[status];
}

static int by_name(const void *a, const void *b)
{
    return strcmp(json_get_text(*(json_t *const *)a, "Name"),
                  json_get_text(*(json_t *const *)b, "Name"));
}

json_t *members_select(const json_t *list, const regex_t *status)
{
    size_t count = json_array_size(list), kept = 0, i;
    json_t **members = base_calloc(count + 1, sizeof(json_t *));
    json_t *out = json_array();

    for (i = 0; i < count; i++) {
        json_t *member = json_array_get(list, i);
        const char *word = members_status(json_get_int(member, "Status"));

        if (status == NULL || regexec(status, word, 0, NULL, 0) == 0)
            members[kept++] = member;
    }
    qsort(members, kept, sizeof(json_t *), by_name);
    for (i = 0; i < kept; i++)
        json_array_append(out, members[i]);
    base_free(members);
    return out;
}

static const char *type_of(const json_t *member)
{
    const char *role = json_get_text(member, "Tags.role");

    if (strcmp(role, "isthmus") == 0)
        return "server";
    if (strcmp(role, "isthmus-client") == 0)
        return "client";
    return *role == '\0' ? "serf" : role;
}

static char *address_of(const json_t *member)
{
    const char *ip = json_get_text(member, "Addr");
    bool v6 = strchr(ip, ':') != NULL;

    return base_asprintf("%s%s%s:%lld", v6 ? "[" : "", ip, v6 ? "]" : "",
                         (long long)json_get_int(member, "Port"));
}

static void add_brief(struct table *table, const json_t *member,
                      const char *address)
{
    char protocol[24];
    const char *vsn = json_get_text(member, "Tags.vsn");

    snprintf(protocol, sizeof(protocol), "%lld",
             (long long)json_get_int(member, "ProtocolCur"));
    table_add(table, (const char *const[]){
                         json_get_text(member, "Name"), address,
                         members_status(json_get_int(member, "Status")),
                         type_of(member), json_get_text(member, "Tags.build"),
                         *vsn != '\0' ? vsn : protocol,
                         json_get_text(member, "Tags.dc")});
}

static void add_detailed(struct table *table, const json_t *member,
                         const char *address)
{
    char *tags = json_join_pairs(json_object_get(member, "Tags"));

    table_add(table, (const char *const[]){
                         json_get_text(member, "Name"), address,
                         members_status(json_get_int(member, "Status")), tags});
    base_free(tags);
}

void members_print(const json_t *list, bool detailed, FILE *to)
{
    static const char *const brief_headings[] = {
        "Node", "Address", "Status", "Type", "Build", "Protocol", "DC"};
    static const char *const headings[] = {"Node", "Address", "Status", "Tags"};
    struct table *table =
        detailed ? table_new(headings, BASE_COUNT_OF(headings))
                 : table_new(brief_headings, BASE_COUNT_OF(brief_headings));
    size_t i;

    for (i = 0; i < json_array_size(list); i++) {
        const json_t *member = json_array_get(list, i);
        char *address = address_of(member);

        if (detailed)
            add_detailed(table, member, address);
        else
            add_brief(table, member, address);
        base_free(address);
    }
    table_print(table, to);
    table_free(table);
}
