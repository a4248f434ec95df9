/*
 * The server port. Each new connection is an "opening" that waits for its first
 * byte, perhaps for TLS and a second byte, and is then handed to a protocol's
 * handler or refused: closed, counted by reason, logged at a bounded rate. The
 * tables are sniff.c and protocol.c, certificates' names peer.c; this file is
 * the order of things and the limits, handshakes are listener_tls.c's. Source:
 * federation.md section 3.
 */
#include "rpc/listener.h"

#include "base/alloc.h"
#include "listener_priv.h"
#include "name_limit.h"
#include "peer.h"
#include "rate.h"
#include "refusal.h"

#define HANDSHAKE_TIMEOUT_MS 5000u
#define HANDSHAKES_MAX 64u
#define CONNECTIONS_PER_NAME 100u
#define ACCEPTS_PER_SECOND 200u
#define WAITING_MAX 1024u /* connections that have not said a byte yet */

/* ---- where an opening is ---- */

static void take_out(struct opening *opening)
{
    TAILQ_REMOVE(&opening->in->list, opening, link);
    opening->in->count--;
}

static void put_in(struct opening *opening, struct opening_list *list)
{
    opening->in = list;
    TAILQ_INSERT_TAIL(&list->list, opening, link);
    list->count++;
}

void opening_move(struct opening *opening, struct opening_list *list)
{
    take_out(opening);
    put_in(opening, list);
}

/* ---- ends of an opening ---- */

void opening_free(struct opening *opening)
{
    struct rpc_listener *listener = opening->listener;

    take_out(opening);
    base_timer_stop(&opening->timer);
    if (opening->handshake != NULL)
        listener->secure->ops->cancel(opening->handshake);
    if (opening->stream != NULL)
        base_stream_close(opening->stream);
    base_free(opening);
}

void opening_refuse(struct opening *opening, const char *reason,
                    const char *why)
{
    struct rpc_listener *listener = opening->listener;
    const struct rpc_refused refused = {
        .from = &opening->peer.addr,
        .byte = opening->byte,
        .peer = &opening->peer,
        .domain = listener->domain,
        .reason = reason,
        .why = why,
    };

    rpc_refusal_count(listener->env, reason);
    rpc_refusal_log(listener->env, &listener->log_limit, &refused);
    opening_free(opening);
}

void opening_make_room(struct opening_list *list, uint32_t max,
                       const char *reason)
{
    if (list->count >= max)
        opening_refuse(TAILQ_FIRST(&list->list), reason, "");
}

/* ---- handing over ---- */

/* A place among the connections of that name; without one, of that IP. */
static bool take_place(struct opening *opening)
{
    struct rpc_listener *listener = opening->listener;
    const char *name = rpc_peer_name(&opening->peer, listener->domain);
    struct base_addr ip = opening->peer.addr;
    struct rpc_name_slot *slot;
    char text[BASE_ADDR_TEXT_MAX];

    ip.port = 0;
    if (name[0] == '\0')
        name = base_addr_format(&ip, text);
    slot = rpc_name_limit_take(listener->names, name);
    if (slot == NULL)
        return false;
    base_stream_watch(opening->stream, rpc_name_limit_release, slot);
    return true;
}

/* Runs from the loop with nothing below it, so that the handler may detach. */
static void hand_over(struct opening *opening)
{
    struct rpc_listener *listener = opening->listener;
    const struct rpc_protocol_row *row = rpc_protocol_row(opening->protocol);
    struct handler handler = listener->handlers[opening->protocol];
    struct base_stream *stream = opening->stream;
    struct rpc_peer peer;

    if (handler.accept == NULL) {
        opening_refuse(opening, "no-handler", row->name);
        return;
    }
    if (!take_place(opening)) {
        opening_refuse(
            opening, opening->peer.name_count > 0 ? "name-max" : "address-max",
            row->name);
        return;
    }
    base_counter_add(base_metrics_counter(listener->env->metrics,
                                          "isthmus.rpc.accepted", "protocol",
                                          row->name),
                     1);
    base_env_trace(listener->env, "rpc", "accepted protocol=%s secure=%d",
                   row->name, (int)opening->peer.secure);
    peer = opening->peer;
    opening->stream = NULL;
    opening_free(opening);
    handler.accept(handler.arg, stream, &peer);
}

/* Who may speak what: before the first byte of the protocol is handled. */
void opening_pass(struct opening *opening)
{
    struct rpc_listener *listener = opening->listener;

    if (opening->peer.secure &&
        !rpc_peer_may_speak(&opening->peer, opening->protocol,
                            listener->datacenter, listener->domain)) {
        opening_refuse(opening, "certificate-name",
                       rpc_protocol_row(opening->protocol)->name);
        return;
    }
    base_stream_set_events(opening->stream, NULL, NULL);
    opening_move(opening, &listener->passing);
    opening->next = hand_over;
    base_timer_start_ns(&opening->timer, 0);
}

/* ---- the type byte ---- */

static void on_readable(void *arg)
{
    struct opening *opening = arg;
    struct rpc_sniff sniff;

    if (base_stream_len(opening->stream) == 0)
        return;
    opening->byte = base_stream_data(opening->stream)[0];
    sniff = rpc_sniff(opening->place, (uint8_t)opening->byte,
                      &opening->listener->rules);
    if (sniff.verdict == RPC_SNIFF_REFUSE) {
        opening_refuse(opening, sniff.reason, "");
        return;
    }
    if (sniff.verdict != RPC_SNIFF_NATIVE_TLS)
        base_stream_consume(opening->stream, 1);
    if (sniff.verdict == RPC_SNIFF_PROTOCOL) {
        opening->protocol = sniff.protocol;
        opening_pass(opening);
        return;
    }
    opening_queue_handshake(opening);
}

/* Gone before it said anything: a health check, not an attack. */
static void on_closed(void *arg, int err)
{
    struct opening *opening = arg;

    base_env_trace(opening->listener->env, "rpc", "left err=%d", err);
    opening_free(opening);
}

static const struct base_stream_events opening_events = {
    .on_readable = on_readable,
    .on_closed = on_closed,
};

static void time_out(struct opening *opening)
{
    opening_refuse(opening, "first-byte-timeout", "");
}

void opening_await_byte(struct opening *opening)
{
    opening->next = time_out;
    base_timer_start_ms(&opening->timer,
                        opening->listener->handshake_timeout_ms);
    base_stream_set_events(opening->stream, &opening_events, opening);
}

static void on_timer(void *arg)
{
    struct opening *opening = arg;

    opening->next(opening);
}

static void refuse_new(struct rpc_listener *listener,
                       struct base_stream *stream, const char *reason)
{
    const struct rpc_refused refused = {
        .from = &stream->peer, .byte = -1, .reason = reason, .why = ""};

    rpc_refusal_count(listener->env, reason);
    rpc_refusal_log(listener->env, &listener->log_limit, &refused);
    base_stream_close(stream);
}

static void on_accept(void *arg, struct base_stream *stream)
{
    struct rpc_listener *listener = arg;
    struct opening *opening;

    if (!rpc_rate_pass(listener->rate, &stream->peer)) {
        refuse_new(listener, stream, "rate");
        return;
    }
    opening_make_room(&listener->waiting, WAITING_MAX, "waiting-max");
    BASE_NEW(opening);
    opening->listener = listener;
    opening->stream = stream;
    opening->byte = -1;
    opening->peer.addr = stream->peer;
    base_timer_init(&opening->timer, listener->env, "rpc-opening", on_timer,
                    opening);
    put_in(opening, &listener->waiting);
    opening_await_byte(opening);
}

/* ---- public ---- */

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value != 0 ? value : fallback;
}

int rpc_listener_new(struct base_env *env, struct base_net *net,
                     const struct rpc_listener_config *config,
                     struct rpc_listener **out)
{
    struct rpc_listener *listener;
    int rv;

    *out = NULL;
    BASE_NEW(listener);
    listener->env = env;
    listener->net = net;
    listener->datacenter = base_strdup(config->datacenter);
    listener->domain = base_strdup(config->domain);
    listener->secure = config->secure;
    listener->rules = (struct rpc_sniff_rules){
        config->secure != NULL, config->verify_incoming, config->federation};
    listener->handshake_timeout_ms =
        or_default(config->handshake_timeout_ms, HANDSHAKE_TIMEOUT_MS);
    listener->handshakes_max =
        or_default(config->handshakes_max, HANDSHAKES_MAX);
    listener->rate = rpc_rate_new(
        env, or_default(config->accepts_per_second, ACCEPTS_PER_SECOND));
    listener->names = rpc_name_limit_new(
        or_default(config->connections_per_name, CONNECTIONS_PER_NAME));
    TAILQ_INIT(&listener->waiting.list);
    TAILQ_INIT(&listener->shaking.list);
    TAILQ_INIT(&listener->passing.list);
    base_timer_init(&listener->turnstile, env, "rpc-turnstile",
                    listener_on_turnstile, listener);
    rv = base_net_listen(net, &config->addr, on_accept, listener,
                         &listener->socket);
    if (rv < 0) {
        listener->socket = NULL;
        rpc_listener_free(listener);
        return rv;
    }
    *out = listener;
    return 0;
}

void rpc_listener_handle(struct rpc_listener *listener,
                         enum rpc_protocol protocol, rpc_accept_fn accept,
                         void *arg)
{
    listener->handlers[protocol] = (struct handler){accept, arg};
}

void rpc_listener_addr(const struct rpc_listener *listener,
                       struct base_addr *out)
{
    base_net_listener_addr(listener->net, listener->socket, out);
}

static void free_all(struct opening_list *list)
{
    while (!TAILQ_EMPTY(&list->list))
        opening_free(TAILQ_FIRST(&list->list));
}

void rpc_listener_free(struct rpc_listener *listener)
{
    if (listener == NULL)
        return;
    if (listener->socket != NULL)
        base_net_listener_close(listener->net, listener->socket);
    base_timer_stop(&listener->turnstile);
    free_all(&listener->waiting);
    free_all(&listener->shaking);
    free_all(&listener->passing);
    rpc_rate_free(listener->rate);
    rpc_name_limit_free(listener->names);
    base_free(listener->datacenter);
    base_free(listener->domain);
    base_free(listener);
}
