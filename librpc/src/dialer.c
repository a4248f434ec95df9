/*
 * Dialling a server by who it is. The rule of federation.md section 4, exactly:
 *
 *   our dc, or no federation   connect to the address; with TLS: byte 3, the
 *                              handshake, then the protocol's byte; without:
 *                              the protocol's byte
 *   another dc                 connect to a gateway that the table above us
 *                              picks; native TLS with the server's exact name
 *                              and the protocol's ALPN; no byte
 */
#include "rpc/dialer.h"

#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"

struct rpc_dialer {
    struct base_env *env;
    struct base_net *net;
    struct base_log log;
    struct base_log_limit log_limit;
    char *datacenter;
    char *domain;
    const struct rpc_secure *secure;
    bool federation;
    bool verify_server_hostname;
    struct base_addr from;
    const struct rpc_gateway_ops *gateways;
    void *gateways_ctx;
    LIST_HEAD(, rpc_dial) dials;
};

struct rpc_dial {
    LIST_ENTRY(rpc_dial) link;
    struct rpc_dialer *dialer;
    char *dc;
    bool by_gateway;
    struct base_addr addr; /* what is connected to */
    enum rpc_protocol protocol;
    char server_name[254];
    uint64_t deadline_ms;
    struct base_dial *connecting;
    struct rpc_handshake *handshake;
    rpc_dial_fn done;
    void *arg;
};

int rpc_dialer_new(struct base_env *env, struct base_net *net,
                   const struct rpc_dialer_config *config,
                   struct rpc_dialer **out)
{
    struct rpc_dialer *dialer;

    *out = NULL;
    if (config->federation &&
        (config->secure == NULL || config->gateways == NULL))
        return RPC_EINVAL;
    BASE_NEW(dialer);
    dialer->env = env;
    dialer->net = net;
    dialer->log = base_log_named(&env->log, "rpc");
    dialer->datacenter = base_strdup(config->datacenter);
    dialer->domain = base_strdup(config->domain);
    dialer->secure = config->secure;
    dialer->federation = config->federation;
    dialer->verify_server_hostname = config->verify_server_hostname;
    dialer->from = config->from;
    dialer->gateways = config->gateways;
    dialer->gateways_ctx = config->gateways_ctx;
    LIST_INIT(&dialer->dials);
    *out = dialer;
    return 0;
}

void rpc_dialer_free(struct rpc_dialer *dialer)
{
    if (dialer == NULL)
        return;
    while (!LIST_EMPTY(&dialer->dials))
        rpc_dial_cancel(LIST_FIRST(&dialer->dials));
    base_free(dialer->datacenter);
    base_free(dialer->domain);
    base_free(dialer);
}

const char *rpc_dialer_datacenter(const struct rpc_dialer *dialer)
{
    return dialer->datacenter;
}

static void dial_free(struct rpc_dial *dial)
{
    LIST_REMOVE(dial, link);
    base_free(dial->dc);
    base_free(dial);
}

void rpc_dial_cancel(struct rpc_dial *dial)
{
    if (dial->connecting != NULL)
        base_net_dial_cancel(dial->dialer->net, dial->connecting);
    if (dial->handshake != NULL)
        dial->dialer->secure->ops->cancel(dial->handshake);
    dial_free(dial);
}

/* ---- the end ---- */

static void log_failure(const struct rpc_dial *dial, int status,
                        const char *why)
{
    struct rpc_dialer *dialer = dial->dialer;

    if (!base_log_limit_pass(&dialer->log_limit,
                             base_env_now_ns(dialer->env)))
        return;
    base_log(&dialer->log, BASE_LOG_WARN, "cannot connect to a server",
             kv_str("server", dial->server_name), kv_addr("addr", &dial->addr),
             kv_str(dial->by_gateway ? "via" : "direct",
                    rpc_protocol_row(dial->protocol)->name),
             kv_int("error", status),
             kv_str("why", why != NULL ? why : rpc_strerror(status)));
}

static void finish(struct rpc_dial *dial, int status, const char *why,
                   struct base_stream *stream, const struct rpc_peer *peer)
{
    struct rpc_dialer *dialer = dial->dialer;
    rpc_dial_fn done = dial->done;
    void *arg = dial->arg;

    if (status != 0)
        log_failure(dial, status, why);
    if (dial->by_gateway)
        dialer->gateways->report(dialer->gateways_ctx, dial->dc, &dial->addr,
                                 status);
    base_env_trace(dialer->env, "rpc", "dialled %s protocol=%s status=%d",
                   dial->server_name, rpc_protocol_row(dial->protocol)->name,
                   status);
    dial_free(dial);
    done(arg, status, stream, peer);
}

static void send_byte_and_finish(struct rpc_dial *dial,
                                 struct base_stream *stream,
                                 const struct rpc_peer *peer)
{
    uint8_t byte = rpc_protocol_row(dial->protocol)->first_byte;
    int rv = base_stream_write(stream, &byte, 1);

    if (rv < 0) {
        base_stream_close(stream);
        finish(dial, rv, NULL, NULL, NULL);
        return;
    }
    finish(dial, 0, NULL, stream, peer);
}

/* ---- the steps ---- */

static void on_secure(void *arg, int status, const char *why,
                      struct base_stream *stream, const struct rpc_peer *peer)
{
    struct rpc_dial *dial = arg;

    dial->handshake = NULL;
    if (status != 0)
        finish(dial, status, why, NULL, NULL);
    else if (dial->by_gateway)
        finish(dial, 0, NULL, stream, peer);
    else
        send_byte_and_finish(dial, stream, peer);
}

/* What is left of the dial's time; at least 1, so that its end is an error of
 * the handshake's own. */
static uint32_t left_ms(const struct rpc_dial *dial)
{
    uint64_t now_ms = base_env_now_ms(dial->dialer->env);

    return now_ms < dial->deadline_ms ? (uint32_t)(dial->deadline_ms - now_ms)
                                      : 1;
}

static void start_tls(struct rpc_dial *dial, struct base_stream *stream)
{
    struct rpc_dialer *dialer = dial->dialer;
    const struct rpc_secure *secure = dialer->secure;
    bool verify = dial->by_gateway || dialer->verify_server_hostname;
    const char *alpn =
        dial->by_gateway ? rpc_protocol_row(dial->protocol)->alpn : NULL;
    uint8_t byte = RPC_BYTE_TLS;
    int rv = 0;

    if (!dial->by_gateway)
        rv = base_stream_write(stream, &byte, 1);
    if (rv < 0) {
        base_stream_close(stream);
        finish(dial, rv, NULL, NULL, NULL);
        return;
    }
    rv = secure->ops->client(secure->ctx, stream, dial->server_name, verify,
                             alpn, left_ms(dial), on_secure, dial,
                             &dial->handshake);
    if (rv < 0) {
        dial->handshake = NULL;
        finish(dial, rv, NULL, NULL, NULL);
    }
}

static void on_connected(void *arg, int status, struct base_stream *stream)
{
    struct rpc_dial *dial = arg;
    struct rpc_peer peer = {.secure = false};

    dial->connecting = NULL;
    if (status != 0) {
        finish(dial, status, NULL, NULL, NULL);
        return;
    }
    if (dial->dialer->secure != NULL) {
        start_tls(dial, stream);
        return;
    }
    peer.addr = stream->peer;
    send_byte_and_finish(dial, stream, &peer);
}

/* Fills in where to connect to and under which name. */
static int choose_path(struct rpc_dial *dial, const struct rpc_target *target)
{
    struct rpc_dialer *dialer = dial->dialer;
    bool ours = strcasecmp(target->dc, dialer->datacenter) == 0;
    int rv;

    dial->by_gateway = dialer->federation && !ours;
    dial->addr = target->addr;
    /* Inside a dc any server's certificate will do: it bears the dc's name.
     * Through a gateway the name is what routes, so it is the exact one. */
    rv = rpc_server_name(dial->server_name,
                         dial->by_gateway ? target->node : "", target->dc,
                         dialer->domain);
    if (rv < 0)
        return rv;
    if (dial->by_gateway)
        return dialer->gateways->pick(
            dialer->gateways_ctx, target->dc,
            target->avoid.family != 0 ? &target->avoid : NULL, &dial->addr);
    if (rpc_protocol_row(dial->protocol)->first_byte == RPC_BYTE_NONE ||
        target->addr.family == 0)
        return RPC_EINVAL;
    return 0;
}

int rpc_dialer_dial(struct rpc_dialer *dialer, const struct rpc_target *target,
                    enum rpc_protocol protocol, uint32_t timeout_ms,
                    rpc_dial_fn done, void *arg, struct rpc_dial **out)
{
    struct rpc_dial *dial;
    int rv;

    if (out != NULL)
        *out = NULL;
    BASE_NEW(dial);
    dial->dialer = dialer;
    dial->dc = base_strdup(target->dc);
    dial->protocol = protocol;
    dial->deadline_ms = base_env_now_ms(dialer->env) + timeout_ms;
    dial->done = done;
    dial->arg = arg;
    LIST_INSERT_HEAD(&dialer->dials, dial, link);
    rv = choose_path(dial, target);
    if (rv == 0)
        rv = base_net_dial(dialer->net, &dial->addr,
                           dialer->from.family != 0 ? &dialer->from : NULL,
                           timeout_ms, on_connected, dial, &dial->connecting);
    if (rv < 0) {
        dial_free(dial);
        return rv;
    }
    if (out != NULL)
        *out = dial;
    return 0;
}
