/*
 * Methods that answer from the pools' coordinates, which live on the gossip
 * loop: where nodes are, and which datacenters there are, the nearest first.
 * Every server answers what it has heard; nothing here is Raft's.
 */
#include <float.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "server/access.h"
#include "server/forward.h"
#include "server/internal.h"
#include "server/strerror.h"

enum place_kind { PLACE_NODES, PLACE_SERVERS, PLACE_DATACENTERS };

/* A question on its way to the gossip loop, or one that waits out its time:
 * coordinates have no index, so a blocking query hears them at its end. */
struct place_asking {
    struct server *server;
    struct place_asking *prev, *next;
    struct rpc_call *call; /* NULL: the caller went away */
    enum place_kind kind;
    struct base_timer wait;
};

static void asking_free(struct place_asking *asking)
{
    base_timer_stop(&asking->wait);
    if (asking->prev)
        asking->prev->next = asking->next;
    else
        asking->server->askings = asking->next;
    if (asking->next)
        asking->next->prev = asking->prev;
    base_free(asking);
}

/* ---- datacenters, the nearest first --------------------------------------- */

struct distance {
    const char *dc;
    double seconds;
};

static int by_dc_and_distance(const void *a, const void *b)
{
    const struct distance *x = a, *y = b;
    int order = strcasecmp(x->dc, y->dc);

    if (order != 0)
        return order;
    return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

static int by_distance(const void *a, const void *b)
{
    const struct distance *x = a, *y = b;

    if (x->seconds != y->seconds)
        return x->seconds > y->seconds ? 1 : -1;
    return strcmp(x->dc, y->dc);
}

static const char *dc_of(const struct pool_coordinate *one)
{
    const char *dot = strchr(one->node, '.');

    return dot ? dot + 1 : "";
}

static const struct gossip_coordinate *
own_place(const struct server *server, const struct pool_coordinate *list,
          size_t count)
{
    size_t len = strlen(server->config.node), i;

    for (i = 0; i < count; i++)
        if (strncmp(list[i].node, server->config.node, len) == 0 &&
            list[i].node[len] == '.' &&
            strcasecmp(dc_of(&list[i]), server->config.datacenter) == 0)
            return &list[i].coordinate;
    return NULL;
}

/* Distances to all servers, sorted so that those of a datacenter stand
 * together; base_free. */
static struct distance *distances_of(const struct server *server,
                                     const struct pool_coordinate *list,
                                     size_t count)
{
    const struct gossip_coordinate *own = own_place(server, list, count);
    struct distance *out = base_calloc(count + 1, sizeof(*out));
    size_t i;

    for (i = 0; i < count; i++) {
        out[i].dc = dc_of(&list[i]);
        out[i].seconds =
            own ? (double)gossip_coordinate_rtt_ns(own, &list[i].coordinate) /
                      1e9
                : DBL_MAX;
    }
    qsort(out, count, sizeof(*out), by_dc_and_distance);
    return out;
}

/* The median of its servers; far away if none is known. */
static double distance_to(const char *dc, const struct distance *list,
                          size_t count)
{
    size_t first = 0, last;

    while (first < count && strcasecmp(list[first].dc, dc) != 0)
        first++;
    for (last = first; last < count && strcasecmp(list[last].dc, dc) == 0;)
        last++;
    return first < last ? list[first + (last - first) / 2].seconds : DBL_MAX;
}

struct order {
    const struct server *server;
    const struct distance *distances;
    size_t distance_count;
    struct distance *dcs; /* as many as fit: see fill_datacenters() */
    size_t count;
};

static void add_datacenter(void *arg, const char *dc)
{
    struct order *order = arg;
    bool own = strcasecmp(dc, order->server->config.datacenter) == 0;

    order->dcs = base_reallocarray(order->dcs, order->count + 1,
                                   sizeof(*order->dcs));
    order->dcs[order->count].dc = base_strdup(dc);
    order->dcs[order->count++].seconds =
        own ? -1 : distance_to(dc, order->distances, order->distance_count);
}

static void answer(struct server *server, struct rpc_call *call,
                   Server__QueryReply *reply)
{
    struct base_buf body = BASE_BUF_INIT;
    struct raft_status status;

    raft_node_status(server->raft, &status);
    reply->index = 1;
    reply->known_leader = status.leader_id[0] != '\0';
    base_pb_pack(reply, &body);
    rpc_call_reply(call, base_buf_data(&body), base_buf_len(&body));
    base_buf_close(&body);
}

static void answer_datacenters(struct server *server, struct rpc_call *call,
                               const struct pool_coordinate *list, size_t count)
{
    struct distance *distances = distances_of(server, list, count);
    struct order order = {server, distances, count, NULL, 0};
    Server__QueryReply reply = SERVER__QUERY_REPLY__INIT;
    size_t i;

    router_datacenters(server, add_datacenter, &order);
    qsort(order.dcs, order.count, sizeof(*order.dcs), by_distance);
    reply.datacenters = base_calloc(order.count, sizeof(char *));
    for (i = 0; i < order.count; i++)
        reply.datacenters[reply.n_datacenters++] = (char *)order.dcs[i].dc;
    answer(server, call, &reply);
    for (i = 0; i < order.count; i++)
        base_free(reply.datacenters[i]);
    base_free(reply.datacenters);
    base_free(order.dcs);
    base_free(distances);
}

/* ---- coordinates ---------------------------------------------------------- */

static int by_node(const void *a, const void *b)
{
    const Server__Coordinate *const *x = a, *const *y = b;

    return strcmp((*x)->node, (*y)->node);
}

static void answer_coordinates(struct server *server, struct rpc_call *call,
                               const struct pool_coordinate *list, size_t count)
{
    Server__QueryReply reply = SERVER__QUERY_REPLY__INIT;
    Server__Coordinate *items = base_calloc(count + 1, sizeof(*items));
    size_t i;

    reply.coordinates = base_calloc(count + 1, sizeof(*reply.coordinates));
    for (i = 0; i < count; i++) {
        const struct gossip_coordinate *from = &list[i].coordinate;

        server__coordinate__init(&items[i]);
        items[i].node = list[i].node;
        items[i].n_vec = GOSSIP_COORDINATE_DIMENSIONS;
        items[i].vec = (double *)(uintptr_t)from->vec;
        items[i].error = from->error;
        items[i].adjustment = from->adjustment;
        items[i].height = from->height;
        reply.coordinates[reply.n_coordinates++] = &items[i];
    }
    qsort(reply.coordinates, count, sizeof(*reply.coordinates), by_node);
    answer(server, call, &reply);
    base_free(reply.coordinates);
    base_free(items);
}

/* ---- the way there -------------------------------------------------------- */

static void on_coordinates(void *arg, int status,
                           const struct pool_coordinate *list, size_t count)
{
    struct place_asking *asking = arg;
    struct server *server = asking->server;
    struct rpc_call *call = asking->call;
    enum place_kind kind = asking->kind;

    asking_free(asking);
    if (call == NULL)
        return;
    rpc_call_on_cancel(call, NULL, NULL);
    /* Datacenters are known without coordinates too. */
    if (kind == PLACE_DATACENTERS)
        answer_datacenters(server, call, list, status == 0 ? count : 0);
    else if (status != 0)
        rpc_call_fail(call, status, server_strerror(status));
    else
        answer_coordinates(server, call, list, count);
}

static void ask(void *arg)
{
    struct place_asking *asking = arg;
    struct server *server = asking->server;
    int rv = pool_coordinates(asking->kind == PLACE_NODES ? server->lan
                                                          : server->wan,
                              on_coordinates, asking);

    if (rv != 0)
        on_coordinates(asking, rv, NULL, 0);
}

static void on_cancel(void *arg)
{
    struct place_asking *asking = arg;
    struct rpc_call *call = asking->call;

    asking->call = NULL;
    if (base_timer_is_running(&asking->wait))
        asking_free(asking); /* else the gossip loop has it */
    rpc_call_fail(call, RPC_ECANCELLED, "cancelled");
}

static void asking_start(struct server *server, struct rpc_call *call,
                         enum place_kind kind, uint32_t wait_ms)
{
    struct place_asking *asking;

    BASE_NEW(asking);
    asking->server = server;
    asking->call = call;
    asking->kind = kind;
    base_timer_init(&asking->wait, server->env, "places", ask, asking);
    asking->next = server->askings;
    if (asking->next)
        asking->next->prev = asking;
    server->askings = asking;
    rpc_call_on_cancel(call, on_cancel, asking);
    base_timer_start_ms(&asking->wait, wait_ms);
}

static void on_call(struct server *server, struct rpc_call *call,
                    enum place_kind kind, enum acl_resource resource)
{
    size_t len;
    const void *body = rpc_call_body(call, &len);
    Server__Query *query = base_pb_unpack(&server__query__descriptor, body, len,
                                          base_pb_budget(len));
    uint32_t wait_ms = 0;

    if (query == NULL) {
        rpc_call_fail(call, RPC_EINVAL, "malformed query");
        return;
    }
    if (query->min_index > 0 && kind != PLACE_DATACENTERS)
        wait_ms = query->max_wait_ms ? query->max_wait_ms
                                     : FEDSTATE_WAIT_DEFAULT_MS;
    if (wait_ms > rpc_call_left_ms(call) / 2)
        wait_ms = rpc_call_left_ms(call) / 2;
    if (*query->datacenter != '\0' &&
        strcasecmp(query->datacenter, server->config.datacenter) != 0)
        forward_to_datacenter(server, call, query->datacenter);
    else if (access_allows(server, call, resource, ACL_READ))
        asking_start(server, call, kind, wait_ms);
    base_pb_free(query);
}

static void on_nodes(void *arg, struct rpc_call *call)
{
    on_call(arg, call, PLACE_NODES, ACL_NODE);
}

static void on_servers(void *arg, struct rpc_call *call)
{
    on_call(arg, call, PLACE_SERVERS, ACL_NODE);
}

static void on_datacenters(void *arg, struct rpc_call *call)
{
    on_call(arg, call, PLACE_DATACENTERS, ACL_PUBLIC);
}

void place_methods(struct server *server)
{
    rpc_server_method(server->rpc, "Catalog.Datacenters", 0, on_datacenters,
                      server);
    rpc_server_method(server->rpc, "Coordinate.Nodes", 0, on_nodes, server);
    rpc_server_method(server->rpc, "Coordinate.Datacenters", 0, on_servers,
                      server);
}

void place_close(struct server *server)
{
    while (server->askings) {
        struct rpc_call *call = server->askings->call;

        asking_free(server->askings);
        if (call)
            rpc_call_fail(call, RPC_ECANCELLED, "server is stopping");
    }
}
