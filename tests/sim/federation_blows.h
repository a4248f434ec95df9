/*
 * Random blows for a simulated federation. A blow strikes at once and is
 * repaired later; several may be struck before the first is repaired.
 */
#ifndef SIM_FEDERATION_BLOWS_H
#define SIM_FEDERATION_BLOWS_H

#include "sim/federation.h"

/** What was done, how often. */
struct blow_counts {
    uint64_t gateways_replaced, gateways_broken, gateways_unplugged;
    uint64_t servers_cycled, leaders_killed, partitions;
    uint64_t primaries_rebuilt, secondaries_rebuilt, clocks_jumped;
    uint64_t records_put, records_kept;
};

#define BLOWS_DCS_MAX 8
#define BLOWS_PUTS_MAX 8

/** One federation under blows; zero-initialise it, then fill the first three. */
struct blows {
    struct federation *federation;
    const char *const *dcs; /* [0] is the primary */
    size_t dc_count;
    struct blow_counts counts; /* of this run */

    struct sim_gateway *sick[BLOWS_DCS_MAX]; /* broken or unplugged */
    struct blow_put {
        struct blows *blows;
        char name[16];
        bool under_way, acknowledged;
    } puts[BLOWS_PUTS_MAX];
    size_t put_count;
};

void blows_strike(struct blows *blows);
/** Everything runs and is linked again. */
void blows_repair(struct blows *blows);
/** Every record that was acknowledged (and not lost with a rebuilt primary's
 * disks) is in all datacenters. */
bool blows_records_are_kept(struct blows *blows);

#endif
