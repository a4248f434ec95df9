/*
 * What pool.c (servers and who gets which connection), pool_conn.c (one
 * connection) and pool_call.c (one call) share.
 */
#ifndef RPC_SRC_POOL_PRIV_H
#define RPC_SRC_POOL_PRIV_H

#include <sys/queue.h>

#include "call.h"
#include "mux.h"
#include "rpc/pool.h"

struct pool_call;

struct pool_queue {
    TAILQ_HEAD(, pool_call) calls;
    unsigned count;
};

/** A call, in one queue at any time: its server's waiting ones, a connection's,
 * or the pool's ending ones. */
struct pool_call {
    struct rpc_pending pending; /* first */
    TAILQ_ENTRY(pool_call) link;
    struct pool_queue *queue;
    struct rpc_pool *pool;
    struct pool_conn *conn; /* NULL while it waits or ends */
    uint32_t id;
    char *method;
    char *token;
    uint8_t *body; /* NULL once it can not be sent again */
    size_t body_len;
    uint8_t hops;
    bool sent_again;
    bool ending;
    int status;       /* of its end */
    const char *text; /* a constant */
    uint64_t deadline_ms;
    struct base_timer timer;
    rpc_done_fn done;
    void *arg;
};

/** A connection to a server. */
struct pool_conn {
    TAILQ_ENTRY(pool_conn) link;
    struct pool_host *host;
    struct rpc_mux *mux;
    struct base_addr to; /* what was connected to: the server, or a gateway */
    uint32_t next_id;
    bool leaving; /* takes no more calls; closes when it has none */
    bool checking; /* asked for a sign of life; takes no calls until then */
    struct pool_queue calls;
    struct base_timer timer; /* zero: close from the loop */
    struct base_timer check; /* the sign of life did not come */
};
TAILQ_HEAD(pool_conn_list, pool_conn);

/** A server, by (dc, node, address). */
struct pool_host {
    LIST_ENTRY(pool_host) link;
    struct rpc_pool *pool;
    char *dc;
    char *node;
    struct base_addr addr;
    struct rpc_dial *dial;
    unsigned dial_failures; /* one after the other */
    int dial_status;        /* of the last */
    uint64_t dial_after_ms; /* not before */
    unsigned conn_count;
    struct pool_conn_list conns;
    struct pool_queue waiting;
};

struct rpc_pool {
    struct base_env *env;
    struct rpc_dialer *dialer;
    uint32_t dial_timeout_ms;
    struct rpc_mux_limits limits;
    LIST_HEAD(, pool_host) hosts;
    struct pool_queue ending;
    bool closing;
};

/* ---- pool.c ---- */

/** Gives waiting calls to connections with room; dials if that is too few. */
void pool_host_dispatch(struct pool_host *host);

/* ---- pool_conn.c ---- */

/** Takes stream. */
void pool_conn_new(struct pool_host *host, struct base_stream *stream);
void pool_conn_free(struct pool_conn *conn);
bool pool_conn_has_room(const struct pool_conn *conn);
/** Whether it has been silent for so long that it may have died. */
bool pool_conn_is_doubtful(const struct pool_conn *conn);
/** Finds out: it takes calls again, or is closed and another dialled. */
void pool_conn_check(struct pool_conn *conn);
/** Sends the call, which is in no queue. */
void pool_conn_send(struct pool_conn *conn, struct pool_call *call);
/** Takes the call out of the connection. */
void pool_conn_release(struct pool_conn *conn, struct pool_call *call);
/** No more calls; closes when the last has ended, from the loop. */
void pool_conn_leave(struct pool_conn *conn);

/* ---- pool_call.c ---- */

struct pool_call *pool_call_new(struct rpc_pool *pool,
                                const struct rpc_request *request,
                                rpc_done_fn done, void *arg);
void pool_queue_init(struct pool_queue *queue);
void pool_call_put(struct pool_call *call, struct pool_queue *queue);
void pool_call_take_out(struct pool_call *call);
/** Tells done and frees it; it must be in no queue. */
void pool_call_finish(struct pool_call *call, int status, const char *text,
                      const void *body, size_t len);
/** The same, soon, from the loop; it must be in no queue. text: a constant. */
void pool_call_end_soon(struct pool_call *call, int status, const char *text);

#endif
