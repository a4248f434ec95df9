/* /v1/status: who leads, and who takes part in Raft. */
#include "http/json_model.h"
#include "http/json_put.h"
#include "http/web.h"

static void show_leader(struct web_request *request,
                        const Server__QueryReply *reply)
{
    web_reply_json(request, json_text(reply->leader));
}

static void show_peers(struct web_request *request,
                       const Server__QueryReply *reply)
{
    web_reply_json(request, json_from_texts(reply->peers, reply->n_peers));
}

void status_leader(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    web_query(request, "Status.Leader", &query, show_leader);
}

void status_peers(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    web_query(request, "Status.Leader", &query, show_peers);
}
