/*
 * Leases (thesis 6.4.1): for how long nobody else can have become leader.
 *
 * Who answers an append votes for nobody for one election timeout from then on
 * (election_is_sticky(); thesis 4.2.3), also through a restart (core.c,
 * start()). A majority that answered appends which we sent at t or later
 * therefore elects nobody before t plus that time. Any majority that could
 * elect, of the configuration in force or of the one before, shares a server
 * with it. Each answer says which append it answers, so that t is our own
 * clock's; what the network took only makes the lease shorter.
 *
 * Clocks: a follower's runs up to drift too fast, ours up to drift too slow, so
 * our lease is shorter by both. Two milliseconds are for clocks read in whole
 * ones. Leadership transfer bypasses the wait, and so ends leases for the term.
 */
#include "core_internal.h"

#define DRIFT_PPM_MAX 500000u

int lease_init(struct raft *core, uint32_t drift_ppm)
{
    const uint64_t million = 1000000;
    uint64_t worth;

    if (drift_ppm > DRIFT_PPM_MAX)
        return RAFT_EINVAL;
    worth = core->election_ms * (million - drift_ppm) / (million + drift_ppm);
    core->lease_ms = drift_ppm > 0 && worth > 2 ? worth - 2 : 0;
    return 0;
}

uint64_t lease_until_ms(const struct raft *core)
{
    uint64_t answered[RAFT_SERVERS_MAX];
    uint32_t count = 0;
    uint32_t i, j;

    if (core->lease_ms == 0 || core->role != RAFT_LEADER || core->lease_broken)
        return 0;
    if (core_is_voter(core))
        answered[count++] = core->now_ms;
    for (i = 0; i < core->peer_count; i++) {
        if (core->peers[i].voter)
            answered[count++] = core->peers[i].lease_ms;
    }
    for (i = 1; i < count; i++) {
        uint64_t value = answered[i];

        for (j = i; j > 0 && answered[j - 1] < value; j--)
            answered[j] = answered[j - 1];
        answered[j] = value;
    }
    /* Descending: a majority answered what was sent then or later. */
    if (count == 0 || answered[count / 2] == 0)
        return 0;
    return answered[count / 2] + core->lease_ms;
}
