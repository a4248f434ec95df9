/* From the API's JSON to addresses: who counts, and by which address. */
#include <string.h>

#include "base/alloc.h"
#include "gateway/catalog_json.h"
#include "gateway_world.h"
#include "suite.h"

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &error);

    ck_assert_msg(json != NULL, "%d: %s", error.line, error.text);
    return json;
}

#define SERVER(node, rest)                                                     \
    "{\"Node\":{\"Node\":\"" node "\",\"Address\":\"10.0.0.1\"}," rest "}"
#define SERVICE "\"Service\":{\"ID\":\"consul\",\"Port\":8300}"
#define CHECKS(status) "\"Checks\":[{\"Status\":\"" status "\"}]"

/* want: NULL if it is left out. */
static const struct {
    const char *json;
    const char *want;
} servers[] = {
    {SERVER("s1", SERVICE), "10.0.0.1:8300"},
    {SERVER("s1", SERVICE "," CHECKS("passing")), "10.0.0.1:8300"},
    {SERVER("s1", SERVICE "," CHECKS("warning")), "10.0.0.1:8300"},
    {SERVER("s1", SERVICE "," CHECKS("critical")), NULL},
    {SERVER("s1", "\"Service\":{\"Address\":\"10.0.0.7\",\"Port\":1}"),
     "10.0.0.7:1"},
    {SERVER("s1", "\"Service\":{\"Port\":0}"), NULL},
    {SERVER("s1", "\"Service\":{\"Port\":-1}"), NULL},
    {SERVER("s1", "\"Service\":{\"Port\":70000}"), NULL},
    {SERVER("s1", "\"Service\":{\"Port\":\"8300\"}"), NULL},
    {SERVER("s1", "\"Service\":null"), NULL},
    {"{\"Node\":{\"Node\":\"s1\",\"Address\":\"host\"}," SERVICE "}", NULL},
    {"{}", NULL},
    {"null", NULL},
    {"[]", NULL},
    {"\"text\"", NULL},
};

START_TEST(servers_without_a_critical_check_count)
{
    char *text = base_asprintf("[%s]", servers[_i].json);
    json_t *body = parse(text);
    size_t count;
    struct routes_server *list = catalog_json_servers(body, &count);
    char addr[BASE_ADDR_TEXT_MAX];

    ck_assert_uint_eq(count, servers[_i].want != NULL);
    if (count > 0) {
        ck_assert_str_eq(list[0].node, "s1");
        ck_assert_str_eq(base_addr_format(&list[0].addr, addr),
                         servers[_i].want);
    }
    base_free(list);
    json_decref(body);
    base_free(text);
}
END_TEST

#define NODE                                                                   \
    "\"Node\":{\"Node\":\"n\",\"Address\":\"10.0.0.9\",\"TaggedAddresses\":"   \
    "{\"lan\":\"10.0.0.9\",\"wan\":\"192.0.2.9\"}}"
#define META "\"Meta\":{\"other\":\"x\",\"consul-wan-federation\":\"1\"}"
#define KIND "\"Kind\":\"mesh-gateway\",\"ID\":\"g\",\"Service\":\"g\""

static const struct {
    const char *json;
    const char *want;
} gateways[] = {
    /* The WAN address: service wan, service, node wan, node. */
    {"{" NODE ",\"Service\":{" KIND "," META ",\"Address\":\"10.0.0.8\","
     "\"Port\":8443,\"TaggedAddresses\":{\"lan\":{\"Address\":\"10.0.0.8\","
     "\"Port\":8443},\"wan\":{\"Address\":\"192.0.2.8\",\"Port\":443}}}"
     "," CHECKS("passing") "}",
     "192.0.2.8:443"},
    {"{" NODE ",\"Service\":{" KIND "," META ",\"Address\":\"10.0.0.8\","
     "\"Port\":8443}}",
     "10.0.0.8:8443"},
    {"{" NODE ",\"Service\":{" KIND "," META ",\"Address\":\"\","
     "\"Port\":8443}}",
     "192.0.2.9:8443"},
    {"{" NODE ",\"Service\":{" KIND "," META
     ",\"Port\":8443}," CHECKS("critical") "}",
     NULL},
    {"{" NODE ",\"Service\":{" KIND ",\"Port\":8443}}", NULL},
    {"{" NODE ",\"Service\":{" KIND ",\"Port\":8443,\"Meta\":"
     "{\"consul-wan-federation\":\"0\"}}}",
     NULL},
    {"{" NODE ",\"Service\":{" KIND ",\"Port\":8443,\"Meta\":"
     "{\"consul-wan-federation\":1}}}",
     NULL},
    {"{}", NULL},
    {"7", NULL},
};

START_TEST(usable_gateways_count_by_their_wan_address)
{
    char *text = base_asprintf("{\"dc2\":[%s]}", gateways[_i].json);
    json_t *body = parse(text);
    size_t count;
    struct routes_site *sites = catalog_json_sites(body, &count);
    char addr[BASE_ADDR_TEXT_MAX];

    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(sites[0].datacenter, "dc2");
    ck_assert_uint_eq(sites[0].gateway_count, gateways[_i].want != NULL);
    if (sites[0].gateway_count > 0)
        ck_assert_str_eq(base_addr_format(&sites[0].gateways[0], addr),
                         gateways[_i].want);
    catalog_json_sites_free(sites, count);
    json_decref(body);
    base_free(text);
}
END_TEST

START_TEST(answers_of_another_shape_are_empty)
{
    static const char *const texts[] = {"{}", "[]", "null", "1", "{\"a\":1}"};
    size_t i, count;

    for (i = 0; i < BASE_COUNT_OF(texts); i++) {
        json_t *body = parse(texts[i]);
        struct routes_server *list = catalog_json_servers(body, &count);
        struct routes_site *sites;

        ck_assert_uint_eq(count, 0);
        base_free(list);
        sites = catalog_json_sites(body, &count);
        ck_assert(count == 0 || sites[0].gateway_count == 0);
        catalog_json_sites_free(sites, count);
        json_decref(body);
    }
}
END_TEST

START_TEST(too_many_checks_are_not_trusted)
{
    json_t *entry = parse(SERVER("s1", SERVICE));
    json_t *checks = json_array();
    json_t *body = json_pack("[O]", entry);
    size_t count;
    int i;

    for (i = 0; i < 100; i++)
        json_array_append_new(checks, json_pack("{s:s}", "Status", "passing"));
    json_object_set_new(entry, "Checks", checks);
    base_free(catalog_json_servers(body, &count));
    ck_assert_uint_eq(count, 0);
    json_decref(body);
    json_decref(entry);
}
END_TEST

Suite *gateway_catalog_suite(void)
{
    Suite *suite = suite_create("gateway_catalog");
    TCase *tcase = tcase_create("catalog");

    tcase_add_loop_test(tcase, servers_without_a_critical_check_count, 0,
                        (int)BASE_COUNT_OF(servers));
    tcase_add_loop_test(tcase, usable_gateways_count_by_their_wan_address, 0,
                        (int)BASE_COUNT_OF(gateways));
    tcase_add_test(tcase, answers_of_another_shape_are_empty);
    tcase_add_test(tcase, too_many_checks_are_not_trusted);
    suite_add_tcase(suite, tcase);
    return suite;
}
