/*
 * /v3/discovery: the questions of Envoy (xDS v3, REST-JSON). Who asks, where it
 * listens and its token come in the node that its bootstrap describes.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "http/web.h"
#include "xds/xds.h"

static void on_gone(void *arg)
{
    xds_cancel(arg);
}

static void on_answer(void *arg, const struct xds_answer *answer)
{
    struct web_request *request = arg;

    web_on_gone(request, NULL, NULL);
    switch (answer->outcome) {
    case XDS_RESOURCES:
        web_reply_bytes(request, "application/json", answer->body, answer->len);
        break;
    case XDS_UNCHANGED:
        web_reply_text(request, 304, "%s", "");
        break;
    case XDS_UNKNOWN:
        web_reply_text(request, 404,
                       "node.id: no mesh gateway with that service id is "
                       "registered with this agent");
        break;
    case XDS_FAILED:
        web_reply_failure(request, answer->status, answer->text);
        break;
    }
}

static void read_listen(struct json_reader *reader, const json_t *metadata,
                        struct xds_request *wanted)
{
    size_t count, i;
    char **texts =
        json_read_texts(reader, metadata, "node.metadata.", "bind", &count);

    if (count > XDS_LISTENERS_MAX) {
        json_reader_fail(reader, "node.metadata.bind: at most %d addresses",
                         XDS_LISTENERS_MAX);
        return;
    }
    for (i = 0; i < count; i++)
        if (base_addr_parse(&wanted->listen[i], texts[i], 0) != 0 ||
            wanted->listen[i].port == 0)
            json_reader_fail(reader,
                             "node.metadata.bind: \"%s\" is not ip:port",
                             texts[i]);
}

/* Texts are borrowed from the JSON and the reader. */
static void read_request(struct web_request *request,
                         struct json_reader *reader, const json_t *json,
                         struct xds_request *wanted)
{
    const json_t *node = json_read_object(reader, json, "", "node");
    const json_t *metadata =
        json_read_object(reader, node, "node.", "metadata");

    wanted->version = json_read_text(reader, json, "", "version_info");
    wanted->names = json_read_texts(reader, json, "", "resource_names",
                                    &wanted->name_count);
    wanted->node_id = json_read_text(reader, node, "node.", "id");
    if (*wanted->node_id == '\0')
        json_reader_fail(reader, "node.id: wanted the id of the service that "
                                 "is the gateway");
    if (!web_body_token(request, json_read_text(reader, metadata,
                                                "node.metadata.", "token")))
        json_reader_fail(reader, "node.metadata.token: malformed");
    read_listen(reader, metadata, wanted);
}

static void ask(struct web_request *request, struct xds_request *wanted)
{
    struct xds_wait *wait;
    int rv;

    if (!web_may(request, ACL_SERVICE, ACL_READ))
        return;
    wanted->token = request->token;
    rv = xds_ask(request->agent->xds, wanted, on_answer, request, &wait);
    if (rv == 0) {
        web_on_gone(request, on_gone, wait);
        web_count_wait(request);
    } else if (rv == BASE_EINVAL) {
        web_reply_text(request, 400, "version_info: none of ours");
    } else {
        web_reply_text(request, 503, "too many gateways ask at once");
    }
}

static void discover(struct web_request *request, enum xds_type type)
{
    struct xds_request wanted = {.type = type};
    struct json_reader reader = {0};
    json_t *json = web_body(request, &reader);

    if (json)
        read_request(request, &reader, json, &wanted);
    if (reader.why)
        web_refuse_body(request, &reader);
    else
        ask(request, &wanted);
    json_decref(json);
    json_reader_close(&reader);
}

void discovery_clusters(struct web_request *request)
{
    discover(request, XDS_CLUSTERS);
}

void discovery_endpoints(struct web_request *request)
{
    discover(request, XDS_ENDPOINTS);
}

void discovery_listeners(struct web_request *request)
{
    discover(request, XDS_LISTENERS);
}
