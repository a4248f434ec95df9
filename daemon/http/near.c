#include "http/near.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"

struct near {
    Server__QueryReply *reply;
    const char *from; /* a node's name; borrowed from the request */
};

/* One of the things that are sorted, with what stands beside it. */
struct item {
    uint64_t rtt_ns;
    size_t at; /* where it was: equals keep their order */
    void *what, *beside;
};

static int compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;

    if (x->rtt_ns != y->rtt_ns)
        return x->rtt_ns > y->rtt_ns ? 1 : -1;
    return x->at > y->at ? 1 : -1;
}

/* Places of the LAN pool's nodes, sorted by name. */
struct map {
    const struct pool_coordinate **list;
    size_t count;
    const struct gossip_coordinate *from;
};

static int by_name(const void *a, const void *b)
{
    const struct pool_coordinate *const *x = a, *const *y = b;

    return strcmp((*x)->node, (*y)->node);
}

static const struct gossip_coordinate *find(const struct map *map,
                                            const char *node)
{
    struct pool_coordinate key = {.node = (char *)(uintptr_t)node};
    const struct pool_coordinate *wanted = &key, **found;

    found = bsearch(&wanted, map->list, map->count, sizeof(*map->list),
                    by_name);
    return found ? &(*found)->coordinate : NULL;
}

static uint64_t distance(const struct map *map, const char *node)
{
    const struct gossip_coordinate *to = find(map, node);

    if (to == map->from)
        return 0; /* heights make an estimate to oneself more than that */
    return to ? gossip_coordinate_rtt_ns(map->from, to) : UINT64_MAX;
}

static const char *node_of(void *node)
{
    return ((Fedstate__Node *)node)->node;
}

static const char *node_of_instance(void *instance)
{
    const Fedstate__CheckServiceNode *one = instance;

    return one->node ? one->node->node : "";
}

static const char *node_of_check(void *check)
{
    return ((Fedstate__Check *)check)->node;
}

/* beside: an array that keeps step with the first, or NULL. */
static void sort(const struct map *map, void **list, void **beside,
                 size_t count, const char *(*name)(void *what))
{
    struct item *items = base_calloc(count + 1, sizeof(*items));
    size_t i;

    for (i = 0; i < count; i++)
        items[i] = (struct item){distance(map, name(list[i])), i, list[i],
                                 beside ? beside[i] : NULL};
    qsort(items, count, sizeof(*items), compare);
    for (i = 0; i < count; i++) {
        list[i] = items[i].what;
        if (beside)
            beside[i] = items[i].beside;
    }
    base_free(items);
}

static void sort_reply(const struct map *map, Server__QueryReply *reply)
{
    bool paired = reply->n_checks == reply->n_check_services;

    sort(map, (void **)reply->nodes, NULL, reply->n_nodes, node_of);
    sort(map, (void **)reply->instances, NULL, reply->n_instances,
         node_of_instance);
    sort(map, (void **)reply->checks,
         paired ? (void **)reply->check_services : NULL, reply->n_checks,
         node_of_check);
}

static void on_coordinates(void *arg, int status,
                           const struct pool_coordinate *list, size_t count)
{
    struct web_request *request = web_ticket_end(arg);
    struct map map = {.count = status == 0 ? count : 0};
    struct near *near;
    size_t i;

    if (request == NULL)
        return;
    near = request->near;
    request->near = NULL;
    map.list = base_calloc(map.count + 1, sizeof(*map.list));
    for (i = 0; i < map.count; i++)
        map.list[i] = &list[i];
    qsort(map.list, map.count, sizeof(*map.list), by_name);
    map.from = find(&map, near->from);
    if (map.from)
        sort_reply(&map, near->reply);
    base_free(map.list);
    request->on_query(request, near->reply);
    near_free(near);
}

bool near_takes(struct web_request *request, Server__QueryReply *reply)
{
    const char *from = web_param(&request->params, "near");
    struct web_ticket *ticket;
    int rv;

    if (from == NULL || *from == '\0')
        return false;
    if (strcmp(from, "_agent") == 0)
        from = request->agent->config->node_name;
    BASE_NEW(request->near);
    request->near->reply = reply;
    request->near->from = from;
    ticket = web_ticket_new(request);
    rv = pool_coordinates(request->agent->core.lan, on_coordinates, ticket);
    if (rv != 0)
        on_coordinates(ticket, rv, NULL, 0);
    return true;
}

void near_free(struct near *near)
{
    if (near == NULL)
        return;
    base_pb_free(near->reply);
    base_free(near);
}
