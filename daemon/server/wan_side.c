/*
 * The gossip loop's half of the WAN. Routes and streams come over in letters;
 * nothing here reads what the main loop owns.
 */
#include "server/wan_side.h"

#include <strings.h>

#include "base/alloc.h"
#include "gossip/net_transport.h"
#include "server/internal.h"
#include "server/mail.h"
#include "wanfed/transport.h"

struct wan_side {
    struct base_env *main;
    struct base_env *gossip;
    const char *datacenter;
    struct mailbox mail;
    struct gossip_net_transport *net;
    struct rpc_dialer *dialer;       /* NULL without federation */
    struct fedstate_picker *picker;
    struct wanfed_transport *wanfed; /* NULL without federation */
};

/* ---- gateways ------------------------------------------------------------- */

static int pick(void *ctx, const char *dc, const struct base_addr *avoid,
                struct base_addr *gateway)
{
    return fedstate_picker_pick(ctx, dc, avoid, gateway) == 0
               ? 0
               : RPC_ENOGATEWAY;
}

static void report(void *ctx, const char *dc, const struct base_addr *gateway,
                   int status)
{
    (void)dc;
    fedstate_picker_report(ctx, gateway, status);
}

const struct rpc_gateway_ops wan_side_gateway_ops = {
    .version = 2, .pick = pick, .report = report};

struct routes_letter {
    struct mail mail;
    struct wan_side *side;
    struct fedstate_routes *routes;
};

static void routes_drop(struct mail *mail)
{
    struct routes_letter *letter = (struct routes_letter *)mail;

    fedstate_routes_free(letter->routes);
    base_free(letter);
}

/* A secondary's first contact goes straight to the primary's gateways, and must
 * not stay there once its own ones lead (federation.md section 1). While there
 * is no way at all, what stands is all there is. */
bool wan_side_is_way(void *arg, const char *dc,
                     const struct base_addr *gateway)
{
    const struct wan_ways *ways = arg;
    const struct base_addr *candidates;
    size_t count, i;

    if (strcasecmp(dc, ways->datacenter) == 0)
        return true;
    candidates = fedstate_routes_for(ways->routes, dc, &count);
    for (i = 0; i < count; i++)
        if (base_addr_equal(&candidates[i], gateway))
            return true;
    return count == 0;
}

static void routes_deliver(struct mail *mail)
{
    struct routes_letter *letter = (struct routes_letter *)mail;

    mail_end(mail);
    fedstate_picker_set(letter->side->picker, letter->routes);
    if (letter->side->wanfed)
        wanfed_transport_retry(letter->side->wanfed);
    base_free(letter);
}

static void renew_deliver(struct mail *mail)
{
    struct routes_letter *letter = (struct routes_letter *)mail;
    struct wan_ways ways = {letter->side->datacenter, letter->routes};

    mail_end(mail);
    if (letter->side->wanfed)
        wanfed_transport_renew(letter->side->wanfed, wan_side_is_way, &ways);
    fedstate_routes_free(letter->routes);
    base_free(letter);
}

static void send_routes(struct wan_side *side,
                        const struct fedstate_routes *routes,
                        void (*deliver)(struct mail *mail))
{
    struct routes_letter *letter;

    BASE_NEW(letter);
    letter->side = side;
    letter->routes = fedstate_routes_dup(routes);
    mail_open(&side->mail, &letter->mail, routes_drop);
    if (mail_send(&letter->mail, side->gossip, deliver) != 0) {
        /* 65,536 letters wait: the gossip loop is beyond help by this one. */
        mail_end(&letter->mail);
        routes_drop(&letter->mail);
    }
}

void wan_side_routes(struct wan_side *side, const struct fedstate_routes *routes)
{
    send_routes(side, routes, routes_deliver);
}

void wan_side_renew(struct wan_side *side, const struct fedstate_routes *routes)
{
    send_routes(side, routes, renew_deliver);
}

void wan_side_warm(struct wan_side *side, const char *name)
{
    if (side->wanfed)
        wanfed_transport_warm(side->wanfed, name);
}

/* ---- accepted connections, main loop to gossip loop ----------------------- */

struct stream_letter {
    struct mail mail;
    struct wan_side *side;
    struct base_stream *stream;
    struct rpc_peer peer;
    void (*accept)(struct wanfed_transport *wanfed, struct base_stream *stream,
                   const struct rpc_peer *peer);
};

static void stream_drop(struct mail *mail)
{
    struct stream_letter *letter = (struct stream_letter *)mail;

    base_stream_close(letter->stream);
    base_free(letter);
}

/* Gossip loop. */
static void stream_arrive(struct mail *mail)
{
    struct stream_letter *letter = (struct stream_letter *)mail;

    mail_end(mail);
    base_stream_attach(letter->stream, letter->side->gossip);
    letter->accept(letter->side->wanfed, letter->stream, &letter->peer);
    base_free(letter);
}

/* Main loop, a turn after the handshake: the stream's own callbacks are done. */
static void stream_leave(struct mail *mail)
{
    struct stream_letter *letter = (struct stream_letter *)mail;

    base_stream_detach(letter->stream);
    if (mail_send(mail, letter->side->gossip, stream_arrive) == 0)
        return;
    mail_end(mail);
    stream_drop(mail);
}

static void hand_over(struct wan_side *side, struct base_stream *stream,
                      const struct rpc_peer *peer,
                      void (*accept)(struct wanfed_transport *,
                                     struct base_stream *,
                                     const struct rpc_peer *))
{
    struct stream_letter *letter;

    BASE_NEW(letter);
    letter->side = side;
    letter->stream = stream;
    letter->peer = *peer;
    letter->accept = accept;
    mail_open(&side->mail, &letter->mail, stream_drop);
    if (mail_send(&letter->mail, side->main, stream_leave) != 0) {
        mail_end(&letter->mail);
        stream_drop(&letter->mail);
    }
}

void wan_side_accept_packets(void *arg, struct base_stream *stream,
                             const struct rpc_peer *peer)
{
    hand_over(arg, stream, peer, wanfed_accept_packets);
}

void wan_side_accept_stream(void *arg, struct base_stream *stream,
                            const struct rpc_peer *peer)
{
    hand_over(arg, stream, peer, wanfed_accept_stream);
}

/* ---- life ----------------------------------------------------------------- */

static int start_federation(struct wan_side *side, struct server *server)
{
    struct rpc_dialer_config dialer = {
        .datacenter = server->config.datacenter,
        .domain = server->config.domain,
        .secure = &server->config.gossip.secure,
        .federation = true,
        .verify_server_hostname = server->config.verify_server_hostname,
        .from = server->config.bind_ip,
        .gateways = &wan_side_gateway_ops,
        .gateways_ctx = side->picker,
    };
    struct wanfed_config wanfed = {.datacenter = server->config.datacenter,
                                   .inner = gossip_net_transport_ops(side->net)};
    int rv;

    if (base_addr_is_any(&dialer.from))
        dialer.from.family = 0;
    rv = rpc_dialer_new(side->gossip, server->config.gossip.net, &dialer,
                        &side->dialer);
    if (rv != 0)
        return rv;
    wanfed.dialer = side->dialer;
    return wanfed_transport_new(side->gossip, &wanfed, &side->wanfed);
}

int wan_side_new(struct server *server, struct wan_side **out)
{
    struct wan_side *side;
    struct base_addr at = server->config.bind_ip;
    int rv;

    BASE_NEW(side);
    side->main = server->env;
    side->gossip = server->config.gossip.env;
    side->datacenter = server->config.datacenter;
    mailbox_init(&side->mail);
    side->picker = fedstate_picker_new(side->gossip);
    at.port = server->config.serf_wan_port;
    rv = gossip_net_transport_new(server->config.gossip.net, &at, &side->net);
    if (rv == 0 && server->config.federation)
        rv = start_federation(side, server);
    if (rv != 0) {
        wan_side_free(side);
        return rv;
    }
    *out = side;
    return 0;
}

void wan_side_free(struct wan_side *side)
{
    if (side == NULL)
        return;
    mailbox_close(&side->mail);
    if (side->wanfed)
        wanfed_transport_free(side->wanfed);
    if (side->dialer)
        rpc_dialer_free(side->dialer);
    if (side->net)
        gossip_net_transport_free(side->net);
    fedstate_picker_free(side->picker);
    base_free(side);
}

struct gossip_transport wan_side_transport(struct wan_side *side)
{
    return side->wanfed ? wanfed_transport_ops(side->wanfed)
                        : gossip_net_transport_ops(side->net);
}

void wan_side_attach(struct wan_side *side, struct gossip_memberlist *memberlist)
{
    gossip_net_transport_attach(side->net, memberlist);
    if (side->wanfed)
        wanfed_transport_attach(side->wanfed, memberlist);
}
