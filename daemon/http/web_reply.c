/*
 * Answers. Whoever asks for JSON gets JSON; errors are a status and a sentence,
 * as Consul's clients expect. Text may quote what came from outside: the type
 * is always named, so that no browser takes it for a page.
 */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "fedstate/error.h"
#include "http/internal.h"
#include "http/near.h"
#include "rpc/error.h"

#define PRETTY_INDENT 4

void web_request_drop(struct web_request *request)
{
    struct http *http = request->http;

    if (request->pending)
        rpc_pending_cancel(request->pending);
    cache_read_cancel(request->read);
    if (request->gone)
        request->gone(request->gone_arg);
    /* A connection that broke while we stream has let go of it already. */
    if (request->streams && evhttp_request_get_connection(request->raw) == NULL)
        evhttp_request_free(request->raw);
    if (request->ticket)
        request->ticket->request = NULL;
    if (request->waits)
        base_gauge_set(http->gauge_waiting, (int64_t)--http->waiting);
    if (request->conn)
        request->conn->request = NULL;
    near_free(request->near);
    base_free(request->filter);
    web_params_close(&request->params);
    if (request->token)
        base_free_secret(request->token, strlen(request->token));
    base_free(request->name);
    base_free(request);
}

static void observe(const struct web_request *request, int status)
{
    struct base_env *env = request->http->env;
    char code[8];

    snprintf(code, sizeof(code), "%d", status);
    base_counter_add(base_metrics_counter(env->metrics, "isthmus.http.answer",
                                          "status", code),
                     1);
    if (request->route && !request->waits)
        base_histogram_observe(
            base_metrics_histogram(env->metrics, "isthmus.http.request_us",
                                   "path", request->route->path),
            (base_env_now_ns(env) - request->began_ns) / 1000);
}

/* Sends what is in the output buffer, and ends the request. */
static void answer(struct web_request *request, int status)
{
    struct evhttp_request *raw = request->raw;
    struct http_conn *conn = request->conn;

    observe(request, status);
    if (evhttp_request_get_command(raw) == EVHTTP_REQ_HEAD)
        evbuffer_drain(evhttp_request_get_output_buffer(raw), SIZE_MAX);
    http_conn_answered(conn);
    request->conn = NULL;
    web_request_drop(request);
    evhttp_send_reply(raw, status, NULL, NULL);
}

void web_put_header(struct web_request *request, const char *key,
                    const char *value)
{
    struct evkeyvalq *headers =
        evhttp_request_get_output_headers(request->raw);

    evhttp_remove_header(headers, key); /* said before, of an earlier piece */
    evhttp_add_header(headers, key, value);
}

static void put_type(struct web_request *request, const char *type)
{
    web_put_header(request, "Content-Type", type);
    web_put_header(request, "X-Content-Type-Options", "nosniff");
}

static int append(const char *data, size_t len, void *buffer)
{
    base_buf_append(buffer, data, len);
    return 0;
}

void web_reply_json(struct web_request *request, json_t *body)
{
    struct evbuffer *out = evhttp_request_get_output_buffer(request->raw);
    struct base_buf *text = &request->http->text;
    size_t flags = JSON_ENCODE_ANY;
    int rv;

    flags |= request->options.pretty ? JSON_INDENT(PRETTY_INDENT)
                                     : JSON_COMPACT;
    /* It comes in bits of a few bytes, each of them dear to an evbuffer. */
    rv = json_dump_callback(body, append, text, flags);
    assert(rv == 0); /* json_put.h lets nothing in that cannot go out */
    (void)rv;
    json_decref(body);
    if (request->options.pretty)
        base_buf_append_u8(text, '\n');
    evbuffer_add(out, base_buf_data(text), base_buf_len(text));
    base_buf_consume(text, base_buf_len(text));
    put_type(request, "application/json");
    answer(request, 200);
}

void web_reply_done(struct web_request *request)
{
    answer(request, 200);
}

void web_stream_end(struct web_request *request)
{
    struct evhttp_request *raw = request->raw;
    struct http_conn *conn = request->conn;

    observe(request, 200);
    http_conn_answered(conn);
    request->conn = NULL;
    request->streams = false;
    web_request_drop(request);
    evhttp_send_reply_end(raw);
}

void web_reply_bytes(struct web_request *request, const char *type,
                     const void *data, size_t len)
{
    evbuffer_add(evhttp_request_get_output_buffer(request->raw), data, len);
    put_type(request, type);
    answer(request, 200);
}

void web_reply_text(struct web_request *request, int status,
                    const char *format, ...)
{
    va_list args;

    va_start(args, format);
    evbuffer_add_vprintf(evhttp_request_get_output_buffer(request->raw),
                         format, args);
    va_end(args);
    put_type(request, "text/plain; charset=utf-8");
    answer(request, status);
}

void web_reply_failure(struct web_request *request, int code, const char *text)
{
    int status = 500;

    switch (code) {
    case RPC_EINVAL:
    case FEDSTATE_EINVAL:
    case FEDSTATE_ENODC:
    case FEDSTATE_EOP:
        status = 400;
        break;
    case RPC_EDENIED:
        status = 403;
        break;
    case RPC_ETOOBIG:
    case FEDSTATE_ETOOBIG:
        status = 413;
        break;
    case RPC_EBUSY:
        status = 503;
        break;
    case RPC_ENOLEADER:
    case RPC_ENODC:
        break; /* words that clients look for, bare */
    default:
        web_reply_text(request, status, "rpc error: %s",
                       text && *text != '\0' ? text : rpc_strerror(code));
        return;
    }
    web_reply_text(request, status, "%s",
                   text && *text != '\0' ? text : rpc_strerror(code));
}

void web_put_meta(struct web_request *request, const Server__QueryReply *reply)
{
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, reply->index);
    web_put_header(request, "X-Consul-Index", number);
    web_put_header(request, "X-Consul-KnownLeader",
                   reply->known_leader ? "true" : "false");
    snprintf(number, sizeof(number), "%" PRIu64, reply->last_contact_ms);
    web_put_header(request, "X-Consul-LastContact", number);
}
