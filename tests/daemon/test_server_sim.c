/*
 * What users of a server are promised, on whole servers in virtual time: reads
 * that wait, writes while leaders die, what a crash may take and what not.
 */
#include <stdio.h>
#include <string.h>

#include "base/pb.h"
#include "server/internal.h"
#include "sim_ask.h"
#include "suite.h"

#define HOLD_MS 7000u

static struct federation *whole(uint64_t seed, size_t first, size_t second)
{
    struct federation *f = federation_new(seed);

    base_sim_set_digest(federation_world(f), false);
    federation_add(f, "dc1", first);
    if (second > 0)
        federation_add(f, "dc2", second);
    federation_start(f);
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    return f;
}

/* It leads, and has applied what was committed before. */
static bool has_leader(void *arg)
{
    struct sim_server *leader = federation_leader(arg, "dc1");

    return leader != NULL && sim_server_server(leader)->leader.active;
}

/* A server of dc1 that does not lead. */
static struct sim_server *follower(struct federation *f)
{
    struct sim_server *leader = federation_leader(f, "dc1");
    size_t i;

    for (i = 1; i <= 3; i++)
        if (federation_server(f, "dc1", i) != leader)
            return federation_server(f, "dc1", i);
    return NULL;
}

static void crash_others(struct federation *f, const char *dc,
                         const struct sim_server *but)
{
    size_t i;

    for (i = 1; i <= 3; i++)
        if (federation_server(f, dc, i) != but)
            sim_server_crash(federation_server(f, dc, i));
}

START_TEST(a_waiting_read_wakes_across_datacenters)
{
    struct federation *f = whole(1, 1, 1);
    struct sim_server *far = federation_server(f, "dc2", 1);
    Server__Query query = SERVER__QUERY__INIT;
    struct asked now, later, write;

    query.datacenter = (char *)"dc1";
    ask_read(f, far, "Catalog.Nodes", &query, &now);
    ck_assert(ask_wait(&now, 5000));
    ck_assert_int_eq(now.status, 0);
    query.min_index = now.index;
    query.max_wait_ms = 50000;
    ask_read(f, far, "Catalog.Nodes", &query, &later);
    ck_assert(!ask_wait(&later, 10000));
    ask_register(f, federation_server(f, "dc1", 1), "new", &write);
    ck_assert(ask_wait(&later, 200));
    ck_assert_int_eq(later.status, 0);
    ck_assert_uint_gt(later.index, now.index);
    ck_assert_uint_eq(later.reply->n_nodes, now.reply->n_nodes + 1);
    ask_clear(&now);
    ask_clear(&later);
    federation_free(f);
}
END_TEST

START_TEST(a_waiting_read_ends_with_its_time)
{
    struct federation *f = whole(2, 1, 0);
    Server__Query query = SERVER__QUERY__INIT;
    struct asked now, later;

    ask_read(f, federation_server(f, "dc1", 1), "FederationState.List", &query,
             &now);
    ck_assert(ask_wait(&now, 1000));
    query.min_index = now.index;
    query.max_wait_ms = 4000;
    ask_read(f, federation_server(f, "dc1", 1), "FederationState.List", &query,
             &later);
    ck_assert(ask_wait(&later, 6000));
    ck_assert_uint_ge(later.after_ms, 4000);
    ck_assert_uint_le(later.after_ms, 4000 + 4000 / 16 + 4000 / 16 + 1);
    ck_assert_uint_eq(later.index, now.index);
    ask_clear(&now);
    ask_clear(&later);
    federation_free(f);
}
END_TEST

/* F12: the primary's leader dies under an Apply. It is answered within the hold
 * time, and there is one record, or the refusal that says so. */
START_TEST(an_apply_outlives_the_leader)
{
    uint64_t seed;

    for (seed = 10; seed < 14; seed++) {
        struct federation *f = whole(seed, 3, 1);
        struct sim_server *leader = federation_leader(f, "dc1");
        const Fedstate__FederationState *state;
        struct asked apply;

        ask_apply(f, federation_server(f, "dc2", 1), "far", &apply);
        base_sim_run_for_ms(federation_world(f), 4 * (seed - 10));
        sim_server_crash(leader);
        ck_assert(ask_wait(&apply, HOLD_MS + 500));
        ck_assert_msg(apply.status == 0 || apply.status == FEDSTATE_ESTALE,
                      "seed %u: %d %s", (unsigned)seed, apply.status,
                      apply.text);
        ck_assert(federation_until(f, has_leader, f, 10000));
        leader = federation_leader(f, "dc1");
        state = fedstate_store_get(sim_server_server(leader)->fsm.store, "far");
        ck_assert_ptr_nonnull(state);
        ck_assert_uint_eq(state->create_index, state->modify_index);
        if (apply.status == 0)
            ck_assert_uint_eq(state->modify_index, apply.index);
        federation_free(f);
    }
}
END_TEST

struct known_node {
    struct sim_server *at;
    char name[64];
};

static const struct catalog_node *find_node(const struct known_node *node)
{
    return catalog_find(&sim_server_server(node->at)->fsm.catalog, node->name);
}

static bool is_critical(void *arg)
{
    const Fedstate__Check *health = catalog_check(find_node(arg), "serfHealth");

    return health && strcmp(health->status, "critical") == 0;
}

/* The leader writes of a member what gossip knows, and nothing away. */
START_TEST(a_death_leaves_what_a_node_said_of_itself)
{
    struct federation *f = whole(4, 3, 0);
    struct sim_server *dead = follower(f);
    struct known_node known = {federation_leader(f, "dc1"), ""};
    Fedstate__Pair rack = FEDSTATE__PAIR__INIT, wan = FEDSTATE__PAIR__INIT;
    Fedstate__Pair *meta[] = {&rack}, *tagged[] = {&wan};
    Server__Register change = SERVER__REGISTER__INIT;
    Server__Write write = SERVER__WRITE__INIT;
    Fedstate__Node node;
    struct asked asked;

    strcpy(known.name, sim_server_server(dead)->config.node);
    node = *find_node(&known)->node;
    rack.key = (char *)"rack";
    rack.value = (char *)"r1";
    wan.key = (char *)"wan";
    wan.value = (char *)"203.0.113.7";
    node.meta = meta;
    node.tagged_addresses = tagged;
    node.n_meta = node.n_tagged_addresses = 1;
    change.node = &node;
    write.register_ = &change;
    ask_at(f, server_rpc(sim_server_server(known.at)), "Catalog.Register",
           &write, false, &asked);
    ck_assert(ask_wait(&asked, 1000));
    ck_assert_int_eq(asked.status, 0);
    sim_server_crash(dead);
    ck_assert(federation_until(f, is_critical, &known, 60000));
    node = *find_node(&known)->node;
    ck_assert_uint_eq(node.n_meta, 1);
    ck_assert_str_eq(node.meta[0]->value, "r1");
    ck_assert_str_eq(node.tagged_addresses[0]->value, "203.0.113.7");
    ask_clear(&asked);
    federation_free(f);
}
END_TEST

START_TEST(reads_in_three_modes)
{
    struct federation *f = whole(3, 3, 0);
    struct sim_server *asked = follower(f);
    Server__Query query = SERVER__QUERY__INIT;
    Server__Query__Mode mode;
    struct asked read;

    for (mode = SERVER__QUERY__MODE__DEFAULT;
         mode <= SERVER__QUERY__MODE__CONSISTENT; mode++) {
        query.mode = mode;
        ask_read(f, asked, "Catalog.Nodes", &query, &read);
        ck_assert(ask_wait(&read, 1000));
        ck_assert_int_eq(read.status, 0);
        ck_assert(read.reply->known_leader);
        ck_assert_uint_ge(read.reply->n_nodes, 3);
        ask_clear(&read);
    }
    /* Without a quorum stale reads alone are answered, and say so. */
    crash_others(f, "dc1", asked);
    base_sim_run_for_ms(federation_world(f), 20000);
    query.mode = SERVER__QUERY__MODE__STALE;
    ask_read(f, asked, "Catalog.Nodes", &query, &read);
    ck_assert(ask_wait(&read, 1000));
    ck_assert_int_eq(read.status, 0);
    ck_assert(!read.reply->known_leader);
    ck_assert_uint_ge(read.reply->last_contact_ms, 15000);
    ask_clear(&read);
    for (mode = SERVER__QUERY__MODE__DEFAULT;
         mode <= SERVER__QUERY__MODE__CONSISTENT; mode += 2) {
        query.mode = mode;
        ask_read(f, asked, "Catalog.Nodes", &query, &read);
        ck_assert(ask_wait(&read, HOLD_MS + 1000));
        ck_assert_int_eq(read.status, RPC_ENOLEADER);
        ck_assert_str_eq(read.text, "No cluster leader");
    }
    federation_free(f);
}
END_TEST

START_TEST(a_write_without_a_leader_says_so)
{
    struct federation *f = whole(4, 3, 0);
    struct sim_server *asked = follower(f);
    struct asked write;

    crash_others(f, "dc1", asked);
    base_sim_run_for_ms(federation_world(f), 5000);
    ask_register(f, asked, "new", &write);
    ck_assert(ask_wait(&write, HOLD_MS + 1000));
    ck_assert_uint_ge(write.after_ms, HOLD_MS - 1000);
    ck_assert_int_eq(write.status, RPC_ENOLEADER);
    ck_assert_str_eq(write.text, "No cluster leader");
    federation_free(f);
}
END_TEST

START_TEST(an_unknown_datacenter_has_no_path)
{
    struct federation *f = whole(5, 1, 0);
    Server__Query query = SERVER__QUERY__INIT;
    struct asked read;

    query.datacenter = (char *)"nowhere";
    ask_read(f, federation_server(f, "dc1", 1), "Catalog.Nodes", &query, &read);
    ck_assert(ask_wait(&read, 100));
    ck_assert_int_eq(read.status, RPC_ENODC);
    ck_assert_str_eq(read.text, "No path to datacenter");
    federation_free(f);
}
END_TEST

/* Readers that rely on the leader are told when it no longer is one. */
static void lost_lead(Server__Query__Mode mode, bool told)
{
    struct federation *f = whole(6, 3, 0);
    struct sim_server *leader = federation_leader(f, "dc1");
    Server__Query query = SERVER__QUERY__INIT;
    struct asked read;

    query.mode = mode;
    query.min_index = 1000000;
    query.max_wait_ms = 30000;
    ask_read(f, leader, "Catalog.Nodes", &query, &read);
    base_sim_run_for_ms(federation_world(f), 100);
    sim_server_cut(leader, true);
    if (told) {
        ck_assert(ask_wait(&read, 10000));
        ck_assert_int_eq(read.status, RPC_ENOLEADER);
    } else {
        ck_assert(ask_wait(&read, 40000));
        ck_assert_int_eq(read.status, 0);
        ck_assert_uint_ge(read.after_ms, 30000);
    }
    ask_clear(&read);
    federation_free(f);
}

START_TEST(a_lost_lead_ends_default_reads)
{
    lost_lead(SERVER__QUERY__MODE__DEFAULT, true);
}
END_TEST
START_TEST(a_lost_lead_ends_consistent_reads)
{
    lost_lead(SERVER__QUERY__MODE__CONSISTENT, true);
}
END_TEST
START_TEST(a_lost_lead_leaves_stale_reads)
{
    lost_lead(SERVER__QUERY__MODE__STALE, false);
}
END_TEST

/* What waits for Raft must not be touched after it is freed. */
START_TEST(a_server_ends_while_reads_and_writes_wait)
{
    struct federation *f = whole(7, 3, 3);
    struct sim_server *leader = federation_leader(f, "dc1");
    struct sim_server *far = federation_leader(f, "dc2");
    Server__Query query = SERVER__QUERY__INIT;
    struct asked read, write, apply;

    /* The secondary's leader has something to replicate and nobody to commit
     * it with; the primary's has nobody to confirm its lead. */
    crash_others(f, "dc2", far);
    ask_apply(f, leader, "far", &apply);
    ck_assert(ask_wait(&apply, 1000));
    base_sim_run_for_ms(federation_world(f), 300);
    crash_others(f, "dc1", leader);
    query.mode = SERVER__QUERY__MODE__CONSISTENT;
    ask_read(f, leader, "Catalog.Nodes", &query, &read);
    ask_register(f, leader, "new", &write);
    base_sim_run_for_ms(federation_world(f), 50);
    ck_assert(!read.done && !write.done);
    sim_server_crash(far);
    sim_server_crash(leader);
    federation_free(f);
}
END_TEST

/* Power fails in the whole primary, at any moment: what was acknowledged is
 * there when it comes back. */
START_TEST(nothing_acknowledged_is_lost)
{
    struct federation *f = whole(8, 3, 1);
    static struct asked applies[60];
    struct base_sim *world = federation_world(f);
    const struct fedstate_store *store;
    unsigned i, acknowledged = 0;
    char dc[16];

    for (i = 0; i < 60; i++) {
        snprintf(dc, sizeof(dc), "x%u", i);
        ask_apply(f, federation_server(f, "dc2", 1), dc, &applies[i]);
        base_sim_run_for_ms(world, 1);
    }
    for (i = 1; i <= 3; i++)
        sim_server_crash(federation_server(f, "dc1", i));
    for (i = 0; i < 60; i++)
        acknowledged += applies[i].done && applies[i].status == 0;
    ck_assert_uint_ge(acknowledged, 5);
    ck_assert_uint_le(acknowledged, 59);
    base_sim_run_for_ms(world, 2000);
    for (i = 1; i <= 3; i++)
        sim_server_boot(federation_server(f, "dc1", i));
    base_sim_run_for_ms(world, 10000);
    ck_assert(federation_until(f, has_leader, f, 20000));
    store = sim_server_server(federation_leader(f, "dc1"))->fsm.store;
    for (i = 0; i < 60; i++) {
        const Fedstate__FederationState *state;

        ck_assert(applies[i].done);
        if (applies[i].status != 0)
            continue;
        snprintf(dc, sizeof(dc), "x%u", i);
        state = fedstate_store_get(store, dc);
        ck_assert_msg(state != NULL, "%s is lost", dc);
        ck_assert_uint_eq(state->modify_index, applies[i].index);
    }
    federation_free(f);
}
END_TEST

Suite *server_sim_suite(void)
{
    Suite *suite = suite_create("servers");
    TCase *tcase = tcase_create("servers");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_waiting_read_wakes_across_datacenters);
    tcase_add_test(tcase, a_waiting_read_ends_with_its_time);
    tcase_add_test(tcase, an_apply_outlives_the_leader);
    tcase_add_test(tcase, a_death_leaves_what_a_node_said_of_itself);
    tcase_add_test(tcase, reads_in_three_modes);
    tcase_add_test(tcase, a_write_without_a_leader_says_so);
    tcase_add_test(tcase, an_unknown_datacenter_has_no_path);
    tcase_add_test(tcase, a_lost_lead_ends_default_reads);
    tcase_add_test(tcase, a_lost_lead_ends_consistent_reads);
    tcase_add_test(tcase, a_lost_lead_leaves_stale_reads);
    tcase_add_test(tcase, a_server_ends_while_reads_and_writes_wait);
    tcase_add_test(tcase, nothing_acknowledged_is_lost);
    suite_add_tcase(suite, tcase);
    return suite;
}
