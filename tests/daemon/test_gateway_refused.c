/* What the proxy refuses: closed, counted, and nobody else is delayed. */
#include <string.h>

#include "base/alloc.h"
#include "gateway_world.h"
#include "suite.h"

#define S1_NAME "s1.server.dc1.consul"

static const struct {
    const char *name; /* NULL: no server name in the hello */
    const char *reason;
} hellos[] = {
    {NULL, "no_sni"},
    {"s9.server.dc1.consul", "no_route"},
    {"server.dc9.consul", "no_route"},
    {"a.b.server.dc2.consul", "no_route"},
    {"example.org", "no_route"},
    {"server.dc3.consul", "no_target"},
    {"x.server.dc3.consul", "no_target"},
    {"s1.server.dc1.consul.", "malformed"},
    {"s1 .server.dc1.consul", "malformed"},
    {"s1..server.dc1.consul", "malformed"},
};

START_TEST(a_hello_that_leads_nowhere)
{
    struct gw_world world;
    struct gw_end *client;

    gw_open(&world, NULL);
    client = gw_dial_name(&world, hellos[_i].name);
    gw_run_ms(&world, 100);
    ck_assert(client->closed);
    ck_assert_uint_eq(base_buf_len(&client->got), 0);
    ck_assert_uint_eq(gw_refused(&world, hellos[_i].reason), 1);
    ck_assert_uint_eq(proxy_count(world.proxy), 0);
    gw_close(&world);
}
END_TEST

static const struct {
    const char *bytes;
    size_t len;
    const char *reason;
} garbage[] = {
    {"GET / HTTP/1.1\r\n\r\n", 18, "not_tls"},
    {"\0", 1, "not_tls"},
    {"SSH-2.0-x\r\n", 11, "not_tls"},
    {"\x16\x03\x01\x00\x00", 5, "malformed"},           /* an empty record */
    {"\x16\x03\x01\xff\xff", 5, "malformed"},           /* a record too long */
    {"\x16\x03\x01\x00\x04\x02\0\0\0", 9, "malformed"}, /* a ServerHello */
    {"\x16\x03\x01\x00\x04\x01\xff\xff\xff", 9, "malformed"}, /* 16 MiB */
};

START_TEST(bytes_that_are_no_hello)
{
    struct gw_world world;
    struct gw_end *client;

    gw_open(&world, NULL);
    client = gw_dial(&world);
    gw_end_send(client, garbage[_i].bytes, garbage[_i].len);
    gw_run_ms(&world, 100);
    ck_assert(client->closed);
    ck_assert_uint_eq(gw_refused(&world, garbage[_i].reason), 1);
    gw_close(&world);
}
END_TEST

START_TEST(a_hello_over_its_limit)
{
    static uint8_t records[40 * 1024];
    struct gw_world world;
    struct gw_end *client;
    size_t i;

    /* Records of one byte each: headers make it large, never a hello. */
    for (i = 0; i + 6 <= sizeof(records); i += 6)
        memcpy(records + i, "\x16\x03\x01\x00\x01\x01", 6);
    gw_open(&world, NULL);
    client = gw_dial(&world);
    gw_end_send(client, records, sizeof(records));
    gw_run_ms(&world, 1000);
    ck_assert(client->closed);
    ck_assert_uint_eq(gw_refused(&world, "malformed"), 1);
    gw_close(&world);
}
END_TEST

START_TEST(a_hello_that_takes_too_long)
{
    struct gw_world world;
    struct gw_end *silent, *slow;
    uint8_t hello[512];
    size_t i, len = gw_hello(S1_NAME, hello);

    gw_open(&world, NULL);
    silent = gw_dial(&world);
    slow = gw_dial(&world);
    for (i = 0; i < 49; i++) { /* a byte in 100 ms does not renew it */
        gw_end_send(slow, hello + i % len, 1);
        gw_run_ms(&world, 100);
        ck_assert(!slow->closed);
    }
    gw_run_ms(&world, 200);
    ck_assert(silent->closed && slow->closed);
    ck_assert_uint_eq(gw_refused(&world, "slow"), 2);
    gw_close(&world);
}
END_TEST

START_TEST(a_client_that_goes_before_it_is_served)
{
    struct gw_world world;
    struct gw_end *waiting, *dialling;

    gw_open(&world, NULL);
    world.cut[GW_S1] = true;
    waiting = gw_dial(&world);
    gw_end_send(waiting, "\x16", 1);
    dialling = gw_dial_name(&world, S1_NAME);
    gw_run_ms(&world, 100);
    gw_end_close(waiting);
    gw_run_ms(&world, 100);
    ck_assert_uint_eq(gw_refused(&world, "closed"), 1);
    ck_assert_uint_eq(proxy_count(world.proxy), 1);
    gw_end_close(dialling); /* may be a client that only reads from now on */
    gw_run_ms(&world, 6000);
    ck_assert_uint_eq(gw_refused(&world, "dial_failed"), 1);
    ck_assert_uint_eq(proxy_count(world.proxy), 0);
    gw_close(&world);
}
END_TEST

START_TEST(silent_ones_give_way_when_all_places_are_taken)
{
    struct proxy_config config = {.connections_max = 5};
    struct gw_world world;
    struct gw_end *silent[4], *client;
    int i;

    gw_open(&world, &config);
    gw_dial_name(&world, S1_NAME);
    for (i = 0; i < 4; i++)
        silent[i] = gw_dial(&world);
    client = gw_dial_name(&world, S1_NAME);
    gw_run_ms(&world, 100);
    ck_assert(silent[0]->closed && !silent[1]->closed);
    ck_assert_uint_eq(gw_refused(&world, "crowded_out"), 1);
    ck_assert_uint_eq(world.targets[GW_S1].count, 2);
    ck_assert(!client->closed);
    gw_close(&world);
}
END_TEST

START_TEST(joined_ones_are_not_sent_away_for_new_ones)
{
    struct proxy_config config = {.connections_max = 2};
    struct gw_world world;
    struct gw_end *clients[3];
    int i;

    gw_open(&world, &config);
    for (i = 0; i < 3; i++) {
        clients[i] = gw_dial_name(&world, S1_NAME);
        gw_run_ms(&world, 100);
    }
    ck_assert(!clients[0]->closed && !clients[1]->closed);
    ck_assert(clients[2]->closed);
    ck_assert_uint_eq(gw_refused(&world, "limit"), 1);
    gw_end_close(clients[0]);
    gw_end_close(&world.targets[GW_S1].ends[0]);
    gw_run_ms(&world, 100);
    ck_assert(!gw_dial_name(&world, S1_NAME)->closed);
    gw_run_ms(&world, 100);
    ck_assert_uint_eq(world.targets[GW_S1].count, 3);
    gw_close(&world);
}
END_TEST

START_TEST(one_source_cannot_take_all_places)
{
    struct proxy_config config = {.per_source_max = 3};
    struct gw_world world;
    struct gw_end *clients[4];
    int i;

    gw_open(&world, &config);
    for (i = 0; i < 4; i++)
        clients[i] = gw_dial(&world);
    gw_run_ms(&world, 100);
    ck_assert(!clients[2]->closed);
    ck_assert(clients[3]->closed);
    ck_assert_uint_eq(gw_refused(&world, "limit_source"), 1);
    gw_run_ms(&world, 6000); /* the silent ones are gone */
    ck_assert_uint_eq(proxy_count(world.proxy), 0);
    gw_dial_name(&world, S1_NAME);
    gw_run_ms(&world, 100);
    ck_assert_uint_eq(world.targets[GW_S1].count, 1);
    gw_close(&world);
}
END_TEST

Suite *gateway_refused_suite(void)
{
    Suite *suite = suite_create("gateway_refused");
    TCase *tcase = tcase_create("refused");

    tcase_add_loop_test(tcase, a_hello_that_leads_nowhere, 0,
                        (int)BASE_COUNT_OF(hellos));
    tcase_add_loop_test(tcase, bytes_that_are_no_hello, 0,
                        (int)BASE_COUNT_OF(garbage));
    tcase_add_test(tcase, a_hello_over_its_limit);
    tcase_add_test(tcase, a_hello_that_takes_too_long);
    tcase_add_test(tcase, a_client_that_goes_before_it_is_served);
    tcase_add_test(tcase, silent_ones_give_way_when_all_places_are_taken);
    tcase_add_test(tcase, joined_ones_are_not_sent_away_for_new_ones);
    tcase_add_test(tcase, one_source_cannot_take_all_places);
    suite_add_tcase(suite, tcase);
    return suite;
}
