/* The server port: a test for each row of the two tables of federation.md
 * section 3, for who may speak what, and for each limit, with the counter that
 * a refusal moves. */
#include <string.h>

#include "rpc/listener.h"
#include "rpc/sni.h"
#include "world.h"

Suite *listener_suite(void);

/* ---- a port that takes everything and keeps what it got ---- */

#define GOT_MAX 256

struct got {
    struct port *port;
    enum rpc_protocol protocol;
    struct base_stream *stream;
    struct rpc_peer peer;
};

struct port {
    struct world *world;
    struct identity *id;
    struct rpc_listener *listener;
    struct base_addr addr;
    struct got got[GOT_MAX];
    unsigned got_count;
    struct port_arg {
        struct port *port;
        enum rpc_protocol protocol;
    } args[RPC_PROTOCOL_COUNT];
};

static void on_accept(void *arg, struct base_stream *stream,
                      const struct rpc_peer *peer)
{
    const struct port_arg *which = arg;
    struct port *port = which->port;

    ck_assert_uint_lt(port->got_count, GOT_MAX);
    /* What is handed over may move to another loop at once. */
    base_stream_detach(stream);
    base_stream_attach(stream, port->world->server.env);
    port->got[port->got_count++] =
        (struct got){port, which->protocol, stream, *peer};
}

static struct port *port_new(struct world *world,
                             struct rpc_listener_config config, bool tls)
{
    struct port *port;
    int i;

    BASE_NEW(port);
    port->world = world;
    config.addr = world->server.addr;
    config.datacenter = "dc1";
    config.domain = "consul";
    if (tls) {
        port->id = identity_new(world, &world->server,
                                SERVER_NAMES("s1", "dc1"),
                                config.verify_incoming ? 0 : ID_NOT_VERIFYING);
        config.secure = &port->id->secure;
    }
    ck_assert_int_eq(rpc_listener_new(world->server.env, world->server.net,
                                      &config, &port->listener),
                     0);
    for (i = 0; i < RPC_PROTOCOL_COUNT; i++) {
        port->args[i].port = port;
        port->args[i].protocol = (enum rpc_protocol)i;
        rpc_listener_handle(port->listener, (enum rpc_protocol)i, on_accept,
                            &port->args[i]);
    }
    rpc_listener_addr(port->listener, &port->addr);
    return port;
}

static struct port *mtls_port(struct world *world)
{
    return port_new(world,
                    (struct rpc_listener_config){.verify_incoming = true,
                                                 .federation = true},
                    true);
}

static void port_free(struct port *port)
{
    rpc_listener_free(port->listener);
    while (port->got_count > 0)
        base_stream_close(port->got[--port->got_count].stream);
    if (port->id != NULL)
        identity_free(port->id);
    base_free(port);
}

struct got_wait {
    struct port *port;
    unsigned count;
};

static bool has_got(void *arg)
{
    struct got_wait *wait = arg;

    return wait->port->got_count >= wait->count;
}

static void await_got(struct port *port, unsigned count)
{
    struct got_wait wait = {port, count};

    world_await(port->world, has_got, &wait);
    ck_assert_uint_eq(port->got_count, count);
}

/* ---- a client that does TLS by hand ---- */

struct client {
    struct identity *id;
    struct raw *raw;
    struct base_stream *stream;
    struct rpc_handshake *handshake;
    bool done;
    int status;
    char *why;
    struct rpc_peer peer;
};

static void on_secure(void *arg, int status, const char *why,
                      struct base_stream *stream, const struct rpc_peer *peer)
{
    struct client *client = arg;

    client->done = true;
    client->status = status;
    client->why = base_strdup(why);
    client->stream = stream;
    if (peer != NULL)
        client->peer = *peer;
}

/* byte < 0: native TLS with alpn; otherwise byte 3, TLS, then byte. */
static struct client *client_start_for(struct port *port, struct identity *id,
                                       const char *name, const char *alpn,
                                       int byte)
{
    struct client *client;

    BASE_NEW(client);
    client->id = id;
    client->raw = raw_dial(port->world, &port->addr);
    base_stream_set_events(client->raw->stream, NULL, NULL);
    if (byte >= 0)
        raw_write(client->raw, "\x03", 1);
    ck_assert_int_eq(
        id->secure.ops->client(id->secure.ctx, client->raw->stream,
                               name, true, alpn, 15000, on_secure, client,
                               &client->handshake),
        0);
    client->raw->stream = NULL;
    return client;
}

static struct client *client_start(struct port *port, struct identity *id,
                                   const char *alpn, int byte)
{
    return client_start_for(port, id, "server.dc1.consul", alpn, byte);
}

static void client_await(struct port *port, struct client *client, int byte)
{
    uint8_t type = (uint8_t)byte;

    world_await_flag(port->world, &client->done);
    if (client->status == 0 && byte >= 0)
        ck_assert_int_eq(base_stream_write(client->stream, &type, 1), 0);
}

static struct client *client_open(struct port *port, struct identity *id,
                                  const char *alpn, int byte)
{
    struct client *client = client_start(port, id, alpn, byte);

    client_await(port, client, byte);
    return client;
}

static void client_free(struct client *client)
{
    if (!client->done)
        client->id->secure.ops->cancel(client->handshake);
    if (client->stream != NULL)
        base_stream_close(client->stream);
    raw_free(client->raw);
    base_free(client->why);
    base_free(client);
}

/* ---- the first byte, without TLS ---- */

START_TEST(a_plain_byte_reaches_its_protocol_where_no_tls_is)
{
    static const uint8_t bytes[] = {0, 1, 4, 5};
    struct world *world = world_new(_i % WORLD_KINDS);
    struct port *port =
        port_new(world, (struct rpc_listener_config){0}, false);
    struct raw *raw = raw_dial(world, &port->addr);
    uint8_t byte = bytes[_i / WORLD_KINDS];

    raw_write(raw, &byte, 1);
    raw_write(raw, "next", 4);
    await_got(port, 1);
    ck_assert_int_eq(port->got[0].protocol, rpc_protocol_by_byte(byte));
    ck_assert(!port->got[0].peer.secure);
    ck_assert(base_addr_ip_equal(&port->got[0].peer.addr, &world->client.addr));
    world_settle(world);
    ck_assert_uint_eq(base_stream_len(port->got[0].stream), 4);
    ck_assert_mem_eq(base_stream_data(port->got[0].stream), "next", 4);
    raw_free(raw);
    port_free(port);
    world_free(world);
}
END_TEST

/* tls: 0 none, 1 there but not demanded, 2 verify_incoming, 3 federation */
static const struct {
    uint8_t byte;
    int tls;
    const char *reason;
} refusals[] = {
    {2, 0, "unknown-byte"},        {6, 0, "unknown-byte"},
    {7, 0, "unknown-byte"},        {8, 0, "unknown-byte"},
    {'G', 0, "unknown-byte"},      {255, 0, "unknown-byte"},
    {2, 2, "unknown-byte"},        {6, 2, "unknown-byte"},
    {7, 2, "unknown-byte"},        {8, 2, "unknown-byte"},
    {'G', 2, "unknown-byte"},      {255, 2, "unknown-byte"},
    {3, 0, "tls-not-configured"},  {0x16, 0, "tls-not-configured"},
    {0, 2, "not-tls"},             {1, 2, "not-tls"},
    {4, 2, "not-tls"},             {5, 2, "not-tls"},
    {0, 3, "not-tls"},             {1, 3, "not-tls"},
    {4, 3, "not-tls"},             {5, 3, "not-tls"},
    {0x16, 1, "mutual-tls-not-configured"},
};

START_TEST(a_first_byte_that_may_not_be_is_refused)
{
    int row = _i / WORLD_KINDS;
    struct world *world = world_new(_i % WORLD_KINDS);
    struct port *port = port_new(
        world,
        (struct rpc_listener_config){.verify_incoming = refusals[row].tls == 2,
                                     .federation = refusals[row].tls == 3},
        refusals[row].tls > 0);
    struct raw *raw = raw_dial(world, &port->addr);

    raw_write(raw, &refusals[row].byte, 1);
    world_await_flag(world, &raw->closed);
    ck_assert_uint_eq(world_refused(world, refusals[row].reason), 1);
    ck_assert_uint_eq(port->got_count, 0);
    raw_free(raw);
    port_free(port);
    world_free(world);
}
END_TEST

struct lines {
    unsigned count;
    char *first;
};

static void keep_line(void *ctx, const struct base_log_record *record)
{
    struct lines *lines = ctx;

    if (lines->count++ == 0)
        lines->first = base_log_render_text(record);
}

static int64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

START_TEST(refusals_are_logged_but_not_all)
{
    struct world *world = world_new(SIM);
    struct lines lines = {0};
    struct base_log_sink sink = {keep_line, no_time, &lines};
    struct port *port;
    unsigned i;

    base_sim_set_log_sink(world->sim, &sink, BASE_LOG_INFO);
    world->server.env->log = (struct base_log){&sink, "test", BASE_LOG_INFO};
    port = port_new(world, (struct rpc_listener_config){0}, false);
    for (i = 0; i < 50; i++) {
        struct raw *raw = raw_dial(world, &port->addr);

        raw_write(raw, "GET /", 5);
        world_await_flag(world, &raw->closed);
        raw_free(raw);
    }
    ck_assert_uint_eq(world_refused(world, "unknown-byte"), 50);
    ck_assert_uint_ge(lines.count, 10);
    ck_assert_uint_le(lines.count, 12);
    ck_assert_msg(strstr(lines.first, "byte=0x47") != NULL &&
                      strstr(lines.first, "peer=10.0.0.1:") != NULL &&
                      strstr(lines.first, "reason=unknown-byte") != NULL,
                  "%s", lines.first);
    base_free(lines.first);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(a_connection_that_says_nothing_is_closed_in_time)
{
    struct world *world = world_new(_i);
    struct port *port = port_new(
        world, (struct rpc_listener_config){.handshake_timeout_ms = 100},
        false);
    struct raw *raw = raw_dial(world, &port->addr);

    world_await_refused(world, "first-byte-timeout", 1);
    world_await_flag(world, &raw->closed);
    raw_free(raw);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(a_connection_that_leaves_early_is_no_refusal)
{
    struct world *world = world_new(_i);
    struct port *port = mtls_port(world);
    struct raw *raw = raw_dial(world, &port->addr);

    raw_free(raw);
    world_settle(world);
    ck_assert_uint_eq(world_refused(world, "first-byte-timeout"), 0);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(a_protocol_without_a_handler_is_refused)
{
    struct world *world = world_new(_i);
    struct port *port =
        port_new(world, (struct rpc_listener_config){0}, false);
    struct raw *raw = raw_dial(world, &port->addr);

    rpc_listener_handle(port->listener, RPC_PROTOCOL_SNAPSHOT, NULL, NULL);
    raw_write(raw, "\x05", 1);
    world_await_flag(world, &raw->closed);
    ck_assert_uint_eq(world_refused(world, "no-handler"), 1);
    raw_free(raw);
    port_free(port);
    world_free(world);
}
END_TEST

/* ---- TLS, byte and ALPN: who may speak what ---- */

static const struct {
    int byte; /* after TLS; -1: native TLS */
    const char *alpn;
    enum rpc_protocol protocol;
    bool client_may;  /* a certificate of the CA, for a client agent */
    bool foreign_may; /* a server of another dc */
} ways[] = {
    {0, NULL, RPC_PROTOCOL_SINGLE, true, true},
    {1, NULL, RPC_PROTOCOL_RAFT, false, false},
    {4, NULL, RPC_PROTOCOL_MULTI, true, true},
    {5, NULL, RPC_PROTOCOL_SNAPSHOT, false, false},
    {-1, "isthmus/rpc-single", RPC_PROTOCOL_SINGLE, true, true},
    {-1, "isthmus/raft", RPC_PROTOCOL_RAFT, false, false},
    {-1, "isthmus/rpc-multi", RPC_PROTOCOL_MULTI, true, true},
    {-1, "isthmus/rpc-snapshot", RPC_PROTOCOL_SNAPSHOT, false, false},
    {-1, "consul/wan-gossip/packet", RPC_PROTOCOL_GOSSIP_PACKET, false, true},
    {-1, "consul/wan-gossip/stream", RPC_PROTOCOL_GOSSIP_STREAM, false, true},
};

static void check_way(int row, int kind, const char *const *names, bool may)
{
    struct world *world = world_new(kind);
    struct port *port = mtls_port(world);
    struct identity *id = identity_new(world, &world->client, names, 0);
    struct client *client =
        client_open(port, id, ways[row].alpn, ways[row].byte);

    ck_assert_int_eq(client->status, 0);
    if (may) {
        await_got(port, 1);
        ck_assert_int_eq(port->got[0].protocol, ways[row].protocol);
        ck_assert(port->got[0].peer.secure);
        ck_assert(rpc_peer_has_name(&port->got[0].peer, names[0]));
        ck_assert_str_eq(port->got[0].peer.alpn,
                         ways[row].alpn != NULL ? ways[row].alpn : "");
    } else {
        world_await_refused(world, "certificate-name", 1);
        ck_assert_uint_eq(port->got_count, 0);
    }
    client_free(client);
    identity_free(id);
    port_free(port);
    world_free(world);
}

START_TEST(an_own_server_may_speak_everything)
{
    check_way(_i / WORLD_KINDS, _i % WORLD_KINDS, SERVER_NAMES("s2", "dc1"),
              true);
}
END_TEST

START_TEST(a_client_certificate_may_speak_only_rpc)
{
    check_way(_i / WORLD_KINDS, _i % WORLD_KINDS,
              NAMES("client.dc1.consul", "localhost"),
              ways[_i / WORLD_KINDS].client_may);
}
END_TEST

START_TEST(a_foreign_server_may_speak_rpc_and_gossip)
{
    check_way(_i / WORLD_KINDS, _i % WORLD_KINDS, SERVER_NAMES("s1", "dc2"),
              ways[_i / WORLD_KINDS].foreign_may);
}
END_TEST

static const struct {
    uint8_t byte;
    const char *reason;
} inner_refusals[] = {
    {3, "tls-in-tls"},   {0x16, "tls-in-tls"}, {7, "unknown-byte"},
    {2, "unknown-byte"}, {6, "unknown-byte"},  {8, "unknown-byte"},
};

START_TEST(a_second_byte_that_may_not_be_is_refused)
{
    int row = _i / WORLD_KINDS;
    struct world *world = world_new(_i % WORLD_KINDS);
    struct port *port = mtls_port(world);
    struct identity *id =
        identity_new(world, &world->client, SERVER_NAMES("s2", "dc1"), 0);
    struct client *client =
        client_open(port, id, NULL, inner_refusals[row].byte);

    world_await_refused(world, inner_refusals[row].reason, 1);
    ck_assert_uint_eq(port->got_count, 0);
    client_free(client);
    identity_free(id);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(a_second_byte_that_never_comes_is_not_waited_for)
{
    struct world *world = world_new(_i);
    struct port *port = port_new(
        world,
        (struct rpc_listener_config){.verify_incoming = true,
                                     .handshake_timeout_ms = 1000},
        true);
    struct identity *id =
        identity_new(world, &world->client, SERVER_NAMES("s2", "dc1"), 0);
    struct client *client = client_start(port, id, NULL, 0);

    client_await(port, client, -1);
    world_await_refused(world, "first-byte-timeout", 1);
    client_free(client);
    identity_free(id);
    port_free(port);
    world_free(world);
}
END_TEST

/* ---- handshakes that fail ---- */

START_TEST(a_client_without_alpn_is_refused)
{
    struct world *world = world_new(_i);
    struct port *port = mtls_port(world);
    struct identity *id =
        identity_new(world, &world->client, SERVER_NAMES("s2", "dc1"), 0);
    struct client *client = client_open(port, id, NULL, -1);

    ck_assert_int_eq(client->status, RPC_EALPN);
    world_await_refused(world, "alpn", 1);
    client_free(client);
    identity_free(id);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(an_unknown_alpn_is_refused)
{
    struct world *world = world_new(_i);
    struct port *port = mtls_port(world);
    struct identity *id =
        identity_new(world, &world->client, SERVER_NAMES("s2", "dc1"), 0);
    struct client *client = client_open(port, id, "consul/rpc-multi", -1);

    ck_assert_int_eq(client->status, RPC_EALPN);
    world_await_refused(world, "alpn", 1);
    client_free(client);
    identity_free(id);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(a_client_that_wants_another_server_is_refused)
{
    struct world *world = world_new(_i);
    struct port *port = mtls_port(world);
    struct identity *id =
        identity_new(world, &world->client, SERVER_NAMES("s2", "dc1"), 0);
    struct client *client = client_start_for(
        port, id, "s9.server.dc1.consul", "isthmus/rpc-multi", -1);

    client_await(port, client, -1);
    ck_assert_int_eq(client->status, RPC_ENAME);
    world_await_refused(world, "server-name", 1);
    client_free(client);
    identity_free(id);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(an_alpn_without_a_handler_is_refused_in_the_handshake)
{
    struct world *world = world_new(_i);
    struct port *port = mtls_port(world);
    struct identity *id =
        identity_new(world, &world->client, SERVER_NAMES("s2", "dc1"), 0);
    struct client *client;

    rpc_listener_handle(port->listener, RPC_PROTOCOL_RAFT, NULL, NULL);
    client = client_open(port, id, "isthmus/raft", -1);
    ck_assert_int_eq(client->status, RPC_EALPN);
    world_await_refused(world, "alpn", 1);
    client_free(client);
    identity_free(id);
    port_free(port);
    world_free(world);
}
END_TEST

static const struct {
    unsigned flags;
    int real_only;
} bad_clients[] = {
    {ID_NO_CERT | ID_NOT_VERIFYING, 0},
    {ID_OTHER_CA | ID_NOT_VERIFYING, 0},
    {ID_EXPIRED, 1},
};

START_TEST(a_client_without_a_good_certificate_is_refused)
{
    int row = _i / (2 * WORLD_KINDS);
    int kind = _i / 2 % WORLD_KINDS;
    int byte = _i % 2 == 0 ? -1 : 4;
    struct world *world;
    struct port *port;
    struct identity *id;
    struct client *client;

    if (bad_clients[row].real_only && kind == SIM)
        return;
    world = world_new(kind);
    port = mtls_port(world);
    id = identity_new(world, &world->client, SERVER_NAMES("s2", "dc1"),
                      bad_clients[row].flags);
    client = client_start(port, id, byte < 0 ? "isthmus/rpc-multi" : NULL,
                          byte);
    world_await_refused(world, "handshake", 1);
    ck_assert_uint_eq(port->got_count, 0);
    client_free(client);
    identity_free(id);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(rubbish_after_the_tls_byte_is_refused)
{
    static const char *const openings[] = {
        "\x03GET / HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\xff\xff rubbish rubbish rubbish",
        "\x16GET / HTTP/1.1\r\n\r\n rubbish rubbish rubbish",
    };
    const char *opening = openings[_i / WORLD_KINDS];
    struct world *world = world_new(_i % WORLD_KINDS);
    struct port *port = mtls_port(world);
    struct raw *raw = raw_dial(world, &port->addr);

    raw_write(raw, opening, strlen(opening));
    world_await_refused(world, "handshake", 1);
    world_await_flag(world, &raw->closed);
    raw_free(raw);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(who_leaves_in_the_handshake_is_no_attack)
{
    struct world *world = world_new(_i);
    struct port *port = mtls_port(world);
    struct raw *raw = raw_dial(world, &port->addr);

    raw_write(raw, "\x16\x03\x01\x01", 4);
    world_settle(world);
    raw_free(raw);
    world_await_refused(world, "left", 1);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(a_handshake_that_stops_is_closed_in_time)
{
    struct world *world = world_new(_i);
    struct port *port = port_new(
        world,
        (struct rpc_listener_config){.verify_incoming = true,
                                     .handshake_timeout_ms = 200},
        true);
    struct raw *raw = raw_dial(world, &port->addr);

    raw_write(raw, "\x16\x03\x01\x02", 4);
    world_await_refused(world, "handshake-timeout", 1);
    world_await_flag(world, &raw->closed);
    raw_free(raw);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(optional_tls_takes_clients_without_a_certificate)
{
    struct world *world = world_new(_i);
    struct port *port =
        port_new(world, (struct rpc_listener_config){0}, true);
    struct identity *id = identity_new(world, &world->client, NAMES("x"),
                                       ID_NO_CERT);
    struct client *client = client_open(port, id, NULL, 4);

    await_got(port, 1);
    ck_assert(port->got[0].peer.secure);
    ck_assert_uint_eq(port->got[0].peer.name_count, 0);
    client_free(client);
    /* But not for Raft: no certificate bears no name. */
    client = client_open(port, id, NULL, 1);
    world_await_refused(world, "certificate-name", 1);
    client_free(client);
    identity_free(id);
    port_free(port);
    world_free(world);
}
END_TEST

/* ---- limits ---- */

START_TEST(handshakes_in_flight_are_limited)
{
    struct world *world = world_new(_i);
    struct port *port = port_new(
        world,
        (struct rpc_listener_config){.verify_incoming = true,
                                     .handshakes_max = 2,
                                     .handshake_timeout_ms = 300},
        true);
    struct raw *raws[3];
    int i;

    for (i = 0; i < 3; i++) {
        raws[i] = raw_dial(world, &port->addr);
        raw_write(raws[i], "\x16\x03", 2);
        world_settle(world);
    }
    world_await_refused(world, "handshakes-max", 1);
    /* Places come free again. */
    world_await_refused(world, "handshake-timeout", 2);
    raw_free(raws[2]);
    raws[2] = raw_dial(world, &port->addr);
    raw_write(raws[2], "\x16\x03", 2);
    world_await_refused(world, "handshake-timeout", 3);
    ck_assert_uint_eq(world_refused(world, "handshakes-max"), 1);
    for (i = 0; i < 3; i++)
        raw_free(raws[i]);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(accepts_from_one_address_are_limited)
{
    struct world *world = world_new(_i);
    struct port *port = port_new(
        world, (struct rpc_listener_config){.accepts_per_second = 2}, false);
    struct raw *raws[5];
    int i;

    for (i = 0; i < 5; i++)
        raws[i] = raw_dial(world, &port->addr);
    world_await_refused(world, "rate", 1);
    world_await_flag(world, &raws[4]->closed);
    ck_assert(!raws[0]->closed);
    world_pass_ms(world, 600); /* one more may come */
    raw_free(raws[4]);
    raws[4] = raw_dial(world, &port->addr);
    world_settle(world);
    ck_assert(!raws[4]->closed);
    for (i = 0; i < 5; i++)
        raw_free(raws[i]);
    port_free(port);
    world_free(world);
}
END_TEST

/* The simulator's stand-in does not count, so this is of the real world. */
START_TEST(connections_of_one_certificate_are_limited)
{
    struct world *world = world_new(REAL);
    struct port *port = port_new(
        world,
        (struct rpc_listener_config){.verify_incoming = true,
                                     .connections_per_name = 2},
        true);
    struct identity *id =
        identity_new(world, &world->client, SERVER_NAMES("s2", "dc1"), 0);
    struct identity *other =
        identity_new(world, &world->client, SERVER_NAMES("s3", "dc1"), 0);
    struct client *clients[5];
    unsigned i;

    clients[0] = client_open(port, id, "isthmus/rpc-multi", -1);
    clients[1] = client_open(port, id, NULL, 4);
    await_got(port, 2);
    clients[2] = client_open(port, id, NULL, 4);
    world_await_refused(world, "name-max", 1);
    /* Another server of the same dc has its own count. */
    clients[3] = client_open(port, other, NULL, 4);
    await_got(port, 3);
    /* One that ends makes room. */
    base_stream_close(port->got[--port->got_count].stream);
    base_stream_close(port->got[--port->got_count].stream);
    clients[4] = client_open(port, id, NULL, 4);
    await_got(port, 2);
    ck_assert_uint_eq(world_refused(world, "name-max"), 1);
    for (i = 0; i < 5; i++)
        client_free(clients[i]);
    identity_free(id);
    identity_free(other);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(connections_that_wait_are_limited)
{
    struct world *world = world_new(SIM);
    struct port *port = port_new(
        world, (struct rpc_listener_config){.accepts_per_second = 5000},
        false);
    struct raw *raws[1025];
    unsigned i;

    for (i = 0; i < 1025; i++)
        raws[i] = raw_dial(world, &port->addr);
    world_await_refused(world, "waiting-max", 1);
    world_await_flag(world, &raws[1024]->closed);
    for (i = 0; i < 1025; i++)
        raw_free(raws[i]);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(a_refused_client_that_stays_is_not_kept)
{
    struct world *world = world_new(_i);
    struct port *port = mtls_port(world);
    struct raw *raws[80];
    unsigned i;

    /* More than are lingered for; those that linger are cut after a second. */
    for (i = 0; i < 80; i++) {
        raws[i] = raw_dial(world, &port->addr);
        raw_write(raws[i], "\x16\x03\x01\xff\xff rubbish rubbish", 21);
        world_settle(world);
    }
    world_await_refused(world, "handshake", 80);
    for (i = 0; i < 80; i++)
        world_await_flag(world, &raws[i]->closed);
    world_pass_ms(world, 1200);
    for (i = 0; i < 80; i++)
        raw_free(raws[i]);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(a_port_in_use_is_an_error)
{
    struct world *world = world_new(_i);
    struct port *port =
        port_new(world, (struct rpc_listener_config){0}, false);
    struct rpc_listener_config config = {
        .addr = port->addr, .datacenter = "dc1", .domain = "consul"};
    struct rpc_listener *listener;

    ck_assert_int_eq(rpc_listener_new(world->server.env, world->server.net,
                                      &config, &listener),
                     BASE_EINUSE);
    ck_assert_ptr_null(listener);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(streams_outlive_their_listener)
{
    struct world *world = world_new(_i);
    struct port *port = mtls_port(world);
    struct identity *id =
        identity_new(world, &world->client, SERVER_NAMES("s2", "dc1"), 0);
    struct client *client = client_open(port, id, "isthmus/rpc-multi", -1);
    struct client *halfway;

    await_got(port, 1);
    halfway = client_start(port, id, "isthmus/rpc-multi", -1);
    rpc_listener_free(port->listener);
    port->listener = NULL;
    ck_assert_int_eq(base_stream_write(port->got[0].stream, "still", 5), 0);
    world_settle(world);
    world_settle(world);
    ck_assert_uint_eq(base_stream_len(client->stream), 5);
    client_free(client);
    client_free(halfway);
    identity_free(id);
    port_free(port);
    world_free(world);
}
END_TEST

static void add_both(TCase *tcase, const TTest *test, size_t rows)
{
    tcase_add_loop_test(tcase, test, 0, WORLD_KINDS * (int)rows);
}

Suite *listener_suite(void)
{
    Suite *suite = suite_create("rpc listener");
    TCase *bytes = tcase_create("bytes");
    TCase *tls = tcase_create("tls");
    TCase *limits = tcase_create("limits");

    tcase_set_timeout(bytes, 30);
    add_both(bytes, a_plain_byte_reaches_its_protocol_where_no_tls_is, 4);
    add_both(bytes, a_first_byte_that_may_not_be_is_refused,
             BASE_COUNT_OF(refusals));
    tcase_add_test(bytes, refusals_are_logged_but_not_all);
    add_both(bytes, a_connection_that_says_nothing_is_closed_in_time, 1);
    add_both(bytes, a_connection_that_leaves_early_is_no_refusal, 1);
    add_both(bytes, a_protocol_without_a_handler_is_refused, 1);
    suite_add_tcase(suite, bytes);

    tcase_set_timeout(tls, 30);
    add_both(tls, an_own_server_may_speak_everything, BASE_COUNT_OF(ways));
    add_both(tls, a_client_certificate_may_speak_only_rpc,
             BASE_COUNT_OF(ways));
    add_both(tls, a_foreign_server_may_speak_rpc_and_gossip,
             BASE_COUNT_OF(ways));
    add_both(tls, a_second_byte_that_may_not_be_is_refused,
             BASE_COUNT_OF(inner_refusals));
    add_both(tls, a_second_byte_that_never_comes_is_not_waited_for, 1);
    add_both(tls, a_client_without_alpn_is_refused, 1);
    add_both(tls, an_unknown_alpn_is_refused, 1);
    add_both(tls, a_client_that_wants_another_server_is_refused, 1);
    add_both(tls, an_alpn_without_a_handler_is_refused_in_the_handshake, 1);
    add_both(tls, a_client_without_a_good_certificate_is_refused,
             2 * BASE_COUNT_OF(bad_clients));
    add_both(tls, rubbish_after_the_tls_byte_is_refused, 3);
    add_both(tls, who_leaves_in_the_handshake_is_no_attack, 1);
    add_both(tls, a_handshake_that_stops_is_closed_in_time, 1);
    add_both(tls, optional_tls_takes_clients_without_a_certificate, 1);
    suite_add_tcase(suite, tls);

    tcase_set_timeout(limits, 30);
    add_both(limits, handshakes_in_flight_are_limited, 1);
    add_both(limits, accepts_from_one_address_are_limited, 1);
    tcase_add_test(limits, connections_of_one_certificate_are_limited);
    tcase_add_test(limits, connections_that_wait_are_limited);
    add_both(limits, a_refused_client_that_stays_is_not_kept, 1);
    add_both(limits, a_port_in_use_is_an_error, 1);
    add_both(limits, streams_outlive_their_listener, 1);
    suite_add_tcase(suite, limits);
    return suite;
}
