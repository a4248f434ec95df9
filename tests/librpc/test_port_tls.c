/* TLS on the server port: a test for each row of the second table of
 * federation.md section 3, for who may speak what, and for each handshake that
 * is refused, with the counter that it moves. */
#include <string.h>

#include "port.h"

Suite *port_tls_suite(void);

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

static void add_both(TCase *tcase, const TTest *test, size_t rows)
{
    tcase_add_loop_test(tcase, test, 0, WORLD_KINDS * (int)rows);
}

Suite *port_tls_suite(void)
{
    Suite *suite = suite_create("port tls");
    TCase *tcase = tcase_create("port tls");

    tcase_set_timeout(tcase, 30);
    add_both(tcase, an_own_server_may_speak_everything, BASE_COUNT_OF(ways));
    add_both(tcase, a_client_certificate_may_speak_only_rpc,
             BASE_COUNT_OF(ways));
    add_both(tcase, a_foreign_server_may_speak_rpc_and_gossip,
             BASE_COUNT_OF(ways));
    add_both(tcase, a_second_byte_that_may_not_be_is_refused,
             BASE_COUNT_OF(inner_refusals));
    add_both(tcase, a_second_byte_that_never_comes_is_not_waited_for, 1);
    add_both(tcase, a_client_without_alpn_is_refused, 1);
    add_both(tcase, an_unknown_alpn_is_refused, 1);
    add_both(tcase, a_client_that_wants_another_server_is_refused, 1);
    add_both(tcase, an_alpn_without_a_handler_is_refused_in_the_handshake, 1);
    add_both(tcase, a_client_without_a_good_certificate_is_refused,
             2 * BASE_COUNT_OF(bad_clients));
    add_both(tcase, rubbish_after_the_tls_byte_is_refused, 3);
    add_both(tcase, who_leaves_in_the_handshake_is_no_attack, 1);
    add_both(tcase, a_handshake_that_stops_is_closed_in_time, 1);
    add_both(tcase, optional_tls_takes_clients_without_a_certificate, 1);
    suite_add_tcase(suite, tcase);
    return suite;
}
