/*
 * /v1/event: user events of the agent's pools. They are serf's: a name and bytes that
 * every member hears once. Consul's filters would need each agent to know what
 * runs beside it, and are refused rather than ignored.
 */
#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "gossip/error.h"
#include "http/internal.h"
#include "http/json_base64.h"
#include "http/json_put.h"

#define EVENT_VERSION 1
#define WAIT_DEFAULT_MS 300000u

static json_t *event_json(const char *id, const char *name, const void *payload,
                          size_t len, uint64_t ltime)
{
    json_t *object = json_object();

    json_put_text(object, "ID", id);
    json_put_text(object, "Name", name);
    json_put(object, "Payload", json_base64(payload, len));
    json_put_text(object, "NodeFilter", "");
    json_put_text(object, "ServiceFilter", "");
    json_put_text(object, "TagFilter", "");
    json_put_uint(object, "Version", EVENT_VERSION);
    json_put_uint(object, "LTime", ltime);
    return object;
}

/* ---- fire ----------------------------------------------------------------- */

static void on_fired(void *arg, int status, uint64_t ltime)
{
    struct web_request *request = web_ticket_end(arg);
    char id[UUID_TEXT];
    const void *body;
    size_t len;

    if (request == NULL)
        return;
    if (status != 0) {
        web_reply_text(request, status == GOSSIP_ETOOBIG ? 413 : 500,
                       "cannot fire the event %s: %s", request->name,
                       gossip_strerror(status));
        return;
    }
    body = web_body_bytes(request, &len);
    event_id(request->name, body, len, ltime, id);
    web_reply_json(request, event_json(id, request->name, body, len, ltime));
}

static bool has_filter(struct web_request *request)
{
    static const char *const filters[] = {"node", "service", "tag"};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(filters); i++) {
        const char *value = web_param(&request->params, filters[i]);

        if (value == NULL || *value == '\0')
            continue;
        web_reply_text(request, 400,
                       "%s: events go to every member, filters are not "
                       "supported",
                       filters[i]);
        return true;
    }
    return false;
}

void event_fire(struct web_request *request)
{
    struct web_ticket *ticket;
    struct pool *pool;
    const void *body;
    size_t len;
    bool wan;
    int rv;

    if (has_filter(request) || !web_own_dc(request) ||
        !web_bool(request, "wan", &wan) ||
        (pool = web_pool(request, wan)) == NULL)
        return;
    body = web_body_bytes(request, &len);
    ticket = web_ticket_new(request);
    rv = pool_user_event(pool, request->name, body, len, on_fired, ticket);
    if (rv != 0)
        on_fired(ticket, rv, 0);
}

/* ---- list ----------------------------------------------------------------- */

/* A request that waits for the next event. */
struct event_wait {
    LIST_ENTRY(event_wait) link;
    struct web_request *request;
    struct base_timer timer;
};

static void show(struct web_request *request)
{
    const struct event_log *log = request->agent->core.events;
    const char *name = web_param(&request->params, "name");
    json_t *list = json_array();
    char index[24];
    size_t i;

    for (i = 0; i < event_log_count(log); i++) {
        const struct event_entry *entry = event_log_at(log, i);

        if (name == NULL || *name == '\0' || strcmp(name, entry->name) == 0)
            json_array_append_new(
                list, event_json(entry->id, entry->name, entry->payload,
                                 entry->payload_len, entry->ltime));
    }
    snprintf(index, sizeof(index), "%" PRIu64, log->seen + 1);
    web_put_header(request, "X-Consul-Index", index);
    web_reply_json(request, list);
}

static void on_gone(void *arg)
{
    struct event_wait *wait = arg;

    base_timer_stop(&wait->timer);
    LIST_REMOVE(wait, link);
    base_free(wait);
}

static void wake(void *arg)
{
    struct event_wait *wait = arg;
    struct web_request *request = wait->request;

    web_on_gone(request, NULL, NULL);
    on_gone(wait);
    show(request);
}

void event_heard(void *ctx)
{
    struct http *http = ctx;

    while (!LIST_EMPTY(&http->event_waits))
        wake(LIST_FIRST(&http->event_waits));
}

void event_list(struct web_request *request)
{
    const struct event_log *log = request->agent->core.events;
    struct event_wait *wait;

    if (!web_own_dc(request))
        return;
    /* Any other index is of an earlier life of this agent. */
    if (request->options.index == 0 ||
        request->options.index != log->seen + 1) {
        show(request);
        return;
    }
    web_count_wait(request);
    BASE_NEW(wait);
    wait->request = request;
    LIST_INSERT_HEAD(&request->http->event_waits, wait, link);
    base_timer_init(&wait->timer, request->http->env, "event-list", wake, wait);
    base_timer_start_ms(&wait->timer, request->options.wait_ms
                                          ? request->options.wait_ms
                                          : WAIT_DEFAULT_MS);
    web_on_gone(request, on_gone, wait);
}
