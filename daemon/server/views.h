/*
 * What each read method shows: from which table, at which index, and how the
 * answer is filled. The way through is read.c's.
 */
#ifndef SERVER_VIEWS_H
#define SERVER_VIEWS_H

#include <stdbool.h>
#include <stddef.h>

#include "acl/acl.h"
#include "daemon/server.pb-c.h"

struct server;
struct catalog_node;

/** Memory that an answer needs until it is packed. */
struct view_arena {
    void **blocks; /* base_free */
    size_t block_count;
    void **messages; /* base_pb_free */
    size_t message_count;
};
void view_arena_close(struct view_arena *arena);

/* VIEW_NONE and VIEW_LEADER are answered at once: from here, or by default by
 * our leader. */
enum view_table_kind { VIEW_NONE, VIEW_LEADER, VIEW_CATALOG, VIEW_FEDERATION };

struct view {
    const char *method;
    enum acl_resource resource; /* to be read */
    enum view_table_kind table;
    bool one_state; /* depends on the record query->name alone */
    uint64_t (*index)(const struct server *server, const Server__Query *query);
    void (*fill)(struct server *server, const Server__Query *query,
                 Server__QueryReply *reply, struct view_arena *arena);
};

/** Zeroed items that live as long as the answer. */
void *view_block(struct view_arena *arena, size_t count, size_t size);

const struct view *view_table(size_t *count);

/** views_checks.c: checks of a service (query->name), or of any; those of a
 * status, or of any. */
void fill_checks(struct server *server, const Server__Query *query,
                 Server__QueryReply *reply, struct view_arena *arena);
/** views_services.c: each service name once, with all tags of its instances. */
void fill_services(struct server *server, const Server__Query *query,
                   Server__QueryReply *reply, struct view_arena *arena);
/** True if the node has every pair of query->node_meta. */
bool view_has_meta(const struct catalog_node *node,
                   const Server__Query *query);
/** operate_state.c: everything that the state machine holds. */
void fill_saved_state(struct server *server, const Server__Query *query,
                      Server__QueryReply *reply, struct view_arena *arena);

/** operate_raft.c: who takes part in consensus. */
void fill_raft_configuration(struct server *server, const Server__Query *query,
                             Server__QueryReply *reply,
                             struct view_arena *arena);

/** Raft's addresses are node/ip:port; operators know ip:port. */
const char *view_address(const char *raft_address);

/** federation_status.c: who is there, and by which way. */
void fill_federation_status(struct server *server, const Server__Query *query,
                            Server__QueryReply *reply,
                            struct view_arena *arena);

#endif
