/*
 * A pool of memberlist nodes in a simulated world, one host each, with UDP and
 * TCP on port 7946 of 10.0.x.y. Tests bend its fields before pool_start() and
 * the links whenever they like.
 */
#ifndef TESTS_LIBGOSSIP_POOL_H
#define TESTS_LIBGOSSIP_POOL_H

#include "base/sim.h"
#include "gossip/memberlist.h"
#include "gossip/net_transport.h"

#define POOL_NODES_MAX 128

struct pool;

struct pool_node {
    struct pool *pool;
    size_t index;
    char name[16];
    struct base_addr addr;
    struct base_sim_host *host;
    struct base_env *env;
    struct base_metrics *metrics;
    struct gossip_net_transport *transport;
    struct gossip_memberlist *ml; /* NULL: not running */
    struct gossip_keyring *keyring; /* NULL: none */
    const char *label;
    struct gossip_params params;
    const struct base_cidr *cidrs;
    size_t cidr_count;
    const char *advertised_name; /* NULL: name */
    struct gossip_delegate delegate;

    unsigned joins, leaves, updates, conflicts, messages, pings_completed;
    char last_event[64]; /* "join b", "leave c" */
    char last_message[64];
    uint64_t last_event_ms;
    size_t last_message_len;
    bool refuse_merge;
    size_t last_merge; /* nodes that on_merge was last shown */
    bool refuse_alive;
    char state_in[64];  /* the last user state that came */
    char state_out[64]; /* what we say */
    char ack_out[64];
    char ack_in[64];
    uint64_t rtt_ns;
    struct gossip_broadcasts *queue; /* user messages */
    int done_status; /* of the last operation: POOL_WAITING until done */
    unsigned done_count;
};

#define POOL_WAITING 12345

struct pool {
    struct base_sim *sim;
    struct pool_node nodes[POOL_NODES_MAX];
    size_t count;
    /* Links, from the index of the sender to that of the receiver. */
    uint32_t loss_ppm;
    uint32_t delay_max_us; /* 0: as preset */
    bool cut[POOL_NODES_MAX][POOL_NODES_MAX];
    bool udp_cut[POOL_NODES_MAX][POOL_NODES_MAX];
    bool verbose;
    struct gossip_records *records; /* shared by all; NULL: each its own */
};

/** count hosts, nothing running; nodes have the LAN parameters. */
struct pool *pool_new(uint64_t seed, size_t count);
void pool_free(struct pool *pool);
void pool_start(struct pool *pool, size_t index);
void pool_start_all(struct pool *pool);
/** Stops without a word. */
void pool_kill(struct pool *pool, size_t index);
/** index asks target; done_status tells. */
void pool_join(struct pool *pool, size_t index, size_t target);
/** All join node 0, then the pool runs until all agree; fails the test else. */
void pool_form(struct pool *pool);
void pool_done(void *arg, int status);
void pool_run_ms(struct pool *pool, uint64_t ms);
/** Do all running nodes hold each other, and nobody else, for alive? */
bool pool_agrees(void *pool);
/** Runs until done(arg); returns the virtual ms it took, fails the test after
 * within_ms. */
uint64_t pool_until(struct pool *pool, bool (*done)(void *arg), void *arg,
                    uint64_t within_ms);
/** How index sees target; -1: not at all. */
int pool_state(struct pool *pool, size_t index, size_t target);
uint32_t pool_incarnation(struct pool *pool, size_t index, size_t target);
void pool_cut_both(struct pool *pool, size_t a, size_t b, bool cut);
uint64_t pool_dropped(struct pool *pool, size_t index, const char *reason);

/** A condition: index sees target in that state. */
struct pool_sees {
    struct pool *pool;
    size_t index;
    size_t target;
    int state;
};
bool pool_sees(void *arg);
/** Every running node but the target sees it so. */
bool pool_all_see(void *arg);
bool pool_is_done(void *node);

#endif
