/*
 * Notices a second datacenter with our name: its servers come into the WAN pool
 * under it, but our LAN pool knows nobody with their names and ids. Nothing is
 * refused for it, since a server whose LAN is cut off from ours looks the same;
 * an operator is told. (Two servers of one full name are serf's to notice: a
 * name conflict.)
 * Threads: the main loop.
 */
#ifndef SERVER_NAMESAKES_H
#define SERVER_NAMESAKES_H

#include <stdbool.h>
#include <stddef.h>

struct server;

struct namesakes {
    size_t count;   /* at the last look */
    unsigned looks; /* in a row that found some */
};

/** The servers of our datacenter's name that live in the WAN pool and that the
 * LAN pool does not know; *first (borrowed until the loop runs) is one. */
size_t namesakes_count(const struct server *server, const char **first);
/** Every ten seconds: warns, and sets isthmus.federation.namesakes, once they
 * were there four times in a row. */
void namesakes_look(struct server *server);

#endif
