/*
 * The simulator's stand-in for TLS: the handshake's order, judgements and
 * errors, without any cryptography. The records are sim_secure_wire.c's.
 */
#include "rpc/sim_secure.h"

#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "base/alloc.h"
#include "base/error.h"
#include "linger.h"
#include "peer.h"
#include "rpc/sni.h"
#include "sim_secure_wire.h"

struct rpc_sim_secure {
    struct base_env *env;
    char trusted_ca[254];
    struct sim_card card; /* our own certificate */
    bool verify_incoming;
    bool verify_outgoing;
    LIST_HEAD(, sim_handshake) handshakes;
    struct lingers lingers;
};

struct sim_handshake {
    LIST_ENTRY(sim_handshake) link;
    struct rpc_sim_secure *secure;
    struct base_stream *inner; /* NULL once it went elsewhere */
    struct base_timer deadline;
    struct base_timer finish;
    bool is_server;
    bool got_hello;      /* server */
    bool verify_name;    /* client */
    bool alpn_required;  /* server */
    bool local_alert;
    char name[254];      /* client: the server asked for */
    char alpns[RPC_HELLO_ALPNS_MAX][64];
    unsigned alpn_count;
    int status;
    char *why;
    rpc_secure_fn done;
    void *arg;
    struct rpc_peer peer;
};

static void handshake_free(struct sim_handshake *hs)
{
    LIST_REMOVE(hs, link);
    base_timer_stop(&hs->deadline);
    base_timer_stop(&hs->finish);
    if (hs->inner != NULL)
        base_stream_close(hs->inner);
    base_free(hs->why);
    base_free(hs);
}

/* ---- the end ---- */

static void end(struct sim_handshake *hs, int status, char *why)
{
    hs->status = status;
    hs->why = why;
    base_stream_set_events(hs->inner, NULL, NULL);
    base_timer_stop(&hs->deadline);
    base_timer_start_ns(&hs->finish, 0);
}

static void refuse(struct sim_handshake *hs, int status, uint8_t alert,
                   char *why)
{
    struct base_buf bytes = BASE_BUF_INIT;

    hs->local_alert = true;
    sim_write_alert(&bytes, alert);
    base_stream_write(hs->inner, base_buf_data(&bytes), base_buf_len(&bytes));
    base_buf_close(&bytes);
    end(hs, status, why);
}

static void on_finish(void *arg)
{
    struct sim_handshake *hs = arg;
    struct base_stream *stream = NULL;
    struct rpc_peer peer = hs->peer;
    rpc_secure_fn done = hs->done;
    void *done_arg = hs->arg;
    int status = hs->status;
    char *why = hs->why;

    if (status == 0) {
        stream = hs->inner;
        hs->inner = NULL;
    } else if (hs->local_alert && !hs->inner->closed_in) {
        linger(&hs->secure->lingers, hs->inner);
        hs->inner = NULL;
    }
    hs->why = NULL;
    handshake_free(hs);
    done(done_arg, status, why, stream, status == 0 ? &peer : NULL);
    base_free(why);
}

static void on_deadline(void *arg)
{
    end(arg, BASE_ETIMEOUT, base_strdup("TLS handshake timed out"));
}

static void end_on_alert(struct sim_handshake *hs, int alert)
{
    int status = RPC_ETLS;

    if (alert == SIM_ALERT_NO_APPLICATION_PROTOCOL)
        status = RPC_EALPN;
    else if (alert == SIM_ALERT_UNRECOGNIZED_NAME)
        status = RPC_ENAME;
    end(hs, status,
        base_asprintf("peer refused the handshake: alert %d", alert));
}

/* ---- judging ---- */

/* The chain, as OpenSSL would: the same CA, or no certificate at all. */
static bool judge_ca(struct sim_handshake *hs, const struct sim_card *card)
{
    const struct rpc_sim_secure *secure = hs->secure;
    const char *whose = hs->is_server ? "client" : "server";

    if (card->ca[0] == '\0') {
        if (hs->is_server && !secure->verify_incoming)
            return true;
        refuse(hs, RPC_ETLS, SIM_ALERT_CERTIFICATE_REQUIRED,
               base_asprintf("%s gave no certificate", whose));
        return false;
    }
    if (strcmp(card->ca, secure->trusted_ca) == 0 ||
        (!hs->is_server && !secure->verify_outgoing))
        return true;
    refuse(hs, RPC_ETLS, SIM_ALERT_UNKNOWN_CA,
           base_asprintf("certificate of the %s is not accepted: signed by "
                         "another CA",
                         whose));
    return false;
}

static void keep_names(struct sim_handshake *hs, const struct sim_card *card)
{
    unsigned i;

    for (i = 0; i < card->names.name_count; i++)
        rpc_peer_add_name(&hs->peer, card->names.names[i],
                          strlen(card->names.names[i]));
}

static void send_card(struct sim_handshake *hs, const char *alpn)
{
    struct sim_card card = hs->secure->card;
    struct base_buf bytes = BASE_BUF_INIT;

    memcpy(card.alpn, alpn, strlen(alpn) + 1);
    memcpy(hs->peer.alpn, alpn, strlen(alpn) + 1);
    sim_write_card(&bytes, &card);
    base_stream_write(hs->inner, base_buf_data(&bytes), base_buf_len(&bytes));
    base_buf_close(&bytes);
}

/* Our first protocol that the client offers, or "". */
static const char *choose_alpn(const struct sim_handshake *hs,
                               const struct rpc_hello *hello)
{
    unsigned i;
    unsigned j;

    for (i = 0; i < hs->alpn_count; i++)
        for (j = 0; j < hello->alpn_count; j++)
            if (strcmp(hs->alpns[i], hello->alpns[j]) == 0)
                return hs->alpns[i];
    return "";
}

static bool is_for_us(const struct sim_handshake *hs,
                      const struct rpc_hello *hello)
{
    return !hs->alpn_required || hello->server_name[0] == '\0' ||
           rpc_peer_has_name(&hs->secure->card.names, hello->server_name);
}

static void take_hello(struct sim_handshake *hs)
{
    struct rpc_hello hello;
    enum rpc_sni rv = rpc_hello_read(base_stream_data(hs->inner),
                                     base_stream_len(hs->inner), &hello);
    const char *alpn;

    if (rv == RPC_SNI_MORE)
        return;
    if (rv != RPC_SNI_FOUND && rv != RPC_SNI_NONE) {
        refuse(hs, RPC_ETLS, SIM_ALERT_DECODE_ERROR,
               base_strdup("TLS handshake failed: no ClientHello"));
        return;
    }
    base_stream_consume(hs->inner, hello.bytes);
    if (!is_for_us(hs, &hello)) {
        refuse(hs, RPC_ENAME, SIM_ALERT_UNRECOGNIZED_NAME,
               base_strdup("client asked for a server name that our "
                           "certificate does not bear"));
        return;
    }
    alpn = choose_alpn(hs, &hello);
    if (alpn[0] == '\0' &&
        (hs->alpn_required || (hs->alpn_count > 0 && hello.alpn_count > 0))) {
        refuse(hs, RPC_EALPN, SIM_ALERT_NO_APPLICATION_PROTOCOL,
               base_strdup("client asked for no protocol that is served "
                           "here"));
        return;
    }
    hs->got_hello = true;
    send_card(hs, alpn);
}

static void judge_server(struct sim_handshake *hs, const struct sim_card *card)
{
    const char *want = hs->alpn_count > 0 ? hs->alpns[0] : "";

    if (!judge_ca(hs, card))
        return;
    if (hs->verify_name && !rpc_peer_has_name(&hs->peer, hs->name)) {
        refuse(hs, RPC_ENAME, SIM_ALERT_BAD_CERTIFICATE,
               base_asprintf("certificate of the server does not bear the "
                             "name %s",
                             hs->name));
        return;
    }
    if (strcmp(card->alpn, want) != 0) {
        refuse(hs, RPC_EALPN, SIM_ALERT_NO_APPLICATION_PROTOCOL,
               base_strdup("peer did not agree to a protocol by ALPN"));
        return;
    }
    send_card(hs, want);
    end(hs, 0, NULL);
}

static void take_card(struct sim_handshake *hs)
{
    struct sim_card card;
    int alert;
    int64_t used = sim_read_card(base_stream_data(hs->inner),
                                 base_stream_len(hs->inner), &card, &alert);

    if (used == 0)
        return;
    if (used < 0) {
        refuse(hs, RPC_ETLS, SIM_ALERT_DECODE_ERROR,
               base_strdup("TLS handshake failed: not the simulator's"));
        return;
    }
    base_stream_consume(hs->inner, (size_t)used);
    if (alert >= 0) {
        end_on_alert(hs, alert);
        return;
    }
    hs->peer.secure = true;
    keep_names(hs, &card);
    if (!hs->is_server)
        judge_server(hs, &card);
    else if (judge_ca(hs, &card))
        end(hs, 0, NULL);
}

/* ---- the run ---- */

static void on_readable(void *arg)
{
    struct sim_handshake *hs = arg;

    if (hs->is_server && !hs->got_hello)
        take_hello(hs);
    if ((!hs->is_server || hs->got_hello) &&
        !base_timer_is_running(&hs->finish))
        take_card(hs);
}

static void on_closed(void *arg, int err)
{
    struct sim_handshake *hs = arg;

    end(hs, err != 0 ? err : BASE_ECLOSED,
        base_strdup("peer closed the connection during the TLS handshake"));
}

static const struct base_stream_events handshake_events = {
    .on_readable = on_readable,
    .on_closed = on_closed,
};

static struct sim_handshake *start(struct rpc_sim_secure *secure,
                                   struct base_stream *inner,
                                   uint32_t timeout_ms, rpc_secure_fn done,
                                   void *arg, struct rpc_handshake **out)
{
    struct sim_handshake *hs;

    BASE_NEW(hs);
    hs->secure = secure;
    hs->inner = inner;
    hs->done = done;
    hs->arg = arg;
    hs->peer.addr = inner->peer;
    base_timer_init(&hs->deadline, secure->env, "sim-tls-deadline",
                    on_deadline, hs);
    base_timer_init(&hs->finish, secure->env, "sim-tls-finish", on_finish, hs);
    LIST_INSERT_HEAD(&secure->handshakes, hs, link);
    base_timer_start_ms(&hs->deadline, timeout_ms);
    base_stream_set_events(inner, &handshake_events, hs);
    if (out != NULL)
        *out = (struct rpc_handshake *)(void *)hs;
    return hs;
}

static int add_alpn(struct sim_handshake *hs, const char *alpn)
{
    size_t len = strlen(alpn);

    if (len == 0 || len >= sizeof(hs->alpns[0]) ||
        hs->alpn_count >= RPC_HELLO_ALPNS_MAX)
        return RPC_EINVAL;
    memcpy(hs->alpns[hs->alpn_count++], alpn, len + 1);
    return 0;
}

static int sim_client(void *ctx, struct base_stream *inner,
                      const char *server_name, bool verify_name,
                      const char *alpn, uint32_t timeout_ms,
                      rpc_secure_fn done, void *arg,
                      struct rpc_handshake **out)
{
    struct sim_handshake *hs = start(ctx, inner, timeout_ms, done, arg, out);
    struct base_buf bytes = BASE_BUF_INIT;

    if (strlen(server_name) >= sizeof(hs->name) ||
        (alpn != NULL && add_alpn(hs, alpn) < 0)) {
        handshake_free(hs);
        return RPC_EINVAL;
    }
    memcpy(hs->name, server_name, strlen(server_name) + 1);
    hs->verify_name = verify_name;
    sim_write_hello(&bytes, server_name, alpn);
    base_stream_write(inner, base_buf_data(&bytes), base_buf_len(&bytes));
    base_buf_close(&bytes);
    return 0;
}

static int sim_server(void *ctx, struct base_stream *inner,
                      const char *const *alpns, bool alpn_required,
                      uint32_t timeout_ms, rpc_secure_fn done, void *arg,
                      struct rpc_handshake **out)
{
    struct sim_handshake *hs = start(ctx, inner, timeout_ms, done, arg, out);

    hs->is_server = true;
    hs->alpn_required = alpn_required;
    for (; alpns != NULL && *alpns != NULL; alpns++) {
        if (add_alpn(hs, *alpns) < 0) {
            handshake_free(hs);
            return RPC_EINVAL;
        }
    }
    return 0;
}

static void sim_cancel(struct rpc_handshake *handshake)
{
    handshake_free((struct sim_handshake *)(void *)handshake);
}

static const struct rpc_secure_ops sim_ops = {
    .version = 1,
    .client = sim_client,
    .server = sim_server,
    .cancel = sim_cancel,
};

/* ---- public ---- */

int rpc_sim_secure_new(struct base_env *env,
                       const struct rpc_sim_secure_config *config,
                       struct rpc_sim_secure **out)
{
    const char *const *name = config->names;
    struct rpc_sim_secure *secure;

    *out = NULL;
    BASE_NEW(secure);
    secure->env = env;
    secure->lingers.env = env;
    secure->verify_incoming = config->verify_incoming;
    secure->verify_outgoing = config->verify_outgoing;
    LIST_INIT(&secure->handshakes);
    for (; name != NULL && *name != NULL; name++) {
        unsigned before = secure->card.names.name_count;

        rpc_peer_add_name(&secure->card.names, *name, strlen(*name));
        if (secure->card.names.name_count == before)
            goto refuse;
    }
    if (strlen(config->ca) >= sizeof(secure->trusted_ca))
        goto refuse;
    memcpy(secure->trusted_ca, config->ca, strlen(config->ca) + 1);
    if (config->names != NULL)
        memcpy(secure->card.ca, config->ca, strlen(config->ca) + 1);
    *out = secure;
    return 0;

refuse:
    base_free(secure);
    return RPC_EINVAL;
}

void rpc_sim_secure_free(struct rpc_sim_secure *secure)
{
    if (secure == NULL)
        return;
    while (!LIST_EMPTY(&secure->handshakes))
        handshake_free(LIST_FIRST(&secure->handshakes));
    lingers_end(&secure->lingers);
    base_free(secure);
}

struct rpc_secure rpc_sim_secure_table(struct rpc_sim_secure *secure)
{
    return (struct rpc_secure){&sim_ops, secure};
}
