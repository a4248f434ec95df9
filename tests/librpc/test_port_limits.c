/* The limits of the server port, with the counter that each moves. */
#include <string.h>

#include "port.h"

Suite *port_limits_suite(void);

/* A stalled handshake must not keep others out. */
START_TEST(of_too_many_handshakes_the_one_longest_under_way_ends)
{
    struct world *world = world_new(_i);
    struct port *port = port_new(
        world,
        (struct rpc_listener_config){.verify_incoming = true,
                                     .handshakes_max = 2},
        true);
    struct identity *id =
        identity_new(world, &world->client, SERVER_NAMES("s2", "dc1"), 0);
    struct client *client;
    struct raw *raws[3];
    int i;

    for (i = 0; i < 3; i++) {
        raws[i] = raw_dial(world, &port->addr);
        raw_write(raws[i], "\x16\x03", 2);
        world_settle(world);
    }
    world_await_refused(world, "handshakes-max", 1);
    world_await_flag(world, &raws[0]->closed);
    ck_assert(!raws[1]->closed && !raws[2]->closed);
    client = client_open(port, id, "isthmus/rpc-multi", -1);
    await_got(port, 1);
    world_await_refused(world, "handshakes-max", 2);
    world_await_flag(world, &raws[1]->closed);
    ck_assert(!raws[2]->closed);
    for (i = 0; i < 3; i++)
        raw_free(raws[i]);
    client_free(client);
    identity_free(id);
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

START_TEST(connections_of_one_certificate_are_limited)
{
    struct world *world = world_new(_i);
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

START_TEST(connections_without_a_certificate_are_limited_by_address)
{
    struct world *world = world_new(_i);
    struct port *port = port_new(
        world, (struct rpc_listener_config){.connections_per_name = 2},
        false);
    struct raw *raws[4];
    unsigned i;

    for (i = 0; i < 3; i++) {
        raws[i] = raw_dial(world, &port->addr);
        raw_write(raws[i], "\x04", 1);
        if (i < 2)
            await_got(port, i + 1);
    }
    world_await_refused(world, "address-max", 1);
    world_await_flag(world, &raws[2]->closed);
    /* One that ends makes room. */
    base_stream_close(port->got[--port->got_count].stream);
    raws[3] = raw_dial(world, &port->addr);
    raw_write(raws[3], "\x04", 1);
    await_got(port, 2);
    ck_assert_uint_eq(world_refused(world, "address-max"), 1);
    for (i = 0; i < 4; i++)
        raw_free(raws[i]);
    port_free(port);
    world_free(world);
}
END_TEST

START_TEST(of_too_many_silent_connections_the_oldest_ends)
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
    world_await_flag(world, &raws[0]->closed);
    /* The others may still speak. */
    raw_write(raws[1024], "\x04", 1);
    await_got(port, 1);
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

Suite *port_limits_suite(void)
{
    Suite *suite = suite_create("port limits");
    TCase *tcase = tcase_create("port limits");

    tcase_set_timeout(tcase, 30);
    add_both(tcase, of_too_many_handshakes_the_one_longest_under_way_ends, 1);
    add_both(tcase, accepts_from_one_address_are_limited, 1);
    add_both(tcase, connections_of_one_certificate_are_limited, 1);
    add_both(tcase,
             connections_without_a_certificate_are_limited_by_address, 1);
    tcase_add_test(tcase, of_too_many_silent_connections_the_oldest_ends);
    add_both(tcase, a_refused_client_that_stays_is_not_kept, 1);
    add_both(tcase, a_port_in_use_is_an_error, 1);
    add_both(tcase, streams_outlive_their_listener, 1);
    suite_add_tcase(suite, tcase);
    return suite;
}
