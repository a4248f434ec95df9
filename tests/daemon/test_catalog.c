/*
 * The catalog: what moves its index and what does not, what it refuses, and
 * what a gateway's readers are shown.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "base/sim.h"
#include "fedstate/model.h"
#include "server/catalog.h"
#include "suite.h"

static struct base_sim *sim;
static struct catalog catalog;

static void setup(void)
{
    struct base_addr addr;

    sim = base_sim_new(1);
    base_addr_parse_ip(&addr, "10.0.0.1");
    catalog_init(&catalog,
                 base_sim_host_env(base_sim_host_new(sim, "host", &addr, 1),
                                   "main"));
}

static void teardown(void)
{
    catalog_close(&catalog);
    base_sim_free(sim);
}

/* One record that tests bend: a node with a service and its check. */
struct record {
    Server__Register say;
    Fedstate__Node node;
    Fedstate__Service service;
    Fedstate__Service *services[1];
    Fedstate__Check check;
    Fedstate__Check *checks[1];
};

static void record_init(struct record *record)
{
    server__register__init(&record->say);
    fedstate__node__init(&record->node);
    fedstate__service__init(&record->service);
    fedstate__check__init(&record->check);
    record->node.node = (char *)"n1";
    record->node.address = (char *)"10.0.0.1";
    record->service.id = (char *)"web1";
    record->service.service = (char *)"web";
    record->service.port = 80;
    record->check.check_id = (char *)"web-alive";
    record->check.service_id = (char *)"web1";
    record->check.status = (char *)"passing";
    record->services[0] = &record->service;
    record->checks[0] = &record->check;
    record->say.node = &record->node;
    record->say.services = record->services;
    record->say.n_services = 1;
    record->say.checks = record->checks;
    record->say.n_checks = 1;
}

static int deregister(uint64_t index, const char *node, const char *service,
                      const char *check)
{
    Server__Deregister say = SERVER__DEREGISTER__INIT;

    say.node = (char *)node;
    say.service_id = (char *)service;
    say.check_id = (char *)check;
    return catalog_deregister(&catalog, index, &say);
}

START_TEST(equal_records_move_no_index)
{
    struct record record;
    const struct catalog_node *node;

    record_init(&record);
    ck_assert_int_eq(catalog_register(&catalog, 5, &record.say), 0);
    ck_assert_uint_eq(catalog.index, 5);
    ck_assert_int_eq(catalog_register(&catalog, 6, &record.say), 0);
    ck_assert_uint_eq(catalog.index, 5);
    record.service.port = 81;
    ck_assert_int_eq(catalog_register(&catalog, 7, &record.say), 0);
    ck_assert_uint_eq(catalog.index, 7);
    node = catalog_find(&catalog, "n1");
    ck_assert_uint_eq(node->node->modify_index, 5);
    ck_assert_uint_eq(catalog_service(node, "web1")->create_index, 5);
    ck_assert_uint_eq(catalog_service(node, "web1")->modify_index, 7);
    ck_assert_uint_eq(catalog_check(node, "web-alive")->modify_index, 5);
}
END_TEST

START_TEST(a_registration_adds_and_keeps_the_rest)
{
    struct record record;

    record_init(&record);
    catalog_register(&catalog, 1, &record.say);
    record.service.id = (char *)"web2";
    record.say.n_checks = 0;
    record.node.address = (char *)""; /* a service alone */
    ck_assert_int_eq(catalog_register(&catalog, 2, &record.say), 0);
    ck_assert_uint_eq(catalog.nodes[0]->service_count, 2);
    ck_assert_uint_eq(catalog.nodes[0]->check_count, 1);
    ck_assert_str_eq(catalog.nodes[0]->node->address, "10.0.0.1");
}
END_TEST

START_TEST(nameless_records_are_refused)
{
    struct record record;

    record_init(&record);
    record.say.node = NULL;
    ck_assert_int_eq(catalog_register(&catalog, 1, &record.say), BASE_EINVAL);
    record_init(&record);
    record.node.node = (char *)"";
    ck_assert_int_eq(catalog_register(&catalog, 1, &record.say), BASE_EINVAL);
    record_init(&record);
    record.service.id = (char *)"";
    ck_assert_int_eq(catalog_register(&catalog, 1, &record.say), BASE_EINVAL);
    record_init(&record);
    record.service.service = (char *)"";
    ck_assert_int_eq(catalog_register(&catalog, 1, &record.say), BASE_EINVAL);
    record_init(&record);
    record.check.check_id = (char *)"";
    ck_assert_int_eq(catalog_register(&catalog, 1, &record.say), BASE_EINVAL);
    ck_assert_uint_eq(catalog.node_count, 0);
    ck_assert_uint_eq(catalog.index, 0);
}
END_TEST

START_TEST(a_node_has_a_bounded_number_of_services)
{
    struct record record;
    char id[16];
    unsigned i;

    record_init(&record);
    record.service.id = id;
    record.say.n_checks = 0;
    for (i = 0; i < CATALOG_SERVICES_PER_NODE_MAX; i++) {
        snprintf(id, sizeof(id), "s%u", i);
        ck_assert_int_eq(catalog_register(&catalog, i + 1, &record.say), 0);
    }
    snprintf(id, sizeof(id), "more");
    ck_assert_int_eq(catalog_register(&catalog, i + 1, &record.say),
                     BASE_EFULL);
    /* What is there may still change. */
    snprintf(id, sizeof(id), "s7");
    record.service.port = 1;
    ck_assert_int_eq(catalog_register(&catalog, i + 2, &record.say), 0);
}
END_TEST

START_TEST(nodes_are_bounded)
{
    Server__Register say = SERVER__REGISTER__INIT;
    Fedstate__Node node = FEDSTATE__NODE__INIT;
    char name[16];
    unsigned i;

    say.node = &node;
    node.node = name;
    for (i = 0; i < CATALOG_NODES_MAX; i++) {
        snprintf(name, sizeof(name), "%08u", i);
        ck_assert_int_eq(catalog_register(&catalog, i + 1, &say), 0);
    }
    snprintf(name, sizeof(name), "more");
    ck_assert_int_eq(catalog_register(&catalog, i + 1, &say), BASE_EFULL);
    ck_assert_uint_eq(catalog.index, i);
}
END_TEST

START_TEST(deregistering_moves_the_index_once)
{
    struct record record;

    record_init(&record);
    catalog_register(&catalog, 1, &record.say);
    ck_assert_int_eq(deregister(2, "n1", "other", ""), 0);
    ck_assert_int_eq(deregister(2, "n1", "", "other"), 0);
    ck_assert_int_eq(deregister(2, "n2", "", ""), 0);
    ck_assert_uint_eq(catalog.index, 1);
    ck_assert_int_eq(deregister(3, "n1", "web1", ""), 0);
    ck_assert_uint_eq(catalog.index, 3);
    /* Its check went with it. */
    ck_assert_uint_eq(catalog.nodes[0]->check_count, 0);
    catalog_register(&catalog, 4, &record.say);
    ck_assert_int_eq(deregister(5, "n1", "", "web-alive"), 0);
    ck_assert_uint_eq(catalog.index, 5);
    ck_assert_uint_eq(catalog.nodes[0]->service_count, 1);
    ck_assert_int_eq(deregister(6, "n1", "", ""), 0);
    ck_assert_uint_eq(catalog.index, 6);
    ck_assert_uint_eq(catalog.node_count, 0);
}
END_TEST

START_TEST(only_gateways_move_the_gateway_index)
{
    struct record record;

    record_init(&record);
    catalog_register(&catalog, 1, &record.say);
    ck_assert_uint_eq(catalog.gateway_index, 0);
    record.service.kind = (char *)FEDSTATE_KIND_GATEWAY;
    catalog_register(&catalog, 2, &record.say);
    ck_assert_uint_eq(catalog.gateway_index, 2);
    deregister(3, "n1", "web1", "");
    ck_assert_uint_eq(catalog.gateway_index, 3);
}
END_TEST

START_TEST(an_instance_bears_its_own_checks_and_the_nodes)
{
    struct record record;
    Fedstate__CheckServiceNode **gateways;
    size_t count;

    record_init(&record);
    record.service.kind = (char *)FEDSTATE_KIND_GATEWAY;
    catalog_register(&catalog, 1, &record.say);
    record.say.n_services = 0;
    record.check.check_id = (char *)"node-alive";
    record.check.service_id = (char *)"";
    catalog_register(&catalog, 2, &record.say);
    record.check.check_id = (char *)"of-another";
    record.check.service_id = (char *)"web9";
    catalog_register(&catalog, 3, &record.say);
    gateways = catalog_gateways(&catalog, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(gateways[0]->n_checks, 2);
    ck_assert_str_eq(gateways[0]->checks[0]->check_id, "node-alive");
    ck_assert_str_eq(gateways[0]->checks[1]->check_id, "web-alive");
    base_pb_free(gateways[0]);
    base_free(gateways);
}
END_TEST

START_TEST(a_restored_record_keeps_its_indexes)
{
    struct record record;
    const struct catalog_node *node;

    record_init(&record);
    record.node.create_index = 3;
    record.node.modify_index = 4;
    record.service.create_index = 5;
    record.service.modify_index = 6;
    record.check.create_index = 7;
    record.check.modify_index = 8;
    ck_assert_int_eq(catalog_restore(&catalog, &record.say), 0);
    node = catalog_find(&catalog, "n1");
    ck_assert_uint_eq(node->node->create_index, 3);
    ck_assert_uint_eq(node->node->modify_index, 4);
    ck_assert_uint_eq(catalog_service(node, "web1")->create_index, 5);
    ck_assert_uint_eq(catalog_service(node, "web1")->modify_index, 6);
    ck_assert_uint_eq(catalog_check(node, "web-alive")->create_index, 7);
    ck_assert_uint_eq(catalog_check(node, "web-alive")->modify_index, 8);
    record.node.node = (char *)"";
    ck_assert_int_eq(catalog_restore(&catalog, &record.say), BASE_EINVAL);
}
END_TEST

Suite *catalog_suite(void)
{
    Suite *suite = suite_create("catalog");
    TCase *tcase = tcase_create("catalog");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, equal_records_move_no_index);
    tcase_add_test(tcase, a_registration_adds_and_keeps_the_rest);
    tcase_add_test(tcase, nameless_records_are_refused);
    tcase_add_test(tcase, a_node_has_a_bounded_number_of_services);
    tcase_add_test(tcase, nodes_are_bounded);
    tcase_add_test(tcase, deregistering_moves_the_index_once);
    tcase_add_test(tcase, only_gateways_move_the_gateway_index);
    tcase_add_test(tcase, an_instance_bears_its_own_checks_and_the_nodes);
    tcase_add_test(tcase, a_restored_record_keeps_its_indexes);
    suite_add_tcase(suite, tcase);
    return suite;
}
