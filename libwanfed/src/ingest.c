/*
 * What other datacenters send: accepted packet connections ("inlets"), each cut
 * into frames that go to memberlist with the connection's address as source
 * (a gateway's, most times). Their number, what each may hold and how long it
 * may be silent are bounded; a bad length closes. Source: federation.md section
 * 5, Packet.
 */
#include <string.h>

#include "base/alloc.h"
#include "frame.h"
#include "internal.h"

#define INLET_BYTES (64u * 1024u) /* held by one, but for a large frame */
#define LARGE_MAX 16u             /* inlets with a frame of up to 4 MiB */
#define FRAMES_PER_TURN 1024u     /* then others get theirs */
/* We wait longer than the sender does, so that the idle end is its own and no
 * packet meets a connection that closes. */
#define IDLE_GRACE_MS 30000u

struct wanfed_inlet {
    LIST_ENTRY(wanfed_inlet) link;
    struct wanfed_transport *transport;
    struct base_stream *stream;
    struct base_addr from;
    char key[WANFED_NAME_BYTES]; /* whose it is; "" if no name tells */
    struct base_timer timer; /* goes on after a turn's frames */
    uint64_t used_ms;
    bool large;
};

static void inlet_free(struct wanfed_inlet *inlet)
{
    struct wanfed_transport *transport = inlet->transport;

    LIST_REMOVE(inlet, link);
    transport->inlet_count--;
    if (inlet->large)
        transport->large_count--;
    base_gauge_set(transport->counters.inlets, (int64_t)transport->inlet_count);
    base_timer_stop(&inlet->timer);
    base_stream_close(inlet->stream);
    base_free(inlet);
}

static void refuse(struct wanfed_inlet *inlet, const char *why)
{
    struct wanfed_transport *transport = inlet->transport;

    base_counter_add(transport->counters.bad_frames, 1);
    if (base_log_limit_pass(&transport->log_limit,
                            base_env_now_ns(transport->env)))
        base_log(&transport->log, BASE_LOG_WARN,
                 "closed a connection of WAN packets",
                 kv_addr("peer", &inlet->from), kv_str("why", why));
    inlet_free(inlet);
}

/* A frame over what an inlet holds gets the room that it says it needs, as long
 * as few do. False: the inlet is gone. */
static bool make_room(struct wanfed_inlet *inlet, size_t frame_bytes)
{
    struct wanfed_transport *transport = inlet->transport;

    if (frame_bytes <= INLET_BYTES || inlet->large)
        return true;
    if (transport->large_count >= LARGE_MAX) {
        refuse(inlet, "too many large packets at once");
        return false;
    }
    transport->large_count++;
    inlet->large = true;
    base_stream_set_in_limit(inlet->stream, frame_bytes);
    return true;
}

static void shrink(struct wanfed_inlet *inlet)
{
    if (!inlet->large)
        return;
    inlet->large = false;
    inlet->transport->large_count--;
    base_stream_set_in_limit(inlet->stream, INLET_BYTES);
}

static void deliver(struct wanfed_inlet *inlet,
                    const struct wanfed_frame *frame)
{
    struct wanfed_transport *transport = inlet->transport;

    base_counter_add(transport->counters.received, 1);
    gossip_packet_in(transport->memberlist, &inlet->from, frame->packet,
                     frame->packet_len);
}

/* Hands on up to max frames. False: the inlet is gone. */
static bool read_frames(struct wanfed_inlet *inlet, size_t max)
{
    size_t done;
    size_t used = 0;

    for (done = 0; done < max; done++) {
        struct wanfed_frame frame;
        enum wanfed_frame_found found = wanfed_frame_read(
            base_stream_data(inlet->stream) + used,
            base_stream_len(inlet->stream) - used, &frame);

        if (found == WANFED_FRAME_BAD) {
            refuse(inlet, "a length of 0 or over 4 MiB");
            return false;
        }
        if (found == WANFED_FRAME_PARTIAL) {
            base_stream_consume(inlet->stream, used);
            return make_room(inlet, frame.bytes);
        }
        if (done == 0) /* once a turn is enough for a time in seconds */
            inlet->used_ms = base_env_now_ms(inlet->transport->env);
        deliver(inlet, &frame);
        used += frame.bytes;
        shrink(inlet);
    }
    base_stream_consume(inlet->stream, used);
    base_timer_start_ns(&inlet->timer, 0);
    return true;
}

static void on_readable(void *arg)
{
    struct wanfed_inlet *inlet = arg;

    if (!base_timer_is_running(&inlet->timer))
        read_frames(inlet, FRAMES_PER_TURN);
}

static void on_timer(void *arg)
{
    read_frames(arg, FRAMES_PER_TURN);
}

/* What waits is still good, and bounded by the inlet's buffer. */
static void on_closed(void *arg, int err)
{
    struct wanfed_inlet *inlet = arg;

    (void)err;
    if (read_frames(inlet, SIZE_MAX))
        inlet_free(inlet);
}

static const struct base_stream_events inlet_events = {
    .on_readable = on_readable,
    .on_closed = on_closed,
};

/* A server's certificate bears <node>.server.<dc>.<domain>. */
static bool wan_key(const char *dns_name, char key[WANFED_NAME_BYTES])
{
    static const char middle[] = ".server.";
    const char *at = strstr(dns_name, middle);
    size_t node_len;
    size_t dc_len;

    if (at == NULL)
        return false;
    node_len = (size_t)(at - dns_name);
    at += sizeof(middle) - 1;
    dc_len = strcspn(at, ".");
    if (node_len > 63 || dc_len > 63)
        return false;
    memcpy(key, dns_name, node_len);
    key[node_len] = '.';
    memcpy(key + node_len + 1, at, dc_len);
    key[node_len + 1 + dc_len] = '\0';
    return true;
}

static void take_key(struct wanfed_inlet *inlet, const struct rpc_peer *who)
{
    unsigned i;

    for (i = 0; i < who->name_count && i < RPC_NAMES_MAX; i++)
        if (wan_key(who->names[i], inlet->key))
            return;
}

static void tell_heard(struct wanfed_inlet *inlet)
{
    struct wanfed_inlet *other;
    bool again = false;

    if (inlet->key[0] == '\0')
        return;
    LIST_FOREACH(other, &inlet->transport->inlets, link)
        again |= other != inlet && strcmp(other->key, inlet->key) == 0;
    wanfed_peers_heard(inlet->transport, inlet->key, again);
}

void wanfed_accept_packets(struct wanfed_transport *transport,
                           struct base_stream *stream,
                           const struct rpc_peer *peer)
{
    struct wanfed_inlet *inlet;

    if (transport->memberlist == NULL ||
        transport->inlet_count >= transport->config.inlets_max) {
        base_counter_add(transport->counters.inlets_refused, 1);
        base_stream_close(stream);
        return;
    }
    BASE_NEW(inlet);
    inlet->transport = transport;
    inlet->stream = stream;
    inlet->from = peer->addr;
    take_key(inlet, peer);
    inlet->used_ms = base_env_now_ms(transport->env);
    base_timer_init(&inlet->timer, transport->env, "wanfed-inlet", on_timer,
                    inlet);
    LIST_INSERT_HEAD(&transport->inlets, inlet, link);
    transport->inlet_count++;
    base_gauge_set(transport->counters.inlets, (int64_t)transport->inlet_count);
    base_stream_set_in_limit(stream, INLET_BYTES);
    base_stream_set_events(stream, &inlet_events, inlet);
    tell_heard(inlet);
    wanfed_need_sweep(transport);
}

void wanfed_accept_stream(struct wanfed_transport *transport,
                          struct base_stream *stream,
                          const struct rpc_peer *peer)
{
    (void)peer;
    if (transport->memberlist == NULL)
        base_stream_close(stream);
    else
        gossip_stream_in(transport->memberlist, stream);
}

void wanfed_inlets_sweep(struct wanfed_transport *transport)
{
    uint64_t limit_ms =
        (uint64_t)transport->config.idle_timeout_ms + IDLE_GRACE_MS;
    uint64_t now = base_env_now_ms(transport->env);
    struct wanfed_inlet *inlet = LIST_FIRST(&transport->inlets);

    while (inlet != NULL) {
        struct wanfed_inlet *next = LIST_NEXT(inlet, link);

        if (now - inlet->used_ms >= limit_ms)
            inlet_free(inlet);
        inlet = next;
    }
}

void wanfed_inlets_close(struct wanfed_transport *transport)
{
    while (!LIST_EMPTY(&transport->inlets))
        inlet_free(LIST_FIRST(&transport->inlets));
}
