/*
 * How the federation looks from here: for each datacenter that the WAN pool or
 * the table knows, its servers, its gateways, how old its record is and by which
 * way it is reached; and how far this server's own duties have come.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "fedstate/model.h"
#include "server/internal.h"
#include "server/strerror.h"
#include "server/views.h"

#define GAUGES_MS 10000u

/* ---- who there is --------------------------------------------------------- */

static int compare_dcs(const void *a, const void *b)
{
    return strcasecmp(((const Server__DatacenterStatus *)a)->name,
                      ((const Server__DatacenterStatus *)b)->name);
}

/* The datacenter of a WAN name; foreign members count as well as ours. */
static const char *dc_of(const struct member *member)
{
    const char *dot = strchr(member->name, '.');

    return dot ? dot + 1 : "";
}

/* A row for every name, sorted and each once; strings are borrowed. */
static Server__DatacenterStatus *rows_of(const struct server *server,
                                         size_t *out)
{
    const struct fedstate_store *store = server->fsm.store;
    size_t states = fedstate_store_count(store), count, rows = 0, i, kept = 0;
    const struct member *const *members = pool_members(server->wan, &count);
    Server__DatacenterStatus *row =
        base_calloc(count + states + 1, sizeof(*row));

    for (i = 0; i < count + states + 1; i++)
        server__datacenter_status__init(&row[i]);
    row[rows++].name = (char *)server->config.datacenter;
    for (i = 0; i < states; i++)
        row[rows++].name = fedstate_store_at(store, i)->datacenter;
    for (i = 0; i < count; i++)
        row[rows++].name = (char *)dc_of(members[i]);
    qsort(row, rows, sizeof(*row), compare_dcs);
    for (i = 0; i < rows; i++)
        if (kept == 0 || compare_dcs(&row[kept - 1], &row[i]) != 0)
            row[kept++] = row[i];
    *out = kept;
    return row;
}

static Server__DatacenterStatus *row_of(Server__DatacenterStatus *rows,
                                        size_t count, const char *dc)
{
    Server__DatacenterStatus wanted = SERVER__DATACENTER_STATUS__INIT;

    wanted.name = (char *)dc;
    return bsearch(&wanted, rows, count, sizeof(*rows), compare_dcs);
}

static void count_servers(const struct server *server,
                          Server__DatacenterStatus *rows, size_t row_count)
{
    size_t count, i;
    const struct member *const *members = pool_members(server->wan, &count);

    for (i = 0; i < row_count; i++)
        rows[i].supported = true;
    for (i = 0; i < count; i++) {
        Server__DatacenterStatus *row =
            row_of(rows, row_count, dc_of(members[i]));
        struct member_server as;

        if (members[i]->status == GOSSIP_MEMBER_ALIVE)
            row->servers_alive++;
        else if (members[i]->status == GOSSIP_MEMBER_FAILED)
            row->servers_failed++;
        else
            continue;
        if (!member_as_server(members[i], &as) || !as.federation_states)
            row->supported = false;
    }
}

/* ---- what is known of it -------------------------------------------------- */

static void tell_state(const struct server *server,
                       Server__DatacenterStatus *row)
{
    const Fedstate__FederationState *state =
        fedstate_store_get(server->fsm.store, row->name);
    int64_t age_ns;
    size_t i;

    if (state == NULL)
        return;
    row->has_state = true;
    row->operator_owned = state->operator_owned;
    row->updated_at_ns = state->updated_at_ns;
    row->modify_index = state->modify_index;
    row->primary_modify_index = state->primary_modify_index;
    age_ns = base_env_wall_ns(server->env) - state->updated_at_ns;
    row->age_ms = age_ns > 0 ? (uint64_t)age_ns / 1000000u : 0;
    row->gateways = (uint32_t)state->n_mesh_gateways;
    for (i = 0; i < state->n_mesh_gateways; i++)
        row->gateways_usable += fedstate_gateway_usable(state->mesh_gateways[i]);
}

static const char *path_to(const struct server *server, const char *dc)
{
    size_t count;

    if (strcasecmp(dc, server->config.datacenter) == 0)
        return "own";
    if (strcasecmp(dc, server->config.primary_datacenter) == 0)
        return fedstate_locator_path(server->locator);
    fedstate_routes_for(fedstate_locator_routes(server->locator), dc, &count);
    return count > 0 ? "local" : "none";
}

static Server__DatacenterStatus *datacenters(const struct server *server,
                                             size_t *count)
{
    Server__DatacenterStatus *rows = rows_of(server, count);
    size_t i;

    count_servers(server, rows, *count);
    for (i = 0; i < *count; i++) {
        tell_state(server, &rows[i]);
        rows[i].path = (char *)path_to(server, rows[i].name);
    }
    return rows;
}

/* ---- our own duties ------------------------------------------------------- */

static void tell_duties(const struct server *server,
                        Server__FederationStatus *out)
{
    struct fedstate_replicator_status replication;
    struct fedstate_antientropy_status sync;

    if (server->leader.replicator) {
        fedstate_replicator_status(server->leader.replicator, &replication);
        out->replicating = true;
        out->replicated_index = replication.remote_index;
        out->replication_failures = replication.failures;
        if (replication.last_error != 0)
            out->replication_error =
                (char *)server_strerror(replication.last_error);
        if (replication.failures > 0)
            out->lag_ms = base_env_now_ms(server->env) -
                          (replication.last_success_ms
                               ? replication.last_success_ms
                               : replication.first_failure_ms);
    }
    if (server->leader.antientropy) {
        fedstate_antientropy_status(server->leader.antientropy, &sync);
        out->syncing = true;
        out->in_sync = sync.in_sync;
        out->sync_failures = sync.failures;
        if (sync.last_error != 0)
            out->sync_error = (char *)server_strerror(sync.last_error);
    }
}

void fill_federation_status(struct server *server, const Server__Query *query,
                            Server__QueryReply *reply,
                            struct view_arena *arena)
{
    Server__FederationStatus *status = view_block(arena, 1, sizeof(*status));
    Server__DatacenterStatus *rows, *kept;
    size_t count, i;

    (void)query;
    server__federation_status__init(status);
    status->datacenter = (char *)server->config.datacenter;
    status->primary_datacenter = (char *)server->config.primary_datacenter;
    status->node = (char *)server->config.node;
    status->index = fedstate_store_index(server->fsm.store);
    tell_duties(server, status);
    rows = datacenters(server, &count);
    kept = view_block(arena, count, sizeof(*kept));
    memcpy(kept, rows, count * sizeof(*kept));
    base_free(rows);
    status->datacenters = view_block(arena, count, sizeof(void *));
    for (i = 0; i < count; i++)
        status->datacenters[status->n_datacenters++] = &kept[i];
    reply->federation = status;
}

/* ---- metrics -------------------------------------------------------------- */

static void gauge(const struct server *server, const char *name,
                  const char *label, const char *value, uint64_t number)
{
    base_gauge_set(base_metrics_gauge(server->env->metrics, name, label, value),
                   (int64_t)number);
}

static void update_gauges(void *arg)
{
    static const char *const ways[] = {"local", "direct", "fallback", "none"};
    struct server *server = arg;
    Server__FederationStatus status = SERVER__FEDERATION_STATUS__INIT;
    Server__DatacenterStatus *rows;
    size_t count, i;

    tell_duties(server, &status);
    gauge(server, "isthmus.fedstate.index", NULL, NULL,
          fedstate_store_index(server->fsm.store));
    gauge(server, "isthmus.fedstate.replication.index", NULL, NULL,
          status.replicated_index);
    gauge(server, "isthmus.fedstate.replication.lag_ms", NULL, NULL,
          status.lag_ms);
    gauge(server, "isthmus.fedstate.replication.failures", NULL, NULL,
          status.replication_failures);
    gauge(server, "isthmus.fedstate.antientropy.failures", NULL, NULL,
          status.sync_failures);
    for (i = 0; i < BASE_COUNT_OF(ways); i++)
        gauge(server, "isthmus.federation.primary_path", "way", ways[i],
              strcmp(ways[i], fedstate_locator_path(server->locator)) == 0);
    rows = datacenters(server, &count);
    for (i = 0; i < count; i++) {
        gauge(server, "isthmus.federation.servers_alive", "dc", rows[i].name,
              rows[i].servers_alive);
        gauge(server, "isthmus.federation.gateways", "dc", rows[i].name,
              rows[i].gateways);
        gauge(server, "isthmus.federation.gateways_usable", "dc", rows[i].name,
              rows[i].gateways_usable);
        gauge(server, "isthmus.federation.state_age_ms", "dc", rows[i].name,
              rows[i].age_ms);
    }
    base_free(rows);
    namesakes_look(server);
    base_timer_start_ms(&server->gauges_timer, GAUGES_MS);
}

void federation_gauges_init(struct server *server)
{
    base_timer_init(&server->gauges_timer, server->env, "federation-gauges",
                    update_gauges, server);
    if (server->config.federation)
        base_timer_start_ms(&server->gauges_timer, GAUGES_MS);
}
