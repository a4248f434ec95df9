/*
 * PUT /v1/agent/query/NAME: asks a pool, and streams acks and answers as JSON
 * lines while they come. Consul has no such path; the lines are ours.
 */
#include <string.h>

#include "base/alloc.h"
#include "gossip/error.h"
#include "http/duration.h"
#include "http/json_base64.h"
#include "http/json_put.h"
#include "http/web.h"

#define RELAY_FACTOR_MAX 5u
/* Key operations and the like have paths of their own. */
#define INTERNAL_PREFIX "_serf_"
#define PING INTERNAL_PREFIX "ping"

struct query_call {
    struct web_request *request;
    struct pool_query *query;
    uint64_t acks, responses, dropped;
};

/* ---- answers -------------------------------------------------------------- */

static void line(struct query_call *call, json_t *object)
{
    struct web_request *request = call->request;

    if (!request->streams)
        web_stream_begin(request, "application/x-ndjson");
    if (!web_stream_json(request, object))
        call->dropped++;
}

static json_t *answer_json(const char *type, const char *from)
{
    json_t *object = json_object();

    json_put_text(object, "Type", type);
    json_put_text(object, "From", from);
    return object;
}

static void on_ack(void *arg, const char *from)
{
    struct query_call *call = arg;

    call->acks++;
    line(call, answer_json("ack", from));
}

static void on_response(void *arg, const char *from, const void *payload,
                        size_t len)
{
    struct query_call *call = arg;
    json_t *object = answer_json("response", from);

    call->responses++;
    json_put(object, "Payload", json_base64(payload, len));
    line(call, object);
}

static void finish(struct query_call *call)
{
    json_t *object = json_object();

    json_put_text(object, "Type", "done");
    json_put_uint(object, "Acks", call->acks);
    json_put_uint(object, "Responses", call->responses);
    json_put_uint(object, "Dropped", call->dropped);
    line(call, object);
    web_stream_end(call->request);
}

static void refuse(struct web_request *request, int status)
{
    int code = status == GOSSIP_ETOOBIG   ? 413
               : status == GOSSIP_EINVAL  ? 400
               : status == GOSSIP_EBUSY   ? 503
                                          : 500;

    web_reply_text(request, code, "cannot ask %s: %s", request->name,
                   gossip_strerror(status));
}

static void on_done(void *arg, int status)
{
    struct query_call *call = arg;
    struct web_request *request = call->request;

    web_on_gone(request, NULL, NULL);
    if (status != 0 && !request->streams)
        refuse(request, status);
    else
        finish(call);
    base_free(call);
}

static void on_gone(void *arg)
{
    struct query_call *call = arg;

    pool_query_cancel(call->query);
    base_free(call);
}

/* ---- the request ---------------------------------------------------------- */

static bool take_numbers(struct web_request *request,
                         struct gossip_query_params *params)
{
    const char *timeout = web_param(&request->params, "timeout");
    const char *relay = web_param(&request->params, "relay-factor");
    uint64_t timeout_ms = 0;

    if (timeout && (duration_parse_ms(timeout, &timeout_ms) != 0 ||
                    timeout_ms > POOL_QUERY_TIMEOUT_MAX_MS)) {
        web_reply_text(request, 400,
                       "timeout: wanted a duration up to 10m, such as 15s");
        return false;
    }
    if (relay && (relay[0] < '0' || relay[0] > '0' + (char)RELAY_FACTOR_MAX ||
                  relay[1] != '\0')) {
        web_reply_text(request, 400, "relay-factor: wanted 0 to %u",
                       RELAY_FACTOR_MAX);
        return false;
    }
    params->timeout_ms = (uint32_t)timeout_ms;
    params->relay_factor = relay ? (uint8_t)(relay[0] - '0') : 0;
    return true;
}

/* Splits "key=expression" in place. */
static bool take_tag(struct web_request *request, struct web_param *param,
                     struct gossip_tag *tag)
{
    char *equals = strchr(param->value, '=');

    if (equals == NULL || equals == param->value) {
        web_reply_text(request, 400, "tag: wanted name=expression");
        return false;
    }
    *equals = '\0';
    tag->key = param->value;
    tag->value = equals + 1;
    return true;
}

static bool take_filters(struct web_request *request, const char **nodes,
                         struct gossip_tag *tags,
                         struct gossip_query_params *params)
{
    size_t i;

    params->nodes = nodes;
    params->tags = tags;
    for (i = 0; i < request->params.count; i++) {
        struct web_param *param = &request->params.items[i];

        if (strcmp(param->key, "node") == 0)
            nodes[params->node_count++] = param->value;
        else if (strcmp(param->key, "tag") == 0 &&
                 !take_tag(request, param, &tags[params->tag_count++]))
            return false;
    }
    return true;
}

static void ask(struct web_request *request, struct pool *pool,
                const struct gossip_query_params *params)
{
    static const struct pool_query_events events = {on_ack, on_response,
                                                    on_done};
    struct query_call *call;
    const void *body;
    size_t len;
    int rv;

    body = web_body_bytes(request, &len);
    BASE_NEW(call);
    call->request = request;
    rv = pool_query(pool, request->name, body, len, params,
                     &events, call, &call->query);
    if (rv != 0) {
        base_free(call);
        refuse(request, rv);
        return;
    }
    web_on_gone(request, on_gone, call);
}

void agent_query(struct web_request *request)
{
    const char *nodes[WEB_PARAMS_MAX];
    struct gossip_tag tags[WEB_PARAMS_MAX];
    struct gossip_query_params params = {0};
    struct pool *pool;
    bool wan;

    if (strncmp(request->name, INTERNAL_PREFIX, strlen(INTERNAL_PREFIX)) == 0 &&
        strcmp(request->name, PING) != 0) {
        web_reply_text(request, 400, "%s is a name of the pool's own",
                       request->name);
        return;
    }
    if (web_bool(request, "wan", &wan) &&
        (pool = web_pool(request, wan)) != NULL &&
        web_bool(request, "acks", &params.want_acks) &&
        take_numbers(request, &params) &&
        take_filters(request, nodes, tags, &params))
        ask(request, pool, &params);
}
