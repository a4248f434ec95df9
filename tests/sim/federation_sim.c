/*
 * Three datacenters form a federation and keep healing: gateways are replaced,
 * servers lose power, the primary's leader dies. After each blow the federation
 * must be whole again within a bound, and no packet may ever pass between two
 * datacenters but by a gateway.
 */
#include "sim/federation.h"
#include "sim/scenario.h"

#define FORM_MS 60000u
#define HEAL_MS 120000u
#define BLOWS 6

static struct {
    uint64_t gateways, crashes, leaders;
    uint64_t form_ms_max, heal_ms_max;
} seen;

static bool whole_within(struct federation *f, uint64_t within_ms,
                         uint64_t *longest_ms)
{
    uint64_t began_ns = base_sim_now_ns(federation_world(f)), took_ms;

    if (!federation_until(f, federation_is_whole, f, within_ms))
        return false;
    took_ms = (base_sim_now_ns(federation_world(f)) - began_ns) / 1000000u;
    if (took_ms > *longest_ms)
        *longest_ms = took_ms;
    return true;
}

static void power_cycle(struct federation *f, struct sim_server *server)
{
    struct base_sim *world = federation_world(f);

    sim_server_crash(server);
    base_sim_run_for_ms(world, 100 + base_sim_random_below(world, 8000));
    sim_server_boot(server);
}

static const char *blow(struct federation *f)
{
    static const char *const dcs[] = {"dc1", "dc2", "dc3"};
    static const size_t sizes[] = {3, 1, 1};
    struct base_sim *world = federation_world(f);
    size_t dc = (size_t)base_sim_random_below(world, 3);
    struct sim_server *leader;

    switch (base_sim_random_below(world, 3)) {
    case 0:
        seen.gateways++;
        federation_gateway_off(f, dcs[dc]);
        base_sim_run_for_ms(world, base_sim_random_below(world, 3000));
        federation_gateway_on(f, dcs[dc]);
        return "gateway replaced";
    case 1:
        seen.crashes++;
        power_cycle(f, federation_server(
                           f, dcs[dc],
                           1 + (size_t)base_sim_random_below(world, sizes[dc])));
        return "server power-cycled";
    default:
        leader = federation_leader(f, "dc1");
        if (leader) {
            seen.leaders++;
            power_cycle(f, leader);
        }
        return "leader of the primary power-cycled";
    }
}

static bool run(uint64_t seed, FILE *log)
{
    struct federation *f = federation_new(seed);
    const char *what = "start";
    bool ok;
    int i;

    federation_log(f, log);
    base_sim_set_digest(federation_world(f), log != NULL);
    federation_add(f, "dc1", 3);
    federation_add(f, "dc2", 1);
    federation_add(f, "dc3", 1);
    federation_start(f);
    ok = whole_within(f, FORM_MS, &seen.form_ms_max);
    for (i = 0; i < BLOWS && ok; i++) {
        what = blow(f);
        ok = whole_within(f, HEAL_MS, &seen.heal_ms_max);
    }
    if (!ok)
        fprintf(stderr, "seed %llu: not whole again after: %s\n",
                (unsigned long long)seed, what);
    if (federation_violations(f) > 0) {
        fprintf(stderr, "seed %llu: %llu packets past the gateways\n",
                (unsigned long long)seed,
                (unsigned long long)federation_violations(f));
        ok = false;
    }
    federation_free(f);
    return ok;
}

int main(int argc, char **argv)
{
    int code = scenario_main(argc, argv, "federation", 20, run);

    printf("federation: %llu gateways replaced, %llu servers and %llu leaders "
           "power-cycled; longest to form %.1f s, to heal %.1f s (virtual)\n",
           (unsigned long long)seen.gateways, (unsigned long long)seen.crashes,
           (unsigned long long)seen.leaders, (double)seen.form_ms_max / 1000,
           (double)seen.heal_ms_max / 1000);
    return code;
}
