/* Queries in a simulated pool, and what nodes ask each other with them. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "memberlist/messages.h"
#include "serf/core.h"
#include "serf_pool.h"
#include "suite.h"

/* What an asker heard. */
struct heard {
    size_t acks;
    size_t responses;
    size_t done;
    char last[128];
};

static void on_ack(void *arg, const char *from)
{
    struct heard *heard = arg;

    ck_assert_uint_gt(strlen(from), 0);
    heard->acks++;
}

static void on_response(void *arg, const char *from, const void *payload,
                        size_t len)
{
    struct heard *heard = arg;

    heard->responses++;
    snprintf(heard->last, sizeof(heard->last), "%s: %.*s", from, (int)len,
             (const char *)payload);
}

static void on_done(void *arg)
{
    struct heard *heard = arg;

    heard->done++;
}

static const struct gossip_query_events events = {
    .on_ack = on_ack, .on_response = on_response, .on_done = on_done};

static struct serf_pool *answering_pool(uint64_t seed, size_t count)
{
    static const struct gossip_tag web = {"role", "web"};
    static const struct gossip_tag db = {"role", "db"};
    struct serf_pool *pool = serf_pool_new(seed, count);
    size_t i;

    for (i = 0; i < count; i++) {
        pool->nodes[i].answer = "42";
        pool->nodes[i].config.tags = i % 2 == 0 ? &web : &db;
        pool->nodes[i].config.tag_count = 1;
    }
    serf_pool_form(pool);
    return pool;
}

START_TEST(query_is_acked_and_answered_by_all)
{
    struct serf_pool *pool = answering_pool(1, 5);
    struct gossip_query_params params = {.want_acks = true};
    struct heard heard = {0};
    size_t i;

    ck_assert_int_eq(gossip_serf_query(pool->nodes[0].serf, "uptime", "now", 3,
                                       &params, &events, &heard, NULL),
                     0);
    ck_assert_uint_eq(heard.acks + heard.responses, 0);
    serf_pool_run_ms(pool, 3100);
    ck_assert_uint_eq(heard.acks, 5);
    ck_assert_uint_eq(heard.responses, 5);
    ck_assert_uint_eq(heard.done, 0);
    serf_pool_run_ms(pool, 200);
    ck_assert_uint_eq(heard.done, 1);
    for (i = 0; i < 5; i++)
        ck_assert_uint_eq(serf_pool_heard(&pool->nodes[i], "query uptime now"),
                          1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(filters_choose_who_answers)
{
    struct serf_pool *pool = answering_pool(2, 6);
    const char *nodes[] = {"n1", "n2", "n5"};
    const struct gossip_tag role = {"role", "^d"};
    struct gossip_query_params params = {.nodes = nodes,
                                         .node_count = 3,
                                         .tags = &role,
                                         .tag_count = 1,
                                         .want_acks = true,
                                         .timeout_ms = 2000};
    struct heard heard = {0};

    gossip_serf_query(pool->nodes[0].serf, "who", NULL, 0, &params, &events,
                      &heard, NULL);
    serf_pool_run_ms(pool, 2100);
    ck_assert_uint_eq(heard.acks, 2);
    ck_assert_uint_eq(heard.responses, 2);
    ck_assert_uint_eq(heard.done, 1);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[2], "query who "), 0);
    serf_pool_free(pool);
}
END_TEST

START_TEST(relays_go_round_a_broken_link)
{
    struct serf_pool *pool = answering_pool(3, 5);
    struct gossip_query_params params = {.want_acks = true, .relay_factor = 3};
    struct heard heard = {0};

    /* Answers of n4 cannot reach n0 directly; nor can pings, but the query
     * is over before anybody is declared dead. */
    pool->cut[4][0] = true;
    gossip_serf_query(pool->nodes[0].serf, "uptime", NULL, 0, &params, &events,
                      &heard, NULL);
    serf_pool_run_ms(pool, 3300);
    ck_assert_uint_eq(heard.responses, 5);
    ck_assert_uint_eq(heard.acks, 5);
    serf_pool_free(pool);
}
END_TEST

static void count_relays(void *arg, const struct base_addr *from,
                         const void *data, size_t len)
{
    const uint8_t *bytes = data;
    size_t checksum = len > 5 && bytes[0] == ML_CRC ? 5 : 0;

    (void)from;
    *(size_t *)arg += len > checksum + 1 && bytes[checksum] == ML_USER &&
                      bytes[checksum + 1] == SERF_RELAY;
}

/* A member of which only its serf version says whether it knows relays: the
 * original looks at memberlist's instead (gossip.md 9.33). */
START_TEST(relays_speak_serf_5)
{
    const uint8_t vsn[ML_VSN_BYTES] = {1, 5, 2, 2, (uint8_t)_i, (uint8_t)_i};
    struct serf_pool *pool = serf_pool_new(3, 3);
    struct serf_pool_node *third = &pool->nodes[2];
    struct gossip_query_params params = {.relay_factor = 2};
    struct ml_alive alive = {.incarnation = 1,
                             .node = mp_str_of("third"),
                             .addr = mp_bytes_of(third->addr.ip, 4),
                             .port = SERF_POOL_PORT,
                             .vsn = mp_bytes_of(vsn, sizeof(vsn))};
    struct base_net *net = base_sim_host_net(
        third->host, base_sim_host_env(third->host, "wire"));
    struct base_buf out = BASE_BUF_INIT;
    struct base_packets *packets;
    struct heard heard = {0};
    size_t i, relays = 0;

    base_net_packets(net, &third->addr, count_relays, &relays, &packets);
    ml_put(&out, ML_ALIVE, &alive);
    for (i = 0; i < 2; i++) {
        pool->nodes[i].answer = "42";
        pool->nodes[i].config.params.compression = false;
        serf_pool_start(pool, i);
    }
    serf_pool_join(pool, 1, 0);
    serf_pool_run_ms(pool, 500);
    gossip_packet_in(gossip_serf_memberlist(pool->nodes[0].serf),
                     &third->addr, base_buf_data(&out), base_buf_len(&out));
    serf_pool_run_ms(pool, 500);
    gossip_serf_query(pool->nodes[1].serf, "uptime", NULL, 0, &params, &events,
                      &heard, NULL);
    serf_pool_run_ms(pool, 1000);
    ck_assert_uint_eq(heard.responses, 2);
    ck_assert_uint_eq(relays > 0, _i == 5);
    base_net_packets_close(net, packets);
    base_buf_close(&out);
    serf_pool_free(pool);
}
END_TEST

START_TEST(a_query_is_answered_once_and_in_time)
{
    struct serf_pool *pool = answering_pool(4, 2);
    struct serf_pool_node *node = &pool->nodes[1];
    struct gossip_query_params params = {.timeout_ms = 1000};
    struct heard heard = {0};
    static char large[2000];

    node->answer = NULL;
    gossip_serf_query(pool->nodes[0].serf, "slow", NULL, 0, &params, &events,
                      &heard, NULL);
    serf_pool_run_ms(pool, 500);
    ck_assert_uint_ne(node->last_query, 0);
    ck_assert_int_eq(gossip_query_respond(node->serf, 999, "x", 1),
                     GOSSIP_ENONODE);
    ck_assert_int_eq(gossip_query_respond(node->serf, node->last_query, large,
                                          sizeof(large)),
                     GOSSIP_ETOOBIG);
    ck_assert_int_eq(gossip_query_respond(node->serf, node->last_query, "x",
                                          1),
                     0);
    ck_assert_int_eq(gossip_query_respond(node->serf, node->last_query, "y",
                                          1),
                     GOSSIP_ENONODE);
    serf_pool_run_ms(pool, 100);
    ck_assert_str_eq(heard.last, "n1: x");
    serf_pool_run_ms(pool, 1000);
    gossip_serf_query(pool->nodes[0].serf, "slow", NULL, 0, &params, &events,
                      &heard, NULL);
    serf_pool_run_ms(pool, 5000);
    ck_assert_int_eq(gossip_query_respond(node->serf, node->last_query, "x",
                                          1),
                     GOSSIP_ETIMEOUT);
    serf_pool_free(pool);
}
END_TEST

START_TEST(queries_can_end_early)
{
    struct serf_pool *pool = answering_pool(5, 2);
    struct gossip_query *query;
    struct heard heard = {0};
    struct heard cancelled = {0};
    static char large[1100];

    gossip_serf_query(pool->nodes[0].serf, "a", NULL, 0, NULL, &events, &heard,
                      &query);
    gossip_query_finish(query);
    ck_assert_uint_eq(heard.done, 0);
    gossip_serf_query(pool->nodes[0].serf, "b", NULL, 0, NULL, &events,
                      &cancelled, &query);
    gossip_query_cancel(query);
    serf_pool_run_ms(pool, 10000);
    ck_assert_uint_eq(heard.done, 1);
    ck_assert_uint_eq(cancelled.done + cancelled.responses, 0);
    ck_assert_int_eq(gossip_serf_query(pool->nodes[0].serf, "c", large,
                                       sizeof(large), NULL, &events, &heard,
                                       NULL),
                     GOSSIP_ETOOBIG);
    serf_pool_free(pool);
}
END_TEST

/* gossip.md 3.7 and formulas.json: 3.2 s up to 9 nodes on a LAN. */
START_TEST(default_time_grows_with_the_pool)
{
    struct serf_pool *pool = serf_pool_new(6, 11);

    serf_pool_start(pool, 0);
    ck_assert_uint_eq(gossip_serf_query_timeout_ms(pool->nodes[0].serf), 3200);
    serf_pool_free(pool);
    pool = serf_pool_new(6, 10);
    serf_pool_form(pool);
    ck_assert_uint_eq(gossip_serf_query_timeout_ms(pool->nodes[0].serf), 6400);
    serf_pool_free(pool);
}
END_TEST

/* Against what the reference code computes. */
START_TEST(default_time_is_that_of_the_reference)
{
    json_t *formulas = json_load_file(TEST_DATA "/formulas.json", 0, NULL);
    struct serf_pool *pool = serf_pool_new(6, 1);
    struct gossip_serf *serf;
    size_t i, alive = 1;
    json_t *row;

    serf_pool_start(pool, 0);
    serf = pool->nodes[0].serf;
    json_array_foreach (json_object_get(formulas, "default_query_timeout"), i,
                        row) {
        size_t members = (size_t)json_integer_value(
            json_object_get(row, "members"));
        char name[16];

        for (; alive < members; alive++) {
            snprintf(name, sizeof(name), "m%zu", alive);
            serf_members_set_status(&serf->members,
                                    serf_members_add(&serf->members, name),
                                    GOSSIP_MEMBER_ALIVE, 0);
        }
        ck_assert_int_eq(
            (json_int_t)gossip_serf_query_timeout_ms(serf) * 1000000,
            json_integer_value(json_object_get(row, "timeout_ns")));
    }
    ck_assert_uint_eq(i, 10);
    serf_pool_free(pool);
    json_decref(formulas);
}
END_TEST

START_TEST(ping_shows_who_is_reachable)
{
    struct serf_pool *pool = answering_pool(7, 4);
    struct gossip_query_params params = {.want_acks = true};
    struct heard heard = {0};

    serf_pool_cut(pool, 0, 3, true);
    gossip_serf_query(pool->nodes[0].serf, "_serf_ping", NULL, 0, &params,
                      &events, &heard, NULL);
    serf_pool_run_ms(pool, 3300);
    ck_assert_uint_eq(heard.acks, 3);
    ck_assert_uint_eq(heard.responses, 0);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[1], "query _serf_ping "),
                      0);
    serf_pool_free(pool);
}
END_TEST

START_TEST(answers_go_only_where_nodes_may_be)
{
    struct serf_pool *pool = serf_pool_new(8, 2);
    static const uint8_t ip[4] = {192, 0, 2, 1};
    static struct serf_msg_query msg;
    struct base_cidr cidr;

    base_cidr_parse(&cidr, "10.1.0.0/16");
    pool->nodes[0].config.cidrs_allowed = &cidr;
    pool->nodes[0].config.cidrs_allowed_count = 1;
    serf_pool_form(pool);
    msg = (struct serf_msg_query){.ltime = 50,
                                  .id = 1,
                                  .addr = {ip, 4},
                                  .port = 53,
                                  .source = mp_str_of("forged"),
                                  .flags = SERF_FLAG_ACK,
                                  .timeout_ns = 1000000000,
                                  .name = mp_str_of("x")};
    ck_assert(serf_query_in(pool->nodes[0].serf, &msg));
    serf_pool_run_ms(pool, 100);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "query x "), 0);
    ck_assert_uint_eq(serf_pool_refused(&pool->nodes[0], "unroutable"), 1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(minority_loses_a_name_conflict)
{
    struct serf_pool *pool = serf_pool_new(9, 5);
    size_t i;

    for (i = 0; i < 4; i++)
        serf_pool_start(pool, i);
    for (i = 1; i < 4; i++)
        serf_pool_join(pool, i, 0);
    serf_pool_run_ms(pool, 10000);
    pool->nodes[4].config.name = "n1";
    serf_pool_start(pool, 4);
    serf_pool_join(pool, 4, 0);
    serf_pool_run_ms(pool, 60000);
    ck_assert_uint_ge(pool->nodes[4].lost_conflicts, 1);
    ck_assert_uint_eq(pool->nodes[1].lost_conflicts, 0);
    serf_pool_free(pool);
}
END_TEST

START_TEST(lone_node_survives_a_forged_namesake)
{
    struct serf_pool *pool = serf_pool_new(10, 1);
    struct gossip_node self;
    struct gossip_node other;

    serf_pool_start(pool, 0);
    serf_pool_run_ms(pool, 1000);
    ck_assert(gossip_memberlist_find(
        gossip_serf_memberlist(pool->nodes[0].serf), "n0", &self));
    other = self;
    other.addr.port = 1;
    serf_conflict(pool->nodes[0].serf, &self, &other);
    serf_pool_run_ms(pool, 20000);
    ck_assert_uint_eq(pool->nodes[0].lost_conflicts, 0);
    serf_pool_free(pool);
}
END_TEST

START_TEST(freeing_ends_open_queries)
{
    struct serf_pool *pool = answering_pool(11, 3);
    struct heard heard = {0};

    gossip_serf_query(pool->nodes[0].serf, "a", NULL, 0, NULL, &events, &heard,
                      NULL);
    serf_pool_run_ms(pool, 100);
    serf_pool_kill(pool, 0);
    serf_pool_run_ms(pool, 10000);
    ck_assert_uint_eq(heard.done, 0);
    serf_pool_free(pool);
}
END_TEST

Suite *serf_query_suite(void)
{
    Suite *suite = suite_create("serf-query");
    TCase *tcase = tcase_create("queries");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, query_is_acked_and_answered_by_all);
    tcase_add_test(tcase, filters_choose_who_answers);
    tcase_add_test(tcase, relays_go_round_a_broken_link);
    tcase_add_loop_test(tcase, relays_speak_serf_5, 4, 6);
    tcase_add_test(tcase, a_query_is_answered_once_and_in_time);
    tcase_add_test(tcase, queries_can_end_early);
    tcase_add_test(tcase, default_time_grows_with_the_pool);
    tcase_add_test(tcase, default_time_is_that_of_the_reference);
    tcase_add_test(tcase, ping_shows_who_is_reachable);
    tcase_add_test(tcase, answers_go_only_where_nodes_may_be);
    tcase_add_test(tcase, minority_loses_a_name_conflict);
    tcase_add_test(tcase, lone_node_survives_a_forged_namesake);
    tcase_add_test(tcase, freeing_ends_open_queries);
    suite_add_tcase(suite, tcase);
    return suite;
}
