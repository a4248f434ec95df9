/*
 * A client of Isthmus: a member of the LAN pool that has no state of its own
 * and passes every call on to a server of its datacenter, to another one when
 * that dies. It knows no method by name, so old clients carry new ones. Like a
 * server it is built from two loops, and runs in the simulator too.
 *
 * Threads: as server/server.h.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "gossip/keyring.h"
#include "gossip/memberlist.h"
#include "server/core.h"

struct client;

/** Strings are copied; keyring and what the loops name outlive the client. */
struct client_config {
    struct server_loop main;
    struct server_loop gossip; /* its secure is not used */
    const char *node;
    const char *node_id;
    const char *datacenter;
    const char *domain;
    const char *build;
    struct base_addr bind_ip;      /* port 0 */
    struct base_addr advertise_ip;
    uint16_t serf_lan_port;
    struct gossip_keyring *lan_keyring; /* NULL: plain */
    struct gossip_params lan_params;
    const char *lan_snapshot, *lan_keyring_path; /* NULL: none */
    bool verify_server_hostname;
    bool rejoin_after_leave;
};

/** Binds the port and starts. On error why names the port; the caller's
 * (base_free). */
int client_new(const struct client_config *config, struct client **out,
               char **why);
void client_free(struct client *client);
struct core client_core(struct client *client);
/** Leaves the pool. */
int client_leave(struct client *client, void (*done)(void *arg, int status),
                 void *arg);
/** Servers that it would ask now. */
size_t client_server_count(const struct client *client);

#endif
