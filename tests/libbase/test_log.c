/*
 * Log lines: their two forms, and that no input gets out of its field.
 */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "suite.h"

#define WALL_NS 1795370400123000000 /* 2026-11-22T18:00:00.123Z */

static char *render(bool json, const struct base_kv *pairs, unsigned count)
{
    struct base_log_record record = {.level = BASE_LOG_INFO,
                                     .wall_ns = WALL_NS,
                                     .subsystem = "raft",
                                     .text = "became leader",
                                     .pairs = pairs,
                                     .pair_count = count};

    return json ? base_log_render_json(&record) : base_log_render_text(&record);
}

START_TEST(text_lines_look_as_promised)
{
    struct base_addr addr;
    char *line;

    ck_assert_int_eq(base_addr_parse(&addr, "10.0.0.1:8300", 0), 0);
    line = render(false, NULL, 0);
    ck_assert_str_eq(line,
                     "2026-11-22T18:00:00.123Z [INFO]  raft: became leader");
    base_free(line);
    line =
        render(false,
               (struct base_kv[]){kv_uint("term", 3), kv_int("delta", -4),
                                  kv_bool("up", true), kv_addr("peer", &addr),
                                  kv_str("name", "a b"), kv_str("dc", "dc1"),
                                  kv_str("none", NULL)},
               7);
    ck_assert_str_eq(line,
                     "2026-11-22T18:00:00.123Z [INFO]  raft: became leader: "
                     "term=3 delta=-4 up=true peer=10.0.0.1:8300 name=\"a b\" "
                     "dc=dc1 none=\"\"");
    base_free(line);
}
END_TEST

START_TEST(json_lines_look_as_promised)
{
    char *line = render(true, (struct base_kv[]){kv_uint("term", 3)}, 1);

    ck_assert_str_eq(line,
                     "{\"@level\":\"info\",\"@message\":\"became leader\","
                     "\"@module\":\"raft\","
                     "\"@timestamp\":\"2026-11-22T18:00:00.123Z\",\"term\":3}");
    base_free(line);
}
END_TEST

/* What a peer might send as its name, and what a JSON reader must see. */
static const struct {
    const char *in, *out;
} hostile[] = {
    {"plain", "plain"},
    {"line\nforged", "line\nforged"},
    {"tab\t\"quote\" \\back\\ \r", "tab\t\"quote\" \\back\\ \r"},
    {"\x01\x1b[31mred\x7f", "\x01\x1b[31mred\x7f"},
    {"umlaut \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
     "umlaut \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
    {"bad \xff\xfe end", "bad \xef\xbf\xbd\xef\xbf\xbd end"},
    {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
    {"overlong \xc0\xaf", "overlong \xef\xbf\xbd\xef\xbf\xbd"},
    {"surrogate \xed\xa0\x80",
     "surrogate \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"beyond \xf4\x90\x80\x80",
     "beyond \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"csi \xc2\x9b 5", "csi \xc2\x9b 5"},
    {"", ""},
};

START_TEST(hostile_values_stay_in_their_field)
{
    struct base_kv pair = kv_str("name", hostile[_i].in);
    char *line = render(true, &pair, 1);
    const unsigned char *at;
    json_error_t error;
    json_t *json;

    /* A reader of JSON gets the value back, invalid bytes replaced. */
    json = json_loads(line, 0, &error);
    ck_assert_msg(json != NULL, "%s: %s", error.text, line);
    ck_assert_str_eq(json_string_value(json_object_get(json, "name")),
                     hostile[_i].out);
    json_decref(json);
    base_free(line);
    /* A terminal gets no control character, in neither form. */
    line = render(false, &pair, 1);
    for (at = (unsigned char *)line; *at != '\0'; at++)
        ck_assert(*at >= ' ' && *at != 0x7f &&
                  !(at[0] == 0xc2 && at[1] < 0xa0));
    base_free(line);
}
END_TEST

START_TEST(long_values_are_cut)
{
    char value[BASE_LOG_VALUE_BYTES_MAX + 100];
    struct base_kv pair = kv_str("name", value);
    char *line;

    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    line = render(false, &pair, 1);
    ck_assert_uint_lt(strlen(line), BASE_LOG_VALUE_BYTES_MAX + 100);
    ck_assert_str_eq(line + strlen(line) - 4, "x...");
    base_free(line);
}
END_TEST

START_TEST(times_before_1970_do_not_break)
{
    struct base_log_record record = {
        .level = BASE_LOG_WARN, .wall_ns = -1, .text = "x"};
    char *line = base_log_render_text(&record);

    ck_assert_str_eq(line, "1969-12-31T23:59:59.999Z [WARN]  x");
    base_free(line);
}
END_TEST

struct memory {
    unsigned records;
    unsigned pairs;
    int64_t first;
};

static void remember(void *ctx, const struct base_log_record *record)
{
    struct memory *memory = ctx;

    memory->records++;
    memory->pairs = record->pair_count;
    memory->first = record->pair_count > 0 ? record->pairs[0].value.i : 0;
}

static int64_t wall(void *ctx)
{
    (void)ctx;
    return WALL_NS;
}

START_TEST(levels_decide_and_pairs_arrive)
{
    struct memory memory = {0};
    struct base_log_sink sink = {remember, wall, &memory};
    struct base_log parent = {&sink, "a", BASE_LOG_INFO};
    struct base_log log = base_log_named(&parent, "b");
    struct base_log nowhere = base_log_named(NULL, "c");
    struct base_log *null_log = NULL;

    base_log(&log, BASE_LOG_DEBUG, "no");
    ck_assert_uint_eq(memory.records, 0);
    base_log(&log, BASE_LOG_INFO, "yes");
    ck_assert_uint_eq(memory.records, 1);
    ck_assert_uint_eq(memory.pairs, 0);
    base_log(&log, BASE_LOG_ERROR, "yes", kv_int("a", 5), kv_str("b", "x"));
    ck_assert_uint_eq(memory.pairs, 2);
    ck_assert_int_eq(memory.first, 5);
    base_log(&log, BASE_LOG_ERROR, "most", kv_int("1", 1), kv_int("2", 1),
             kv_int("3", 1), kv_int("4", 1), kv_int("5", 1), kv_int("6", 1),
             kv_int("7", 1), kv_int("8", 1), kv_int("9", 1), kv_int("10", 1),
             kv_int("11", 1), kv_int("12", 1), kv_int("13", 1), kv_int("14", 1),
             kv_int("15", 1), kv_int("16", 1), kv_int("17", 1));
    ck_assert_uint_eq(memory.pairs, 16);
    base_log(&nowhere, BASE_LOG_ERROR, "nobody");
    base_log(null_log, BASE_LOG_ERROR, "nobody");
    ck_assert_uint_eq(memory.records, 3);
}
END_TEST

START_TEST(level_names_parse)
{
    enum base_log_level level;

    ck_assert_int_eq(base_log_level_parse("warning", &level), 0);
    ck_assert_int_eq(level, BASE_LOG_WARN);
    ck_assert_int_eq(base_log_level_parse("err", &level), 0);
    ck_assert_int_eq(level, BASE_LOG_ERROR);
    ck_assert_int_eq(base_log_level_parse("trace", &level), 0);
    ck_assert_str_eq(base_log_level_name(level), "trace");
    ck_assert_int_eq(base_log_level_parse("loud", &level), BASE_EPARSE);
    ck_assert_int_eq(base_log_level_parse("", &level), BASE_EPARSE);
}
END_TEST

START_TEST(the_fd_sink_writes_one_line_each)
{
    struct base_log_sink *sink;
    struct base_log log = {.subsystem = "s", .level = BASE_LOG_TRACE};
    char got[512];
    int fds[2];
    ssize_t len;

    ck_assert_int_eq(pipe(fds), 0);
    log.sink = sink = base_log_sink_fd(fds[1], false);
    base_log(&log, BASE_LOG_INFO, "one");
    base_log(&log, BASE_LOG_INFO, "two", kv_str("v", "a\nb"));
    len = read(fds[0], got, sizeof(got) - 1);
    ck_assert_int_gt(len, 0);
    got[len] = '\0';
    ck_assert_ptr_nonnull(strstr(got, " [INFO]  s: one\n"));
    ck_assert_ptr_nonnull(strstr(got, " [INFO]  s: two: v=\"a\\nb\"\n"));
    base_log_sink_free(sink);
    close(fds[0]);
    close(fds[1]);
}
END_TEST

START_TEST(the_limit_lets_a_burst_and_then_one_a_second)
{
    struct base_log_limit limit = {0};
    uint64_t now = 5000000000u;
    unsigned passed = 0;
    int i;

    for (i = 0; i < 100; i++)
        passed += base_log_limit_pass(&limit, now);
    ck_assert_uint_eq(passed, 10);
    ck_assert(!base_log_limit_pass(&limit, now + 999999999));
    ck_assert(base_log_limit_pass(&limit, now + 1000000000));
    ck_assert_uint_eq(limit.suppressed, 91);
    ck_assert(!base_log_limit_pass(&limit, now + 1000000001));
    /* A long calm fills it again, and no further. */
    now += 3600u * 1000000000ull;
    for (passed = 0, i = 0; i < 100; i++)
        passed += base_log_limit_pass(&limit, now);
    ck_assert_uint_eq(passed, 10);
    /* Thin but steady refills add up. */
    for (passed = 0, i = 0; i < 50000; i++)
        passed += base_log_limit_pass(&limit, now += 100000);
    ck_assert_uint_eq(passed, 5);
}
END_TEST

Suite *log_suite(void);
Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tc = tcase_create("log");

    tcase_add_test(tc, text_lines_look_as_promised);
    tcase_add_test(tc, json_lines_look_as_promised);
    tcase_add_loop_test(tc, hostile_values_stay_in_their_field, 0,
                        BASE_COUNT_OF(hostile));
    tcase_add_test(tc, long_values_are_cut);
    tcase_add_test(tc, times_before_1970_do_not_break);
    tcase_add_test(tc, levels_decide_and_pairs_arrive);
    tcase_add_test(tc, level_names_parse);
    tcase_add_test(tc, the_fd_sink_writes_one_line_each);
    tcase_add_test(tc, the_limit_lets_a_burst_and_then_one_a_second);
    suite_add_tcase(suite, tc);
    return suite;
}
