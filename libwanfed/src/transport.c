/*
 * The wrapping: a table that sends a peer of our datacenter to the inner
 * transport and any other by gateways. What reaches the wire is in peer.c
 * (packets) and dials.c (streams); what comes in, in ingest.c.
 */
#include "wanfed/transport.h"

#include <strings.h>

#include "base/alloc.h"
#include "internal.h"

#define SWEEP_MS 1000u

enum where { WHERE_NOWHERE, WHERE_HERE, WHERE_AWAY };

static enum where place(const struct wanfed_transport *transport,
                        const char *name, char node[64], char dc[64])
{
    if (!wanfed_name_split(name, node, dc))
        return WHERE_NOWHERE;
    return strcasecmp(dc, transport->datacenter) == 0 ? WHERE_HERE
                                                      : WHERE_AWAY;
}

static int send_packet(void *ctx, const struct gossip_peer *to,
                       const void *data, size_t len)
{
    struct wanfed_transport *transport = ctx;
    const struct gossip_transport *inner = &transport->config.inner;
    char node[64];
    char dc[64];

    switch (place(transport, to->name, node, dc)) {
    case WHERE_HERE:
        return inner->ops->send_packet(inner->ctx, to, data, len);
    case WHERE_AWAY:
        return wanfed_peers_send(transport, to->name, node, dc, data, len);
    case WHERE_NOWHERE:
        break;
    }
    base_counter_add(transport->counters.refused_name, 1);
    return GOSSIP_ENAME;
}

static bool wants_stream_ping(void *ctx, const struct gossip_peer *to)
{
    struct wanfed_transport *transport = ctx;
    const struct gossip_transport *inner = &transport->config.inner;
    char node[64];
    char dc[64];

    return place(transport, to->name, node, dc) == WHERE_HERE &&
           (inner->ops->wants_stream_ping == NULL ||
            inner->ops->wants_stream_ping(inner->ctx, to));
}

static const struct gossip_transport_ops transport_ops = {
    .version = 1,
    .send_packet = send_packet,
    .dial_stream = wanfed_dial_stream,
    .dial_cancel = wanfed_dial_cancel,
    .wants_stream_ping = wants_stream_ping,
};

static void on_sweep(void *arg)
{
    struct wanfed_transport *transport = arg;

    wanfed_peers_sweep(transport);
    wanfed_inlets_sweep(transport);
    wanfed_need_sweep(transport);
}

void wanfed_need_sweep(struct wanfed_transport *transport)
{
    if (transport->peer_count + transport->inlet_count > 0 &&
        !base_timer_is_running(&transport->sweep))
        base_timer_start_ms(&transport->sweep, SWEEP_MS);
}

static uint32_t or_default(uint32_t value, uint32_t preset)
{
    return value != 0 ? value : preset;
}

static void set_defaults(struct wanfed_config *config)
{
    config->dial_timeout_ms = or_default(config->dial_timeout_ms, 10000);
    config->idle_timeout_ms = or_default(config->idle_timeout_ms, 120000);
    config->queue_packets_max = or_default(config->queue_packets_max, 512);
    config->queue_bytes_max =
        or_default(config->queue_bytes_max, 1024 * 1024);
    config->peers_max = or_default(config->peers_max, 4096);
    config->inlets_max = or_default(config->inlets_max, 4096);
}

static struct base_counter *dropped(struct base_metrics *metrics,
                                    const char *reason)
{
    return base_metrics_counter(metrics, "isthmus.wanfed.packets.dropped",
                                "reason", reason);
}

static struct base_counter *counter(struct base_metrics *metrics,
                                    const char *name)
{
    return base_metrics_counter(metrics, name, NULL, NULL);
}

static void count_by(struct wanfed_counters *counters,
                     struct base_metrics *metrics)
{
    counters->sent = counter(metrics, "isthmus.wanfed.packets.sent");
    counters->received = counter(metrics, "isthmus.wanfed.packets.received");
    counters->dropped_full = dropped(metrics, "queue");
    counters->dropped_failed = dropped(metrics, "failed");
    counters->refused_down = dropped(metrics, "down");
    counters->refused_name = dropped(metrics, "name");
    counters->refused_size = dropped(metrics, "size");
    counters->refused_peers = dropped(metrics, "peers");
    counters->dials_ok = base_metrics_counter(metrics, "isthmus.wanfed.dials",
                                              "outcome", "ok");
    counters->dials_failed = base_metrics_counter(
        metrics, "isthmus.wanfed.dials", "outcome", "failed");
    counters->closed_early =
        counter(metrics, "isthmus.wanfed.connections.closed_early");
    counters->closed_doubted =
        counter(metrics, "isthmus.wanfed.connections.closed_doubted");
    counters->bad_frames = counter(metrics, "isthmus.wanfed.frames.refused");
    counters->inlets_refused =
        counter(metrics, "isthmus.wanfed.connections.refused");
    counters->peers =
        base_metrics_gauge(metrics, "isthmus.wanfed.peers", NULL, NULL);
    counters->inlets =
        base_metrics_gauge(metrics, "isthmus.wanfed.inlets", NULL, NULL);
}

int wanfed_transport_new(struct base_env *env,
                         const struct wanfed_config *config,
                         struct wanfed_transport **out)
{
    struct wanfed_transport *transport;

    *out = NULL;
    if (config->datacenter == NULL || config->datacenter[0] == '\0' ||
        config->inner.ops == NULL || config->dialer == NULL)
        return GOSSIP_EINVAL;
    BASE_NEW(transport);
    transport->env = env;
    transport->config = *config;
    set_defaults(&transport->config);
    transport->datacenter = base_strdup(config->datacenter);
    transport->config.datacenter = transport->datacenter;
    transport->log = base_log_named(&env->log, "wanfed");
    count_by(&transport->counters, env->metrics);
    LIST_INIT(&transport->inlets);
    LIST_INIT(&transport->dials);
    base_timer_init(&transport->sweep, env, "wanfed-sweep", on_sweep,
                    transport);
    *out = transport;
    return 0;
}

void wanfed_transport_free(struct wanfed_transport *transport)
{
    if (transport == NULL)
        return;
    base_timer_stop(&transport->sweep);
    wanfed_dials_close(transport);
    wanfed_inlets_close(transport);
    wanfed_peers_close(transport);
    base_free(transport->datacenter);
    base_free(transport);
}

struct gossip_transport wanfed_transport_ops(struct wanfed_transport *transport)
{
    return (struct gossip_transport){.ops = &transport_ops, .ctx = transport};
}

void wanfed_transport_attach(struct wanfed_transport *transport,
                             struct gossip_memberlist *memberlist)
{
    transport->memberlist = memberlist;
}

void wanfed_transport_warm(struct wanfed_transport *transport, const char *name)
{
    char node[64];
    char dc[64];

    if (place(transport, name, node, dc) == WHERE_AWAY)
        (void)wanfed_peers_warm(transport, name, node, dc);
}

void wanfed_transport_retry(struct wanfed_transport *transport)
{
    wanfed_peers_retry(transport);
}

void wanfed_transport_renew(struct wanfed_transport *transport,
                            rpc_is_way_fn is_way, void *arg)
{
    wanfed_peers_renew(transport, is_way, arg);
}
