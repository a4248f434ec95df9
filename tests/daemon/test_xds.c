/*
 * What an agent tells Envoy, in virtual time: when a question is answered, with
 * what, and what happens to one that was refused.
 */
#include "xds/xds.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "read_bed.h"
#include "suite.h"

#define SERVERS "Health.Service"
#define SITES "FederationState.ListMeshGateways"
#define HOLD_MS 25000u

struct question {
    struct xds_wait *wait;
    enum xds_type type;
    const char *name;   /* of an endpoint; NULL: all */
    char version[64];   /* asked with; the answer's, once there is one */
    unsigned told;
    enum xds_outcome outcome;
    int status;
    char *body;
};

static struct read_bed bed;
static struct cache *cache;
static struct local_state *local;
static struct xds *xds;

static void setup(void)
{
    struct cache_config cache_config = {0};
    Fedstate__Node node = FEDSTATE__NODE__INIT;
    struct local_state_config local_config = {.node = &node};
    struct xds_config config = {.datacenter = "dc1", .domain = "consul"};
    char *why = NULL;

    node.node = "n1";
    node.datacenter = "dc1";
    read_bed_open(&bed);
    cache_config.env = local_config.env = config.env = bed.env;
    cache_config.rpc = local_config.rpc = bed.rpc;
    cache = cache_new(&cache_config);
    ck_assert_int_eq(local_state_new(&local_config, &local, &why), 0);
    config.cache = cache;
    config.local = local;
    xds = xds_new(&config);
}

static void teardown(void)
{
    xds_free(xds);
    cache_free(cache);
    local_state_free(local);
    read_bed_close(&bed);
}

/* ---- the catalog ---------------------------------------------------------- */

static void register_gateway(bool exposes)
{
    Fedstate__Service service = FEDSTATE__SERVICE__INIT;
    Fedstate__Pair meta = FEDSTATE__PAIR__INIT, *metas[] = {&meta};

    service.kind = "mesh-gateway";
    service.id = "gw";
    service.service = "mesh-gateway";
    service.address = "10.0.0.9";
    service.port = 8443;
    meta.key = "consul-wan-federation";
    meta.value = exposes ? "1" : "";
    service.meta = metas;
    service.n_meta = 1;
    ck_assert_int_eq(local_state_register(local, &service, NULL, NULL, 0), 0);
}

/* count servers of dc1, s1 at 10.0.0.1 and so on. */
static void set_servers(unsigned count)
{
    Server__QueryReply reply = SERVER__QUERY_REPLY__INIT;
    static Fedstate__CheckServiceNode entries[8], *list[8];
    static Fedstate__Node nodes[8];
    static Fedstate__Service services[8];
    static char names[8][16], addresses[8][24];
    static uint64_t index = 10;
    unsigned i;

    for (i = 0; i < count; i++) {
        fedstate__check_service_node__init(&entries[i]);
        fedstate__node__init(&nodes[i]);
        fedstate__service__init(&services[i]);
        snprintf(names[i], sizeof(names[i]), "s%u", i + 1);
        snprintf(addresses[i], sizeof(addresses[i]), "10.0.0.%u", i + 1);
        nodes[i].node = names[i];
        nodes[i].address = addresses[i];
        services[i].port = 8300;
        entries[i].node = &nodes[i];
        entries[i].service = &services[i];
        list[i] = &entries[i];
    }
    reply.index = ++index;
    reply.instances = list;
    reply.n_instances = count;
    read_bed_set(&bed, SERVERS, &reply);
}

/* ---- questions ------------------------------------------------------------ */

static void on_answer(void *arg, const struct xds_answer *answer)
{
    struct question *question = arg;
    json_t *json;

    question->wait = NULL;
    question->told++;
    question->outcome = answer->outcome;
    question->status = answer->status;
    if (answer->outcome != XDS_RESOURCES)
        return;
    base_free(question->body);
    question->body = base_strndup(answer->body, answer->len);
    json = json_loads(question->body, 0, NULL);
    ck_assert_msg(json != NULL, "%s", question->body);
    ck_assert_str_eq(json_string_value(json_object_get(json, "type_url")),
                     xds_type_url(question->type));
    ck_assert_str_ne(json_string_value(json_object_get(json, "nonce")), "");
    snprintf(question->version, sizeof(question->version), "%s",
             json_string_value(json_object_get(json, "version_info")));
    json_decref(json);
}

static int try_ask(struct question *question)
{
    char *names[] = {(char *)(uintptr_t)question->name};
    struct xds_request request = {.type = question->type,
                                  .node_id = "gw",
                                  .token = "",
                                  .version = question->version,
                                  .names = names,
                                  .name_count = question->name != NULL};

    return xds_ask(xds, &request, on_answer, question, &question->wait);
}

/* Asks, and gives it a moment. */
static void ask(struct question *question)
{
    ck_assert_int_eq(try_ask(question), 0);
    read_bed_run_ms(&bed, 100);
}

/* Asks and is answered. */
static void take(struct question *question)
{
    unsigned before = question->told;

    ask(question);
    ck_assert_uint_eq(question->told, before + 1);
    ck_assert_int_eq(question->outcome, XDS_RESOURCES);
}

static void ask_again_with(struct question *question, const char *version)
{
    snprintf(question->version, sizeof(question->version), "%s", version);
    ask(question);
}

static void expect(const struct question *question, const char *part, bool in)
{
    ck_assert_msg((strstr(question->body, part) != NULL) == in, "%s in %s",
                  part, question->body);
}

static void end(struct question *question)
{
    xds_cancel(question->wait);
    base_free(question->body);
}

/* ---- what it is told ------------------------------------------------------ */

START_TEST(a_change_arrives_at_once)
{
    struct question clusters = {.type = XDS_CLUSTERS};
    struct question one = {.type = XDS_ENDPOINTS, .name = "server.dc1.consul"};
    struct question other = {.type = XDS_ENDPOINTS,
                             .name = "s1.server.dc1.consul"};

    register_gateway(true);
    set_servers(1);
    take(&clusters);
    take(&one);
    take(&other);
    expect(&one, "10.0.0.1", true);
    ask(&clusters);
    ask(&one);
    ask(&other);
    ck_assert_uint_eq(one.told, 1);
    set_servers(2);
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(clusters.told, 2);
    expect(&clusters, "s2.server.dc1.consul", true);
    ck_assert_uint_eq(one.told, 2);
    expect(&one, "10.0.0.2", true);
    ck_assert_uint_eq(other.told, 1); /* nothing of it has changed */
    read_bed_run_ms(&bed, HOLD_MS);
    ck_assert_uint_eq(other.told, 2);
    ck_assert_int_eq(other.outcome, XDS_UNCHANGED);
    end(&clusters);
    end(&one);
    end(&other);
}
END_TEST

START_TEST(listeners_wait_for_their_clusters)
{
    struct question clusters = {.type = XDS_CLUSTERS};
    struct question listeners = {.type = XDS_LISTENERS};

    register_gateway(true);
    set_servers(1);
    ask(&listeners);
    take(&clusters);
    read_bed_run_ms(&bed, 1000);
    ck_assert_uint_eq(listeners.told, 0);
    ask(&clusters); /* with the version that it was sent: it took it */
    ck_assert_uint_eq(listeners.told, 1);
    expect(&listeners, "s1.server.dc1.consul", true);
    expect(&listeners, "10.0.0.9", true);
    ask(&listeners);
    set_servers(2);
    read_bed_run_ms(&bed, 1000);
    ck_assert_uint_eq(clusters.told, 2);
    ck_assert_uint_eq(listeners.told, 1);
    ask(&clusters);
    ck_assert_uint_eq(listeners.told, 2);
    expect(&listeners, "s2.server.dc1.consul", true);
    end(&clusters);
    end(&listeners);
}
END_TEST

START_TEST(what_is_refused_is_held)
{
    struct question clusters = {.type = XDS_CLUSTERS};
    char first[64];

    register_gateway(true);
    set_servers(1);
    take(&clusters);
    snprintf(first, sizeof(first), "%s", clusters.version);
    ask(&clusters);
    set_servers(2);
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(clusters.told, 2);
    /* It has the first one still. */
    ask_again_with(&clusters, first);
    read_bed_run_ms(&bed, HOLD_MS - 1000);
    ck_assert_uint_eq(clusters.told, 2);
    ck_assert_uint_eq(base_counter_value(base_metrics_counter(
                          bed.env->metrics, "isthmus.xds.rejected", "type",
                          "clusters")),
                      1);
    /* It may not have arrived: offered again when the time is over. */
    read_bed_run_ms(&bed, 2000);
    ck_assert_uint_eq(clusters.told, 3);
    ck_assert_int_eq(clusters.outcome, XDS_RESOURCES);
    ask_again_with(&clusters, first);
    ck_assert_uint_eq(clusters.told, 3);
    /* And another one at once. */
    set_servers(3);
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(clusters.told, 4);
    expect(&clusters, "s3.server.dc1.consul", true);
    end(&clusters);
}
END_TEST

START_TEST(a_first_one_that_is_refused_makes_no_hot_loop)
{
    struct question clusters = {.type = XDS_CLUSTERS};

    register_gateway(true);
    set_servers(1);
    take(&clusters);
    ask_again_with(&clusters, "");
    read_bed_run_ms(&bed, HOLD_MS - 1000);
    ck_assert_uint_eq(clusters.told, 1);
    read_bed_run_ms(&bed, 2000);
    ck_assert_uint_eq(clusters.told, 2);
    end(&clusters);
}
END_TEST

START_TEST(one_that_begins_anew_is_told_all)
{
    struct question clusters = {.type = XDS_CLUSTERS};
    struct question listeners = {.type = XDS_LISTENERS};

    register_gateway(true);
    set_servers(1);
    take(&clusters);
    ask(&clusters);
    take(&listeners);
    ask(&listeners);
    xds_cancel(clusters.wait);
    xds_cancel(listeners.wait);
    ask_again_with(&clusters, ""); /* a new process */
    ck_assert_uint_eq(clusters.told, 2);
    ask_again_with(&listeners, "");
    ck_assert_uint_eq(listeners.told, 1);
    ask(&clusters);
    ck_assert_uint_eq(listeners.told, 2);
    end(&clusters);
    end(&listeners);
}
END_TEST

START_TEST(versions_outlive_the_agent)
{
    struct question clusters = {.type = XDS_CLUSTERS};
    struct question listeners = {.type = XDS_LISTENERS};

    register_gateway(true);
    set_servers(1);
    take(&clusters);
    ask(&clusters);
    take(&listeners);
    xds_cancel(clusters.wait);
    teardown();
    setup();
    register_gateway(true);
    set_servers(1);
    ask(&clusters);
    ask(&listeners);
    ck_assert_uint_eq(clusters.told, 1);
    ck_assert_uint_eq(listeners.told, 1);
    end(&clusters);
    end(&listeners);
}
END_TEST

/* ---- who it is ------------------------------------------------------------ */

START_TEST(an_unknown_gateway_is_told_so_slowly)
{
    struct question clusters = {.type = XDS_CLUSTERS};

    ask(&clusters);
    ck_assert_uint_eq(clusters.told, 0);
    read_bed_run_ms(&bed, 1000);
    ck_assert_uint_eq(clusters.told, 1);
    ck_assert_int_eq(clusters.outcome, XDS_UNKNOWN);
    ask(&clusters);
    set_servers(1);
    register_gateway(true);
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(clusters.told, 2);
    ck_assert_int_eq(clusters.outcome, XDS_RESOURCES);
    /* One that leaves keeps what it has. */
    ask(&clusters);
    ck_assert_int_eq(local_state_deregister(local, "gw"), 0);
    read_bed_run_ms(&bed, HOLD_MS + 1000);
    ck_assert_uint_eq(clusters.told, 3);
    ck_assert_int_eq(clusters.outcome, XDS_UNCHANGED);
    end(&clusters);
}
END_TEST

START_TEST(who_may_not_read_is_told_so)
{
    struct question clusters = {.type = XDS_CLUSTERS};

    read_bed_fail(&bed, SITES, RPC_EDENIED);
    register_gateway(true);
    set_servers(1);
    ask(&clusters);
    ck_assert_uint_eq(clusters.told, 0);
    read_bed_run_ms(&bed, 2000);
    ck_assert_uint_eq(clusters.told, 1);
    ck_assert_int_eq(clusters.outcome, XDS_FAILED);
    ck_assert_int_eq(clusters.status, RPC_EDENIED);
    end(&clusters);
}
END_TEST

START_TEST(the_meta_decides_live)
{
    struct question clusters = {.type = XDS_CLUSTERS};
    struct question listeners = {.type = XDS_LISTENERS};

    register_gateway(false);
    set_servers(1);
    take(&clusters);
    expect(&clusters, "server.dc1.consul", false);
    take(&listeners);
    expect(&listeners, "server.dc1.consul", false);
    ck_assert_uint_eq(read_bed_method(&bed, SERVERS)->asked, 0);
    ask(&clusters);
    ask(&listeners);
    register_gateway(true);
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(clusters.told, 2);
    expect(&clusters, "server.dc1.consul", true);
    ask(&clusters);
    ck_assert_uint_eq(listeners.told, 2);
    expect(&listeners, "server.dc1.consul", true);
    ask(&listeners);
    register_gateway(false);
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(clusters.told, 3);
    expect(&clusters, "server.dc1.consul", false);
    ck_assert_uint_eq(listeners.told, 3);
    expect(&listeners, "server.dc1.consul", false);
    end(&clusters);
    end(&listeners);
}
END_TEST

/* ---- bounds --------------------------------------------------------------- */

START_TEST(too_much_is_refused)
{
    struct question one = {.type = XDS_ENDPOINTS};
    static struct question many[XDS_SUBS_MAX];
    char name[32];
    size_t i;

    memset(one.version, 'v', sizeof(one.version) - 1);
    ck_assert_int_eq(try_ask(&one), 0);
    for (i = 0; i < XDS_SUBS_MAX - 1; i++) {
        snprintf(name, sizeof(name), "n%zu", i);
        many[i] = (struct question){.type = XDS_ENDPOINTS, .name = name};
        ck_assert_int_eq(try_ask(&many[i]), 0);
    }
    many[i] = (struct question){.type = XDS_ENDPOINTS, .name = "last"};
    ck_assert_int_eq(try_ask(&many[i]), BASE_EFULL);
    /* Forgotten, once nobody asks. */
    for (i = 0; i < XDS_SUBS_MAX - 1; i++)
        xds_cancel(many[i].wait);
    end(&one);
    read_bed_run_ms(&bed, XDS_FORGET_MS + 1000);
    ck_assert_int_eq(base_gauge_value(base_metrics_gauge(
                         bed.env->metrics, "isthmus.xds.nodes", NULL, NULL)),
                     0);
}
END_TEST

Suite *xds_suite(void)
{
    Suite *suite = suite_create("xds");
    TCase *tcase = tcase_create("xds");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_change_arrives_at_once);
    tcase_add_test(tcase, listeners_wait_for_their_clusters);
    tcase_add_test(tcase, what_is_refused_is_held);
    tcase_add_test(tcase, a_first_one_that_is_refused_makes_no_hot_loop);
    tcase_add_test(tcase, one_that_begins_anew_is_told_all);
    tcase_add_test(tcase, versions_outlive_the_agent);
    tcase_add_test(tcase, an_unknown_gateway_is_told_so_slowly);
    tcase_add_test(tcase, who_may_not_read_is_told_so);
    tcase_add_test(tcase, the_meta_decides_live);
    tcase_add_test(tcase, too_much_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
