/* Replication against a primary that is asked to misbehave. */
#include "fedstate/replicator.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "fakes.h"

static struct world world;
static struct fake_primary primary;
static struct fake_raft raft;
static struct fedstate_replicator *replicator;
static int rounds_ok, rounds_failed, last_failure;

static void on_round(void *ctx, int status)
{
    (void)ctx;
    if (status == 0) {
        rounds_ok++;
    } else {
        rounds_failed++;
        last_failure = status;
    }
}

static void begin(void)
{
    struct fedstate_replicator_config config = {
        .store = world.store,
        .primary = fake_primary_ops(&primary),
        .local = fake_raft_ops(&raft),
        .on_round = on_round,
    };

    ck_assert_int_eq(fedstate_replicator_new(world.env, &config, &replicator),
                     0);
}

static void setup(void)
{
    world_open(&world);
    fake_primary_open(&primary, &world);
    fake_raft_open(&raft, &world);
}
static void teardown(void)
{
    fedstate_replicator_free(replicator);
    fake_raft_close(&raft);
    fake_primary_close(&primary);
    world_close(&world);
}

static struct fedstate_replicator_status status_now(void)
{
    struct fedstate_replicator_status status;

    fedstate_replicator_status(replicator, &status);
    return status;
}

static uint64_t replaced_by(const char *dc)
{
    const Fedstate__FederationState *state =
        fedstate_store_get(world.store, dc);

    return state != NULL ? state->primary_modify_index : 0;
}

static bool equal(void)
{
    size_t i;

    if (fedstate_store_count(world.store) !=
        fedstate_store_count(primary.store))
        return false;
    for (i = 0; i < fedstate_store_count(world.store); i++) {
        const Fedstate__FederationState *ours =
            fedstate_store_at(world.store, i);
        const Fedstate__FederationState *theirs =
            fedstate_store_at(primary.store, i);

        if (!fedstate_same(ours, theirs, false) ||
            ours->primary_modify_index != theirs->modify_index)
            return false;
    }
    return true;
}

START_TEST(the_table_follows_the_primary)
{
    fake_primary_put(&primary, 5, make_state("dc1", 0));
    fake_primary_put(&primary, 6, make_state("dc2", 0));
    put(world.store, 90, make_state("gone", 0));
    begin();
    world_run_ms(&world, 200);
    ck_assert(equal());
    ck_assert_str_eq(raft.order, "-gone +dc1 +dc2"); /* deletions first */
    ck_assert_uint_eq(replaced_by("dc2"), 6);
    ck_assert_int_eq(rounds_ok, 1);
    ck_assert_uint_eq(status_now().remote_index, 6);
    ck_assert_str_eq(status_now().cluster_id, "one");

    raft.order[0] = '\0';
    fake_primary_put(&primary, 7, make_state("dc2", 1,
                                             make_gateway("g", "10.0.0.1",
                                                          "192.0.2.1")));
    world_run_ms(&world, 200); /* nothing polls: the List was waiting */
    ck_assert(equal());
    ck_assert_str_eq(raft.order, "+dc2");
    fake_primary_drop(&primary, 8, "dc1");
    world_run_ms(&world, 200);
    ck_assert(equal());
}
END_TEST

START_TEST(at_rest_nothing_is_written)
{
    fake_primary_put(&primary, 5, make_state("dc1", 0));
    begin();
    world_run_ms(&world, 3600u * 1000u);
    ck_assert_uint_eq(raft.applies, 1);
    ck_assert_uint_le(primary.lists, 14); /* one each 300 s or a bit more */
    ck_assert_uint_ge(primary.lists, 12);
}
END_TEST

START_TEST(a_primary_that_never_blocks_is_asked_once_a_second)
{
    fake_primary_put(&primary, 5, make_state("dc1", 0));
    primary.mode = FAKE_SPINS;
    begin();
    world_run_ms(&world, 100);
    ck_assert_uint_eq(primary.lists, 5); /* the burst */
    world_run_ms(&world, 59900);
    ck_assert_uint_le(primary.lists, 65);
    ck_assert_uint_ge(primary.lists, 60);
    ck_assert_uint_eq(raft.applies, 1);
}
END_TEST

START_TEST(a_lagging_server_is_not_a_rebuilt_primary)
{
    fake_primary_put(&primary, 5, make_state("dc1", 0));
    begin();
    world_run_ms(&world, 1000);
    primary.lag_index = 4; /* and an empty list */
    fake_primary_put(&primary, 6, make_state("dc2", 0));
    world_run_ms(&world, 5000);
    ck_assert_uint_eq(fedstate_store_count(world.store), 1);
    ck_assert_uint_eq(status_now().remote_index, 5);
    ck_assert_uint_ge(world_counter(&world,
                                    "isthmus.fedstate.replication.rounds",
                                    "outcome", "lagging"),
                      1);
    primary.lag_index = 0;
    world_run_ms(&world, 5000);
    ck_assert(equal());
    ck_assert_int_eq(rounds_failed, 0);
}
END_TEST

START_TEST(a_rebuilt_primary_is_synced_in_full)
{
    fake_primary_put(&primary, 50, make_state("dc1", 0));
    fake_primary_put(&primary, 51, make_state("dc2", 0));
    fake_primary_put(&primary, 52, make_state("dc3", 0));
    begin();
    world_run_ms(&world, 2000);
    ck_assert(equal());
    fake_primary_rebuild(&primary, "two");
    /* Smaller indexes, one equal to what we had, and another content. */
    fake_primary_put(&primary, 2, make_state("dc2", 0));
    fake_primary_put(&primary, 52,
                     make_state("dc3", 1,
                                make_gateway("g", "10.0.0.1", "192.0.2.1")));
    world_run_ms(&world, 5000);
    ck_assert(equal());
    ck_assert_str_eq(status_now().cluster_id, "two");
    ck_assert_ptr_null(fedstate_store_get(world.store, "dc1"));
}
END_TEST

START_TEST(a_rebuilt_primary_with_a_small_index_answers_at_once)
{
    fake_primary_put(&primary, 50, make_state("dc1", 0));
    begin();
    world_run_ms(&world, 2000);
    fake_primary_rebuild(&primary, "two");
    world_run_ms(&world, 5000);
    ck_assert(equal()); /* both empty */
    ck_assert_uint_eq(status_now().remote_index, 1);
}
END_TEST

START_TEST(a_new_leader_finds_what_the_old_one_left)
{
    fake_primary_put(&primary, 5, make_state("dc1", 0));
    fake_primary_put(&primary, 6, make_state("dc2", 0));
    begin();
    world_run_ms(&world, 1000);
    fedstate_replicator_free(replicator);
    raft.applies = 0;
    begin(); /* knows no cluster: compares contents, writes nothing */
    world_run_ms(&world, 1000);
    ck_assert_uint_eq(raft.applies, 0);
    ck_assert_int_eq(rounds_ok, 2);
}
END_TEST

START_TEST(failures_back_off_up_to_two_minutes)
{
    uint64_t before = 0;
    unsigned i;

    primary.mode = _i == 0 ? FAKE_FAILS : FAKE_FAILS_AT_ONCE;
    primary.status = BASE_EREFUSED;
    begin();
    for (i = 0; i < 12; i++) {
        unsigned lists = primary.lists;
        uint64_t base_ms = i < 7 ? 1000u << i : 120000u;
        uint64_t gap;

        if (base_ms > 120000)
            base_ms = 120000;
        if (i == 0) {
            world_run_ms(&world, 1);
            ck_assert_uint_eq(primary.lists, 1);
            before = primary.last_list_ms;
            continue;
        }
        base_ms = i - 1 < 7 ? 1000u << (i - 1) : 120000u;
        while (primary.lists == lists)
            world_run_ms(&world, 1);
        gap = primary.last_list_ms - before;
        before = primary.last_list_ms;
        ck_assert_uint_ge(gap, base_ms * 9 / 10);
        ck_assert_uint_le(gap, base_ms + 15);
    }
    ck_assert_int_ge(rounds_failed, 11);
    ck_assert_int_eq(last_failure, BASE_EREFUSED);
    ck_assert_uint_ge(status_now().failures, 11);
    /* It comes back: one success clears it. */
    fake_primary_put(&primary, 5, make_state("dc1", 0));
    primary.mode = FAKE_ANSWERS;
    world_run_ms(&world, 121000);
    ck_assert(equal());
    ck_assert_uint_eq(status_now().failures, 0);
    ck_assert_int_eq(status_now().last_error, 0);
}
END_TEST

START_TEST(a_wake_ends_a_backoff)
{
    primary.mode = FAKE_FAILS;
    primary.status = BASE_EREFUSED;
    begin();
    world_run_ms(&world, 200000);
    primary.mode = FAKE_ANSWERS;
    fake_primary_put(&primary, 5, make_state("dc1", 0));
    fedstate_replicator_wake(replicator);
    world_run_ms(&world, 100);
    ck_assert(equal());
}
END_TEST

/* F2: news of a way, and the first dead gateway that it meets must not cost the
 * two minutes that the pauses had grown to. */
START_TEST(after_a_wake_pauses_begin_at_a_second)
{
    primary.mode = FAKE_FAILS;
    primary.status = BASE_EREFUSED;
    begin();
    world_run_ms(&world, 400000);
    fedstate_replicator_wake(replicator);
    world_run_ms(&world, 100);
    primary.mode = FAKE_ANSWERS;
    fake_primary_put(&primary, 5, make_state("dc1", 0));
    world_run_ms(&world, 1100);
    ck_assert(equal());
}
END_TEST

START_TEST(the_index_is_kept_over_failures)
{
    fake_primary_put(&primary, 5, make_state("dc1", 0));
    begin();
    world_run_ms(&world, 2000);
    raft.mode = FAKE_FAILS;
    raft.status = -490; /* of our Raft: leadership is being lost */
    fake_primary_put(&primary, 6, make_state("dc2", 0));
    world_run_ms(&world, 3000);
    ck_assert_uint_eq(status_now().remote_index, 5);
    ck_assert_uint_eq(primary.last_min_index, 5);
    ck_assert_int_eq(status_now().last_error, -490);
    ck_assert_int_eq(rounds_failed, 0); /* the way there is good */
    raft.mode = FAKE_ANSWERS;
    world_run_ms(&world, 10000);
    ck_assert(equal());
    ck_assert_uint_eq(status_now().remote_index, 6);
}
END_TEST

START_TEST(one_record_that_is_refused_holds_up_no_other)
{
    raft.poison = "dc2";
    raft.status = FEDSTATE_ETOOBIG;
    fake_primary_put(&primary, 5, make_state("dc1", 0));
    fake_primary_put(&primary, 6, make_state("dc2", 0));
    fake_primary_put(&primary, 7, make_state("dc3", 0));
    begin();
    world_run_ms(&world, 600);
    ck_assert_ptr_nonnull(fedstate_store_get(world.store, "dc1"));
    ck_assert_ptr_nonnull(fedstate_store_get(world.store, "dc3"));
    ck_assert_int_eq(rounds_failed, 0);
    ck_assert_int_eq(status_now().last_error, FEDSTATE_ETOOBIG);
    world_run_ms(&world, 3600u * 1000u);
    ck_assert_uint_le(raft.applies, 2 + 45); /* tried again, in no hurry */
    raft.poison = NULL;
    world_run_ms(&world, 121000);
    ck_assert(equal());
}
END_TEST

START_TEST(applies_are_a_hundred_a_second)
{
    uint64_t i;

    for (i = 0; i < 50; i++) {
        char dc[16];

        snprintf(dc, sizeof(dc), "dc%u", (unsigned)i);
        fake_primary_put(&primary, 10 + i, make_state(dc, 0));
    }
    begin();
    world_run_ms(&world, 2000);
    ck_assert(equal());
    ck_assert_uint_eq(raft.last_ms - raft.first_ms, 490);
}
END_TEST

START_TEST(a_silent_primary_is_given_up)
{
    primary.mode = FAKE_IS_SILENT;
    begin();
    world_run_ms(&world, 400000);
    ck_assert_int_eq(last_failure, BASE_ETIMEOUT);
    ck_assert_uint_eq(primary.cancels, 1);
}
END_TEST

START_TEST(an_answer_without_sense_is_a_failure)
{
    primary.cluster_id =
        "0123456789012345678901234567890123456789012345678901234567890123";
    begin();
    world_run_ms(&world, 500);
    ck_assert_int_eq(last_failure, FEDSTATE_EDECODE);
    ck_assert_uint_eq(fedstate_store_count(world.store), 0);
}
END_TEST

START_TEST(it_can_stop_at_any_moment)
{
    unsigned ms;

    fake_primary_put(&primary, 5, make_state("dc1", 0));
    fake_primary_put(&primary, 6, make_state("dc2", 0));
    for (ms = 0; ms < 30; ms++) {
        begin();
        world_run_ms(&world, ms);
        fedstate_replicator_free(replicator);
        ck_assert_ptr_null(primary.calls);
        ck_assert_ptr_null(raft.calls);
        world_run_ms(&world, 100);
        (void)drop(world.store, ++raft.index, "dc1");
    }
    ck_assert_uint_gt(primary.cancels, 5);
    ck_assert_uint_gt(raft.cancels, 0);
    replicator = NULL;
}
END_TEST

Suite *replicator_suite(void)
{
    Suite *suite = suite_create("replicator");
    TCase *tc = tcase_create("replicator");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_table_follows_the_primary);
    tcase_add_test(tc, at_rest_nothing_is_written);
    tcase_add_test(tc, a_primary_that_never_blocks_is_asked_once_a_second);
    tcase_add_test(tc, a_lagging_server_is_not_a_rebuilt_primary);
    tcase_add_test(tc, a_rebuilt_primary_is_synced_in_full);
    tcase_add_test(tc, a_rebuilt_primary_with_a_small_index_answers_at_once);
    tcase_add_test(tc, a_new_leader_finds_what_the_old_one_left);
    tcase_add_loop_test(tc, failures_back_off_up_to_two_minutes, 0, 2);
    tcase_add_test(tc, a_wake_ends_a_backoff);
    tcase_add_test(tc, after_a_wake_pauses_begin_at_a_second);
    tcase_add_test(tc, the_index_is_kept_over_failures);
    tcase_add_test(tc, one_record_that_is_refused_holds_up_no_other);
    tcase_add_test(tc, applies_are_a_hundred_a_second);
    tcase_add_test(tc, a_silent_primary_is_given_up);
    tcase_add_test(tc, an_answer_without_sense_is_a_failure);
    tcase_add_test(tc, it_can_stop_at_any_moment);
    suite_add_tcase(suite, tc);
    return suite;
}
