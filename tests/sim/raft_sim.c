/*
 * Raft under faults, from a seed: clusters of 1 to 7 servers on a virtual
 * network and memory disks, with loss, delay, duplicates, partitions (one way
 * too), crashes, slow and failing and damaged disks, clock jumps, snapshots,
 * membership changes and leadership transfers. The four safety properties are
 * checked after every event (tests/libraft/cluster.c); then everything heals
 * and a majority must commit and converge within a bound.
 *
 *   raft_sim [-seeds N] [-seed S] [-seconds V] [-log]
 *
 * Every seed runs in a process of its own, so that a failure names its seed
 * and the others go on. -seed S alone replays one; -log shows its events.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "libraft/cluster.h"

#define LIVENESS_MS 30000u

struct options {
    uint64_t seed;
    uint64_t seeds;
    uint64_t seconds;
    bool log;
};

struct run {
    struct cluster *cluster;
    unsigned first_voters;
    bool disk_failing[CLUSTER_MAX];
    bool damages; /* this seed's way: damage, or membership changes */
    bool damaged[CLUSTER_MAX];
    unsigned transfers, reads;
    uint64_t reads_done;
};

static uint64_t below(struct run *run, uint64_t bound)
{
    return base_sim_random_below(run->cluster->sim, bound);
}

static unsigned some_server(struct run *run)
{
    return (unsigned)below(run, run->cluster->count);
}

static int disk_fault(void *arg)
{
    return *(bool *)arg ? RAFT_ESTORAGE : 0;
}

static unsigned out_of_service(const struct run *run)
{
    unsigned count = 0;
    unsigned i;

    for (i = 0; i < run->cluster->count; i++)
        count += run->damaged[i];
    return count;
}

/* A stored entry gets a flipped bit; at most a minority ever does, for what a
 * majority has lost nobody can bring back. Not together with membership
 * changes: they could leave it in the majority that is needed. */
static void damage(struct run *run, unsigned victim)
{
    struct cluster *cluster = run->cluster;
    struct raft_memory_disk *disk = cluster->servers[victim].disk;
    size_t count;

    if (!run->damages || run->damaged[victim] || out_of_service(run) > 0 ||
        run->first_voters < 3 || victim >= run->first_voters)
        return;
    cluster_crash(cluster, victim);
    count = raft_memory_disk_entry_count(disk);
    if (count < 2)
        return;
    run->damaged[victim] = raft_memory_disk_flip_bit(
        disk, 1 + (size_t)below(run, count - 1), (size_t)below(run, 4096));
    if (run->damaged[victim])
        cluster->counts.damaged++;
}

static void fail_disk(struct run *run, unsigned victim)
{
    struct raft_memory_faults faults = {disk_fault,
                                        &run->disk_failing[victim]};

    run->disk_failing[victim] = true;
    raft_memory_disk_set_faults(run->cluster->servers[victim].disk, &faults);
    run->cluster->counts.disk_failures++;
}

static void revive(struct run *run, unsigned server)
{
    struct cluster *cluster = run->cluster;

    run->disk_failing[server] = false;
    if (cluster->servers[server].fatal)
        cluster_crash(cluster, server);
    cluster_start(cluster, server);
}

static void on_change(void *arg, int status)
{
    struct cluster *cluster = arg;

    if (status == 0)
        cluster->counts.changes++;
}

static void change_membership(struct run *run)
{
    struct cluster *cluster = run->cluster;
    int leader = cluster_leader(cluster);
    unsigned target = some_server(run);
    struct raft_server server;

    if (leader < 0 || run->damages)
        return;
    if (below(run, 3) == 0) {
        const struct raft_configuration *now =
            raft_node_configuration(cluster->servers[leader].node);

        /* Few voters and random crashes make a dead cluster, not a test. */
        if (now->server_count > 3)
            (void)raft_node_remove_server(cluster->servers[leader].node,
                                          cluster->servers[target].id,
                                          on_change, cluster);
        return;
    }
    cluster_server_entry(cluster, target,
                         below(run, 4) == 0 ? RAFT_NONVOTER : RAFT_VOTER,
                         &server);
    (void)raft_node_add_server(cluster->servers[leader].node, &server,
                               on_change, cluster);
}

static void on_transfer(void *arg, int status)
{
    struct run *run = arg;

    if (status == 0)
        run->transfers++;
}

/* A linearizable read must see everything acknowledged before it began. */
struct read_check {
    struct run *run;
    unsigned server;
    uint32_t boot;
    raft_index acked_before;
};

static void on_read(void *arg, int status)
{
    struct read_check *check = arg;
    struct cluster_server *server =
        &check->run->cluster->servers[check->server];

    if (status == 0) {
        check->run->reads_done++;
        if (server->boots == check->boot &&
            server->applied < check->acked_before) {
            fprintf(stderr,
                    "stale read: server %u applied %" PRIu64
                    ", acknowledged before it: %" PRIu64 "\n",
                    check->server, server->applied, check->acked_before);
            abort();
        }
    }
    base_free(check);
}

static void read_somewhere(struct run *run)
{
    struct cluster *cluster = run->cluster;
    unsigned target = some_server(run);
    struct read_check *check;

    if (cluster->servers[target].node == NULL)
        return;
    BASE_NEW(check);
    check->run = run;
    check->server = target;
    check->boot = cluster->servers[target].boots;
    check->acked_before = cluster->acked_max;
    if (raft_node_read_barrier(cluster->servers[target].node, on_read, check) <
        0)
        base_free(check);
    else
        run->reads++;
}

static void network_fault(struct run *run)
{
    struct cluster *cluster = run->cluster;
    unsigned a = some_server(run);
    unsigned b = some_server(run);

    switch (below(run, 6)) {
    case 0:
        if (a != b)
            cluster_cut_one_way(cluster, a, b, true);
        break;
    case 1:
        cluster_isolate(cluster, a, true);
        break;
    case 2:
        if (a != b)
            cluster_cut(cluster, a, b, true);
        break;
    case 3:
        cluster->loss_ppm = (uint32_t)below(run, 300000);
        cluster->duplicate_ppm = (uint32_t)below(run, 200000);
        break;
    case 4:
        cluster->delay_max_us = 1000 + (uint32_t)below(run, 100000);
        break;
    default:
        cluster_heal(cluster);
        cluster->delay_max_us = 0;
    }
}

static void fault(struct run *run)
{
    struct cluster *cluster = run->cluster;
    unsigned victim = some_server(run);
    int leader = cluster_leader(cluster);

    switch (below(run, 16)) {
    case 0:
        cluster_crash(cluster, victim);
        break;
    case 1:
        if (leader >= 0)
            cluster_crash(cluster, (unsigned)leader);
        break;
    case 2:
    case 3:
    case 4:
        revive(run, victim);
        break;
    case 5:
    case 6:
    case 7:
        network_fault(run);
        break;
    case 8:
        fail_disk(run, victim);
        break;
    case 9:
        if (below(run, 6) == 0)
            damage(run, victim);
        break;
    case 10:
        /* A slow disk, everywhere: what waits in it is lost at a crash. */
        base_sim_set_job_delay(cluster->sim, 50,
                               1000 + (uint32_t)below(run, 300000));
        break;
    case 11:
        base_sim_set_job_delay(cluster->sim, 50, 500);
        break;
    case 12:
        base_sim_host_shift_wall(cluster->servers[victim].host,
                                 (int64_t)below(run, 7200) * 1000000000 -
                                     3600000000000);
        break;
    case 13:
        change_membership(run);
        break;
    case 14:
        if (leader >= 0)
            (void)raft_node_transfer(
                cluster->servers[leader].node,
                below(run, 2) == 0 ? "" : cluster->servers[victim].id,
                on_transfer, run);
        break;
    default:
        read_somewhere(run);
    }
}

static void load_some(struct run *run)
{
    struct cluster *cluster = run->cluster;
    unsigned count = (unsigned)below(run, 12);
    unsigned target = some_server(run);
    int leader = cluster_leader(cluster);

    while (count-- > 0) {
        if (leader >= 0)
            (void)cluster_propose(cluster, (unsigned)leader,
                                  (size_t)below(run, 400));
        (void)cluster_propose(cluster, target, 16);
    }
    read_somewhere(run);
}

static void heal_everything(struct run *run)
{
    struct cluster *cluster = run->cluster;
    unsigned i;

    cluster_heal(cluster);
    cluster->delay_max_us = 0;
    base_sim_set_job_delay(cluster->sim, 50, 500);
    for (i = 0; i < cluster->count; i++) {
        if (run->damaged[i])
            cluster_crash(cluster, i); /* for good, as an operator would */
        else
            revive(run, i);
    }
}

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
                status.commit_index, status.applied_index, server->state_count,
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

static bool run_seed(uint64_t seed, const struct options *options,
                     struct cluster_counts *counts)
{
    struct run run = {0};
    struct cluster *cluster;
    uint64_t until;
    unsigned servers, voters;
    uint32_t threshold;
    bool ok;

    servers = 1 + (unsigned)(seed * 0x9e3779b97f4a7c15ull >> 32) % CLUSTER_MAX;
    voters = servers > 3 ? servers - (unsigned)(seed % 3) : servers;
    threshold = seed % 4 == 0 ? UINT32_MAX : 50 + (uint32_t)(seed % 200);
    cluster = cluster_new_with(seed, servers, voters, threshold);
    run.cluster = cluster;
    run.first_voters = voters;
    run.damages = seed % 5 < 2;
    if (options->log)
        base_sim_set_log(cluster->sim, stdout);
    base_sim_set_digest(cluster->sim, options->log);
    until = base_sim_now_ns(cluster->sim) + options->seconds * 1000000000u;
    while (base_sim_now_ns(cluster->sim) < until) {
        fault(&run);
        load_some(&run);
        cluster_run_ms(cluster, below(&run, 600));
    }
    heal_everything(&run);
    cluster_run_ms(cluster, 2000); /* failures under way show themselves */
    heal_everything(&run);
    ok = must(cluster, cluster_commit(cluster, 10, LIVENESS_MS),
              "no commit after healing") &&
         must(cluster, cluster_run_until_converged(cluster, LIVENESS_MS),
              "servers that are up did not converge");
    cluster->counts.transfers = run.transfers;
    cluster->counts.reads = run.reads_done;
    *counts = cluster->counts;
    cluster_free(cluster);
    return ok;
}

/* ---- many seeds ---- */

static void add(struct cluster_counts *sum, const struct cluster_counts *more)
{
    uint64_t *to = (uint64_t *)(void *)sum;
    const uint64_t *from = (const uint64_t *)(const void *)more;
    size_t i;

    for (i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
        to[i] += from[i];
}

static void print_counts(const struct cluster_counts *counts)
{
    printf("elections %" PRIu64 "\ntruncations %" PRIu64 "\ncrashes %" PRIu64
           "\nacknowledged %" PRIu64 "\nsnapshots taken %" PRIu64
           "\nsnapshots restored %" PRIu64 "\nmembership changes %" PRIu64
           "\ntransfers %" PRIu64 "\nreads %" PRIu64
           "\nfailed disks %" PRIu64 "\ndamaged entries %" PRIu64 "\n",
           counts->elections, counts->truncations, counts->crashes,
           counts->acked, counts->snapshots, counts->restores, counts->changes,
           counts->transfers, counts->reads, counts->disk_failures,
           counts->damaged);
}

static bool any_zero(const struct cluster_counts *counts)
{
    const uint64_t *each = (const uint64_t *)(const void *)counts;
    size_t i;

    for (i = 0; i < sizeof(*counts) / sizeof(uint64_t); i++) {
        if (each[i] == 0)
            return true;
    }
    return false;
}

/* In a child: an abort there is a failure of that seed only. */
static bool run_apart(uint64_t seed, const struct options *options,
                      struct cluster_counts *counts)
{
    int pipes[2];
    int status = 0;
    pid_t child;

    if (pipe(pipes) < 0)
        return false;
    child = fork();
    if (child == 0) {
        struct cluster_counts mine;
        bool ok;

        close(pipes[0]);
        ok = run_seed(seed, options, &mine);
        ok = write(pipes[1], &mine, sizeof(mine)) == (ssize_t)sizeof(mine) &&
             ok;
        fflush(stdout);
        _exit(ok ? 0 : 1);
    }
    close(pipes[1]);
    memset(counts, 0, sizeof(*counts));
    if (read(pipes[0], counts, sizeof(*counts)) != (ssize_t)sizeof(*counts))
        memset(counts, 0, sizeof(*counts));
    close(pipes[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool parse(int argc, char **argv, struct options *options)
{
    int i;

    *options = (struct options){.seed = 1, .seeds = 1, .seconds = 60};
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-log") == 0) {
            options->log = true;
            continue;
        }
        if (i + 1 == argc)
            return false;
        if (strcmp(argv[i], "-seeds") == 0)
            options->seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "-seed") == 0)
            options->seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "-seconds") == 0)
            options->seconds = strtoull(argv[++i], NULL, 10);
        else
            return false;
    }
    return options->seeds > 0;
}

int main(int argc, char **argv)
{
    struct cluster_counts sum = {0};
    struct options options;
    uint64_t failures = 0;
    uint64_t i;

    if (!parse(argc, argv, &options)) {
        fprintf(stderr, "usage: raft_sim [-seeds N] [-seed S] [-seconds V] "
                        "[-log]\n");
        return 2;
    }
    for (i = 0; i < options.seeds; i++) {
        struct cluster_counts counts;

        if (!run_apart(options.seed + i, &options, &counts)) {
            failures++;
            printf("FAILED seed %" PRIu64 ": raft_sim -seed %" PRIu64
                   " -seconds %" PRIu64 "\n",
                   options.seed + i, options.seed + i, options.seconds);
            fflush(stdout);
        }
        add(&sum, &counts);
    }
    printf("seeds %" PRIu64 "\nfailures %" PRIu64 "\n", options.seeds,
           failures);
    print_counts(&sum);
    /* A fault that never happened was never survived. */
    if (options.seeds >= 100 && any_zero(&sum)) {
        printf("FAILED: a count is zero\n");
        return 1;
    }
    return failures == 0 ? 0 : 1;
}
