/*
 * What operators do with a server's pools: events, queries, keys, coordinates,
 * members that are made to leave.
 */
#include "server/internal.h"

static struct pool *pool_of(struct server *server, bool wan)
{
    return wan ? server->wan : server->lan;
}

void operate_event(void *ctx, const struct gossip_event *event)
{
    struct server *server = ctx;

    base_log(&server->log, BASE_LOG_INFO, "user event",
             kv_str("name", event->name), kv_uint("ltime", event->ltime),
             kv_uint("bytes", event->payload_len));
    event_log_add(&server->events, event);
    if (server->heard)
        server->heard(server->heard_ctx);
}

int server_force_leave(struct server *server, bool wan, const char *name,
                       bool prune, void (*done)(void *arg, int status),
                       void *arg)
{
    return pool_force_leave(pool_of(server, wan), name, prune, done, arg);
}

int server_user_event(struct server *server, const char *name,
                      const void *payload, size_t len, pool_event_fn done,
                      void *arg)
{
    return pool_user_event(server->lan, name, payload, len, done, arg);
}

const struct event_log *server_events(const struct server *server)
{
    return &server->events;
}

void server_on_event(struct server *server, void (*heard)(void *ctx), void *ctx)
{
    server->heard = heard;
    server->heard_ctx = ctx;
}

int server_coordinates(struct server *server, bool wan,
                       pool_coordinates_fn done, void *arg)
{
    return pool_coordinates(pool_of(server, wan), done, arg);
}

int server_key(struct server *server, bool wan,
               enum gossip_key_operation operation, const char *key,
               uint8_t relay_factor, pool_key_fn done, void *arg)
{
    return pool_key(pool_of(server, wan), operation, key, relay_factor, done,
                    arg);
}

int server_query(struct server *server, bool wan, const char *name,
                 const void *payload, size_t len,
                 const struct gossip_query_params *params,
                 const struct pool_query_events *events, void *arg,
                 struct pool_query **out)
{
    return pool_query(pool_of(server, wan), name, payload, len, params, events,
                      arg, out);
}
