/* What happens to a cluster in raft_sim, by chance. */
#ifndef TESTS_SIM_RAFT_FAULTS_H
#define TESTS_SIM_RAFT_FAULTS_H

#include "libraft/cluster.h"

struct faults {
    struct cluster *cluster;
    unsigned first_voters;
    bool disk_failing[CLUSTER_MAX]; /* memory disks */
    /* This seed's way: bits flip, or the membership changes. Not both, for a
     * change could leave a damaged server in the majority that is needed. */
    bool flips_bits;
    bool flipped[CLUSTER_MAX]; /* a bit of its files: any of them */
};

/** One fault, or the end of some. */
void faults_one(struct faults *faults);
/** Clients and a few commands more. */
void faults_load(struct faults *faults);
/** Everything is whole again, and everybody up. */
void faults_heal(struct faults *faults);
/** Nobody's storage lacks anything, as far as it could tell. */
bool faults_all_whole(const struct faults *faults);

#endif
