/*
 * States of datacenters that are no more (federation.md section 8): once an
 * hour the primary's leader deletes those of which the WAN pool knows no
 * member, alive or failed. What an operator put stays. The first look comes an
 * hour after the lead was won, so that a leader which has just restarted, and
 * knows nobody yet, deletes nothing; and each deletion names the index that it
 * saw, so that a datacenter which comes back at that moment wins.
 */
#include "server/prune.h"

#include <string.h>
#include <strings.h>

#include "server/internal.h"

#define PRUNE_MS (60u * 60u * 1000u)

/* Names in the WAN pool are <node>.<dc>. */
static bool is_known(const struct server *server, const char *dc)
{
    size_t count, i;
    const struct member *const *members = pool_members(server->wan, &count);

    if (strcasecmp(dc, server->config.datacenter) == 0)
        return true;
    for (i = 0; i < count; i++) {
        const char *dot = strchr(members[i]->name, '.');

        if (dot && strcasecmp(dot + 1, dc) == 0)
            return true;
    }
    return false;
}

static void delete_state(struct server *server,
                         const Fedstate__FederationState *state)
{
    Fedstate__FederationState gone = FEDSTATE__FEDERATION_STATE__INIT;
    Fedstate__Change change = FEDSTATE__CHANGE__INIT;

    base_log(&server->log, BASE_LOG_INFO,
             "federation state of a datacenter that is no more is deleted",
             kv_str("datacenter", state->datacenter));
    base_counter_add(base_metrics_counter(server->env->metrics,
                                          "isthmus.fedstate.pruned", NULL,
                                          NULL),
                     1);
    gone.datacenter = state->datacenter;
    change.op = FEDSTATE__CHANGE__OP__DELETE;
    change.state = &gone;
    change.replaces_index = state->modify_index;
    server_propose(server, FSM_FEDERATION_STATE, &change);
}

static void prune(void *arg)
{
    struct server *server = arg;
    const struct fedstate_store *store = server->fsm.store;
    size_t i;

    for (i = 0; i < fedstate_store_count(store); i++) {
        const Fedstate__FederationState *state = fedstate_store_at(store, i);

        if (!state->operator_owned && !is_known(server, state->datacenter))
            delete_state(server, state);
    }
    base_timer_start_ms(&server->prune_timer, PRUNE_MS);
}

void prune_init(struct server *server)
{
    base_timer_init(&server->prune_timer, server->env, "prune", prune, server);
}

void prune_start(struct server *server)
{
    if (server->config.federation && server_is_primary(server))
        base_timer_start_ms(&server->prune_timer, PRUNE_MS);
}

void prune_stop(struct server *server)
{
    base_timer_stop(&server->prune_timer);
}
