/* /v1/operator/raft: who takes part in consensus, and changes of it. */
#include "http/json_put.h"
#include "http/web.h"

static json_t *server_json(const Server__RaftServer *server)
{
    json_t *object = json_object();

    json_put_text(object, "ID", server->id);
    json_put_text(object, "Node", server->node);
    json_put_text(object, "Address", server->address);
    json_put_bool(object, "Leader", server->leader);
    json_put_text(object, "ProtocolVersion", "3");
    json_put_bool(object, "Voter", server->voter);
    json_put_uint(object, "LastIndex", server->last_index);
    return object;
}

static void show_configuration(struct web_request *request,
                               const Server__QueryReply *reply)
{
    json_t *object = json_object(), *servers = json_array();
    size_t i;

    for (i = 0; reply->raft != NULL && i < reply->raft->n_servers; i++)
        json_array_append_new(servers, server_json(reply->raft->servers[i]));
    json_put(object, "Servers", servers);
    json_put_uint(object, "Index", reply->raft ? reply->raft->index : 0);
    web_reply_json(request, object);
}

void raft_configuration(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    web_query(request, "Operator.RaftGetConfiguration", &query,
              show_configuration);
}

/* ---- changes -------------------------------------------------------------- */

static char *param(const struct web_request *request, const char *key)
{
    const char *value = web_param(&request->params, key);

    return (char *)(uintptr_t)(value ? value : "");
}

static void change(struct web_request *request, const char *method,
                   web_write_fn done)
{
    Server__Write write = SERVER__WRITE__INIT;
    Server__RaftChange raft = SERVER__RAFT_CHANGE__INIT;

    raft.id = param(request, "id");
    raft.address = param(request, "address");
    write.datacenter = (char *)(uintptr_t)request->options.dc;
    write.raft = &raft;
    web_write(request, method, &write, done);
}

void raft_remove_peer(struct web_request *request)
{
    change(request, "Operator.RaftRemovePeer", web_reply_done);
}

static void transferred(struct web_request *request)
{
    json_t *object = json_object();

    json_put_bool(object, "Success", true);
    web_reply_json(request, object);
}

void raft_transfer_leader(struct web_request *request)
{
    change(request, "Operator.RaftTransferLeader", transferred);
}
