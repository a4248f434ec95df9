/*
 * Calls that a client passes on. Each is held until a server has answered it:
 * when the one that has it dies, or none can be reached, it is tried again for
 * at most 7 s (federation.md section 13, F12), elsewhere if there is an
 * elsewhere. Every method may be tried twice (server/forward.h).
 * Threads: the main loop.
 */
#ifndef CLIENT_PASSING_H
#define CLIENT_PASSING_H

#include "client/servers.h"
#include "rpc/pool.h"

struct passing;

#define PASSING_NO_SERVERS "No known Consul servers"

struct passing_config {
    struct base_env *env;
    struct rpc_server *rpc;  /* gets the method that takes every call */
    struct rpc_pool *calls;
    struct servers *servers;
    const char *datacenter;
};

struct passing *passing_new(const struct passing_config *config);
/** Ends all that wait. */
void passing_free(struct passing *passing);
/** That server is dead: what it has goes to another one now. */
void passing_lost(struct passing *passing, const char *id);

#endif
