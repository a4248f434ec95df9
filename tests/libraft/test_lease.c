/* Reads by lease: no round trip while it lasts, and nobody else leads then,
 * however far clocks drift within their bound. */
#include <string.h>

#include "base/alloc.h"
#include "cluster.h"
#include "suite.h"

#define DRIFT_PPM 100000

/* A read that is asked for at one moment: the answer counts only if it is there
 * at once, and may come much later. */
struct reading {
    int status; /* 1: not yet */
    bool given_up;
};

static void on_read(void *arg, int status)
{
    struct reading *reading = arg;

    reading->status = status;
    if (reading->given_up)
        base_free(reading);
}

static void nothing(void *arg, int status)
{
    (void)arg;
    (void)status;
}

/* Server 0 has a slow clock, the others fast ones. */
static struct cluster *make(uint64_t seed, uint32_t lease_ppm)
{
    static const int32_t drifts[] = {-DRIFT_PPM, DRIFT_PPM, DRIFT_PPM};
    struct cluster_config config = {.seed = seed,
                                    .count = 3,
                                    .voters = 3,
                                    .drifts = drifts,
                                    .lease_ppm = lease_ppm};

    return cluster_make(&config);
}

/* True if a read is answered at once, with everybody cut off. */
static bool reads_alone(struct cluster *cluster, unsigned server)
{
    struct reading *reading;
    bool answered;

    BASE_NEW(reading);
    reading->status = 1;
    if (raft_node_read_barrier(cluster->servers[server].node, on_read,
                               reading) < 0) {
        base_free(reading);
        return false;
    }
    base_sim_run_for_ms(cluster->sim, 0);
    answered = reading->status == 0;
    if (reading->status == 1)
        reading->given_up = true;
    else
        base_free(reading);
    return answered;
}

static unsigned led(struct cluster *cluster)
{
    ck_assert(cluster_commit(cluster, 10, 20000));
    cluster_run_ms(cluster, 300);
    return (unsigned)cluster_leader(cluster);
}

START_TEST(a_lease_saves_the_round_trip)
{
    struct cluster *cluster = make(1, DRIFT_PPM);
    unsigned leader = led(cluster);

    cluster_isolate(cluster, leader, true);
    ck_assert(reads_alone(cluster, leader));
    cluster_run_ms(cluster, 1100);
    ck_assert(!reads_alone(cluster, leader));
    cluster_free(cluster);
}
END_TEST

START_TEST(without_leases_every_read_asks)
{
    struct cluster *cluster = make(1, 0);
    unsigned leader = led(cluster);

    cluster_isolate(cluster, leader, true);
    ck_assert(!reads_alone(cluster, leader));
    cluster_run_ms(cluster, 5000); /* it steps down and says so */
    cluster_free(cluster);
}
END_TEST

/* How long the old leader, its clock slow, serves reads after another one has
 * been elected by servers whose clocks are fast: in milliseconds. */
static unsigned overlap_ms(uint64_t seed, uint32_t lease_ppm)
{
    struct cluster *cluster = make(seed, lease_ppm);
    unsigned stale = 0, waited = 0;

    while (led(cluster) != 0)
        ck_assert_int_eq(
            raft_node_transfer(
                cluster->servers[cluster_leader(cluster)].node, "s0", nothing,
                NULL),
            0);
    cluster_isolate(cluster, 0, true);
    while (cluster_leader(cluster) == 0 && waited++ < 10000)
        cluster_run_ms(cluster, 1);
    while (reads_alone(cluster, 0) && stale < 10000) {
        cluster_run_ms(cluster, 1);
        stale++;
    }
    cluster_free(cluster);
    return stale;
}

START_TEST(a_stale_leader_with_a_slow_clock_serves_no_read)
{
    ck_assert_uint_eq(overlap_ms((uint64_t)_i, DRIFT_PPM), 0);
}
END_TEST

/* The same, but the bound is a lie: the test above can fail. */
START_TEST(clocks_worse_than_their_bound_are_noticed)
{
    unsigned stale = 0;
    uint64_t seed;

    for (seed = 0; seed < 30; seed++)
        stale += overlap_ms(seed, 1) > 0;
    ck_assert_uint_gt(stale, 0);
}
END_TEST

/* Handing leadership on bypasses the wait that a lease rests on. */
START_TEST(a_transfer_ends_the_lease)
{
    struct cluster *cluster = make(7, DRIFT_PPM);
    unsigned old = led(cluster);

    ck_assert(reads_alone(cluster, old));
    ck_assert_int_eq(raft_node_transfer(cluster->servers[old].node, "",
                                        nothing, NULL),
                     0);
    cluster_isolate(cluster, old, true);
    ck_assert(!reads_alone(cluster, old));
    cluster_free(cluster);
}
END_TEST

/* What a server promised it keeps through a restart. One server that cannot
 * hear the leader asks for votes all the time; the other one refuses, for it
 * does hear it. When it restarts, the leader still relies on it. */
START_TEST(a_restarted_follower_keeps_its_promise)
{
    struct cluster *cluster = make((uint64_t)_i, DRIFT_PPM);
    unsigned old = led(cluster);
    unsigned deaf = (old + 1) % 3, other = (old + 2) % 3;
    unsigned waited = 0;

    cluster_cut(cluster, old, deaf, true);
    cluster_run_ms(cluster, 5000);
    ck_assert_int_eq(cluster_leader(cluster), (int)old);
    cluster_crash(cluster, other);
    cluster_cut(cluster, old, other, true);
    cluster_start(cluster, other);
    while (cluster_leader(cluster) == (int)old && waited++ < 10000)
        cluster_run_ms(cluster, 1);
    ck_assert(!reads_alone(cluster, old));
    cluster_free(cluster);
}
END_TEST

Suite *lease_suite(void)
{
    Suite *suite = suite_create("lease");
    TCase *tcase = tcase_create("all");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_lease_saves_the_round_trip);
    tcase_add_test(tcase, without_leases_every_read_asks);
    tcase_add_loop_test(tcase, a_stale_leader_with_a_slow_clock_serves_no_read,
                        0, 20);
    tcase_add_test(tcase, clocks_worse_than_their_bound_are_noticed);
    tcase_add_test(tcase, a_transfer_ends_the_lease);
    tcase_add_loop_test(tcase, a_restarted_follower_keeps_its_promise, 0, 10);
    suite_add_tcase(suite, tcase);
    return suite;
}
