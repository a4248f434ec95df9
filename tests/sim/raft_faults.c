/* The faults of raft_sim, one function a kind. */
#include "raft_faults.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t below(struct faults *faults, uint64_t bound)
{
    return base_sim_random_below(faults->cluster->sim, bound);
}

static unsigned some_server(struct faults *faults)
{
    return (unsigned)below(faults, faults->cluster->count);
}

/* Often the leader: it has the most to lose. */
static unsigned victim_of(struct faults *faults)
{
    int leader = cluster_leader(faults->cluster);

    return leader >= 0 && below(faults, 3) == 0 ? (unsigned)leader
                                                : some_server(faults);
}

/* ---- servers ---- */

static void revive(struct faults *faults, unsigned number)
{
    struct cluster *cluster = faults->cluster;
    struct cluster_server *server = &cluster->servers[number];

    faults->disk_failing[number] = false;
    if (server->files != NULL) {
        fault_disk_set_room(server->files, UINT64_MAX);
        fault_disk_cut_at(server->files, 0);
        fault_disk_fail_sync_at(server->files, 0);
    }
    if (server->fatal)
        cluster_crash(cluster, number);
    cluster_start(cluster, number);
    if (server->node == NULL && !faults->flipped[number]) {
        fprintf(stderr, "server %u refuses its own disk: %s\n", number,
                server->refused);
        abort();
    }
}

static void stop(struct faults *faults, unsigned victim)
{
    if (below(faults, 3) == 0)
        cluster_kill(faults->cluster, victim);
    else
        cluster_crash(faults->cluster, victim);
}

/* ---- disks ---- */

static int disk_fault(void *arg)
{
    return *(bool *)arg ? RAFT_ESTORAGE : 0;
}

static void fail_memory_disk(struct faults *faults, unsigned victim)
{
    struct raft_memory_faults how = {disk_fault,
                                     &faults->disk_failing[victim]};

    faults->disk_failing[victim] = true;
    raft_memory_disk_set_faults(faults->cluster->servers[victim].disk, &how);
    faults->cluster->counts.disk_failures++;
}

/* Power goes off inside of a write, a sync fails, or there is no room. */
static void fail_disk(struct faults *faults, unsigned victim)
{
    struct cluster_server *server = &faults->cluster->servers[victim];

    if (server->files == NULL) {
        fail_memory_disk(faults, victim);
        return;
    }
    if (server->node == NULL)
        return;
    switch (below(faults, 3)) {
    case 0:
        fault_disk_cut_at(server->files, 1 + below(faults, 60));
        break;
    case 1:
        fault_disk_fail_sync_at(server->files, 1 + below(faults, 10));
        break;
    default:
        fault_disk_set_room(server->files, below(faults, 64u << 10));
    }
}

/* What waits in a slow disk is lost at a crash. One that stalls alone takes the
 * lead from its server. */
static void slow_disks(struct faults *faults, unsigned victim)
{
    struct cluster *cluster = faults->cluster;

    if (below(faults, 2) == 0) {
        base_sim_set_job_delay(cluster->sim, 50,
                               1000 + (uint32_t)below(faults, 300000));
        return;
    }
    base_sim_host_set_job_delay(cluster->servers[victim].host, 500000,
                                500000 + (uint32_t)below(faults, 4000000));
    cluster->counts.stalled_disks++;
}

static void fast_disks(struct faults *faults)
{
    struct cluster *cluster = faults->cluster;
    unsigned i;

    base_sim_set_job_delay(cluster->sim, 50, 500);
    for (i = 0; i < cluster->count; i++)
        base_sim_host_set_job_delay(cluster->servers[i].host, 0, 0);
}

/* A bit of an entry turned over, or entries at the end gone. */
static void damage_memory_disk(struct faults *faults,
                               struct raft_memory_disk *disk)
{
    struct cluster_counts *counts = &faults->cluster->counts;
    size_t count = raft_memory_disk_entry_count(disk);

    if (count < 2)
        return;
    if (below(faults, 2) == 0) {
        raft_memory_disk_flip_bit(disk, 1 + (size_t)below(faults, count - 1),
                                  (size_t)below(faults, 4096));
        counts->damaged++;
    } else {
        raft_memory_disk_lose_tail(disk, 1 + (size_t)below(faults, count - 1));
        counts->lost_tails++;
    }
}

/* One server at a time: what a majority has lost nobody can bring back. */
static void damage(struct faults *faults, unsigned victim)
{
    struct cluster *cluster = faults->cluster;
    struct cluster_server *server = &cluster->servers[victim];

    if (!faults->flips_bits || !faults_all_whole(faults) ||
        faults->first_voters < 3 || victim >= faults->first_voters)
        return;
    if (server->files != NULL && server->node == NULL)
        return; /* it may be down for a loss of power */
    if (server->files != NULL) {
        /* Found at the next start. That it does not come after a loss of power
         * is deliberate: the two together can take the log and the side record
         * back to the same moment, and nothing on this disk could tell. */
        cluster_kill(cluster, victim);
        fault_disk_flip_bit(server->files);
        faults->flipped[victim] = true;
        cluster->counts.damaged++;
        cluster_start(cluster, victim);
    } else {
        cluster_crash(cluster, victim);
        damage_memory_disk(faults, server->disk);
    }
}

bool faults_all_whole(const struct faults *faults)
{
    const struct cluster *cluster = faults->cluster;
    unsigned i;

    for (i = 0; i < cluster->count; i++) {
        if (faults->flipped[i] ||
            (cluster->servers[i].disk != NULL &&
             !raft_memory_disk_is_whole(cluster->servers[i].disk)))
            return false;
    }
    return true;
}

/* ---- membership ---- */

static void on_change(void *arg, int status)
{
    if (status == 0)
        ((struct cluster *)arg)->counts.changes++;
}

static void on_transfer(void *arg, int status)
{
    if (status == 0)
        ((struct cluster *)arg)->counts.transfers++;
}

static void change_membership(struct faults *faults)
{
    struct cluster *cluster = faults->cluster;
    int leader = cluster_leader(cluster);
    unsigned target = some_server(faults);
    struct raft_server server;
    struct raft_node *node;

    if (leader < 0 || faults->flips_bits)
        return;
    node = cluster->servers[leader].node;
    if (below(faults, 3) == 0) {
        /* Few voters and random crashes make a dead cluster, not a test. */
        if (raft_node_configuration(node)->server_count > 3)
            (void)raft_node_remove_server(node, cluster->servers[target].id,
                                          on_change, cluster);
        return;
    }
    cluster_server_entry(cluster, target,
                         below(faults, 4) == 0 ? RAFT_NONVOTER : RAFT_VOTER,
                         &server);
    (void)raft_node_add_server(node, &server, on_change, cluster);
}

static void transfer(struct faults *faults)
{
    struct cluster *cluster = faults->cluster;
    int leader = cluster_leader(cluster);
    unsigned target = some_server(faults);

    if (leader >= 0)
        (void)raft_node_transfer(
            cluster->servers[leader].node,
            below(faults, 2) == 0 ? "" : cluster->servers[target].id,
            on_transfer, cluster);
}

static void restore(struct faults *faults)
{
    int leader = cluster_leader(faults->cluster);

    if (leader >= 0 && below(faults, 4) == 0)
        (void)cluster_restore(faults->cluster, (unsigned)leader, NULL);
}

/* ---- the network and the clocks ---- */

static void network_fault(struct faults *faults)
{
    struct cluster *cluster = faults->cluster;
    unsigned a = some_server(faults);
    unsigned b = some_server(faults);

    switch (below(faults, 6)) {
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
        cluster->loss_ppm = (uint32_t)below(faults, 300000);
        cluster->duplicate_ppm = (uint32_t)below(faults, 200000);
        break;
    case 4: /* far more than between two messages: they overtake each other */
        cluster->delay_max_us = 1000 + (uint32_t)below(faults, 100000);
        break;
    default:
        cluster_heal(cluster);
        cluster->delay_max_us = 0;
    }
}

static void jump_clock(struct faults *faults, unsigned victim)
{
    struct cluster_server *server = &faults->cluster->servers[victim];

    base_sim_host_shift_wall(server->host,
                             (int64_t)below(faults, 7200) * 1000000000 -
                                 3600000000000);
    /* Leases rest on clocks that do not jump. */
    if (faults->cluster->config.lease_ppm == 0)
        base_sim_host_jump(server->host, below(faults, 3000) * 1000000u);
    faults->cluster->counts.clock_jumps++;
}

void faults_one(struct faults *faults)
{
    unsigned victim = victim_of(faults);

    switch (below(faults, 20)) {
    case 0:
    case 1:
        stop(faults, victim);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        revive(faults, some_server(faults));
        break;
    case 6:
    case 7:
        network_fault(faults);
        break;
    case 8:
    case 9:
        fail_disk(faults, victim);
        break;
    case 10:
        if (below(faults, 6) == 0)
            damage(faults, victim);
        break;
    case 11:
        slow_disks(faults, victim);
        break;
    case 12:
        fast_disks(faults);
        break;
    case 13:
        jump_clock(faults, victim);
        break;
    case 14:
        change_membership(faults);
        break;
    case 15:
        transfer(faults);
        break;
    case 16:
        restore(faults);
        break;
    default:
        revive(faults, some_server(faults));
    }
}

/* ---- load ---- */

static void some_client(struct faults *faults)
{
    cluster_client(faults->cluster, victim_of(faults),
                   (enum history_kind)below(faults, 3),
                   (uint32_t)below(faults, CLUSTER_KEYS));
}

void faults_load(struct faults *faults)
{
    struct cluster *cluster = faults->cluster;
    unsigned count = (unsigned)below(faults, 8);
    int leader = cluster_leader(cluster);

    while (count-- > 0) {
        if (leader >= 0)
            (void)cluster_propose(cluster, (unsigned)leader,
                                  (size_t)below(faults, 400));
        some_client(faults);
    }
    if (leader >= 0)
        cluster_client(cluster, (unsigned)leader, HISTORY_READ,
                       (uint32_t)below(faults, CLUSTER_KEYS));
}

void faults_heal(struct faults *faults)
{
    struct cluster *cluster = faults->cluster;
    unsigned i;

    cluster_heal(cluster);
    cluster->delay_max_us = 0;
    fast_disks(faults);
    for (i = 0; i < cluster->count; i++) {
        if (faults->flipped[i])
            cluster_crash(cluster, i); /* for good, as an operator would */
        else
            revive(faults, i);
    }
}
