/*
 * What the two halves of the splicer share: splicer.c begins and ends a joined
 * connection, splicer_way.c moves the bytes of one direction.
 */
#ifndef GATEWAY_SPLICER_PRIV_H
#define GATEWAY_SPLICER_PRIV_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/buf.h"
#include "gateway/idle.h"
#include "gateway/pipe_pool.h"
#include "gateway/splicer.h"

#define SPLICER_SCRATCH_BYTES PIPE_POOL_LITTLE_BYTES

struct splicer {
    struct base_loop *loop;
    struct pipe_pool pipes;
    uint8_t scratch[SPLICER_SCRATCH_BYTES];
};

struct way {
    struct splice *splice;
    int from, to;
    struct event readable, writable; /* of from, of to; at most one is added */
    struct base_buf early;           /* goes before all else */
    struct pipe_ends pipe;           /* while held > 0 */
    size_t held;
    bool bulk;  /* the last read was large */
    bool ended; /* no more input comes */
    bool over;  /* and all of it, and its end, was passed on; or it broke */
    struct base_counter *counters[2];
    uint64_t bytes;
};

struct splice {
    struct splicer *splicer;
    struct way ways[2]; /* from the client, from the server */
    struct idle idle;
    bool broken;
    bool b_gave_up;
    void (*done)(void *arg, const struct relay_end *end);
    void *arg;
};

/** Moves what can be moved now, and waits for what has to come. */
void splicer_way_move(struct way *way);
/** Sends what is early; true once nothing of it is left. */
bool splicer_way_send_early(struct way *way);
/** Which of the two events to wait for. */
void splicer_way_wait(struct way *way, bool readable, bool writable);
/** Nothing is read or written any more. */
void splicer_way_close(struct way *way);

#endif
