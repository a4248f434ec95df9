#ifndef SIM_FEDERATION_INTERNAL_H
#define SIM_FEDERATION_INTERNAL_H

#include "agent/joins.h"
#include "raft/storage_memory.h"
#include "rpc/sim_secure.h"
#include "server/uuid.h"
#include "sim/federation.h"
#include "sim/sim_stable.h"

#define SIM_DOMAIN "consul"
#define SIM_GATEWAYS_MAX 8
#define SIM_CUTS_MAX 16

struct sim_dc {
    struct federation *federation;
    char name[16];
    unsigned number; /* 1, 2, ...: its network is 10.<number>.0.0/16 */
    struct sim_server *servers[FEDERATION_SERVERS_MAX];
    size_t server_count;
    struct sim_gateway *gateways[SIM_GATEWAYS_MAX]; /* those that are there */
    size_t gateway_count;
    unsigned gateways_made;
    bool never_direct;
    const char *primary; /* what its servers take for it; NULL: the first */
};

struct sim_server {
    struct sim_dc *dc;
    struct base_sim_host *host;
    char node[16];
    char id[UUID_TEXT];
    struct base_addr addr;
    bool cut;
    uint64_t direct; /* what passed between it and foreign gateways */
    struct raft_memory_disk *disk;
    struct sim_stable *stable;

    /* while it runs */
    struct rpc_sim_secure *main_secure, *gossip_secure;
    struct server *server;
    struct joins *joins;
    char *lan_target;
};

struct federation {
    struct base_sim *world;
    struct base_log_sink *sink;
    struct sim_dc dcs[FEDERATION_DCS_MAX];
    size_t dc_count;
    uint64_t violations;
    uint64_t answers, failures; /* of federation_read() */
    /* whose host is whose, for the link function */
    struct sim_host_entry {
        const struct base_sim_host *host;
        struct sim_dc *dc;
        struct sim_server *server; /* NULL: a gateway */
        bool unplugged;
    } hosts[FEDERATION_DCS_MAX * (FEDERATION_SERVERS_MAX + 64)];
    size_t host_count;
    struct sim_cut {
        const struct sim_dc *dc[2]; /* [1] NULL: any other */
        enum sim_hosts hosts[2];
    } cuts[SIM_CUTS_MAX];
    size_t cut_count;
    bool dns_held;
    uint32_t wan_min_us, wan_max_us;

    /* Gateways that an operator deregisters; federation_users.c. */
    struct base_timer operator_timer;
    struct sim_gone *gone;
};

void sim_register_host(struct federation *federation,
                       const struct base_sim_host *host, struct sim_dc *dc,
                       struct sim_server *server);
/** 10.<dc>.<net>.<number>:port */
struct base_addr sim_addr(unsigned dc, unsigned net, unsigned number,
                          uint16_t port);

/* sim_gateway.c */
struct sim_gateway *sim_gateway_new(struct sim_dc *dc);
void sim_gateway_free(struct sim_gateway *gateway);
struct sim_dc *sim_gateway_dc(const struct sim_gateway *gateway);
struct base_addr sim_gateway_wan(const struct sim_gateway *gateway);

/* federation_users.c */
/** What an operator does when a gateway is gone for good, until it is done. */
void sim_deregister(struct sim_dc *dc, const char *node);
void sim_operator_free(struct federation *federation);

/* federation_links.c */
void sim_link_of(void *federation, const struct base_sim_host *from,
                 const struct base_sim_host *to, struct base_sim_link *link);
void sim_unplug(struct federation *federation,
                const struct base_sim_host *host);
struct sim_dc *sim_dc_of(struct federation *federation, const char *name);

#endif
