/* Questions to the whole: who leads, who sees whom, are all tables equal. */
#include <stdio.h>
#include <string.h>

#include "fedstate/model.h"
#include "server/internal.h"
#include "sim/federation_internal.h"

struct sim_server *federation_server(struct federation *f, const char *dc,
                                     size_t number)
{
    return sim_dc_of(f, dc)->servers[number - 1];
}

struct sim_server *federation_leader(struct federation *f, const char *name)
{
    struct sim_dc *dc = sim_dc_of(f, name);
    struct sim_server *leader = NULL;
    size_t i;

    for (i = 0; i < dc->server_count; i++) {
        if (dc->servers[i]->server == NULL ||
            !dc->servers[i]->server->is_leader)
            continue;
        if (leader)
            return NULL;
        leader = dc->servers[i];
    }
    return leader;
}

size_t federation_clusters(struct federation *f, const char *name)
{
    struct sim_dc *dc = sim_dc_of(f, name);
    const char *seen[FEDERATION_SERVERS_MAX];
    size_t count = 0, i, j;

    for (i = 0; i < dc->server_count; i++) {
        const char *id;

        if (dc->servers[i]->server == NULL)
            continue;
        id = server_cluster_id(dc->servers[i]->server);
        for (j = 0; j < count; j++)
            if (strcmp(seen[j], id) == 0)
                break;
        if (j == count && *id != '\0')
            seen[count++] = id;
    }
    return count;
}

int sim_server_sees(const struct sim_server *server,
                    const struct sim_server *of)
{
    char name[64];
    const struct member *member;

    snprintf(name, sizeof(name), "%s.%s", of->node, of->dc->name);
    member = server->server ? pool_find(server->server->wan, name) : NULL;
    return member ? (int)member->status : -1;
}

static bool sees_all(struct federation *f, const struct sim_server *server)
{
    size_t i, j;

    for (i = 0; i < f->dc_count; i++)
        for (j = 0; j < f->dcs[i].server_count; j++)
            if (f->dcs[i].servers[j]->server &&
                sim_server_sees(server, f->dcs[i].servers[j]) !=
                    GOSSIP_MEMBER_ALIVE)
                return false;
    return true;
}

static bool has_gateway(const Fedstate__FederationState *state,
                        const struct base_addr *wan)
{
    struct base_addr addr;
    size_t i;

    for (i = 0; i < state->n_mesh_gateways; i++)
        if (fedstate_gateway_addr(state->mesh_gateways[i], true, &addr) &&
            base_addr_equal(&addr, wan))
            return true;
    return false;
}

/* Exactly the datacenter's gateways that are there now. */
static bool is_true(const Fedstate__FederationState *state,
                    const struct sim_dc *dc)
{
    struct base_addr wan;
    size_t i;

    if (state == NULL || state->n_mesh_gateways != dc->gateway_count)
        return false;
    for (i = 0; i < dc->gateway_count; i++) {
        wan = sim_gateway_wan(dc->gateways[i]);
        if (!has_gateway(state, &wan))
            return false;
    }
    return true;
}

static bool are_equal(const struct fedstate_store *a,
                      const struct fedstate_store *b)
{
    size_t i;

    if (fedstate_store_count(a) != fedstate_store_count(b))
        return false;
    for (i = 0; i < fedstate_store_count(a); i++)
        if (!fedstate_same(fedstate_store_at(a, i), fedstate_store_at(b, i),
                           false))
            return false;
    return true;
}

static bool has_states(struct federation *f, const struct server *server,
                       const struct server *primary)
{
    const struct fedstate_store *store = server->fsm.store;
    size_t own = 0, i;

    for (i = 0; i < f->dc_count; i++)
        if (!is_true(fedstate_store_get(store, f->dcs[i].name), &f->dcs[i]))
            return false;
    for (i = 0; i < fedstate_store_count(store); i++)
        own += !fedstate_store_at(store, i)->operator_owned;
    return own == f->dc_count && are_equal(store, primary->fsm.store);
}

bool federation_is_whole(void *arg)
{
    struct federation *f = arg;
    struct sim_server *primary = federation_leader(f, f->dcs[0].name);
    size_t i, j;

    if (primary == NULL)
        return false;
    for (i = 0; i < f->dc_count; i++) {
        struct sim_server *leader = federation_leader(f, f->dcs[i].name);

        if (leader == NULL || !has_states(f, leader->server, primary->server))
            return false;
        for (j = 0; j < f->dcs[i].server_count; j++)
            if (f->dcs[i].servers[j]->server &&
                !sees_all(f, f->dcs[i].servers[j]))
                return false;
    }
    return true;
}

bool federation_knows(struct federation *f, const char *at, const char *dc)
{
    struct sim_server *leader = federation_leader(f, at);

    return leader && is_true(fedstate_store_get(leader->server->fsm.store, dc),
                             sim_dc_of(f, dc));
}

int federation_replication_error(struct federation *f, const char *dc)
{
    struct sim_server *leader = federation_leader(f, dc);
    struct fedstate_replicator_status status = {0};

    if (leader && leader->server->leader.replicator)
        fedstate_replicator_status(leader->server->leader.replicator, &status);
    return status.last_error;
}

bool federation_until(struct federation *f, bool (*done)(void *arg), void *arg,
                      uint64_t within_ms)
{
    return base_sim_run_until_true(f->world, done, arg, within_ms);
}

uint64_t federation_violations(const struct federation *f)
{
    return f->violations;
}

bool sim_server_has(const struct sim_server *server, const char *name)
{
    const Fedstate__FederationState *state =
        server->server ? fedstate_store_get(server->server->fsm.store, name)
                       : NULL;

    return state != NULL && state->operator_owned;
}

size_t federation_size(const struct federation *f, const char *dc)
{
    size_t i;

    for (i = 0; i < f->dc_count; i++)
        if (strcmp(f->dcs[i].name, dc) == 0)
            return f->dcs[i].server_count;
    return 0;
}

/* ---- why not -------------------------------------------------------------- */

static void explain_table(const struct server *server, FILE *to)
{
    const struct fedstate_store *store = server->fsm.store;
    size_t i, j;

    for (i = 0; i < fedstate_store_count(store); i++) {
        const Fedstate__FederationState *state = fedstate_store_at(store, i);

        fprintf(to, "    %s: index %llu, primary's %llu, gateways",
                state->datacenter, (unsigned long long)state->modify_index,
                (unsigned long long)state->primary_modify_index);
        for (j = 0; j < state->n_mesh_gateways; j++)
            fprintf(to, " %s", state->mesh_gateways[j]->node->node);
        fprintf(to, "\n");
    }
}

static void explain_duties(const struct server *server, FILE *to)
{
    struct fedstate_replicator_status replication = {0};
    struct fedstate_antientropy_status sync = {0};

    if (server->leader.replicator)
        fedstate_replicator_status(server->leader.replicator, &replication);
    if (server->leader.antientropy)
        fedstate_antientropy_status(server->leader.antientropy, &sync);
    fprintf(to,
            "    path %s; replication index %llu, failures %u (%d); "
            "anti-entropy in sync %d, failures %u (%d)\n",
            fedstate_locator_path(server->locator),
            (unsigned long long)replication.remote_index, replication.failures,
            replication.last_error, sync.in_sync, sync.failures,
            sync.last_error);
}

static void explain_blind(struct federation *f, const struct sim_server *server,
                          FILE *to)
{
    size_t i, j;

    for (i = 0; i < f->dc_count && server->server; i++)
        for (j = 0; j < f->dcs[i].server_count; j++)
            if (f->dcs[i].servers[j]->server &&
                sim_server_sees(server, f->dcs[i].servers[j]) !=
                    GOSSIP_MEMBER_ALIVE)
                fprintf(to, "    %s.%s does not see %s.%s\n", server->node,
                        server->dc->name, f->dcs[i].servers[j]->node,
                        f->dcs[i].name);
}

void federation_explain(struct federation *f, FILE *to)
{
    size_t i, j;

    for (i = 0; i < f->dc_count; i++) {
        struct sim_dc *dc = &f->dcs[i];
        struct sim_server *leader = federation_leader(f, dc->name);

        fprintf(to, "  %s: leader %s, %zu gateways\n", dc->name,
                leader ? leader->node : "none", dc->gateway_count);
        if (leader) {
            explain_duties(leader->server, to);
            explain_table(leader->server, to);
        }
        for (j = 0; j < dc->server_count; j++)
            explain_blind(f, dc->servers[j], to);
    }
}
