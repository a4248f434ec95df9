/* The simulated cluster: its time, and what is awaited in it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "cluster_internal.h"

#define STEPS_AT_ONCE_MAX 1000000u

/* Work that makes itself more work, at one and the same moment, never ends. */
static void check_time_passes(struct cluster *cluster)
{
    uint64_t now_ns = base_sim_now_ns(cluster->sim);

    cluster->steps = now_ns == cluster->steps_at_ns ? cluster->steps + 1 : 0;
    cluster->steps_at_ns = now_ns;
    if (cluster->steps < STEPS_AT_ONCE_MAX)
        return;
    fprintf(stderr, "a loop that never ends, at %" PRIu64 " ns\n", now_ns);
    abort();
}

bool cluster_run_until(struct cluster *cluster, bool (*done)(void *arg),
                       void *arg, uint64_t within_ms)
{
    uint64_t until = base_sim_now_ns(cluster->sim) + within_ms * 1000000u;

    while (done == NULL || !done(arg)) {
        if (base_sim_now_ns(cluster->sim) >= until)
            return done == NULL;
        if (base_sim_step(cluster->sim)) {
            cluster_crash_cut_off(cluster);
            cluster_check(cluster);
            check_time_passes(cluster);
        } else {
            /* Everybody is down: only time passes. */
            base_sim_run_until(cluster->sim, until);
        }
    }
    return true;
}

void cluster_run_ms(struct cluster *cluster, uint64_t duration_ms)
{
    cluster_run_until(cluster, NULL, NULL, duration_ms);
}

int cluster_leader(const struct cluster *cluster)
{
    raft_term best = 0;
    int leader = -1;
    unsigned i;

    for (i = 0; i < cluster->count; i++) {
        const struct raft *core = cluster_core(cluster, i);

        if (core == NULL || cluster->servers[i].fatal ||
            raft_role(core) != RAFT_LEADER || raft_current_term(core) < best)
            continue;
        best = raft_current_term(core);
        leader = (int)i;
    }
    return leader;
}

static bool has_leader(void *arg)
{
    return cluster_leader(arg) >= 0;
}

bool cluster_run_until_leader(struct cluster *cluster, uint64_t within_ms)
{
    return cluster_run_until(cluster, has_leader, cluster, within_ms);
}

static void on_proposed(void *arg, int status, raft_index index, void *result)
{
    struct cluster *cluster = arg;

    (void)result;
    if (status == 0) {
        cluster->counts.acked++;
        if (index > cluster->acked_max)
            cluster->acked_max = index;
    }
    cluster->proposals_open--;
}

int cluster_propose(struct cluster *cluster, unsigned server, size_t len)
{
    uint8_t *data;
    size_t i;
    int rv;

    if (cluster->servers[server].node == NULL)
        return RAFT_ESTOPPED;
    data = base_alloc(len + 1);
    data[0] = 0; /* no client's */
    for (i = 1; i < len; i++)
        data[i] = (uint8_t)base_sim_random_below(cluster->sim, 256);
    rv = raft_node_propose(cluster->servers[server].node, data, len,
                           on_proposed, cluster);
    if (rv == 0)
        cluster->proposals_open++;
    base_free(data);
    return rv;
}

struct acked_wait {
    struct cluster *cluster;
    uint64_t wanted;
};

static bool all_acked(void *arg)
{
    struct acked_wait *wait = arg;

    return wait->cluster->counts.acked >= wait->wanted;
}

bool cluster_commit(struct cluster *cluster, unsigned count,
                    uint64_t within_ms)
{
    struct acked_wait wait = {cluster, cluster->counts.acked + count};
    uint64_t until = base_sim_now_ns(cluster->sim) + within_ms * 1000000u;

    while (cluster->counts.acked < wait.wanted &&
           base_sim_now_ns(cluster->sim) < until) {
        uint64_t left = wait.wanted - cluster->counts.acked;
        int leader = cluster_leader(cluster);

        while (leader >= 0 && left-- > 0)
            (void)cluster_propose(cluster, (unsigned)leader, 32);
        cluster_run_until(cluster, all_acked, &wait, 500);
    }
    return cluster->counts.acked >= wait.wanted;
}

bool cluster_converged(const struct cluster *cluster)
{
    const struct cluster_server *first = NULL;
    const struct raft_configuration *members;
    int leader = cluster_leader(cluster);
    unsigned i;

    if (leader < 0)
        return false;
    members = raft_node_configuration(cluster->servers[leader].node);
    for (i = 0; i < cluster->count; i++) {
        const struct cluster_server *server = &cluster->servers[i];

        if (server->node == NULL ||
            raft_configuration_find(members, server->id) == NULL)
            continue;
        if (first == NULL)
            first = server;
        if (server->state.count != first->state.count ||
            server->state.sum != first->state.sum ||
            server->state.applied < cluster->acked_max)
            return false;
    }
    return first != NULL;
}

static bool converged(void *arg)
{
    return cluster_converged(arg);
}

bool cluster_run_until_converged(struct cluster *cluster, uint64_t within_ms)
{
    return cluster_run_until(cluster, converged, cluster, within_ms);
}
