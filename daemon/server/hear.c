/*
 * What a server hears from its parts, and whom it passes it on to: each
 * function is one sentence of the wiring.
 */
#include "server/hear.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "server/internal.h"
#include "server/strerror.h"

/* ---- what Raft tells ------------------------------------------------------ */

void hear_raft_state(void *ctx, enum raft_role role, raft_term term,
                     const char *leader_id)
{
    struct server *server = ctx;
    bool leads = role == RAFT_LEADER;

    base_log(&server->log, BASE_LOG_INFO, "Raft state",
             kv_str("role", raft_role_name(role)), kv_uint("term", term),
             kv_str("leader", leader_id));
    if (leads && !server->is_leader) {
        server->is_leader = true;
        leader_won(server);
    } else if (!leads && server->is_leader) {
        server->is_leader = false;
        leader_lost(server);
    }
    if (!raft_node_is_bootstrapped(server->raft))
        fedstate_locator_release(server->locator);
    /* Section 9: our table may be used once a leader is known. */
    if (leader_id[0] != '\0' && !leads)
        fedstate_locator_start(server->locator,
                               fedstate_store_count(server->fsm.store) > 0);
    birth_soon(server);
    server_changed(server);
}

void hear_raft_fatal(void *ctx, int err, const char *why)
{
    struct server *server = ctx;
    char *text = base_asprintf("Raft has stopped: %s (%s)", server_strerror(err),
                               why);

    base_log(&server->log, BASE_LOG_ERROR, text);
    if (server->config.on_fatal)
        server->config.on_fatal(server->config.ctx, text);
    base_free(text);
}

void hear_raft_message(void *ctx, const void *data, size_t len)
{
    struct server *server = ctx;

    raft_node_receive(server->raft, data, len);
}

/* By the LAN pool: Raft itself knows no address of a leader that is new to it. */
bool hear_locate(void *ctx, const char *id, char out[RAFT_ADDRESS_MAX])
{
    struct server *server = ctx;
    size_t count, i;
    const struct member *const *members = pool_members(server->lan, &count);
    char text[BASE_ADDR_TEXT_MAX];

    for (i = 0; i < count; i++) {
        struct member_server as;

        if (!member_as_server(members[i], &as) || strcmp(as.id, id) != 0)
            continue;
        snprintf(out, RAFT_ADDRESS_MAX, "%s/%s", as.node,
                 base_addr_format(&as.rpc, text));
        return true;
    }
    return false;
}

/* ---- what the pools tell -------------------------------------------------- */

void hear_lan_member(void *ctx, enum gossip_event_kind kind,
                     const struct member *member)
{
    struct server *server = ctx;

    base_log(&server->log, BASE_LOG_INFO, gossip_event_kind_name(kind),
             kv_str("pool", "lan"), kv_str("member", member->name),
             kv_addr("address", &member->addr));
    leader_member(server, kind, member);
    leader_support_news(server);
    flood_join_soon(server);
    birth_soon(server);
    server_changed(server);
}

void hear_wan_member(void *ctx, enum gossip_event_kind kind,
                     const struct member *member)
{
    struct server *server = ctx;
    struct member_server as;

    base_log(&server->log, BASE_LOG_INFO, gossip_event_kind_name(kind),
             kv_str("pool", "wan"), kv_str("member", member->name),
             kv_addr("address", &member->addr));
    if (kind == GOSSIP_EVENT_MEMBER_FAILED && member_as_server(member, &as))
        rpc_pool_forget(server->calls, as.dc, as.node);
    if (kind == GOSSIP_EVENT_MEMBER_JOIN)
        leader_path_news(server);
    leader_support_news(server);
    server_changed(server);
}

void hear_wan_arrival(void *ctx, const char *name)
{
    const struct server *server = ctx;

    wan_side_warm(server->wan_side, name);
}

void hear_user_event(void *ctx, const struct gossip_event *event)
{
    struct server *server = ctx;

    base_log(&server->log, BASE_LOG_INFO, "user event",
             kv_str("name", event->name), kv_uint("ltime", event->ltime),
             kv_uint("bytes", event->payload_len));
    event_log_add(&server->events, event);
}

/* ---- what the locator tells ----------------------------------------------- */

void hear_routes(void *ctx, const struct fedstate_routes *routes)
{
    struct server *server = ctx;

    fedstate_picker_set(server->picker, fedstate_routes_dup(routes));
    wan_side_routes(server->wan_side, routes);
    wan_refresh_soon(server);
    leader_path_news(server);
    server_changed(server);
}

void hear_primary_ready(void *ctx)
{
    struct server *server = ctx;

    if (server->config.on_primary_ready)
        server->config.on_primary_ready(server->config.ctx);
}
