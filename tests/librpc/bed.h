/*
 * A server port with methods, and a pool that calls them, in either world.
 */
#ifndef TESTS_LIBRPC_BED_H
#define TESTS_LIBRPC_BED_H

#include "rpc/listener.h"
#include "rpc/pool.h"
#include "rpc/server.h"
#include "world.h"

#define BED_HELD_MAX 128

struct bed {
    struct world *world;
    struct identity *server_id; /* NULL: plain TCP */
    struct identity *client_id;
    struct rpc_listener *listener;
    struct rpc_server *server;
    struct rpc_dialer *dialer;
    struct rpc_pool *pool;
    struct base_addr addr; /* of the listener */
    struct rpc_target target;
    unsigned accepted;     /* connections handed over */
    struct rpc_call *held[BED_HELD_MAX]; /* by Test.Hold, until ended */
    unsigned held_count;
    unsigned cancelled;    /* of held ones */
};

struct bed_config {
    int kind;
    bool plain;                      /* no TLS */
    const char *const *client_names; /* NULL: s2's of dc1 */
    struct rpc_server_config server; /* datacenter, domain are filled in */
    struct rpc_pool_config pool;
    struct rpc_listener_config listener; /* limits only */
};

struct bed *bed_new(const struct bed_config *config);
void bed_free(struct bed *bed);
void bed_stop_server(struct bed *bed);

/** A call and how it ended. */
struct asked {
    struct rpc_pending *pending;
    bool done;
    unsigned done_count;
    int status;
    char *text;
    void *body;
    size_t len;
};
struct asked *bed_ask(struct bed *bed, const char *method, const void *body,
                      size_t len, uint32_t timeout_ms);
struct asked *bed_ask_request(struct bed *bed,
                              const struct rpc_request *request);
/** Waits for its end and gives the status. */
int bed_await(struct bed *bed, struct asked *asked);
void asked_free(struct asked *asked);
void bed_await_held(struct bed *bed, unsigned count);
void bed_await_cancelled(struct bed *bed, unsigned count);
/** done for rpc_server_call_local() and the like; arg is a struct asked. */
void asked_done(void *arg, int status, const char *text, const void *body,
                size_t len);
/** Forgets a held call, which the test ends itself. */
struct rpc_call *bed_take_held(struct bed *bed);

#endif
