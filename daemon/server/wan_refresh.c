/*
 * When the ways to other datacenters change, news that gossip sent while there
 * was no way is lost, and the next exchange of full state may be a minute off.
 * So a moment after each change, one server of every other datacenter is joined
 * anew: a push/pull that tells each side all that the other knows. The
 * federation states name the datacenters, so that servers that restarted
 * together, and remember no member, find the others again (F5); and while a
 * datacenter that has gateways shows no server alive, it is tried again now and
 * then. Connections that stand leave gateways that are no way any more: a
 * secondary's first ones go straight to the primary's, past its own
 * (federation.md section 1).
 */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "server/internal.h"

#define SETTLE_MS 1000u
#define JITTER_MS 1000u
#define LONELY_MS 30000u

static void refresh(void *arg, const char *dc)
{
    struct server *server = arg;
    char *target;

    if (strcasecmp(dc, server->config.datacenter) == 0)
        return;
    target = base_asprintf("*.%s/" SERVER_WAN_PLACEHOLDER, dc);
    pool_join(server->wan, (const char *const[]){target}, 1, NULL, NULL);
    base_free(target);
}

/* Foreign members count: their datacenter is there as well. */
static bool has_alive(struct server *server, const char *dc)
{
    size_t count, i;
    const struct member *const *members = pool_members(server->wan, &count);

    for (i = 0; i < count; i++) {
        const char *dot = strchr(members[i]->name, '.');

        if (members[i]->status == GOSSIP_MEMBER_ALIVE && dot &&
            strcasecmp(dot + 1, dc) == 0)
            return true;
    }
    return false;
}

/* Datacenters that should be there, and of which we see nobody. */
static void refresh_lonely(struct server *server)
{
    const struct fedstate_store *store = server->fsm.store;
    size_t i;

    for (i = 0; i < fedstate_store_count(store); i++) {
        const Fedstate__FederationState *state = fedstate_store_at(store, i);

        if (state->n_mesh_gateways > 0 && !has_alive(server, state->datacenter))
            refresh(server, state->datacenter);
    }
}

static void plan(struct server *server, uint32_t ms)
{
    base_timer_start_ms(&server->refresh_timer,
                        ms + base_env_random_below(server->env, JITTER_MS));
}

/* Not at once: our gateways hear of a change when we do, and until they know
 * their way the old connections are better than none. */
static void renew(struct server *server)
{
    const struct fedstate_routes *routes =
        fedstate_locator_routes(server->locator);
    struct wan_ways ways = {server->config.datacenter, routes};

    rpc_pool_renew(server->calls, wan_side_is_way, &ways);
    primary_link_renew(&server->leader.link);
    wan_side_renew(server->wan_side, routes);
}

static void on_timer(void *arg)
{
    struct server *server = arg;

    if (server->refresh_all) {
        renew(server);
        router_datacenters(server, refresh, server);
    }
    server->refresh_all = false;
    refresh_lonely(server);
    plan(server, LONELY_MS);
}

void wan_refresh_soon(struct server *server)
{
    if (!server->config.federation || server->refresh_all)
        return;
    server->refresh_all = true;
    plan(server, SETTLE_MS);
}

void wan_refresh_init(struct server *server)
{
    base_timer_init(&server->refresh_timer, server->env, "wan-refresh",
                    on_timer, server);
    if (server->config.federation)
        plan(server, LONELY_MS);
}
