/*
 * One run: resolve, dial, for https a handshake, ask, read; whatever ends it,
 * ends it in finish(). HTTP is 1.0, so that answers come in one piece and end
 * with the connection.
 */
#include "agent/check_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"
#include "server/strerror.h"

#define HEAD_BYTES_MAX 16384u

/* A name that is being resolved: it cannot be called off. */
struct lookup {
    struct check_run *run; /* NULL: nobody waits */
};

struct check_run {
    struct check_run_config config;
    struct check_url url; /* of HTTP */
    char host[256];
    uint16_t port;
    bool http;
    struct base_timer next, deadline;
    struct lookup *lookup;
    struct base_dial *dial;
    struct rpc_handshake *handshake;
    struct base_stream *stream;
};

static uint32_t timeout_ms(const struct check_run *run)
{
    return run->config.spec->timeout_ms ? run->config.spec->timeout_ms
                                        : CHECK_TIMEOUT_DEFAULT_MS;
}

static void call_off(struct check_run *run)
{
    base_timer_stop(&run->deadline);
    if (run->lookup)
        run->lookup->run = NULL;
    if (run->dial)
        base_net_dial_cancel(run->config.net, run->dial);
    if (run->handshake)
        run->config.tls->ops->cancel(run->handshake);
    if (run->stream)
        base_stream_close(run->stream);
    run->lookup = NULL;
    run->dial = NULL;
    run->handshake = NULL;
    run->stream = NULL;
}

/* output is given. */
static void finish(struct check_run *run, const char *status, char *output)
{
    call_off(run);
    base_timer_start_ms(&run->next, run->config.spec->interval_ms);
    run->config.report(run->config.ctx, status, output); /* may free it */
    base_free(output);
}

static char *method_of(const struct check_run *run)
{
    return *run->config.spec->method != '\0' ? run->config.spec->method
                                             : (char *)(uintptr_t)"GET";
}

static void fail(struct check_run *run, const char *why)
{
    char *output =
        run->http ? base_asprintf("HTTP %s %s: %s", method_of(run),
                                  run->config.spec->http, why)
                  : base_asprintf("TCP connect %s: %s", run->config.spec->tcp,
                                  why);

    finish(run, "critical", output);
}

static void on_deadline(void *arg)
{
    struct check_run *run = arg;
    char why[64];

    snprintf(why, sizeof(why), "no answer within %u ms", timeout_ms(run));
    fail(run, why);
}

/* ---- HTTP ----------------------------------------------------------------- */

static const char *status_of(unsigned long code)
{
    if (code / 100 == 2)
        return "passing";
    return code == 429 ? "warning" : "critical";
}

/* The value of a header within the head; NULL if it is not there. */
static const char *header(const char *head, const char *key)
{
    const char *line = head;
    size_t len = strlen(key);

    while ((line = strstr(line, "\r\n")) != NULL) {
        line += 2;
        if (strncasecmp(line, key, len) == 0 && line[len] == ':')
            return line + len + 1;
    }
    return NULL;
}

/* head is the answer up to its empty line, NUL-terminated. */
static void answered(struct check_run *run, const char *head, const char *body,
                     size_t len)
{
    const char *words = strchr(head, ' ');
    char *end = NULL, *output, *text;
    unsigned long code = words ? strtoul(words + 1, &end, 10) : 0;

    if (strncmp(head, "HTTP/1.", 7) != 0 || code < 100 || code > 999 ||
        end != words + 4) {
        fail(run, "the answer is not HTTP");
        return;
    }
    text = base_strndup(body, len);
    output = base_asprintf("HTTP %s %s: %.*s Output: %s", method_of(run),
                           run->config.spec->http,
                           (int)strcspn(words + 1, "\r\n"), words + 1, text);
    base_free(text);
    finish(run, status_of(code), output);
}

/* Looks whether enough is there; at the end of the stream what is there must
 * be enough. */
static void look(struct check_run *run, bool ended)
{
    size_t have = base_stream_len(run->stream), at, wanted, body;
    char *bytes = base_alloc(have + 1), *gap;
    const char *length;

    if (have > 0)
        memcpy(bytes, base_stream_data(run->stream), have);
    bytes[have] = '\0';
    gap = strstr(bytes, "\r\n\r\n");
    if (gap == NULL) {
        base_free(bytes);
        if (ended)
            fail(run, "the answer was cut off");
        else if (have >= HEAD_BYTES_MAX)
            fail(run, "the answer's header is too long");
        return;
    }
    *gap = '\0';
    at = (size_t)(gap - bytes) + 4;
    length = header(bytes, "Content-Length");
    wanted = length ? strtoul(length, NULL, 10) : CHECK_BODY_BYTES_MAX;
    if (wanted > CHECK_BODY_BYTES_MAX)
        wanted = CHECK_BODY_BYTES_MAX;
    body = have - at < wanted ? have - at : wanted;
    if (ended || have - at >= wanted)
        answered(run, bytes, bytes + at, body);
    base_free(bytes);
}

static void on_readable(void *arg)
{
    look(arg, false);
}

static void on_closed(void *arg, int err)
{
    (void)err;
    look(arg, true);
}

static const struct base_stream_events http_events = {
    .on_readable = on_readable,
    .on_closed = on_closed,
};

static void ask(struct check_run *run, struct base_stream *stream)
{
    const struct check_url *url = &run->url;
    struct base_buf request = BASE_BUF_INIT;
    bool has_host = header(run->config.spec->headers, "Host") != NULL ||
                    strncasecmp(run->config.spec->headers, "Host:", 5) == 0;

    run->stream = stream;
    base_stream_set_in_limit(stream, HEAD_BYTES_MAX + CHECK_BODY_BYTES_MAX);
    base_stream_set_events(stream, &http_events, run);
    base_buf_printf(&request, "%s %s%s HTTP/1.0\r\n", method_of(run),
                    *url->path == '/' ? "" : "/", url->path);
    if (!has_host)
        base_buf_printf(&request, "Host: %.*s\r\n", (int)url->authority_len,
                        url->authority);
    base_buf_printf(&request,
                    "User-Agent: isthmus health check\r\nAccept: */*\r\n"
                    "Connection: close\r\n%s\r\n",
                    run->config.spec->headers);
    base_stream_write(stream, base_buf_data(&request), base_buf_len(&request));
    base_buf_close(&request);
}

static void on_secure(void *arg, int status, const char *why,
                      struct base_stream *stream, const struct rpc_peer *peer)
{
    struct check_run *run = arg;

    (void)peer;
    run->handshake = NULL;
    if (status != 0)
        fail(run, why ? why : server_strerror(status));
    else
        ask(run, stream);
}

/* ---- the way there -------------------------------------------------------- */

static void on_dialled(void *arg, int status, struct base_stream *stream)
{
    struct check_run *run = arg;
    const struct rpc_secure *tls = run->config.tls;

    run->dial = NULL;
    if (status != 0) {
        fail(run, base_strerror(status));
    } else if (!run->http) {
        base_stream_close(stream);
        finish(run, "passing",
               base_asprintf("TCP connect %s: Success", run->config.spec->tcp));
    } else if (!run->url.https) {
        ask(run, stream);
    } else if (tls == NULL) {
        base_stream_close(stream);
        fail(run, "this agent has no TLS");
    } else {
        status = tls->ops->client(tls->ctx, stream, run->host,
                                  !run->config.spec->skip_verify, NULL,
                                  timeout_ms(run), on_secure, run,
                                  &run->handshake);
        if (status != 0)
            fail(run, server_strerror(status));
    }
}

static void dial(struct check_run *run, const struct base_addr *to)
{
    struct base_addr addr = *to;
    int rv;

    addr.port = run->port;
    rv = base_net_dial(run->config.net, &addr, NULL, timeout_ms(run),
                       on_dialled, run, &run->dial);
    if (rv != 0)
        fail(run, base_strerror(rv));
}

static void on_resolved(void *arg, int status, const struct base_addr *addrs,
                        size_t count)
{
    struct lookup *lookup = arg;
    struct check_run *run = lookup->run;

    base_free(lookup);
    if (run == NULL)
        return;
    run->lookup = NULL;
    if (status != 0 || count == 0)
        fail(run, "the name does not resolve");
    else
        dial(run, &addrs[0]);
}

static void on_next(void *arg)
{
    struct check_run *run = arg;
    struct base_addr addr;
    int rv;

    base_timer_start_ms(&run->deadline, timeout_ms(run));
    if (base_addr_parse_ip(&addr, run->host) == 0) {
        dial(run, &addr);
        return;
    }
    BASE_NEW(run->lookup);
    run->lookup->run = run;
    rv = base_env_resolve(run->config.env, run->host, BASE_RESOLVE_HOST,
                          on_resolved, run->lookup);
    if (rv == 0)
        return;
    base_free(run->lookup);
    run->lookup = NULL;
    fail(run, base_strerror(rv));
}

/* ---- life ----------------------------------------------------------------- */

struct check_run *check_run_new(const struct check_run_config *config)
{
    const struct check_spec *spec = config->spec;
    struct base_target target = {.host = ""};
    struct check_run *run;

    BASE_NEW(run);
    run->config = *config;
    run->http = *spec->http != '\0';
    if (run->http) {
        check_url_parse(spec->http, &run->url);
        strcpy(run->host, run->url.host);
        run->port = run->url.port;
    } else {
        base_target_parse(&target, spec->tcp, 0);
        snprintf(run->host, sizeof(run->host), "%s", target.host);
        run->port = target.port;
    }
    base_timer_init(&run->next, config->env, "check", on_next, run);
    base_timer_init(&run->deadline, config->env, "check-timeout", on_deadline,
                    run);
    base_timer_start_ms(&run->next, base_env_random_below(config->env,
                                                          spec->interval_ms));
    return run;
}

void check_run_free(struct check_run *run)
{
    if (run == NULL)
        return;
    call_off(run);
    base_timer_stop(&run->next);
    base_free(run);
}
