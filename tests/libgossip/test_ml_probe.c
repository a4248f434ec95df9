/* The failure detector step by step, and what rides on its packets (gossip.md
 * 2.3, 2.5, 2.9, 6.4; Lifeguard). */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "gossip/broadcast.h"
#include "lone.h"
#include "suite.h"

/* A node that probes and knows count others, n1 ..., who all are silent. */
static struct lone *prober(size_t count)
{
    struct lone *lone = lone_new();
    char name[32];
    size_t i;

    lone->config.params.probe_interval_ms = 1000;
    lone->config.params.gossip_to_the_dead_ms = 1000000;
    lone->config.params.stream_pings = false;
    lone_start(lone);
    for (i = 1; i <= count; i++) {
        snprintf(name, sizeof(name), "n%zu", i);
        lone_alive(lone, name, (uint8_t)i, 1);
    }
    lone_forget(lone);
    return lone;
}

/* Runs until the next message of that type goes out; the message. */
static const struct lone_sent *await(struct lone *lone, enum ml_type type)
{
    size_t before = lone_sent_count(lone, type);
    int ms;

    for (ms = 0; ms < 20000; ms++) {
        if (lone_sent_count(lone, type) > before)
            return lone_last(lone, type);
        base_sim_run_for_ms(lone->sim, 1);
    }
    ck_abort_msg("no %s was sent", ml_type_name(type));
    return NULL;
}

static uint32_t seq_no_of(const struct lone_sent *sent)
{
    struct base_cursor in = base_cursor_of(base_buf_data(&sent->body),
                                           base_buf_len(&sent->body));
    struct ml_ack ack; /* SeqNo is in all of them */

    ck_assert(ml_get(&in, ML_ACK, &ack, NULL));
    return ack.seq_no;
}

static void tell_ack(struct lone *lone, uint32_t seq_no)
{
    struct ml_ack ack = {seq_no, {NULL, 0}};

    lone_tell(lone, ML_ACK, &ack);
}

START_TEST(probes_carry_their_source)
{
    struct lone *lone = prober(1);
    const struct lone_sent *sent = await(lone, ML_PING);
    struct base_cursor in = base_cursor_of(base_buf_data(&sent->body),
                                           base_buf_len(&sent->body));
    struct ml_ping ping;

    ck_assert(ml_get(&in, ML_PING, &ping, NULL));
    ck_assert_str_eq(sent->to, "n1"); /* behind gateways the name says it */
    ck_assert(mp_is(ping.node, "n1"));
    ck_assert(mp_is(ping.source_node, "self"));
    ck_assert_uint_eq(ping.source_addr.len, 4);
    ck_assert_uint_eq(ping.source_port, 7946);
    lone_free(lone);
}
END_TEST

START_TEST(an_ack_keeps_a_node_alive)
{
    struct lone *lone = prober(1);
    int i;

    for (i = 0; i < 20; i++)
        tell_ack(lone, seq_no_of(await(lone, ML_PING)));
    ck_assert_int_eq(lone_state(lone, "n1"), GOSSIP_ALIVE);
    ck_assert_uint_eq(lone_sent_count(lone, ML_INDIRECT_PING), 0);
    ck_assert_uint_eq(gossip_memberlist_health(lone->ml), 0);
    lone_free(lone);
}
END_TEST

START_TEST(silence_leads_to_indirect_pings_then_suspicion)
{
    struct lone *lone = prober(5);
    const struct lone_sent *sent = await(lone, ML_PING);
    uint32_t seq_no = seq_no_of(sent);
    char target[64];
    size_t i;

    snprintf(target, sizeof(target), "%s", sent->to);
    base_sim_run_for_ms(lone->sim, 495);
    ck_assert_uint_eq(lone_sent_count(lone, ML_INDIRECT_PING), 0);
    base_sim_run_for_ms(lone->sim, 10);
    ck_assert_uint_eq(lone_sent_count(lone, ML_INDIRECT_PING), 3);
    for (i = 0; i < lone->sent_count; i++)
        if (lone->sent[i].type == ML_INDIRECT_PING) {
            ck_assert_str_ne(lone->sent[i].to, target);
            ck_assert_uint_eq(seq_no_of(&lone->sent[i]), seq_no);
        }
    base_sim_run_for_ms(lone->sim, 500);
    ck_assert_int_eq(lone_state(lone, target), GOSSIP_SUSPECT);
    lone_free(lone);
}
END_TEST

START_TEST(an_indirect_ack_is_enough)
{
    struct lone *lone = prober(5);
    uint32_t seq_no = seq_no_of(await(lone, ML_PING));

    base_sim_run_for_ms(lone->sim, 900);
    tell_ack(lone, seq_no);
    base_sim_run_for_ms(lone->sim, 200);
    ck_assert_uint_eq(gossip_memberlist_alive_count(lone->ml), 6);
    ck_assert_int_eq(lone_state(lone, "n1"), GOSSIP_ALIVE);
    ck_assert_int_eq(lone_state(lone, "n2"), GOSSIP_ALIVE);
    ck_assert_uint_eq(gossip_memberlist_health(lone->ml), 0);
    lone_free(lone);
}
END_TEST

/* Lifeguard: helpers who answer "I could not reach it either" show that we are
 * well; each who is silent too counts against us. */
START_TEST(missing_nacks_count_against_us)
{
    struct lone *lone = prober(5);
    struct ml_nack nack;
    int i;

    nack.seq_no = seq_no_of(await(lone, ML_PING));
    base_sim_run_for_ms(lone->sim, 600);
    for (i = 0; i < _i; i++)
        lone_tell(lone, ML_NACK, &nack);
    base_sim_run_for_ms(lone->sim, 450);
    ck_assert_uint_eq(gossip_memberlist_health(lone->ml),
                      _i < 3 ? 3 - (uint32_t)_i : 0);
    lone_free(lone);
}
END_TEST

/* Without helpers, a failed probe counts one; and an unwell node probes more
 * slowly. */
START_TEST(bad_health_slows_probing)
{
    struct lone *lone = prober(1);
    uint64_t first_ns, second_ns;

    lone->ml->score = 3;
    await(lone, ML_PING);
    first_ns = base_sim_now_ns(lone->sim);
    await(lone, ML_PING);
    second_ns = base_sim_now_ns(lone->sim);
    ck_assert_uint_ge(second_ns - first_ns, UINT64_C(3990000000));
    ck_assert_uint_le(second_ns - first_ns, UINT64_C(4010000000));
    ck_assert_uint_eq(gossip_memberlist_health(lone->ml), 4);
    lone_free(lone);
}
END_TEST

START_TEST(health_stays_in_bounds)
{
    struct lone *lone = prober(0);
    uint32_t i;

    for (i = 1; i < 30; i++)
        lone_claim(lone, ML_SUSPECT, "self", 2 * i, "b");
    ck_assert_uint_eq(gossip_memberlist_health(lone->ml), 7);
    lone_free(lone);
}
END_TEST

/* What cannot even be sent has failed: no waiting for an ack that cannot come
 * (federation.md F13). */
START_TEST(a_send_that_fails_is_a_failed_probe)
{
    struct lone *lone = prober(1);
    int ms;

    lone->send_status = GOSSIP_EROUTE;
    for (ms = 0; ms < 2200 && lone_state(lone, "n1") == GOSSIP_ALIVE; ms++)
        base_sim_run_for_ms(lone->sim, 1);
    ck_assert_int_eq(lone_state(lone, "n1"), GOSSIP_SUSPECT);
    base_sim_run_for_ms(lone->sim, 5000);
    ck_assert_int_eq(lone_state(lone, "n1"), GOSSIP_DEAD);
    ck_assert_uint_gt(lone_dropped(lone, "send"), 0);
    lone_free(lone);
}
END_TEST

/* News that cannot be sent is not used up: it goes once there is a way. */
START_TEST(news_waits_for_a_way_out)
{
    struct lone *lone = lone_new();

    lone->config.params.gossip_interval_ms = 100;
    lone_start(lone);
    lone_alive(lone, "n1", 1, 1);
    gossip_broadcasts_prune(lone->ml->broadcasts, 0);
    lone->send_status = GOSSIP_EROUTE;
    gossip_memberlist_update(lone->ml, "m", 1, 1000, NULL, NULL);
    base_sim_run_for_ms(lone->sim, 60000);
    ck_assert_uint_eq(lone_sent_count(lone, ML_ALIVE), 0);
    lone->send_status = 0;
    base_sim_run_for_ms(lone->sim, 2000);
    /* 4 x ceil(log10(3)) times, as always. */
    ck_assert_uint_eq(lone_sent_count(lone, ML_ALIVE), 4);
    ck_assert_uint_eq(gossip_broadcasts_count(lone->ml->broadcasts), 0);
    lone_free(lone);
}
END_TEST

/* The others are asked at once. */
START_TEST(after_a_failed_send_the_others_are_asked_at_once)
{
    struct lone *lone = prober(5);

    gossip_broadcasts_prune(lone->ml->broadcasts, 0); /* pings go alone */
    lone->send_status = GOSSIP_EROUTE;
    lone->send_fails = ML_PING;
    while (lone_dropped(lone, "send") == 0)
        base_sim_run_for_ms(lone->sim, 1);
    ck_assert_uint_eq(lone_sent_count(lone, ML_INDIRECT_PING), 3);
    lone_free(lone);
}
END_TEST

/* A suspect hears of it with the next ping. */
START_TEST(suspects_are_told_with_the_ping)
{
    struct lone *lone = prober(3);
    const struct lone_sent *sent;
    size_t i;

    for (i = 1; i <= 3; i++) {
        char name[32];

        snprintf(name, sizeof(name), "n%zu", i);
        lone_claim(lone, ML_SUSPECT, name, 1, "b");
    }
    lone_forget(lone);
    sent = await(lone, ML_PING);
    ck_assert_uint_eq(lone->packet_count, 1);
    ck_assert_uint_eq(lone->sent_count, 2);
    ck_assert_uint_eq(lone->sent[1].type, ML_SUSPECT);
    ck_assert_str_eq(lone->sent[1].to, sent->to);
    lone_free(lone);
}
END_TEST

/* Whom we accused hears it once more before the end; whom others accused does
 * not hear it from us. */
START_TEST(the_accused_is_told_once_more)
{
    struct lone *lone = lone_new();
    size_t i, told_n1 = 0, told_n2 = 0;

    lone->config.params.probe_interval_ms = 1000;
    lone_start(lone);
    ml_probe_stop(lone->ml); /* its pings say it too */
    lone_alive(lone, "n1", 1, 1);
    lone_alive(lone, "n2", 2, 1);
    lone_claim(lone, ML_SUSPECT, "n1", 1, "self");
    lone_claim(lone, ML_SUSPECT, "n2", 1, "n1");
    lone_forget(lone);
    base_sim_run_for_ms(lone->sim, 600000);
    for (i = 0; i < lone->sent_count; i++)
        if (lone->sent[i].type == ML_SUSPECT) {
            told_n1 += strcmp(lone->sent[i].to, "n1") == 0;
            told_n2 += strcmp(lone->sent[i].to, "n2") == 0;
        }
    ck_assert_uint_eq(told_n1, 1);
    ck_assert_uint_eq(told_n2, 0);
    lone_free(lone);
}
END_TEST

/* A node in bad health buries nobody but for itself. */
START_TEST(bad_health_keeps_deaths_to_itself)
{
    struct lone *lone = lone_new();

    lone->config.params.probe_interval_ms = 1000;
    lone->config.params.gossip_interval_ms = 100;
    lone_start(lone);
    ml_probe_stop(lone->ml);
    lone->ml->score = _i == 0 ? 4 : 3;
    lone_alive(lone, "n1", 1, 1);
    lone_alive(lone, "n2", 2, 1);
    lone_claim(lone, ML_SUSPECT, "n1", 1, "n2");
    base_sim_run_for_ms(lone->sim, 60000);
    ck_assert_int_eq(lone_state(lone, "n1"), GOSSIP_DEAD);
    ck_assert_uint_eq(lone_sent_count(lone, ML_DEAD) > 0, _i == 1);
    lone_free(lone);
}
END_TEST

START_TEST(left_and_dead_are_not_probed)
{
    struct lone *lone = prober(3);

    lone_claim(lone, ML_DEAD, "n1", 1, "n1");
    lone_claim(lone, ML_DEAD, "n2", 1, "b");
    lone_forget(lone);
    base_sim_run_for_ms(lone->sim, 4000);
    ck_assert_uint_gt(lone_sent_count(lone, ML_PING), 0);
    while (lone->sent_count > 0) {
        if (lone->sent[lone->sent_count - 1].type == ML_PING)
            ck_assert_str_eq(lone->sent[lone->sent_count - 1].to, "n3");
        base_buf_close(&lone->sent[--lone->sent_count].body);
    }
    lone_free(lone);
}
END_TEST

static void ask_to_ping(struct lone *lone, bool nack, bool named)
{
    static const uint8_t target[] = {10, 0, 1, 1}, source[] = {10, 0, 1, 2};
    struct ml_indirect_ping request = {0};

    request.seq_no = 4711;
    request.target = mp_bytes_of(target, 4);
    request.port = 7946;
    request.node = mp_str_of("n1");
    request.nack = nack;
    if (named) {
        request.source_addr = mp_bytes_of(source, 4);
        request.source_port = 7000;
        request.source_node = mp_str_of("n2");
    }
    lone_tell(lone, ML_INDIRECT_PING, &request);
}

START_TEST(indirect_pings_are_passed_on)
{
    struct lone *lone = lone_new();
    const struct lone_sent *sent;
    struct base_cursor in;
    struct ml_ack ack;
    uint32_t ours;

    lone_start(lone);
    ask_to_ping(lone, true, _i == 0);
    sent = lone_last(lone, ML_PING);
    ck_assert_ptr_nonnull(sent);
    ck_assert_str_eq(sent->to, "n1");
    ours = seq_no_of(sent);
    ck_assert_uint_ne(ours, 4711);
    lone_tell(lone, ML_ACK,
              &(struct ml_ack){ours, mp_bytes_of("coordinate", 10)});
    sent = lone_last(lone, ML_ACK);
    ck_assert_ptr_nonnull(sent);
    in = base_cursor_of(base_buf_data(&sent->body), base_buf_len(&sent->body));
    ck_assert(ml_get(&in, ML_ACK, &ack, NULL));
    ck_assert_uint_eq(ack.seq_no, 4711);
    ck_assert_ptr_null(ack.payload.data); /* nil, whatever came */
    ck_assert_str_eq(sent->to, _i == 0 ? "n2" : "");
    ck_assert_uint_eq(sent->addr.port, _i == 0 ? 7000 : 7946);
    base_sim_run_for_ms(lone->sim, 1000);
    ck_assert_uint_eq(lone_sent_count(lone, ML_NACK), 0);
    lone_free(lone);
}
END_TEST

START_TEST(silence_is_nacked_where_wanted)
{
    struct lone *lone = lone_new();

    lone_start(lone);
    ask_to_ping(lone, _i == 1, true);
    base_sim_run_for_ms(lone->sim, 490);
    ck_assert_uint_eq(lone_sent_count(lone, ML_NACK), 0);
    base_sim_run_for_ms(lone->sim, 20);
    ck_assert_uint_eq(lone_sent_count(lone, ML_NACK), _i == 1 ? 1 : 0);
    if (_i == 1)
        ck_assert_uint_eq(seq_no_of(lone_last(lone, ML_NACK)), 4711);
    lone_free(lone);
}
END_TEST

START_TEST(nameless_peers_are_not_sent_to_where_names_are_required)
{
    struct lone *lone = lone_new();
    struct ml_ping ping = {0};

    lone->config.require_node_names = true;
    lone_start(lone);
    ping.node = mp_str_of("self");
    lone_tell(lone, ML_PING, &ping);
    ck_assert_uint_eq(lone->packet_count, 0);
    ck_assert_uint_eq(lone_dropped(lone, "unnamed"), 1);
    ping.source_node = mp_str_of("n1");
    lone_tell(lone, ML_PING, &ping);
    ck_assert_uint_eq(lone->packet_count, 1);
    lone_free(lone);
}
END_TEST

static size_t many_small(void *ctx, size_t overhead, size_t limit,
                         void (*emit)(void *arg, const void *data, size_t len),
                         void *arg)
{
    size_t used = 0;

    (void)ctx;
    for (; used + overhead + 1 <= limit; used += overhead + 1)
        emit(arg, "x", 1);
    return used;
}

/* However much is queued: packets keep to their budget, with every wrapping
 * that there is, and compounds to 127 parts (gossip.md 1.6, 9.2, 9.15). */
START_TEST(packets_keep_to_their_budget)
{
    static struct gossip_delegate delegate;
    struct lone *lone = lone_new();
    char name[32];
    int i;

    delegate = *lone->config.delegate;
    if (_i % 2 == 1)
        delegate.broadcasts = many_small;
    lone->config.delegate = &delegate;
    lone->config.params.gossip_interval_ms = 100;
    if (_i / 2 == 1) {
        lone->config.label = "a label of some length";
        lone->keyring = gossip_keyring_new();
        gossip_keyring_add(lone->keyring, "0123456789abcdef", 16);
        lone->config.protocol_cur = 1; /* padded encryption, the longest */
        lone->config.params.verify_incoming = false;
        lone->config.skip_inbound_label_check = true;
        lone->config.keyring = lone->keyring;
    }
    lone_start(lone);
    for (i = 1; i < 60; i++) {
        snprintf(name, sizeof(name), "node-with-a-name-%d", i);
        lone_alive(lone, name, (uint8_t)i, 1);
    }
    base_sim_run_for_ms(lone->sim, 3000);
    ck_assert_uint_gt(lone->packet_count, 10);
    ck_assert_uint_le(lone->packet_bytes_max, 1400);
    ck_assert_uint_ge(lone->packet_bytes_max, 1300);
    lone_free(lone);
}
END_TEST

START_TEST(message_sizes_are_those_of_the_book)
{
    struct lone *lone = lone_new();

    lone_start(lone);
    ck_assert_uint_eq(gossip_memberlist_message_bytes_max(lone->ml), 1390);
    lone_free(lone);
    lone = lone_new();
    lone->keyring = gossip_keyring_new();
    gossip_keyring_add(lone->keyring, "0123456789abcdef", 16);
    lone->config.keyring = lone->keyring;
    lone->config.label = "blue";
    lone_start(lone);
    ck_assert_uint_eq(gossip_memberlist_message_bytes_max(lone->ml),
                      1361 - 6);
    lone_free(lone);
}
END_TEST

/* The dead are gossiped to for a while, so that they can refute; the left are
 * not. */
START_TEST(the_recently_dead_are_gossiped_to)
{
    struct lone *lone = lone_new();
    size_t i, to_dead = 0, to_left = 0;

    lone->config.params.gossip_interval_ms = 100;
    lone->config.params.gossip_to_the_dead_ms = 5000;
    lone_start(lone);
    lone_alive(lone, "dead", 1, 1);
    lone_alive(lone, "left", 2, 1);
    lone_claim(lone, ML_DEAD, "dead", 1, "b");
    lone_claim(lone, ML_DEAD, "left", 1, "left");
    lone_forget(lone);
    base_sim_run_for_ms(lone->sim, 4000);
    for (i = 0; i < lone->sent_count; i++) {
        to_dead += strcmp(lone->sent[i].to, "dead") == 0;
        to_left += strcmp(lone->sent[i].to, "left") == 0;
    }
    ck_assert_uint_gt(to_dead, 0);
    ck_assert_uint_eq(to_left, 0);
    base_sim_run_for_ms(lone->sim, 2000);
    lone_forget(lone);
    gossip_memberlist_update(lone->ml, "m", 1, 1000, NULL, NULL);
    base_sim_run_for_ms(lone->sim, 2000);
    ck_assert_uint_eq(lone->sent_count, 0); /* nobody left to tell */
    lone_free(lone);
}
END_TEST

Suite *probe_suite(void)
{
    Suite *suite = suite_create("memberlist-probes");
    TCase *tcase = tcase_create("probes");

    tcase_add_test(tcase, probes_carry_their_source);
    tcase_add_test(tcase, an_ack_keeps_a_node_alive);
    tcase_add_test(tcase, silence_leads_to_indirect_pings_then_suspicion);
    tcase_add_test(tcase, an_indirect_ack_is_enough);
    tcase_add_loop_test(tcase, missing_nacks_count_against_us, 0, 5);
    tcase_add_test(tcase, bad_health_slows_probing);
    tcase_add_test(tcase, health_stays_in_bounds);
    tcase_add_test(tcase, a_send_that_fails_is_a_failed_probe);
    tcase_add_test(tcase,
                   after_a_failed_send_the_others_are_asked_at_once);
    tcase_add_test(tcase, news_waits_for_a_way_out);
    tcase_add_test(tcase, suspects_are_told_with_the_ping);
    tcase_add_test(tcase, the_accused_is_told_once_more);
    tcase_add_loop_test(tcase, bad_health_keeps_deaths_to_itself, 0, 2);
    tcase_add_test(tcase, left_and_dead_are_not_probed);
    tcase_add_loop_test(tcase, indirect_pings_are_passed_on, 0, 2);
    tcase_add_loop_test(tcase, silence_is_nacked_where_wanted, 0, 2);
    tcase_add_test(tcase,
                   nameless_peers_are_not_sent_to_where_names_are_required);
    tcase_add_loop_test(tcase, packets_keep_to_their_budget, 0, 4);
    tcase_add_test(tcase, message_sizes_are_those_of_the_book);
    tcase_add_test(tcase, the_recently_dead_are_gossiped_to);
    suite_add_tcase(suite, tcase);
    return suite;
}
