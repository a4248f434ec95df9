/* Three pages of JSON, made when asked for. */
#include "gateway/admin.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "http/metrics_page.h"

#define BODY_BYTES_MAX 1024
#define HEADER_BYTES_MAX 8192
#define TIMEOUT_S 30

struct admin {
    struct admin_config config;
    struct evhttp *http;
};

/* ---- pages ----------------------------------------------------------------
 */

static json_t *routes_json(struct admin *admin)
{
    json_t *list = json_array();
    size_t count, i, j;
    const struct route *rows =
        routes_rows(admin->config.routes(admin->config.ctx), &count);

    for (i = 0; i < count; i++) {
        json_t *targets = json_array();
        char text[BASE_ADDR_TEXT_MAX];

        for (j = 0; j < rows[i].target_count; j++)
            json_array_append_new(targets, json_string(base_addr_format(
                                               &rows[i].targets[j], text)));
        json_array_append_new(list,
                              json_pack("{s:s, s:o}", "Name", rows[i].pattern,
                                        "Targets", targets));
    }
    return list;
}

/* ---- answers --------------------------------------------------------------
 */

static void answer(struct evhttp_request *request, int status, json_t *body)
{
    char *text = json_dumps(body, JSON_INDENT(2));

    evhttp_add_header(evhttp_request_get_output_headers(request),
                      "Content-Type", "application/json");
    evbuffer_add_printf(evhttp_request_get_output_buffer(request), "%s\n",
                        text);
    evhttp_send_reply(request, status, NULL, NULL);
    free(text); /* jansson's */
    json_decref(body);
}

static bool asks_for_prometheus(struct evhttp_request *request)
{
    const char *query =
        evhttp_uri_get_query(evhttp_request_get_evhttp_uri(request));

    return query != NULL && strcmp(query, "format=prometheus") == 0;
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
    const struct admin *admin = arg;
    struct base_env *env = base_loop_env(admin->config.loop);
    struct base_buf page = BASE_BUF_INIT;

    if (!asks_for_prometheus(request)) {
        answer(request, 200,
               metrics_page_json(env->metrics, base_env_wall_ns(env)));
        return;
    }
    metrics_page_prometheus(env->metrics, &page);
    evhttp_add_header(evhttp_request_get_output_headers(request),
                      "Content-Type",
                      "text/plain; version=0.0.4; charset=utf-8");
    evbuffer_add(evhttp_request_get_output_buffer(request),
                 base_buf_data(&page), base_buf_len(&page));
    evhttp_send_reply(request, 200, NULL, NULL);
    base_buf_close(&page);
}

static void on_routes(struct evhttp_request *request, void *arg)
{
    answer(request, 200, routes_json(arg));
}

static void on_ready(struct evhttp_request *request, void *arg)
{
    struct admin *admin = arg;
    bool ready = admin->config.is_ready(admin->config.ctx);

    answer(request, ready ? 200 : 503, json_pack("{s:b}", "Ready", ready));
}

static void on_other(struct evhttp_request *request, void *arg)
{
    (void)arg;
    answer(request, 404,
           json_pack("{s:s}", "Error", "try /metrics, /routes or /ready"));
}

/* ---- life -----------------------------------------------------------------
 */

int admin_new(const struct admin_config *config, const struct base_addr *at,
              struct admin **out)
{
    char ip[BASE_ADDR_TEXT_MAX];
    struct admin *admin;

    BASE_NEW(admin);
    admin->config = *config;
    admin->http = evhttp_new(base_loop_event_base(config->loop));
    evhttp_set_max_body_size(admin->http, BODY_BYTES_MAX);
    evhttp_set_max_headers_size(admin->http, HEADER_BYTES_MAX);
    evhttp_set_timeout(admin->http, TIMEOUT_S);
    evhttp_set_allowed_methods(admin->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_cb(admin->http, "/metrics", on_metrics, admin);
    evhttp_set_cb(admin->http, "/v1/agent/metrics", on_metrics, admin);
    evhttp_set_cb(admin->http, "/routes", on_routes, admin);
    evhttp_set_cb(admin->http, "/ready", on_ready, admin);
    evhttp_set_gencb(admin->http, on_other, admin);
    if (evhttp_bind_socket(admin->http, base_addr_format_ip(at, ip),
                           at->port) != 0) {
        int rv = base_error_from_errno(errno);

        admin_free(admin);
        return rv;
    }
    *out = admin;
    return 0;
}

void admin_free(struct admin *admin)
{
    if (admin == NULL)
        return;
    evhttp_free(admin->http);
    base_free(admin);
}
