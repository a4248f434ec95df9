/* Each kind of blow is a function; a table says how often it comes. */
#include "sim/federation_blows.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

static size_t below(struct blows *blows, uint64_t bound)
{
    return (size_t)base_sim_random_below(federation_world(blows->federation),
                                         bound);
}

static const char *some_dc(struct blows *blows)
{
    return blows->dcs[below(blows, blows->dc_count)];
}

static struct sim_server *some_server(struct blows *blows, const char *dc)
{
    return federation_server(
        blows->federation, dc,
        1 + below(blows, federation_size(blows->federation, dc)));
}

/* ---- gateways ------------------------------------------------------------- */

/* A sick gateway goes with those that are replaced. */
static void replace_gateways(struct blows *blows)
{
    size_t at = below(blows, blows->dc_count);

    federation_gateway_off(blows->federation, blows->dcs[at]);
    blows->sick[at] = NULL;
    federation_gateway_on(blows->federation, blows->dcs[at]);
    blows->counts.gateways_replaced++;
}

/* One more comes first: a datacenter has two, of which one fails. */
static struct sim_gateway *sicken(struct blows *blows)
{
    size_t at = below(blows, blows->dc_count);

    if (blows->sick[at])
        return NULL;
    blows->sick[at] =
        federation_gateway_add(blows->federation, blows->dcs[at]);
    base_sim_run_for_ms(federation_world(blows->federation),
                        below(blows, 3000));
    return blows->sick[at];
}

static void break_gateway(struct blows *blows)
{
    struct sim_gateway *gateway = sicken(blows);

    if (gateway == NULL)
        return;
    sim_gateway_break(gateway, below(blows, 2) ? SIM_GATEWAY_RESETS
                                               : SIM_GATEWAY_HOLDS);
    blows->counts.gateways_broken++;
}

static void unplug_gateway(struct blows *blows)
{
    struct sim_gateway *gateway = sicken(blows);

    if (gateway == NULL)
        return;
    sim_gateway_unplug(gateway);
    blows->counts.gateways_unplugged++;
}

/* ---- servers -------------------------------------------------------------- */

static void crash(struct sim_server *server)
{
    if (server && sim_server_server(server))
        sim_server_crash(server);
}

static void cycle_server(struct blows *blows)
{
    crash(some_server(blows, some_dc(blows)));
    blows->counts.servers_cycled++;
}

static void kill_leader(struct blows *blows)
{
    struct sim_server *leader =
        federation_leader(blows->federation, some_dc(blows));

    if (leader == NULL)
        return;
    crash(leader);
    blows->counts.leaders_killed++;
}

static void jump_clock(struct blows *blows)
{
    int64_t ms = (int64_t)below(blows, 2 * 3600000) - 3600000;

    sim_server_shift_clock(some_server(blows, some_dc(blows)), ms);
    blows->counts.clocks_jumped++;
}

static void drop_puts(struct blows *blows)
{
    size_t i;

    for (i = 0; i < blows->put_count; i++)
        blows->puts[i].acknowledged = false;
}

/* All servers at once, with empty disks. What was written to a primary that is
 * no more is gone; the last of it may still be on its way. */
static void rebuild(struct blows *blows)
{
    size_t at = below(blows, blows->dc_count), i;

    if (at == 0) {
        for (i = 0; i < blows->put_count; i++)
            if (blows->puts[i].under_way)
                return;
        drop_puts(blows);
        blows->counts.primaries_rebuilt++;
    } else {
        blows->counts.secondaries_rebuilt++;
    }
    for (i = 1; i <= federation_size(blows->federation, blows->dcs[at]); i++) {
        struct sim_server *server =
            federation_server(blows->federation, blows->dcs[at], i);

        crash(server);
        sim_server_wipe(server);
    }
}

/* ---- links and records ---------------------------------------------------- */

static void partition(struct blows *blows)
{
    federation_join_links(blows->federation);
    federation_cut(blows->federation, some_dc(blows), SIM_ALL, NULL, SIM_ALL);
    blows->counts.partitions++;
}

static void on_put(void *arg, int status)
{
    struct blow_put *put = arg;

    put->under_way = false;
    put->acknowledged = status == 0;
}

static void put_record(struct blows *blows)
{
    struct sim_server *asked = some_server(blows, some_dc(blows));
    struct blow_put *put;

    if (blows->put_count == BLOWS_PUTS_MAX || !sim_server_server(asked))
        return;
    put = &blows->puts[blows->put_count];
    snprintf(put->name, sizeof(put->name), "site%zu", ++blows->put_count);
    put->under_way = true;
    federation_put(blows->federation, asked, put->name, on_put, put);
    blows->counts.records_put++;
}

/* ---- all together --------------------------------------------------------- */

void blows_strike(struct blows *blows)
{
    static const struct {
        const char *name;
        void (*strike)(struct blows *blows);
        unsigned share;
    } kinds[] = {
        {"gateways replaced", replace_gateways, 4},
        {"gateway broken", break_gateway, 2},
        {"gateway unplugged", unplug_gateway, 2},
        {"server off", cycle_server, 3},
        {"leader off", kill_leader, 3},
        {"cut off", partition, 3},
        {"rebuilt", rebuild, 1},
        {"clock jumps", jump_clock, 2},
        {"record put", put_record, 6},
    };
    unsigned all = 0;
    size_t at, i;

    for (i = 0; i < BASE_COUNT_OF(kinds); i++)
        all += kinds[i].share;
    at = below(blows, all);
    for (i = 0; at >= kinds[i].share; i++)
        at -= kinds[i].share;
    base_sim_note(federation_world(blows->federation), "blow: %s",
                  kinds[i].name);
    kinds[i].strike(blows);
}

void blows_repair(struct blows *blows)
{
    struct federation *f = blows->federation;
    size_t i, j;

    federation_join_links(f);
    for (i = 0; i < blows->dc_count; i++) {
        if (blows->sick[i])
            federation_gateway_remove(blows->sick[i]);
        blows->sick[i] = NULL;
        for (j = 1; j <= federation_size(f, blows->dcs[i]); j++) {
            struct sim_server *server =
                federation_server(f, blows->dcs[i], j);

            if (!sim_server_server(server))
                sim_server_boot(server);
        }
    }
}

bool blows_records_are_kept(struct blows *blows)
{
    size_t i, j;

    for (i = 0; i < blows->put_count; i++) {
        if (!blows->puts[i].acknowledged)
            continue;
        for (j = 0; j < blows->dc_count; j++) {
            struct sim_server *leader =
                federation_leader(blows->federation, blows->dcs[j]);

            if (!leader || !sim_server_has(leader, blows->puts[i].name))
                return false;
        }
        blows->counts.records_kept++;
    }
    return true;
}
