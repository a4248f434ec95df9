/* Tables of members and federation states, from the API's JSON. */
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/federation_view.h"
#include "cli/json_get.h"
#include "cli/members_view.h"
#include "cli/table.h"
#include "suite.h"

static char *text;
static size_t text_len;
static FILE *to;

static void setup(void)
{
    to = open_memstream(&text, &text_len);
}

static void teardown(void)
{
    fclose(to);
    free(text);
}

static json_t *parse(const char *json)
{
    json_error_t error;
    json_t *value = json_loads(json, 0, &error);

    ck_assert_msg(value != NULL, "%s", error.text);
    return value;
}

START_TEST(columns_are_as_wide_as_their_cells)
{
    static const char *const headings[] = {"A", "Long", "C"};
    struct table *table = table_new(headings, 3);

    table_add(table, (const char *const[]){"first", "x", "1"});
    table_add(table, (const char *const[]){"\303\244", "", NULL});
    table_print(table, to);
    table_free(table);
    fflush(to);
    ck_assert_str_eq(text, "A      Long  C\n"
                           "first  x     1\n"
                           "\303\244      -     -\n");
}
END_TEST

START_TEST(nothing_drives_the_terminal)
{
    static const char *const headings[] = {"A"};
    struct table *table = table_new(headings, 1);

    table_add(table, (const char *const[]){"a\033[2Jb\nc\x7f"});
    table_add(table, (const char *const[]){"\302\233x\302\251"});
    table_print(table, to);
    table_free(table);
    fflush(to);
    ck_assert_str_eq(text, "A\na?[2Jb?c?\n?\?x\302\251\n");
}
END_TEST

#define MEMBERS                                                                \
    "[{\"Name\":\"n2\",\"Addr\":\"127.1.0.2\",\"Port\":8301,\"Status\":4,"     \
    "\"Tags\":{\"build\":\"0.1.0\",\"dc\":\"dc1\",\"role\":\"isthmus\","       \
    "\"vsn\":\"2\"},\"ProtocolCur\":2},"                                       \
    "{\"Name\":\"n1\",\"Addr\":\"::1\",\"Port\":8301,\"Status\":1,"            \
    "\"Tags\":{},\"ProtocolCur\":4},"                                          \
    "{\"Name\":\"n3\",\"Addr\":\"127.1.0.3\",\"Port\":7,\"Status\":99}]"

START_TEST(members_are_sorted_and_typed)
{
    json_t *list = parse(MEMBERS);
    json_t *all = members_select(list, NULL);

    members_print(all, false, to);
    fflush(to);
    ck_assert_str_eq(
        text, "Node  Address         Status   Type    Build  Protocol  DC\n"
              "n1    [::1]:8301      alive    serf    -      4         -\n"
              "n2    127.1.0.2:8301  failed   server  0.1.0  2         dc1\n"
              "n3    127.1.0.3:7     unknown  serf    -      0         -\n");
    json_decref(all);
    json_decref(list);
}
END_TEST

START_TEST(members_are_chosen_by_status)
{
    json_t *list = parse(MEMBERS), *some;
    regex_t status;

    ck_assert_int_eq(regcomp(&status, "^(alive|left)$", REG_EXTENDED), 0);
    some = members_select(list, &status);
    ck_assert_uint_eq(json_array_size(some), 1);
    ck_assert_str_eq(json_get_text(json_array_get(some, 0), "Name"), "n1");
    regfree(&status);
    json_decref(some);
    json_decref(list);
}
END_TEST

START_TEST(details_are_tags)
{
    json_t *list = parse(MEMBERS);
    json_t *all = members_select(list, NULL);

    members_print(all, true, to);
    fflush(to);
    ck_assert_ptr_nonnull(strstr(text,
                                 "n2    127.1.0.2:8301  failed   "
                                 "build=0.1.0,dc=dc1,role=isthmus,vsn=2\n"));
    json_decref(all);
    json_decref(list);
}
END_TEST

#define GATEWAY(node, tagged, checks)                                          \
    "{\"Node\":{\"Node\":\"" node "\",\"Address\":\"10.0.0.1\","               \
    "\"TaggedAddresses\":{\"lan\":\"10.0.0.1\",\"wan\":\"192.0.2.9\"}},"       \
    "\"Service\":{\"ID\":\"gw\",\"Port\":8443,\"Address\":\"\","               \
    "\"TaggedAddresses\":" tagged ","                                          \
    "\"Meta\":{\"consul-wan-federation\":\"1\"}},\"Checks\":" checks "}"

#define TAGGED                                                                 \
    "{\"lan\":{\"Address\":\"10.0.0.9\",\"Port\":443},"                        \
    "\"wan\":{\"Address\":\"203.0.113.7\",\"Port\":8444}}"

#define MAP                                                                    \
    "{\"dc1\":[" GATEWAY(                                                      \
        "a", TAGGED,                                                           \
        "[{\"Status\":\"passing\"}]") "],"                                     \
                                      "\"dc2\":[" GATEWAY(                     \
                                          "b", "{}",                           \
                                          "[{\"Status\":\"critical\"}]") "]}"

START_TEST(gateways_show_both_addresses_and_their_health)
{
    json_t *map = parse(MAP);

    federation_print_gateways(map, to);
    fflush(to);
    ck_assert_str_eq(
        text,
        "Datacenter  Node  Gateway  LAN            WAN               Status    "
        "Federation\n"
        "dc1         a     gw       10.0.0.9:443   203.0.113.7:8444  passing   "
        "yes\n"
        "dc2         b     gw       10.0.0.1:8443  192.0.2.9:8443    critical  "
        "yes\n");
    json_decref(map);
}
END_TEST

#define STATE                                                                  \
    "{\"Datacenter\":\"dc2\",\"UpdatedAt\":\"2026-11-22T18:00:00Z\","          \
    "\"PrimaryModifyIndex\":31,\"CreateIndex\":7,\"ModifyIndex\":40,"          \
    "\"MeshGateways\":[" GATEWAY("a", TAGGED, "[]") "," GATEWAY(               \
        "b", TAGGED, "[{\"Status\":\"critical\"}]") "]}"

START_TEST(states_are_one_row_each)
{
    json_t *states = parse("[" STATE "]");

    federation_print_states(states, to);
    fflush(to);
    ck_assert_str_eq(
        text,
        "Datacenter  Gateways  Healthy  Updated               Index  Created  "
        "PrimaryIndex\n"
        "dc2         2         1        2026-11-22T18:00:00Z  40     7        "
        "31\n");
    json_decref(states);
}
END_TEST

START_TEST(one_state_shows_its_gateways)
{
    json_t *state = parse(STATE);

    federation_print_state(state, to);
    fflush(to);
    ck_assert_ptr_nonnull(strstr(text, "\n\nDatacenter  Node"));
    ck_assert_ptr_nonnull(strstr(text, "critical"));
    json_decref(state);
}
END_TEST

START_TEST(answers_of_another_shape_print_nothing_wrong)
{
    static const char *const odd[] = {"[]",
                                      "{}",
                                      "[1,null,\"x\"]",
                                      "{\"dc1\":5}",
                                      "{\"dc1\":[[]]}",
                                      "[{\"MeshGateways\":{}}]"};
    json_t *value = parse(odd[_i]);

    federation_print_states(value, to);
    federation_print_state(value, to);
    federation_print_gateways(value, to);
    members_print(value, true, to);
    members_print(value, false, to);
    json_decref(value);
}
END_TEST

Suite *views_suite(void);
Suite *views_suite(void)
{
    Suite *suite = suite_create("views");
    TCase *tcase = tcase_create("views");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, columns_are_as_wide_as_their_cells);
    tcase_add_test(tcase, nothing_drives_the_terminal);
    tcase_add_test(tcase, members_are_sorted_and_typed);
    tcase_add_test(tcase, members_are_chosen_by_status);
    tcase_add_test(tcase, details_are_tags);
    tcase_add_test(tcase, gateways_show_both_addresses_and_their_health);
    tcase_add_test(tcase, states_are_one_row_each);
    tcase_add_test(tcase, one_state_shows_its_gateways);
    tcase_add_loop_test(tcase, answers_of_another_shape_print_nothing_wrong, 0,
                        6);
    suite_add_tcase(suite, tcase);
    return suite;
}
