/* The pages of metrics, and that a strict reader accepts them. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/metrics_page.h"
#include "suite.h"

static struct base_metrics *metrics;

static void setup(void)
{
    metrics = base_metrics_new();
    base_counter_add(
        base_metrics_counter(metrics, "isthmus.http.refused", "reason", "b"),
        2);
    base_gauge_set(base_metrics_gauge(metrics, "isthmus.waiting", NULL, NULL),
                   -3);
    base_counter_add(base_metrics_counter(metrics, "isthmus.http.refused",
                                          "reason", "a\"\\\n"),
                     1);
    base_histogram_observe(
        base_metrics_histogram(metrics, "isthmus.rpc.request_us", NULL, NULL),
        1000);
    base_histogram_observe(
        base_metrics_histogram(metrics, "isthmus.rpc.request_us", NULL, NULL),
        3);
    base_gauge_set(base_metrics_gauge(metrics, "isthmus.lag_ms", NULL, NULL),
                   1500);
}

static void teardown(void)
{
    base_metrics_free(metrics);
}

static char *prometheus(void)
{
    struct base_buf page = BASE_BUF_INIT;

    metrics_page_prometheus(metrics, &page);
    return base_buf_take_string(&page);
}

static void assert_line(const char *page, const char *line)
{
    char *whole = base_asprintf("\n%s\n", line);

    ck_assert_msg(strstr(page, whole) != NULL, "no \"%s\" in:\n%s", line,
                  page);
    base_free(whole);
}

START_TEST(prometheus_text)
{
    char *page = prometheus();
    const char *type = "# TYPE isthmus_http_refused_total counter";

    assert_line(page, type);
    /* Once a family, its series together. */
    ck_assert_ptr_null(strstr(strstr(page, type) + 1, type));
    assert_line(page, "isthmus_http_refused_total{reason=\"a\\\"\\\\\\n\"} 1\n"
                      "isthmus_http_refused_total{reason=\"b\"} 2");
    assert_line(page, "isthmus_waiting -3");
    assert_line(page, "isthmus_lag_seconds 1.5");
    assert_line(page, "isthmus_rpc_request_seconds_bucket{le=\"3e-06\"} 1");
    assert_line(page, "isthmus_rpc_request_seconds_bucket{le=\"0.001023\"} 2");
    assert_line(page, "isthmus_rpc_request_seconds_bucket{le=\"+Inf\"} 2");
    assert_line(page, "isthmus_rpc_request_seconds_count 2");
    base_free(page);
}
END_TEST

START_TEST(json_is_consul_s)
{
    json_t *page = metrics_page_json(metrics, 1767225600000000000);
    json_t *counters = json_object_get(page, "Counters"), *first;

    ck_assert_str_eq(json_string_value(json_object_get(page, "Timestamp")),
                     "2026-01-01 00:00:00 +0000 UTC");
    ck_assert_uint_eq(json_array_size(counters), 2);
    first = json_array_get(counters, 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "Name")),
                     "isthmus.http.refused");
    ck_assert_int_eq(json_integer_value(json_object_get(first, "Count")), 2);
    ck_assert_str_eq(json_string_value(json_object_get(
                         json_object_get(first, "Labels"), "reason")),
                     "b");
    ck_assert_uint_eq(json_array_size(json_object_get(page, "Gauges")), 2);
    first = json_array_get(json_object_get(page, "Samples"), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "Count")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(first, "Sum")), 1003);
    json_decref(page);
}
END_TEST

START_TEST(no_registry_is_an_empty_page)
{
    struct base_buf page = BASE_BUF_INIT;
    json_t *json = metrics_page_json(NULL, 0);

    metrics_page_prometheus(NULL, &page);
    ck_assert_uint_eq(base_buf_len(&page), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(json, "Counters")), 0);
    json_decref(json);
    base_buf_close(&page);
}
END_TEST

Suite *metrics_page_suite(void);
Suite *metrics_page_suite(void)
{
    Suite *suite = suite_create("http: metrics");
    TCase *tcase = tcase_create("all");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, prometheus_text);
    tcase_add_test(tcase, json_is_consul_s);
    tcase_add_test(tcase, no_registry_is_an_empty_page);
    suite_add_tcase(suite, tcase);
    return suite;
}
