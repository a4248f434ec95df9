/* One small function a method, and the table of them at the end. */
#include "server/views.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "fedstate/model.h"
#include "server/internal.h"

void view_arena_close(struct view_arena *arena)
{
    size_t i;

    for (i = 0; i < arena->block_count; i++)
        base_free(arena->blocks[i]);
    for (i = 0; i < arena->message_count; i++)
        base_pb_free(arena->messages[i]);
    base_free(arena->blocks);
    base_free(arena->messages);
}

/* Room for one more; arrays double, so that long answers cost no copying. */
static void *room(void *items, size_t count)
{
    if ((count & (count - 1)) != 0)
        return items;
    return base_reallocarray(items, count ? 2 * count : 1, sizeof(void *));
}

static void keep(void ***items, size_t *count, void *item)
{
    *items = room(*items, *count);
    (*items)[(*count)++] = item;
}

void *view_block(struct view_arena *arena, size_t count, size_t size)
{
    void *memory = base_calloc(count + 1, size);

    keep(&arena->blocks, &arena->block_count, memory);
    return memory;
}

static void *message(struct view_arena *arena, void *owned)
{
    keep(&arena->messages, &arena->message_count, owned);
    return owned;
}

/* ---- indexes -------------------------------------------------------------- */

static uint64_t no_index(const struct server *server, const Server__Query *query)
{
    (void)server;
    (void)query;
    return 1;
}

static uint64_t catalog_index(const struct server *server,
                              const Server__Query *query)
{
    (void)query;
    return server->fsm.catalog.index;
}

static uint64_t federation_index(const struct server *server,
                                 const Server__Query *query)
{
    (void)query;
    return fedstate_store_index(server->fsm.store);
}

static uint64_t state_index(const struct server *server,
                            const Server__Query *query)
{
    return fedstate_store_index_of(server->fsm.store, query->name);
}

/* ---- the cluster ---------------------------------------------------------- */

const char *view_address(const char *address)
{
    const char *slash = strchr(address, '/');

    return slash ? slash + 1 : address;
}

static void fill_leader(struct server *server, const Server__Query *query,
                        Server__QueryReply *reply, struct view_arena *arena)
{
    struct raft_status status;
    const struct raft_configuration *configuration;
    uint32_t i;

    (void)query;
    raft_node_status(server->raft, &status);
    reply->leader = view_block(arena, 1, sizeof(status.leader_address));
    strcpy(reply->leader, view_address(status.leader_address));
    configuration = raft_node_configuration(server->raft);
    reply->peers = view_block(arena, configuration->server_count, sizeof(char *));
    for (i = 0; i < configuration->server_count; i++)
        reply->peers[reply->n_peers++] =
            (char *)view_address(configuration->servers[i].address);
}

/* ---- the catalog ---------------------------------------------------------- */

static void fill_nodes(struct server *server, const Server__Query *query,
                       Server__QueryReply *reply, struct view_arena *arena)
{
    const struct catalog *catalog = &server->fsm.catalog;
    size_t i;

    reply->nodes = view_block(arena, catalog->node_count,
                              sizeof(*reply->nodes));
    for (i = 0; i < catalog->node_count; i++)
        if (view_has_meta(catalog->nodes[i], query))
            reply->nodes[reply->n_nodes++] = catalog->nodes[i]->node;
}

static bool has_tag(const Fedstate__Service *service, const char *tag)
{
    size_t i;

    for (i = 0; i < service->n_tags; i++)
        if (strcasecmp(service->tags[i], tag) == 0)
            return true;
    return false;
}

static bool has_tags(const Fedstate__Service *service,
                     const Server__Query *query)
{
    size_t i;

    for (i = 0; i < query->n_tags; i++)
        if (!has_tag(service, query->tags[i]))
            return false;
    return true;
}

static bool is_passing(const Fedstate__CheckServiceNode *instance)
{
    size_t i;

    for (i = 0; i < instance->n_checks; i++)
        if (strcmp(instance->checks[i]->status, "passing") != 0)
            return false;
    return true;
}

static bool is_wanted(const Fedstate__Service *service,
                      const Server__Query *query)
{
    return (*query->name == '\0' ||
            strcasecmp(service->service, query->name) == 0) &&
           (*query->kind == '\0' || strcmp(service->kind, query->kind) == 0) &&
           has_tags(service, query);
}

static void add_instance(Server__QueryReply *reply, struct view_arena *arena,
                         const struct catalog_node *node,
                         const Fedstate__Service *service,
                         const Server__Query *query)
{
    Fedstate__CheckServiceNode *instance = catalog_instance(node, service);

    message(arena, instance);
    if (query->passing && !is_passing(instance))
        return;
    reply->instances = room(reply->instances, reply->n_instances);
    reply->instances[reply->n_instances++] = instance;
}

/* Instances of a service, or of a kind, or all that run on one node. */
static void fill_instances(struct server *server, const Server__Query *query,
                           Server__QueryReply *reply, struct view_arena *arena)
{
    const struct catalog *catalog = &server->fsm.catalog;
    size_t i, j;

    for (i = 0; i < catalog->node_count; i++) {
        const struct catalog_node *node = catalog->nodes[i];

        if ((*query->node != '\0' &&
             strcmp(node->node->node, query->node) != 0) ||
            !view_has_meta(node, query))
            continue;
        for (j = 0; j < node->service_count; j++)
            if (is_wanted(node->services[j], query))
                add_instance(reply, arena, node, node->services[j], query);
    }
    keep(&arena->blocks, &arena->block_count, reply->instances);
}

static void fill_node(struct server *server, const Server__Query *query,
                      Server__QueryReply *reply, struct view_arena *arena)
{
    const struct catalog_node *node =
        catalog_find(&server->fsm.catalog, query->node);

    if (node == NULL)
        return;
    reply->nodes = view_block(arena, 1, sizeof(*reply->nodes));
    reply->nodes[reply->n_nodes++] = node->node;
    reply->checks = node->checks;
    reply->n_checks = node->check_count;
    fill_instances(server, query, reply, arena);
}

/* ---- federation states ---------------------------------------------------- */

static void fill_state(struct server *server, const Server__Query *query,
                       Server__QueryReply *reply, struct view_arena *arena)
{
    const Fedstate__FederationState *state =
        fedstate_store_get(server->fsm.store, query->name);

    if (state == NULL)
        return;
    reply->states = view_block(arena, 1, sizeof(*reply->states));
    reply->states[reply->n_states++] = (Fedstate__FederationState *)state;
}

static void fill_states(struct server *server, const Server__Query *query,
                        Server__QueryReply *reply, struct view_arena *arena)
{
    size_t count = fedstate_store_count(server->fsm.store), i;

    (void)query;
    reply->states = view_block(arena, count, sizeof(*reply->states));
    for (i = 0; i < count; i++)
        reply->states[reply->n_states++] =
            (Fedstate__FederationState *)fedstate_store_at(server->fsm.store,
                                                           i);
}

/* Datacenters without gateways are left out. */
static void fill_gateways(struct server *server, const Server__Query *query,
                          Server__QueryReply *reply, struct view_arena *arena)
{
    size_t count = fedstate_store_count(server->fsm.store), i;

    (void)query;
    reply->gateways = view_block(arena, count, sizeof(*reply->gateways));
    for (i = 0; i < count; i++) {
        const Fedstate__FederationState *state =
            fedstate_store_at(server->fsm.store, i);
        Server__DatacenterGateways *entry;

        if (state->n_mesh_gateways == 0)
            continue;
        entry = view_block(arena, 1, sizeof(*entry));
        server__datacenter_gateways__init(entry);
        entry->datacenter = state->datacenter;
        entry->nodes = state->mesh_gateways;
        entry->n_nodes = state->n_mesh_gateways;
        reply->gateways[reply->n_gateways++] = entry;
    }
}

static const struct view views[] = {
    {"Status.Leader", ACL_PUBLIC, VIEW_NONE, false, no_index, fill_leader},
    {"Catalog.Nodes", ACL_NODE, VIEW_CATALOG, false, catalog_index, fill_nodes},
    {"Catalog.Services", ACL_SERVICE, VIEW_CATALOG, false, catalog_index,
     fill_services},
    {"Catalog.Node", ACL_NODE, VIEW_CATALOG, false, catalog_index, fill_node},
    {"Health.Service", ACL_SERVICE, VIEW_CATALOG, false, catalog_index,
     fill_instances},
    {"Health.Checks", ACL_SERVICE, VIEW_CATALOG, false, catalog_index,
     fill_checks},
    {"Health.State", ACL_NODE, VIEW_CATALOG, false, catalog_index, fill_checks},
    {"FederationState.Get", ACL_OPERATOR, VIEW_FEDERATION, true, state_index,
     fill_state},
    {"FederationState.List", ACL_OPERATOR, VIEW_FEDERATION, false,
     federation_index, fill_states},
    /* Gateways are services, and proxies that route by them ask for no more
     * (federation.md section 6 names a right for Get and List only). */
    {"FederationState.ListMeshGateways", ACL_SERVICE, VIEW_FEDERATION, false,
     federation_index, fill_gateways},
    {"Snapshot.Save", ACL_OPERATOR, VIEW_LEADER, false, no_index,
     fill_saved_state},
    {"Operator.RaftGetConfiguration", ACL_OPERATOR, VIEW_LEADER, false,
     no_index, fill_raft_configuration},
    {"FederationState.Status", ACL_OPERATOR, VIEW_FEDERATION, false,
     federation_index, fill_federation_status},
};

const struct view *view_table(size_t *count)
{
    *count = BASE_COUNT_OF(views);
    return views;
}
