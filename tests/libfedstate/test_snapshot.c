/* Snapshot and restore, with honest bytes and with others. */
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

static void fill(void)
{
    put(world.store, 10, make_state("dc1", 1, make_gateway("g", "10.0.0.1",
                                                           "192.0.2.1")));
    put(world.store, 11, make_state("dc2", 0));
    put(world.store, 12, make_state("dc3", 0));
    ck_assert_int_eq(drop(world.store, 13, "dc2"), 0);
}

START_TEST(a_restored_table_is_the_same)
{
    struct fedstate_store *other = fedstate_store_new(world.env);
    struct base_buf a = BASE_BUF_INIT;
    struct base_buf b = BASE_BUF_INIT;

    fill();
    fedstate_store_snapshot(world.store, &a);
    put(other, 500, make_state("old", 0));
    ck_assert_int_eq(fedstate_store_restore(other, base_buf_data(&a),
                                            base_buf_len(&a)),
                     0);
    ck_assert_uint_eq(fedstate_store_index(other), 13);
    ck_assert_uint_eq(fedstate_store_index_of(other, "dc2"), 13);
    ck_assert_uint_eq(fedstate_store_count(other), 2);
    ck_assert_ptr_null(fedstate_store_get(other, "old"));
    fedstate_store_snapshot(other, &b);
    ck_assert_uint_eq(base_buf_len(&a), base_buf_len(&b));
    ck_assert_mem_eq(base_buf_data(&a), base_buf_data(&b), base_buf_len(&a));
    put(other, 14, make_state("dc0", 0)); /* and it lives on */
    ck_assert_str_eq(fedstate_store_at(other, 0)->datacenter, "dc0");
    base_buf_close(&a);
    base_buf_close(&b);
    fedstate_store_free(other);
}
END_TEST

START_TEST(an_empty_table_restores)
{
    struct base_buf a = BASE_BUF_INIT;

    fedstate_store_snapshot(world.store, &a);
    fill();
    ck_assert_int_eq(fedstate_store_restore(world.store, base_buf_data(&a),
                                            base_buf_len(&a)),
                     0);
    ck_assert_uint_eq(fedstate_store_count(world.store), 0);
    ck_assert_uint_eq(fedstate_store_index(world.store), 1);
    ck_assert_int_eq(fedstate_store_restore(world.store, "", 0), 0);
    ck_assert_uint_eq(fedstate_store_index(world.store), 1);
    base_buf_close(&a);
}
END_TEST

static void on_wake(void *arg, enum fedstate_wake why)
{
    ck_assert_int_eq(why, FEDSTATE_WAKE_CHANGED);
    ++*(int *)arg;
}

START_TEST(a_restore_wakes_everybody)
{
    struct base_buf a = BASE_BUF_INIT;
    int woken = 0;

    fill();
    fedstate_store_snapshot(world.store, &a);
    fedstate_store_wait(world.store, NULL, 1000, 0, true, on_wake, &woken,
                        NULL);
    fedstate_store_wait(world.store, "dc1", 1000, 0, false, on_wake, &woken,
                        NULL);
    ck_assert_int_eq(fedstate_store_restore(world.store, base_buf_data(&a),
                                            base_buf_len(&a)),
                     0);
    world_run_ms(&world, 1);
    ck_assert_int_eq(woken, 2);
    base_buf_close(&a);
}
END_TEST

START_TEST(every_cut_is_refused_or_sound)
{
    struct base_buf a = BASE_BUF_INIT;
    size_t len;

    fill();
    fedstate_store_snapshot(world.store, &a);
    for (len = 0; len < base_buf_len(&a); len++) {
        struct fedstate_store *other = fedstate_store_new(world.env);
        int rv = fedstate_store_restore(other, base_buf_data(&a), len);

        ck_assert(rv == 0 || rv == FEDSTATE_EDECODE);
        if (rv < 0)
            ck_assert_uint_eq(fedstate_store_count(other), 0);
        fedstate_store_free(other);
    }
    base_buf_close(&a);
}
END_TEST

static void refuse(Fedstate__Table *table)
{
    struct base_buf packed = BASE_BUF_INIT;

    base_pb_pack(table, &packed);
    ck_assert_int_eq(fedstate_store_restore(world.store,
                                            base_buf_data(&packed),
                                            base_buf_len(&packed)),
                     FEDSTATE_EDECODE);
    ck_assert_uint_eq(fedstate_store_count(world.store), 2); /* as it was */
    base_buf_close(&packed);
}

START_TEST(unsound_tables_are_refused)
{
    Fedstate__Table table = FEDSTATE__TABLE__INIT;
    Fedstate__FederationState *states[2];

    fill();
    states[0] = make_state("dc2", 0);
    states[1] = make_state("dc1", 0);
    table.index = 5;
    table.states = states;
    table.n_states = 2;
    refuse(&table); /* out of order */
    set_text(&states[1]->datacenter, "dc2");
    refuse(&table); /* twice */
    set_text(&states[0]->datacenter, "");
    refuse(&table); /* nameless */
    table.n_states = 1;
    set_text(&states[0]->datacenter, "dc1");
    states[0]->modify_index = 6;
    refuse(&table); /* from the future */
    base_pb_free(states[0]);
    base_pb_free(states[1]);
}
END_TEST

Suite *snapshot_suite(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tc = tcase_create("snapshot");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_restored_table_is_the_same);
    tcase_add_test(tc, an_empty_table_restores);
    tcase_add_test(tc, a_restore_wakes_everybody);
    tcase_add_test(tc, every_cut_is_refused_or_sound);
    tcase_add_test(tc, unsound_tables_are_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
