/* /v1/internal/federation-status: what `isthmus federation status` shows. */
#include "http/json_model.h"
#include "http/json_put.h"
#include "http/web.h"

static json_t *datacenter_json(const Server__DatacenterStatus *row)
{
    json_t *object = json_object();

    json_put_text(object, "Name", row->name);
    json_put_uint(object, "ServersAlive", row->servers_alive);
    json_put_uint(object, "ServersFailed", row->servers_failed);
    json_put_bool(object, "Supported", row->supported);
    json_put_bool(object, "HasState", row->has_state);
    json_put_bool(object, "OperatorOwned", row->operator_owned);
    json_put_uint(object, "Gateways", row->gateways);
    json_put_uint(object, "GatewaysUsable", row->gateways_usable);
    json_put(object, "UpdatedAt", row->has_state
                                      ? json_from_time(row->updated_at_ns)
                                      : json_null());
    json_put_uint(object, "AgeMs", row->age_ms);
    json_put_uint(object, "ModifyIndex", row->modify_index);
    json_put_uint(object, "PrimaryModifyIndex", row->primary_modify_index);
    json_put_text(object, "Path", row->path);
    return object;
}

static json_t *duty_json(bool runs, uint32_t failures, const char *error)
{
    json_t *object = json_object();

    json_put_bool(object, "Running", runs);
    json_put_uint(object, "Failures", failures);
    json_put_text(object, "LastError", error);
    return object;
}

static void show_status(struct web_request *request,
                        const Server__QueryReply *reply)
{
    const Server__FederationStatus *status = reply->federation;
    json_t *object, *replication, *sync, *rows;
    size_t i;

    if (status == NULL) {
        web_reply_text(request, 500,
                       "that server does not know federation status");
        return;
    }
    object = json_object();
    json_put_text(object, "Datacenter", status->datacenter);
    json_put_text(object, "PrimaryDatacenter", status->primary_datacenter);
    json_put_text(object, "Node", status->node);
    json_put_uint(object, "Index", status->index);
    replication = duty_json(status->replicating, status->replication_failures,
                            status->replication_error);
    json_put_uint(replication, "Index", status->replicated_index);
    json_put_uint(replication, "LagMs", status->lag_ms);
    json_put(object, "Replication", replication);
    sync = duty_json(status->syncing, status->sync_failures,
                     status->sync_error);
    json_put_bool(sync, "InSync", status->in_sync);
    json_put(object, "AntiEntropy", sync);
    rows = json_array();
    for (i = 0; i < status->n_datacenters; i++)
        json_array_append_new(rows, datacenter_json(status->datacenters[i]));
    json_put(object, "Datacenters", rows);
    web_reply_json(request, object);
}

void federation_status(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    web_query(request, "FederationState.Status", &query, show_status);
}
