/*
 * From evhttp's request to a handler: path, parameters, token, body size. What
 * is wrong with any of them is answered here, in one sentence.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "http/internal.h"

#define NAME_BYTES_MAX 1024u
#define TOKEN_BYTES_MAX 1024u /* what an RPC carries */

static enum web_method method_of(struct evhttp_request *raw)
{
    switch (evhttp_request_get_command(raw)) {
    case EVHTTP_REQ_GET:
        return WEB_GET;
    case EVHTTP_REQ_PUT:
        return WEB_PUT;
    case EVHTTP_REQ_POST:
        return WEB_POST;
    case EVHTTP_REQ_DELETE:
        return WEB_DELETE;
    default:
        return WEB_OTHER;
    }
}

static const char *header(const struct web_request *request, const char *key)
{
    return evhttp_find_header(
        evhttp_request_get_input_headers(request->raw), key);
}

/* Printable ASCII without spaces, as it travels with an RPC. */
static bool is_token(const char *text)
{
    size_t len;

    for (len = 0; text[len] != '\0'; len++)
        if (text[len] <= 0x20 || text[len] >= 0x7f || len == TOKEN_BYTES_MAX)
            return false;
    return true;
}

static bool take_token(struct web_request *request)
{
    const char *token = web_param(&request->params, "token");
    const char *bearer = header(request, "Authorization");

    if (token == NULL)
        token = header(request, "X-Consul-Token");
    if (token == NULL && bearer && strncasecmp(bearer, "Bearer ", 7) == 0)
        token = bearer + 7 + strspn(bearer + 7, " ");
    if (token == NULL || *token == '\0')
        token = request->agent->config->acl.default_token;
    request->token = base_strdup(token ? token : "");
    if (is_token(request->token))
        return true;
    web_reply_text(request, 400, "the access token is malformed");
    return false;
}

bool web_body_token(struct web_request *request, const char *token)
{
    const char *without = request->agent->config->acl.default_token;

    if (*token == '\0' || strcmp(request->token, without ? without : "") != 0)
        return true;
    if (!is_token(token))
        return false;
    base_free_secret(request->token, strlen(request->token));
    request->token = base_strdup(token);
    return true;
}

bool web_may(struct web_request *request, enum acl_resource resource,
             enum acl_access access)
{
    enum acl_verdict verdict =
        acl_ask(request->agent->acl, request->token, resource, access);
    char text[ACL_WORDS_SIZE];

    if (verdict == ACL_ALLOWED)
        return true;
    base_counter_add(base_metrics_counter(request->http->env->metrics,
                                          "isthmus.acl.denied", "at", "http"),
                     1);
    acl_words(text, verdict, resource, access);
    web_reply_text(request, 403, "%s", text);
    return false;
}

static bool take_options(struct web_request *request)
{
    const struct evhttp_uri *uri =
        evhttp_request_get_evhttp_uri(request->raw);
    const char *why = NULL;

    if (web_params_parse(&request->params, evhttp_uri_get_query(uri), &why) ==
            0 &&
        web_options_parse(&request->options, &request->params, &why) == 0)
        return true;
    web_reply_text(request, 400, "%s", why);
    return false;
}

static bool take_name(struct web_request *request, const char *tail)
{
    request->name = web_unescape(tail, strlen(tail), false);
    if (request->name == NULL)
        web_reply_text(request, 400, "a broken escape in the path");
    else if (strlen(request->name) > NAME_BYTES_MAX)
        web_reply_text(request, 400, "the name in the path is too long");
    else if (request->route->name && *request->name == '\0')
        web_reply_text(request, 400, "Missing %s", request->route->name);
    else
        return true;
    return false;
}

/* A page in a browser can make it GET anything, and no page is to take services
 * away: those that write by GET are programs. */
static bool is_strangers(const struct web_request *request,
                         const struct web_route *route)
{
    return route->method == WEB_PUT_OR_GET &&
           method_of(request->raw) == WEB_GET &&
           (header(request, "Origin") || header(request, "Referer") ||
            header(request, "Sec-Fetch-Site"));
}

static bool take_route(struct web_request *request)
{
    const char *path =
        evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request->raw));
    size_t count;
    const struct web_route *routes = web_routes(&count);
    struct web_match match =
        web_router_find(routes, count, method_of(request->raw),
                        path ? path : "");

    if (match.route && !is_strangers(request, match.route)) {
        request->route = match.route;
        return take_name(request, match.tail);
    }
    if (match.allowed == 0) {
        web_reply_text(request, 404, "no such path in this API");
        return false;
    }
    web_put_header(request, "Allow", web_router_allow(match.allowed));
    web_reply_text(request, 405, "this path takes the method %s",
                   web_router_allow(match.allowed));
    return false;
}

/* libevent reads no body of DELETE, but Consul's clients send one, in the same
 * breath as the header. */
static void take_delete_body(struct web_request *request)
{
    struct evbuffer *ahead = bufferevent_get_input(request->conn->bev);
    const char *length = header(request, "Content-Length");
    unsigned long len = length ? strtoul(length, NULL, 10) : 0;

    if (len <= WEB_BODY_BYTES_MAX && len <= evbuffer_get_length(ahead))
        evbuffer_remove_buffer(
            ahead, evhttp_request_get_input_buffer(request->raw), len);
}

static bool body_fits(struct web_request *request)
{
    size_t limit = http_conn_body_limit(request->conn);
    size_t len;

    if (method_of(request->raw) == WEB_DELETE)
        take_delete_body(request);
    len = evbuffer_get_length(evhttp_request_get_input_buffer(request->raw));

    /* evhttp reads no body of other methods: it would take it for the next
     * request. */
    if (method_of(request->raw) != WEB_PUT &&
        method_of(request->raw) != WEB_POST &&
        (header(request, "Content-Length") ||
         header(request, "Transfer-Encoding")))
        web_put_header(request, "Connection", "close");
    if (len <= limit)
        return true;
    http_count_refused(request->http, "body");
    web_reply_text(request, 413,
                   "the body of %zu bytes is over the limit of %zu bytes", len,
                   limit);
    return false;
}

void web_request_start(struct http *http, struct http_conn *conn,
                       struct evhttp_request *raw)
{
    struct web_request *request;

    BASE_NEW(request);
    request->http = http;
    request->agent = &http->config;
    request->conn = conn;
    request->raw = raw;
    request->began_ns = base_env_now_ns(http->env);
    http_conn_busy(conn, request);
    if (body_fits(request) && take_route(request) && take_options(request) &&
        take_token(request) &&
        web_may(request, request->route->resource, request->route->access))
        request->route->handle(request);
}

/* ---- tickets -------------------------------------------------------------- */

struct web_ticket *web_ticket_new(struct web_request *request)
{
    struct web_ticket *ticket;

    BASE_NEW(ticket);
    ticket->request = request;
    request->ticket = ticket;
    LIST_INSERT_HEAD(&request->http->tickets, ticket, link);
    return ticket;
}

struct web_request *web_ticket_end(struct web_ticket *ticket)
{
    struct web_request *request = ticket->request;

    if (request)
        request->ticket = NULL;
    LIST_REMOVE(ticket, link);
    base_free(ticket);
    return request;
}

/* ---- bodies and parameters ------------------------------------------------ */

bool web_bool(struct web_request *request, const char *key, bool *out)
{
    if (web_param_bool(&request->params, key, out) == 0)
        return true;
    web_reply_text(request, 400, "%s: wanted no value, true or false", key);
    return false;
}

json_t *web_body(struct web_request *request, struct json_reader *reader)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(request->raw);

    return json_read_body(reader, evbuffer_pullup(input, -1),
                          evbuffer_get_length(input));
}

const void *web_body_bytes(struct web_request *request, size_t *len)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(request->raw);

    *len = evbuffer_get_length(input);
    return *len > 0 ? (const void *)evbuffer_pullup(input, -1) : "";
}

bool web_own_dc(struct web_request *request)
{
    const char *dc = request->options.dc;

    if (*dc == '\0' ||
        strcasecmp(dc, request->agent->core.datacenter) == 0)
        return true;
    web_reply_text(request, 400,
                   "dc: only an agent of %s itself can answer this", dc);
    return false;
}

struct pool *web_pool(struct web_request *request, bool wan)
{
    const struct core *core = &request->agent->core;

    if (wan && core->wan == NULL)
        web_reply_text(request, 400,
                       "Must be a server: a client agent is in no WAN pool");
    return wan ? core->wan : core->lan;
}

void web_refuse_body(struct web_request *request, struct json_reader *reader)
{
    web_reply_text(request, 400, "Request decode failed: %s", reader->why);
}
