/*
 * The heap gives timers in order of due time, then of starting, whatever is
 * inserted and removed in between.
 */
#include "base/alloc.h"
#include "suite.h"
#include "timer_heap.h"

#define TIMERS 500u

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

START_TEST(timers_come_out_in_order)
{
    static struct base_timer timers[TIMERS];
    struct timer_heap heap = {0};
    uint32_t random = (uint32_t)_i;
    uint64_t sequence = 0;
    const struct base_timer *before = NULL;
    struct base_timer *timer;
    size_t i;

    for (i = 0; i < 20 * TIMERS; i++) {
        timer = &timers[next_random(&random) % TIMERS];
        if (base_timer_is_running(timer)) {
            timer_heap_remove(&heap, timer);
        } else {
            timer->due_ns = next_random(&random) % 50; /* many are equal */
            timer->sequence = sequence++;
            timer_heap_insert(&heap, timer);
        }
        if (i % 100 == 0)
            timer_heap_check(&heap);
    }
    while ((timer = timer_heap_first(&heap)) != NULL) {
        if (before != NULL)
            ck_assert(before->due_ns < timer->due_ns ||
                      (before->due_ns == timer->due_ns &&
                       before->sequence < timer->sequence));
        timer_heap_remove(&heap, timer);
        ck_assert(!base_timer_is_running(timer));
        before = timer;
    }
    timer_heap_close(&heap);
}
END_TEST

START_TEST(closing_stops_what_runs)
{
    struct base_timer timer = {0};
    struct timer_heap heap = {0};

    timer_heap_insert(&heap, &timer);
    ck_assert(base_timer_is_running(&timer));
    timer_heap_close(&heap);
    ck_assert(!base_timer_is_running(&timer));
}
END_TEST

Suite *timer_heap_suite(void);
Suite *timer_heap_suite(void)
{
    Suite *suite = suite_create("timer_heap");
    TCase *tc = tcase_create("timer_heap");

    tcase_add_loop_test(tc, timers_come_out_in_order, 1, 6);
    tcase_add_test(tc, closing_stops_what_runs);
    suite_add_tcase(suite, tc);
    return suite;
}
