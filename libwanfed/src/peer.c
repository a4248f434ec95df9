/*
 * The machine of one peer; see peer.h for its states. A packet lost here is
 * lost like a UDP packet: nothing is sent twice. Source: federation.md section
 * 5, and F9, F11, F13 of section 13.
 */
#include "peer.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define RETRY_FIRST_MS 500u
#define RETRY_MAX_MS 8000u
/* Nobody wanted to send for so long: stop dialling a peer that is down. */
#define INTEREST_MS 30000u
/* With TLS 1.3 the far side may refuse our certificate after our handshake is
 * done, and a gateway may have no way on: an end that soon is a failed dial. */
#define EARLY_MS 2000u
/* Connections that are warmed spread over so long, so that a server that is new
 * in a large pool is not met by all handshakes at once. */
#define WARM_MS 1000u
#define WARM_MS_PER_PEER 10u
/* What fills a TLS record leaves for it at once; what is less waits for more,
 * until the turn ends. */
#define RECORD_BYTES 16384u
#define PENDING_BYTES_MAX (4 * RECORD_BYTES)
/* All queues together: more waits only if whole datacenters are stuck. */
#define QUEUED_BYTES_MAX (64u * 1024u * 1024u)

static void dial(struct wanfed_peer *peer);

static uint64_t now_ms(const struct wanfed_peer *peer)
{
    return base_env_now_ms(peer->transport->env);
}

static void log_down(const struct wanfed_peer *peer, int status)
{
    struct wanfed_transport *transport = peer->transport;

    if (!base_log_limit_pass(&transport->log_limit,
                             base_env_now_ns(transport->env)))
        return;
    base_log(&transport->log, BASE_LOG_WARN, "no way to a server of the WAN",
             kv_str("server", peer->name),
             kv_str("error", rpc_strerror(status)),
             kv_int("code", status), kv_uint("failures", peer->failures));
}

static void dial_soon(struct wanfed_peer *peer)
{
    uint64_t spread_ms =
        WARM_MS + WARM_MS_PER_PEER * peer->transport->peer_count;

    base_timer_start_ms(&peer->timer,
                        base_env_random_below(peer->transport->env, spread_ms));
}

static void drop_queue(struct wanfed_peer *peer)
{
    peer->transport->queued_bytes -= wanfed_queue_bytes(&peer->queue);
    base_counter_add(peer->transport->counters.dropped_failed,
                     wanfed_queue_clear(&peer->queue));
}

static void close_stream(struct wanfed_peer *peer)
{
    base_timer_stop(&peer->timer);
    if (peer->stream != NULL)
        base_stream_close(peer->stream);
    peer->stream = NULL;
}

/* Half a second doubling to eight, less up to a quarter: a dead datacenter
 * costs little, and its peers do not come back in step. */
static uint64_t retry_ms(const struct wanfed_peer *peer)
{
    uint32_t doublings = peer->failures - 1;
    uint64_t wait_ms = RETRY_FIRST_MS;

    while (doublings-- > 0 && wait_ms < RETRY_MAX_MS)
        wait_ms *= 2;
    return wait_ms -
           base_env_random_below(peer->transport->env, wait_ms / 4 + 1);
}

static void go_down(struct wanfed_peer *peer, int status)
{
    close_stream(peer);
    drop_queue(peer);
    if (peer->failures < UINT32_MAX)
        peer->failures++;
    if (!peer->refusing)
        log_down(peer, status);
    peer->refusing = true;
    peer->state = WANFED_PEER_DOWN;
    base_env_trace(peer->transport->env, "wanfed", "down %s status=%d",
                   peer->name, status);
    base_timer_start_ms(&peer->timer, retry_ms(peer));
}

static void go_idle(struct wanfed_peer *peer)
{
    close_stream(peer);
    peer->refusing = false;
    peer->state = WANFED_PEER_IDLE;
}

/* What waits was never handed to the connection that ended, and when gossip
 * doubts the peer, it is the accusation: lost, it could not be refuted. */
static void dial_if_wanted(struct wanfed_peer *peer)
{
    if (peer->queue.count > 0)
        dial(peer);
}

/* All that waits leaves in one write, and little while the last one has not
 * left: a slow peer's packets wait in its own bounded queue. */
static void flush(struct wanfed_peer *peer)
{
    size_t count = peer->queue.count;
    int rv;

    assert(peer->state == WANFED_PEER_UP);
    if (count == 0 || base_stream_pending(peer->stream) > PENDING_BYTES_MAX)
        return;
    rv = base_stream_write(peer->stream, base_buf_data(&peer->queue.frames),
                           wanfed_queue_bytes(&peer->queue));
    if (rv < 0) {
        go_down(peer, rv);
        return;
    }
    peer->transport->queued_bytes -= wanfed_queue_bytes(&peer->queue);
    wanfed_queue_clear(&peer->queue);
    base_counter_add(peer->transport->counters.sent, count);
}

/* The connection is one-way: a peer that talks back breaks the protocol. */
static void on_readable(void *arg)
{
    go_down(arg, RPC_EPEER);
}

static void on_drained(void *arg)
{
    flush(arg);
}

/* An end, orderly or not: such a connection is never written to again (F11). */
static void on_closed(void *arg, int err)
{
    struct wanfed_peer *peer = arg;

    if (now_ms(peer) - peer->opened_ms < EARLY_MS) {
        base_counter_add(peer->transport->counters.closed_early, 1);
        go_down(peer, err < 0 ? err : RPC_ECLOSED);
        return;
    }
    peer->failures = 0;
    go_idle(peer);
    dial_if_wanted(peer);
}

static const struct base_stream_events peer_events = {
    .on_readable = on_readable,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static void on_dialed(void *arg, int status, struct base_stream *stream,
                      const struct rpc_peer *who)
{
    struct wanfed_peer *peer = arg;
    struct wanfed_counters *counters = &peer->transport->counters;

    (void)who;
    peer->dial = NULL;
    if (status < 0) {
        base_counter_add(counters->dials_failed, 1);
        go_down(peer, status);
        return;
    }
    base_counter_add(counters->dials_ok, 1);
    peer->state = WANFED_PEER_UP;
    peer->refusing = false;
    peer->stream = stream;
    peer->opened_ms = now_ms(peer);
    base_stream_set_events(stream, &peer_events, peer);
    flush(peer);
}

static int try_dial(struct wanfed_peer *peer)
{
    struct wanfed_transport *transport = peer->transport;
    struct rpc_target target = {.dc = peer->dc, .node = peer->node};
    int rv;

    base_timer_stop(&peer->timer);
    peer->state = WANFED_PEER_DIALING;
    rv = rpc_dialer_dial(transport->config.dialer, &target,
                         RPC_PROTOCOL_GOSSIP_PACKET,
                         transport->config.dial_timeout_ms, on_dialed, peer,
                         &peer->dial);
    if (rv < 0) {
        peer->dial = NULL;
        base_counter_add(transport->counters.dials_failed, 1);
        go_down(peer, rv);
    }
    return rv;
}

static void dial(struct wanfed_peer *peer)
{
    (void)try_dial(peer);
}

static void on_timer(void *arg)
{
    struct wanfed_peer *peer = arg;

    if (peer->state == WANFED_PEER_UP)
        flush(peer);
    else if (peer->state == WANFED_PEER_DOWN &&
             now_ms(peer) - peer->asked_ms > INTEREST_MS)
        go_idle(peer);
    else
        dial(peer);
}

struct wanfed_peer *wanfed_peer_new(struct wanfed_transport *transport,
                                    const char *key, const char *name,
                                    const char *node, const char *dc)
{
    struct wanfed_peer *peer;

    BASE_NEW(peer);
    peer->transport = transport;
    strncpy(peer->key, key, sizeof(peer->key) - 1);
    strncpy(peer->name, name, sizeof(peer->name) - 1);
    memcpy(peer->node, node, strlen(node) + 1);
    memcpy(peer->dc, dc, strlen(dc) + 1);
    wanfed_queue_init(&peer->queue, transport->config.queue_packets_max,
                      transport->config.queue_bytes_max);
    base_timer_init(&peer->timer, transport->env, "wanfed-peer", on_timer,
                    peer);
    return peer;
}

void wanfed_peer_free(struct wanfed_peer *peer)
{
    if (peer->dial != NULL)
        rpc_dial_cancel(peer->dial);
    close_stream(peer);
    drop_queue(peer);
    wanfed_queue_close(&peer->queue);
    base_free(peer);
}

/* False if the queues of all peers together are full of others' packets. */
static bool make_room(struct wanfed_peer *peer, size_t len)
{
    struct wanfed_transport *transport = peer->transport;
    size_t others = transport->queued_bytes - wanfed_queue_bytes(&peer->queue);

    if (others + 4 + len > QUEUED_BYTES_MAX)
        return false;
    while (transport->queued_bytes + 4 + len > QUEUED_BYTES_MAX) {
        size_t before = wanfed_queue_bytes(&peer->queue);

        wanfed_queue_drop_oldest(&peer->queue);
        transport->queued_bytes -= before - wanfed_queue_bytes(&peer->queue);
        base_counter_add(transport->counters.dropped_full, 1);
    }
    return true;
}

static int enqueue(struct wanfed_peer *peer, const void *data, size_t len)
{
    struct wanfed_transport *transport = peer->transport;
    size_t before;

    if (!wanfed_queue_fits(&peer->queue, len)) {
        base_counter_add(transport->counters.refused_size, 1);
        return GOSSIP_ETOOBIG;
    }
    if (!make_room(peer, len)) {
        base_counter_add(transport->counters.dropped_full, 1);
        return BASE_EFULL;
    }
    before = wanfed_queue_bytes(&peer->queue);
    base_counter_add(transport->counters.dropped_full,
                     wanfed_queue_push(&peer->queue, data, len));
    transport->queued_bytes += wanfed_queue_bytes(&peer->queue) - before;
    return 0;
}

int wanfed_peer_send(struct wanfed_peer *peer, const void *data, size_t len)
{
    bool waits = base_timer_is_running(&peer->timer);
    int rv;

    /* Once a turn is enough for a time in seconds. */
    if (peer->state != WANFED_PEER_UP || !waits)
        peer->asked_ms = now_ms(peer);
    if (peer->refusing) {
        base_counter_add(peer->transport->counters.refused_down, 1);
        return GOSSIP_EROUTE;
    }
    rv = enqueue(peer, data, len);
    if (rv < 0)
        return rv;
    /* Not at once: what gossip sends in this turn leaves together. */
    if (peer->state == WANFED_PEER_UP && !waits)
        base_timer_start_ns(&peer->timer, 0);
    if (peer->state == WANFED_PEER_UP &&
        wanfed_queue_bytes(&peer->queue) >= RECORD_BYTES)
        flush(peer);
    if (peer->state == WANFED_PEER_IDLE && try_dial(peer) < 0)
        return GOSSIP_EROUTE;
    return 0;
}

void wanfed_peer_hang_up(struct wanfed_peer *peer)
{
    assert(peer->state == WANFED_PEER_UP);
    go_idle(peer);
    dial_if_wanted(peer);
}

void wanfed_peer_warm(struct wanfed_peer *peer)
{
    if (peer->state != WANFED_PEER_IDLE)
        return;
    peer->asked_ms = now_ms(peer);
    dial_soon(peer);
}

void wanfed_peer_retry(struct wanfed_peer *peer)
{
    if (peer->state == WANFED_PEER_DOWN)
        base_timer_start_ns(&peer->timer, 0);
}
