/*
 * Servers that died and will not come back would count in every quorum until
 * the pool forgets them, days later. The leader makes one leave that it has
 * seen failed at two looks, a minute apart, as long as the dead are less than
 * half of all, rounded down: so a cluster of three keeps its dead, until a
 * fourth has come to take the place; and what is left is a quorum before and
 * after.
 * Threads: the main loop.
 */
#ifndef SERVER_DEAD_SERVERS_H
#define SERVER_DEAD_SERVERS_H

#include "raft/types.h"

struct server;

struct dead_servers {
    char seen[RAFT_SERVERS_MAX][RAFT_ID_MAX]; /* failed at the last look */
    size_t count;
};

/** A look of the leader's; a new leader begins with an empty struct. */
void dead_servers_look(struct server *server);

#endif
