/*
 * One request on one connection by libevent's evhttp, with a loop of its own
 * that ends with the answer.
 */
#include "cli/http_client.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

struct exchange {
    struct event_base *loop;
    struct http_reply *reply;
    bool answered;
    const char *failure;
    const void *body;
    size_t body_len;
    /* NULL: the answer is wanted whole */
    void (*on_line)(void *ctx, const char *line);
    void *ctx;
    struct base_buf rest; /* of a line, or a complaint */
};

/* A stream may be silent for as long as it likes. */
#define STREAM_TIMEOUT_S (10 * 365 * 24 * 3600)

static void on_error(enum evhttp_request_error error, void *arg)
{
    struct exchange *exchange = arg;

    exchange->failure = error == EVREQ_HTTP_TIMEOUT ? "timed out"
                        : error == EVREQ_HTTP_EOF   ? "connection closed"
                        : error == EVREQ_HTTP_DATA_TOO_LONG
                            ? "answer is too long"
                            : "not an HTTP answer";
}

static void hand_out_lines(struct exchange *exchange)
{
    struct base_buf *rest = &exchange->rest;
    uint8_t *end;

    while ((end = memchr(base_buf_data(rest), '\n', base_buf_len(rest)))) {
        size_t len = (size_t)(end - base_buf_data(rest));

        *end = '\0';
        exchange->on_line(exchange->ctx, (const char *)base_buf_data(rest));
        base_buf_consume(rest, len + 1);
    }
}

/* Bytes of a streamed answer. */
static void on_bytes(struct evhttp_request *request, void *arg)
{
    struct exchange *exchange = arg;
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    size_t len = evbuffer_get_length(input);

    evbuffer_remove(input, base_buf_reserve(&exchange->rest, len), len);
    base_buf_commit(&exchange->rest, len);
    if (evhttp_request_get_response_code(request) == 200)
        hand_out_lines(exchange);
    if (base_buf_len(&exchange->rest) > HTTP_LINE_BYTES_MAX) {
        exchange->failure = "a line of the answer is too long";
        event_base_loopbreak(exchange->loop);
    }
}

static uint64_t index_of(struct evhttp_request *request)
{
    const char *text = evhttp_find_header(
        evhttp_request_get_input_headers(request), "X-Consul-Index");

    return text ? strtoull(text, NULL, 10) : 0;
}

static void on_answer(struct evhttp_request *request, void *arg)
{
    struct exchange *exchange = arg;
    struct evbuffer *input;

    event_base_loopexit(exchange->loop, NULL);
    if (request == NULL || evhttp_request_get_response_code(request) == 0)
        return; /* no connection, or what on_error() says */
    input = evhttp_request_get_input_buffer(request);
    if (exchange->on_line)
        evbuffer_add(input, base_buf_data(&exchange->rest),
                     base_buf_len(&exchange->rest));
    exchange->answered = true;
    exchange->reply->index = index_of(request);
    exchange->reply->status = evhttp_request_get_response_code(request);
    exchange->reply->len = evbuffer_get_length(input);
    exchange->reply->body = base_alloc(exchange->reply->len + 1);
    evbuffer_remove(input, exchange->reply->body, exchange->reply->len);
    exchange->reply->body[exchange->reply->len] = '\0';
}

static void add_headers(const struct http_target *target,
                        struct evhttp_request *request)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    bool v6 = strchr(target->host, ':') != NULL;
    char *host = base_asprintf("%s%s%s:%u", v6 ? "[" : "", target->host,
                               v6 ? "]" : "", target->port);

    evhttp_add_header(headers, "Host", host);
    evhttp_add_header(headers, "Connection", "close");
    evhttp_add_header(headers, "User-Agent", "isthmus/" ISTHMUS_VERSION);
    if (*target->token != '\0')
        evhttp_add_header(headers, "X-Consul-Token", target->token);
    base_free(host);
}

/* libevent writes a body with any method, but its length not with DELETE. */
static void add_body(struct evhttp_request *request,
                     const struct exchange *exchange)
{
    char length[24];

    if (exchange->body_len == 0)
        return;
    evbuffer_add(evhttp_request_get_output_buffer(request), exchange->body,
                 exchange->body_len);
    snprintf(length, sizeof(length), "%zu", exchange->body_len);
    evhttp_add_header(evhttp_request_get_output_headers(request),
                      "Content-Length", length);
}

static enum evhttp_cmd_type method_of(const char *method)
{
    switch (method[0]) {
    case 'D':
        return EVHTTP_REQ_DELETE;
    case 'P':
        return method[1] == 'O' ? EVHTTP_REQ_POST : EVHTTP_REQ_PUT;
    default:
        return EVHTTP_REQ_GET;
    }
}

static void run(const struct http_target *target, const char *method,
                const char *path, struct exchange *exchange)
{
    struct evhttp_connection *connection = https_connection(
        target->https, exchange->loop, target->host, target->port);
    struct evhttp_request *request;

    if (connection == NULL) {
        exchange->failure = "no connection to be had";
        return;
    }
    request = evhttp_request_new(on_answer, exchange);
    evhttp_connection_set_timeout(connection, exchange->on_line
                                                  ? STREAM_TIMEOUT_S
                                                  : HTTP_TIMEOUT_S);
    evhttp_connection_set_max_body_size(
        connection, exchange->on_line ? -1 : (ev_ssize_t)HTTP_BODY_BYTES_MAX);
    if (exchange->on_line)
        evhttp_request_set_chunked_cb(request, on_bytes);
    add_body(request, exchange);
    evhttp_request_set_error_cb(request, on_error);
    add_headers(target, request);
    /* On failure libevent has freed the request. */
    if (evhttp_make_request(connection, request,
                            method_of(method), path) == 0)
        event_base_dispatch(exchange->loop);
    if (!exchange->answered && https_failure(connection))
        exchange->failure = https_failure(connection);
    evhttp_connection_free(connection);
}

static int exchange_run(struct exchange *exchange,
                        const struct http_target *target, const char *method,
                        const char *path, char **why)
{
    exchange->loop = event_base_new();
    *exchange->reply = (struct http_reply){0};
    if (exchange->loop == NULL) {
        *why = base_strdup("no event loop to be had");
        return BASE_EIO;
    }
    run(target, method, path, exchange);
    event_base_free(exchange->loop);
    base_buf_close(&exchange->rest);
    if (exchange->answered)
        return 0;
    *why = base_asprintf(
        "cannot reach the agent at %s port %u: %s", target->host, target->port,
        exchange->failure != NULL ? exchange->failure : "connection failed");
    return BASE_EREFUSED;
}

int http_call(const struct http_target *target, const char *method,
              const char *path, struct http_reply *out, char **why)
{
    struct exchange exchange = {.reply = out};

    return exchange_run(&exchange, target, method, path, why);
}

void http_reply_close(struct http_reply *reply)
{
    base_free(reply->body);
    *reply = (struct http_reply){0};
}

static int refused(const struct http_reply *reply, char **why)
{
    size_t len = strcspn(reply->body, "\r\n");

    *why = base_asprintf("the agent answered %d%s%.*s", reply->status,
                         len > 0 ? ": " : "", len > 500 ? 500 : (int)len,
                         reply->body);
    switch (reply->status) {
    case 404:
        return BASE_ENOTFOUND;
    case 401:
    case 403:
        return BASE_EACCESS;
    default:
        return BASE_EIO;
    }
}

int http_json_body(const struct http_target *target, const char *method,
                   const char *path, const void *body, size_t len,
                   json_t **out, char **why)
{
    struct http_reply reply;
    struct exchange exchange = {
        .reply = &reply, .body = body, .body_len = len};
    json_error_t error;
    int rv = exchange_run(&exchange, target, method, path, why);

    if (rv < 0)
        return rv;
    if (reply.status != 200) {
        rv = refused(&reply, why);
    } else if (out != NULL) {
        *out = json_loadb(reply.body, reply.len, JSON_DECODE_ANY, &error);
        if (*out == NULL) {
            *why = base_asprintf("the agent's answer is no JSON: %d:%d: %s",
                                 error.line, error.column, error.text);
            rv = BASE_EPARSE;
        }
    }
    http_reply_close(&reply);
    return rv;
}

int http_json(const struct http_target *target, const char *method,
              const char *path, json_t **out, char **why)
{
    return http_json_body(target, method, path, "", 0, out, why);
}

int http_lines(const struct http_target *target, const char *method,
               const char *path, const void *body, size_t len,
               void (*on_line)(void *ctx, const char *line), void *ctx,
               char **why)
{
    struct http_reply reply;
    struct exchange exchange = {.reply = &reply,
                                .body = body,
                                .body_len = len,
                                .on_line = on_line,
                                .ctx = ctx};
    int rv = exchange_run(&exchange, target, method, path, why);

    if (rv == 0 && reply.status != 200)
        rv = refused(&reply, why);
    http_reply_close(&reply);
    return rv;
}

char *http_escape(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    struct base_buf buf = BASE_BUF_INIT;

    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL)
            base_buf_append_u8(&buf, (uint8_t)*text);
        else
            base_buf_printf(&buf, "%%%02X", (unsigned char)*text);
    }
    return base_buf_take_string(&buf);
}
