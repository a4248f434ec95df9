/*
 * Streams: to a peer of our datacenter by the inner transport, to another by a
 * connection of its own through a gateway. Both kinds of dials stand behind one
 * handle, since cancelling must know which it is.
 */
#include <strings.h>

#include "base/alloc.h"
#include "internal.h"

/* What gossip holds as its struct gossip_dial. */
struct wanfed_dial {
    LIST_ENTRY(wanfed_dial) link;
    struct wanfed_transport *transport;
    struct gossip_dial *inner; /* one of the two */
    struct rpc_dial *outer;
    gossip_stream_fn done;
    void *arg;
};

static void finish(struct wanfed_dial *dial, int status,
                   struct base_stream *stream)
{
    gossip_stream_fn done = dial->done;
    void *arg = dial->arg;

    LIST_REMOVE(dial, link);
    base_free(dial);
    done(arg, status, stream);
}

static void on_inner(void *arg, int status, struct base_stream *stream)
{
    finish(arg, status, stream);
}

static void on_outer(void *arg, int status, struct base_stream *stream,
                     const struct rpc_peer *peer)
{
    (void)peer;
    finish(arg, status, stream);
}

static int dial_inner(struct wanfed_dial *dial, const struct gossip_peer *to,
                      uint32_t timeout_ms)
{
    const struct gossip_transport *inner = &dial->transport->config.inner;

    return inner->ops->dial_stream(inner->ctx, to, timeout_ms, on_inner, dial,
                                   &dial->inner);
}

/* Not through the gateway of the packets, if there is another: what a stream
 * brings is meant to help where packets do not get through. */
static int dial_outer(struct wanfed_dial *dial, const char *name,
                      const char *node, const char *dc, uint32_t timeout_ms)
{
    struct rpc_target target = {.dc = dc, .node = node};

    (void)wanfed_peers_gateway(dial->transport, name, &target.avoid);
    return rpc_dialer_dial(dial->transport->config.dialer, &target,
                           RPC_PROTOCOL_GOSSIP_STREAM, timeout_ms, on_outer,
                           dial, &dial->outer);
}

int wanfed_dial_stream(void *ctx, const struct gossip_peer *to,
                       uint32_t timeout_ms, gossip_stream_fn done, void *arg,
                       struct gossip_dial **out)
{
    struct wanfed_transport *transport = ctx;
    struct wanfed_dial *dial;
    char node[64];
    char dc[64];
    int rv;

    if (out != NULL)
        *out = NULL;
    if (!wanfed_name_split(to->name, node, dc)) {
        base_counter_add(transport->counters.refused_name, 1);
        return GOSSIP_ENAME;
    }
    BASE_NEW(dial);
    dial->transport = transport;
    dial->done = done;
    dial->arg = arg;
    LIST_INSERT_HEAD(&transport->dials, dial, link);
    if (strcasecmp(dc, transport->datacenter) == 0)
        rv = dial_inner(dial, to, timeout_ms);
    else
        rv = dial_outer(dial, to->name, node, dc, timeout_ms);
    if (rv < 0) {
        LIST_REMOVE(dial, link);
        base_free(dial);
        return rv;
    }
    if (out != NULL)
        *out = (struct gossip_dial *)dial;
    return 0;
}

static void cancel(struct wanfed_dial *dial)
{
    const struct gossip_transport *inner = &dial->transport->config.inner;

    if (dial->inner != NULL)
        inner->ops->dial_cancel(inner->ctx, dial->inner);
    if (dial->outer != NULL)
        rpc_dial_cancel(dial->outer);
    LIST_REMOVE(dial, link);
    base_free(dial);
}

void wanfed_dial_cancel(void *ctx, struct gossip_dial *dial)
{
    (void)ctx;
    cancel((struct wanfed_dial *)dial);
}

void wanfed_dials_close(struct wanfed_transport *transport)
{
    while (!LIST_EMPTY(&transport->dials))
        cancel(LIST_FIRST(&transport->dials));
}
