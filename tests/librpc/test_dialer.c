/* Dialling by who it is: the rule of federation.md section 4, with a gateway in
 * between that routes by SNI. */
#include <stdio.h>
#include <string.h>

#include "proxy.h"
#include "rpc/dialer.h"
#include "rpc/listener.h"
#include "world.h"

Suite *dialer_suite(void);

/* Two datacenters: the client is in dc1, with the server s1 of dc2 behind the
 * gateway; the same server is dialled directly as one of dc1 in other tests. */
struct road {
    struct world *world;
    struct identity *client_id;
    struct identity *server_id;
    struct rpc_listener *listener;
    struct base_addr server_addr;
    struct proxy *proxy;
    struct rpc_dialer *dialer;
    /* the gateway table */
    int pick_status;
    struct base_addr pick_addr;
    struct base_addr avoid; /* of the next dial */
    unsigned picks;
    unsigned reports;
    int report_status;
    char report_dc[64];
    /* what the server got */
    unsigned accepted;
    enum rpc_protocol protocol;
    struct rpc_peer peer;
    struct base_stream *server;
    struct road_arg {
        struct road *road;
        enum rpc_protocol protocol;
    } args[RPC_PROTOCOL_COUNT];
    /* what the dial gave */
    bool done;
    int status;
    struct base_stream *stream;
    struct rpc_peer server_peer;
};

static int on_pick(void *ctx, const char *dc, const struct base_addr *avoid,
                   struct base_addr *gateway)
{
    struct road *road = ctx;

    ck_assert_int_eq(avoid != NULL, road->avoid.family != 0);
    if (avoid != NULL)
        ck_assert(base_addr_equal(avoid, &road->avoid));
    ck_assert_str_eq(dc, "dc2");
    road->picks++;
    *gateway = road->pick_addr;
    return road->pick_status;
}

static void on_report(void *ctx, const char *dc,
                      const struct base_addr *gateway, int status)
{
    struct road *road = ctx;

    ck_assert(base_addr_equal(gateway, &road->pick_addr));
    road->reports++;
    road->report_status = status;
    snprintf(road->report_dc, sizeof(road->report_dc), "%s", dc);
}

static const struct rpc_gateway_ops gateway_ops = {
    .version = 2, .pick = on_pick, .report = on_report};

static void on_accept(void *arg, struct base_stream *stream,
                      const struct rpc_peer *peer)
{
    const struct road_arg *which = arg;
    struct road *road = which->road;

    road->accepted++;
    road->protocol = which->protocol;
    road->peer = *peer;
    if (road->server != NULL)
        base_stream_close(road->server);
    road->server = stream;
}

enum road_flags {
    PLAIN = 1,          /* no TLS at all */
    NO_FEDERATION = 2,
    NO_HOSTNAME = 4,    /* verify_server_hostname off */
    SERVER_IN_DC1 = 8,  /* its certificate */
};

static void open_port(struct road *road, unsigned flags)
{
    struct world *world = road->world;
    struct rpc_listener_config config = {
        .addr = world->server.addr,
        .datacenter = flags & SERVER_IN_DC1 ? "dc1" : "dc2",
        .domain = "consul",
    };
    int i;

    if (!(flags & PLAIN)) {
        road->server_id = identity_new(world, &world->server,
                                       flags & SERVER_IN_DC1
                                           ? SERVER_NAMES("s1", "dc1")
                                           : SERVER_NAMES("s1", "dc2"),
                                       0);
        config.secure = &road->server_id->secure;
        config.verify_incoming = config.federation = true;
    }
    ck_assert_int_eq(rpc_listener_new(world->server.env, world->server.net,
                                      &config, &road->listener),
                     0);
    for (i = 0; i < RPC_PROTOCOL_COUNT; i++) {
        road->args[i].road = road;
        road->args[i].protocol = (enum rpc_protocol)i;
        rpc_listener_handle(road->listener, (enum rpc_protocol)i, on_accept,
                            &road->args[i]);
    }
    rpc_listener_addr(road->listener, &road->server_addr);
}

static struct road *road_new(int kind, unsigned flags)
{
    struct rpc_dialer_config config = {
        .datacenter = "dc1",
        .domain = "consul",
        .federation = !(flags & (PLAIN | NO_FEDERATION)),
        .verify_server_hostname = !(flags & NO_HOSTNAME),
        .gateways = &gateway_ops,
    };
    struct road *road;

    BASE_NEW(road);
    road->world = world_new(kind);
    open_port(road, flags);
    road->proxy = proxy_new(road->world);
    proxy_route(road->proxy, "s1.server.dc2.consul", &road->server_addr);
    proxy_route(road->proxy, "s2.server.dc2.consul", &road->server_addr);
    proxy_route(road->proxy, "server.dc2.consul", &road->server_addr);
    road->pick_addr = road->proxy->addr;
    if (!(flags & PLAIN)) {
        road->client_id = identity_new(road->world, &road->world->client,
                                       SERVER_NAMES("s9", "dc1"), 0);
        config.secure = &road->client_id->secure;
    }
    config.from = road->world->client.addr;
    config.gateways_ctx = road;
    ck_assert_int_eq(rpc_dialer_new(road->world->client.env,
                                    road->world->client.net, &config,
                                    &road->dialer),
                     0);
    return road;
}

static void road_free(struct road *road)
{
    rpc_dialer_free(road->dialer);
    rpc_listener_free(road->listener);
    proxy_free(road->proxy);
    if (road->server != NULL)
        base_stream_close(road->server);
    if (road->stream != NULL)
        base_stream_close(road->stream);
    if (road->client_id != NULL) {
        identity_free(road->client_id);
        identity_free(road->server_id);
    }
    world_free(road->world);
    base_free(road);
}

static void on_dialled(void *arg, int status, struct base_stream *stream,
                       const struct rpc_peer *peer)
{
    struct road *road = arg;

    ck_assert(!road->done);
    road->done = true;
    road->status = status;
    road->stream = stream;
    if (peer != NULL)
        road->server_peer = *peer;
}

static int try_dial(struct road *road, const char *dc, const char *node,
                    enum rpc_protocol protocol, struct rpc_dial **out)
{
    struct rpc_target target = {dc, node, road->server_addr, road->avoid};

    return rpc_dialer_dial(road->dialer, &target, protocol, 2000, on_dialled,
                           road, out);
}

static int dial(struct road *road, const char *dc, const char *node,
                enum rpc_protocol protocol)
{
    ck_assert_int_eq(try_dial(road, dc, node, protocol, NULL), 0);
    ck_assert(!road->done);
    world_await_flag(road->world, &road->done);
    return road->status;
}

static bool was_accepted(void *arg)
{
    return ((struct road *)arg)->accepted > 0;
}

static bool server_has_word(void *arg)
{
    return base_stream_len(((struct road *)arg)->server) == 4;
}

/* The stream is ready for the protocol's first message. */
static void assert_talks(struct road *road, enum rpc_protocol protocol)
{
    ck_assert_int_eq(base_stream_write(road->stream, "word", 4), 0);
    world_await(road->world, was_accepted, road);
    ck_assert_int_eq(road->protocol, protocol);
    world_await(road->world, server_has_word, road);
    ck_assert_mem_eq(base_stream_data(road->server), "word", 4);
}

/* ---- our own dc ---- */

static const enum rpc_protocol by_byte[] = {
    RPC_PROTOCOL_SINGLE, RPC_PROTOCOL_RAFT, RPC_PROTOCOL_MULTI,
    RPC_PROTOCOL_SNAPSHOT};

START_TEST(our_own_dc_is_dialled_directly_with_byte_3)
{
    enum rpc_protocol protocol = by_byte[_i / WORLD_KINDS];
    struct road *road = road_new(_i % WORLD_KINDS, SERVER_IN_DC1);

    ck_assert_int_eq(dial(road, "DC1", "s1", protocol), 0);
    assert_talks(road, protocol);
    ck_assert_uint_eq(road->picks, 0);
    ck_assert(road->server_peer.secure);
    ck_assert_str_eq(road->server_peer.alpn, "");
    ck_assert(rpc_peer_has_name(&road->peer, "s9.server.dc1.consul"));
    ck_assert(base_addr_ip_equal(&road->peer.addr,
                                 &road->world->client.addr));
    road_free(road);
}
END_TEST

START_TEST(without_tls_only_the_protocols_byte_is_sent)
{
    enum rpc_protocol protocol = by_byte[_i / WORLD_KINDS];
    struct road *road = road_new(_i % WORLD_KINDS, PLAIN | SERVER_IN_DC1);

    ck_assert_int_eq(dial(road, "dc1", "s1", protocol), 0);
    assert_talks(road, protocol);
    ck_assert(!road->server_peer.secure);
    road_free(road);
}
END_TEST

START_TEST(without_federation_another_dc_is_dialled_directly)
{
    struct road *road = road_new(_i, NO_FEDERATION);

    ck_assert_int_eq(dial(road, "dc2", "s1", RPC_PROTOCOL_MULTI), 0);
    assert_talks(road, RPC_PROTOCOL_MULTI);
    ck_assert_uint_eq(road->picks, 0);
    road_free(road);
}
END_TEST

START_TEST(a_server_must_be_of_the_dc_if_that_is_checked)
{
    /* Its certificate is of dc2, though it stands at the address. */
    struct road *road = road_new(_i, 0);

    ck_assert_int_eq(dial(road, "dc1", "s1", RPC_PROTOCOL_MULTI), RPC_ENAME);
    road_free(road);
    road = road_new(_i, NO_HOSTNAME);
    ck_assert_int_eq(dial(road, "dc1", "s1", RPC_PROTOCOL_MULTI), 0);
    road_free(road);
}
END_TEST

START_TEST(gossip_has_no_byte_and_needs_a_gateway)
{
    struct road *road = road_new(_i, SERVER_IN_DC1);

    ck_assert_int_eq(
        try_dial(road, "dc1", "s1", RPC_PROTOCOL_GOSSIP_PACKET, NULL),
        RPC_EINVAL);
    world_settle(road->world);
    ck_assert(!road->done);
    road_free(road);
}
END_TEST

/* ---- another dc ---- */

START_TEST(another_dc_is_dialled_through_a_gateway)
{
    enum rpc_protocol protocol = (enum rpc_protocol)(_i / WORLD_KINDS);
    struct road *road = road_new(_i % WORLD_KINDS, 0);

    /* Raft and snapshots stay inside their dc. */
    if (rpc_protocol_row(protocol)->needs == RPC_NEEDS_OWN_SERVER) {
        ck_assert_int_eq(dial(road, "dc2", "s1", protocol), 0);
        world_await_refused(road->world, "certificate-name", 1);
    } else {
        ck_assert_int_eq(dial(road, "dc2", "s1", protocol), 0);
        assert_talks(road, protocol);
        ck_assert(base_addr_ip_equal(&road->peer.addr,
                                     &road->world->gateway.addr));
    }
    ck_assert_str_eq(road->proxy->last_name, "s1.server.dc2.consul");
    ck_assert_str_eq(road->server_peer.alpn, rpc_protocol_row(protocol)->alpn);
    ck_assert_uint_eq(road->picks, 1);
    ck_assert_uint_eq(road->reports, 1);
    ck_assert_int_eq(road->report_status, 0);
    ck_assert_str_eq(road->report_dc, "dc2");
    road_free(road);
}
END_TEST

START_TEST(any_server_of_a_dc_can_be_asked_for)
{
    struct road *road = road_new(_i, 0);

    ck_assert_int_eq(dial(road, "dc2", "*", RPC_PROTOCOL_MULTI), 0);
    ck_assert_str_eq(road->proxy->last_name, "server.dc2.consul");
    road_free(road);
}
END_TEST

START_TEST(without_a_gateway_it_says_so_at_once)
{
    struct road *road = road_new(_i, 0);

    road->pick_status = RPC_ENOGATEWAY;
    ck_assert_int_eq(try_dial(road, "dc2", "s1", RPC_PROTOCOL_MULTI, NULL),
                     RPC_ENOGATEWAY);
    world_settle(road->world);
    ck_assert(!road->done);
    ck_assert_uint_eq(road->reports, 0);
    road_free(road);
}
END_TEST

START_TEST(a_dead_gateway_is_reported)
{
    struct road *road = road_new(_i, 0);

    road->pick_addr.port = 1;
    ck_assert_int_eq(dial(road, "dc2", "s1", RPC_PROTOCOL_MULTI),
                     BASE_EREFUSED);
    ck_assert_uint_eq(road->reports, 1);
    ck_assert_int_eq(road->report_status, BASE_EREFUSED);
    road_free(road);
}
END_TEST

START_TEST(a_gateway_without_a_route_is_reported)
{
    struct road *road = road_new(_i, 0);

    ck_assert_int_ne(dial(road, "dc2", "s7", RPC_PROTOCOL_MULTI), 0);
    ck_assert_int_eq(road->report_status, road->status);
    road_free(road);
}
END_TEST

START_TEST(a_gateway_that_leads_to_another_server_is_not_believed)
{
    /* Even where names inside a dc are not checked. */
    struct road *road = road_new(_i, NO_HOSTNAME);

    ck_assert_int_eq(dial(road, "dc2", "s2", RPC_PROTOCOL_MULTI), RPC_ENAME);
    ck_assert_int_eq(road->report_status, RPC_ENAME);
    ck_assert_uint_eq(road->accepted, 0);
    road_free(road);
}
END_TEST

START_TEST(a_server_that_lacks_the_protocol_refuses)
{
    struct road *road = road_new(_i, 0);

    rpc_listener_handle(road->listener, RPC_PROTOCOL_MULTI, NULL, NULL);
    ck_assert_int_eq(dial(road, "dc2", "s1", RPC_PROTOCOL_MULTI), RPC_EALPN);
    road_free(road);
}
END_TEST

/* ---- time and cancelling ---- */

static void swallow(void *arg, struct base_stream *stream)
{
    *(struct base_stream **)arg = stream;
}

START_TEST(a_server_that_never_answers_times_out)
{
    struct road *road = road_new(_i, SERVER_IN_DC1);
    struct world *world = road->world;
    struct base_stream *mute = NULL;
    struct base_listener *listener;

    ck_assert_int_eq(base_net_listen(world->gateway.net, &world->gateway.addr,
                                     swallow, &mute, &listener),
                     0);
    base_net_listener_addr(world->gateway.net, listener, &road->server_addr);
    ck_assert_int_eq(dial(road, "dc1", "s1", RPC_PROTOCOL_MULTI),
                     BASE_ETIMEOUT);
    base_stream_close(mute);
    base_net_listener_close(world->gateway.net, listener);
    road_free(road);
}
END_TEST

START_TEST(a_dial_can_be_cancelled_at_any_step)
{
    struct road *road = road_new(_i % WORLD_KINDS, 0);
    int step = _i / WORLD_KINDS;
    struct rpc_dial *one;

    ck_assert_int_eq(try_dial(road, "dc2", "s1", RPC_PROTOCOL_MULTI, &one), 0);
    if (road->world->kind == SIM)
        base_sim_run_until(road->world->sim, (uint64_t)step * 200000u);
    else
        while (step-- > 0 && !road->done) /* some turns of the loop */
            world_pass_ms(road->world, 0);
    if (!road->done)
        rpc_dial_cancel(one);
    road->done = true; /* another done fails the test */
    world_settle(road->world);
    road_free(road);
}
END_TEST

START_TEST(dials_end_with_their_dialer)
{
    struct road *road = road_new(_i, 0);

    ck_assert_int_eq(try_dial(road, "dc2", "s1", RPC_PROTOCOL_MULTI, NULL), 0);
    ck_assert_int_eq(try_dial(road, "dc2", "s1", RPC_PROTOCOL_MULTI, NULL), 0);
    rpc_dialer_free(road->dialer);
    road->dialer = NULL;
    world_settle(road->world);
    ck_assert(!road->done);
    road_free(road);
}
END_TEST

START_TEST(federation_needs_tls_and_a_gateway_table)
{
    struct world *world = world_new(SIM);
    struct rpc_dialer_config config = {.datacenter = "dc1",
                                       .domain = "consul",
                                       .federation = true,
                                       .gateways = &gateway_ops};
    struct rpc_dialer *dialer;

    ck_assert_int_eq(rpc_dialer_new(world->client.env, world->client.net,
                                    &config, &dialer),
                     RPC_EINVAL);
    ck_assert_ptr_null(dialer);
    world_free(world);
}
END_TEST

static void add_both(TCase *tcase, const TTest *test, int rows)
{
    tcase_add_loop_test(tcase, test, 0, WORLD_KINDS * rows);
}

Suite *dialer_suite(void)
{
    Suite *suite = suite_create("rpc dialer");
    TCase *own = tcase_create("own dc");
    TCase *other = tcase_create("other dc");
    TCase *ends = tcase_create("ends");

    tcase_set_timeout(own, 30);
    add_both(own, our_own_dc_is_dialled_directly_with_byte_3, 4);
    add_both(own, without_tls_only_the_protocols_byte_is_sent, 4);
    add_both(own, without_federation_another_dc_is_dialled_directly, 1);
    add_both(own, a_server_must_be_of_the_dc_if_that_is_checked, 1);
    add_both(own, gossip_has_no_byte_and_needs_a_gateway, 1);
    suite_add_tcase(suite, own);

    tcase_set_timeout(other, 30);
    add_both(other, another_dc_is_dialled_through_a_gateway,
             RPC_PROTOCOL_COUNT);
    add_both(other, any_server_of_a_dc_can_be_asked_for, 1);
    add_both(other, without_a_gateway_it_says_so_at_once, 1);
    add_both(other, a_dead_gateway_is_reported, 1);
    add_both(other, a_gateway_without_a_route_is_reported, 1);
    add_both(other, a_gateway_that_leads_to_another_server_is_not_believed, 1);
    add_both(other, a_server_that_lacks_the_protocol_refuses, 1);
    suite_add_tcase(suite, other);

    tcase_set_timeout(ends, 30);
    add_both(ends, a_server_that_never_answers_times_out, 1);
    add_both(ends, a_dial_can_be_cancelled_at_any_step, 20);
    add_both(ends, dials_end_with_their_dialer, 1);
    tcase_add_test(ends, federation_needs_tls_and_a_gateway_table);
    suite_add_tcase(suite, ends);
    return suite;
}
