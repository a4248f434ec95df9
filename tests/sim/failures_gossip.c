/* What must not spin, block or hide a death (F8, F9, F13). */
#include "sim/failures.h"

#include "gossip/memberlist.h"
#include "gossip/serf.h"

/* F8: the primary refuses federation states, as an old version would, and a
 * secondary has news. It waits and asks seldom; it heals once the primary's
 * servers are upgraded, one after the other. */
void failure_f8(struct failure_run *run)
{
    struct federation *f = run->federation;
    size_t i;

    failure_form(run, (const size_t[]){3, 1, 1, 0});
    failure_wait(run, 30000);
    federation_unsupport(f, "dc1");
    federation_gateway_off(f, "dc2");
    federation_gateway_on(f, "dc2");
    failure_wait(run, 5000);
    failure_quiet_from(run);
    failure_wait(run, 300000);
    failure_quiet_to(run, 2000);
    for (i = 1; i <= 3; i++) {
        sim_server_crash(federation_server(f, "dc1", i));
        failure_wait(run, 3000);
        sim_server_boot(federation_server(f, "dc1", i));
        failure_wait(run, 20000);
    }
    failure_heals(run, 180000);
}

/* Every server of the datacenters a and b sees every other one of them alive. */
static bool see_each_other(struct failure_run *run, const char *a,
                           const char *b)
{
    struct federation *f = run->federation;
    size_t i, j;

    for (i = 1; i <= federation_size(f, a); i++)
        for (j = 1; j <= federation_size(f, b); j++)
            if (sim_server_sees(federation_server(f, a, i),
                                federation_server(f, b, j)) !=
                    GOSSIP_MEMBER_ALIVE ||
                sim_server_sees(federation_server(f, b, j),
                                federation_server(f, a, i)) !=
                    GOSSIP_MEMBER_ALIVE)
                return false;
    return true;
}

/* F9: dc3's gateway takes connections and never says a word. Gossip between
 * the others does not notice, nor do their users. */
void failure_f9(struct failure_run *run)
{
    struct federation *f = run->federation;
    struct sim_gateway *gateway;
    uint64_t failed_before;
    int i;

    failure_form(run, (const size_t[]){3, 1, 1, 0});
    federation_gateway_off(f, "dc3");
    gateway = federation_gateway_add(f, "dc3");
    failure_heals(run, 60000);
    failure_wait(run, 60000); /* doubts of the beginning are over */
    failure_unless(run, see_each_other(run, "dc1", "dc2"), "all is well");
    failed_before = federation_failures(f);
    sim_gateway_break(gateway, SIM_GATEWAY_HOLDS);
    failure_quiet_from(run);
    for (i = 0; i < 120; i++) {
        failure_wait(run, 1000);
        failure_unless(run, see_each_other(run, "dc1", "dc2"),
                       "a stuck gateway hurts no other datacenter's gossip");
        federation_read(f, federation_server(f, "dc2", 1), "dc1");
    }
    failure_quiet_to(run, 6000);
    failure_unless(run, federation_failures(f) == failed_before,
                   "a stuck gateway fails no other datacenter's users");
    federation_gateway_remove(gateway);
    federation_gateway_on(f, "dc3");
    failure_heals(run, 150000);
}

static bool all_see_dc3_failed(void *arg)
{
    struct failure_run *run = arg;
    struct federation *f = run->federation;
    struct sim_server *dead = federation_server(f, "dc3", 1);
    size_t i;

    for (i = 1; i <= federation_size(f, "dc1"); i++)
        if (sim_server_sees(federation_server(f, "dc1", i), dead) !=
            GOSSIP_MEMBER_FAILED)
            return false;
    return sim_server_sees(federation_server(f, "dc2", 1), dead) ==
           GOSSIP_MEMBER_FAILED;
}

/* F13: a whole datacenter loses power, and what stands in front of it still
 * takes connections. The others see its servers as failed in the time that a
 * suspicion takes in the WAN pool. */
static void dead_behind(struct failure_run *run, enum sim_gateway_fault fault)
{
    struct federation *f = run->federation;
    struct sim_gateway *gateway;
    uint64_t seen_ms;

    failure_form(run, (const size_t[]){3, 1, 1, 0});
    federation_gateway_off(f, "dc3");
    gateway = federation_gateway_add(f, "dc3");
    failure_heals(run, 60000);
    failure_power_off(run, "dc3");
    sim_gateway_break(gateway, fault);
    failure_until(run, all_see_dc3_failed, run, 120000,
                  "a dead datacenter is seen as failed");
    seen_ms = run->healed_ms;
    failure_power_on(run, "dc3");
    federation_gateway_remove(gateway);
    federation_gateway_on(f, "dc3");
    failure_heals(run, 150000);
    run->healed_ms = seen_ms;
}

void failure_f13_resets(struct failure_run *run)
{
    dead_behind(run, SIM_GATEWAY_RESETS);
}

void failure_f13_holds(struct failure_run *run)
{
    dead_behind(run, SIM_GATEWAY_HOLDS);
}
