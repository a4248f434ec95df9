/*
 * Clusters are born under partitions and crashes: servers with bootstrap_expect
 * start cut off from each other at random, lose power at random, and in the end
 * all are well. Never may two clusters form; in the end one lives.
 */
#include "sim/federation.h"
#include "sim/scenario.h"

#define TROUBLE_MS 20000u
#define HEAL_MS 60000u

static struct {
    uint64_t births, cuts, crashes;
} seen;

static void trouble(struct federation *f, size_t count)
{
    struct base_sim *world = federation_world(f);
    struct sim_server *server = federation_server(
        f, "dc1", 1 + (size_t)base_sim_random_below(world, count));

    switch (base_sim_random_below(world, 4)) {
    case 0:
        sim_server_cut(server, true);
        seen.cuts++;
        break;
    case 1:
        sim_server_cut(server, false);
        break;
    case 2:
        if (sim_server_server(server)) {
            sim_server_crash(server);
            seen.crashes++;
        }
        break;
    default:
        if (!sim_server_server(server))
            sim_server_boot(server);
    }
}

static void heal(struct federation *f, size_t count)
{
    size_t i;

    for (i = 1; i <= count; i++) {
        struct sim_server *server = federation_server(f, "dc1", i);

        sim_server_cut(server, false);
        if (!sim_server_server(server))
            sim_server_boot(server);
    }
}

static bool has_one(struct federation *f, uint64_t seed)
{
    if (federation_clusters(f, "dc1") <= 1)
        return true;
    fprintf(stderr, "seed %llu: two clusters in one datacenter\n",
            (unsigned long long)seed);
    return false;
}

static bool run(uint64_t seed, FILE *log)
{
    static const size_t sizes[] = {1, 3, 3, 5};
    size_t count = sizes[seed % 4], i;
    struct federation *f = federation_new(seed);
    bool ok = true;

    federation_log(f, log);
    base_sim_set_digest(federation_world(f), log != NULL);
    federation_add(f, "dc1", count);
    federation_start(f);
    for (i = 1; i <= count; i++)
        sim_server_cut(federation_server(f, "dc1", i),
                       base_sim_random_below(federation_world(f), 3) == 0);
    for (i = 0; i < 40 && ok; i++) {
        base_sim_run_for_ms(federation_world(f), TROUBLE_MS / 40);
        trouble(f, count);
        ok = has_one(f, seed);
    }
    heal(f, count);
    if (ok && !federation_until(f, federation_is_whole, f, HEAL_MS)) {
        fprintf(stderr, "seed %llu: no cluster %u s after healing\n",
                (unsigned long long)seed, HEAL_MS / 1000);
        ok = false;
    }
    ok = ok && has_one(f, seed);
    seen.births += ok;
    federation_free(f);
    return ok;
}

int main(int argc, char **argv)
{
    int code = scenario_main(argc, argv, "birth", 500, run);

    printf("birth: %llu births, %llu cuts, %llu crashes\n",
           (unsigned long long)seen.births, (unsigned long long)seen.cuts,
           (unsigned long long)seen.crashes);
    return code;
}
