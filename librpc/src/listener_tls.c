/*
 * Handshakes on the server port: they begin one a turn of the loop, and what
 * comes of each is passed on or refused, with a reason for each way to fail.
 */
#include "base/error.h"
#include "listener_priv.h"
#include "refusal.h"

static const char *reason_of(int status)
{
    switch (status) {
    case BASE_ETIMEOUT:
        return "handshake-timeout";
    case RPC_EALPN:
        return "alpn";
    case RPC_ENAME:
        return "server-name";
    default:
        return "handshake";
    }
}

/* Gone without an alert: a health check that has seen our certificate, say. */
static void leave(struct opening *opening)
{
    rpc_refusal_count(opening->listener->env, "left");
    opening_free(opening);
}

static void on_secure(void *arg, int status, const char *why,
                      struct base_stream *stream, const struct rpc_peer *peer)
{
    struct opening *opening = arg;

    opening->handshake = NULL;
    if (status == BASE_ECLOSED) {
        leave(opening);
        return;
    }
    if (status != 0) {
        opening_refuse(opening, reason_of(status), why);
        return;
    }
    opening->stream = stream;
    opening->peer = *peer;
    opening->place = RPC_SNIFF_IN_TLS;
    if (opening->byte == RPC_BYTE_TLS) {
        opening_move(opening, &opening->listener->waiting);
        opening_await_byte(opening);
        return;
    }
    opening->protocol = rpc_protocol_by_alpn(peer->alpn);
    if (opening->protocol == RPC_PROTOCOL_COUNT) {
        opening_refuse(opening, "alpn", peer->alpn);
        return;
    }
    opening_pass(opening);
}

/* The ALPN values that somebody takes here. */
static void list_alpns(const struct rpc_listener *listener,
                       const char *alpns[RPC_PROTOCOL_COUNT + 1])
{
    unsigned count = 0;
    unsigned i;

    for (i = 0; i < RPC_PROTOCOL_COUNT; i++)
        if (listener->handlers[i].accept != NULL)
            alpns[count++] = rpc_protocol_row((enum rpc_protocol)i)->alpn;
    alpns[count] = NULL;
}

static void begin_handshake(struct opening *opening)
{
    struct rpc_listener *listener = opening->listener;
    const struct rpc_secure *secure = listener->secure;
    const char *alpns[RPC_PROTOCOL_COUNT + 1] = {NULL};
    struct base_stream *stream = opening->stream;
    bool native = opening->byte == RPC_BYTE_TLS_RECORD;
    int rv;

    if (native)
        list_alpns(listener, alpns);
    base_timer_stop(&opening->timer);
    opening->queued = false;
    opening->stream = NULL;
    rv = secure->ops->server(secure->ctx, stream, alpns, native,
                             listener->handshake_timeout_ms, on_secure, opening,
                             &opening->handshake);
    if (rv < 0) {
        opening->handshake = NULL;
        opening_refuse(opening, "handshake", rpc_strerror(rv));
    }
}

static struct opening *newest_queued(const struct rpc_listener *listener)
{
    struct opening *opening;

    TAILQ_FOREACH_REVERSE(opening, &listener->shaking.list, openings, link)
    if (opening->queued)
        return opening;
    return NULL;
}

/* One a turn of the loop: a hello costs us a signature, and calls on other
 * connections get their turn in between. When more come than we can serve, the
 * newest is the one whose client still waits. */
void listener_on_turnstile(void *arg)
{
    struct rpc_listener *listener = arg;
    struct opening *opening = newest_queued(listener);

    if (opening == NULL)
        return;
    begin_handshake(opening);
    if (newest_queued(listener) != NULL)
        base_timer_start_ns(&listener->turnstile, 0);
}

static void miss_turn(struct opening *opening)
{
    opening_refuse(opening, "handshake-timeout", "its turn did not come");
}

void opening_queue_handshake(struct opening *opening)
{
    struct rpc_listener *listener = opening->listener;

    opening_make_room(&listener->shaking, listener->handshakes_max,
                      "handshakes-max");
    opening_move(opening, &listener->shaking);
    base_stream_set_events(opening->stream, NULL, NULL);
    opening->queued = true;
    opening->next = miss_turn;
    base_timer_start_ms(&opening->timer, listener->handshake_timeout_ms);
    if (!base_timer_is_running(&listener->turnstile))
        base_timer_start_ns(&listener->turnstile, 0);
}
