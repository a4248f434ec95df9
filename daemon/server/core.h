/*
 * What an agent is at its core, a server or a client: the little that all the
 * rest of it (HTTP, local state, joins) needs to know of either. A client has
 * no WAN pool, and passes every call on to a server.
 */
#ifndef SERVER_CORE_H
#define SERVER_CORE_H

#include "base/env.h"
#include "base/net.h"
#include "rpc/secure.h"
#include "rpc/server.h"
#include "server/event_log.h"
#include "server/pool.h"

/* What one call carries of a state that is saved or restored. */
#define SERVER_STATE_PIECE_BYTES (512u << 10)

struct server;
struct client;

/** One of the two loops, as a server or a client sees it. */
struct server_loop {
    struct base_env *env;
    struct base_net *net;
    struct rpc_secure secure; /* ops NULL: no TLS */
};

/** Borrowed: good as long as what it was taken from. */
struct core {
    const char *datacenter;
    struct rpc_server *rpc;   /* every call goes in here */
    struct pool *lan;
    struct pool *wan;         /* NULL in a client */
    struct event_log *events; /* of its pools */
    struct server *server;    /* one of the two is there */
    struct client *client;
};

#endif
