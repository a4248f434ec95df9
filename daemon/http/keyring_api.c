/*
 * /v1/operator/keyring: the gossip keys of the WAN pool and of this
 * datacenter's LAN pool, one after the other. Keys are in answers and bodies,
 * never in a log.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "gossip/error.h"
#include "http/json_put.h"
#include "http/web.h"

#define RELAY_FACTOR_MAX 5u

struct keyring_call {
    struct web_ticket *ticket;
    const struct core *core;
    enum gossip_key_operation operation;
    char *key; /* NULL for a list */
    uint8_t relay_factor;
    bool wan;            /* the pool that is asked now */
    json_t *list;        /* one object a pool */
    struct base_buf why; /* what went wrong, "" if nothing */
};

static json_t *counts_json(const struct gossip_key_count *counts, size_t count)
{
    json_t *object = json_object();
    size_t i;

    for (i = 0; i < count; i++)
        json_put_uint(object, counts[i].key, counts[i].nodes);
    return object;
}

static json_t *messages_json(const struct gossip_key_result *result)
{
    json_t *object = json_object();
    size_t i;

    for (i = 0; i < result->message_count; i++)
        if (result->messages[i].text[0] != '\0')
            json_put_text(object, result->messages[i].node,
                          result->messages[i].text);
    return object;
}

static void add_pool(struct keyring_call *call,
                     const struct gossip_key_result *result)
{
    json_t *object = json_object();

    json_put_bool(object, "WAN", call->wan);
    json_put_text(object, "Datacenter", call->core->datacenter);
    json_put_text(object, "Segment", "");
    json_put(object, "Messages", messages_json(result));
    json_put(object, "Keys", counts_json(result->keys, result->key_count));
    json_put(object, "PrimaryKeys",
             counts_json(result->primaries, result->primary_count));
    json_put_uint(object, "NumNodes", result->node_count);
    json_array_append_new(call->list, object);
}

static void complain(struct keyring_call *call, int status,
                     const struct gossip_key_result *result)
{
    size_t i;

    base_buf_printf(&call->why, "%s%s pool: ",
                    base_buf_len(&call->why) > 0 ? "; " : "",
                    call->wan ? "WAN" : "LAN");
    if (result == NULL) {
        base_buf_printf(&call->why, "%s", gossip_strerror(status));
        return;
    }
    base_buf_printf(&call->why, "%zu of %zu nodes answered, %zu said no",
                    result->response_count, result->node_count,
                    result->error_count);
    for (i = 0; i < result->message_count; i++)
        if (result->messages[i].failed)
            base_buf_printf(&call->why, ", %s: %s", result->messages[i].node,
                            result->messages[i].text);
}

static void finish(struct keyring_call *call)
{
    struct web_request *request = web_ticket_end(call->ticket);
    bool failed = base_buf_len(&call->why) > 0;
    char *why = base_buf_take_string(&call->why);

    if (request == NULL)
        json_decref(call->list);
    else if (call->operation == GOSSIP_KEY_LIST && json_array_size(call->list))
        web_reply_json(request, call->list);
    else {
        json_decref(call->list);
        if (failed)
            web_reply_text(request, 500, "keyring: %s", why);
        else
            web_reply_done(request);
    }
    base_free(why);
    if (call->key)
        base_free_secret(call->key, strlen(call->key));
    base_buf_close(&call->why);
    base_free(call);
}

static void run(struct keyring_call *call);

/* True if a list is worth showing: some node has keys. */
static bool has_keys(const struct keyring_call *call,
                     const struct gossip_key_result *result)
{
    return call->operation == GOSSIP_KEY_LIST && result && result->key_count > 0;
}

static void on_keys(void *arg, int status,
                    const struct gossip_key_result *result)
{
    struct keyring_call *call = arg;

    if (has_keys(call, result))
        add_pool(call, result);
    else if (status != 0)
        complain(call, status, result);
    if (!call->wan) {
        finish(call);
        return;
    }
    call->wan = false;
    run(call);
}

static void run(struct keyring_call *call)
{
    int rv = pool_key(call->wan ? call->core->wan : call->core->lan,
                      call->operation, call->key, call->relay_factor, on_keys,
                      call);

    if (rv != 0)
        on_keys(call, rv, NULL);
}

/* ---- requests ------------------------------------------------------------- */

static bool take_relay(struct web_request *request, uint8_t *out)
{
    const char *text = web_param(&request->params, "relay-factor");

    *out = 0;
    if (text == NULL || *text == '\0')
        return true;
    if (text[1] == '\0' && text[0] >= '0' &&
        text[0] <= '0' + (char)RELAY_FACTOR_MAX) {
        *out = (uint8_t)(text[0] - '0');
        return true;
    }
    web_reply_text(request, 400, "relay-factor: wanted 0 to %u",
                   RELAY_FACTOR_MAX);
    return false;
}

static void start(struct web_request *request,
                  enum gossip_key_operation operation, const char *key,
                  bool wan)
{
    struct keyring_call *call;
    uint8_t relay_factor;

    if (!take_relay(request, &relay_factor))
        return;
    BASE_NEW(call);
    call->ticket = web_ticket_new(request);
    call->core = &request->agent->core;
    call->operation = operation;
    call->key = key ? base_strdup(key) : NULL;
    call->relay_factor = relay_factor;
    call->wan = wan && call->core->wan; /* a client has the LAN alone */
    call->list = json_array();
    run(call);
}

void keyring_list(struct web_request *request)
{
    bool local_only;

    if (web_bool(request, "local-only", &local_only) && web_own_dc(request))
        start(request, GOSSIP_KEY_LIST, NULL, !local_only);
}

static void with_key(struct web_request *request,
                     enum gossip_key_operation operation)
{
    struct json_reader reader = {0};
    struct gossip_key parsed;
    const char *key = "";
    json_t *json = web_body(request, &reader);

    if (json)
        key = json_read_text(&reader, json, "", "Key");
    if (reader.why == NULL && gossip_key_parse(&parsed, key) != 0)
        json_reader_fail(&reader,
                         "Key: wanted base64 of 16, 24 or 32 bytes");
    explicit_bzero(&parsed, sizeof(parsed));
    if (reader.why)
        web_refuse_body(request, &reader);
    else
        start(request, operation, key, true);
    json_decref(json);
    json_reader_close(&reader);
}

void keyring_install(struct web_request *request)
{
    with_key(request, GOSSIP_KEY_INSTALL);
}

void keyring_use(struct web_request *request)
{
    with_key(request, GOSSIP_KEY_USE);
}

void keyring_remove(struct web_request *request)
{
    with_key(request, GOSSIP_KEY_REMOVE);
}
