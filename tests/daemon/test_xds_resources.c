/*
 * A route table as Envoy's resources, and what Envoy begins with. That Envoy
 * takes them is for the interop tests to see.
 */
#include "xds/resources.h"

#include <string.h>

#include "base/alloc.h"
#include "suite.h"
#include "xds/bootstrap.h"

static struct base_addr at(const char *text)
{
    struct base_addr addr;

    ck_assert_int_eq(base_addr_parse(&addr, text, 0), 0);
    return addr;
}

static struct routes *table(bool exposes, const char *gateway)
{
    struct routes_server server = {"A1", at("10.0.0.1:8300")};
    struct base_addr gateways[] = {at(gateway)};
    struct routes_site site = {"dc2", gateways, 1};
    struct routes_input input = {.datacenter = "dc1",
                                 .domain = "consul",
                                 .expose_servers = exposes,
                                 .servers = &server,
                                 .server_count = 1,
                                 .sites = &site,
                                 .site_count = 1};

    return routes_new(&input);
}

static json_t *find(const struct xds_resources *resources, const char *name)
{
    const struct xds_resource *one = xds_resources_find(resources, name);
    json_t *json;

    ck_assert_msg(one != NULL, "%s", name);
    json = json_loads(one->text, 0, NULL);
    ck_assert_ptr_nonnull(json);
    return json;
}

/* The address that a cluster dials from; "" if any. */
static const char *source_of(const json_t *cluster)
{
    const char *text = json_string_value(json_object_get(
        json_object_get(json_object_get(cluster, "upstream_bind_config"),
                        "source_address"),
        "address"));

    return text ? text : "";
}

static void expect_source(const struct xds_input *input, const char *name,
                          const char *source)
{
    struct xds_resources clusters = xds_resources_make(XDS_CLUSTERS, input);
    json_t *cluster = find(&clusters, name);

    ck_assert_str_eq(source_of(cluster), source);
    json_decref(cluster);
    xds_resources_close(&clusters);
}

START_TEST(a_row_is_a_chain_and_rows_share_clusters)
{
    struct routes *routes = table(true, "203.0.113.7:8443");
    struct xds_input input = {routes, {at("10.0.0.9:8443")}};
    struct xds_resources all[XDS_TYPES];
    size_t type;

    for (type = 0; type < XDS_TYPES; type++)
        all[type] = xds_resources_make((enum xds_type)type, &input);
    ck_assert_uint_eq(all[XDS_CLUSTERS].count, 3);
    ck_assert_str_eq(all[XDS_CLUSTERS].items[0].name, "a1.server.dc1.consul");
    ck_assert_uint_eq(all[XDS_ENDPOINTS].count, 3);
    ck_assert_ptr_nonnull(strstr(
        xds_resources_find(&all[XDS_ENDPOINTS], "server.dc2.consul")->text,
        "203.0.113.7"));
    ck_assert_ptr_null(
        xds_resources_find(&all[XDS_ENDPOINTS], "*.server.dc2.consul"));
    ck_assert_uint_eq(all[XDS_LISTENERS].count, 1);
    ck_assert_ptr_nonnull(strstr(all[XDS_LISTENERS].items[0].text,
                                 "\"server_names\":[\"*.server.dc2.consul\"]"));
    ck_assert_ptr_null(strstr(all[XDS_LISTENERS].items[0].text,
                              "\"cluster\":\"*"));
    for (type = 0; type < XDS_TYPES; type++)
        xds_resources_close(&all[type]);
    routes_free(routes);
}
END_TEST

START_TEST(each_side_dials_from_its_address)
{
    struct routes *routes = table(true, "203.0.113.7:8443");
    struct xds_input input = {routes, {at("10.0.0.9:8443"), at("192.0.2.9:1")}};

    expect_source(&input, "server.dc1.consul", "10.0.0.9");
    expect_source(&input, "server.dc2.consul", "192.0.2.9");
    input.listen[1].family = 0;
    expect_source(&input, "server.dc2.consul", "10.0.0.9");
    routes_free(routes);
    /* Not where the target is of another family. */
    input.routes = routes = table(true, "[2001:db8::1]:8443");
    expect_source(&input, "server.dc2.consul", "");
    routes_free(routes);
}
END_TEST

START_TEST(without_a_row_nothing_is_passed_on)
{
    struct routes *routes = table(false, "203.0.113.7:8443");
    struct xds_input input = {routes, {at("10.0.0.9:8443"), at("192.0.2.9:1")}};
    struct xds_resources listeners = xds_resources_make(XDS_LISTENERS, &input);
    struct xds_resources clusters = xds_resources_make(XDS_CLUSTERS, &input);

    ck_assert_uint_eq(clusters.count, 0);
    ck_assert_uint_eq(listeners.count, 2);
    ck_assert_ptr_nonnull(strstr(listeners.items[1].text, "\"filters\":[]"));
    xds_resources_close(&listeners);
    xds_resources_close(&clusters);
    routes_free(routes);
}
END_TEST

START_TEST(a_bootstrap_says_who_and_where)
{
    struct https_config https = {.ca_file = "/ca.pem",
                                 .cert_file = "/cert.pem",
                                 .key_file = "/key.pem",
                                 .server_name = "10.0.0.1"};
    struct xds_bootstrap input = {.service_id = "gw-2",
                                  .service = "mesh-gateway",
                                  .token = "",
                                  .bind = {at("10.0.0.9:8443")},
                                  .agent = at("10.0.0.1:8501")};
    json_t *json = xds_bootstrap_json(&input);
    char *text = json_dumps(json, JSON_COMPACT);

    ck_assert_ptr_nonnull(strstr(text, "\"id\":\"gw-2\""));
    ck_assert_ptr_nonnull(strstr(text, "\"bind\":[\"10.0.0.9:8443\"]"));
    ck_assert_ptr_null(strstr(text, "\"token\""));
    ck_assert_ptr_null(strstr(text, "\"admin\""));
    ck_assert_ptr_null(strstr(text, "transport_socket"));
    free(text);
    json_decref(json);
    input.https = &https;
    input.token = "secret";
    input.admin = at("127.0.0.1:9901");
    json = xds_bootstrap_json(&input);
    text = json_dumps(json, JSON_COMPACT);
    ck_assert_ptr_nonnull(strstr(text, "\"token\":\"secret\""));
    ck_assert_ptr_nonnull(strstr(text, "\"port_value\":9901"));
    ck_assert_ptr_nonnull(strstr(text, "\"san_type\":\"IP_ADDRESS\""));
    ck_assert_ptr_nonnull(strstr(text, "/key.pem"));
    free(text);
    json_decref(json);
}
END_TEST

Suite *xds_resources_suite(void)
{
    Suite *suite = suite_create("xds_resources");
    TCase *tcase = tcase_create("xds_resources");

    tcase_add_test(tcase, a_row_is_a_chain_and_rows_share_clusters);
    tcase_add_test(tcase, each_side_dials_from_its_address);
    tcase_add_test(tcase, without_a_row_nothing_is_passed_on);
    tcase_add_test(tcase, a_bootstrap_says_who_and_where);
    suite_add_tcase(suite, tcase);
    return suite;
}
