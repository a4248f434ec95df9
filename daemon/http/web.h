/*
 * A request of the HTTP API, as the files of this folder see it. It is alive
 * until it is answered or its client goes away, whichever comes first; answers
 * that come from elsewhere find it by a ticket, which outlives it.
 * Threads: the main loop.
 */
#ifndef HTTP_WEB_H
#define HTTP_WEB_H

#include <jansson.h>

#include "http/http.h"
#include "http/json_read.h"
#include "http/web_params.h"
#include "http/web_router.h"
#include "rpc/server.h"

struct evhttp_request;
struct http_conn;

#define WEB_BODY_BYTES_MAX (512u * 1024u) /* as Consul; of a snapshot:
                                             limits.snapshot_bytes_max */
#define WEB_STREAM_BYTES_MAX (1024u * 1024u) /* that a client has not read */

typedef void (*web_query_fn)(struct web_request *request,
                             const Server__QueryReply *reply);
typedef void (*web_write_fn)(struct web_request *request);

struct web_request {
    struct http *http;
    const struct http_config *agent;
    struct http_conn *conn;
    struct evhttp_request *raw;
    const struct web_route *route;
    char *name; /* of the path; "" if it takes none */
    char *token;
    struct web_params params;
    struct web_options options;
    struct near *near; /* an answer that is being sorted */
    struct web_filter *filter; /* see web_filters(); NULL: none */
    uint64_t began_ns;

    struct rpc_pending *pending; /* an RPC under way */
    struct cache_read *read;     /* or a read of the cache */
    web_query_fn on_query;
    web_write_fn on_write;
    uint64_t restore_id; /* that the last write was answered with */
    bool waits; /* a blocking query: counted */
    struct web_ticket *ticket;
    bool streams;            /* web_stream_begin() was called */
    void (*gone)(void *arg); /* see web_on_gone() */
    void *gone_arg;
};

/** The whole API. */
const struct web_route *web_routes(size_t *count);

/** Takes a request in and answers it, now or later. */
void web_request_start(struct http *http, struct http_conn *conn,
                       struct evhttp_request *raw);
/** Its client is gone: what it waits for is called off; no answer. */
void web_request_drop(struct web_request *request);

/* ---- answers: each ends the request --------------------------------------- */

/** 200; body is given. */
void web_reply_json(struct web_request *request, json_t *body);
/** 200 and no body. */
void web_reply_done(struct web_request *request);
void web_reply_text(struct web_request *request, int status,
                    const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** 200 and len bytes of that type. */
void web_reply_bytes(struct web_request *request, const char *type,
                     const void *data, size_t len);
/** The status and words for how an RPC ended. */
void web_reply_failure(struct web_request *request, int code,
                       const char *text);
/** Before web_reply_json(): X-Consul-Index and its companions. */
void web_put_meta(struct web_request *request, const Server__QueryReply *reply);
void web_put_header(struct web_request *request, const char *key,
                    const char *value);

/* ---- answers that go on --------------------------------------------------- */

/** Status 200; from here on only web_stream_...() for this request. */
void web_stream_begin(struct web_request *request, const char *type);
/** False, and nothing is sent, if the client is WEB_STREAM_BYTES_MAX behind. */
bool web_stream_write(struct web_request *request, const void *data,
                      size_t len);
/** A line; it is given. */
bool web_stream_json(struct web_request *request, json_t *line);
/** Ends the request. */
void web_stream_end(struct web_request *request);
/** Calls gone(arg) if the request ends before its handler says so. NULL takes
 * it back. */
void web_on_gone(struct web_request *request, void (*gone)(void *arg),
                 void *arg);

/* ---- what it says --------------------------------------------------------- */

/** A parameter that is true or false; false (and answered 400) if it is
 * neither. */
bool web_bool(struct web_request *request, const char *key, bool *out);
/** The body as a JSON object, the caller's; NULL if the reader complains. */
json_t *web_body(struct web_request *request, struct json_reader *reader);
/** The body as it came, borrowed. */
const void *web_body_bytes(struct web_request *request, size_t *len);
/** False (and answered 400) if it asks for another datacenter. */
bool web_own_dc(struct web_request *request);
/** NULL (and answered 400) for the WAN pool of a client. */
struct pool *web_pool(struct web_request *request, bool wan);
/** It is a blocking query: counted while it lasts. */
void web_count_wait(struct web_request *request);
/** A token that came in the body counts if none came with the request. False
 * for a malformed one. */
bool web_body_token(struct web_request *request, const char *token);
/** False (and answered 403) if its token does not allow it. */
bool web_may(struct web_request *request, enum acl_resource resource,
             enum acl_access access);
/** Answers 400 with the reader's complaint. */
void web_refuse_body(struct web_request *request, struct json_reader *reader);

/** tag and node-meta, each as often as it is given, into the query; their
 * memory is the request's. False (and answered 400) for a node-meta that is no
 * key:value. */
bool web_filters(struct web_request *request, Server__Query *query);

/* ---- RPCs in this process ------------------------------------------------- */

/** The request's own dc, index, wait and mode go into the query, and the
 * answer's meta into the headers. A failure is answered here. */
void web_query(struct web_request *request, const char *method,
               Server__Query *query, web_query_fn done);
void web_write(struct web_request *request, const char *method,
               const Server__Write *write, web_write_fn done);

/** With ?cached: true if the cache reads it; on_query comes as from an RPC. */
bool web_cached(struct web_request *request, const char *method,
                const Server__Query *query);

/* ---- answers that cannot be called off ------------------------------------ */

/** At most one a request. */
struct web_ticket *web_ticket_new(struct web_request *request);
/** Gives the ticket back; NULL if its request is gone. */
struct web_request *web_ticket_end(struct web_ticket *ticket);

/* ---- the families: see docs/http-api.md ----------------------------------- */

void status_leader(struct web_request *request);
void status_peers(struct web_request *request);
void agent_self(struct web_request *request);
void agent_members(struct web_request *request);
void agent_join(struct web_request *request);
void agent_leave(struct web_request *request);
void agent_force_leave(struct web_request *request);
void agent_reload(struct web_request *request);
void agent_metrics(struct web_request *request);
void agent_monitor(struct web_request *request);
void agent_query(struct web_request *request);
void agent_services(struct web_request *request);
void agent_checks(struct web_request *request);
void agent_service_register(struct web_request *request);
void agent_service_deregister(struct web_request *request);
void agent_check_pass(struct web_request *request);
void agent_check_warn(struct web_request *request);
void agent_check_fail(struct web_request *request);
void agent_check_update(struct web_request *request);
void agent_check_register(struct web_request *request);
void agent_check_deregister(struct web_request *request);
void agent_maintenance(struct web_request *request);
void agent_service_maintenance(struct web_request *request);
void catalog_list_datacenters(struct web_request *request);
void catalog_list_nodes(struct web_request *request);
void catalog_list_services(struct web_request *request);
void catalog_show_service(struct web_request *request);
void catalog_show_node(struct web_request *request);
void catalog_put(struct web_request *request);
void catalog_remove(struct web_request *request);
void coordinate_datacenters(struct web_request *request);
void coordinate_node(struct web_request *request);
void coordinate_nodes(struct web_request *request);
void event_fire(struct web_request *request);
void event_list(struct web_request *request);
void keyring_list(struct web_request *request);
void keyring_install(struct web_request *request);
void keyring_use(struct web_request *request);
void keyring_remove(struct web_request *request);
void raft_configuration(struct web_request *request);
void snapshot_get(struct web_request *request);
void snapshot_put(struct web_request *request);
void raft_remove_peer(struct web_request *request);
void raft_transfer_leader(struct web_request *request);
void health_service(struct web_request *request);
void health_node(struct web_request *request);
void health_checks(struct web_request *request);
void health_state(struct web_request *request);
void federation_list(struct web_request *request);
void federation_gateways(struct web_request *request);
void federation_get(struct web_request *request);
void federation_declare(struct web_request *request);
void federation_delete(struct web_request *request);
void federation_status(struct web_request *request);
void discovery_clusters(struct web_request *request);
void discovery_endpoints(struct web_request *request);
void discovery_listeners(struct web_request *request);

#endif
