/* What the tags of a member mean, whatever a stranger writes into them. */
#include <string.h>

#include "base/sim.h"
#include "server/member.h"
#include "suite.h"

/* A sound server of dc1; a test changes one tag. */
static struct gossip_tag tags[] = {
    {"dc", "dc1"},       {"expect", "3"}, {"fs", "1"},
    {"id", "id-1"},      {"port", "8300"}, {"role", "isthmus"},
    {"wan_join_port", "8302"},
};
#define TAGS (sizeof(tags) / sizeof(tags[0]))

static bool parse(const char *name, const char *key, const char *value,
                  struct member_server *out)
{
    struct gossip_tag changed[TAGS];
    struct gossip_member from = {.name = name,
                                 .status = GOSSIP_MEMBER_ALIVE,
                                 .tags = changed};
    struct member *member;
    size_t i;
    bool is_server;

    base_addr_parse_ip(&from.addr, "10.0.0.1");
    from.addr.port = 8301;
    for (i = 0; i < TAGS; i++) {
        if (key && strcmp(tags[i].key, key) == 0) {
            if (value == NULL)
                continue;
            changed[from.tag_count++] = (struct gossip_tag){key, value};
        } else {
            changed[from.tag_count++] = tags[i];
        }
    }
    member = member_copy(&from);
    /* A value of its own: what it came from may go. */
    memset(changed, 0, sizeof(changed));
    is_server = member_as_server(member, out);
    if (is_server) {
        /* The strings are the member's, which goes now. */
        ck_assert_str_ne(out->id, "");
        out->dc = out->id = NULL;
    }
    member_free(member);
    return is_server;
}

static bool is_server(const char *name, const char *key, const char *value)
{
    struct member_server as;

    return parse(name, key, value, &as);
}

START_TEST(a_server_is_known_by_its_tags)
{
    struct member_server as;

    ck_assert(parse("n1", NULL, NULL, &as));
    ck_assert_str_eq(as.node, "n1");
    ck_assert_uint_eq(as.rpc.port, 8300);
    ck_assert_uint_eq(as.wan_join_port, 8302);
    ck_assert_uint_eq(as.expect, 3);
    ck_assert(as.federation_states);
    ck_assert(parse("n1.dc1", NULL, NULL, &as));
    ck_assert_str_eq(as.node, "n1");
}
END_TEST

START_TEST(tags_that_a_server_needs)
{
    ck_assert(!is_server("n1", "role", NULL));
    ck_assert(!is_server("n1", "role", "consul"));
    ck_assert(!is_server("n1", "role", MEMBER_ROLE_CLIENT));
    ck_assert(!is_server("n1", "dc", NULL));
    ck_assert(!is_server("n1", "dc", ""));
    ck_assert(!is_server("n1", "id", NULL));
    ck_assert(!is_server("n1", "id", ""));
    ck_assert(!is_server("n1", "port", NULL));
}
END_TEST

START_TEST(ports_are_ports)
{
    static const char *const bad[] = {"",     "0",     "65536", "-1",
                                      "+8",   " 8300", "8300x", "0x1",
                                      "99999999999999999999999999"};
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!is_server("n1", "port", bad[i]), "%s", bad[i]);
    ck_assert(is_server("n1", "port", "65535"));
}
END_TEST

START_TEST(optional_numbers_are_left_out_when_bad)
{
    struct member_server as;

    ck_assert(parse("n1", "expect", "16", &as));
    ck_assert_uint_eq(as.expect, 0);
    ck_assert(parse("n1", "expect", "three", &as));
    ck_assert_uint_eq(as.expect, 0);
    ck_assert(parse("n1", "wan_join_port", "65536", &as));
    ck_assert_uint_eq(as.wan_join_port, 0);
    ck_assert(parse("n1", "fs", "yes", &as));
    ck_assert(!as.federation_states);
}
END_TEST

static const char *repeated(char c, size_t count)
{
    static char text[300];

    memset(text, c, count);
    text[count] = '\0';
    return text;
}

START_TEST(overlong_names_are_no_servers)
{
    ck_assert(is_server(repeated('n', 63), NULL, NULL));
    ck_assert(!is_server(repeated('n', 64), NULL, NULL));
    ck_assert(is_server("n1", "id", repeated('i', 63)));
    ck_assert(!is_server("n1", "id", repeated('i', 64)));
    ck_assert(is_server("n1", "dc", repeated('d', 63)));
    ck_assert(!is_server("n1", "dc", repeated('d', 200)));
}
END_TEST

/* Names become join targets ("*.dc/address") and TLS names: no byte of them may
 * mean anything there. */
START_TEST(names_that_would_mean_something_else)
{
    ck_assert(!is_server("n1", "dc", "dc2/10.0.0.1:22"));
    ck_assert(!is_server("n1", "dc", "*"));
    ck_assert(!is_server("n1", "dc", "dc 2"));
    ck_assert(!is_server("*", NULL, NULL));
    ck_assert(!is_server("a/b", NULL, NULL));
    ck_assert(!is_server("", NULL, NULL));
    ck_assert(!is_server(".dc1", NULL, NULL));
    ck_assert(!is_server("n1", "id", "a\nb"));
}
END_TEST

START_TEST(a_wan_name_and_its_tag_agree)
{
    ck_assert(!is_server("n1.dc2", NULL, NULL));
    ck_assert(!is_server("n1.dc1.x", NULL, NULL));
    ck_assert(!is_server("n1.", NULL, NULL));
}
END_TEST

Suite *member_suite(void)
{
    Suite *suite = suite_create("members");
    TCase *tcase = tcase_create("member");

    tcase_add_test(tcase, a_server_is_known_by_its_tags);
    tcase_add_test(tcase, tags_that_a_server_needs);
    tcase_add_test(tcase, ports_are_ports);
    tcase_add_test(tcase, optional_numbers_are_left_out_when_bad);
    tcase_add_test(tcase, overlong_names_are_no_servers);
    tcase_add_test(tcase, names_that_would_mean_something_else);
    tcase_add_test(tcase, a_wan_name_and_its_tag_agree);
    suite_add_tcase(suite, tcase);
    return suite;
}
