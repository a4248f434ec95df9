/* Paths, parameters and durations: pure functions, by tables. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "http/duration.h"
#include "http/web_params.h"
#include "http/web_router.h"
#include "suite.h"

/* ---- durations ------------------------------------------------------------ */

static const struct {
    const char *text;
    int rv;
    uint64_t ms;
} durations[] = {
    {"0", 0, 0},
    {"0s", 0, 0},
    {"10s", 0, 10000},
    {"1m30s", 0, 90000},
    {"250ms", 0, 250},
    {"1.5h", 0, 5400000},
    {".5s", 0, 500},
    {"1h15m30.918s", 0, 4530918},
    {"1ns", 0, 1}, /* rounded up: no wait is shorter than asked */
    {"1500us", 0, 2},
    {"2000\xc2\xb5s", 0, 2},
    {"", BASE_EPARSE, 0},
    {"10", BASE_EPARSE, 0},
    {"-5s", BASE_EPARSE, 0},
    {"s", BASE_EPARSE, 0},
    {".s", BASE_EPARSE, 0},
    {"5 s", BASE_EPARSE, 0},
    {"5d", BASE_EPARSE, 0},
    {"5s3", BASE_EPARSE, 0},
    {"1e3s", BASE_EPARSE, 0},
    {"99999999999999999999999999h", BASE_EPARSE, 0},
};

START_TEST(durations_are_go_s)
{
    uint64_t ms = 0;

    ck_assert_msg(duration_parse_ms(durations[_i].text, &ms) ==
                      durations[_i].rv,
                  "%s", durations[_i].text);
    ck_assert_uint_eq(ms, durations[_i].ms);
}
END_TEST

/* ---- parameters ----------------------------------------------------------- */

static void params_of(struct web_params *params, const char *query)
{
    const char *why = NULL;

    memset(params, 0, sizeof(*params));
    ck_assert_msg(web_params_parse(params, query, &why) == 0, "%s: %s", query,
                  why);
}

START_TEST(a_query_is_split_and_unescaped)
{
    struct web_params params;

    params_of(&params, "a=1&b&c=x%20y+z&&a=2&d=%C3%A4&e==");
    ck_assert_uint_eq(params.count, 6);
    ck_assert_str_eq(web_param(&params, "a"), "1");
    ck_assert_str_eq(web_param(&params, "b"), "");
    ck_assert_str_eq(web_param(&params, "c"), "x y z");
    ck_assert_str_eq(web_param(&params, "d"), "\xc3\xa4");
    ck_assert_str_eq(web_param(&params, "e"), "=");
    ck_assert_ptr_null(web_param(&params, "f"));
    web_params_close(&params);
    params_of(&params, NULL);
    ck_assert_uint_eq(params.count, 0);
    web_params_close(&params);
}
END_TEST

static const char *const bad_queries[] = {"a=%", "a=%4", "a=%zz", "%g0=1",
                                          "a=%00"};

START_TEST(a_broken_escape_is_refused)
{
    struct web_params params = {0};
    const char *why = NULL;

    ck_assert_int_eq(web_params_parse(&params, bad_queries[_i], &why),
                     BASE_EPARSE);
    ck_assert_ptr_nonnull(why);
    web_params_close(&params);
}
END_TEST

START_TEST(parameters_are_bounded)
{
    struct base_buf query = BASE_BUF_INIT;
    struct web_params params = {0};
    const char *why = NULL;
    char *text;
    unsigned i;

    for (i = 0; i <= WEB_PARAMS_MAX; i++)
        base_buf_printf(&query, "k%u&", i);
    text = base_buf_take_string(&query);
    ck_assert_int_eq(web_params_parse(&params, text, &why), BASE_EPARSE);
    ck_assert_uint_eq(params.count, WEB_PARAMS_MAX);
    web_params_close(&params);
    base_free(text);
}
END_TEST

static const struct {
    const char *query;
    int rv;
    bool value;
} bools[] = {
    {"", 0, false},       {"x", 0, true},      {"x=1", 0, true},
    {"x=true", 0, true},  {"x=T", 0, true},    {"x=0", 0, false},
    {"x=False", 0, false}, {"x=yes", BASE_EPARSE, false},
};

START_TEST(booleans)
{
    struct web_params params;
    bool value = true;

    params_of(&params, bools[_i].query);
    ck_assert_int_eq(web_param_bool(&params, "x", &value), bools[_i].rv);
    ck_assert(value == bools[_i].value);
    web_params_close(&params);
}
END_TEST

/* ---- what every read knows ------------------------------------------------ */

START_TEST(options_of_a_read)
{
    struct web_params params;
    struct web_options options;
    const char *why = NULL;

    params_of(&params, "dc=dc2&index=18446744073709551615&wait=5s&stale"
                       "&pretty=1&unknown=7");
    ck_assert_int_eq(web_options_parse(&options, &params, &why), 0);
    ck_assert_str_eq(options.dc, "dc2");
    ck_assert_uint_eq(options.index, UINT64_MAX);
    ck_assert_uint_eq(options.wait_ms, 5000);
    ck_assert_int_eq(options.mode, SERVER__QUERY__MODE__STALE);
    ck_assert(options.pretty);
    web_params_close(&params);

    params_of(&params, "wait=11m&consistent=true&stale=false");
    ck_assert_int_eq(web_options_parse(&options, &params, &why), 0);
    ck_assert_str_eq(options.dc, "");
    ck_assert_uint_eq(options.wait_ms, WEB_WAIT_MAX_MS);
    ck_assert_int_eq(options.mode, SERVER__QUERY__MODE__CONSISTENT);
    web_params_close(&params);

    params_of(&params, NULL);
    ck_assert_int_eq(web_options_parse(&options, &params, &why), 0);
    ck_assert_int_eq(options.mode, SERVER__QUERY__MODE__DEFAULT);
    ck_assert(!options.pretty);
    web_params_close(&params);
}
END_TEST

static const struct {
    const char *query;
    const char *named; /* in the complaint */
} bad_options[] = {
    {"index=", "index"},
    {"index=-1", "index"},
    {"index=1x", "index"},
    {"index=18446744073709551616", "index"},
    {"wait=", "wait"},
    {"wait=10", "wait"},
    {"wait=-1s", "wait"},
    {"stale=maybe", "stale"},
    {"consistent=2", "consistent"},
    {"pretty=no", "pretty"},
    {"stale&consistent", "consistent"},
};

START_TEST(a_bad_option_is_named)
{
    struct web_params params;
    struct web_options options;
    const char *why = "";

    params_of(&params, bad_options[_i].query);
    ck_assert_int_eq(web_options_parse(&options, &params, &why), BASE_EPARSE);
    ck_assert_msg(strstr(why, bad_options[_i].named) != NULL, "%s: %s",
                  bad_options[_i].query, why);
    web_params_close(&params);
}
END_TEST

/* ---- the router ----------------------------------------------------------- */

static const struct web_route routes[] = {
    {WEB_GET, "/v1/nodes", NULL, NULL, ACL_PUBLIC, ACL_READ},
    {WEB_GET, "/v1/node/", "node name", NULL, ACL_PUBLIC, ACL_READ},
    {WEB_PUT, "/v1/node/", "node name", NULL, ACL_PUBLIC, ACL_READ},
    {WEB_PUT, "/v1/leave", NULL, NULL, ACL_PUBLIC, ACL_READ},
    {WEB_GET, "/v1/states", NULL, NULL, ACL_PUBLIC, ACL_READ},
    {WEB_GET, "/v1/states/gateways", NULL, NULL, ACL_PUBLIC, ACL_READ},
};

static const struct {
    enum web_method method;
    const char *path;
    int row; /* -1: none */
    const char *tail;
    const char *allow;
} requests[] = {
    {WEB_GET, "/v1/nodes", 0, "", "GET"},
    {WEB_PUT, "/v1/nodes", -1, NULL, "GET"},
    {WEB_GET, "/v1/nodes/", -1, NULL, ""},
    {WEB_GET, "/v1/node/n1", 1, "n1", "GET,PUT"},
    {WEB_PUT, "/v1/node/n1", 2, "n1", "GET,PUT"},
    {WEB_OTHER, "/v1/node/n1", -1, NULL, "GET,PUT"},
    {WEB_GET, "/v1/node/a/b%2Fc", 1, "a/b%2Fc", "GET,PUT"},
    {WEB_GET, "/v1/node/", 1, "", "GET,PUT"},
    {WEB_GET, "/v1/node", 1, "", "GET,PUT"},
    {WEB_GET, "/v1/nod", -1, NULL, ""},
    {WEB_GET, "/v1/states", 4, "", "GET"},
    {WEB_GET, "/v1/states/gateways", 5, "", "GET"},
    {WEB_GET, "/v1/states/other", -1, NULL, ""},
    {WEB_OTHER, "/v1/leave", -1, NULL, "PUT"},
    {WEB_GET, "", -1, NULL, ""},
    {WEB_GET, "/V1/nodes", -1, NULL, ""},
};

START_TEST(paths_find_their_row)
{
    struct web_match match =
        web_router_find(routes, BASE_COUNT_OF(routes), requests[_i].method,
                        requests[_i].path);

    if (requests[_i].row < 0) {
        ck_assert_msg(match.route == NULL, "%s", requests[_i].path);
    } else {
        ck_assert_msg(match.route == &routes[requests[_i].row], "%s",
                      requests[_i].path);
        ck_assert_str_eq(match.tail, requests[_i].tail);
    }
    ck_assert_str_eq(web_router_allow(match.allowed), requests[_i].allow);
}
END_TEST

Suite *web_params_suite(void);
Suite *web_params_suite(void)
{
    Suite *suite = suite_create("http: paths and parameters");
    TCase *tcase = tcase_create("all");

    tcase_add_loop_test(tcase, durations_are_go_s, 0,
                        BASE_COUNT_OF(durations));
    tcase_add_test(tcase, a_query_is_split_and_unescaped);
    tcase_add_loop_test(tcase, a_broken_escape_is_refused, 0,
                        BASE_COUNT_OF(bad_queries));
    tcase_add_test(tcase, parameters_are_bounded);
    tcase_add_loop_test(tcase, booleans, 0, BASE_COUNT_OF(bools));
    tcase_add_test(tcase, options_of_a_read);
    tcase_add_loop_test(tcase, a_bad_option_is_named, 0,
                        BASE_COUNT_OF(bad_options));
    tcase_add_loop_test(tcase, paths_find_their_row, 0,
                        BASE_COUNT_OF(requests));
    suite_add_tcase(suite, tcase);
    return suite;
}
