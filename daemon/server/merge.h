/*
 * Who may be in our pools (federation.md section 10). Checked when pools merge
 * and on every alive message too, since gossip bypasses the merge hook.
 * Threads: the gossip loop; pure but for the log and a counter.
 */
#ifndef SERVER_MERGE_H
#define SERVER_MERGE_H

#include "base/env.h"
#include "gossip/serf.h"

struct merge_rules {
    struct base_env *env; /* the gossip loop's; for log and counters */
    bool wan;
    bool allow_foreign;     /* plain serf members of the form node.dc (WAN) */
    char datacenter[64];
    char own_name[256];
    char own_id[64];
    struct base_log_limit log_limit;
};

/** 0, or GOSSIP_EREFUSED with the reason logged and counted. */
int merge_check(struct merge_rules *rules, const struct gossip_member *member);

#endif
