/*
 * A server of Isthmus: one Raft peer, one member of the LAN pool and one of the
 * WAN pool, the catalog and the federation states, and the RPCs on them. It is
 * built from two envs, two nets, a storage and what makes streams secret, so
 * that the same composition runs in the daemon and in the simulator.
 *
 * Threads: everything here belongs to the main loop; gossip runs on the other
 *          and is reached by base_env_post() alone. server_new() and
 *          server_free() are called while neither loop runs.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "fedstate/locator.h"
#include "fedstate/replicator.h"
#include "gossip/keyring.h"
#include "gossip/memberlist.h"
#include "raft/node.h"
#include "server/core.h"

struct server;

/** The address of WAN join placeholders, "*.<dc>/192.0.2.2": TEST-NET-1, never
 * dialled (federation.md section 2). */
#define SERVER_WAN_PLACEHOLDER "192.0.2.2"

/** Small named blobs that outlive a crash: the accepted birth list. */
struct server_stable_ops {
    uint32_t version; /* 1 */
    /** Appends the blob to out; BASE_ENOTFOUND if there is none. Waits for the
     * disk: start-up only. */
    int (*load)(void *ctx, const char *name, struct base_buf *out);
    /** done(0) once it is durable. data is borrowed for the call. */
    int (*save)(void *ctx, const char *name, const void *data, size_t len,
                void (*done)(void *arg, int status), void *arg);
};
struct server_stable {
    const struct server_stable_ops *ops;
    void *ctx;
};

/** Strings are copied; keyring, storage (given) and what the loops name
 * outlive the server. */
struct server_config {
    struct server_loop main;
    struct server_loop gossip;
    struct raft_storage *storage;
    struct server_stable stable;
    const char *node;
    const char *node_id;
    const char *datacenter;
    const char *primary_datacenter;
    const char *domain;
    const char *build;              /* our version, for the serf tag */
    struct base_addr bind_ip;       /* port 0; where sockets are bound */
    struct base_addr advertise_ip;  /* what the LAN is told */
    struct base_addr advertise_wan_ip;
    uint16_t server_port, serf_lan_port, serf_wan_port;
    uint32_t bootstrap_expect;      /* 0: joins what is there */
    struct gossip_keyring *lan_keyring; /* NULL: plain */
    struct gossip_keyring *wan_keyring;
    struct gossip_params lan_params, wan_params;
    /** Files of the pools: serf's snapshots, and where key operations of the
     * pool are kept. NULL: none. */
    const char *lan_snapshot, *wan_snapshot;
    const char *lan_keyring_path, *wan_keyring_path;
    bool federation;                /* through mesh gateways */
    bool verify_incoming, verify_server_hostname;
    bool disable_primary_fallback, wan_allow_foreign;
    bool rejoin_after_leave;
    const struct acl *acl; /* NULL: everybody may do everything */
    /** Shown to the primary datacenter; borrowed like acl; NULL: none. */
    const char *replication_token;
    uint32_t raft_multiplier;       /* stretches Raft's timing; 0: 1 */
    uint32_t raft_lease_drift_ppm;  /* raft/node.h; 0: no leases */
    uint32_t handshake_timeout_ms;  /* of the server port; 0: its defaults, */
    uint32_t handshakes_max;        /* rpc/listener.h */
    uint32_t connections_per_name;

    /** The fallback discovery may end: replicated gateways are known. */
    void (*on_primary_ready)(void *ctx);
    /** This server has stopped for good. */
    void (*on_fatal)(void *ctx, const char *why);
    void *ctx;
};

/** Binds the ports and starts everything. On error why names the port or file;
 * the caller's (base_free). The storage is closed then too. */
int server_new(const struct server_config *config, struct server **out,
               char **why);
void server_free(struct server *server);
/** Another replication token from now on, borrowed; NULL: none. */
void server_set_replication_token(struct server *server, const char *token);

/** For calls in our own process. */
struct rpc_server *server_rpc(struct server *server);
/** What the rest of the agent sees of it. */
struct core server_core(struct server *server);

/** The fallback addresses of the primary's gateways, freshly resolved. */
int server_set_primary_fallback(struct server *server,
                                const struct base_addr *addrs, size_t count);

/** Leaves both pools, the WAN first; done comes when the goodbyes are out.
 * BASE_EEXIST while an earlier leave is under way. */
int server_leave(struct server *server, void (*done)(void *arg, int status),
                 void *arg);
/** Calls changed(ctx) after members, Raft state or routes moved. */
void server_on_change(struct server *server, void (*changed)(void *ctx),
                      void *ctx);

struct server_status {
    bool is_leader;
    bool bootstrapped;
    struct raft_status raft;
    const struct raft_configuration *configuration;
    const char *cluster_id; /* "" until it is known */
    const char *path;       /* to the primary: "local", "direct", "none" */
    bool replicating;
    struct fedstate_replicator_status replication;
    uint64_t catalog_index, federation_index;
    size_t federation_states;
};
void server_status(const struct server *server, struct server_status *out);

#endif
