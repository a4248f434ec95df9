/* Who may do what, and what the configuration says of it. */
#include <string.h>

#include "acl/acl.h"
#include "agent/config.h"
#include "base/alloc.h"
#include "suite.h"

static struct config config;
static struct acl *acl;
static char *why;

static void setup(void)
{
    config_init(&config);
    config.data_dir = base_strdup("/nowhere");
    config.node_name = base_strdup("a");
    config.primary_datacenter = base_strdup("dc1");
    base_addr_parse_ip(&config.advertise_addr, "127.0.0.1");
    config.advertise_addr_wan = config.advertise_addr;
    why = NULL;
    acl = NULL;
}

static void teardown(void)
{
    acl_free(acl);
    config_close(&config);
    base_free(why);
}

static int load(const char *text)
{
    return config_load_text(&config, "a.json", text, strlen(text), &why);
}

/* Loads rules that are sound. */
static void rules(const char *text)
{
    ck_assert_msg(load(text) == 0, "%s", why);
    ck_assert_msg(config_check(&config, &why) == 0, "%s", why);
    acl = config_acl(&config);
}

START_TEST(off_is_everything_for_everybody)
{
    rules("{\"acl\": {\"default_policy\": \"deny\"}}");
    ck_assert_ptr_null(acl);
    ck_assert_int_eq(acl_ask(acl, "", ACL_OPERATOR, ACL_WRITE), ACL_ALLOWED);
    ck_assert_int_eq(acl_ask(acl, "guess", ACL_OPERATOR, ACL_WRITE),
                     ACL_ALLOWED);
}
END_TEST

START_TEST(a_token_may_what_its_grant_names)
{
    rules("{\"acl\": {\"enabled\": true, \"default_policy\": \"deny\","
          " \"grants\": [{\"secret_id\": \"look\", \"description\": \"d\","
          " \"node\": \"read\", \"service\": \"write\"}]}}");
    ck_assert_int_eq(acl_ask(acl, "look", ACL_NODE, ACL_READ), ACL_ALLOWED);
    ck_assert_int_eq(acl_ask(acl, "look", ACL_NODE, ACL_WRITE), ACL_REFUSED);
    ck_assert_int_eq(acl_ask(acl, "look", ACL_SERVICE, ACL_READ), ACL_ALLOWED);
    ck_assert_int_eq(acl_ask(acl, "look", ACL_SERVICE, ACL_WRITE), ACL_ALLOWED);
    ck_assert_int_eq(acl_ask(acl, "look", ACL_OPERATOR, ACL_READ), ACL_REFUSED);
    ck_assert_int_eq(acl_ask(acl, "look", ACL_PUBLIC, ACL_WRITE), ACL_ALLOWED);
}
END_TEST

START_TEST(no_token_gets_the_default_policy)
{
    rules("{\"acl\": {\"enabled\": true, \"grants\": [{\"secret_id\": \"x\","
          " \"operator\": \"deny\"}]}}");
    ck_assert_int_eq(acl_ask(acl, "", ACL_OPERATOR, ACL_WRITE), ACL_ALLOWED);
    ck_assert_int_eq(acl_ask(acl, "x", ACL_OPERATOR, ACL_READ), ACL_REFUSED);
    ck_assert_int_eq(acl_ask(acl, "x", ACL_NODE, ACL_WRITE), ACL_ALLOWED);
}
END_TEST

START_TEST(a_token_that_nobody_gave_is_unknown_even_where_all_is_allowed)
{
    rules("{\"acl\": {\"enabled\": true, \"default_policy\": \"allow\"}}");
    ck_assert_int_eq(acl_ask(acl, "guess", ACL_NODE, ACL_READ), ACL_UNKNOWN);
}
END_TEST

START_TEST(the_management_token_may_everything)
{
    int resource;

    rules("{\"acl\": {\"enabled\": true, \"default_policy\": \"deny\","
          " \"tokens\": {\"initial_management\": \"root\"}}}");
    for (resource = 0; resource < ACL_RESOURCE_COUNT; resource++)
        ck_assert_int_eq(acl_ask(acl, "root", (enum acl_resource)resource,
                                 ACL_WRITE),
                         ACL_ALLOWED);
    ck_assert_int_eq(acl_ask(acl, "roo", ACL_NODE, ACL_READ), ACL_UNKNOWN);
    ck_assert_int_eq(acl_ask(acl, "roots", ACL_NODE, ACL_READ), ACL_UNKNOWN);
}
END_TEST

START_TEST(words_say_what_is_needed)
{
    char text[ACL_WORDS_SIZE];

    acl_words(text, ACL_REFUSED, ACL_OPERATOR, ACL_WRITE);
    ck_assert_str_eq(text, "Permission denied: needs operator:write");
    acl_words(text, ACL_UNKNOWN, ACL_OPERATOR, ACL_WRITE);
    ck_assert_str_eq(text, "ACL not found");
}
END_TEST

static const struct {
    const char *text, *fault;
} broken[] = {
    {"{\"acl\": {\"grants\": {}}}",
     "acl.grants (from a.json): wanted a list of objects, found an object"},
    {"{\"acl\": {\"grants\": [1]}}",
     "acl.grants[0] (from a.json): wanted an object"},
    {"{\"acl\": {\"grants\": [{\"node\": \"read\"}]}}",
     "acl.grants[0].secret_id (from a.json): must be set"},
    {"{\"acl\": {\"grants\": [{\"secret_id\": \"a b\"}]}}",
     "acl.grants[0].secret_id (from a.json): wanted 1 to 1024 printable "
     "characters without spaces"},
    {"{\"acl\": {\"grants\": [{\"secret_id\": \"a\", \"node\": \"list\"}]}}",
     "acl.grants[0].node (from a.json): wanted \"read\", \"write\" or \"deny\""},
    {"{\"acl\": {\"grants\": [{\"secret_id\": \"a\", \"node\": 1}]}}",
     "acl.grants[0].node (from a.json): wanted a string"},
    {"{\"acl\": {\"grants\": [{\"secret_id\": \"a\", \"key\": \"read\"}]}}",
     "acl.grants[0].key (from a.json): unknown key: wanted secret_id, "
     "description, agent, event, node, operator or service"},
    {"{\"acl\": {\"default_policy\": \"maybe\"}}",
     "acl.default_policy (from a.json): wanted \"allow\" or \"deny\""},
    {"{\"acl\": {\"tokens\": {\"agent\": \"a b\"}}}",
     "acl.tokens.agent (from a.json): wanted 1 to 1024 printable characters "
     "without spaces"},
    {"{\"acl\": {\"tokens\": {\"initial_management\": \"one\"}, \"grants\":"
     " [{\"secret_id\": \"one\"}]}}",
     "acl.grants (from a.json): two tokens are the same"},
};

START_TEST(a_broken_rule_is_named_and_no_secret_with_it)
{
    int rv = load(broken[_i].text);

    if (rv == 0)
        rv = config_check(&config, &why);
    ck_assert_int_ne(rv, 0);
    ck_assert_str_eq(why, broken[_i].fault);
}
END_TEST

Suite *acl_suite(void)
{
    Suite *suite = suite_create("acl");
    TCase *tcase = tcase_create("acl");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, off_is_everything_for_everybody);
    tcase_add_test(tcase, a_token_may_what_its_grant_names);
    tcase_add_test(tcase, no_token_gets_the_default_policy);
    tcase_add_test(tcase,
                   a_token_that_nobody_gave_is_unknown_even_where_all_is_allowed);
    tcase_add_test(tcase, the_management_token_may_everything);
    tcase_add_test(tcase, words_say_what_is_needed);
    tcase_add_loop_test(tcase, a_broken_rule_is_named_and_no_secret_with_it, 0,
                        BASE_COUNT_OF(broken));
    suite_add_tcase(suite, tcase);
    return suite;
}
