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
    /** A member came, changed or went (it may still be in the mirror when it
     * was reaped). Main loop. */
    void (*on_member)(void *ctx, enum gossip_event_kind kind,
                      const struct member *member);
    /** A member came to life. Gossip loop; may be NULL. */
    void (*on_arrival)(void *ctx, const char *name);
    /** A user event. Main loop; may be NULL. */
    void (*on_user)(void *ctx, const struct gossip_event *event);
    const char *build; /* the answer to POOL_QUERY_VERSION; copied */
    void *ctx;
};

/** A query that every agent answers, with its version. */
#define POOL_QUERY_VERSION "isthmus:version"

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

/** ltime is the event's, with status 0. GOSSIP_ETOOBIG. */
typedef void (*pool_event_fn)(void *arg, int status, uint64_t ltime);
/** Fires a user event; copied. */
int pool_user_event(struct pool *pool, const char *name, const void *payload,
                    size_t len, pool_event_fn done, void *arg);

struct pool_coordinate {
    char *node;
    struct gossip_coordinate coordinate;
};
/** Borrowed for the call; in no order. */
typedef void (*pool_coordinates_fn)(void *arg, int status,
                                    const struct pool_coordinate *list,
                                    size_t count);
/** The coordinates that this node has heard of, its own included. */
int pool_coordinates(struct pool *pool, pool_coordinates_fn done, void *arg);

/** As gossip_key_fn; result is NULL if the operation could not begin. */
typedef void (*pool_key_fn)(void *arg, int status,
                            const struct gossip_key_result *result);
/** Runs it on every node of the pool; key as for gossip_serf_key(). */
int pool_key(struct pool *pool, enum gossip_key_operation operation,
             const char *key, uint8_t relay_factor, pool_key_fn done,
             void *arg);

struct pool_query;
#define POOL_QUERY_TIMEOUT_MAX_MS 600000u
/** Each may be NULL. on_done comes once, last: 0, or why it could not be asked;
 * GOSSIP_ETIMEOUT if the gossip loop is silent. */
struct pool_query_events {
    void (*on_ack)(void *arg, const char *from);
    void (*on_response)(void *arg, const char *from, const void *payload,
                        size_t len);
    void (*on_done)(void *arg, int status);
};
/** Asks the pool; all is copied. *out is good until on_done. */
int pool_query(struct pool *pool, const char *name, const void *payload,
               size_t len, const struct gossip_query_params *params,
               const struct pool_query_events *events, void *arg,
               struct pool_query **out);
/** Ends it; nothing comes any more. */
void pool_query_cancel(struct pool_query *query);

/** The mirror, sorted by name; borrowed until the loop runs. */
const struct member *const *pool_members(const struct pool *pool,
                                         size_t *count);
const struct member *pool_find(const struct pool *pool, const char *name);

#endif
