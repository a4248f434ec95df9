/*
 * A simulated connection from the inside; private to sim_conn.c (its life),
 * sim_pipe.c (bytes) and sim_stream.c (the ends).
 */
#ifndef LIBBASE_SIM_STREAM_H
#define LIBBASE_SIM_STREAM_H

#include "sim_internal.h"

#define SIM_WINDOW_BYTES (256u * 1024u)
#define SIM_SEGMENT_BYTES_MAX (64u * 1024u)
#define SIM_STALL_NS_MAX UINT64_C(30000000000) /* base/sim.h */
#define SIM_RETRY_NS UINT64_C(250000000) /* looks whether a link is back */

/* One direction, from end[p] to end[1 - p]. */
struct sim_pipe {
    struct base_buf out;     /* waits for the window, or for a link */
    struct base_buf arrived; /* waits for room in the reader's input */
    size_t on_way;           /* sent, and not yet in the reader's input */
    uint64_t due_ns;         /* arrival of what was sent last */
    uint64_t stalled_ns;     /* since when, if stalled */
    bool stalled;
    bool flush_waits; /* an event will flush */
    bool fill_waits;  /* an event will fill */
    bool offered;     /* the peer's listener was told of the connection */
    bool fin_wanted;
    bool fin_sent;
    bool fin_arrived;
    bool reset_sent;
    bool dead; /* sends nothing more, not even an end */
};

/* Lives until both ends and all its events are gone. */
struct sim_conn {
    struct base_sim *sim;
    unsigned refs;
    struct base_sim_host *host[2];
    struct base_addr addr[2];
    struct sim_stream *end[2]; /* NULL: not yet or no more */
    struct sim_pipe pipe[2];
    uint64_t peer_boots; /* of host[1] when it answered */
};

struct sim_stream {
    struct base_stream base; /* first */
    struct sim_conn *conn;   /* NULL: its machine lost power */
    struct base_sim_host *host;
    unsigned side;
    bool reset;
    LIST_ENTRY(sim_stream) link;
};

/* Something that happens to pipe p of a connection. */
struct sim_step {
    struct sim_event event;
    struct sim_conn *conn;
    unsigned p;
    bool sent; /* a credit that is on its way */
    size_t credit;
    uint64_t since_ns; /* a credit that waits for a link */
    size_t len;
    uint8_t data[];
};

/* ---- sim_conn.c ---- */

void sim_conn_release(struct sim_conn *conn);
/** A step that holds conn; data copied. Start its event; when it has fired,
 * sim_step_drop() it. */
struct sim_step *sim_step_new(struct sim_conn *conn, unsigned p,
                              void (*fire)(void *arg), const void *data,
                              size_t len);
void sim_step_drop(struct sim_event *event);
/** What the link under pipe p does now. */
struct base_sim_link sim_conn_ask(struct sim_conn *conn, unsigned p);
uint64_t sim_conn_arrival(struct sim_conn *conn, unsigned p, uint64_t delay_ns);
void sim_conn_trace(struct sim_conn *conn, unsigned p, const char *kind,
                    size_t bytes);
void sim_conn_reset_end(struct sim_conn *conn, unsigned side);
void sim_conn_send_reset(struct sim_conn *conn, unsigned p);
/** Fires at the listener's machine. */
void sim_conn_on_offer(void *arg);

/* ---- sim_pipe.c ---- */

void sim_pipe_flush_later(struct sim_conn *conn, unsigned p, uint64_t delay_ns);
/** The reader has room again. */
void sim_pipe_fill_later(struct sim_conn *conn, unsigned p);

/* ---- sim_stream.c ---- */

struct sim_stream *sim_stream_new(struct sim_conn *conn, unsigned side,
                                  struct sim_env *env);

#endif
