/*
 * Pools of 3 to 30 serf nodes under trouble, from a seed: loss, delay,
 * duplicates, partitions whole and one way, slow nodes, crashes and restarts,
 * leaves and force-leaves, tag changes, user events and queries. Promises that
 * hold at every moment are looked at all along (gossip_promises.c); then the
 * network heals, and within HEAL_MS all must agree on who is there, with
 * whatever the pool does by itself; then nothing more may happen, and an event
 * and a query must reach everybody.
 */
#include <string.h>

#include "sim/gossip_world.h"
#include "sim/scenario.h"

#define TROUBLES 100u
#define TROUBLE_MS 4000u /* between two of them, at most */
#define SPLIT_MS 150000u
#define SETTLE_MS 15000u
/* What a pool may need once the network is whole, for each of its nodes. Serf
 * has about one node every 30 s try a member that is known to have failed; if
 * one node alone still knows it, its turn comes once in so many times 30 s as
 * the pool has nodes, and then only by luck: e^-8 of them take longer. */
#define HEAL_MS (8u * 30000u)
/* That a failed node had left goes round by push/pull alone: every 30 s, each
 * time to about twice as many. */
#define GONE_MS 400000u
#define CALM_MS 60000u
#define NEWS_MS 90000u

static struct gossip_counts seen;
static uint64_t heals, healed_ms_sum, healed_ms_max, gone_ms_max, bridges;

static size_t some_node(struct gossip_world *world)
{
    return (size_t)gossip_world_below(world, world->count);
}

/* The pool falls in two, or one half does not reach the other. */
static void part(struct gossip_world *world, bool one_way)
{
    uint64_t side = 1 + gossip_world_below(world, (1u << world->count) - 2);
    size_t a, b;

    for (a = 0; a < world->count; a++)
        for (b = 0; b < world->count; b++) {
            bool from = side >> a & 1, to = side >> b & 1;

            world->cut[a][b] = one_way ? from && !to : from != to;
        }
    if (one_way)
        world->counts.one_way++;
    else
        world->counts.partitions++;
}

static void bend_network(struct gossip_world *world)
{
    size_t a = some_node(world), b = some_node(world);

    switch (gossip_world_below(world, 6)) {
    case 0:
        part(world, gossip_world_below(world, 2) == 0);
        break;
    case 1:
        world->cut[a][b] = a != b;
        break;
    case 2:
        world->loss_ppm = (uint32_t)gossip_world_below(world, 300000);
        world->duplicate_ppm = (uint32_t)gossip_world_below(world, 200000);
        break;
    case 3:
        world->delay_max_us =
            1000 + (uint32_t)gossip_world_below(world, 400000);
        break;
    case 4:
        world->slow_us[a] = (uint32_t)gossip_world_below(world, 3000000);
        world->counts.slow++;
        break;
    default:
        gossip_world_heal(world);
    }
}

static void revive(struct gossip_world *world, size_t index)
{
    if (gossip_world_runs(world, index))
        return;
    gossip_world_start(world, index);
    world->counts.restarts++;
}

static void trouble(struct gossip_world *world)
{
    size_t index = some_node(world);

    if (!gossip_world_runs(world, index)) {
        if (gossip_world_below(world, 2) == 0)
            revive(world, index);
        return;
    }
    switch (gossip_world_below(world, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        bend_network(world);
        break;
    case 4:
    case 5:
        gossip_world_crash(world, index);
        world->counts.crashes++;
        break;
    case 6:
        gossip_world_leave(world, index);
        break;
    case 7:
        gossip_world_force_leave(world, index, some_node(world),
                                 gossip_world_below(world, 4) == 0);
        break;
    case 8:
        gossip_world_set_tag(world, index);
        break;
    case 9:
        (void)gossip_world_query(world, index);
        break;
    default:
        (void)gossip_world_event(world, index);
    }
}

/* The last trouble of some: in two for longer than the dead are gossiped to, so
 * that only serf's tries bring the halves together. */
static void split_for_long(struct gossip_world *world)
{
    gossip_world_heal(world);
    part(world, false);
    gossip_world_run_ms(world, SPLIT_MS);
}

/* Virtual ms until all agree on what; within_ms if they do not. */
static uint64_t settle(struct gossip_world *world,
                       bool (*agrees)(const struct gossip_world *world,
                                      bool tell),
                       uint64_t within_ms)
{
    uint64_t ms = 0;

    for (; ms < within_ms && !agrees(world, false); ms += 1000) {
        if (ms % 10000 == 0)
            bridges += gossip_world_bridge(world);
        gossip_world_run_ms(world, 1000);
    }
    if (ms >= within_ms) {
        gossip_world_break(world, "no agreement %u s after healing",
                           (unsigned)(within_ms / 1000));
        (void)agrees(world, true);
    }
    return ms;
}

static void heal(struct gossip_world *world)
{
    uint64_t ms;

    gossip_world_heal(world);
    /* Goodbyes end, connections from before break, new nodes find somebody. */
    gossip_world_run_ms(world, SETTLE_MS);
    ms = SETTLE_MS + settle(world, gossip_world_agrees, HEAL_MS * world->count);
    heals++;
    healed_ms_sum += ms;
    if (ms > healed_ms_max)
        healed_ms_max = ms;
    ms = settle(world, gossip_world_agrees_on_gone, GONE_MS);
    if (ms > gone_ms_max)
        gone_ms_max = ms;
}

/* In a pool that is well an event reaches everybody once: by gossip, or, for
 * the few that gossip misses, by push/pull. A query has gossip alone; but who
 * is asked answers. */
static void spread(struct gossip_world *world)
{
    uint64_t queries = world->counts.queries, answers = world->counts.answers;
    size_t running = 0, first = 0, i;
    unsigned event;

    for (i = world->count; i-- > 0;)
        if (gossip_world_runs(world, i)) {
            running++;
            first = i;
        }
    event = gossip_world_event(world, first);
    (void)gossip_world_query(world, first);
    gossip_world_run_ms(world, NEWS_MS);
    for (i = 0; i < world->count; i++)
        if (gossip_world_runs(world, i) && world->nodes[i].heard[event] != 1)
            gossip_world_break(world, "n%u has not heard of event e%u",
                               (unsigned)i, event);
    queries = world->counts.queries - queries;
    answers = world->counts.answers - answers;
    if (answers != queries || queries < running / 2)
        gossip_world_break(world, "%u running, %u asked, %u answered",
                           (unsigned)running, (unsigned)queries,
                           (unsigned)answers);
}

static void stays_calm(struct gossip_world *world)
{
    struct gossip_counts before = world->counts;

    gossip_world_run_ms(world, CALM_MS);
    if (world->counts.joins != before.joins ||
        world->counts.deaths != before.deaths ||
        !gossip_world_agrees(world, false))
        gossip_world_break(world, "members flap in a pool that is well");
}

static void add_counts(struct gossip_world *world)
{
    uint64_t *to = (uint64_t *)(void *)&seen;
    const uint64_t *from = (const uint64_t *)(void *)&world->counts;
    size_t i;

    world->counts.refutations = base_counter_value(base_metrics_counter(
        world->metrics, "isthmus.memberlist.refutations", NULL, NULL));
    world->counts.push_pulls = base_counter_value(base_metrics_counter(
        world->metrics, "isthmus.memberlist.push_pulls", "result", "ok"));
    world->counts.lost = base_sim_stats(world->sim).packets_lost;
    for (i = 0; i < sizeof(seen) / sizeof(uint64_t); i++)
        to[i] += from[i];
}

static struct gossip_world *pool_of(uint64_t seed, FILE *log)
{
    /* Small pools are as likely as large ones. */
    size_t count = 3 + (size_t)(seed * 0x9e3779b97f4a7c15ull >> 32) %
                           (seed % 4 == 0 ? GOSSIP_WORLD_NODES - 2 : 10);
    struct gossip_world *world = gossip_world_new(seed, count, log);
    size_t i;

    world->compression = seed % 3 != 0;
    if (seed % 5 == 0) {
        world->keyring = gossip_keyring_new();
        (void)gossip_keyring_add(world->keyring, "0123456789abcdef", 16);
    }
    for (i = 0; i < count; i++)
        gossip_world_start(world, i);
    return world;
}

static bool run(uint64_t seed, FILE *log)
{
    struct gossip_world *world = pool_of(seed, log);
    unsigned i;
    bool ok;

    gossip_world_run_ms(world, 10000);
    for (i = 0; i < TROUBLES && !world->broken; i++) {
        trouble(world);
        gossip_world_run_ms(world, gossip_world_below(world, TROUBLE_MS));
    }
    revive(world, 0); /* somebody must be there to agree */
    if (seed % 4 == 1 && !world->broken)
        split_for_long(world);
    if (!world->broken)
        heal(world);
    if (!world->broken)
        stays_calm(world);
    if (!world->broken)
        spread(world);
    add_counts(world);
    ok = !world->broken;
    gossip_world_free(world);
    return ok;
}

/* A fault that never happened was never survived. */
static bool print_counts(void)
{
    bool all = true;

#define X(name, text)                                                          \
    printf("gossip: %llu %s\n", (unsigned long long)seen.name, text);          \
    all = all && seen.name > 0;
    GOSSIP_COUNTS(X)
#undef X
    printf("gossip: healed within %llu s on average, %llu s at most; %llu s "
           "more for who had left; %llu manual joins\n",
           (unsigned long long)(healed_ms_sum / (heals + (heals == 0)) / 1000),
           (unsigned long long)healed_ms_max / 1000,
           (unsigned long long)gone_ms_max / 1000, (unsigned long long)bridges);
    return all;
}

int main(int argc, char **argv)
{
    int code = scenario_main(argc, argv, "gossip", 200, run);
    bool all = print_counts();

    /* One seed alone need not see everything. */
    if (!all && argc > 2 && strcmp(argv[1], "-seeds") == 0) {
        printf("gossip: FAILED: a count is zero\n");
        return 1;
    }
    return code;
}
