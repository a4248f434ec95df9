/*
 * One request on one connection, and what became of it.
 */
#include "cli/http_client.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "cli/http_answer.h"

struct exchange {
    struct http_reply *reply;
    const void *body;
    size_t body_len;
    /* NULL: the answer is wanted whole */
    void (*on_line)(void *ctx, const char *line);
    void *ctx;
    uint32_t limit_ms; /* of a streamed answer; 0: none */
    bool streams;
    struct base_buf rest; /* of a line, or the answer */
};

/* ---- the request ---------------------------------------------------------- */

static int send_request(struct http_link *link,
                        const struct http_target *target, const char *method,
                        const char *path, const struct exchange *exchange)
{
    struct base_buf out = BASE_BUF_INIT;
    bool v6 = target->host && strchr(target->host, ':') != NULL;
    int rv;

    base_buf_printf(&out, "%s %s HTTP/1.1\r\n", method, path);
    if (target->path)
        base_buf_printf(&out, "Host: agent\r\n");
    else
        base_buf_printf(&out, "Host: %s%s%s:%u\r\n", v6 ? "[" : "",
                        target->host, v6 ? "]" : "", target->port);
    base_buf_printf(&out, "Connection: close\r\n"
                          "User-Agent: isthmus/" ISTHMUS_VERSION "\r\n");
    if (*target->token != '\0')
        base_buf_printf(&out, "X-Consul-Token: %s\r\n", target->token);
    if (exchange->body_len > 0 || strcmp(method, "GET") != 0)
        base_buf_printf(&out, "Content-Length: %zu\r\n", exchange->body_len);
    base_buf_printf(&out, "\r\n");
    rv = http_link_send(link, base_buf_data(&out), base_buf_len(&out));
    if (rv == 0)
        rv = http_link_send(link, exchange->body, exchange->body_len);
    memset(out.bytes, 0, out.cap); /* the token */
    base_buf_close(&out);
    return rv;
}

/* ---- the answer ----------------------------------------------------------- */

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

static int on_bytes(void *ctx, const void *data, size_t len)
{
    struct exchange *exchange = ctx;

    base_buf_append(&exchange->rest, data, len);
    if (exchange->streams)
        hand_out_lines(exchange);
    return base_buf_len(&exchange->rest) >
                   (exchange->streams ? HTTP_LINE_BYTES_MAX
                                      : HTTP_BODY_BYTES_MAX)
               ? BASE_ETOOBIG
               : 0;
}

static int read_answer(struct http_link *link, struct exchange *exchange,
                       const char **why)
{
    struct http_answer answer;
    struct http_reply *reply = exchange->reply;
    int rv = http_answer_head(&answer, link, why);

    reply->status = answer.status;
    reply->index = answer.index;
    if (rv == 0 && exchange->on_line && answer.status == 200) {
        exchange->streams = true;
        link->silence_ms = -1;
        if (exchange->limit_ms > 0)
            link->deadline_ms = http_link_now_ms() + exchange->limit_ms;
    }
    if (rv == 0)
        rv = http_answer_body(&answer, on_bytes, exchange, why);
    if (rv == BASE_ECLOSED && exchange->streams)
        rv = 0;
    http_answer_close(&answer);
    if (rv == 0) {
        reply->len = base_buf_len(&exchange->rest);
        reply->body = base_buf_take_string(&exchange->rest);
    }
    return rv;
}

static int exchange_run(struct exchange *exchange,
                        const struct http_target *target, const char *method,
                        const char *path, char **why)
{
    const char *failure = NULL;
    struct http_link link;
    int rv;

    *exchange->reply = (struct http_reply){0};
    rv = http_link_open(&link, target, HTTP_TIMEOUT_S, why);
    if (rv < 0)
        return rv;
    /* An agent may refuse a body half-way: its answer tells why. */
    (void)send_request(&link, target, method, path, exchange);
    rv = read_answer(&link, exchange, &failure);
    if (rv < 0 && target->path)
        *why = base_asprintf("the agent at unix://%s: %s", target->path,
                             failure);
    else if (rv < 0)
        *why = base_asprintf("the agent at %s port %u: %s", target->host,
                             target->port, failure);
    http_link_close(&link);
    base_buf_close(&exchange->rest);
    return rv;
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
               uint32_t limit_ms,
               void (*on_line)(void *ctx, const char *line), void *ctx,
               char **why)
{
    struct http_reply reply;
    struct exchange exchange = {.reply = &reply,
                                .body = body,
                                .body_len = len,
                                .limit_ms = limit_ms,
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
