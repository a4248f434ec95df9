/*
 * How the followers fare, as their leader sees it: a gauge for each, and a word
 * to the user when it changes. Looked at with the leader's ticks, at most ten
 * times a second: it is for people and their alarms.
 */
#include <string.h>

#include "node_internal.h"

#define LOOK_MS 100u
#define LAGGING_ENTRIES 1024u /* what a level follower lacks passes in no time */

static enum raft_follower_state state_of(const struct raft_node *node,
                                         const struct raft_progress *progress,
                                         raft_index lag, uint64_t now_ms)
{
    if (now_ms >= progress->heard_ms + node->config.election_timeout_ms)
        return RAFT_FOLLOWER_SILENT;
    if (progress->behind)
        return RAFT_FOLLOWER_REPAIRING;
    if (progress->snapshot || lag > LAGGING_ENTRIES)
        return RAFT_FOLLOWER_LAGGING;
    return RAFT_FOLLOWER_LEVEL;
}

static struct node_follower *find(struct raft_node *node, const char *id)
{
    struct node_follower *unused = NULL;
    size_t i;

    for (i = 0; i < RAFT_SERVERS_MAX; i++) {
        struct node_follower *follower = &node->followers[i];

        if (strcmp(follower->id, id) == 0)
            return follower;
        if (follower->id[0] == '\0' && unused == NULL)
            unused = follower;
    }
    if (unused != NULL) {
        memcpy(unused->id, id, strlen(id) + 1);
        unused->lag_gauge = base_metrics_gauge(
            node->env->metrics, "isthmus.raft.follower_lag", "follower", id);
    }
    return unused;
}

static void look_at(struct raft_node *node, const char *id, uint64_t now_ms)
{
    struct raft_progress progress;
    struct node_follower *follower;
    enum raft_follower_state state;

    if (!raft_peer_progress(node->core, id, &progress))
        return;
    follower = find(node, id);
    if (follower == NULL)
        return;
    follower->seen = true;
    follower->lag = raft_last_index(node->core) - progress.match;
    base_gauge_set(follower->lag_gauge, (int64_t)follower->lag);
    state = state_of(node, &progress, follower->lag, now_ms);
    if (state == follower->state)
        return;
    follower->state = state;
    follower->tell = true;
    node_wake(node);
}

/* Who left, or is no follower of ours any more. */
static void forget(struct node_follower *follower)
{
    if (follower->id[0] == '\0')
        return;
    base_gauge_set(follower->lag_gauge, 0);
    memset(follower, 0, sizeof(*follower));
}

void followers_look(struct raft_node *node)
{
    const struct raft_configuration *now =
        raft_current_configuration(node->core, NULL);
    uint64_t now_ms = node_now_ms(node);
    uint32_t i;

    if (node->stopped || now_ms < node->followers_due_ms)
        return;
    node->followers_due_ms = now_ms + LOOK_MS;
    for (i = 0; i < RAFT_SERVERS_MAX; i++)
        node->followers[i].seen = false;
    for (i = 0; i < now->server_count; i++)
        look_at(node, now->servers[i].id, now_ms);
    for (i = 0; i < RAFT_SERVERS_MAX; i++) {
        if (!node->followers[i].seen)
            forget(&node->followers[i]);
    }
}

bool followers_tell(struct raft_node *node)
{
    size_t i;

    for (i = 0; i < RAFT_SERVERS_MAX; i++) {
        struct node_follower copy = node->followers[i];

        if (!copy.tell)
            continue;
        node->followers[i].tell = false;
        if (node->config.on_follower == NULL)
            continue;
        node->config.on_follower(node->config.ctx, copy.id, copy.state,
                                 copy.lag);
        if (node->freed)
            return false;
    }
    return true;
}
