/*
 * Connecting and listening. A dial is one event that goes to the peer and
 * back: the first packet is repeated while the link is down, as TCP does, and
 * the answer is a connection or a refusal. The accepting side hears of the
 * connection half a round trip after the dialling side (sim_stream.c).
 */
#include "base/alloc.h"
#include "base/error.h"
#include "sim_internal.h"

#define RETRY_NS UINT64_C(1000000000) /* doubling, RFC 6298 */
#define RETRY_DOUBLINGS_MAX 6u
#define TIMEOUT_DEFAULT_MS 60000u /* where the caller gives none */

struct base_listener {
    struct sim_socket socket; /* first */
    base_accept_fn accept;
    void *arg;
};

struct base_dial {
    struct sim_socket socket; /* first; addr is the local one */
    struct sim_event event;
    struct base_addr to;
    struct base_sim_host *host; /* of to; NULL: nobody */
    uint64_t boots;             /* of host when it answered */
    uint64_t deadline_ns;
    unsigned tries;
    int status; /* as the peer answered */
    base_dial_fn done;
    void *arg;
};

/* ---- listening ---- */

int sim_listen(void *ctx, const struct base_addr *at, base_accept_fn accept,
               void *arg, struct base_listener **out)
{
    struct sim_env *env = ctx;
    struct base_listener *listener;
    int rv;

    BASE_NEW(listener);
    listener->accept = accept;
    listener->arg = arg;
    rv = sim_socket_bind(&listener->socket, env, &env->host->listeners, at);
    if (rv < 0) {
        base_free(listener);
        return rv;
    }
    *out = listener;
    return 0;
}

void sim_listener_addr(const struct base_listener *listener,
                       struct base_addr *out)
{
    *out = listener->socket.addr;
}

void sim_listener_close(struct base_listener *listener)
{
    LIST_REMOVE(&listener->socket, link);
    base_free(listener);
}

void sim_listeners_free_all(struct base_sim_host *host)
{
    while (!LIST_EMPTY(&host->listeners)) {
        struct sim_socket *socket = LIST_FIRST(&host->listeners);

        sim_listener_close(
            BASE_CONTAINER_OF(socket, struct base_listener, socket));
    }
}

struct base_listener *sim_listener_find(const struct base_sim_host *host,
                                        const struct base_addr *addr)
{
    struct sim_socket *socket = sim_socket_find(&host->listeners, addr);

    return socket != NULL
               ? BASE_CONTAINER_OF(socket, struct base_listener, socket)
               : NULL;
}

struct sim_env *sim_listener_env(const struct base_listener *listener)
{
    return listener->socket.env;
}

void sim_listener_accept(struct base_listener *listener,
                         struct base_stream *stream)
{
    listener->accept(listener->arg, stream);
}

/* ---- dialling ---- */

static void on_knock(void *arg);
static void on_answer(void *arg);
static void on_timeout(void *arg);

static void dial_free(struct base_dial *dial)
{
    sim_event_stop(&dial->event);
    LIST_REMOVE(&dial->socket, link);
    base_free(dial);
}

/* The next thing that happens to it, unless time runs out before. */
static void next(struct base_dial *dial, void (*fire)(void *arg),
                 uint64_t due_ns)
{
    if (due_ns >= dial->deadline_ns) {
        due_ns = dial->deadline_ns;
        fire = on_timeout;
    }
    dial->event.timer.fire = fire;
    sim_event_start(&dial->event, due_ns);
}

static void finish(struct base_dial *dial, int status,
                   struct base_stream *stream)
{
    base_dial_fn done = dial->done;
    void *arg = dial->arg;

    dial_free(dial);
    done(arg, status, stream);
}

static void on_timeout(void *arg)
{
    struct base_dial *dial = arg;
    struct base_sim *sim = dial->event.sim;

    sim_log_traffic(sim, dial->socket.env->label, "dial-timeout",
                    &dial->socket.addr, &dial->to, 0);
    finish(dial, BASE_ETIMEOUT, NULL);
}

static void send_knock(struct base_dial *dial);

/* The world ends: sim_dials_free_all() will come. */
static void leave_to_host(struct sim_event *event)
{
    (void)event;
}

static void on_retry(void *arg)
{
    send_knock(arg);
}

static void retry_later(struct base_dial *dial)
{
    uint64_t delay_ns = RETRY_NS << dial->tries;

    if (dial->tries < RETRY_DOUBLINGS_MAX)
        dial->tries++;
    next(dial, on_retry, dial->event.sim->now_ns + delay_ns);
}

static void send_knock(struct base_dial *dial)
{
    struct base_sim *sim = dial->event.sim;
    struct base_sim_link link;

    if (dial->host == NULL) {
        next(dial, on_timeout, UINT64_MAX);
        return;
    }
    link = sim_link_ask(sim, dial->socket.env->host, dial->host);
    if (!link.up)
        retry_later(dial);
    else
        next(dial, on_knock, sim->now_ns + sim_link_delay_ns(sim, &link));
}

/* At the peer's machine. */
static void on_knock(void *arg)
{
    struct base_dial *dial = arg;
    struct base_sim *sim = dial->event.sim;
    struct base_sim_link link =
        sim_link_ask(sim, dial->host, dial->socket.env->host);

    if (!link.up || dial->host->down) { /* no answer */
        retry_later(dial);
        return;
    }
    dial->boots = dial->host->boots;
    dial->status =
        sim_listener_find(dial->host, &dial->to) != NULL ? 0 : BASE_EREFUSED;
    next(dial, on_answer, sim->now_ns + sim_link_delay_ns(sim, &link));
}

static void on_answer(void *arg)
{
    struct base_dial *dial = arg;
    struct base_sim *sim = dial->event.sim;
    struct base_stream *stream = NULL;

    sim_log_traffic(sim, dial->socket.env->label,
                    dial->status == 0 ? "dial" : "dial-refused",
                    &dial->socket.addr, &dial->to, 0);
    if (dial->status == 0)
        stream = sim_stream_connect(dial->socket.env, &dial->socket.addr,
                                    dial->host, dial->boots, &dial->to);
    finish(dial, dial->status, stream);
}

int sim_dial(void *ctx, const struct base_addr *to,
             const struct base_addr *from, uint32_t timeout_ms,
             base_dial_fn done, void *arg, struct base_dial **out)
{
    struct sim_env *env = ctx;
    struct base_dial *dial;
    struct base_addr local;
    int rv;

    if (env->dead)
        return BASE_ECLOSED;
    if (to->family == 0 || to->port == 0)
        return BASE_EINVAL;
    if (from != NULL && !base_addr_is_any(from) &&
        !sim_host_has(env->host, from))
        return BASE_EADDR;
    rv = sim_source_addr(env->host, from, to, &local);
    if (rv < 0)
        return rv;
    local.port = sim_port_next(env->host);
    BASE_NEW(dial);
    dial->socket.env = env;
    dial->socket.addr = local;
    dial->event.sim = env->sim;
    dial->event.timer.arg = dial;
    dial->event.drop = leave_to_host;
    dial->to = *to;
    dial->host = sim_route(env->host, to);
    dial->deadline_ns =
        env->sim->now_ns +
        (timeout_ms > 0 ? timeout_ms : TIMEOUT_DEFAULT_MS) * UINT64_C(1000000);
    dial->done = done;
    dial->arg = arg;
    LIST_INSERT_HEAD(&env->host->dials, &dial->socket, link);
    send_knock(dial);
    if (out != NULL)
        *out = dial;
    return 0;
}

void sim_dial_cancel(struct base_dial *dial)
{
    dial_free(dial);
}

void sim_dials_kill(struct base_sim_host *host)
{
    struct sim_socket *socket;

    LIST_FOREACH(socket, &host->dials, link)
    {
        struct base_dial *dial =
            BASE_CONTAINER_OF(socket, struct base_dial, socket);

        socket->dead = true;
        sim_event_stop(&dial->event);
    }
}

void sim_dials_free_all(struct base_sim_host *host)
{
    while (!LIST_EMPTY(&host->dials)) {
        struct sim_socket *socket = LIST_FIRST(&host->dials);

        dial_free(BASE_CONTAINER_OF(socket, struct base_dial, socket));
    }
}
