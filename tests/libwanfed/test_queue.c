/* A peer's queue: the oldest go, and the count is right. */
#include "queue.h"

#include <check.h>

static struct wanfed_queue queue;

static size_t push(const char *text)
{
    return wanfed_queue_push(&queue, text, 3);
}

START_TEST(over_the_count_the_oldest_go)
{
    wanfed_queue_init(&queue, 2, 1000);
    ck_assert_uint_eq(push("one"), 0);
    ck_assert_uint_eq(push("two"), 0);
    ck_assert_uint_eq(push("thr"), 1);
    ck_assert_uint_eq(queue.count, 2);
    ck_assert_uint_eq(wanfed_queue_bytes(&queue), 14);
    ck_assert_mem_eq(base_buf_data(&queue.frames), "\0\0\0\3two\0\0\0\3thr",
                     14);
    wanfed_queue_close(&queue);
}
END_TEST

START_TEST(over_the_bytes_as_many_as_needed_go)
{
    static const char big[13];

    wanfed_queue_init(&queue, 100, 21);
    push("one");
    push("two");
    push("thr"); /* 21 bytes: full */
    ck_assert_uint_eq(wanfed_queue_push(&queue, big, sizeof(big)), 3);
    ck_assert_uint_eq(queue.count, 1);
    ck_assert_uint_eq(wanfed_queue_bytes(&queue), 17);
    wanfed_queue_close(&queue);
}
END_TEST

START_TEST(what_never_fits_is_known_before)
{
    wanfed_queue_init(&queue, 2, 21);
    ck_assert(wanfed_queue_fits(&queue, 17));
    ck_assert(!wanfed_queue_fits(&queue, 18));
    ck_assert(!wanfed_queue_fits(&queue, 0));
    ck_assert(!wanfed_queue_fits(&queue, SIZE_MAX));
    ck_assert_uint_eq(wanfed_queue_clear(&queue), 0);
    wanfed_queue_drop_oldest(&queue); /* nothing there: nothing done */
    wanfed_queue_close(&queue);
}
END_TEST

Suite *queue_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *tc = tcase_create("queue");

    tcase_add_test(tc, over_the_count_the_oldest_go);
    tcase_add_test(tc, over_the_bytes_as_many_as_needed_go);
    tcase_add_test(tc, what_never_fits_is_known_before);
    suite_add_tcase(suite, tc);
    return suite;
}
