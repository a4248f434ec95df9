/*
 * The simulator's datagrams: who gets them, loss, doubling, overtaking,
 * partitions, and addresses.
 */
#include <string.h>

#include "base/error.h"
#include "sim_pair.h"

#define COUNT_MAX 20000

struct inbox {
    unsigned count;
    uint32_t numbers[COUNT_MAX];
    struct base_addr from;
};

static void on_packet(void *arg, const struct base_addr *from, const void *data,
                      size_t len)
{
    struct inbox *inbox = arg;

    ck_assert_uint_eq(len, sizeof(uint32_t));
    ck_assert_uint_lt(inbox->count, COUNT_MAX);
    memcpy(&inbox->numbers[inbox->count++], data, len);
    inbox->from = *from;
}

/* A pair with a socket each on port 9. */
struct post {
    struct pair pair;
    struct base_packets *packets[2];
    struct inbox inbox[2];
};

static const char *const places[] = {"10.0.0.1:9", "10.0.0.2:9"};

static void bind_at(struct post *post, int i)
{
    struct base_addr at = sim_addr(places[i]);

    ck_assert_int_eq(base_net_packets(post->pair.net[i], &at, on_packet,
                                      &post->inbox[i], &post->packets[i]),
                     0);
}

static void open_post(struct post *post, uint64_t seed)
{
    memset(post, 0, sizeof(*post));
    pair_open(&post->pair, seed);
    bind_at(post, 0);
    bind_at(post, 1);
}

static int send_to(struct post *post, int from, const char *place, uint32_t n)
{
    struct base_addr to = sim_addr(place);

    return base_net_packets_send(post->pair.net[from], post->packets[from], &to,
                                 &n, sizeof(n));
}

static void send_many(struct post *post, int from, uint32_t count)
{
    uint32_t n;

    for (n = 0; n < count; n++)
        ck_assert_int_eq(send_to(post, from, places[1 - from], n), 0);
    base_sim_run_for_ms(post->pair.sim, 1000);
}

START_TEST(packets_arrive_after_the_delay_with_their_sender)
{
    static struct post post;

    open_post(&post, 1);
    ck_assert_int_eq(send_to(&post, 0, places[1], 5), 0);
    base_sim_run_until(post.pair.sim, 999999);
    ck_assert_uint_eq(post.inbox[1].count, 0);
    base_sim_run_until(post.pair.sim, 1000000);
    ck_assert_uint_eq(post.inbox[1].count, 1);
    ck_assert_uint_eq(post.inbox[1].numbers[0], 5);
    ck_assert(base_addr_equal(&post.inbox[1].from,
                              &(struct base_addr){4, {10, 0, 0, 1}, 9}));
    pair_close(&post.pair);
}
END_TEST

START_TEST(loss_is_near_its_rate_and_counted)
{
    static struct post post;
    struct base_sim_stats stats;

    open_post(&post, 11);
    post.pair.link[0].loss_ppm = 250000;
    send_many(&post, 0, 10000);
    stats = base_sim_stats(post.pair.sim);
    ck_assert_uint_gt(stats.packets_lost, 2300);
    ck_assert_uint_lt(stats.packets_lost, 2700);
    ck_assert_uint_eq(stats.packets + stats.packets_lost, 10000);
    ck_assert_uint_eq(stats.packets, post.inbox[1].count);
    pair_close(&post.pair);
}
END_TEST

START_TEST(duplicates_come_at_their_rate)
{
    static struct post post;

    open_post(&post, 11);
    post.pair.link[0].duplicate_ppm = 500000;
    send_many(&post, 0, 1000);
    ck_assert_uint_gt(post.inbox[1].count, 1400);
    ck_assert_uint_lt(post.inbox[1].count, 1600);
    pair_close(&post.pair);
}
END_TEST

static unsigned overtakings(const struct inbox *inbox)
{
    unsigned found = 0;
    unsigned i;

    for (i = 1; i < inbox->count; i++)
        found += inbox->numbers[i] < inbox->numbers[i - 1];
    return found;
}

START_TEST(packets_overtake_where_delays_differ)
{
    static struct post post;

    open_post(&post, 1);
    send_many(&post, 0, 100);
    ck_assert_uint_eq(overtakings(&post.inbox[1]), 0);
    post.pair.link[1].delay_max_us = 5000;
    send_many(&post, 1, 100);
    ck_assert_uint_eq(post.inbox[0].count, 100);
    ck_assert_uint_gt(overtakings(&post.inbox[0]), 10);
    pair_close(&post.pair);
}
END_TEST

START_TEST(a_partition_may_be_one_way)
{
    static struct post post;

    open_post(&post, 1);
    post.pair.link[0].up = false;
    send_many(&post, 0, 10);
    send_many(&post, 1, 10);
    ck_assert_uint_eq(post.inbox[1].count, 0);
    ck_assert_uint_eq(post.inbox[0].count, 10);
    ck_assert_uint_eq(base_sim_stats(post.pair.sim).packets_lost, 10);
    post.pair.link[0].up = true;
    send_many(&post, 0, 10);
    ck_assert_uint_eq(post.inbox[1].count, 10);
    pair_close(&post.pair);
}
END_TEST

START_TEST(nobody_there_is_not_an_error)
{
    static struct post post;

    open_post(&post, 1);
    ck_assert_int_eq(send_to(&post, 0, "10.0.0.2:10", 1), 0);
    ck_assert_int_eq(send_to(&post, 0, "192.0.2.1:9", 1), 0);
    base_sim_run_for_ms(post.pair.sim, 10);
    ck_assert_uint_eq(base_sim_stats(post.pair.sim).packets_lost, 2);
    pair_close(&post.pair);
}
END_TEST

START_TEST(loopback_reaches_oneself_without_the_link)
{
    static struct post post;
    struct base_addr any = sim_addr("0.0.0.0:11");
    struct base_packets *packets;

    open_post(&post, 1);
    post.pair.link[0] = post.pair.link[1] = (struct base_sim_link){.up = false};
    ck_assert_int_eq(base_net_packets(post.pair.net[0], &any, on_packet,
                                      &post.inbox[0], &packets),
                     0);
    ck_assert_int_eq(send_to(&post, 0, "10.0.0.1:11", 1), 0);
    base_sim_run_until(post.pair.sim, 100000);
    ck_assert_uint_eq(post.inbox[0].count, 1);
    pair_close(&post.pair);
}
END_TEST

START_TEST(any_address_binds_and_shows_the_first_of_the_host)
{
    static struct post post;
    struct base_addr any = sim_addr("0.0.0.0:11");
    struct base_addr to = sim_addr(places[1]);
    struct base_addr expected = sim_addr("10.0.0.1:11");
    struct base_packets *packets;
    uint32_t n = 1;

    open_post(&post, 1);
    ck_assert_int_eq(base_net_packets(post.pair.net[0], &any, on_packet,
                                      &post.inbox[0], &packets),
                     0);
    ck_assert_int_eq(
        base_net_packets_send(post.pair.net[0], packets, &to, &n, sizeof(n)),
        0);
    base_sim_run_for_ms(post.pair.sim, 10);
    ck_assert(base_addr_equal(&post.inbox[1].from, &expected));
    to = sim_addr("[fd00::9]:1");
    ck_assert_int_eq(
        base_net_packets_send(post.pair.net[0], packets, &to, &n, sizeof(n)),
        BASE_EUNREACH);
    pair_close(&post.pair);
}
END_TEST

START_TEST(binding_tells_what_is_wrong)
{
    static struct post post;
    struct base_addr used = sim_addr(places[0]);
    struct base_addr any = sim_addr("0.0.0.0:9");
    struct base_addr foreign = sim_addr("10.0.0.9:9");
    struct base_addr port0 = sim_addr("10.0.0.1:9");
    struct base_packets *packets, *more;
    struct base_addr got[2];

    open_post(&post, 1);
    ck_assert_int_eq(
        base_net_packets(post.pair.net[0], &used, on_packet, NULL, &packets),
        BASE_EINUSE);
    ck_assert_int_eq(
        base_net_packets(post.pair.net[0], &any, on_packet, NULL, &packets),
        BASE_EINUSE);
    ck_assert_int_eq(
        base_net_packets(post.pair.net[0], &foreign, on_packet, NULL, &packets),
        BASE_EADDR);
    port0.port = 0;
    ck_assert_int_eq(
        base_net_packets(post.pair.net[0], &port0, on_packet, NULL, &packets),
        0);
    ck_assert_int_eq(
        base_net_packets(post.pair.net[0], &port0, on_packet, NULL, &more), 0);
    base_net_packets_addr(post.pair.net[0], packets, &got[0]);
    base_net_packets_addr(post.pair.net[0], more, &got[1]);
    ck_assert_uint_ge(got[0].port, 32768);
    ck_assert_uint_ge(got[1].port, 32768);
    ck_assert_uint_ne(got[0].port, got[1].port);
    base_net_packets_close(post.pair.net[0], post.packets[0]);
    ck_assert_int_eq(base_net_packets(post.pair.net[0], &used, on_packet, NULL,
                                      &post.packets[0]),
                     0);
    pair_close(&post.pair);
}
END_TEST

START_TEST(size_limits_hold)
{
    static struct post post;
    static uint8_t big[65508];
    struct base_addr to = sim_addr(places[1]);

    open_post(&post, 1);
    ck_assert_int_eq(base_net_packets_send(post.pair.net[0], post.packets[0],
                                           &to, big, sizeof(big)),
                     BASE_ETOOBIG);
    ck_assert_int_eq(
        base_net_packets_send(post.pair.net[0], post.packets[0], &to, big, 0),
        0);
    base_sim_run_for_ms(post.pair.sim, 10);
    ck_assert_uint_eq(post.inbox[1].count, 0);
    pair_close(&post.pair);
}
END_TEST

START_TEST(crash_closes_sockets_but_not_the_wire)
{
    static struct post post;

    open_post(&post, 1);
    send_to(&post, 0, places[1], 1);
    base_sim_host_crash(post.pair.host[0]);
    ck_assert_int_eq(send_to(&post, 0, places[1], 2), BASE_ECLOSED);
    send_to(&post, 1, places[0], 3);
    base_sim_run_for_ms(post.pair.sim, 10);
    ck_assert_uint_eq(post.inbox[1].count, 1); /* it had left */
    ck_assert_uint_eq(post.inbox[0].count, 0);
    pair_boot(&post.pair, 0);
    base_net_packets_close(post.pair.net[0], post.packets[0]);
    bind_at(&post, 0);
    send_to(&post, 1, places[0], 4);
    base_sim_run_for_ms(post.pair.sim, 10);
    ck_assert_uint_eq(post.inbox[0].count, 1);
    ck_assert_uint_eq(post.inbox[0].numbers[0], 4);
    pair_close(&post.pair);
}
END_TEST

Suite *sim_packets_suite(void)
{
    Suite *suite = suite_create("sim_packets");
    TCase *tcase = tcase_create("packets");

    tcase_add_test(tcase, packets_arrive_after_the_delay_with_their_sender);
    tcase_add_test(tcase, loss_is_near_its_rate_and_counted);
    tcase_add_test(tcase, duplicates_come_at_their_rate);
    tcase_add_test(tcase, packets_overtake_where_delays_differ);
    tcase_add_test(tcase, a_partition_may_be_one_way);
    tcase_add_test(tcase, nobody_there_is_not_an_error);
    tcase_add_test(tcase, loopback_reaches_oneself_without_the_link);
    tcase_add_test(tcase, any_address_binds_and_shows_the_first_of_the_host);
    tcase_add_test(tcase, binding_tells_what_is_wrong);
    tcase_add_test(tcase, size_limits_hold);
    tcase_add_test(tcase, crash_closes_sockets_but_not_the_wire);
    suite_add_tcase(suite, tcase);
    return suite;
}
