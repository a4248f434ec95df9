/*
 * The parts of a server, as the files of this folder see each other. Each file
 * owns what carries its name; the rest it reads.
 */
#ifndef SERVER_INTERNAL_H
#define SERVER_INTERNAL_H

#include "fedstate/antientropy.h"
#include "rpc/listener.h"
#include "rpc/pool.h"
#include "server/birth.h"
#include "server/fsm.h"
#include "server/leader.h"
#include "server/namesakes.h"
#include "server/pool.h"
#include "server/raft_link.h"
#include "server/router.h"
#include "server/server.h"
#include "server/wan_side.h"

#define SERVER_SERVICE "consul" /* what operators know the service by */

/* An image that an operator is being lent (operate_state.c). */
struct saving {
    uint64_t id; /* 0: none */
    uint64_t index, term;
    struct base_buf image;
    struct base_timer idle;
};

/* A state that an operator restores. */
struct receiving {
    uint64_t id;     /* 0: none */
    uint64_t offset;
    uint64_t done;   /* the last one that became the state */
    struct base_timer idle;
};

struct server {
    struct server_config config; /* its strings are ours */
    struct base_env *env;        /* the main loop's */
    struct base_log log;

    struct rpc_listener *listener;
    struct rpc_dialer *dialer;
    struct rpc_pool *calls;
    struct rpc_server *rpc;
    struct forward *forwards; /* calls that wait for another server */
    struct reading *readings; /* reads that wait for a change */
    struct place_asking *askings; /* questions where nodes are */
    void *read_bindings;

    struct fsm fsm;
    struct raft_node *raft;
    struct raft_link *raft_link;
    struct rpc_call *raft_removal, *raft_transfer; /* that wait for their end */
    struct saving saving;
    struct receiving receiving;
    bool is_leader;

    struct gossip_net_transport *lan_net;
    struct pool *lan, *wan;
    struct wan_side *wan_side;

    struct fedstate_locator *locator;
    struct fedstate_picker *picker;
    struct router router;
    struct birth birth;
    struct leader leader;
    struct base_timer flood_timer;
    struct base_timer prune_timer;
    struct base_timer refresh_timer;
    struct base_timer gauges_timer;
    struct namesakes namesakes;
    bool refresh_all; /* ways changed since it ran */

    void (*changed)(void *ctx);
    void *changed_ctx;

    struct event_log events; /* of the LAN pool */
    void (*left)(void *arg, int status); /* a leave under way */
    void *left_arg;
};

/** Tells server_on_change()'s listener. */
void server_changed(struct server *server);
/** True in the datacenter that owns the federation states. */
bool server_is_primary(const struct server *server);

/** The cluster's UUID; "" until it is born or joined. */
const char *server_cluster_id(const struct server *server);

/* read.c, write.c and operate_*.c: the RPC methods. */
void read_methods(struct server *server);
/* places.c */
void place_methods(struct server *server);
/** The pools have gone: nobody comes back with an answer. */
void place_close(struct server *server);
void read_close(struct server *server);
void write_methods(struct server *server);
void operate_raft_methods(struct server *server);
void operate_state_methods(struct server *server);
/** Before Raft goes. */
void operate_state_close(struct server *server);
/** Through Raft; the call ends with the command's index, or goes to the leader
 * if we are it no longer. */
void write_propose(struct server *server, struct rpc_call *call,
                   rpc_method_fn again, enum fsm_command command,
                   const void *message);
/** True if the call went elsewhere: to another datacenter or to our leader,
 * where `again` takes it up should we have become it. */
bool write_went_elsewhere(struct server *server, struct rpc_call *call,
                          const char *dc, rpc_method_fn again);
/** The request; NULL, and the call refused, if it is malformed. */
Server__Write *write_unpack(struct rpc_call *call);
void replicate_method(struct server *server);

/** Proposes a command of the log and forgets the result; for duties that look
 * again later anyway. */
void server_propose(struct server *server, enum fsm_command command,
                    const void *message);

/* flood_join.c */
void flood_join_start(struct server *server);
void flood_join_soon(struct server *server);

/* federation_status.c: isthmus.federation.* every ten seconds. */
void federation_gauges_init(struct server *server);

/* wan_refresh.c */
void wan_refresh_init(struct server *server);
void wan_refresh_soon(struct server *server);

#endif
