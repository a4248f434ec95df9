/* Two datacenters with one name; see namesakes.h. */
#include "server/namesakes.h"

#include <string.h>
#include <strings.h>

#include "server/internal.h"

/* A server joins its LAN pool before the WAN hears of it, and one with a new id
 * is known by it in both soon: who is missing for half a minute is missing. */
#define LOOKS_MIN 4u
#define LOOKS_PER_LINE 60u /* ten minutes */

static bool is_known(const struct server *server,
                     const struct member_server *wan)
{
    const struct member *member = pool_find(server->lan, wan->node);
    struct member_server lan;

    return member != NULL && member_as_server(member, &lan) &&
           strcmp(lan.id, wan->id) == 0;
}

size_t namesakes_count(const struct server *server, const char **first)
{
    size_t count, found = 0, i;
    const struct member *const *members = pool_members(server->wan, &count);

    for (i = 0; i < count; i++) {
        struct member_server as;

        if (members[i]->status != GOSSIP_MEMBER_ALIVE ||
            !member_as_server(members[i], &as) ||
            strcasecmp(as.dc, server->config.datacenter) != 0 ||
            is_known(server, &as))
            continue;
        if (found++ == 0)
            *first = members[i]->name;
    }
    return found;
}

void namesakes_look(struct server *server)
{
    struct namesakes *seen = &server->namesakes;
    const char *first = "";
    size_t count = namesakes_count(server, &first);
    bool more = count > seen->count;

    seen->count = count;
    seen->looks = count > 0 ? seen->looks + 1 : 0;
    base_gauge_set(base_metrics_gauge(server->env->metrics,
                                      "isthmus.federation.namesakes", NULL,
                                      NULL),
                   seen->looks >= LOOKS_MIN ? (int64_t)count : 0);
    if (seen->looks == LOOKS_MIN ||
        (seen->looks > LOOKS_MIN &&
         (more || seen->looks % LOOKS_PER_LINE == 0)))
        base_log(&server->log, BASE_LOG_WARN,
                 "servers of our datacenter's name in the WAN pool that our "
                 "LAN pool does not know: if it is another datacenter, both "
                 "write one record in turns; rename one of them",
                 kv_str("datacenter", server->config.datacenter),
                 kv_uint("servers", count), kv_str("one", first));
}
