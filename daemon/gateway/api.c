/*
 * One evhttp connection a request. evhttp looks at its connection again after
 * it told of an answer, so the answer is kept and told a turn later, when the
 * connection can go.
 */
#include "gateway/api.h"

#include <assert.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

#define BODY_BYTES_MAX (64u << 20)
#define HEADER_BYTES_MAX (64u << 10)
#define WHY_BYTES_MAX 200u

struct api {
    struct base_loop *loop;
    struct base_env *env;
    char host[BASE_ADDR_TEXT_MAX];
    char host_header[BASE_ADDR_TEXT_MAX];
    uint16_t port;
    char from[BASE_ADDR_TEXT_MAX]; /* "": as the kernel likes */
    char *token;
    const struct https *https;
};

struct api_call {
    struct evhttp_connection *connection;
    struct base_timer tell;
    int status;
    uint64_t index;
    json_t *body;
    char *why;
    api_done_fn done;
    void *arg;
};

struct api *api_new(struct base_loop *loop, const struct base_addr *agent,
                    const struct base_addr *from, const char *token,
                    const struct https *https)
{
    struct api *api;

    BASE_NEW(api);
    api->loop = loop;
    api->env = base_loop_env(loop);
    api->port = agent->port;
    base_addr_format_ip(agent, api->host);
    base_addr_format(agent, api->host_header);
    if (from->family == agent->family && !base_addr_is_any(from))
        base_addr_format_ip(from, api->from);
    api->token = base_strdup(token);
    api->https = https;
    return api;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    base_free(api->token);
    base_free(api);
}

struct base_env *api_env(const struct api *api)
{
    return api->env;
}

void api_cancel(struct api_call *call)
{
    if (call == NULL)
        return;
    base_timer_stop(&call->tell);
    if (call->connection != NULL)
        evhttp_connection_free(call->connection); /* the request goes with it */
    if (call->body != NULL)
        json_decref(call->body);
    base_free(call->why);
    base_free(call);
}

static void on_tell(void *arg)
{
    struct api_call *call = arg;
    api_done_fn done = call->done;
    void *done_arg = call->arg;
    struct api_reply reply = {.status = call->status,
                              .index = call->index,
                              .body = call->body,
                              .why = call->why};

    /* The reply's parts outlive the callback, which may start the next call. */
    call->body = NULL;
    call->why = NULL;
    api_cancel(call);
    done(done_arg, &reply);
    if (reply.body != NULL)
        json_decref(reply.body);
    base_free((char *)(uintptr_t)reply.why);
}

static void fail(struct api_call *call, const char *why)
{
    call->status = 0;
    if (call->why == NULL)
        call->why = base_strdup(why);
    base_timer_start_ns(&call->tell, 0);
}

static void on_error(enum evhttp_request_error error, void *arg)
{
    struct api_call *call = arg;

    if (call->why == NULL)
        call->why = base_strdup(error == EVREQ_HTTP_TIMEOUT ? "timed out"
                                : error == EVREQ_HTTP_EOF ? "connection closed"
                                : error == EVREQ_HTTP_DATA_TOO_LONG
                                    ? "answer is too long"
                                    : "not an HTTP answer");
}

static void take_body(struct api_call *call, struct evbuffer *input)
{
    size_t len = evbuffer_get_length(input);
    char *text = base_alloc(len + 1);
    size_t line;

    evbuffer_remove(input, text, len);
    text[len] = '\0';
    call->body = json_loadb(text, len, JSON_DECODE_ANY, NULL);
    line = strcspn(text, "\r\n");
    call->why = base_strndup(text, call->status == 200    ? 0
                                   : line < WHY_BYTES_MAX ? line
                                                          : WHY_BYTES_MAX);
    base_free(text);
}

static void on_answer(struct evhttp_request *request, void *arg)
{
    struct api_call *call = arg;
    const char *index;

    if (request == NULL || evhttp_request_get_response_code(request) == 0) {
        fail(call, "no connection");
        return;
    }
    call->status = evhttp_request_get_response_code(request);
    index = evhttp_find_header(evhttp_request_get_input_headers(request),
                               "X-Consul-Index");
    if (index != NULL)
        call->index = strtoull(index, NULL, 10);
    base_free(call->why);
    take_body(call, evhttp_request_get_input_buffer(request));
    base_timer_start_ns(&call->tell, 0);
}

static struct evhttp_request *
make_request(const struct api *api, struct api_call *call, const json_t *body)
{
    struct evhttp_request *request = evhttp_request_new(on_answer, call);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);

    evhttp_request_set_error_cb(request, on_error);
    evhttp_add_header(headers, "Host", api->host_header);
    evhttp_add_header(headers, "Connection", "close");
    evhttp_add_header(headers, "User-Agent",
                      "isthmus-gateway/" ISTHMUS_VERSION);
    if (*api->token != '\0')
        evhttp_add_header(headers, "X-Consul-Token", api->token);
    if (body != NULL) {
        char *text = json_dumps(body, JSON_COMPACT);

        evhttp_add_header(headers, "Content-Type", "application/json");
        evbuffer_add(evhttp_request_get_output_buffer(request), text,
                     strlen(text));
        free(text); /* jansson's */
    }
    return request;
}

static struct api_call *start(struct api *api, enum evhttp_cmd_type method,
                              const char *path, const json_t *body,
                              int timeout_s, api_done_fn done, void *arg)
{
    struct api_call *call;

    BASE_NEW(call);
    call->done = done;
    call->arg = arg;
    base_timer_init(&call->tell, api->env, "api", on_tell, call);
    call->connection = https_connection(
        api->https, base_loop_event_base(api->loop), api->host, api->port);
    assert(call->connection); /* memory is all that it needs */
    if (api->from[0] != '\0')
        evhttp_connection_set_local_address(call->connection, api->from);
    evhttp_connection_set_timeout(call->connection, timeout_s);
    evhttp_connection_set_max_body_size(call->connection, BODY_BYTES_MAX);
    evhttp_connection_set_max_headers_size(call->connection, HEADER_BYTES_MAX);
    if (evhttp_make_request(call->connection, make_request(api, call, body),
                            method, path) != 0)
        fail(call, "no connection");
    return call;
}

struct api_call *api_get(struct api *api, const char *path, int timeout_s,
                         api_done_fn done, void *arg)
{
    return start(api, EVHTTP_REQ_GET, path, NULL, timeout_s, done, arg);
}

struct api_call *api_put(struct api *api, const char *path, const json_t *body,
                         int timeout_s, api_done_fn done, void *arg)
{
    return start(api, EVHTTP_REQ_PUT, path, body, timeout_s, done, arg);
}

char *api_escape(const char *text)
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
