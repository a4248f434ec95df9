/*
 * One gossip pool of a server: serf on the gossip loop, and on the main loop a
 * mirror of its members, kept true by posted events. If events cannot be posted
 * (the main loop is far behind), the whole list is posted once it can.
 *
 * Threads: the main loop, but for pool_new(), pool_free() (neither loop runs)
 *          and what says "gossip loop".
 */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include "gossip/serf.h"
#include "server/member.h"
#include "server/merge.h"

struct pool;

struct pool_config {
    struct base_env *main;
    struct base_env *gossip;
    struct gossip_serf_config serf; /* callbacks and ctx are the pool's own */
    struct merge_rules rules;
    uint16_t default_port;          /* for join targets without one */
    /** A member came, changed or went (it is in the mirror until after the
     * call when it was reaped). Main loop. */
    void (*on_member)(void *ctx, enum gossip_event_kind kind,
                      const struct member *member);
    /** A user event. Main loop; may be NULL. */
    void (*on_user)(void *ctx, const struct gossip_event *event);
    void *ctx;
};

/** Starts the pool; the transport in config.serf is ready. */
int pool_new(const struct pool_config *config, struct pool **out);
void pool_free(struct pool *pool);
/** Gossip loop: where the transport hands packets and streams in. */
struct gossip_memberlist *pool_memberlist(struct pool *pool);

typedef void (*pool_join_fn)(void *arg, int status, size_t joined);
typedef void (*pool_done_fn)(void *arg, int status);
/** Strings are copied. done comes on the main loop, once. */
int pool_join(struct pool *pool, const char *const *targets, size_t count,
              pool_join_fn done, void *arg);
int pool_leave(struct pool *pool, pool_done_fn done, void *arg);
int pool_force_leave(struct pool *pool, const char *name, bool prune,
                     pool_done_fn done, void *arg);

/** The mirror, sorted by name; borrowed until the loop runs. */
const struct member *const *pool_members(const struct pool *pool,
                                         size_t *count);
const struct member *pool_find(const struct pool *pool, const char *name);

#endif
