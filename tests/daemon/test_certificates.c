/*
 * A certificate of the CA is not enough (federation.md section 3): one that
 * names no server opens neither Raft nor gossip, and may not call what servers
 * ask each other.
 */
#include <string.h>

#include "base/error.h"
#include "rpc/pool.h"
#include "sim/federation_internal.h"
#include "suite.h"

/* A stranger's machine in dc1, with a certificate of the given names. */
struct stranger {
    struct federation *f;
    struct base_addr server; /* what it talks to */
    struct rpc_sim_secure *secure;
    struct rpc_secure table;
    struct rpc_dialer *dialer;
    struct rpc_pool *pool;
    struct base_env *env;

    bool over;  /* the call, or the stream */
    int status;
    struct base_stream *stream;
};

/* Its dialler believes dc1 to be far, and server1 to be a gateway: so it speaks
 * native TLS, the only way to the gossip protocols. */
static int pick(void *ctx, const char *dc, const struct base_addr *avoid,
                struct base_addr *gateway)
{
    (void)dc;
    (void)avoid;
    *gateway = ((struct stranger *)ctx)->server;
    return 0;
}

static void report(void *ctx, const char *dc, const struct base_addr *gateway,
                   int status)
{
    (void)ctx;
    (void)dc;
    (void)gateway;
    (void)status;
}

static const struct rpc_gateway_ops gateway_ops = {
    .version = 2, .pick = pick, .report = report};

static void open_stranger(struct stranger *stranger, const char *name)
{
    const char *names[] = {name, NULL};
    struct rpc_sim_secure_config secure = {.ca = "simulated CA",
                                           .names = names,
                                           .verify_incoming = true,
                                           .verify_outgoing = true};
    struct rpc_dialer_config dialer = {.datacenter = "elsewhere",
                                       .domain = SIM_DOMAIN,
                                       .federation = true,
                                       .verify_server_hostname = true,
                                       .gateways = &gateway_ops,
                                       .gateways_ctx = stranger};
    struct rpc_pool_config pool = {0};
    struct base_addr addr = sim_addr(1, 9, 9, 0);
    struct base_sim_host *host;

    memset(stranger, 0, sizeof(*stranger));
    stranger->f = federation_new(1);
    federation_add(stranger->f, "dc1", 1);
    federation_start(stranger->f);
    ck_assert(federation_until(stranger->f, federation_is_whole, stranger->f,
                               60000));
    host = base_sim_host_new(federation_world(stranger->f), "stranger", &addr,
                             1);
    sim_register_host(stranger->f, host, &stranger->f->dcs[0], NULL);
    stranger->env = base_sim_host_env(host, "main");
    stranger->server = sim_addr(1, 0, 1, 8300);
    ck_assert_int_eq(rpc_sim_secure_new(stranger->env, &secure,
                                        &stranger->secure),
                     0);
    stranger->table = rpc_sim_secure_table(stranger->secure);
    dialer.secure = &stranger->table;
    ck_assert_int_eq(rpc_dialer_new(stranger->env,
                                    base_sim_host_net(host, stranger->env),
                                    &dialer, &stranger->dialer),
                     0);
    ck_assert_int_eq(rpc_pool_new(stranger->env, stranger->dialer, &pool,
                                  &stranger->pool),
                     0);
}

static void close_stranger(struct stranger *stranger)
{
    if (stranger->stream)
        base_stream_close(stranger->stream);
    rpc_pool_free(stranger->pool);
    rpc_dialer_free(stranger->dialer);
    rpc_sim_secure_free(stranger->secure);
    federation_free(stranger->f);
}

static bool is_over(void *arg)
{
    return ((struct stranger *)arg)->over;
}

static void on_closed(void *arg, int err)
{
    struct stranger *stranger = arg;

    stranger->over = true;
    stranger->status = err ? err : BASE_ECLOSED;
    base_stream_close(stranger->stream);
    stranger->stream = NULL;
}

static void on_readable(void *arg)
{
    struct stranger *stranger = arg;

    base_stream_consume(stranger->stream, base_stream_len(stranger->stream));
}

static const struct base_stream_events events = {.on_readable = on_readable,
                                                 .on_closed = on_closed};

static void on_dialled(void *arg, int status, struct base_stream *stream,
                       const struct rpc_peer *peer)
{
    struct stranger *stranger = arg;

    (void)peer;
    if (status != 0) {
        stranger->over = true;
        stranger->status = status;
        return;
    }
    stranger->stream = stream;
    base_stream_set_events(stream, &events, stranger);
}

/* True if a connection for that protocol stays open. */
static bool may_speak(const char *name, enum rpc_protocol protocol)
{
    struct stranger stranger;
    struct rpc_target target = {.dc = "dc1", .node = "server1"};
    struct rpc_dial *dial;
    bool stays;

    open_stranger(&stranger, name);
    ck_assert_int_eq(rpc_dialer_dial(stranger.dialer, &target, protocol, 5000,
                                     on_dialled, &stranger, &dial),
                     0);
    stays = !federation_until(stranger.f, is_over, &stranger, 10000);
    close_stranger(&stranger);
    return stays;
}

static void on_answer(void *arg, int status, const char *text, const void *body,
                      size_t len)
{
    struct stranger *stranger = arg;

    (void)text;
    (void)body;
    (void)len;
    stranger->over = true;
    stranger->status = status;
}

/* How a call without a body ends. */
static int call(const char *name, const char *method)
{
    struct stranger stranger;
    struct rpc_target target = {.dc = "dc1", .node = "server1"};
    struct rpc_request request = {.method = method, .timeout_ms = 5000};

    open_stranger(&stranger, name);
    ck_assert_int_eq(rpc_pool_call(stranger.pool, &target, &request, on_answer,
                                   &stranger, NULL),
                     0);
    ck_assert(federation_until(stranger.f, is_over, &stranger, 10000));
    close_stranger(&stranger);
    return stranger.status;
}

START_TEST(a_client_speaks_rpc_alone)
{
    ck_assert(may_speak("client.dc1.consul", RPC_PROTOCOL_MULTI));
    ck_assert(!may_speak("client.dc1.consul", RPC_PROTOCOL_RAFT));
    ck_assert(!may_speak("client.dc1.consul", RPC_PROTOCOL_SNAPSHOT));
    ck_assert(!may_speak("client.dc1.consul", RPC_PROTOCOL_GOSSIP_PACKET));
    ck_assert(!may_speak("client.dc1.consul", RPC_PROTOCOL_GOSSIP_STREAM));
}
END_TEST

START_TEST(a_foreign_server_gossips_and_no_more)
{
    ck_assert(may_speak("server.dc2.consul", RPC_PROTOCOL_GOSSIP_PACKET));
    ck_assert(may_speak("server.dc2.consul", RPC_PROTOCOL_GOSSIP_STREAM));
    ck_assert(!may_speak("server.dc2.consul", RPC_PROTOCOL_RAFT));
    ck_assert(may_speak("server.dc1.consul", RPC_PROTOCOL_RAFT));
}
END_TEST

START_TEST(methods_between_servers)
{
    ck_assert_int_eq(call("client.dc1.consul", "FederationState.Apply"),
                     RPC_EDENIED);
    ck_assert_int_eq(call("client.dc1.consul", "FederationState.Replicate"),
                     RPC_EDENIED);
    ck_assert_int_eq(call("client.dc1.consul", "Cluster.Birth"), RPC_EDENIED);
    ck_assert_int_eq(call("client.dc1.consul", "Catalog.Nodes"), 0);
    /* A server of another datacenter has no say in our cluster. */
    ck_assert_int_eq(call("server.dc2.consul", "Cluster.Birth"), RPC_EDENIED);
    ck_assert_int_ne(call("server.dc2.consul", "FederationState.Replicate"),
                     RPC_EDENIED);
    ck_assert_int_ne(call("server.dc1.consul", "Cluster.Birth"), RPC_EDENIED);
}
END_TEST

/* Names that only look like a server's. */
START_TEST(almost_a_servers_name)
{
    static const char *const names[] = {"server.dc1.consul.example",
                                        "xserver.dc1.consul",
                                        "server.dc1.consu", "server.consul",
                                        "a.b.server.dc1.consul"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        ck_assert_msg(!may_speak(names[i], RPC_PROTOCOL_RAFT), "%s", names[i]);
}
END_TEST

Suite *certificates_suite(void)
{
    Suite *suite = suite_create("certificates");
    TCase *tcase = tcase_create("certificates");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_client_speaks_rpc_alone);
    tcase_add_test(tcase, a_foreign_server_gossips_and_no_more);
    tcase_add_test(tcase, methods_between_servers);
    tcase_add_test(tcase, almost_a_servers_name);
    suite_add_tcase(suite, tcase);
    return suite;
}
