#include "server/dead_servers.h"

#include <string.h>

#include "server/internal.h"
#include "server/strerror.h"

static bool was_seen(const struct dead_servers *dead, const char *id)
{
    size_t i;

    for (i = 0; i < dead->count; i++)
        if (strcmp(dead->seen[i], id) == 0)
            return true;
    return false;
}

static void on_left(void *arg, int status)
{
    struct server *server = arg;

    if (status != 0)
        base_log(&server->log, BASE_LOG_WARN, "a dead server cannot be taken out yet",
                 kv_str("error", server_strerror(status)));
}

/* Gossip's word on it makes reconcile_gone() take it out of Raft and of the
 * catalog; should it live after all, it says so and comes back. */
static void remove_dead(struct server *server, const struct member *member)
{
    base_log(&server->log, BASE_LOG_WARN,
             "a dead server is taken out of the cluster",
             kv_str("server", member->name));
    pool_force_leave(server->lan, member->name, false, on_left, server);
}

/* A failed server of Raft's configuration. */
static bool is_dead(const struct server *server, const struct member *member,
                    struct member_server *as)
{
    return member->status == GOSSIP_MEMBER_FAILED &&
           member_as_server(member, as) && strlen(as->id) < RAFT_ID_MAX &&
           raft_configuration_find(raft_node_configuration(server->raft),
                                   as->id) != NULL;
}

void dead_servers_look(struct server *server)
{
    struct dead_servers *dead = &server->leader.dead, before = *dead;
    uint32_t all = raft_node_configuration(server->raft)->server_count;
    size_t count, i;
    const struct member *const *members = pool_members(server->lan, &count);
    const struct member *first = NULL;
    struct member_server as;

    dead->count = 0;
    for (i = 0; i < count && dead->count < RAFT_SERVERS_MAX; i++) {
        if (!is_dead(server, members[i], &as))
            continue;
        strcpy(dead->seen[dead->count++], as.id);
        if (first == NULL && was_seen(&before, as.id))
            first = members[i];
    }
    /* One a look: Raft changes its configuration by one at a time. */
    if (first && dead->count < all / 2)
        remove_dead(server, first);
}
