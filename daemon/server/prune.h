/* States of datacenters that are no more, deleted by the primary's leader. */
#ifndef SERVER_PRUNE_H
#define SERVER_PRUNE_H

struct server;

void prune_init(struct server *server);
/** The lead was won; nothing happens in a secondary. */
void prune_start(struct server *server);
void prune_stop(struct server *server);

#endif
