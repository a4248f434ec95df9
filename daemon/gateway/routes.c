/*
 * Rows are gathered as single (pattern, address) entries, sorted, and grouped:
 * so equal entries fall together, and a look-up is a binary search or two.
 */
#include "gateway/routes.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define NAME_BYTES_MAX 253u /* of a DNS name */
#define LABEL_BYTES_MAX 63u

struct routes {
    atomic_uint holders;
    struct route *rows;
    size_t count;
};

/* One address of one pattern; family 0 only says that the row is there. */
struct entry {
    char *pattern;
    bool wan;
    struct base_addr addr;
};

struct entries {
    const struct routes_input *input;
    struct entry *items;
    size_t count;
    size_t cap;
};

/* ---- names ----------------------------------------------------------------
 */

static bool is_label(const char *text)
{
    size_t i;

    for (i = 0; text[i] != '\0'; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '-' &&
            text[i] != '_')
            return false;
    return i > 0 && i <= LABEL_BYTES_MAX;
}

static bool is_domain(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
           strlen(text);
}

/* The pattern of a node ("*" for any, NULL for the datacenter's own name);
 * NULL if that is no server name. */
static char *make_pattern(const char *node, const char *datacenter,
                          const char *domain)
{
    char *name;
    char *at;

    if (!is_label(datacenter) || !is_domain(domain) ||
        (node != NULL && strcmp(node, "*") != 0 && !is_label(node)))
        return NULL;
    name = base_asprintf("%s%sserver.%s.%s", node != NULL ? node : "",
                         node != NULL ? "." : "", datacenter, domain);
    if (strlen(name) > NAME_BYTES_MAX) {
        base_free(name);
        return NULL;
    }
    for (at = name; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    return name;
}

/* ---- gathering ------------------------------------------------------------
 */

static bool is_self(const struct routes_input *input,
                    const struct base_addr *addr)
{
    return base_addr_equal(addr, &input->self[0]) ||
           base_addr_equal(addr, &input->self[1]);
}

static void add(struct entries *entries, const char *node,
                const char *datacenter, bool wan, const struct base_addr *addr)
{
    char *pattern;

    if (addr->family != 0 && is_self(entries->input, addr))
        return;
    pattern = make_pattern(node, datacenter, entries->input->domain);
    if (pattern == NULL)
        return;
    if (entries->count == entries->cap) {
        entries->cap = entries->cap == 0 ? 64 : 2 * entries->cap;
        entries->items = base_reallocarray(entries->items, entries->cap,
                                           sizeof(*entries->items));
    }
    entries->items[entries->count++] = (struct entry){pattern, wan, *addr};
}

static void add_servers(struct entries *entries)
{
    static const struct base_addr none;
    const struct routes_input *input = entries->input;
    size_t i;

    add(entries, NULL, input->datacenter, false, &none);
    for (i = 0; i < input->server_count; i++) {
        const struct routes_server *server = &input->servers[i];

        add(entries, NULL, input->datacenter, false, &server->addr);
        add(entries, server->node, input->datacenter, false, &server->addr);
    }
}

static void add_site(struct entries *entries, const struct routes_site *site)
{
    static const struct base_addr none;
    size_t i;

    if (strcasecmp(site->datacenter, entries->input->datacenter) == 0)
        return;
    add(entries, NULL, site->datacenter, true, &none);
    add(entries, "*", site->datacenter, true, &none);
    for (i = 0; i < site->gateway_count; i++) {
        add(entries, NULL, site->datacenter, true, &site->gateways[i]);
        add(entries, "*", site->datacenter, true, &site->gateways[i]);
    }
}

/* ---- grouping -------------------------------------------------------------
 */

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    int order = strcmp(left->pattern, right->pattern);

    return order != 0 ? order : base_addr_compare(&left->addr, &right->addr);
}

static void add_target(struct route *row, const struct base_addr *addr)
{
    if (addr->family == 0 || row->target_count == ROUTES_TARGETS_MAX ||
        (row->target_count > 0 &&
         base_addr_equal(addr, &row->targets[row->target_count - 1])))
        return;
    row->targets = base_reallocarray(row->targets, row->target_count + 1,
                                     sizeof(*row->targets));
    row->targets[row->target_count++] = *addr;
}

/* Takes the patterns over. */
static void group(struct routes *routes, struct entries *entries)
{
    size_t i;

    if (entries->count == 0)
        return;
    qsort(entries->items, entries->count, sizeof(*entries->items),
          compare_entries);
    routes->rows = base_calloc(entries->count, sizeof(*routes->rows));
    for (i = 0; i < entries->count; i++) {
        struct entry *entry = &entries->items[i];

        if (routes->count > 0 && strcmp(routes->rows[routes->count - 1].pattern,
                                        entry->pattern) == 0) {
            base_free(entry->pattern);
        } else {
            routes->rows[routes->count++] =
                (struct route){.pattern = entry->pattern, .wan = entry->wan};
        }
        add_target(&routes->rows[routes->count - 1], &entry->addr);
    }
}

struct routes *routes_new(const struct routes_input *input)
{
    struct entries entries = {.input = input};
    struct routes *routes;
    size_t i;

    BASE_NEW(routes);
    atomic_init(&routes->holders, 1);
    if (input->expose_servers) {
        add_servers(&entries);
        for (i = 0; i < input->site_count; i++)
            add_site(&entries, &input->sites[i]);
        group(routes, &entries);
        base_free(entries.items);
    }
    return routes;
}

struct routes *routes_share(struct routes *routes)
{
    atomic_fetch_add(&routes->holders, 1);
    return routes;
}

void routes_free(struct routes *routes)
{
    size_t i;

    if (routes == NULL || atomic_fetch_sub(&routes->holders, 1) > 1)
        return;
    for (i = 0; i < routes->count; i++) {
        base_free(routes->rows[i].pattern);
        base_free(routes->rows[i].targets);
    }
    base_free(routes->rows);
    base_free(routes);
}

/* ---- asking ---------------------------------------------------------------
 */

static int compare_pattern(const void *key, const void *row)
{
    return strcmp(key, ((const struct route *)row)->pattern);
}

static const struct route *find_pattern(const struct routes *routes,
                                        const char *pattern)
{
    if (routes == NULL || routes->count == 0)
        return NULL;
    return bsearch(pattern, routes->rows, routes->count, sizeof(*routes->rows),
                   compare_pattern);
}

const struct route *routes_find(const struct routes *routes, const char *name)
{
    char wildcard[NAME_BYTES_MAX + 2] = "*";
    const char *dot = strchr(name, '.');
    const struct route *row = find_pattern(routes, name);

    if (row != NULL || dot == NULL || dot == name || *name == '*' ||
        strlen(dot) > NAME_BYTES_MAX)
        return row;
    strcpy(wildcard + 1, dot);
    return find_pattern(routes, wildcard);
}

const struct route *routes_rows(const struct routes *routes, size_t *count)
{
    *count = routes == NULL ? 0 : routes->count;
    return routes == NULL ? NULL : routes->rows;
}
