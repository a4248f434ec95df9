/*
 * What a leader does besides leading, from the moment that everything of
 * earlier terms is applied until it loses the lead: keeps the
 * catalog and Raft's configuration true to the LAN pool, and replicates
 * federation states from the primary and its own gateways to it.
 * Threads: the main loop.
 */
#ifndef SERVER_LEADER_H
#define SERVER_LEADER_H

#include "fedstate/antientropy.h"
#include "fedstate/replicator.h"
#include "gossip/serf.h"
#include "server/dead_servers.h"
#include "server/member.h"
#include "server/primary_link.h"

struct server;

struct leader {
    bool active;       /* duties have begun */
    uint64_t generation;
    struct base_timer reconcile_timer;
    struct fedstate_replicator *replicator;   /* secondaries */
    struct fedstate_antientropy *antientropy;
    bool round_failed; /* the last one of replication */
    struct base_log_limit log_limit;
    struct primary_link link;
    struct dead_servers dead;
};

void leader_init(struct server *server);
void leader_close(struct server *server);
/** Raft's role changed. */
void leader_won(struct server *server);
void leader_lost(struct server *server);
/** A LAN member changed. */
void leader_member(struct server *server, enum gossip_event_kind kind,
                   const struct member *member);
/** A way to the primary may have come back: backoffs are cut short. */
void leader_path_news(struct server *server);
/** A server came, went or was upgraded: all may know federation states now. */
void leader_support_news(struct server *server);
/** The catalog moved. */
void leader_catalog_changed(struct server *server);

/* reconcile.c: one member into the catalog and Raft's configuration. */
void reconcile_member(struct server *server, const struct member *member);
void reconcile_gone(struct server *server, const struct member *member);
/** The catalog's nodes that no member stands for. */
void reconcile_catalog(struct server *server);

#endif
