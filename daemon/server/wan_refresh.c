/*
 * When the ways to other datacenters change, news that gossip sent while there
 * was no way is lost, and the next exchange of full state may be a minute off.
 * So a moment after each change, one server of every other datacenter is joined
 * anew: a push/pull that tells each side all that the other knows.
 */
#include <strings.h>

#include "base/alloc.h"
#include "server/internal.h"

#define SETTLE_MS 1000u
#define JITTER_MS 1000u

static void refresh(void *arg, const char *dc)
{
    struct server *server = arg;
    char *target;

    if (strcasecmp(dc, server->config.datacenter) == 0)
        return;
    target = base_asprintf("*.%s/" SERVER_WAN_PLACEHOLDER, dc);
    pool_join(server->wan, (const char *const[]){target}, 1, NULL, NULL);
    base_free(target);
}

static void on_timer(void *arg)
{
    struct server *server = arg;

    router_datacenters(server, refresh, server);
}

void wan_refresh_soon(struct server *server)
{
    if (!server->config.federation ||
        base_timer_is_running(&server->refresh_timer))
        return;
    base_timer_start_ms(&server->refresh_timer,
                        SETTLE_MS +
                            base_env_random_below(server->env, JITTER_MS));
}

void wan_refresh_init(struct server *server)
{
    base_timer_init(&server->refresh_timer, server->env, "wan-refresh",
                    on_timer, server);
}
