/* Members in, one choice out. */
#include "server/router.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "server/internal.h"

#define AVOID_MS 10000u

struct rpc_target router_target(const struct router_choice *choice)
{
    return (struct rpc_target){
        .dc = choice->dc, .node = choice->node, .addr = choice->addr};
}

static bool failed_lately(const struct server *server, const char *dc,
                          const char *node)
{
    uint64_t now_ms = base_env_now_ms(server->env);
    size_t i;

    for (i = 0; i < ROUTER_FAILURES_MAX; i++)
        if (server->router.failures[i].until_ms > now_ms &&
            strcmp(server->router.failures[i].node, node) == 0 &&
            strcasecmp(server->router.failures[i].dc, dc) == 0)
            return true;
    return false;
}

void router_failed(struct server *server, const struct router_choice *choice)
{
    struct router *router = &server->router;
    size_t at = router->next++ % ROUTER_FAILURES_MAX;

    memcpy(router->failures[at].dc, choice->dc, sizeof(choice->dc));
    memcpy(router->failures[at].node, choice->node, sizeof(choice->node));
    router->failures[at].until_ms = base_env_now_ms(server->env) + AVOID_MS;
    rpc_pool_forget(server->calls, choice->dc, choice->node);
}

static void choose(struct router_choice *out, const struct member_server *from)
{
    memset(out, 0, sizeof(*out));
    strncpy(out->dc, from->dc, sizeof(out->dc) - 1);
    memcpy(out->node, from->node, sizeof(out->node));
    out->addr = from->rpc;
}

/* Reservoir sampling over the fitting members: one pass, each equally likely. */
static bool pick(struct server *server, const char *dc,
                 enum gossip_member_status status, bool avoid,
                 struct router_choice *out)
{
    bool local = strcasecmp(dc, server->config.datacenter) == 0;
    size_t count, i, seen = 0;
    const struct member *const *members =
        pool_members(local ? server->lan : server->wan, &count);

    for (i = 0; i < count; i++) {
        struct member_server as;

        if (members[i]->status != status ||
            !member_as_server(members[i], &as) || strcasecmp(as.dc, dc) != 0)
            continue;
        if (local && strcmp(as.id, server->config.node_id) == 0)
            continue;
        if (avoid && failed_lately(server, as.dc, as.node))
            continue;
        if (base_env_random_below(server->env, ++seen) == 0)
            choose(out, &as);
    }
    return seen > 0;
}

static bool pick_alive(struct server *server, const char *dc,
                       struct router_choice *out)
{
    return pick(server, dc, GOSSIP_MEMBER_ALIVE, true, out) ||
           pick(server, dc, GOSSIP_MEMBER_ALIVE, false, out);
}

/* While the others lack our gateways, what they send us does not arrive, and
 * gossip takes them all for dead. Yet calls to them would pass, and the Apply
 * that brings our gateways to them is such a call. */
bool router_pick(struct server *server, const char *dc,
                 struct router_choice *out)
{
    return pick_alive(server, dc, out) ||
           (strcasecmp(dc, server->config.datacenter) != 0 &&
            (pick(server, dc, GOSSIP_MEMBER_FAILED, true, out) ||
             pick(server, dc, GOSSIP_MEMBER_FAILED, false, out)));
}

bool router_knows(const struct server *server, const char *dc)
{
    size_t count, i;
    const struct member *const *members = pool_members(server->wan, &count);
    struct member_server as;

    if (strcasecmp(dc, server->config.primary_datacenter) == 0 ||
        fedstate_store_get(server->fsm.store, dc) != NULL)
        return true;
    for (i = 0; i < count; i++)
        if (member_as_server(members[i], &as) && strcasecmp(as.dc, dc) == 0)
            return true;
    return false;
}

bool router_leader(struct server *server, struct router_choice *out)
{
    struct raft_status status;
    struct base_target at;

    raft_node_status(server->raft, &status);
    if (status.leader_id[0] == '\0' ||
        strcmp(status.leader_id, server->config.node_id) == 0)
        return false;
    memset(out, 0, sizeof(*out));
    if (base_target_parse(&at, status.leader_address, 0) != 0 ||
        base_addr_parse_ip(&out->addr, at.host) != 0 ||
        strlen(at.name) >= sizeof(out->node))
        return false;
    out->addr.port = at.port;
    strcpy(out->node, at.name);
    strncpy(out->dc, server->config.datacenter, sizeof(out->dc) - 1);
    return true;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void router_datacenters(struct server *server,
                        void (*each)(void *arg, const char *dc), void *arg)
{
    size_t count, i, found = 0;
    const struct member *const *members = pool_members(server->wan, &count);
    const char **dcs = base_calloc(count + 2, sizeof(*dcs));

    dcs[found++] = server->config.datacenter;
    for (i = 0; i < count; i++) {
        struct member_server as;

        if (member_as_server(members[i], &as))
            dcs[found++] = as.dc;
    }
    qsort(dcs, found, sizeof(*dcs), compare_text);
    for (i = 0; i < found; i++)
        if (i == 0 || strcmp(dcs[i], dcs[i - 1]) != 0)
            each(arg, dcs[i]);
    base_free(dcs);
}
