/* The first byte on the server port: a test for each row of the first table of
 * federation.md section 3, with the counter that a refusal moves. */
#include <string.h>

#include "port.h"

Suite *port_bytes_suite(void);

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

static void add_both(TCase *tcase, const TTest *test, size_t rows)
{
    tcase_add_loop_test(tcase, test, 0, WORLD_KINDS * (int)rows);
}

Suite *port_bytes_suite(void)
{
    Suite *suite = suite_create("port bytes");
    TCase *tcase = tcase_create("port bytes");

    tcase_set_timeout(tcase, 30);
    add_both(tcase, a_plain_byte_reaches_its_protocol_where_no_tls_is, 4);
    add_both(tcase, a_first_byte_that_may_not_be_is_refused,
             BASE_COUNT_OF(refusals));
    tcase_add_test(tcase, refusals_are_logged_but_not_all);
    add_both(tcase, a_connection_that_says_nothing_is_closed_in_time, 1);
    add_both(tcase, a_connection_that_leaves_early_is_no_refusal, 1);
    add_both(tcase, a_protocol_without_a_handler_is_refused, 1);
    suite_add_tcase(suite, tcase);
    return suite;
}
