/* The table: order, indexes, compare-and-set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pb.h"
#include "world.h"

static struct world world;

static void setup(void)
{
    world_open(&world);
}
static void teardown(void)
{
    world_close(&world);
}

static int change(uint64_t index, Fedstate__Change__Op op, const char *dc,
                  uint64_t replaces)
{
    Fedstate__Change made = FEDSTATE__CHANGE__INIT;
    Fedstate__FederationState *state = make_state(dc, 0);
    int rv;

    made.op = op;
    made.state = state;
    made.replaces_index = replaces;
    rv = fedstate_store_apply(world.store, index, &made);
    base_pb_free(state);
    return rv;
}

#define UPSERT FEDSTATE__CHANGE__OP__UPSERT
#define DELETE FEDSTATE__CHANGE__OP__DELETE

START_TEST(an_empty_table_has_index_1)
{
    ck_assert_uint_eq(fedstate_store_index(world.store), 1);
    ck_assert_uint_eq(fedstate_store_index_of(world.store, "dc1"), 1);
    ck_assert_uint_eq(fedstate_store_count(world.store), 0);
    ck_assert_ptr_null(fedstate_store_get(world.store, "dc1"));
}
END_TEST

START_TEST(records_are_sorted_whatever_the_order)
{
    static const char *const order[] = {"dc3", "dc1", "dc5", "dc2", "dc4"};
    size_t i;

    for (i = 0; i < 5; i++)
        put(world.store, 10 + i, make_state(order[i], 0));
    ck_assert_uint_eq(fedstate_store_count(world.store), 5);
    for (i = 0; i < 5; i++) {
        char want[8];

        snprintf(want, sizeof(want), "dc%zu", i + 1);
        ck_assert_str_eq(fedstate_store_at(world.store, i)->datacenter, want);
    }
    ck_assert_ptr_eq(fedstate_store_get(world.store, "DC2"),
                     fedstate_store_at(world.store, 1)); /* no case */
}
END_TEST

START_TEST(indexes_follow_the_log)
{
    put(world.store, 10, make_state("dc1", 0));
    put(world.store, 20, make_state("dc2", 0));
    put(world.store, 30, make_state("dc1", 0));
    ck_assert_uint_eq(fedstate_store_get(world.store, "dc1")->create_index, 10);
    ck_assert_uint_eq(fedstate_store_get(world.store, "dc1")->modify_index, 30);
    ck_assert_uint_eq(fedstate_store_index(world.store), 30);
    ck_assert_uint_eq(fedstate_store_index_of(world.store, "dc2"), 20);
    ck_assert_uint_eq(fedstate_store_index_of(world.store, NULL), 30);
}
END_TEST

START_TEST(a_delete_moves_the_index)
{
    put(world.store, 10, make_state("dc1", 0));
    put(world.store, 11, make_state("dc2", 0));
    ck_assert_int_eq(drop(world.store, 12, "dc1"), 0);
    ck_assert_uint_eq(fedstate_store_index(world.store), 12);
    ck_assert_uint_eq(fedstate_store_index_of(world.store, "dc1"), 12);
    ck_assert_uint_eq(fedstate_store_index_of(world.store, "dc2"), 11);
    ck_assert_uint_eq(fedstate_store_count(world.store), 1);
    ck_assert_int_eq(drop(world.store, 13, "dc1"), 0); /* again: nothing */
    ck_assert_uint_eq(fedstate_store_index(world.store), 12);
}
END_TEST

START_TEST(a_late_apply_is_refused)
{
    ck_assert_int_eq(change(10, UPSERT, "dc1", 0), 0);
    ck_assert_int_eq(change(11, UPSERT, "dc1", 10), 0);
    /* The same once more, as a repeat: harmless. */
    ck_assert_int_eq(change(12, UPSERT, "dc1", 10), FEDSTATE_ESTALE);
    ck_assert_int_eq(change(13, UPSERT, "dc1", 0), FEDSTATE_ESTALE);
    ck_assert_int_eq(change(14, DELETE, "dc1", 10), FEDSTATE_ESTALE);
    ck_assert_uint_eq(fedstate_store_index(world.store), 11);
    ck_assert_int_eq(change(15, DELETE, "dc1", 11), 0);
    ck_assert_int_eq(change(16, UPSERT, "dc1", 11), FEDSTATE_ESTALE);
    ck_assert_int_eq(change(17, UPSERT, "dc1", 0), 0);
    ck_assert_uint_eq(fedstate_store_get(world.store, "dc1")->create_index, 17);
}
END_TEST

START_TEST(nonsense_changes_nothing)
{
    Fedstate__Change none = FEDSTATE__CHANGE__INIT;

    ck_assert_int_eq(change(10, UPSERT, "", 0), FEDSTATE_ENODC);
    ck_assert_int_eq(change(10, FEDSTATE__CHANGE__OP__UNKNOWN, "dc1", 0),
                     FEDSTATE_EOP);
    ck_assert_int_eq(change(10, (Fedstate__Change__Op)77, "dc1", 0),
                     FEDSTATE_EOP);
    none.op = UPSERT;
    ck_assert_int_eq(fedstate_store_apply(world.store, 10, &none),
                     FEDSTATE_ENODC);
    ck_assert_uint_eq(fedstate_store_index(world.store), 1);
}
END_TEST

START_TEST(the_table_is_bounded)
{
    char dc[16];
    uint64_t i;

    for (i = 0; i < FEDSTATE_DATACENTERS_MAX; i++) {
        snprintf(dc, sizeof(dc), "dc%u", (unsigned)i);
        ck_assert_int_eq(change(i + 2, UPSERT, dc, 0), 0);
    }
    ck_assert_int_eq(change(9000, UPSERT, "one-more", 0), FEDSTATE_ETOOBIG);
    ck_assert_int_eq(change(9001, UPSERT, "dc7", 9), 0); /* not one more */
    ck_assert_uint_eq(fedstate_store_count(world.store),
                      FEDSTATE_DATACENTERS_MAX);
}
END_TEST

Suite *store_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *tc = tcase_create("store");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_empty_table_has_index_1);
    tcase_add_test(tc, records_are_sorted_whatever_the_order);
    tcase_add_test(tc, indexes_follow_the_log);
    tcase_add_test(tc, a_delete_moves_the_index);
    tcase_add_test(tc, a_late_apply_is_refused);
    tcase_add_test(tc, nonsense_changes_nothing);
    tcase_add_test(tc, the_table_is_bounded);
    suite_add_tcase(suite, tc);
    return suite;
}
