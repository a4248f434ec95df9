/* Blocking reads: who wakes, why, and when. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "world.h"

static struct world world;

static void setup(void)
{
    world_open(&world);
    put(world.store, 10, make_state("dc1", 0));
    put(world.store, 20, make_state("dc2", 0));
}
static void teardown(void)
{
    world_close(&world);
}

struct reader {
    int times;
    enum fedstate_wake why;
    uint64_t at_ms;
};

static void on_wake(void *arg, enum fedstate_wake why)
{
    struct reader *reader = arg;

    reader->times++;
    reader->why = why;
    reader->at_ms = world_now_ms(&world);
}

static struct fedstate_wait *park(struct reader *reader, const char *dc,
                                  uint64_t min_index, uint32_t max_wait_ms,
                                  bool default_mode)
{
    struct fedstate_wait *wait;

    *reader = (struct reader){0};
    ck_assert_int_eq(fedstate_store_wait(world.store, dc, min_index,
                                         max_wait_ms, default_mode, on_wake,
                                         reader, &wait),
                     0);
    ck_assert_int_eq(reader->times, 0); /* never inside the call */
    return wait;
}

START_TEST(what_is_there_already_is_told_at_once)
{
    struct reader any, newer, one;

    park(&any, NULL, 0, 0, true);
    park(&newer, NULL, 19, 0, true);
    park(&one, "dc1", 9, 0, true);
    world_run_ms(&world, 1);
    ck_assert_int_eq(any.times, 1);
    ck_assert_int_eq(newer.times, 1);
    ck_assert_int_eq(one.times, 1);
    ck_assert_int_eq(any.why, FEDSTATE_WAKE_CHANGED);
}
END_TEST

START_TEST(a_reader_wakes_on_what_it_depends_on)
{
    struct reader all, dc1, dc2, later;

    park(&all, NULL, 20, 0, true);
    park(&dc1, "dc1", 20, 0, true);
    park(&dc2, "DC2", 20, 0, true);
    park(&later, "dc1", 40, 0, true);
    world_run_ms(&world, 1000);
    ck_assert_int_eq(all.times + dc1.times + dc2.times + later.times, 0);
    put(world.store, 30, make_state("dc1", 0));
    ck_assert_int_eq(all.times + dc1.times, 0); /* from the loop only */
    world_run_ms(&world, 1);
    ck_assert_int_eq(all.times, 1);
    ck_assert_int_eq(dc1.times, 1);
    ck_assert_int_eq(dc2.times, 0);
    ck_assert_int_eq(later.times, 0);
    ck_assert_int_eq(dc1.why, FEDSTATE_WAKE_CHANGED);
}
END_TEST

START_TEST(a_deletion_wakes_its_readers_alone)
{
    struct reader dc1, dc2, all, gone;

    park(&dc1, "dc1", 20, 0, true);
    park(&dc2, "dc2", 20, 0, true);
    park(&all, NULL, 20, 0, true);
    ck_assert_int_eq(drop(world.store, 30, "dc1"), 0);
    world_run_ms(&world, 1);
    ck_assert_int_eq(dc1.times, 1);
    ck_assert_int_eq(all.times, 1);
    ck_assert_int_eq(dc2.times, 0);
    /* The next reader of what is gone waits for it to come back. */
    park(&gone, "dc1", fedstate_store_index(world.store), 0, true);
    world_run_ms(&world, 1000);
    ck_assert_int_eq(gone.times, 0);
    put(world.store, 31, make_state("dc3", 0));
    world_run_ms(&world, 1000);
    ck_assert_int_eq(gone.times, 0);
    put(world.store, 32, make_state("dc1", 0));
    world_run_ms(&world, 1);
    ck_assert_int_eq(gone.times, 1);
}
END_TEST

START_TEST(a_reader_who_missed_the_deletion_hears_of_it)
{
    struct reader late;

    ck_assert_int_eq(drop(world.store, 30, "dc1"), 0);
    park(&late, "dc1", 10, 0, true);
    world_run_ms(&world, 1);
    ck_assert_int_eq(late.times, 1);
}
END_TEST

static const struct {
    uint32_t asked_ms;
    uint64_t least_ms, most_ms;
} limits[] = {
    {1600, 1600, 1700},
    {0, 300000, 318750},       /* the default */
    {4000000, 600000, 637500}, /* at most */
};

START_TEST(time_over_with_a_sixteenth_of_jitter)
{
    struct reader readers[32];
    uint64_t first;
    bool differ = false;
    int i;

    for (i = 0; i < 32; i++)
        park(&readers[i], NULL, 20, limits[_i].asked_ms, true);
    world_run_ms(&world, limits[_i].most_ms + 1);
    first = readers[0].at_ms;
    for (i = 0; i < 32; i++) {
        ck_assert_int_eq(readers[i].times, 1);
        ck_assert_int_eq(readers[i].why, FEDSTATE_WAKE_TIMEOUT);
        ck_assert_uint_ge(readers[i].at_ms, limits[_i].least_ms);
        ck_assert_uint_le(readers[i].at_ms, limits[_i].most_ms);
        differ |= readers[i].at_ms != first;
    }
    ck_assert(differ);
}
END_TEST

START_TEST(losing_leadership_wakes_default_readers)
{
    struct reader plain, stale;

    park(&plain, NULL, 20, 0, true);
    park(&stale, NULL, 20, 0, false);
    fedstate_store_abandon(world.store);
    world_run_ms(&world, 1);
    ck_assert_int_eq(plain.times, 1);
    ck_assert_int_eq(plain.why, FEDSTATE_WAKE_LEADER_LOST);
    ck_assert_int_eq(stale.times, 0);
}
END_TEST

START_TEST(cancelled_is_silent)
{
    struct reader parked, woken;
    struct fedstate_wait *a = park(&parked, NULL, 20, 100, true);
    struct fedstate_wait *b = park(&woken, NULL, 0, 0, true);

    fedstate_wait_cancel(a);
    fedstate_wait_cancel(b); /* its wake was under way */
    put(world.store, 30, make_state("dc1", 0));
    world_run_ms(&world, 1000);
    ck_assert_int_eq(parked.times + woken.times, 0);
}
END_TEST

START_TEST(readers_are_bounded_and_counted)
{
    struct reader *readers =
        base_calloc(FEDSTATE_WAITERS_MAX, sizeof(*readers));
    struct reader extra = {0};
    int i;

    for (i = 0; i < FEDSTATE_WAITERS_MAX; i++)
        park(&readers[i], NULL, 20, 0, true);
    ck_assert_int_eq(fedstate_store_wait(world.store, NULL, 20, 0, true,
                                         on_wake, &extra, NULL),
                     BASE_EFULL);
    ck_assert_uint_eq(world_counter(&world, "isthmus.fedstate.waiters.refused",
                                    NULL, NULL),
                      1);
    put(world.store, 30, make_state("dc1", 0));
    world_run_ms(&world, 1);
    for (i = 0; i < FEDSTATE_WAITERS_MAX; i++)
        ck_assert_int_eq(readers[i].times, 1);
    park(&extra, NULL, 30, 0, true); /* there is room again */
    base_free(readers);
}
END_TEST

START_TEST(the_store_may_go_with_readers_in_it)
{
    struct reader parked, woken;

    park(&parked, NULL, 20, 0, true);
    park(&woken, NULL, 0, 0, true);
    fedstate_store_free(world.store);
    world_run_ms(&world, 700000);
    ck_assert_int_eq(parked.times + woken.times, 0);
    world.store = fedstate_store_new(world.env);
}
END_TEST

Suite *waiters_suite(void)
{
    Suite *suite = suite_create("waiters");
    TCase *tc = tcase_create("waiters");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_is_there_already_is_told_at_once);
    tcase_add_test(tc, a_reader_wakes_on_what_it_depends_on);
    tcase_add_test(tc, a_deletion_wakes_its_readers_alone);
    tcase_add_test(tc, a_reader_who_missed_the_deletion_hears_of_it);
    tcase_add_loop_test(tc, time_over_with_a_sixteenth_of_jitter, 0,
                        (int)(sizeof(limits) / sizeof(limits[0])));
    tcase_add_test(tc, losing_leadership_wakes_default_readers);
    tcase_add_test(tc, cancelled_is_silent);
    tcase_add_test(tc, readers_are_bounded_and_counted);
    tcase_add_test(tc, the_store_may_go_with_readers_in_it);
    suite_add_tcase(suite, tc);
    return suite;
}
