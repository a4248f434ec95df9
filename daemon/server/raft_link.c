/*
 * One outgoing connection a peer, any number of incoming ones. Servers are
 * addressed as "node/ip:port", so that the dialler can check the exact name.
 */
#include "server/raft_link.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define FRAME_BYTES_MAX (RAFT_APPEND_BYTES_MAX + 65536u)
#define QUEUE_BYTES_MAX (4u * FRAME_BYTES_MAX)
#define DIAL_TIMEOUT_MS 5000u
#define BACKOFF_MS 200u
#define INBOUND_MAX 256u

struct outbound {
    struct raft_link *link;
    struct outbound *next;
    char address[RAFT_ADDRESS_MAX];
    struct base_stream *stream;
    struct rpc_dial *dial;
    struct base_buf waiting; /* frames, while dialling */
    uint64_t not_before_ms;  /* backs off after a failure */
};

struct inbound {
    struct raft_link *link;
    struct inbound *prev, *next;
    struct base_stream *stream;
    uint64_t heard_ms;
};

struct raft_link {
    struct raft_link_config config;
    struct base_counter *dropped;
    struct outbound *outbound;
    struct inbound *inbound;
    size_t inbound_count;
};

/* ---- out ------------------------------------------------------------------ */

static void out_failed(struct outbound *out)
{
    if (out->stream)
        base_stream_close(out->stream);
    out->stream = NULL;
    base_buf_close(&out->waiting);
    out->waiting = (struct base_buf)BASE_BUF_INIT;
    out->not_before_ms = base_env_now_ms(out->link->config.env) + BACKOFF_MS;
}

/* Peers answer on connections of their own: what they say here is noise. */
static void out_readable(void *arg)
{
    struct outbound *out = arg;

    base_stream_consume(out->stream, base_stream_len(out->stream));
}

static void out_closed(void *arg, int err)
{
    (void)err;
    out_failed(arg);
}

static const struct base_stream_events out_events = {
    .on_readable = out_readable,
    .on_closed = out_closed,
};

static void on_dialled(void *arg, int status, struct base_stream *stream,
                       const struct rpc_peer *peer)
{
    struct outbound *out = arg;

    (void)peer;
    out->dial = NULL;
    if (status != 0) {
        out_failed(out);
        return;
    }
    out->stream = stream;
    base_stream_set_events(stream, &out_events, out);
    base_stream_write(stream, base_buf_data(&out->waiting),
                      base_buf_len(&out->waiting));
    base_buf_close(&out->waiting);
    out->waiting = (struct base_buf)BASE_BUF_INIT;
}

static int out_dial(struct outbound *out)
{
    struct raft_link *link = out->link;
    struct base_target to;
    struct rpc_target target = {.dc = link->config.datacenter};

    if (base_env_now_ms(link->config.env) < out->not_before_ms)
        return BASE_EUNREACH;
    if (base_target_parse(&to, out->address, 0) != 0 ||
        base_addr_parse_ip(&target.addr, to.host) != 0)
        return BASE_EPARSE;
    target.addr.port = to.port;
    target.node = to.name;
    return rpc_dialer_dial(link->config.dialer, &target, RPC_PROTOCOL_RAFT,
                           DIAL_TIMEOUT_MS, on_dialled, out, &out->dial);
}

static struct outbound *out_for(struct raft_link *link, const char *address)
{
    struct outbound *out;

    for (out = link->outbound; out; out = out->next)
        if (strcmp(out->address, address) == 0)
            return out;
    BASE_NEW(out);
    out->link = link;
    snprintf(out->address, sizeof(out->address), "%s", address);
    out->next = link->outbound;
    link->outbound = out;
    return out;
}

static int out_write(struct outbound *out, const void *data, size_t len)
{
    struct base_buf frame = BASE_BUF_INIT;
    int rv;

    if (base_stream_pending(out->stream) > QUEUE_BYTES_MAX)
        return BASE_EFULL;
    base_buf_append_u32be(&frame, (uint32_t)len);
    base_buf_append(&frame, data, len);
    rv = base_stream_write(out->stream, base_buf_data(&frame),
                           base_buf_len(&frame));
    base_buf_close(&frame);
    return rv;
}

static int out_send(struct outbound *out, const void *data, size_t len)
{
    int rv;

    if (out->stream)
        return out_write(out, data, len);
    if (out->dial == NULL) {
        rv = out_dial(out);
        if (rv != 0)
            return rv;
    }
    if (base_buf_len(&out->waiting) > QUEUE_BYTES_MAX)
        return BASE_EFULL;
    base_buf_append_u32be(&out->waiting, (uint32_t)len);
    base_buf_append(&out->waiting, data, len);
    return 0;
}

static int link_send(void *ctx, const struct raft_server *to, const void *data,
                     size_t len)
{
    struct raft_link *link = ctx;
    const char *address = to->address;
    char located[RAFT_ADDRESS_MAX];
    int rv = BASE_EUNREACH;

    if (*address == '\0' &&
        link->config.locate(link->config.ctx, to->id, located))
        address = located;
    if (*address != '\0')
        rv = out_send(out_for(link, address), data, len);
    if (rv != 0)
        base_counter_add(link->dropped, 1);
    return rv;
}

/* Followers hear before our own disk does. */
static void link_flush(void *ctx)
{
    struct raft_link *link = ctx;
    struct outbound *out;

    for (out = link->outbound; out; out = out->next)
        if (out->stream)
            base_stream_flush(out->stream);
}

/* ---- in ------------------------------------------------------------------- */

static void in_free(struct inbound *in)
{
    struct raft_link *link = in->link;

    if (in->prev)
        in->prev->next = in->next;
    else
        link->inbound = in->next;
    if (in->next)
        in->next->prev = in->prev;
    link->inbound_count--;
    base_stream_close(in->stream);
    base_free(in);
}

static void in_readable(void *arg)
{
    struct inbound *in = arg;
    struct raft_link *link = in->link;

    in->heard_ms = base_env_now_ms(link->config.env);
    for (;;) {
        struct base_cursor cursor = base_cursor_of(
            base_stream_data(in->stream), base_stream_len(in->stream));
        uint32_t len = base_cursor_u32be(&cursor);
        const uint8_t *message;

        if (cursor.failed)
            return;
        if (len == 0 || len > FRAME_BYTES_MAX) {
            in_free(in);
            return;
        }
        message = base_cursor_bytes(&cursor, len);
        if (message == NULL)
            return;
        link->config.receive(link->config.ctx, message, len);
        base_stream_consume(in->stream, 4 + (size_t)len);
    }
}

static void in_closed(void *arg, int err)
{
    (void)err;
    in_free(arg);
}

static const struct base_stream_events in_events = {
    .on_readable = in_readable,
    .on_closed = in_closed,
};

/* Peers that lost power leave connections that never end: the one that was
 * silent for longest makes room. */
static void make_room(struct raft_link *link)
{
    struct inbound *in, *silent = link->inbound;

    if (link->inbound_count < INBOUND_MAX)
        return;
    for (in = link->inbound; in; in = in->next)
        if (in->heard_ms <= silent->heard_ms)
            silent = in;
    in_free(silent);
}

void raft_link_accept(void *arg, struct base_stream *stream,
                      const struct rpc_peer *peer)
{
    struct raft_link *link = arg;
    struct inbound *in;

    (void)peer;
    make_room(link);
    BASE_NEW(in);
    in->link = link;
    in->heard_ms = base_env_now_ms(link->config.env);
    in->stream = stream;
    in->next = link->inbound;
    if (in->next)
        in->next->prev = in;
    link->inbound = in;
    link->inbound_count++;
    base_stream_set_in_limit(stream, FRAME_BYTES_MAX + 4);
    base_stream_set_events(stream, &in_events, in);
}

/* ---- life ----------------------------------------------------------------- */

struct raft_link *raft_link_new(const struct raft_link_config *config)
{
    struct raft_link *link;

    BASE_NEW(link);
    link->config = *config;
    link->dropped = base_metrics_counter(config->env->metrics,
                                         "isthmus.raft.link.dropped", NULL,
                                         NULL);
    return link;
}

void raft_link_free(struct raft_link *link)
{
    while (link->outbound) {
        struct outbound *out = link->outbound;

        link->outbound = out->next;
        if (out->dial)
            rpc_dial_cancel(out->dial);
        if (out->stream)
            base_stream_close(out->stream);
        base_buf_close(&out->waiting);
        base_free(out);
    }
    while (link->inbound)
        in_free(link->inbound);
    base_free(link);
}

struct raft_transport raft_link_transport(struct raft_link *link)
{
    static const struct raft_transport_ops ops = {
        .version = 2, .send = link_send, .flush = link_flush};

    return (struct raft_transport){&ops, link};
}
