/* WAN names: two labels and nothing else. */
#include <check.h>
#include <string.h>

#include "wanfed/transport.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *name, *node, *dc; /* node NULL: refused */
} cases[] = {
    {"s1.dc1", "s1", "dc1"},
    {"Web_01-b.EU-west", "Web_01-b", "EU-west"},
    {"*.dc1", "*", "dc1"},
    {L63 "." L63, L63, L63},
    {NULL, NULL, NULL},
    {"", NULL, NULL},
    {"s1", NULL, NULL},
    {".", NULL, NULL},
    {"s1.", NULL, NULL},
    {".dc1", NULL, NULL},
    {"a.b.c", NULL, NULL},
    {"s1.dc1.", NULL, NULL},
    {"s1..dc1", NULL, NULL},
    {"s1.*", NULL, NULL},
    {"**.dc1", NULL, NULL},
    {"s 1.dc1", NULL, NULL},
    {"s1/x.dc1", NULL, NULL},
    {"s\xc3\xa9.dc1", NULL, NULL},
    {L63 "a.dc1", NULL, NULL},
    {"s1." L63 "a", NULL, NULL},
};

START_TEST(a_name_is_two_labels)
{
    char node[64] = "untouched";
    char dc[64] = "untouched";
    bool split = wanfed_name_split(cases[_i].name, node, dc);

    ck_assert(split == (cases[_i].node != NULL));
    ck_assert_str_eq(node, split ? cases[_i].node : "untouched");
    ck_assert_str_eq(dc, split ? cases[_i].dc : "untouched");
}
END_TEST

Suite *names_suite(void)
{
    Suite *suite = suite_create("names");
    TCase *tc = tcase_create("names");

    tcase_add_loop_test(tc, a_name_is_two_labels, 0,
                        (int)(sizeof(cases) / sizeof(cases[0])));
    suite_add_tcase(suite, tc);
    return suite;
}
