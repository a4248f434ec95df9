/* Gateways that are replaced, vanish, or may not be passed by (F1, F2, F4, F7,
 * F11). */
#include "sim/failures.h"

static void replace_all(struct failure_run *run, const char *dc)
{
    federation_gateway_off(run->federation, dc);
    failure_wait(run, base_sim_random_below(run->world, 5000));
    federation_gateway_add(run->federation, dc);
    federation_gateway_add(run->federation, dc);
}

/* F1: a secondary's gateways all go and others come, at new addresses. Nobody
 * restarts anything. */
void failure_f1(struct failure_run *run)
{
    failure_form(run, (const size_t[]){3, 3, 1, 0});
    federation_gateway_add(run->federation, "dc2");
    failure_heals(run, 30000);
    replace_all(run, "dc2");
    failure_heals(run, 60000);
}

/* F2: the primary's gateways all die without a word. New ones come, but every
 * secondary still holds the old addresses, and DNS too for a while. It heals
 * when DNS tells of the new ones. */
void failure_f2(struct failure_run *run)
{
    struct federation *f = run->federation;
    struct sim_gateway *dead;

    failure_form(run, (const size_t[]){3, 3, 1, 0});
    federation_dns_follows(f, false);
    dead = federation_gateway_add(f, "dc1");
    federation_gateway_remove(dead);
    federation_gateway_off(f, "dc1");
    failure_wait(run, 20000 + base_sim_random_below(run->world, 40000));
    federation_gateway_add(f, "dc1");
    federation_gateway_add(f, "dc1");
    failure_wait(run, 60000);
    failure_unless(run, !federation_is_whole(f),
                   "nobody can know the new addresses yet");
    federation_dns_follows(f, true);
    failure_heals(run, 150000);
}

/* F4: a secondary's own gateways are listed and healthy, but reset whatever
 * comes, for two minutes. Only the leader tries the primary's gateways
 * directly; followers stay local. */
void failure_f4(struct failure_run *run)
{
    struct federation *f = run->federation;
    struct sim_gateway *gateway;
    struct sim_server *leader;
    uint64_t direct[4], direct_of_leader;
    size_t i;

    failure_form(run, (const size_t[]){3, 3, 1, 0});
    federation_gateway_off(f, "dc2");
    gateway = federation_gateway_add(f, "dc2");
    failure_wait(run, 150000); /* what was dialled at birth is given up */
    leader = federation_leader(f, "dc2");
    for (i = 1; i <= 3; i++)
        direct[i] = sim_server_direct(federation_server(f, "dc2", i));
    direct_of_leader = sim_server_direct(leader);
    sim_gateway_break(gateway, SIM_GATEWAY_RESETS);
    failure_wait(run, 120000);
    failure_unless(run, federation_leader(f, "dc2") == leader,
                   "the leader stays while gateways are away");
    for (i = 1; i <= 3; i++)
        failure_unless(run,
                       federation_server(f, "dc2", i) == leader ||
                           sim_server_direct(federation_server(f, "dc2", i)) ==
                               direct[i],
                       "followers never bypass their own gateways");
    failure_unless(run, sim_server_direct(leader) > direct_of_leader,
                   "the leader tries the direct path");
    federation_gateway_remove(gateway);
    federation_gateway_on(f, "dc2");
    failure_heals(run, 120000);
}

/* F7: operators close the path from a secondary's servers to the primary's
 * gateways once it has joined. It goes on, survives that all its gateways are
 * replaced and all its servers restarted, and never knocks there again. */
void failure_f7(struct failure_run *run)
{
    struct federation *f = run->federation;
    uint64_t direct;

    federation_add(f, "dc1", 3);
    federation_add(f, "dc2", 3);
    federation_never_direct(f, "dc2");
    federation_start(f);
    failure_heals(run, 130000);
    federation_cut(f, "dc2", SIM_SERVERS, "dc1", SIM_GATEWAYS);
    failure_wait(run, 150000); /* what was open stalls and ends */
    failure_unless(run, federation_is_whole(f), "whole without that path");
    failure_power_off(run, "dc2");
    failure_wait(run, base_sim_random_below(run->world, 10000));
    direct = failure_direct(run, "dc2");
    failure_power_on(run, "dc2");
    failure_heals(run, 120000);
    replace_all(run, "dc2");
    failure_heals(run, 60000);
    failure_unless(run, failure_direct(run, "dc2") == direct,
                   "the closed path is never tried");
}

/* F11: a gateway loses its cable. Connections through it say nothing more; no
 * end is told. Its datacenter's health checks find out ten seconds later. */
void failure_f11(struct failure_run *run)
{
    struct federation *f = run->federation;
    struct sim_gateway *gateway;

    failure_form(run, (const size_t[]){3, 1, 1, 0});
    gateway = federation_gateway_add(f, "dc2");
    failure_heals(run, 30000);
    sim_gateway_unplug(gateway);
    failure_wait(run, 10000);
    federation_gateway_remove(gateway);
    failure_heals(run, 90000);
}
