/* The checker: it looks at all servers after every event (Raft, Figure 3). */
#include "base/alloc.h"
#include "cluster_internal.h"

const struct raft *cluster_core(const struct cluster *cluster, unsigned server)
{
    if (cluster->servers[server].node == NULL)
        return NULL;
    return raft_node_core(cluster->servers[server].node);
}

/* Leader Completeness: a leader's log holds everything that any server has
 * applied. Asked when it becomes one. */
static void check_completeness(struct cluster *cluster, unsigned number,
                               const struct raft *core)
{
    raft_index index;

    for (index = raft_first_index(core); index <= cluster->fact_count;
         index++) {
        const struct cluster_fact *fact = &cluster->facts[index];

        if (fact->term == 0)
            continue;
        MUST(index <= raft_last_index(core) &&
                 raft_term_at(core, index) == fact->term,
             "leader %u of term %" PRIu64 " lacks committed entry %" PRIu64,
             number, raft_current_term(core), index);
    }
    cluster->counts.leader_checks++;
}

static void check_leader(struct cluster *cluster, unsigned number,
                         const struct raft *core)
{
    raft_term term = raft_current_term(core);
    size_t i;

    for (i = 0; i < cluster->leader_count; i++) {
        if (cluster->leaders[i].term != term)
            continue;
        /* Election Safety. */
        MUST(cluster->leaders[i].server == number,
             "two leaders in term %" PRIu64 ": %u and %u", term,
             cluster->leaders[i].server, number);
        return;
    }
    if (cluster->leader_count == cluster->leader_cap) {
        cluster->leader_cap =
            cluster->leader_cap == 0 ? 64 : cluster->leader_cap * 2;
        cluster->leaders =
            base_reallocarray(cluster->leaders, cluster->leader_cap,
                              sizeof(*cluster->leaders));
    }
    cluster->leaders[cluster->leader_count].term = term;
    cluster->leaders[cluster->leader_count].server = number;
    cluster->leader_count++;
    cluster->counts.elections++;
    check_completeness(cluster, number, core);
}

/* Log Matching, where it would break first: at the last entries of two logs
 * that agree on a later one. */
static void check_matching(struct cluster *cluster, const struct raft *a,
                           const struct raft *b)
{
    raft_index last = raft_last_index(a) < raft_last_index(b)
                          ? raft_last_index(a)
                          : raft_last_index(b);
    raft_index first = raft_first_index(a) > raft_first_index(b)
                           ? raft_first_index(a)
                           : raft_first_index(b);
    raft_index looked = 0;
    bool agreed = false;

    while (last >= first && last > 0 && looked < 20) {
        const struct raft_entry *left = raft_entry_at(a, last);
        const struct raft_entry *right = raft_entry_at(b, last);

        if (left == NULL || right == NULL)
            return;
        MUST(left->term != right->term || left->checksum == right->checksum,
             "logs differ within a term at %" PRIu64, last);
        MUST(!agreed || left->term == right->term,
             "logs agree after %" PRIu64 " and not there", last);
        agreed = left->term == right->term;
        last--;
        looked++;
    }
}

void cluster_check(struct cluster *cluster)
{
    unsigned i, j;

    for (i = 0; i < cluster->count; i++) {
        struct cluster_server *server = &cluster->servers[i];
        const struct raft *core = cluster_core(cluster, i);

        if (core == NULL || !raft_node_is_ready(server->node))
            continue;
        if (raft_role(core) == RAFT_LEADER)
            check_leader(cluster, i, core);
        if (server->last_seen >= raft_first_index(core) &&
            raft_term_at(core, server->last_seen) != server->last_term)
            cluster->counts.truncations++;
        if (raft_last_index(core) != server->last_seen) {
            for (j = 0; j < cluster->count; j++) {
                const struct raft *other = cluster_core(cluster, j);

                if (j != i && other != NULL)
                    check_matching(cluster, core, other);
            }
        }
        server->last_seen = raft_last_index(core);
        server->last_term = raft_term_at(core, server->last_seen);
    }
}
