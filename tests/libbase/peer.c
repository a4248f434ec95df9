/*
 * Ends of connections for tests: see peer.h.
 */
#include "peer.h"

static void on_readable(void *arg)
{
    struct peer *peer = arg;
    size_t len = base_stream_len(peer->stream);

    ck_assert_msg(!peer->ended, "readable after the end");
    peer->readables++;
    if (peer->hungry) {
        base_buf_append(&peer->got, base_stream_data(peer->stream), len);
        base_stream_consume(peer->stream, len);
    }
    if (peer->close_when == PEER_CLOSES_ON_READ)
        peer_close(peer);
}

static void on_drained(void *arg)
{
    struct peer *peer = arg;

    ck_assert_uint_eq(base_stream_pending(peer->stream), 0);
    peer->drained = true;
    if (peer->close_when == PEER_CLOSES_ON_DRAINED)
        peer_close(peer);
}

static void on_closed(void *arg, int err)
{
    struct peer *peer = arg;

    peer->ends++;
    peer->ended = true;
    peer->end = err;
    if (peer->close_when == PEER_CLOSES_ON_END)
        peer_close(peer);
}

static const struct base_stream_events events = {on_readable, on_drained,
                                                 on_closed};

void peer_close(struct peer *peer)
{
    if (peer->stream != NULL)
        base_stream_close(peer->stream);
    peer->stream = NULL;
}

void peer_take(struct peer *peer, struct base_stream *stream)
{
    peer->stream = stream;
    peer->open = true;
    base_stream_set_events(stream, &events, peer);
}

void peer_on_dialled(void *arg, int status, struct base_stream *stream)
{
    struct peer *peer = arg;

    ck_assert(!peer->open && !peer->dial_failed);
    ck_assert_int_eq(status == 0, stream != NULL);
    if (status == 0) {
        peer_take(peer, stream);
    } else {
        peer->dial_failed = true;
        peer->dial_status = status;
    }
}

void peer_on_accepted(void *arg, struct base_stream *stream)
{
    struct peer *peer = arg;

    peer_take(peer, stream);
    if (peer->listener != NULL)
        base_net_listener_close(peer->net, peer->listener);
    peer->listener = NULL;
}

static bool both_open(void *arg)
{
    struct peer_pair *pair = arg;

    ck_assert(!pair->dialler.dial_failed);
    return pair->dialler.open && pair->server.open;
}

void peer_pair_open(struct peer_pair *pair, struct real_world *world,
                    const char *ip)
{
    struct base_addr at = loopback(ip);

    *pair = (struct peer_pair){.dialler.hungry = true, .server.hungry = true};
    pair->server.net = world->net;
    ck_assert_int_eq(base_net_listen(world->net, &at, peer_on_accepted,
                                     &pair->server, &pair->server.listener),
                     0);
    base_net_listener_addr(world->net, pair->server.listener, &at);
    ck_assert_uint_ne(at.port, 0);
    ck_assert_int_eq(base_net_dial(world->net, &at, NULL, WITHIN_MS,
                                   peer_on_dialled, &pair->dialler, NULL),
                     0);
    await_that(world, both_open, pair);
}

void peer_pair_close(struct peer_pair *pair)
{
    peer_close(&pair->dialler);
    peer_close(&pair->server);
    base_buf_close(&pair->dialler.got);
    base_buf_close(&pair->server.got);
}
