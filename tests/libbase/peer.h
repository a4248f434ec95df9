/*
 * One end of a connection in a test: it notes what it hears and keeps what it
 * reads, and may be told to close itself at some point.
 */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include "base/buf.h"
#include "real_world.h"

enum peer_close {
    PEER_STAYS,
    PEER_CLOSES_ON_READ,
    PEER_CLOSES_ON_DRAINED,
    PEER_CLOSES_ON_END
};

struct peer {
    struct base_stream *stream; /* NULL before and after */
    struct base_buf got;
    bool hungry; /* consumes what comes */
    bool open;
    bool dial_failed;
    int dial_status;
    bool drained;
    unsigned readables;
    unsigned ends;
    bool ended;
    int end;
    enum peer_close close_when;
    struct base_listener *listener; /* closed at the first connection */
    struct base_net *net;
};

void peer_close(struct peer *peer);
/** Starts to note. */
void peer_take(struct peer *peer, struct base_stream *stream);
void peer_on_dialled(void *arg, int status, struct base_stream *stream);
void peer_on_accepted(void *arg, struct base_stream *stream);

/** Two ends of a new TCP connection on that loopback address. */
struct peer_pair {
    struct peer dialler, server;
};
void peer_pair_open(struct peer_pair *pair, struct real_world *world,
                    const char *ip);
void peer_pair_close(struct peer_pair *pair);

#endif
