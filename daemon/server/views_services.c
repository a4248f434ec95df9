/*
 * Names of services, each once with all tags of its instances, both in order.
 * By sorting: a catalog has thousands of instances, and this runs on the main
 * loop.
 */
#include <stdlib.h>
#include <string.h>

#include "server/internal.h"
#include "server/views.h"

static int by_name(const void *a, const void *b)
{
    const Fedstate__Service *x = *(Fedstate__Service *const *)a;
    const Fedstate__Service *y = *(Fedstate__Service *const *)b;

    return strcmp(x->service, y->service);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Those on nodes that fit. */
static size_t collect(const struct catalog *catalog, const Server__Query *query,
                      struct view_arena *arena, Fedstate__Service ***out)
{
    size_t count = 0, i, j;

    for (i = 0; i < catalog->node_count; i++)
        count += catalog->nodes[i]->service_count;
    *out = view_block(arena, count, sizeof(**out));
    count = 0;
    for (i = 0; i < catalog->node_count; i++) {
        const struct catalog_node *node = catalog->nodes[i];

        for (j = 0; view_has_meta(node, query) && j < node->service_count; j++)
            (*out)[count++] = node->services[j];
    }
    return count;
}

static Server__ServiceSummary *summarize(Fedstate__Service *const *same,
                                         size_t count,
                                         struct view_arena *arena)
{
    Server__ServiceSummary *summary = view_block(arena, 1, sizeof(*summary));
    size_t tag_count = 0, i, j;
    char **tags;

    for (i = 0; i < count; i++)
        tag_count += same[i]->n_tags;
    tags = view_block(arena, tag_count, sizeof(*tags));
    for (i = 0, tag_count = 0; i < count; i++)
        for (j = 0; j < same[i]->n_tags; j++)
            tags[tag_count++] = same[i]->tags[j];
    qsort(tags, tag_count, sizeof(*tags), by_text);
    server__service_summary__init(summary);
    summary->name = same[0]->service;
    summary->tags = tags;
    for (i = 0; i < tag_count; i++)
        if (i == 0 || strcmp(tags[i], tags[summary->n_tags - 1]) != 0)
            tags[summary->n_tags++] = tags[i];
    return summary;
}

void fill_services(struct server *server, const Server__Query *query,
                   Server__QueryReply *reply, struct view_arena *arena)
{
    Fedstate__Service **services;
    size_t count = collect(&server->fsm.catalog, query, arena, &services);
    size_t i, end;

    qsort(services, count, sizeof(*services), by_name);
    reply->services = view_block(arena, count, sizeof(*reply->services));
    for (i = 0; i < count; i = end) {
        for (end = i + 1; end < count; end++)
            if (strcmp(services[i]->service, services[end]->service) != 0)
                break;
        reply->services[reply->n_services++] =
            summarize(services + i, end - i, arena);
    }
}
