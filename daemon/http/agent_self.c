/*
 * /v1/agent/self: who this agent is and how it fares. Config and Stats have
 * Consul's shape (Stats are strings there); what Consul has no place for is
 * under xIsthmus. Secrets are not in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "fedstate/error.h"
#include "http/internal.h"
#include "http/json_put.h"
#include "http/member_json.h"
#include "server/server.h"

static void put_number(json_t *object, const char *key, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRIu64, number);
    json_put_text(object, key, text);
}

static json_t *config_json(const struct http_config *agent)
{
    const struct config *config = agent->config;
    json_t *object = json_object();

    json_put_text(object, "Datacenter", config->datacenter);
    json_put_text(object, "PrimaryDatacenter", config->primary_datacenter);
    json_put_text(object, "Domain", config->domain);
    json_put_text(object, "NodeName", config->node_name);
    json_put_text(object, "NodeID", agent->node_id);
    json_put_text(object, "Revision", "");
    json_put_bool(object, "Server", config->server);
    json_put_text(object, "Version", ISTHMUS_VERSION);
    return object;
}

/* ---- Stats ---------------------------------------------------------------- */

static const char *role_word(enum raft_role role)
{
    switch (role) {
    case RAFT_LEADER:
        return "Leader";
    case RAFT_CANDIDATE:
        return "Candidate";
    default:
        return "Follower";
    }
}

static json_t *raft_json(const struct server_status *status, uint64_t now_ms)
{
    const struct raft_status *raft = &status->raft;
    json_t *object = json_object();
    uint32_t peers = status->configuration->server_count;
    char contact[32];

    json_put_text(object, "state", role_word(raft->role));
    put_number(object, "term", raft->term);
    put_number(object, "first_log_index", raft->first_index);
    put_number(object, "last_log_index", raft->last_index);
    put_number(object, "commit_index", raft->commit_index);
    put_number(object, "applied_index", raft->applied_index);
    put_number(object, "durable_index", raft->durable_index);
    put_number(object, "num_peers", peers > 0 ? peers - 1 : 0);
    put_number(object, "proposals_waiting", raft->proposals_waiting);
    if (status->is_leader)
        snprintf(contact, sizeof(contact), "0");
    else if (raft->leader_contact_ms == 0)
        snprintf(contact, sizeof(contact), "never");
    else
        snprintf(contact, sizeof(contact), "%" PRIu64 "ms",
                 now_ms - raft->leader_contact_ms);
    json_put_text(object, "last_contact", contact);
    return object;
}

static json_t *pool_json(const struct pool *pool, bool encrypted)
{
    json_t *object = json_object();
    size_t count, i, failed = 0, left = 0;
    const struct member *const *members = pool_members(pool, &count);

    for (i = 0; i < count; i++) {
        failed += members[i]->status == GOSSIP_MEMBER_FAILED;
        left += members[i]->status == GOSSIP_MEMBER_LEFT;
    }
    put_number(object, "members", count);
    put_number(object, "failed", failed);
    put_number(object, "left", left);
    json_put_text(object, "encrypted", encrypted ? "true" : "false");
    return object;
}

static json_t *stats_json(const struct web_request *request,
                          const struct server_status *status)
{
    const struct http_config *agent = request->agent;
    json_t *object = json_object(), *local = json_object(),
           *consul = json_object();
    bool encrypted = agent->config->encrypt != NULL;

    put_number(local, "services", local_state_count(agent->local));
    json_put_text(local, "in_sync",
                  local_state_in_sync(agent->local) ? "true" : "false");
    json_put_text(consul, "server", agent->config->server ? "true" : "false");
    json_put(object, "agent", local);
    json_put(object, "consul", consul);
    json_put(object, "serf_lan", pool_json(agent->core.lan, encrypted));
    if (agent->core.client) {
        put_number(consul, "known_servers",
                   client_server_count(agent->core.client));
        return object;
    }
    json_put_text(consul, "leader", status->is_leader ? "true" : "false");
    json_put_text(consul, "leader_addr", status->raft.leader_address);
    json_put_text(consul, "bootstrap", status->bootstrapped ? "true" : "false");
    put_number(consul, "catalog_index", status->catalog_index);
    json_put(object, "raft",
             raft_json(status, base_env_now_ms(request->http->env)));
    json_put(object, "serf_wan", pool_json(agent->core.wan, encrypted));
    return object;
}

/* ---- xIsthmus ------------------------------------------------------------- */

static json_t *replication_json(const struct server_status *status,
                                uint64_t now_ms)
{
    const struct fedstate_replicator_status *replication =
        &status->replication;
    json_t *object = json_object();

    json_put_bool(object, "Running", status->replicating);
    json_put_uint(object, "RemoteIndex", replication->remote_index);
    json_put_text(object, "PrimaryClusterID", replication->cluster_id);
    json_put_uint(object, "Failures", replication->failures);
    json_put_text(object, "LastError",
                  replication->last_error != 0
                      ? fedstate_strerror(replication->last_error)
                      : "");
    /* Ages: our clock's zero means nothing to a reader. */
    json_put(object, "LastSuccessAgoMs",
             replication->last_success_ms
                 ? json_integer((json_int_t)(now_ms -
                                             replication->last_success_ms))
                 : json_null());
    json_put(object, "LastFailureAgoMs",
             replication->last_failure_ms
                 ? json_integer((json_int_t)(now_ms -
                                             replication->last_failure_ms))
                 : json_null());
    return object;
}

static json_t *federation_json(const struct web_request *request,
                               const struct server_status *status)
{
    json_t *object = json_object();

    json_put_bool(object, "Enabled", request->agent->config->federation);
    json_put_text(object, "Path", status->path);
    json_put_uint(object, "Index", status->federation_index);
    json_put_uint(object, "States", status->federation_states);
    json_put(object, "Replication",
             replication_json(status, base_env_now_ms(request->http->env)));
    return object;
}

struct engines {
    json_t *list;
    uint64_t now_ms;
};

static void add_engine(void *arg, const struct retry_join_status *status)
{
    struct engines *engines = arg;
    json_t *object = json_object();

    json_put_text(object, "What", status->what);
    json_put_uint(object, "Attempts", status->attempts);
    json_put_bool(object, "Succeeded", status->succeeded);
    json_put_text(object, "LastError", status->last_error);
    json_put(object, "NextInMs",
             status->next_ms == 0 ? json_null()
                                  : json_integer((json_int_t)(
                                        status->next_ms > engines->now_ms
                                            ? status->next_ms - engines->now_ms
                                            : 0)));
    json_array_append_new(engines->list, object);
}

static json_t *own_json(const struct web_request *request,
                        const struct server_status *status)
{
    struct engines engines = {json_array(),
                              base_env_now_ms(request->http->env)};
    json_t *object = json_object();

    joins_each(request->agent->joins, add_engine, &engines);
    if (request->agent->core.server) {
        json_put_text(object, "ClusterID", status->cluster_id);
        json_put(object, "Federation", federation_json(request, status));
    }
    json_put(object, "RetryJoin", engines.list);
    return object;
}

/* ---- all of it ------------------------------------------------------------ */

static json_t *member_json(const struct http_config *agent)
{
    const struct member *member =
        pool_find(agent->core.lan, agent->config->node_name);

    if (member)
        return json_from_member(member);
    return json_null(); /* the pool has not told us of ourselves yet */
}

static json_t *meta_json(const struct config *config)
{
    json_t *object = json_object();
    size_t i;

    for (i = 0; i < config->node_meta.count; i++)
        json_put_text(object, config->node_meta.pairs[i].key,
                      config->node_meta.pairs[i].value);
    return object;
}

void agent_self(struct web_request *request)
{
    const struct http_config *agent = request->agent;
    struct server_status status = {0};
    json_t *object = json_object();

    if (agent->core.server)
        server_status(agent->core.server, &status);
    json_put(object, "Config", config_json(agent));
    json_put(object, "Member", member_json(agent));
    json_put(object, "Meta", meta_json(agent->config));
    json_put(object, "Stats", stats_json(request, &status));
    json_put(object, "xIsthmus", own_json(request, &status));
    web_reply_json(request, object);
}
