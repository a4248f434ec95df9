#include "client/servers.h"

#include <string.h>

static size_t place(const struct servers *servers, const char *id)
{
    size_t at = 0;

    while (at < servers->count && strcmp(servers->list[at].id, id) != 0)
        at++;
    return at;
}

/* Takes the one at from out and puts it in again at to. */
static void move(struct servers *servers, size_t from, size_t to)
{
    struct known_server *list = servers->list, moved = list[from];

    if (from < to)
        memmove(list + from, list + from + 1, (to - from) * sizeof(*list));
    else
        memmove(list + to + 1, list + to, (from - to) * sizeof(*list));
    list[to] = moved;
}

void servers_put(struct servers *servers, const struct member_server *server)
{
    size_t at = place(servers, server->id);
    struct known_server *known = &servers->list[at];
    bool fresh = at == servers->count;

    if (fresh && servers->count == SERVERS_MAX)
        return;
    memset(known, 0, sizeof(*known));
    strncpy(known->id, server->id, sizeof(known->id) - 1);
    memcpy(known->node, server->node, sizeof(known->node));
    known->addr = server->rpc;
    if (fresh) {
        servers->count++;
        move(servers, at,
             (size_t)base_env_random_below(servers->env, servers->count));
    }
}

void servers_remove(struct servers *servers, const char *id)
{
    size_t at = place(servers, id);

    if (at == servers->count)
        return;
    move(servers, at, servers->count - 1);
    servers->count--;
}

const struct known_server *servers_first(const struct servers *servers)
{
    return servers->count > 0 ? &servers->list[0] : NULL;
}

void servers_failed(struct servers *servers, const char *id)
{
    size_t at = place(servers, id);

    if (at < servers->count)
        move(servers, at, servers->count - 1);
}

const struct known_server *servers_other(const struct servers *servers)
{
    if (servers->count < 2)
        return NULL;
    return &servers->list[1 + base_env_random_below(servers->env,
                                                    servers->count - 1)];
}

void servers_prefer(struct servers *servers, const char *id)
{
    size_t at = place(servers, id);

    if (at < servers->count)
        move(servers, at, 0);
}
