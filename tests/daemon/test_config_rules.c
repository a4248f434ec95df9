/* The rules between keys: each broken once, each error naming its key. */
#include <string.h>

#include "agent/config.h"
#include "agent/config_names.h"
#include "base/alloc.h"
#include "base/error.h"
#include "suite.h"

#define TLS                                                                    \
    "\"ca_file\": \"c\", \"cert_file\": \"d\", \"key_file\": \"e\","           \
    "\"verify_incoming\": true, \"verify_outgoing\": true"
#define FED                                                                    \
    "\"server\": true, " TLS ", \"connect\":"                                  \
    "{\"enable_mesh_gateway_wan_federation\": true}"
#define BASE                                                                   \
    "\"node_name\": \"n1\", \"data_dir\": \"/tmp/x\","                         \
    "\"bind_addr\": \"127.0.0.1\""

/* The rest of an object whose beginning is BASE, and what the refusal has in
 * it; NULL: it is accepted. */
static const struct {
    const char *rest, *has, *has_too;
} cases[] = {
    {"", NULL, NULL},
    {"," FED, NULL, NULL},
    {"," FED ",\"datacenter\":\"dc2\",\"primary_datacenter\":\"dc1\","
     "\"primary_gateways\":[\"127.1.0.9:8443\", \"gw.example.com\"]",
     NULL, NULL},
    /* names */
    {",\"datacenter\":\"dc.1\"", "datacenter (from t)", "dot"},
    {",\"datacenter\":\"\"", "datacenter", "must not be empty"},
    {",\"datacenter\":\"DC_1\"", NULL, NULL},
    {"," FED ",\"datacenter\":\"DC1\"", "datacenter", "a-z, 0-9"},
    {"," FED ",\"primary_datacenter\":\"d_1\"", "primary_datacenter",
     "a-z, 0-9"},
    {",\"domain\":\"consul.\"", "domain (from t)", "end with a dot"},
    {",\"domain\":\"a..b\"", "domain", "labels"},
    {",\"domain\":\"my.zone\"", NULL, NULL},
    {",\"node_id\":\"7\"", "node_id", "not a UUID"},
    {",\"node_id\":\"00000000-0000-4000-8000-00000000000a\"", NULL, NULL},
    /* bootstrap */
    {",\"bootstrap_expect\":3", "bootstrap_expect", "server mode"},
    {",\"bootstrap\":true", "bootstrap (from t)", "server mode"},
    {",\"server\":true,\"bootstrap\":true,\"bootstrap_expect\":3",
     "bootstrap (from t)", "excludes bootstrap_expect 3"},
    {",\"server\":true,\"bootstrap_expect\":1", NULL, NULL},
    /* addresses */
    {",\"advertise_addr\":\"0.0.0.0\"", "advertise_addr", "zeroes"},
    {",\"advertise_addr_wan\":\"::\"", "advertise_addr_wan", "zeroes"},
    {",\"ports\":{\"serf_wan\":8301}", "ports.serf_wan", "port 8301"},
    {",\"ports\":{\"http\":8300}", "ports.http", "ports.server"},
    {",\"ports\":{\"http\":8300},\"client_addr\":\"127.0.0.2\"", NULL, NULL},
    {",\"ports\":{\"http\":-1}", NULL, NULL},
    {",\"retry_join\":[\"a:b\"]", "retry_join (from t)", "\"a:b\""},
    {",\"start_join\":[\"\"]", "start_join", "not an address"},
    {",\"server\":true,\"retry_join_wan\":[\"n.dc1/10.0.0.1:8302\"]", NULL,
     NULL},
    {",\"retry_join_wan\":[\"n.dc1/10.0.0.1:8302\"]", "retry_join_wan (from t)",
     "server mode"},
    {",\"start_join_wan\":[\"10.0.0.1\"]", "start_join_wan (from t)",
     "server mode"},
    /* keys */
    {",\"encrypt\":\"short\"", "encrypt (from t)", "base64"},
    {",\"encrypt\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"", NULL,
     NULL},
    {",\"cert_file\":\"a\"", "cert_file (from t)", "needs key_file"},
    {",\"key_file\":\"a\"", "key_file (from t)", "needs cert_file"},
    {",\"verify_incoming\":true", "verify_incoming", "needs ca_file"},
    {",\"verify_incoming\":true,\"ca_file\":\"a\",\"server\":true",
     "verify_incoming", "needs cert_file"},
    {",\"verify_outgoing\":true", "verify_outgoing", "needs ca_file"},
    {",\"verify_outgoing\":true,\"ca_file\":\"a\"", "verify_outgoing",
     "needs cert_file and key_file"},
    {",\"verify_server_hostname\":true", "verify_server_hostname",
     "needs ca_file"},
    /* federation */
    {"," TLS ",\"connect\":{\"enable_mesh_gateway_wan_federation\":true}",
     "connect.enable_mesh_gateway_wan_federation (from t)", "server mode"},
    {",\"server\":true,\"connect\":"
     "{\"enable_mesh_gateway_wan_federation\":true}",
     "connect.enable_mesh_gateway_wan_federation", "set ca_file"},
    {",\"server\":true,\"ca_file\":\"c\",\"cert_file\":\"d\","
     "\"key_file\":\"e\",\"verify_incoming\":true,\"connect\":"
     "{\"enable_mesh_gateway_wan_federation\":true}",
     "connect.enable_mesh_gateway_wan_federation", "set verify_outgoing"},
    {"," FED ",\"start_join_wan\":[\"a\"]", "start_join_wan (from t)",
     "excludes connect.enable_mesh_gateway_wan_federation"},
    {"," FED ",\"retry_join_wan\":[\"a\"]", "retry_join_wan (from t)",
     "excludes connect.enable_mesh_gateway_wan_federation"},
    {",\"primary_gateways\":[\"a\"]", "primary_gateways (from t)",
     "server mode"},
    {",\"server\":true,\"primary_gateways\":[\"a\"]", "primary_gateways",
     "needs connect.enable_mesh_gateway_wan_federation"},
    {"," FED ",\"primary_gateways\":[\"a\"]", "primary_gateways",
     "\"dc1\" is the primary itself"},
    {"," FED ",\"primary_datacenter\":\"dc1\",\"datacenter\":\"dc2\","
     "\"primary_gateways\":[\"a b:c:d/\"]",
     "primary_gateways", "not an address"},
};

static int check(struct config *config, const char *rest, char **why)
{
    char *text = base_asprintf("{" BASE "%s}", rest);
    int rv = config_load_text(config, "t", text, strlen(text), why);

    base_free(text);
    ck_assert_msg(rv == 0, "%s", *why);
    rv = config_complete(config, why);
    ck_assert_msg(rv == 0, "%s", *why);
    return config_check(config, why);
}

START_TEST(each_rule_holds)
{
    struct config config;
    char *why = NULL;
    int rv;

    config_init(&config);
    rv = check(&config, cases[_i].rest, &why);
    if (cases[_i].has == NULL)
        ck_assert_msg(rv == 0, "%s", why);
    else
        ck_assert_msg(rv == BASE_EINVAL && strstr(why, cases[_i].has) &&
                          strstr(why, cases[_i].has_too),
                      "%d \"%s\"", rv, why);
    base_free(why);
    config_close(&config);
}
END_TEST

START_TEST(a_node_name_with_a_dot_is_refused_by_its_flag)
{
    struct config config;
    char *argv[] = {"agent", "-node=web.1", "-data-dir=/tmp/x",
                    "-bind=127.0.0.1"};
    char *why = NULL;

    config_init(&config);
    ck_assert_int_eq(config_apply_flags(&config, 4, argv, &why), 0);
    ck_assert_int_eq(config_complete(&config, &why), 0);
    ck_assert_int_eq(config_check(&config, &why), BASE_EINVAL);
    ck_assert_str_eq(why, "-node: \"web.1\" must not contain a dot");
    base_free(why);
    config_close(&config);
}
END_TEST

START_TEST(a_data_folder_is_needed)
{
    struct config config;
    char *argv[] = {"agent", "-bind=127.0.0.1"};
    char *why = NULL;

    config_init(&config);
    ck_assert_int_eq(config_apply_flags(&config, 2, argv, &why), 0);
    ck_assert_int_eq(config_complete(&config, &why), 0);
    ck_assert_int_eq(config_check(&config, &why), BASE_EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "data_dir"));
    base_free(why);
    config_close(&config);
}
END_TEST

START_TEST(a_gossip_key_stays_out_of_the_message)
{
    struct config config;
    char *why = NULL;

    config_init(&config);
    ck_assert_int_eq(check(&config, ",\"encrypt\":\"c2VjcmV0\"", &why),
                     BASE_EINVAL);
    ck_assert_ptr_null(strstr(why, "c2VjcmV0"));
    base_free(why);
    config_close(&config);
}
END_TEST

START_TEST(a_first_start_needs_primary_gateways)
{
    struct config config;
    char *why = NULL;

    config_init(&config);
    ck_assert_int_eq(check(&config,
                           "," FED ",\"datacenter\":\"dc2\","
                           "\"primary_datacenter\":\"dc1\"",
                           &why),
                     0);
    ck_assert(config_is_secondary(&config));
    ck_assert_int_eq(config_check_first_start(&config, &why), BASE_EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "primary_gateways"));
    base_free(why);
    why = NULL;
    ck_assert_int_eq(check(&config, ",\"primary_gateways\":[\"g\"]", &why), 0);
    ck_assert_int_eq(config_check_first_start(&config, &why), 0);
    config_close(&config);
}
END_TEST

START_TEST(the_longest_names_fit)
{
    char label[65];

    memset(label, 'a', 64);
    label[64] = '\0';
    ck_assert_ptr_nonnull(config_label_fault(label, true));
    label[63] = '\0';
    ck_assert_ptr_null(config_label_fault(label, true));
    ck_assert_ptr_nonnull(config_label_fault("-a", false));
    ck_assert_ptr_nonnull(config_label_fault("a-", false));
    ck_assert_ptr_nonnull(config_label_fault("a b", false));
    ck_assert_ptr_nonnull(config_label_fault("A", true));
    ck_assert_ptr_nonnull(config_label_fault(NULL, true));
}
END_TEST

START_TEST(a_server_name_over_the_limit_is_refused)
{
    struct config config;
    char *rest;
    char *why = NULL;
    char label[64];

    memset(label, 'a', 63);
    label[63] = '\0';
    rest = base_asprintf(",\"datacenter\":\"%s\",\"domain\":\"%s.%s.%s\"",
                         label, label, label, label);
    config_init(&config);
    ck_assert_int_eq(check(&config, rest, &why), BASE_EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "253"));
    base_free(rest);
    base_free(why);
    config_close(&config);
}
END_TEST

Suite *config_rules_suite(void);
Suite *config_rules_suite(void)
{
    Suite *suite = suite_create("config rules");
    TCase *tcase = tcase_create("rules");

    tcase_add_loop_test(tcase, each_rule_holds, 0, (int)BASE_COUNT_OF(cases));
    tcase_add_test(tcase, a_node_name_with_a_dot_is_refused_by_its_flag);
    tcase_add_test(tcase, a_data_folder_is_needed);
    tcase_add_test(tcase, a_gossip_key_stays_out_of_the_message);
    tcase_add_test(tcase, a_first_start_needs_primary_gateways);
    tcase_add_test(tcase, the_longest_names_fit);
    tcase_add_test(tcase, a_server_name_over_the_limit_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
