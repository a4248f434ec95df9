/*
 * A pool of serf nodes in a simulated world, one host each (10.1.x.y, port
 * 7946). Each node writes what it is told into a journal, a line an event:
 * "member-join n1", "user deploy v1", "query uptime now".
 */
#ifndef TESTS_LIBGOSSIP_SERF_POOL_H
#define TESTS_LIBGOSSIP_SERF_POOL_H

#include "base/sim.h"
#include "gossip/net_transport.h"
#include "gossip/serf.h"

#define SERF_POOL_MAX 64
#define SERF_POOL_WAITING 12345
#define SERF_POOL_PORT 7946

struct serf_pool;

struct serf_pool_node {
    struct serf_pool *pool;
    size_t index;
    char name[16];
    struct base_addr addr;
    struct base_sim_host *host;
    struct base_env *env;
    struct base_metrics *metrics;
    struct gossip_net_transport *transport;
    struct gossip_keyring *keyring;
    struct gossip_serf *serf; /* NULL: not running */
    struct gossip_serf_config config; /* bend it before starting */
    struct base_buf journal;
    int merge_answer;
    const char *refused_name; /* on_alive */
    const char *answer;       /* to each query; NULL: none */
    uint64_t last_query;
    unsigned lost_conflicts;
    int status; /* of the last call with a callback */
    size_t joined;
    unsigned done_count;
};

struct serf_pool {
    struct base_sim *sim;
    struct serf_pool_node nodes[SERF_POOL_MAX];
    size_t count;
    bool cut[SERF_POOL_MAX][SERF_POOL_MAX];
    uint32_t loss_ppm;
    uint32_t delay_us[SERF_POOL_MAX]; /* added for a node's links */
};

/** count hosts, nothing running. */
struct serf_pool *serf_pool_new(uint64_t seed, size_t count);
void serf_pool_free(struct serf_pool *pool);
void serf_pool_start(struct serf_pool *pool, size_t index);
/** Stops without a word. */
void serf_pool_kill(struct serf_pool *pool, size_t index);
void serf_pool_join(struct serf_pool *pool, size_t index, size_t target);
/** Starts all, joins them to node 0, runs until all see all alive. */
void serf_pool_form(struct serf_pool *pool);
void serf_pool_run_ms(struct serf_pool *pool, uint64_t ms);
/** Runs until done(arg); fails the test after within_ms. */
void serf_pool_until(struct serf_pool *pool, bool (*done)(void *arg),
                     void *arg, uint64_t within_ms);
/** How index sees target; NONE if not at all. */
enum gossip_member_status serf_pool_status(struct serf_pool *pool,
                                           size_t index, size_t target);
/** Runs until every running node but the target sees it so. */
void serf_pool_await(struct serf_pool *pool, size_t target,
                     enum gossip_member_status status, uint64_t within_ms);
/** Lines of the journal that are exactly this. */
size_t serf_pool_heard(const struct serf_pool_node *node, const char *line);
void serf_pool_forget(struct serf_pool *pool);
/** Both ways. */
void serf_pool_cut(struct serf_pool *pool, size_t a, size_t b, bool cut);
/** Callbacks that note what came into the node that is their arg. */
void serf_pool_done(void *node, int status);
void serf_pool_joined(void *node, int status, size_t joined);
bool serf_pool_is_done(void *node);
uint64_t serf_pool_refused(const struct serf_pool_node *node,
                           const char *reason);

#endif
