/*
 * Handlers ask this process's own RPC methods, which find the leader or the
 * other datacenter by themselves. A deadline lies past the longest wait that
 * the method may take: its own answer is better than ours.
 */
#include "base/alloc.h"
#include "base/pb.h"
#include "http/internal.h"
#include "http/near.h"
#include "rpc/error.h"

#define WAIT_DEFAULT_MS 300000u
#define CALL_TIMEOUT_MS 30000u /* three holds of 7 s, and what carries them */

static void refused(struct web_request *request, int rv)
{
    web_reply_failure(request, rv, rpc_strerror(rv));
}

static void call(struct web_request *request, const char *method,
                 const void *message, uint32_t timeout_ms, rpc_done_fn done)
{
    struct base_buf body = BASE_BUF_INIT;
    struct rpc_request what = {.method = method,
                               .token = request->token,
                               .timeout_ms = timeout_ms};
    int rv;

    base_pb_pack(message, &body);
    what.body = base_buf_data(&body);
    what.body_len = base_buf_len(&body);
    rv = rpc_server_call_local(request->http->rpc, &what, done, request,
                               &request->pending);
    base_buf_close(&body);
    if (rv != 0)
        refused(request, rv);
}

static void on_query(void *arg, int status, const char *text, const void *body,
                     size_t len)
{
    struct web_request *request = arg;
    Server__QueryReply *reply;

    request->pending = NULL;
    if (status != 0) {
        web_reply_failure(request, status, text);
        return;
    }
    reply = base_pb_unpack(&server__query_reply__descriptor, body, len,
                           base_pb_budget(len));
    if (reply == NULL) {
        web_reply_text(request, 500, "rpc error: malformed answer");
        return;
    }
    web_put_meta(request, reply);
    if (near_takes(request, reply))
        return;
    request->on_query(request, reply);
    base_pb_free(reply);
}

void web_count_wait(struct web_request *request)
{
    struct http *http = request->http;

    request->waits = true;
    base_gauge_set(http->gauge_waiting, (int64_t)++http->waiting);
}

static uint32_t count_wait(struct web_request *request)
{
    uint32_t wait_ms = request->options.wait_ms ? request->options.wait_ms
                                                : WAIT_DEFAULT_MS;

    if (request->options.index == 0)
        return 0;
    web_count_wait(request);
    return wait_ms + wait_ms / 16; /* federation.md section 6: jitter */
}

void web_query(struct web_request *request, const char *method,
               Server__Query *query, web_query_fn done)
{
    query->datacenter = (char *)(uintptr_t)request->options.dc;
    query->min_index = request->options.index;
    query->max_wait_ms = request->options.wait_ms;
    query->mode = request->options.mode;
    request->on_query = done;
    if (web_cached(request, method, query))
        return;
    call(request, method, query, CALL_TIMEOUT_MS + count_wait(request),
         on_query);
}

static void on_write(void *arg, int status, const char *text, const void *body,
                     size_t len)
{
    struct web_request *request = arg;

    Server__WriteReply *reply;

    request->pending = NULL;
    if (status != 0) {
        web_reply_failure(request, status, text);
        return;
    }
    reply = base_pb_unpack(&server__write_reply__descriptor, body, len,
                           base_pb_budget(len));
    request->restore_id = reply != NULL ? reply->restore : 0;
    base_pb_free(reply);
    request->on_write(request);
}

void web_write(struct web_request *request, const char *method,
               const Server__Write *write, web_write_fn done)
{
    request->on_write = done;
    call(request, method, write, CALL_TIMEOUT_MS, on_write);
}
