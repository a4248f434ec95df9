/* The rules by which claims change what a node believes (gossip.md 2.7 to
 * 2.10, 9). Each test is a rule. */
#include <stdio.h>

#include "base/alloc.h"
#include "gossip/broadcast.h"
#include "lone.h"
#include "suite.h"

static struct lone *fresh(void)
{
    struct lone *lone = lone_new();

    lone->config.params.probe_interval_ms = 1000;
    lone->config.params.gossip_to_the_dead_ms = 1000000;
    lone_start(lone);
    lone_alive(lone, "a", 1, 5);
    return lone;
}

START_TEST(alive_beats_nothing_at_equal_incarnation)
{
    struct lone *lone = fresh();

    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_ALIVE);
    ck_assert_uint_eq(lone->joins, 1);
    lone_claim(lone, ML_SUSPECT, "a", 5, "b");
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_SUSPECT);
    lone_alive(lone, "a", 1, 5);
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_SUSPECT);
    lone_claim(lone, ML_DEAD, "a", 5, "b");
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_DEAD);
    lone_claim(lone, ML_SUSPECT, "a", 5, "b");
    lone_alive(lone, "a", 1, 5);
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_DEAD);
    lone_alive(lone, "a", 1, 6);
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_ALIVE);
    ck_assert_uint_eq(lone->joins, 2);
    ck_assert_uint_eq(lone->leaves, 1);
    lone_free(lone);
}
END_TEST

START_TEST(old_claims_are_ignored)
{
    struct lone *lone = fresh();

    lone_claim(lone, ML_SUSPECT, "a", 4, "b");
    lone_claim(lone, ML_DEAD, "a", 4, "b");
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_ALIVE);
    lone_claim(lone, ML_SUSPECT, "unknown", 4, "b");
    lone_claim(lone, ML_DEAD, "unknown", 4, "b");
    ck_assert_int_eq(lone_state(lone, "unknown"), -1);
    lone_free(lone);
}
END_TEST

START_TEST(who_says_it_of_himself_has_left)
{
    struct lone *lone = fresh();

    lone_claim(lone, ML_DEAD, "a", 5, "a");
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_LEFT);
    ck_assert_uint_eq(gossip_memberlist_alive_count(lone->ml), 1);
    lone_free(lone);
}
END_TEST

/* gossip.md 9.10: an accusation that changes no state still counts, or an
 * alive that is older than it would revive the node. */
START_TEST(stronger_accusations_raise_the_incarnation)
{
    static const enum ml_type types[] = {ML_SUSPECT, ML_DEAD};
    struct lone *lone = fresh();
    enum ml_type type = types[_i];

    lone_claim(lone, type, "a", 5, "b");
    lone_claim(lone, type, "a", 9, "c");
    ck_assert_uint_eq(lone_incarnation(lone, "a"), 9);
    lone_alive(lone, "a", 1, 7);
    ck_assert_int_ne(lone_state(lone, "a"), GOSSIP_ALIVE);
    lone_alive(lone, "a", 1, 10);
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_ALIVE);
    lone_free(lone);
}
END_TEST

START_TEST(accusations_are_refuted)
{
    struct lone *lone = fresh();

    lone_claim(lone, _i == 0 ? ML_SUSPECT : ML_DEAD, "self", 1, "b");
    ck_assert_uint_eq(lone_incarnation(lone, "self"), 2);
    lone_claim(lone, _i == 0 ? ML_SUSPECT : ML_DEAD, "self", 70, "b");
    ck_assert_uint_eq(lone_incarnation(lone, "self"), 71);
    ck_assert_int_eq(lone_state(lone, "self"), GOSSIP_ALIVE);
    ck_assert_uint_eq(gossip_memberlist_health(lone->ml), 2);
    lone_claim(lone, ML_SUSPECT, "self", 70, "b"); /* answered already */
    ck_assert_uint_eq(lone_incarnation(lone, "self"), 71);
    lone_free(lone);
}
END_TEST

/* gossip.md 6.3.5, 9.9: nobody can push us where refutation ends. */
START_TEST(refutation_never_wraps)
{
    struct lone *lone = fresh();

    lone_claim(lone, ML_SUSPECT, "self", UINT32_MAX, "b");
    lone_claim(lone, ML_DEAD, "self", UINT32_MAX - 65536, "b");
    lone_alive(lone, "a", 1, UINT32_MAX - 5);
    lone_claim(lone, ML_SUSPECT, "a", UINT32_MAX - 5, "b");
    ck_assert_uint_eq(lone_incarnation(lone, "self"), 1);
    ck_assert_uint_eq(lone_incarnation(lone, "a"), 5);
    ck_assert_uint_eq(lone_dropped(lone, "incarnation"), 4);
    lone_claim(lone, ML_SUSPECT, "self", UINT32_MAX - 65537, "b");
    ck_assert_uint_eq(lone_incarnation(lone, "self"), UINT32_MAX - 65536);
    /* From here the last numbers are in use: they count, and do not wrap. */
    lone_claim(lone, ML_SUSPECT, "self", UINT32_MAX, "b");
    ck_assert_uint_eq(lone_incarnation(lone, "self"), UINT32_MAX);
    lone_claim(lone, ML_SUSPECT, "self", UINT32_MAX, "b");
    ck_assert_uint_eq(lone_incarnation(lone, "self"), UINT32_MAX);
    ck_assert_int_eq(lone_state(lone, "self"), GOSSIP_ALIVE);
    lone_free(lone);
}
END_TEST

START_TEST(false_words_about_us_are_refuted)
{
    static const uint8_t vsn[] = {1, 5, 2, 0, 0, 0};
    static const uint8_t other[] = {1, 4, 2, 0, 0, 0};
    static const uint8_t ip[] = {10, 0, 0, 1};
    struct lone *lone = fresh();
    struct ml_alive alive = {1, mp_str_of("self"), {ip, 4}, 7946, {NULL, 0},
                             {vsn, 6}};

    lone_tell(lone, ML_ALIVE, &alive); /* it is so */
    ck_assert_uint_eq(lone_incarnation(lone, "self"), 1);
    alive.meta = mp_str_of("other");
    lone_tell(lone, ML_ALIVE, &alive);
    ck_assert_uint_eq(lone_incarnation(lone, "self"), 2);
    lone_tell(lone, ML_ALIVE, &alive); /* stale by now */
    ck_assert_uint_eq(lone_incarnation(lone, "self"), 2);
    alive.incarnation = 8;
    alive.meta = mp_bytes_of(NULL, 0);
    alive.vsn.data = other;
    lone_tell(lone, ML_ALIVE, &alive);
    ck_assert_uint_eq(lone_incarnation(lone, "self"), 9);
    lone_free(lone);
}
END_TEST

START_TEST(a_leaving_node_does_not_argue)
{
    struct lone *lone = fresh();

    ck_assert_int_eq(gossip_memberlist_leave(lone->ml, 1000, NULL, NULL), 0);
    lone_claim(lone, ML_DEAD, "self", 9, "b");
    lone_claim(lone, ML_SUSPECT, "self", 9, "b");
    ck_assert_uint_eq(lone_incarnation(lone, "self"), 1);
    ck_assert_int_eq(lone_state(lone, "self"), GOSSIP_LEFT);
    ck_assert_uint_eq(lone->leaves, 1);
    ck_assert_int_eq(gossip_memberlist_update(lone->ml, "m", 1, 1000, NULL,
                                              NULL), GOSSIP_ESTATE);
    lone_free(lone);
}
END_TEST

START_TEST(other_addresses_are_conflicts)
{
    struct lone *lone = fresh();
    static const uint8_t vsn[] = {1, 5, 2, 0, 0, 0};
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff,
                                       [12] = 10, [14] = 1, [15] = 1};
    struct ml_alive alive = {9, mp_str_of("a"), {mapped, 16}, 7946, {NULL, 0},
                             {vsn, 6}};
    struct gossip_node node;

    lone_alive(lone, "a", 2, 8);
    ck_assert_uint_eq(lone->conflicts, 1);
    ck_assert_uint_eq(lone_incarnation(lone, "a"), 5);
    /* The mapped form is the same address (gossip.md 9.21). */
    lone_tell(lone, ML_ALIVE, &alive);
    ck_assert_uint_eq(lone->conflicts, 1);
    ck_assert_uint_eq(lone_incarnation(lone, "a"), 9);
    alive.node = mp_str_of("self");
    lone_tell(lone, ML_ALIVE, &alive);
    ck_assert_uint_eq(lone->conflicts, 2); /* about us too */
    lone_claim(lone, ML_DEAD, "a", 9, "a");
    lone_alive(lone, "a", 2, 1); /* whoever left gave the name free */
    ck_assert(gossip_memberlist_find(lone->ml, "a", &node));
    ck_assert_uint_eq(node.addr.ip[3], 2);
    ck_assert_uint_eq(node.incarnation, 1);
    lone_free(lone);
}
END_TEST

/* A node that came back after a total restart speaks of incarnation 1: it is
 * told what it has to refute (gossip.md 9.11), at a bounded rate. It is not
 * declared dead once more: others would believe that at once. */
START_TEST(stale_alives_get_the_accusation_again)
{
    struct lone *lone = lone_new();
    unsigned i;

    lone->config.params.gossip_interval_ms = 100;
    lone->config.params.probe_interval_ms = 1000;
    lone->config.params.gossip_to_the_dead_ms = 1000000;
    lone_start(lone);
    lone_alive(lone, "a", 1, 5);
    lone_claim(lone, ML_DEAD, "a", 5, "b");
    base_sim_run_for_ms(lone->sim, 10000); /* all transmits used up */
    lone_forget(lone);
    base_sim_run_for_ms(lone->sim, 2000);
    ck_assert_uint_eq(lone->sent_count, 0);
    lone_alive(lone, "a", 1, 1);
    base_sim_run_for_ms(lone->sim, 2000);
    ck_assert_uint_gt(lone_sent_count(lone, ML_SUSPECT), 0);
    for (i = 0; i < 1000; i++)
        lone_alive(lone, "a", 1, 1);
    lone_forget(lone);
    for (i = 0; i < 3000; i++) { /* one a second is repeated, four times */
        lone_alive(lone, "a", 1, 1);
        base_sim_run_for_ms(lone->sim, 9);
    }
    ck_assert_uint_lt(lone_sent_count(lone, ML_SUSPECT), 150);
    ck_assert_uint_eq(lone_sent_count(lone, ML_DEAD), 0); /* buries nobody */
    lone_free(lone);
}
END_TEST

/* The news of a node replaces what was queued about it, our own refutation
 * too (gossip.md 9.14). */
START_TEST(news_replaces_queued_news)
{
    struct lone *lone = fresh();
    size_t before = gossip_broadcasts_count(lone->ml->broadcasts);

    lone_claim(lone, ML_SUSPECT, "a", 5, "b");
    lone_alive(lone, "a", 1, 6);
    lone_claim(lone, ML_DEAD, "a", 6, "b");
    lone_claim(lone, ML_SUSPECT, "self", 1, "b");
    lone_claim(lone, ML_SUSPECT, "self", 2, "b");
    ck_assert_uint_eq(gossip_broadcasts_count(lone->ml->broadcasts), before);
    lone_free(lone);
}
END_TEST

START_TEST(confirmations_are_passed_on_once)
{
    struct lone *lone = fresh();
    char name[8];
    unsigned i;

    lone_alive(lone, "b", 2, 1);
    lone_alive(lone, "c", 3, 1);
    lone_alive(lone, "d", 4, 1);
    lone_claim(lone, ML_SUSPECT, "a", 5, "b");
    for (i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "%c", "bcdb"[i]);
        lone_claim(lone, ML_SUSPECT, "a", 5, name);
    }
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_SUSPECT);
    /* Two confirmations (c, d) of the two wanted: only the floor is left. */
    base_sim_run_for_ms(lone->sim, 4100);
    ck_assert_int_eq(lone_state(lone, "a"), GOSSIP_DEAD);
    lone_free(lone);
}
END_TEST

START_TEST(bad_facts_are_not_believed)
{
    static const struct {
        const char *reason;
        const char *name;
        size_t name_len, addr_len, meta_len;
        uint8_t vsn[7];
        size_t vsn_len;
    } cases[] = {
        {"name", "", 0, 4, 0, {1, 5, 2, 0, 0, 0}, 6},
        {"name", "a\0b", 3, 4, 0, {1, 5, 2, 0, 0, 0}, 6},
        {"name", "a\nb", 3, 4, 0, {1, 5, 2, 0, 0, 0}, 6},
        {"name", NULL, 513, 4, 0, {1, 5, 2, 0, 0, 0}, 6},
        {"addr", "x", 1, 0, 0, {1, 5, 2, 0, 0, 0}, 6},
        {"addr", "x", 1, 5, 0, {1, 5, 2, 0, 0, 0}, 6},
        {"addr", "x", 1, 15, 0, {1, 5, 2, 0, 0, 0}, 6},
        {"meta", "x", 1, 4, 513, {1, 5, 2, 0, 0, 0}, 6},
        {"vsn", "x", 1, 4, 0, {0}, 0},
        {"vsn", "x", 1, 4, 0, {1, 5, 2, 0, 0}, 5},
        {"vsn", "x", 1, 4, 0, {1, 5, 2, 0, 0, 0, 0}, 7},
        {"vsn", "x", 1, 4, 0, {0, 5, 2, 0, 0, 0}, 6},
        {"vsn", "x", 1, 4, 0, {3, 2, 2, 0, 0, 0}, 6},
        {"vsn", "x", 1, 4, 0, {1, 5, 9, 0, 0, 0}, 6},
        {"vsn", "x", 1, 4, 0, {2, 5, 1, 0, 0, 0}, 6},
        {"vsn", "x", 1, 4, 0, {1, 5, 2, 2, 5, 6}, 6},
        {"vsn", "x", 1, 4, 0, {1, 5, 2, 2, 5, 1}, 6},
    };
    static const uint8_t zeros[1024];
    static char long_name[1024];
    struct lone *lone = fresh();
    struct ml_alive alive = {0};
    size_t i;

    memset(long_name, 'n', sizeof(long_name));
    for (i = 0; i < BASE_COUNT_OF(cases); i++) {
        uint64_t before = lone_dropped(lone, cases[i].reason);

        alive.incarnation = 1;
        alive.node = mp_bytes_of(cases[i].name == NULL ? long_name
                                                       : cases[i].name,
                                 cases[i].name_len);
        alive.addr = mp_bytes_of(zeros, cases[i].addr_len);
        alive.port = 1;
        alive.meta = mp_bytes_of(zeros, cases[i].meta_len);
        alive.vsn = mp_bytes_of(cases[i].vsn, cases[i].vsn_len);
        lone_tell(lone, ML_ALIVE, &alive);
        ck_assert_uint_eq(lone_dropped(lone, cases[i].reason), before + 1);
    }
    ck_assert_uint_eq(gossip_memberlist_count(lone->ml), 2);
    lone_assert_well(lone);
    lone_free(lone);
}
END_TEST

START_TEST(port_zero_means_our_own)
{
    static const uint8_t vsn[] = {1, 5, 1, 0, 0, 0}, ip[] = {10, 0, 1, 7};
    struct lone *lone = fresh();
    struct ml_alive alive = {1, mp_str_of("x"), {ip, 4}, 0, {NULL, 0},
                             {vsn, 6}};
    struct gossip_node node;

    lone_tell(lone, ML_ALIVE, &alive);
    ck_assert(gossip_memberlist_find(lone->ml, "x", &node));
    ck_assert_uint_eq(node.addr.port, 7946);
    lone_free(lone);
}
END_TEST

/* Whatever comes in whatever order: incarnations never go back, and only a
 * higher one revives. */
START_TEST(random_claims_keep_the_invariants)
{
    struct lone *lone = lone_new();
    uint32_t known[8] = {0};
    int states[8];
    char name[8];
    size_t i, n;

    lone->config.params.probe_interval_ms = 1000;
    lone->config.params.gossip_to_the_dead_ms = 100000000;
    lone->config.params.awareness_max_multiplier = 1 + (uint32_t)_i % 8;
    lone_start(lone);
    for (n = 0; n < 8; n++)
        states[n] = -1;
    for (i = 0; i < 3000; i++) {
        uint64_t dice = base_env_random_below(lone->env, 9);
        uint32_t incarnation =
            (uint32_t)base_env_random_below(lone->env, 40 + i / 20);

        n = (size_t)base_env_random_below(lone->env, 8);
        snprintf(name, sizeof(name), n == 0 ? "self" : "n%zu", n);
        if (dice < 3)
            lone_alive(lone, name, (uint8_t)n, incarnation);
        else if (dice < 5)
            lone_claim(lone, ML_SUSPECT, name, incarnation, "b");
        else if (dice < 6)
            lone_claim(lone, ML_SUSPECT, name, incarnation, "c");
        else if (dice < 7)
            lone_claim(lone, ML_DEAD, name, incarnation, "b");
        else if (dice < 8)
            lone_claim(lone, ML_DEAD, name, incarnation, name);
        else
            base_sim_run_for_ms(lone->sim, 500);
        for (n = 0; n < 8; n++) {
            int state;

            snprintf(name, sizeof(name), n == 0 ? "self" : "n%zu", n);
            state = lone_state(lone, name);
            ck_assert_uint_ge(lone_incarnation(lone, name), known[n]);
            if (state == GOSSIP_ALIVE && states[n] > GOSSIP_ALIVE)
                ck_assert_uint_gt(lone_incarnation(lone, name), known[n]);
            known[n] = lone_incarnation(lone, name);
            states[n] = state;
        }
        ck_assert_int_eq(states[0], GOSSIP_ALIVE);
    }
    ml_members_check(&lone->ml->members);
    lone_free(lone);
}
END_TEST

START_TEST(configs_are_checked)
{
    struct lone *lone = lone_new();
    struct gossip_memberlist *ml;
    struct gossip_memberlist_config good = lone->config, bad;
    struct base_addr wildcard;
    char long_text[300];

    base_addr_parse(&wildcard, "[::]:7946", 0);
    memset(long_text, 'x', 299);
    long_text[299] = '\0';
#define REFUSED(field, value, error)                                         \
    do {                                                                     \
        bad = good;                                                          \
        bad.field = value;                                                   \
        ck_assert_int_eq(gossip_memberlist_new(lone->env, &bad, &ml),        \
                         error);                                             \
    } while (0)
    REFUSED(name, "", GOSSIP_ENAME);
    REFUSED(name, NULL, GOSSIP_ENAME);
    REFUSED(name, long_text, GOSSIP_ENAME);
    REFUSED(name, "a\nb", GOSSIP_ENAME);
    REFUSED(meta_len, 513, GOSSIP_EMETA);
    REFUSED(label, long_text, GOSSIP_EINVAL);
    REFUSED(protocol_cur, 6, GOSSIP_EVERSION);
    REFUSED(delegate_vsn[2], 1, GOSSIP_EVERSION);
    REFUSED(advertise.port, 0, GOSSIP_EINVAL);
    REFUSED(advertise.family, 0, GOSSIP_EINVAL);
    REFUSED(advertise, wildcard, GOSSIP_EINVAL);
#undef REFUSED
    lone_free(lone);
}
END_TEST

Suite *merge_suite(void)
{
    Suite *suite = suite_create("memberlist-rules");
    TCase *tcase = tcase_create("rules");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, alive_beats_nothing_at_equal_incarnation);
    tcase_add_test(tcase, old_claims_are_ignored);
    tcase_add_test(tcase, who_says_it_of_himself_has_left);
    tcase_add_loop_test(tcase, stronger_accusations_raise_the_incarnation, 0,
                        2);
    tcase_add_loop_test(tcase, accusations_are_refuted, 0, 2);
    tcase_add_test(tcase, refutation_never_wraps);
    tcase_add_test(tcase, false_words_about_us_are_refuted);
    tcase_add_test(tcase, a_leaving_node_does_not_argue);
    tcase_add_test(tcase, other_addresses_are_conflicts);
    tcase_add_test(tcase, stale_alives_get_the_accusation_again);
    tcase_add_test(tcase, news_replaces_queued_news);
    tcase_add_test(tcase, confirmations_are_passed_on_once);
    tcase_add_test(tcase, bad_facts_are_not_believed);
    tcase_add_test(tcase, port_zero_means_our_own);
    tcase_add_loop_test(tcase, random_claims_keep_the_invariants, 0, 5);
    tcase_add_test(tcase, configs_are_checked);
    suite_add_tcase(suite, tcase);
    return suite;
}
