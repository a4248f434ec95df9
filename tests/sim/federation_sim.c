/*
 * Random federations under random blows: two to four datacenters of one or
 * three servers, gateways that are replaced or fall sick, servers and leaders
 * that lose power, datacenters that are cut off or rebuilt with empty disks,
 * clocks that jump, and records that operators put meanwhile. When the blows
 * stop, within a bound all datacenters hold equal states, and every record that
 * was acknowledged. No server ever dials a server of another datacenter, and
 * nobody runs hot, under blows or at rest. A kind of blow that never happened
 * in all the seeds is a failure too.
 */
#include "sim/federation_blows.h"
#include "sim/scenario.h"

#define FORM_MS 60000u
#define HEAL_MS 180000u
#define REST_MS 10000u
#define ROUNDS 3
/* For each server, with its share of the gateways. */
#define HOT_AT_REST 150u
#define HOT_EVER 1000u
#define SEEDS_FOR_ALL 100u /* in so many every kind of blow happens */

static struct seen {
    struct blow_counts blows;
    uint64_t runs, servers;
    uint64_t form_ms_max, heal_ms_max, heal_ms_sum;
    uint64_t hot_at_rest_max, hot_max;
} *seen;

static const char *const dcs[] = {"dc1", "dc2", "dc3", "dc4"};

struct trial {
    uint64_t seed;
    struct blows blows;
    struct base_sim *world;
    size_t servers;
    const char *broken; /* the promise; NULL while all are kept */
};

static uint64_t now_ms(const struct trial *trial)
{
    return base_sim_now_ns(trial->world) / 1000000u;
}

static void unless(struct trial *trial, bool kept, const char *promise)
{
    if (kept || trial->broken)
        return;
    trial->broken = promise;
    fprintf(stderr, "seed %llu: not kept at %.1f s: %s\n",
            (unsigned long long)trial->seed, (double)now_ms(trial) / 1000,
            promise);
    federation_explain(trial->blows.federation, stderr);
}

static void until_whole(struct trial *trial, uint64_t within_ms,
                        const char *promise, uint64_t *took_ms)
{
    struct federation *f = trial->blows.federation;
    uint64_t began_ms = now_ms(trial);

    if (trial->broken)
        return;
    unless(trial, federation_until(f, federation_is_whole, f, within_ms),
           promise);
    *took_ms = now_ms(trial) - began_ms;
}

static uint64_t events(const struct trial *trial)
{
    struct base_sim_stats stats = base_sim_stats(trial->world);

    return stats.timers + stats.posts + stats.jobs + stats.packets +
           stats.stream_writes;
}

/* Events a second and server since then. */
static uint64_t heat(const struct trial *trial, uint64_t from_ms,
                     uint64_t from_events)
{
    return (events(trial) - from_events) * 1000 /
           (now_ms(trial) - from_ms + 1) / trial->servers;
}

static void form(struct trial *trial)
{
    struct federation *f = trial->blows.federation;
    uint64_t took_ms = 0;
    size_t i;

    trial->blows.dcs = dcs;
    trial->blows.dc_count = 2 + (size_t)base_sim_random_below(trial->world, 3);
    for (i = 0; i < trial->blows.dc_count; i++) {
        size_t size = base_sim_random_below(trial->world, 3) == 0 ? 3 : 1;

        federation_add(f, dcs[i], size);
        trial->servers += size;
    }
    federation_start(f);
    until_whole(trial, FORM_MS, "a federation forms", &took_ms);
    scenario_highest(&seen->form_ms_max, took_ms);
}

/* Up to three blows, some while others are not repaired yet. */
static void round_of_blows(struct trial *trial)
{
    size_t count = 1 + (size_t)base_sim_random_below(trial->world, 3), i;
    uint64_t took_ms = 0;

    for (i = 0; i < count; i++) {
        blows_strike(&trial->blows);
        base_sim_run_for_ms(trial->world,
                            base_sim_random_below(trial->world, 8000));
    }
    blows_repair(&trial->blows);
    if (base_sim_random_below(trial->world, 2) == 0)
        until_whole(trial, HEAL_MS, "whole again between blows", &took_ms);
    scenario_highest(&seen->heal_ms_max, took_ms);
}

static void rest(struct trial *trial)
{
    uint64_t took_ms = 0, from_ms, from_events, hot;

    until_whole(trial, HEAL_MS, "whole again when the blows stop", &took_ms);
    scenario_highest(&seen->heal_ms_max, took_ms);
    scenario_count(&seen->heal_ms_sum, took_ms);
    if (trial->broken)
        return;
    unless(trial, blows_records_are_kept(&trial->blows),
           "an acknowledged record is in all datacenters");
    from_ms = now_ms(trial);
    from_events = events(trial);
    base_sim_run_for_ms(trial->world, REST_MS);
    hot = heat(trial, from_ms, from_events);
    scenario_highest(&seen->hot_at_rest_max, hot);
    unless(trial, hot <= HOT_AT_REST, "nobody runs hot at rest");
}

static void tell(const struct trial *trial)
{
    const uint64_t *from = (const uint64_t *)&trial->blows.counts;
    uint64_t *to = (uint64_t *)&seen->blows;
    size_t i;

    for (i = 0; i < sizeof(struct blow_counts) / sizeof(uint64_t); i++)
        scenario_count(&to[i], from[i]);
    scenario_count(&seen->runs, 1);
    scenario_count(&seen->servers, trial->servers);
}

static bool run(uint64_t seed, FILE *log)
{
    struct trial trial = {.seed = seed};
    struct federation *f = federation_new(seed);
    uint64_t hot;
    int i;

    trial.blows.federation = f;
    trial.world = federation_world(f);
    federation_log(f, log);
    base_sim_set_digest(trial.world, log != NULL);
    form(&trial);
    for (i = 0; i < ROUNDS && !trial.broken; i++)
        round_of_blows(&trial);
    rest(&trial);
    hot = heat(&trial, 0, 0);
    scenario_highest(&seen->hot_max, hot);
    unless(&trial, hot <= HOT_EVER, "nobody runs hot under blows");
    unless(&trial, federation_violations(f) == 0,
           "no packet goes past the gateways");
    tell(&trial);
    federation_free(f);
    return trial.broken == NULL;
}

static bool report(void)
{
    const struct blow_counts *blows = &seen->blows;
    const struct {
        const char *what;
        uint64_t count;
    } rows[] = {
        {"gateways replaced", blows->gateways_replaced},
        {"gateways broken", blows->gateways_broken},
        {"gateways unplugged", blows->gateways_unplugged},
        {"servers power-cycled", blows->servers_cycled},
        {"leaders killed", blows->leaders_killed},
        {"datacenters cut off", blows->partitions},
        {"primaries rebuilt", blows->primaries_rebuilt},
        {"secondaries rebuilt", blows->secondaries_rebuilt},
        {"clocks jumped", blows->clocks_jumped},
        {"records put", blows->records_put},
        {"records acknowledged and kept", blows->records_kept},
    };
    bool all = true;
    size_t i;

    printf("federation:");
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        printf("%s %llu %s", i > 0 ? "," : "",
               (unsigned long long)rows[i].count, rows[i].what);
        all &= rows[i].count > 0;
    }
    printf("\nfederation: longest to form %.1f s, to heal %.1f s (%.1f on "
           "average, virtual); events a second and server: at most %llu at "
           "rest, %llu in all\n",
           (double)seen->form_ms_max / 1000, (double)seen->heal_ms_max / 1000,
           seen->runs ? (double)seen->heal_ms_sum / 1000 / (double)seen->runs
                      : 0.0,
           (unsigned long long)seen->hot_at_rest_max,
           (unsigned long long)seen->hot_max);
    return all;
}

int main(int argc, char **argv)
{
    int code;

    seen = scenario_shared(sizeof(*seen));
    code = scenario_main(argc, argv, "federation", 1000, run);
    if (!report() && seen->runs >= SEEDS_FOR_ALL) {
        fprintf(stderr, "federation: a kind of blow never happened\n");
        return 1;
    }
    return code;
}
