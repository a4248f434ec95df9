/*
 * Raft under faults, from a seed: clusters of 1 to 7 servers on a virtual
 * network, with loss, delay, reordering, duplicates and partitions (one way
 * too); servers that lose power or are killed at any moment, slow, full and
 * failing disks, syncs that fail, bits that flip; clocks that drift and jump;
 * snapshots, membership changes and leadership transfers. Each fourth seed
 * runs SQLite itself, on disks that lose and tear what was not synced
 * (tests/libraft/fault_disk.h); the others memory disks.
 *
 * The four safety properties are checked after every event
 * (tests/libraft/cluster_check.c), what clients saw is checked for
 * linearizability (linear.h), and at the end everything heals and a majority
 * must commit and converge within a bound.
 *
 *   raft_sim [-seeds N] [-seed S] [-seconds V] [-jobs J] [-log]
 *
 * Every seed runs in a process of its own, J at a time, so that a failure
 * names its seed and the others go on. -seed S alone replays one; -log shows
 * its events.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raft_faults.h"

#define LIVENESS_MS 30000u
#define JOBS_MAX 64u

struct options {
    uint64_t seed;
    uint64_t seeds;
    uint64_t seconds;
    uint64_t jobs;
    bool log;
};

/* ---- one seed ---- */

static void print_servers(const struct cluster *cluster)
{
    unsigned i;

    for (i = 0; i < cluster->count; i++) {
        const struct cluster_server *server = &cluster->servers[i];
        struct raft_status status = {0};

        if (server->node == NULL) {
            fprintf(stderr, "  s%u is down\n", i);
            continue;
        }
        raft_node_status(server->node, &status);
        fprintf(stderr,
                "  s%u %s term %" PRIu64 " leader %s log %" PRIu64 "..%" PRIu64
                " durable %" PRIu64 " commit %" PRIu64 " applied %" PRIu64
                " commands %" PRIu64 " servers %u%s%s\n",
                i, raft_role_name(status.role), status.term, status.leader_id,
                status.first_index, status.last_index, status.durable_index,
                status.commit_index, status.applied_index, server->state.count,
                raft_node_configuration(server->node)->server_count,
                status.behind ? " behind" : "",
                status.stopped ? " stopped" : "");
    }
}

static bool must(const struct cluster *cluster, bool condition,
                 const char *what)
{
    if (!condition) {
        fprintf(stderr, "liveness: %s\n", what);
        print_servers(cluster);
    }
    return condition;
}

/* What kind of cluster it is comes from the seed too, by other bits of it. */
static struct cluster_config config_of(uint64_t seed)
{
    static const uint32_t drifts[] = {0, 500, 10000, 100000};
    uint64_t bits = seed * 0x9e3779b97f4a7c15ull >> 32;
    struct cluster_config config = {.seed = seed};

    config.count = 1 + (unsigned)(bits % CLUSTER_MAX);
    config.voters = config.count;
    if (config.count > 3)
        config.voters -= (unsigned)(bits >> 4) % 3;
    if ((bits >> 8) % 4 != 0)
        config.snapshot_threshold = 50 + (uint32_t)(bits >> 12) % 200;
    config.drift_ppm = drifts[(bits >> 10) % 4];
    if ((bits >> 16) % 2 == 0) /* within the bound that it is promised */
        config.lease_ppm = config.drift_ppm + 1;
    config.on_files = seed % 4 == 0;
    return config;
}

static void add_disks(struct cluster *cluster)
{
    unsigned i;

    for (i = 0; cluster->config.on_files && i < cluster->count; i++) {
        const struct fault_counts *counts =
            fault_disk_counts(cluster->servers[i].files);

        cluster->counts.torn_writes += counts->torn;
        cluster->counts.lost_writes += counts->lost;
        cluster->counts.failed_syncs += counts->failed_syncs;
        cluster->counts.full_disks += counts->full;
    }
}

static bool all_whole(void *arg)
{
    return faults_all_whole(arg);
}

static bool run_seed(uint64_t seed, const struct options *options,
                     struct cluster_counts *counts)
{
    struct cluster_config config = config_of(seed);
    struct cluster *cluster = cluster_make(&config);
    struct faults faults = {.cluster = cluster,
                            .first_voters = config.voters,
                            .flips_bits = seed % 5 < 2};
    uint64_t until;
    bool ok;

    if (options->log)
        base_sim_set_log(cluster->sim, stdout);
    base_sim_set_digest(cluster->sim, options->log);
    until = base_sim_now_ns(cluster->sim) + options->seconds * 1000000000u;
    while (base_sim_now_ns(cluster->sim) < until) {
        faults_one(&faults);
        faults_load(&faults);
        cluster_run_ms(cluster, base_sim_random_below(cluster->sim, 600));
    }
    faults_heal(&faults);
    cluster_run_ms(cluster, 2000); /* failures under way show themselves */
    faults_heal(&faults);
    ok = must(cluster, cluster_commit(cluster, 10, LIVENESS_MS),
              "no commit after healing") &&
         must(cluster, cluster_run_until_converged(cluster, LIVENESS_MS),
              "servers that are up did not converge") &&
         must(cluster, config.on_files ||
                           cluster_run_until(cluster, all_whole, &faults,
                                             LIVENESS_MS),
              "a server that lost something did not come back");
    cluster_check_history(cluster);
    add_disks(cluster);
    *counts = cluster->counts;
    cluster_free(cluster);
    return ok;
}

/* ---- many seeds ---- */

struct job {
    pid_t child;
    int fd;
    uint64_t seed;
};

static void add(struct cluster_counts *sum, const struct cluster_counts *more)
{
#define X(name, words) sum->name += more->name;
    CLUSTER_COUNT_MAP(X)
#undef X
}

/* False if one is zero: a fault that never happened was never survived. */
static bool print_counts(const struct cluster_counts *counts)
{
    bool all = true;

#define X(name, words)                                                       \
    printf("%s %" PRIu64 "\n", words, counts->name);                         \
    all = all && counts->name > 0;
    CLUSTER_COUNT_MAP(X)
#undef X
    return all;
}

/* In a child: an abort there is a failure of that seed only. */
static bool start(struct job *job, const struct options *options)
{
    int pipes[2];

    if (pipe(pipes) < 0)
        return false;
    fflush(stdout);
    job->child = fork();
    if (job->child == 0) {
        struct cluster_counts counts;
        bool ok;

        close(pipes[0]);
        ok = run_seed(job->seed, options, &counts);
        ok = write(pipes[1], &counts, sizeof(counts)) ==
                 (ssize_t)sizeof(counts) &&
             ok;
        fflush(stdout);
        _exit(ok ? 0 : 1);
    }
    close(pipes[1]);
    job->fd = pipes[0];
    return job->child > 0;
}

/* Waits for any; its place is free then. */
static struct job *finish(struct job *jobs, bool *ok,
                          struct cluster_counts *sum)
{
    struct cluster_counts counts;
    int status = 0;
    pid_t child = waitpid(-1, &status, 0);
    struct job *job = jobs;

    while (job->child != child)
        job++;
    *ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (read(job->fd, &counts, sizeof(counts)) == (ssize_t)sizeof(counts))
        add(sum, &counts);
    close(job->fd);
    job->child = 0;
    return job;
}

static uint64_t run_all(const struct options *options,
                        struct cluster_counts *sum)
{
    struct job jobs[JOBS_MAX + 1] = {{0}};
    uint64_t next = 0, running = 0, failures = 0;
    struct job *job = jobs;

    while (next < options->seeds || running > 0) {
        bool ok;

        if (next < options->seeds && running < options->jobs) {
            while (job->child != 0)
                job++;
            job->seed = options->seed + next++;
            if (!start(job, options))
                return failures + 1;
            running++;
            job = jobs;
            continue;
        }
        job = finish(jobs, &ok, sum);
        running--;
        if (!ok) {
            failures++;
            printf("FAILED seed %" PRIu64 ": raft_sim -seed %" PRIu64
                   " -seconds %" PRIu64 "\n",
                   job->seed, job->seed, options->seconds);
            fflush(stdout);
        }
    }
    return failures;
}

static bool parse(int argc, char **argv, struct options *options)
{
    const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {{"-seeds", &options->seeds},
                   {"-seed", &options->seed},
                   {"-seconds", &options->seconds},
                   {"-jobs", &options->jobs}};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int i;
    size_t j;

    *options = (struct options){.seed = 1, .seeds = 1, .seconds = 60};
    options->jobs = processors > 0 ? (uint64_t)processors : 1;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-log") == 0) {
            options->log = true;
            continue;
        }
        for (j = 0; j < sizeof(numbers) / sizeof(numbers[0]); j++) {
            if (strcmp(argv[i], numbers[j].name) == 0)
                break;
        }
        if (j == sizeof(numbers) / sizeof(numbers[0]) || i + 1 == argc)
            return false;
        *numbers[j].value = strtoull(argv[++i], NULL, 10);
    }
    if (options->jobs > JOBS_MAX)
        options->jobs = JOBS_MAX;
    return options->seeds > 0 && options->jobs > 0;
}

int main(int argc, char **argv)
{
    struct cluster_counts sum = {0};
    struct options options;
    uint64_t failures;
    bool all;

    if (!parse(argc, argv, &options)) {
        fprintf(stderr, "usage: raft_sim [-seeds N] [-seed S] [-seconds V] "
                        "[-jobs J] [-log]\n");
        return 2;
    }
    failures = run_all(&options, &sum);
    printf("seeds %" PRIu64 "\nfailures %" PRIu64 "\n", options.seeds,
           failures);
    all = print_counts(&sum);
    if (options.seeds >= 100 && !all) {
        printf("FAILED: a count is zero\n");
        return 1;
    }
    return failures == 0 ? 0 : 1;
}
