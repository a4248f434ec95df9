/*
 * Clients in virtual time, beside whole servers: what they pass on and to whom,
 * and, over many seeds, that no death of a server under load costs a write that
 * was acknowledged.
 */
#include <stdio.h>
#include <string.h>

#include "client/client.h"
#include "client/passing.h"
#include "server/internal.h"
#include "sim/federation_internal.h"
#include "sim_ask.h"
#include "suite.h"

#define HOLD_MS 7000u

static struct federation *f;
static struct client *client;
static struct rpc_sim_secure *secure;
static struct base_sim_host *host;

static bool knows_all(void *arg)
{
    return client_server_count(client) == *(size_t *)arg;
}

static void start_client(void)
{
    static const char *const names[] = {"client.dc1.consul", NULL};
    struct rpc_sim_secure_config certificate = {.ca = "simulated CA",
                                                .names = names,
                                                .verify_incoming = true,
                                                .verify_outgoing = true};
    struct base_addr addr = sim_addr(1, 0, 99, 0);
    struct client_config config = {.node = "client1",
                                   .node_id = "client1-id",
                                   .datacenter = "dc1",
                                   .domain = SIM_DOMAIN,
                                   .build = "simulated",
                                   .bind_ip = addr,
                                   .advertise_ip = addr,
                                   .serf_lan_port = 8301,
                                   .lan_params = gossip_params_lan,
                                   .verify_server_hostname = true};
    const char *target = "dc1.lan";
    char *why = NULL;

    host = base_sim_host_new(federation_world(f), "client1.dc1", &addr, 1);
    sim_register_host(f, host, &f->dcs[0], NULL);
    config.main.env = base_sim_host_env(host, "main");
    config.main.net = base_sim_host_net(host, config.main.env);
    config.gossip.env = base_sim_host_env(host, "gossip");
    config.gossip.net = base_sim_host_net(host, config.gossip.env);
    ck_assert_int_eq(rpc_sim_secure_new(config.main.env, &certificate, &secure),
                     0);
    config.main.secure = rpc_sim_secure_table(secure);
    ck_assert_int_eq(client_new(&config, &client, &why), 0);
    pool_join(client_core(client).lan, &target, 1, NULL, NULL);
}

static void start(uint64_t seed, size_t first, size_t second)
{
    f = federation_new(seed);
    base_sim_set_digest(federation_world(f), false);
    federation_add(f, "dc1", first);
    if (second > 0)
        federation_add(f, "dc2", second);
    federation_start(f);
    ck_assert(federation_until(f, federation_is_whole, f, 60000));
    start_client();
    ck_assert(federation_until(f, knows_all, &first, 10000));
}

static void stop(void)
{
    base_sim_host_crash(host);
    client_free(client);
    rpc_sim_secure_free(secure);
    federation_free(f);
}

static void read_nodes(const char *dc, uint64_t min_index, struct asked *asked)
{
    Server__Query query = SERVER__QUERY__INIT;

    query.datacenter = (char *)dc;
    query.min_index = min_index;
    query.max_wait_ms = 50000;
    ask_at(f, client_core(client).rpc, "Catalog.Nodes", &query, true, asked);
}

static void write_node(const char *name, struct asked *asked)
{
    ask_register_at(f, client_core(client).rpc, name, asked);
}

static bool has_node(const struct asked *asked, const char *name)
{
    size_t i;

    for (i = 0; i < asked->reply->n_nodes; i++)
        if (strcmp(asked->reply->nodes[i]->node, name) == 0)
            return true;
    return false;
}

START_TEST(a_client_is_in_the_catalog_and_reads_and_writes_it)
{
    struct asked asked;

    start(1, 3, 0);
    base_sim_run_for_ms(federation_world(f), 2000);
    write_node("printer", &asked);
    ck_assert(ask_wait(&asked, 2000));
    ck_assert_int_eq(asked.status, 0);
    read_nodes("", 0, &asked);
    ck_assert(ask_wait(&asked, 2000));
    ck_assert_int_eq(asked.status, 0);
    ck_assert(has_node(&asked, "client1"));
    ck_assert(has_node(&asked, "printer"));
    ask_clear(&asked);
    stop();
}
END_TEST

START_TEST(a_client_reads_other_datacenters)
{
    struct asked asked;

    start(2, 1, 1);
    read_nodes("dc2", 0, &asked);
    ck_assert(ask_wait(&asked, 2000));
    ck_assert_int_eq(asked.status, 0);
    ck_assert(has_node(&asked, "server1"));
    ask_clear(&asked);
    ck_assert_uint_eq(federation_violations(f), 0);
    stop();
}
END_TEST

/* Whichever server has the query, it moves on when that dies; three deaths of
 * one server each try all of them. */
START_TEST(a_waiting_read_moves_to_another_server)
{
    struct asked now, later, write;
    size_t dead;

    start(3, 3, 0);
    base_sim_run_for_ms(federation_world(f), 3000);
    for (dead = 1; dead <= 3; dead++) {
        char name[16];

        read_nodes("", 0, &now);
        ck_assert(ask_wait(&now, 9000));
        ck_assert_int_eq(now.status, 0);
        read_nodes("", now.index, &later);
        ck_assert(!ask_wait(&later, 500));
        sim_server_crash(federation_server(f, "dc1", dead));
        base_sim_run_for_ms(federation_world(f), 9000);
        snprintf(name, sizeof(name), "new%zu", dead);
        write_node(name, &write);
        ck_assert(ask_wait(&write, HOLD_MS + 2000));
        ck_assert_int_eq(write.status, 0);
        ck_assert(ask_wait(&later, 1000));
        ck_assert_msg(later.status == 0, "%d %s", later.status, later.text);
        ck_assert_uint_gt(later.index, now.index);
        ask_clear(&now);
        ask_clear(&later);
        sim_server_boot(federation_server(f, "dc1", dead));
        base_sim_run_for_ms(federation_world(f), 20000);
    }
    stop();
}
END_TEST

START_TEST(without_servers_a_call_is_held_and_refused)
{
    struct asked asked;
    size_t none = 0, one = 1;

    start(4, 1, 0);
    sim_server_crash(federation_server(f, "dc1", 1));
    ck_assert(federation_until(f, knows_all, &none, 60000));
    read_nodes("", 0, &asked);
    ck_assert(ask_wait(&asked, HOLD_MS + 1000));
    ck_assert_uint_ge(asked.after_ms, HOLD_MS);
    ck_assert_int_eq(asked.status, RPC_ENOLEADER);
    ck_assert_str_eq(asked.text, PASSING_NO_SERVERS);
    sim_server_boot(federation_server(f, "dc1", 1));
    ck_assert(federation_until(f, knows_all, &one, 120000));
    write_node("late", &asked);
    ck_assert(ask_wait(&asked, HOLD_MS));
    ck_assert_int_eq(asked.status, 0);
    stop();
}
END_TEST

START_TEST(a_client_says_that_there_is_no_leader)
{
    struct asked asked;

    start(5, 3, 0);
    sim_server_crash(federation_server(f, "dc1", 1));
    sim_server_crash(federation_server(f, "dc1", 2));
    base_sim_run_for_ms(federation_world(f), 20000);
    write_node("nobody", &asked);
    ck_assert(ask_wait(&asked, 2 * HOLD_MS));
    ck_assert_int_eq(asked.status, RPC_ENOLEADER);
    ck_assert_str_eq(asked.text, "No cluster leader");
    stop();
}
END_TEST

START_TEST(an_ending_client_ends_what_waits)
{
    struct asked asked;

    start(6, 1, 0);
    read_nodes("", 100000, &asked);
    base_sim_run_for_ms(federation_world(f), 500);
    ck_assert(!asked.done);
    stop();
}
END_TEST

/* ---- servers die under load ------------------------------------------------ */

#define SEEDS 24
#define WRITERS 6u
#define STEPS 600u

struct writer {
    unsigned number, count;
    struct asked asked;
    char name[16];
};

static struct {
    char acknowledged[WRITERS * STEPS][16];
    size_t count, failed, reads;
} load;

/* What docs/http-api.md says may happen to a call while servers die. */
static bool is_documented(const struct asked *asked)
{
    return asked->status == RPC_ENOLEADER &&
           (strcmp(asked->text, "No cluster leader") == 0 ||
            strcmp(asked->text, PASSING_NO_SERVERS) == 0);
}

static void settle(struct writer *writer)
{
    if (writer->asked.status == 0) {
        strcpy(load.acknowledged[load.count++], writer->name);
        return;
    }
    load.failed++;
    ck_assert_msg(is_documented(&writer->asked), "%d %s",
                  writer->asked.status, writer->asked.text);
}

/* A consistent read sees what was acknowledged before it was asked. */
struct reader {
    bool asked_once;
    size_t known;
    struct asked asked;
};

static void settle_read(struct reader *reader)
{
    size_t i, from = reader->known > WRITERS ? reader->known - WRITERS : 0;

    if (reader->asked.status != 0) {
        load.failed++;
        ck_assert_msg(is_documented(&reader->asked), "%d %s",
                      reader->asked.status, reader->asked.text);
        return;
    }
    load.reads++;
    for (i = from; i < reader->known; i++)
        ck_assert_msg(has_node(&reader->asked, load.acknowledged[i]),
                      "%s was acknowledged and is not read",
                      load.acknowledged[i]);
    ask_clear(&reader->asked);
}

static void read_on(struct reader *reader)
{
    Server__Query query = SERVER__QUERY__INIT;

    if (reader->asked_once && !reader->asked.done)
        return;
    if (reader->asked_once)
        settle_read(reader);
    reader->asked_once = true;
    reader->known = load.count;
    query.datacenter = (char *)"";
    query.mode = SERVER__QUERY__MODE__CONSISTENT;
    ask_at(f, client_core(client).rpc, "Catalog.Nodes", &query, true,
           &reader->asked);
}

static void write_on(struct writer *writers)
{
    size_t i;

    for (i = 0; i < WRITERS; i++) {
        struct writer *writer = &writers[i];

        if (writer->count > 0 && !writer->asked.done)
            continue;
        if (writer->count > 0)
            settle(writer);
        snprintf(writer->name, sizeof(writer->name), "w%u-%u",
                 writer->number, writer->count++);
        write_node(writer->name, &writer->asked);
    }
}

struct callers {
    struct writer writers[WRITERS];
    struct reader reader;
};

static bool all_done(void *arg)
{
    struct callers *callers = arg;
    size_t i;

    for (i = 0; i < WRITERS; i++)
        if (!callers->writers[i].asked.done)
            return false;
    return callers->reader.asked.done;
}

START_TEST(no_acknowledged_write_is_lost_while_servers_die)
{
    struct callers callers;
    struct writer *writers = callers.writers;
    struct base_sim *world;
    struct asked all;
    unsigned step;
    size_t i, dead = 0;

    memset(&load, 0, sizeof(load));
    memset(&callers, 0, sizeof(callers));
    for (i = 0; i < WRITERS; i++)
        writers[i].number = (unsigned)i;
    start(100 + (uint64_t)_i, 3, 0);
    world = federation_world(f);
    for (step = 0; step < STEPS; step++) { /* a minute */
        write_on(writers);
        read_on(&callers.reader);
        base_sim_run_for_ms(world, 50 + base_sim_random_below(world, 100));
        if (dead == 0 && base_sim_random_below(world, 30) == 0) {
            dead = 1 + (size_t)base_sim_random_below(world, 3);
            sim_server_crash(federation_server(f, "dc1", dead));
        } else if (dead != 0 && base_sim_random_below(world, 30) == 0) {
            sim_server_boot(federation_server(f, "dc1", dead));
            dead = 0;
        }
    }
    if (dead != 0)
        sim_server_boot(federation_server(f, "dc1", dead));
    ck_assert(federation_until(f, all_done, &callers, 60000));
    for (i = 0; i < WRITERS; i++)
        settle(&writers[i]);
    settle_read(&callers.reader);
    base_sim_run_for_ms(world, 10000);
    read_nodes("", 0, &all);
    ck_assert(ask_wait(&all, 2 * HOLD_MS));
    ck_assert_int_eq(all.status, 0);
    for (i = 0; i < load.count; i++)
        ck_assert_msg(has_node(&all, load.acknowledged[i]), "%s is lost",
                      load.acknowledged[i]);
    ck_assert_uint_ge(load.count, 200);
    ck_assert_uint_ge(load.reads, 50);
    ck_assert_uint_le(load.failed * 10, load.count);
    if (getenv("VERBOSE"))
        fprintf(stderr, "acknowledged %zu, read %zu, failed %zu\n", load.count,
                load.reads, load.failed);
    ask_clear(&all);
    stop();
}
END_TEST

Suite *client_sim_suite(void)
{
    Suite *suite = suite_create("clients");
    TCase *tcase = tcase_create("clients");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_client_is_in_the_catalog_and_reads_and_writes_it);
    tcase_add_test(tcase, a_client_reads_other_datacenters);
    tcase_add_test(tcase, a_waiting_read_moves_to_another_server);
    tcase_add_test(tcase, without_servers_a_call_is_held_and_refused);
    tcase_add_test(tcase, a_client_says_that_there_is_no_leader);
    tcase_add_test(tcase, an_ending_client_ends_what_waits);
    tcase_add_loop_test(tcase, no_acknowledged_write_is_lost_while_servers_die,
                        0, SEEDS);
    suite_add_tcase(suite, tcase);
    return suite;
}
