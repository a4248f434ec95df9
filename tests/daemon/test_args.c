/* Command lines: every way to write a flag, and what is said of a wrong one. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/args.h"
#include "quiet.h"
#include "suite.h"

static const struct args_flag scan_flags[] = {
    {"wan", ARGS_BOOL, NULL, NULL, "b"},
    {"name", ARGS_TEXT, NULL, "NAME", "t"},
};

/* The items of a line as one text: "name=x wan=true [word]". */
static char *scan(int argc, char **argv)
{
    struct args_scan walk = args_scan_of(argc, argv, scan_flags, 2);
    const struct args_flag *flag;
    const char *value;
    char *why = NULL;
    char *out = base_strdup("");
    int rv;

    while ((rv = args_next(&walk, &flag, &value, &why)) != ARGS_END) {
        char *longer;

        if (rv < 0) {
            longer = base_asprintf("%s!%s", out, why);
            base_free(why);
        } else if (rv == ARGS_FLAG) {
            longer = base_asprintf("%s%s=%s ", out, flag->name, value);
        } else {
            longer =
                base_asprintf("%s[%s] ", out, rv == ARGS_HELP ? "?" : value);
        }
        base_free(out);
        out = longer;
        if (rv < 0)
            break;
    }
    return out;
}

static const struct {
    char *argv[8];
    const char *want;
} cases[] = {
    {{"x", "-name", "a"}, "name=a "},
    {{"x", "--name", "a"}, "name=a "},
    {{"x", "-name=a"}, "name=a "},
    {{"x", "--name=a=b"}, "name=a=b "},
    {{"x", "-name="}, "name= "},
    {{"x", "-name", "-1"}, "name=-1 "},
    {{"x", "-wan"}, "wan=true "},
    {{"x", "-wan=false"}, "wan=false "},
    {{"x", "-wan", "word"}, "wan=true [word] "},
    {{"x", "word", "-wan"}, "[word] wan=true "},
    {{"x", "--", "-wan"}, "[-wan] "},
    {{"x", "-"}, "[-] "},
    {{"x", "-help"}, "[?] "},
    {{"x", "--help"}, "[?] "},
    {{"x", "-h"}, "[?] "},
    {{"x", "-nam"}, "!unknown flag -nam"},
    {{"x", "-names=1"}, "!unknown flag -names"},
    {{"x", "-name"}, "!-name needs a value"},
};

START_TEST(a_line_is_walked)
{
    char *argv[9] = {NULL};
    char *got;
    int argc = 0;

    while (cases[_i].argv[argc] != NULL) {
        argv[argc] = cases[_i].argv[argc];
        argc++;
    }
    got = scan(argc, argv);
    ck_assert_str_eq(got, cases[_i].want);
    base_free(got);
}
END_TEST

START_TEST(values_land_in_variables)
{
    bool wan = false;
    const char *name = "default";
    uint32_t days = 7;
    struct args_list list = {NULL, 0}, words = {NULL, 0};
    const struct args_flag flags[] = {
        {"wan", ARGS_BOOL, &wan, NULL, "b"},
        {"name", ARGS_TEXT, &name, "NAME", "t"},
        {"days", ARGS_UINT, &days, "N", "u"},
        {"item", ARGS_LIST, &list, "X", "l"},
    };
    const struct args_command command = {"isthmus test [flags] WORD", "About.",
                                         flags, 4, "isthmus test"};
    char *argv[] = {"test", "-wan",    "-name=n",  "one", "-days",
                    "90",   "-item=a", "--item=b", "two"};
    int code = -1;

    ck_assert_int_eq(args_parse(&command, 9, argv, &words, &code), 0);
    ck_assert(wan);
    ck_assert_str_eq(name, "n");
    ck_assert_uint_eq(days, 90);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_str_eq(list.items[1], "b");
    ck_assert_uint_eq(words.count, 2);
    ck_assert_str_eq(words.items[0], "one");
    args_list_close(&list);
    args_list_close(&words);
}
END_TEST

static const char *const bad_numbers[] = {
    "-days=-1", "-days=x", "-days=", "-days=4294967296", "-days=1e3"};

START_TEST(a_wrong_number_is_a_usage_error)
{
    uint32_t days = 7;
    const struct args_flag flags[] = {{"days", ARGS_UINT, &days, "N", "u"}};
    const struct args_command command = {"isthmus test", "About.", flags, 1,
                                         "isthmus test"};
    char *argv[] = {"test", (char *)(uintptr_t)bad_numbers[_i]};
    struct quiet quiet = quiet_begin();
    int code = -1;
    int over = args_parse(&command, 2, argv, NULL, &code);

    quiet_end(quiet);
    ck_assert_int_eq(over, 1);
    ck_assert_int_eq(code, ARGS_EXIT_USAGE);
    ck_assert_uint_eq(days, 7);
}
END_TEST

START_TEST(a_word_too_many_is_a_usage_error)
{
    const struct args_command command = {"isthmus test", "About.", NULL, 0,
                                         "isthmus test"};
    char *argv[] = {"test", "word"};
    struct quiet quiet = quiet_begin();
    int code = -1;
    int over = args_parse(&command, 2, argv, NULL, &code);

    quiet_end(quiet);
    ck_assert_int_eq(over, 1);
    ck_assert_int_eq(code, ARGS_EXIT_USAGE);
}
END_TEST

START_TEST(help_shows_usage_flags_and_example)
{
    const struct args_flag flags[] = {{"days", ARGS_UINT, NULL, "N", "How."}};
    const struct args_command command = {"isthmus test [flags]", "About.",
                                         flags, 1, "isthmus test -days 1"};
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);

    args_print_help(&command, to);
    fclose(to);
    ck_assert_ptr_nonnull(strstr(text, "Usage: isthmus test [flags]\n"));
    ck_assert_ptr_nonnull(strstr(text, "  -days=N\n      How.\n"));
    ck_assert_ptr_nonnull(strstr(text, "Example:\n  isthmus test -days 1\n"));
    free(text);
}
END_TEST

Suite *args_suite(void);
Suite *args_suite(void)
{
    Suite *suite = suite_create("args");
    TCase *tcase = tcase_create("args");

    tcase_add_loop_test(tcase, a_line_is_walked, 0, (int)BASE_COUNT_OF(cases));
    tcase_add_test(tcase, values_land_in_variables);
    tcase_add_loop_test(tcase, a_wrong_number_is_a_usage_error, 0,
                        (int)BASE_COUNT_OF(bad_numbers));
    tcase_add_test(tcase, a_word_too_many_is_a_usage_error);
    tcase_add_test(tcase, help_shows_usage_flags_and_example);
    suite_add_tcase(suite, tcase);
    return suite;
}
