/*
 * Which server of a datacenter to ask: from the members of both pools, at
 * random, leaving out those that failed a moment ago while others are left.
 * Threads: the main loop.
 */
#ifndef SERVER_ROUTER_H
#define SERVER_ROUTER_H

#include "rpc/dialer.h"
#include "server/member.h"

struct server;

#define ROUTER_FAILURES_MAX 64u

struct router {
    struct {
        char dc[64];
        char node[64];
        uint64_t until_ms;
    } failures[ROUTER_FAILURES_MAX]; /* a ring: the oldest is forgotten */
    size_t next;
};

/** A server to ask; fill an rpc_target with router_target(). */
struct router_choice {
    char dc[64];
    char node[64];
    struct base_addr addr;
};
struct rpc_target router_target(const struct router_choice *choice);

/** One that is alive; of another datacenter where none seems alive, one that
 * failed: gossip needs both ways, a call only one. False if there is none. */
bool router_pick(struct server *server, const char *dc,
                 struct router_choice *out);
/** True if that datacenter is the primary, has a federation state, or has a
 * server in the WAN pool, dead or alive. */
bool router_knows(const struct server *server, const char *dc);
/** The leader of our own datacenter; false if none is known or we lead. */
bool router_leader(struct server *server, struct router_choice *out);
void router_failed(struct server *server, const struct router_choice *choice);
/** Calls each(arg, dc) once a known datacenter, ours included, sorted. */
void router_datacenters(struct server *server,
                        void (*each)(void *arg, const char *dc), void *arg);

#endif
