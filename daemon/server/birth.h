/*
 * How a cluster is born with bootstrap_expect: N (federation.md section 10).
 * The server with the lowest id of the N that see each other writes a list; a
 * server accepts one list ever, durably and only with empty storage; whoever
 * holds an accepted list asks the others whether they hold the same, and once
 * all N do (or one says that the cluster lives) gives it to Raft. Two lists can
 * never both be held by all their servers, so no partition makes two clusters.
 * Threads: the main loop.
 */
#ifndef SERVER_BIRTH_H
#define SERVER_BIRTH_H

#include "base/env.h"
#include "daemon/server.pb-c.h"
#include "raft/types.h"

struct server;

struct birth {
    struct base_timer timer;
    Server__Birth *accepted; /* NULL: none yet */
    struct acceptance *acceptance; /* on its way to the disk */
    bool over;               /* Raft has a configuration */
    uint32_t round;
    uint32_t confirmed;      /* bits by place in the list, this round */
    struct birth_asking *asking;
    struct base_log_limit log_limit;
};

/** Loads what was accepted before and registers the method; 0 or an error
 * whose sentence is in *why. */
int birth_init(struct server *server, char **why);
/** Looks soon: Raft is ready, or members changed. */
void birth_soon(struct server *server);
void birth_close(struct server *server);

#endif
