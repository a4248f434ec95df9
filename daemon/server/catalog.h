/*
 * The catalog: nodes, the services on them, the checks of both. Pure memory,
 * driven by the Raft log; same log, same catalog. Federation.md section 6 has
 * the records, Consul's /v1/catalog their meaning.
 */
#ifndef SERVER_CATALOG_H
#define SERVER_CATALOG_H

#include "daemon/server.pb-c.h"
#include "server/watch.h"

#define CATALOG_NODES_MAX 65536u
#define CATALOG_SERVICES_PER_NODE_MAX 1024u
#define CATALOG_CHECKS_PER_NODE_MAX 4096u

/** A node with what runs on it; read-only to users. */
struct catalog_node {
    Fedstate__Node *node;
    Fedstate__Service **services; /* sorted by id */
    size_t service_count;
    Fedstate__Check **checks;     /* sorted by check id */
    size_t check_count;
};

struct catalog {
    struct catalog_node **nodes;  /* sorted by name */
    size_t node_count;
    uint64_t index;               /* of the last change; 0: none */
    uint64_t gateway_index;       /* of the last change to a mesh gateway */
    struct watch_list watches;
};

void catalog_init(struct catalog *catalog, struct base_env *env);
void catalog_close(struct catalog *catalog);
/** Empties it, as before a restore; waiters stay. */
void catalog_clear(struct catalog *catalog);

/** Writes what differs, at a Raft index; equal records move nothing. 0,
 * BASE_EINVAL (nameless node, service without id or name) or BASE_EFULL. */
int catalog_register(struct catalog *catalog, uint64_t index,
                     const Server__Register *change);
/** Puts records of a snapshot back as they were, indexes included; the caller
 * sets the catalog's own indexes and wakes the waiters. */
int catalog_restore(struct catalog *catalog, const Server__Register *record);
/** True if registering this record of a node would make or change it. */
bool catalog_changes_node(const struct catalog *catalog,
                          const Fedstate__Node *record);
/** Of what is not there it is a success. */
int catalog_deregister(struct catalog *catalog, uint64_t index,
                       const Server__Deregister *change);

const struct catalog_node *catalog_find(const struct catalog *catalog,
                                        const char *node);
const Fedstate__Service *catalog_service(const struct catalog_node *node,
                                         const char *id);
const Fedstate__Check *catalog_check(const struct catalog_node *node,
                                     const char *check_id);
/** A service with its node, its own checks and the node's, as a new record
 * (base_pb_free). */
Fedstate__CheckServiceNode *
catalog_instance(const struct catalog_node *node,
                 const Fedstate__Service *service);
/** Every mesh gateway as instances: an array of *count (base_pb_free each,
 * base_free the array), sorted by node and service id. */
Fedstate__CheckServiceNode **catalog_gateways(const struct catalog *catalog,
                                              size_t *count);

#endif
