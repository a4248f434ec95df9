/*
 * libfedstate's two upward needs, by RPC: the primary datacenter wherever it
 * is, and our own Raft.
 * Threads: the main loop.
 */
#ifndef SERVER_PRIMARY_LINK_H
#define SERVER_PRIMARY_LINK_H

#include "fedstate/primary.h"

struct server;
struct fedstate_call;

struct primary_link {
    struct server *server;
    struct fedstate_call *calls; /* under way */
};

void primary_link_init(struct primary_link *link, struct server *server);
/** Cancels what is under way. */
void primary_link_close(struct primary_link *link);
/** A List that waits is asked again: else it stays for minutes on a connection
 * by the old way, and for long if that way is a void by now. */
void primary_link_renew(struct primary_link *link);
struct fedstate_primary primary_link_primary(struct primary_link *link);
struct fedstate_local primary_link_local(struct primary_link *link);

#endif
