/*
 * Checks as lists of their own, over all nodes.
 */
#include <string.h>
#include <strings.h>

#include "server/internal.h"
#include "server/views.h"

static bool has_pair(const Fedstate__Node *node, const Fedstate__Pair *pair)
{
    size_t i;

    for (i = 0; i < node->n_meta; i++)
        if (strcmp(node->meta[i]->key, pair->key) == 0)
            return strcmp(node->meta[i]->value, pair->value) == 0;
    return false;
}

bool view_has_meta(const struct catalog_node *node, const Server__Query *query)
{
    size_t i;

    for (i = 0; i < query->n_node_meta; i++)
        if (!has_pair(node->node, query->node_meta[i]))
            return false;
    return true;
}

static bool is_wanted(const Fedstate__Check *check, const Server__Query *query)
{
    return (*query->name == '\0' ||
            strcasecmp(check->service_name, query->name) == 0) &&
           (*query->status == '\0' ||
            strcmp(check->status, query->status) == 0);
}

static size_t count_all(const struct catalog *catalog)
{
    size_t count = 0, i;

    for (i = 0; i < catalog->node_count; i++)
        count += catalog->nodes[i]->check_count;
    return count;
}

static Fedstate__Service *service_of(const struct catalog_node *node,
                                     const Fedstate__Check *check)
{
    static Fedstate__Service none = FEDSTATE__SERVICE__INIT;
    const Fedstate__Service *service = catalog_service(node, check->service_id);

    return service ? (Fedstate__Service *)service : &none;
}

void fill_checks(struct server *server, const Server__Query *query,
                 Server__QueryReply *reply, struct view_arena *arena)
{
    const struct catalog *catalog = &server->fsm.catalog;
    size_t most = count_all(catalog), i, j;

    reply->checks = view_block(arena, most, sizeof(*reply->checks));
    reply->check_services =
        view_block(arena, most, sizeof(*reply->check_services));
    for (i = 0; i < catalog->node_count; i++) {
        const struct catalog_node *node = catalog->nodes[i];

        if (!view_has_meta(node, query))
            continue;
        for (j = 0; j < node->check_count; j++)
            if (is_wanted(node->checks[j], query)) {
                reply->checks[reply->n_checks++] = node->checks[j];
                reply->check_services[reply->n_check_services++] =
                    service_of(node, node->checks[j]);
            }
    }
}
