/*
 * What the files of a multiplexed connection share.
 *
 *   mux.c        its life, its input
 *   mux_in.c     what each frame does; messages that come in parts
 *   mux_out.c    messages that go, in parts that take turns
 *   mux_clock.c  keep-alive and idleness
 */
#ifndef RPC_SRC_MUX_PRIV_H
#define RPC_SRC_MUX_PRIV_H

#include <sys/queue.h>

#include "base/buf.h"
#include "mux.h"

struct inflow {
    TAILQ_ENTRY(inflow) link;
    struct frame_head head;
    uint64_t arrived_ms;
    uint64_t last_ms;
    bool granted;
    struct base_buf body;
};

struct outflow {
    TAILQ_ENTRY(outflow) link;
    uint32_t id;
    bool granted;
    uint8_t *rest; /* the body after its first part */
    size_t len;
    size_t sent;
};

struct rpc_mux {
    struct base_env *env;
    struct base_stream *stream;
    bool server;
    bool greeted;    /* the peer's hello has come */
    bool ended;      /* on_end was told */
    bool write_failed;
    bool finish_wanted;
    bool finishing;  /* our direction has been ended */
    bool going_away;
    bool pinged;
    bool *gone;      /* set by rpc_mux_free() during a callback */
    unsigned load;
    uint32_t last_id;
    uint32_t goaway_id;
    struct rpc_mux_limits limits;
    struct frame_hello peer;
    const struct rpc_mux_events *events;
    void *arg;
    struct base_timer timer;
    uint64_t timer_due_ms;
    uint64_t last_in_ms;
    uint64_t idle_since_ms;
    uint64_t granted_bytes;
    unsigned partial_count;
    TAILQ_HEAD(inflow_list, inflow) inflows;    /* the oldest first */
    TAILQ_HEAD(outflow_list, outflow) outflows; /* the next to send first */
};

/** Tells the user that it is over; he frees the mux in it. */
void mux_end(struct rpc_mux *mux, int err, const char *why);

/* ---- mux_clock.c ---- */

/** The timer fires then, on the monotonic clock. */
void mux_arm(struct rpc_mux *mux, uint64_t due_ms);
void mux_on_timer(void *arg);
bool mux_is_busy(const struct rpc_mux *mux);
/** To be called when something has become busy or stopped to be. */
void mux_note_load(struct rpc_mux *mux, bool was_busy);

/* ---- mux_out.c ---- */

/** A failed write ends the connection, but not inside the call that wrote. */
void mux_write(struct rpc_mux *mux, const void *data, size_t len);
void mux_write_empty(struct rpc_mux *mux, enum frame_type type, uint32_t id);
/** Sends parts that were granted, as far as the window allows. */
void mux_send_parts(struct rpc_mux *mux);
void mux_drop_outflow(struct rpc_mux *mux, uint32_t id);
void mux_outflow_free(struct rpc_mux *mux, struct outflow *out);
void mux_finish_if_done(struct rpc_mux *mux);

/* ---- mux_in.c ---- */

/** Does what a frame says; 0 or RPC_EPEER. The user may free the mux in it, as
 * *gone tells then. */
int mux_take_frame(struct rpc_mux *mux, const struct frame *frame,
                   const bool *gone);
/** Drops what is under way of a message, both directions. */
void mux_forget(struct rpc_mux *mux, uint32_t id);
void mux_inflow_free(struct rpc_mux *mux, struct inflow *in);

#endif
