/*
 * Pools in the simulator: how a full one of 10,000 nodes runs, how fast news of
 * a death reaches all, how a pool forms by joins, and what Lifeguard is good
 * for.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "gossip_crowd.h"
#include "memberlist/node.h"

/* Compression is off: it costs a simulated packet what it costs a real one,
 * more than all the rest, and teaches nothing here. */
static struct gossip_params params_of(void)
{
    struct gossip_params params = gossip_params_lan;

    params.compression = false;
    return params;
}

static size_t size_of(const struct bench_options *options)
{
    return options->nodes > 0 ? options->nodes : options->quick ? 200 : 1000;
}

/* Each row in a process of its own, for its peak of memory. */
static void in_child(void (*row)(size_t count, bool quick), size_t count,
                     bool quick)
{
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        row(count, quick);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

/* ---- from filled views, with churn ---- */

static double view_bytes(const struct crowd *crowd)
{
    const struct ml_members *members = &crowd->nodes[0].ml->members;
    size_t bytes = members->chunk_count *
                       (ML_CHUNK * sizeof(struct ml_member) + sizeof(void *)) +
                   members->index_count * sizeof(*members->index) +
                   members->ring_cap * sizeof(*members->ring);

    return (double)bytes / (double)members->count;
}

static void curve_row(size_t count, bool quick)
{
    struct gossip_params params = params_of();
    struct crowd *crowd = crowd_new(1, count, &params);
    uint64_t gap_ms = 60000 * 100 / count; /* 1 % a minute */
    uint64_t run_ms = quick ? 20000 : count >= 10000 ? 45000 : 600000;
    double began_s = bench_now_s(), filled_s, real_s, cpu_s, view;
    struct base_sim_stats before, after;
    size_t i;

    for (i = 0; i < count; i++)
        crowd_start(crowd, i, true);
    filled_s = bench_now_s() - began_s;
    view = view_bytes(crowd);
    crowd_run(crowd, 5000, 0); /* each says once that it is there */
    before = base_sim_stats(crowd->sim);
    began_s = bench_now_s();
    cpu_s = bench_cpu_s();
    crowd_run(crowd, run_ms, gap_ms);
    real_s = bench_now_s() - began_s;
    cpu_s = bench_cpu_s() - cpu_s;
    after = base_sim_stats(crowd->sim);
    printf("| %zu | %.0f | %.0f | %.1f | %.2f | %.2f | %.1f | %.1f | %zu | "
           "%.1f | %.1f | %.1f | %.1f | %zu |\n",
           count, view, bench_peak_mib(), filled_s,
           (double)run_ms / 1000 / real_s, (double)run_ms / 1000 / cpu_s,
           cpu_s * 1e9 / (double)run_ms / (double)count,
           (double)(after.packets - before.packets) * 1000 / (double)run_ms /
               (double)count,
           crowd->first_ms.count,
           (double)bench_percentile(crowd->first_ms.values,
                                    crowd->first_ms.count, 50) / 1000,
           (double)bench_percentile(crowd->all_ms.values,
                                    crowd->all_ms.count, 50) / 1000,
           (double)bench_percentile(crowd->all_ms.values,
                                    crowd->all_ms.count, 100) / 1000,
           (double)crowd_bound_ms(crowd) / 1000,
           crowd->false_healthy + crowd->false_slow);
}

void bench_curve(const struct bench_options *options)
{
    static const size_t counts[] = {100, 1000, 10000};
    size_t i;

    printf("Pools in the simulator, one thread: full views from the start, "
           "then 1 %% of the\nnodes a minute killed and back by a join; LAN "
           "parameters, no compression.\n\n"
           "| nodes | B a view entry | peak MiB | s to fill | virtual s a real "
           "s | a CPU s | us CPU a node and s | packets a node and s | "
           "deaths | first knows, s | all know, s | at most | bound | false "
           "deaths |\n"
           "| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: "
           "| --: | --: | --: |\n");
    for (i = 0; i < BASE_COUNT_OF(counts) && options->nodes == 0; i++)
        in_child(curve_row, counts[i], options->quick);
    if (options->nodes > 0)
        in_child(curve_row, options->nodes, options->quick);
}

/* ---- by joins ---- */

#define JOINS_A_SECOND 100u

/* Virtual seconds since the start; ten minutes at most. */
static double until_agreement(struct crowd *crowd, double share)
{
    while (crowd_agreement(crowd) < share &&
           base_sim_now_ns(crowd->sim) < UINT64_C(600000000000))
        crowd_run(crowd, 100, 0);
    return (double)base_sim_now_ns(crowd->sim) / 1e9;
}

static void joins_row(size_t count, bool quick)
{
    struct gossip_params params = params_of();
    struct crowd *crowd = crowd_new(1, count, &params);
    double began_s = bench_now_s(), most_s, all_s;
    size_t i;

    (void)quick;
    crowd_start(crowd, 0, false);
    for (i = 1; i < count; i++) {
        crowd_start(crowd, i, false);
        crowd_join(crowd, i);
        if (i % (JOINS_A_SECOND / 10) == 0)
            crowd_run(crowd, 100, 0);
    }
    most_s = until_agreement(crowd, 0.999);
    all_s = until_agreement(crowd, 1);
    printf("| %zu | %zu | %.1f | %.1f | %.1f | %.1f | %.0f | %zu |\n", count,
           crowd->joined, (double)(count - 1) / JOINS_A_SECOND, most_s, all_s,
           bench_now_s() - began_s, bench_peak_mib(),
           crowd->false_healthy);
}

void bench_joins(const struct bench_options *options)
{
    printf("A pool formed by joins: 100 nodes a second start and each asks a "
           "random one.\n\n"
           "| nodes | joins | last start, s | 99.9 %% of all views, s | all of "
           "them, s | real s | peak MiB | false deaths |\n"
           "| --: | --: | --: | --: | --: | --: | --: | --: |\n");
    in_child(joins_row, size_of(options), options->quick);
}

/* ---- false deaths ---- */

static void lifeguard_row(bool lifeguard, size_t count, uint64_t run_ms)
{
    struct gossip_params params = params_of();
    struct crowd *crowd;
    size_t i;

    if (!lifeguard) {
        params.awareness_max_multiplier = 1;
        params.suspicion_max_timeout_mult = 1;
    }
    crowd = crowd_new(1, count, &params);
    crowd->loss_ppm = 50000;
    crowd->slow_count = count / 100;
    crowd->slow_ms = 16000;
    for (i = 0; i < count; i++)
        crowd_start(crowd, i, true);
    crowd_run(crowd, run_ms, 0);
    printf("| %s | %.0f | %zu | %zu | %zu |\n", lifeguard ? "on" : "off",
           (double)run_ms / 60000, crowd->false_healthy, crowd->false_slow,
           crowd->false_views);
}

void bench_lifeguard(const struct bench_options *options)
{
    size_t count = size_of(options);
    uint64_t run_ms = options->quick ? 60000 : 600000;

    printf("False deaths in a pool of %zu nodes with 5 %% of the packets lost "
           "and 1 %% of the nodes slow\n(their process stands still for 16 s, "
           "then works for 16 s).\n\n"
           "| Lifeguard | minutes | healthy nodes said dead | slow nodes said "
           "dead | views that were wrong |\n| --- | --: | --: | --: | --: |\n",
           count);
    lifeguard_row(true, count, run_ms);
    lifeguard_row(false, count, run_ms);
}
