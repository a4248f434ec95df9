/*
 * What a call's token must grant, decided by the server that carries the call
 * out and by no other on its way: its configuration holds.
 * Threads: the main loop.
 */
#ifndef SERVER_ACCESS_H
#define SERVER_ACCESS_H

#include "acl/acl.h"
#include "daemon/server.pb-c.h"
#include "rpc/server.h"

struct server;

/* Each: true, or the call was refused with RPC_EDENIED and counted. */

bool access_allows(struct server *server, struct rpc_call *call,
                   enum acl_resource resource, enum acl_access access);
/** Services and their checks need service:write; a node that is new or would
 * change, and its own checks, node:write. */
bool access_register(struct server *server, struct rpc_call *call,
                     const Server__Register *change);
/** A service needs service:write, all else node:write. */
bool access_deregister(struct server *server, struct rpc_call *call,
                       const Server__Deregister *change);

#endif
