/* The gateway of fed.h: a relay by SNI, of two streams and no cleverness. */
#include <string.h>

#include "base/alloc.h"
#include "fed.h"
#include "rpc/sni.h"

struct fed_relay {
    struct fed_relay *next;
    struct fed_gateway *gateway;
    struct base_stream *near; /* who dialled us */
    struct base_stream *far;  /* NULL until connected */
    struct base_dial *dial;
    bool near_ended, far_ended;
};

void fed_gateway_listen(struct fed_gateway *gateway);
void fed_relays_close(struct fed_gateway *gateway);

static void relay_free(struct fed_relay *relay)
{
    struct fed_relay **at = &relay->gateway->relays;

    while (*at != relay)
        at = &(*at)->next;
    *at = relay->next;
    base_stream_close(relay->near);
    if (relay->far != NULL)
        base_stream_close(relay->far);
    if (relay->dial != NULL)
        base_net_dial_cancel(relay->gateway->net, relay->dial);
    base_free(relay);
}

static void pump(struct base_stream *from, struct base_stream *to)
{
    if (base_stream_write(to, base_stream_data(from), base_stream_len(from)) ==
        0)
        base_stream_consume(from, base_stream_len(from));
}

static void on_far_readable(void *arg)
{
    struct fed_relay *relay = arg;

    if (relay->gateway->mode == FED_ROUTES)
        pump(relay->far, relay->near);
}

/* An orderly end goes on to the other side behind what is under way. */
static void end(struct fed_relay *relay, struct base_stream *other, int err)
{
    if (relay->gateway->mode != FED_ROUTES)
        return;
    if (err < 0 || other == NULL || (relay->near_ended && relay->far_ended))
        relay_free(relay);
    else
        base_stream_shutdown(other);
}

static void on_far_end(void *arg, int err)
{
    struct fed_relay *relay = arg;

    relay->far_ended = true;
    end(relay, relay->near, err);
}

static void on_near_end(void *arg, int err)
{
    struct fed_relay *relay = arg;

    relay->near_ended = true;
    end(relay, relay->far, err);
}

static const struct base_stream_events far_events = {
    .on_readable = on_far_readable, .on_closed = on_far_end};

static void on_far(void *arg, int status, struct base_stream *stream)
{
    struct fed_relay *relay = arg;

    relay->dial = NULL;
    if (status < 0) {
        relay_free(relay);
        return;
    }
    relay->far = stream;
    base_stream_set_events(stream, &far_events, relay);
    pump(relay->near, stream);
}

/* "<node>.server.<dc>.consul", or any server with "server.<dc>.consul". */
static bool matches(const struct fed_server *server, const char *sni)
{
    char full[254];
    char any[254];

    rpc_server_name(full, server->node, server->dc, "consul");
    rpc_server_name(any, "", server->dc, "consul");
    return strcmp(sni, full) == 0 || strcmp(sni, any) == 0;
}

static void route(struct fed_relay *relay, const char *sni)
{
    struct fed_gateway *gateway = relay->gateway;
    size_t i;

    for (i = 0; i < gateway->fed->server_count; i++) {
        struct fed_server *server = &gateway->fed->servers[i];
        struct base_addr to = server->addr;

        to.port = 8300;
        if (!matches(server, sni))
            continue;
        if (base_net_dial(gateway->net, &to, NULL, 5000, on_far, relay,
                          &relay->dial) < 0)
            break;
        return;
    }
    relay_free(relay);
}

static void on_near_readable(void *arg)
{
    struct fed_relay *relay = arg;
    char sni[254];

    if (relay->gateway->mode != FED_ROUTES || relay->dial != NULL)
        return;
    if (relay->far != NULL) {
        pump(relay->near, relay->far);
        return;
    }
    switch (rpc_sni_read(base_stream_data(relay->near),
                         base_stream_len(relay->near), sni)) {
    case RPC_SNI_MORE:
        break;
    case RPC_SNI_FOUND:
        route(relay, sni);
        break;
    default:
        relay_free(relay);
    }
}

static const struct base_stream_events near_events = {
    .on_readable = on_near_readable, .on_closed = on_near_end};

static void on_accept(void *arg, struct base_stream *stream)
{
    struct fed_gateway *gateway = arg;
    struct fed_relay *relay;

    gateway->accepted++;
    if (gateway->mode == FED_RESETS) {
        base_stream_close(stream);
        return;
    }
    BASE_NEW(relay);
    relay->gateway = gateway;
    relay->near = stream;
    relay->next = gateway->relays;
    gateway->relays = relay;
    base_stream_set_events(stream, &near_events, relay);
}

void fed_gateway_listen(struct fed_gateway *gateway)
{
    ck_assert_int_eq(base_net_listen(gateway->net, &gateway->addr, on_accept,
                                     gateway, &gateway->listener),
                     0);
}

void fed_relays_close(struct fed_gateway *gateway)
{
    while (gateway->relays != NULL)
        relay_free(gateway->relays);
}
