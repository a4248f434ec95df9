/*
 * The callbacks that server_new() wires; ctx is the server.
 * Threads: the main loop.
 */
#ifndef SERVER_HEAR_H
#define SERVER_HEAR_H

#include "fedstate/locator.h"
#include "raft/node.h"
#include "server/pool.h"

/* Raft: its role, its end, a peer's message, and where a peer is by the LAN
 * pool (raft_link_config.locate). */
void hear_raft_state(void *ctx, enum raft_role role, raft_term term,
                     const char *leader_id);
void hear_raft_fatal(void *ctx, int err, const char *why);
void hear_raft_message(void *ctx, const void *data, size_t len);
bool hear_locate(void *ctx, const char *id, char out[RAFT_ADDRESS_MAX]);

/* The pools: a member came, changed or went. */
void hear_lan_member(void *ctx, enum gossip_event_kind kind,
                     const struct member *member);
void hear_wan_member(void *ctx, enum gossip_event_kind kind,
                     const struct member *member);
/* Gossip loop. */
void hear_wan_arrival(void *ctx, const char *name);
void hear_user_event(void *ctx, const struct gossip_event *event);

/* The locator: other routes; the primary's gateways are known. */
void hear_routes(void *ctx, const struct fedstate_routes *routes);
void hear_primary_ready(void *ctx);

#endif
