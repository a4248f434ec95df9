/*
 * Calls that another server must answer: our leader, or any server of another
 * datacenter. While no such server is known or reachable the call is held, at
 * most 7 s, and tried again (federation.md section 13, F12). Every method may
 * be tried twice: writes replace whole records, and federation states are
 * compared and set.
 * Threads: the main loop.
 */
#ifndef SERVER_FORWARD_H
#define SERVER_FORWARD_H

#include "rpc/server.h"

struct server;

/** Runs a call here, after all: we have become the leader. */
typedef void (*forward_again_fn)(void *arg, struct rpc_call *call);

/** Takes the call over: it ends here. A datacenter that nobody knows has no
 * path, at once. */
void forward_to_leader(struct server *server, struct rpc_call *call,
                       forward_again_fn again, void *arg);
void forward_to_datacenter(struct server *server, struct rpc_call *call,
                           const char *dc);
/** Ends all that wait. */
void forward_close(struct server *server);

/** The words that operators know for having no leader and no path. */
#define FORWARD_NO_LEADER "No cluster leader"
#define FORWARD_NO_PATH "No path to datacenter"

#endif
