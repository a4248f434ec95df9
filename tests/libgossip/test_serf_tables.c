/* The small tables of serf: clocks, names, intents, what was heard lately. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "serf/event_ring.h"
#include "serf/intent.h"
#include "serf/lamport.h"
#include "serf/name_table.h"
#include "suite.h"

START_TEST(clock_witnesses)
{
    struct serf_lamport clock;

    serf_lamport_init(&clock);
    ck_assert_uint_eq(serf_lamport_take(&clock), 1);
    ck_assert_uint_eq(clock.time, 2);
    serf_lamport_witness(&clock, 1);
    ck_assert_uint_eq(clock.time, 2);
    serf_lamport_witness(&clock, 2);
    ck_assert_uint_eq(clock.time, 3);
    serf_lamport_witness(&clock, 41);
    ck_assert_uint_eq(clock.time, 42);
}
END_TEST

START_TEST(clock_does_not_wrap)
{
    struct serf_lamport clock;

    serf_lamport_init(&clock);
    serf_lamport_witness(&clock, UINT64_MAX);
    ck_assert_uint_eq(clock.time, 1);
    serf_lamport_witness(&clock, SERF_LTIME_MAX + 1);
    ck_assert_uint_eq(clock.time, 1);
    serf_lamport_witness(&clock, SERF_LTIME_MAX);
    ck_assert_uint_eq(clock.time, SERF_LTIME_MAX + 1);
    (void)serf_lamport_take(&clock);
    ck_assert_uint_eq(clock.time, SERF_LTIME_MAX + 1);
}
END_TEST

struct entry {
    struct serf_named named;
    char name[16];
};

START_TEST(names_are_found_until_removed)
{
    struct serf_name_table table;
    static struct entry entries[5000];
    size_t i;

    serf_name_table_init(&table, 12345);
    for (i = 0; i < 5000; i++) {
        snprintf(entries[i].name, sizeof(entries[i].name), "node-%zu", i);
        entries[i].named.name = entries[i].name;
        serf_name_table_add(&table, &entries[i].named);
    }
    for (i = 0; i < 5000; i += 3)
        serf_name_table_remove(&table, &entries[i].named);
    ck_assert_uint_eq(table.count, 5000 - 1667);
    for (i = 0; i < 5000; i++)
        ck_assert_ptr_eq(serf_name_table_find(&table, entries[i].name),
                         i % 3 == 0 ? NULL : &entries[i].named);
    for (i = 0; i < table.count; i++)
        ck_assert_uint_eq(table.all[i]->index, i);
    serf_name_table_close(&table);
}
END_TEST

START_TEST(newer_intent_wins)
{
    struct serf_intents intents;
    uint64_t ltime = 0;
    bool full;

    serf_intents_init(&intents, 1);
    ck_assert(serf_intents_put(&intents, "a", SERF_INTENT_JOIN, 5, 0, &full));
    ck_assert(!serf_intents_put(&intents, "a", SERF_INTENT_LEAVE, 5, 0, &full));
    ck_assert(serf_intents_get(&intents, "a", SERF_INTENT_JOIN, &ltime));
    ck_assert_uint_eq(ltime, 5);
    ck_assert(serf_intents_put(&intents, "a", SERF_INTENT_LEAVE, 6, 0, &full));
    ck_assert(!serf_intents_get(&intents, "a", SERF_INTENT_JOIN, &ltime));
    ck_assert(serf_intents_get(&intents, "a", SERF_INTENT_LEAVE, &ltime));
    ck_assert_uint_eq(ltime, 6);
    serf_intents_close(&intents);
}
END_TEST

START_TEST(intents_grow_old_and_are_bounded)
{
    struct serf_intents intents;
    uint64_t ltime;
    char name[16];
    size_t i;
    bool full;

    serf_intents_init(&intents, 1);
    for (i = 0; i < SERF_INTENTS_MAX; i++) {
        snprintf(name, sizeof(name), "n%zu", i);
        ck_assert(serf_intents_put(&intents, name, SERF_INTENT_JOIN, 1, i / 2,
                                   &full));
    }
    ck_assert(!serf_intents_put(&intents, "x", SERF_INTENT_JOIN, 1, 0, &full));
    ck_assert(full);
    serf_intents_reap(&intents, 32768, 1000);
    ck_assert_uint_eq(intents.table.count, 2000);
    ck_assert(!serf_intents_get(&intents, "n0", SERF_INTENT_JOIN, &ltime));
    ck_assert(serf_intents_get(&intents, name, SERF_INTENT_JOIN, &ltime));
    serf_intents_close(&intents);
}
END_TEST

static enum serf_ring_result see(struct serf_ring *ring, uint64_t ltime,
                                 uint64_t clock, const char *name,
                                 const char *payload)
{
    return serf_ring_see(ring, ltime, clock, 0, name, strlen(name), payload,
                         strlen(payload));
}

START_TEST(event_is_new_once)
{
    struct serf_ring ring;

    serf_ring_init(&ring, 8);
    ck_assert_int_eq(see(&ring, 3, 4, "a", "1"), SERF_RING_NEW);
    ck_assert_int_eq(see(&ring, 3, 4, "a", "1"), SERF_RING_SEEN);
    ck_assert_int_eq(see(&ring, 3, 4, "a", "2"), SERF_RING_NEW);
    ck_assert_int_eq(see(&ring, 3, 4, "a1", ""), SERF_RING_NEW);
    ck_assert_int_eq(see(&ring, 3, 4, "b", "1"), SERF_RING_NEW);
    ck_assert_int_eq(see(&ring, 4, 5, "a", "1"), SERF_RING_NEW);
    serf_ring_close(&ring);
}
END_TEST

START_TEST(window_slides)
{
    struct serf_ring ring;

    serf_ring_init(&ring, 8);
    ck_assert_int_eq(see(&ring, 1, 2, "a", ""), SERF_RING_NEW);
    ck_assert_int_eq(see(&ring, 9, 10, "a", ""), SERF_RING_NEW); /* its slot */
    ck_assert_int_eq(see(&ring, 1, 10, "a", ""), SERF_RING_OLD);
    ck_assert_int_eq(see(&ring, 2, 10, "a", ""), SERF_RING_NEW); /* just in */
    ck_assert_int_eq(see(&ring, 2, 11, "b", ""), SERF_RING_OLD);
    ring.min_time = 20;
    ck_assert_int_eq(see(&ring, 19, 20, "a", ""), SERF_RING_OLD);
    ck_assert_int_eq(see(&ring, 20, 21, "a", ""), SERF_RING_NEW);
    serf_ring_close(&ring);
}
END_TEST

START_TEST(ring_is_bounded)
{
    static char payload[9000];
    struct serf_ring ring;
    char name[16];
    size_t i;
    int last = SERF_RING_NEW;

    serf_ring_init(&ring, 512);
    for (i = 0; i <= SERF_RING_SLOT_ITEMS_MAX; i++) {
        snprintf(name, sizeof(name), "%zu", i);
        last = (int)see(&ring, 1, 2, name, "");
    }
    ck_assert_int_eq(last, SERF_RING_FULL);
    memset(payload, 'x', sizeof(payload) - 1);
    for (i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "%zu", i);
        last = (int)see(&ring, 2 + i % 500, 502, name, payload);
    }
    ck_assert_int_eq(last, SERF_RING_FULL);
    ck_assert_uint_le(ring.bytes, SERF_RING_BYTES_MAX);
    serf_ring_close(&ring);
}
END_TEST

Suite *serf_tables_suite(void)
{
    Suite *suite = suite_create("serf-tables");
    TCase *tcase = tcase_create("tables");

    tcase_add_test(tcase, clock_witnesses);
    tcase_add_test(tcase, clock_does_not_wrap);
    tcase_add_test(tcase, names_are_found_until_removed);
    tcase_add_test(tcase, newer_intent_wins);
    tcase_add_test(tcase, intents_grow_old_and_are_bounded);
    tcase_add_test(tcase, event_is_new_once);
    tcase_add_test(tcase, window_slides);
    tcase_add_test(tcase, ring_is_bounded);
    suite_add_tcase(suite, tcase);
    return suite;
}
