/* Regular expressions of query filters: RE2's answers, and bounded work. */
#include <string.h>

#include "gossip/error.h"
#include "serf/query_filter.h"
#include "serf/regex.h"
#include "suite.h"

static const struct {
    const char *pattern;
    const char *text;
    int want; /* 1, 0, or -1: refused */
} cases[] = {
    {"", "", 1},
    {"", "abc", 1},
    {"web", "my-web-1", 1}, /* not anchored */
    {"^web.*", "web1", 1},
    {"^web.*", "my-web", 0},
    {"^web$", "web", 1},
    {"^web$", "web\n", 0},
    {"a.c", "abc", 1},
    {"a.c", "a\nc", 0},
    {"(?s)a.c", "a\nc", 1},
    {"^a.c$", "a\xc3\xa4" "c", 1}, /* a code point, not a byte */
    {"^a..c$", "a\xc3\xa4" "c", 0},
    {"^[\xc3\xa4-\xc3\xbc]$", "\xc3\xb6", 1},
    {"^.$", "\xff", 1}, /* what is no UTF-8 counts byte by byte */
    {"^(web|db)$", "db", 1},
    {"^(web|db)$", "dbx", 0},
    {"^web|db$", "mydb", 1},
    {"^a*$", "aaaa", 1},
    {"^a*$", "aab", 0},
    {"^a+$", "", 0},
    {"^ab?c$", "ac", 1},
    {"^a{2}$", "aa", 1},
    {"^a{2}$", "aaa", 0},
    {"^a{2,}$", "aaaa", 1},
    {"^a{1,3}$", "aaaa", 0},
    {"^a{0}$", "", 1},
    {"^a{,3}$", "a{,3}", 1}, /* literal */
    {"a{", "a{", 1},
    {"^a*?b+?$", "aab", 1},
    {"^(a*)*$", "aaa", 1},
    {"^(a|)+$", "aa", 1},
    {"^[a-c]+$", "abc", 1},
    {"^[a-c]+$", "abd", 0},
    {"^[^a-c]+$", "xyz", 1},
    {"^[]a]+$", "]a", 1},
    {"^[a-]+$", "a-", 1},
    {"^[\\d_]+$", "4_2", 1},
    {"^[\\D]+$", "ab", 1},
    {"^[[:alpha:]]+$", "aZ", 1},
    {"^[[:^alpha:]]+$", "19", 1},
    {"^\\d+$", "42", 1},
    {"^\\D+$", "42", 0},
    {"^\\w+\\s\\W$", "ab_1 !", 1},
    {"\\bweb\\b", "my web 1", 1},
    {"\\bweb\\b", "myweb", 0},
    {"o\\B", "foo", 1},
    {"\\Aab\\z", "ab", 1},
    {"^v1\\.2$", "v1.2", 1},
    {"^v1\\.2$", "v1x2", 0},
    {"^\\x41\\x{42}$", "AB", 1},
    {"(?i)WeB", "wEb", 1},
    {"(?i:W)eb", "web", 1},
    {"(?i:W)eb", "WEB", 0},
    {"((?i)w)eb", "WEB", 0}, /* ends with its group */
    {"^(?:a|b)+$", "abba", 1},
    {"^(?P<x>a)(?<y>b)$", "ab", 1},
    {"(", "", -1},
    {")", "", -1},
    {"a**", "", -1},
    {"*a", "", -1},
    {"a{1001}", "", -1},
    {"a{3,2}", "", -1},
    {"[a", "", -1},
    {"[b-a]", "", -1},
    {"\\", "", -1},
    {"\\p{L}", "", -1},
    {"\\1", "", -1},
    {"(?m)^a", "", -1},
    {"[[:foo:]]", "", -1},
    {"(((a{100}){100}){100}){100}", "", -1}, /* would be 10^8 steps */
    {"((){1000}){1000}", "", -1},
    {"(?P<>a)", "", -1},
};

START_TEST(expressions)
{
    uint32_t budget = SERF_REGEX_BUDGET;
    int rv = serf_regex_search(cases[_i].pattern, strlen(cases[_i].pattern),
                               cases[_i].text, strlen(cases[_i].text), &budget);

    ck_assert_msg((rv < 0 ? -1 : rv) == cases[_i].want, "/%s/ on \"%s\": %d",
                  cases[_i].pattern, cases[_i].text, rv);
}
END_TEST

START_TEST(work_is_bounded)
{
    static const char pattern[] = "^(([a-z]|a|aa)*){500}x$";
    char text[513];
    uint32_t budget = SERF_REGEX_BUDGET;
    int rv;

    memset(text, 'a', sizeof(text));
    rv = serf_regex_search(pattern, strlen(pattern), text, 512, &budget);
    ck_assert_int_le(rv, 0);
    budget = 100;
    rv = serf_regex_search("a*b", 3, text, 512, &budget);
    ck_assert_int_eq(rv, GOSSIP_EINVAL);
    ck_assert_uint_eq(budget, 0);
}
END_TEST

START_TEST(nesting_is_bounded)
{
    char pattern[1025];
    uint32_t budget = SERF_REGEX_BUDGET;

    memset(pattern, '(', 512);
    memset(pattern + 512, ')', 512);
    ck_assert_int_lt(serf_regex_search(pattern, 1024, "", 0, &budget), 0);
    memset(pattern, 'a', sizeof(pattern));
    ck_assert_int_lt(serf_regex_search(pattern, 1025, "", 0, &budget), 0);
    ck_assert_int_eq(serf_regex_search(pattern, 1024, "", 0, &budget), 0);
}
END_TEST

START_TEST(filters)
{
    const char *nodes[] = {"a", "b"};
    const struct gossip_tag role = {"role", "^web"};
    const struct gossip_tag absent = {"zone", "^$"};
    struct gossip_tag own[] = {{"role", "web1"}};
    struct serf_tags tags = {own, 1, NULL};
    struct base_buf out = BASE_BUF_INIT;
    uint32_t budget = SERF_REGEX_BUDGET;

#define MATCH(name)                                                          \
    serf_filter_match(mp_bytes_of(base_buf_data(&out), base_buf_len(&out)),  \
                      name, &tags, &budget)
    serf_filter_put_nodes(&out, nodes, 2);
    ck_assert(MATCH("a"));
    ck_assert(!MATCH("c"));
    base_buf_reset(&out);
    serf_filter_put_tag(&out, &role);
    ck_assert(MATCH("c"));
    own[0].value = "db";
    ck_assert(!MATCH("c"));
    base_buf_reset(&out);
    serf_filter_put_tag(&out, &absent);
    ck_assert(MATCH("c")); /* a tag that is not there reads as empty */
    base_buf_reset(&out);
    ck_assert(!MATCH("c")); /* an empty filter crashes the original */
    base_buf_append(&out, "\x02\xc0", 2);
    ck_assert(!MATCH("c"));
    base_buf_reset(&out);
    base_buf_append(&out, "\x00", 1);
    ck_assert(!MATCH("c"));
    base_buf_reset(&out);
    base_buf_append(&out, "\x01\x05", 2);
    ck_assert(!MATCH("c"));
    base_buf_close(&out);
}
END_TEST

Suite *serf_regex_suite(void)
{
    Suite *suite = suite_create("serf-regex");
    TCase *tcase = tcase_create("filters");

    tcase_add_loop_test(tcase, expressions, 0,
                        (int)(sizeof(cases) / sizeof(cases[0])));
    tcase_add_test(tcase, work_is_bounded);
    tcase_add_test(tcase, nesting_is_bounded);
    tcase_add_test(tcase, filters);
    suite_add_tcase(suite, tcase);
    return suite;
}
