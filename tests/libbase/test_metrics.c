/*
 * Series are found again, bounded in number, and right under threads.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/metrics.h"
#include "suite.h"

struct seen {
    unsigned series;
    struct base_metric last;
    char names[4][40];
};

static void see(void *arg, const struct base_metric *metric)
{
    struct seen *seen = arg;

    if (seen->series < BASE_COUNT_OF(seen->names))
        snprintf(seen->names[seen->series], sizeof(seen->names[0]), "%s/%s",
                 metric->name,
                 metric->label_value != NULL ? metric->label_value : "-");
    seen->series++;
    seen->last = *metric;
}

START_TEST(series_are_shared_by_name_and_label)
{
    struct base_metrics *metrics = base_metrics_new();
    struct base_counter *counter;
    struct seen seen = {0};

    counter = base_metrics_counter(metrics, "a", NULL, NULL);
    ck_assert_ptr_eq(counter, base_metrics_counter(metrics, "a", NULL, NULL));
    ck_assert_ptr_ne(counter, base_metrics_counter(metrics, "a", "dc", "x"));
    ck_assert_ptr_eq(base_metrics_counter(metrics, "a", "dc", "x"),
                     base_metrics_counter(metrics, "a", "dc", "x"));
    base_gauge_set(base_metrics_gauge(metrics, "g", "dc", "y"), -5);
    base_counter_add(counter, 3);
    base_metrics_each(metrics, see, &seen);
    ck_assert_uint_eq(seen.series, 3);
    ck_assert_str_eq(seen.names[0], "a/-");
    ck_assert_str_eq(seen.names[1], "a/x");
    ck_assert_str_eq(seen.names[2], "g/y");
    ck_assert_int_eq(seen.last.gauge, -5);
    base_metrics_free(metrics);
}
END_TEST

START_TEST(histograms_count_below_powers_of_two)
{
    struct base_metrics *metrics = base_metrics_new();
    struct base_histogram *histogram =
        base_metrics_histogram(metrics, "h_us", NULL, NULL);
    struct seen seen = {0};

    base_histogram_observe(histogram, 0);
    base_histogram_observe(histogram, 1);
    base_histogram_observe(histogram, 7);
    base_histogram_observe(histogram, 8);
    base_histogram_observe(histogram, UINT64_MAX / 2);
    base_metrics_each(metrics, see, &seen);
    ck_assert_uint_eq(seen.last.buckets[0], 1); /* < 1 */
    ck_assert_uint_eq(seen.last.buckets[1], 2); /* < 2 */
    ck_assert_uint_eq(seen.last.buckets[2], 2); /* < 4 */
    ck_assert_uint_eq(seen.last.buckets[3], 3); /* < 8 */
    ck_assert_uint_eq(seen.last.buckets[4], 4); /* < 16 */
    ck_assert_uint_eq(seen.last.buckets[BASE_HISTOGRAM_BUCKETS - 1], 4);
    ck_assert_uint_eq(seen.last.count, 5);
    ck_assert_uint_eq(seen.last.max, UINT64_MAX / 2);
    ck_assert_uint_eq(seen.last.sum, UINT64_MAX / 2 + 16);
    base_metrics_free(metrics);
}
END_TEST

START_TEST(the_number_of_series_is_bounded)
{
    struct base_metrics *metrics = base_metrics_new();
    struct base_counter *late;
    struct seen seen = {0};
    char label[16];
    int i;

    for (i = 0; i < 6000; i++) {
        snprintf(label, sizeof(label), "peer%d", i);
        late = base_metrics_counter(metrics, "n", "peer", label);
        base_counter_add(late, 1);
    }
    ck_assert_ptr_eq(late, base_metrics_counter(metrics, "new", NULL, NULL));
    ck_assert_uint_gt(base_counter_value(late), 1000);
    base_gauge_set(base_metrics_gauge(metrics, "g", NULL, NULL), 1);
    base_metrics_each(metrics, see, &seen);
    ck_assert_uint_le(seen.series, 4096);
    ck_assert_str_eq(seen.last.name, "isthmus.metrics.overflow");
    base_metrics_free(metrics);
}
END_TEST

START_TEST(no_registry_needs_no_test)
{
    base_counter_add(base_metrics_counter(NULL, "a", NULL, NULL), 1);
    base_gauge_set(base_metrics_gauge(NULL, "a", NULL, NULL), 1);
    base_histogram_observe(base_metrics_histogram(NULL, "a", NULL, NULL), 1);
    base_metrics_each(NULL, see, NULL);
    base_metrics_free(NULL);
}
END_TEST

static void *hammer(void *arg)
{
    struct base_metrics *metrics = arg;
    int i;

    for (i = 0; i < 2000; i++) {
        char label[8];

        snprintf(label, sizeof(label), "%d", i % 10);
        base_counter_add(base_metrics_counter(metrics, "c", "l", label), 1);
        base_histogram_observe(base_metrics_histogram(metrics, "h", NULL, NULL),
                               (uint64_t)i);
    }
    return NULL;
}

static void add_up(void *arg, const struct base_metric *metric)
{
    *(uint64_t *)arg += metric->count;
}

START_TEST(threads_lose_no_counts)
{
    struct base_metrics *metrics = base_metrics_new();
    pthread_t threads[4];
    uint64_t total = 0;
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, hammer, metrics);
    for (i = 0; i < BASE_COUNT_OF(threads); i++)
        pthread_join(threads[i], NULL);
    base_metrics_each(metrics, add_up, &total);
    ck_assert_uint_eq(total, 2 * 4 * 2000);
    base_metrics_free(metrics);
}
END_TEST

Suite *metrics_suite(void);
Suite *metrics_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tc = tcase_create("metrics");

    tcase_add_test(tc, series_are_shared_by_name_and_label);
    tcase_add_test(tc, histograms_count_below_powers_of_two);
    tcase_add_test(tc, the_number_of_series_is_bounded);
    tcase_add_test(tc, no_registry_needs_no_test);
    tcase_add_test(tc, threads_lose_no_counts);
    suite_add_tcase(suite, tc);
    return suite;
}
