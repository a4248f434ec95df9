/*
 * Every server pushes the servers of its LAN pool into the WAN pool, on each
 * change and every 30 s (federation.md section 10).
 */
#include <string.h>

#include "base/alloc.h"
#include "server/internal.h"

#define FLOOD_MS 30000u
#define SOON_MS 200u

static char *wan_name(const struct member_server *as)
{
    return base_asprintf("%s.%s", as->node, as->dc);
}

static void flood(struct server *server, const struct member *member)
{
    struct member_server as;
    const struct member *known;
    struct base_addr at;
    char *name, *target;
    char text[BASE_ADDR_TEXT_MAX];

    if (member->status != GOSSIP_MEMBER_ALIVE ||
        !member_as_server(member, &as) || as.wan_join_port == 0)
        return;
    name = wan_name(&as);
    known = pool_find(server->wan, name);
    if (known == NULL || known->status != GOSSIP_MEMBER_ALIVE) {
        at = member->addr;
        at.port = as.wan_join_port;
        target = base_asprintf("%s/%s", name, base_addr_format(&at, text));
        pool_join(server->wan, (const char *const[]){target}, 1, NULL, NULL);
        base_free(target);
    }
    base_free(name);
}

static void on_timer(void *arg)
{
    struct server *server = arg;
    size_t count, i;
    const struct member *const *members = pool_members(server->lan, &count);

    for (i = 0; i < count; i++)
        flood(server, members[i]);
    base_timer_start_ms(&server->flood_timer, FLOOD_MS);
}

void flood_join_soon(struct server *server)
{
    base_timer_start_ms(&server->flood_timer, SOON_MS);
}

void flood_join_start(struct server *server)
{
    base_timer_init(&server->flood_timer, server->env, "flood", on_timer,
                    server);
    base_timer_start_ms(&server->flood_timer, SOON_MS);
}
