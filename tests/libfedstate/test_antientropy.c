/* Our own record follows our catalog, and never in a hot loop. */
#include "fedstate/antientropy.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "fakes.h"
#include "fedstate/replicator.h"

static struct world world;
static struct fake_primary primary;
static struct fake_raft raft;
static struct fedstate_antientropy *antientropy;
static Fedstate__FederationState *catalog; /* its gateways are what we have */
static unsigned looks;

static uint64_t gateways(void *ctx, Fedstate__CheckServiceNode ***out,
                         size_t *count)
{
    size_t i;

    (void)ctx;
    looks++;
    *count = catalog->n_mesh_gateways;
    *out = base_calloc(*count + 1, sizeof(**out));
    for (i = 0; i < *count; i++)
        (*out)[i] = base_pb_dup(catalog->mesh_gateways[i]);
    return 1;
}
static const struct fedstate_catalog_ops catalog_ops = {.version = 1,
                                                        .gateways = gateways};

static void begin(struct fedstate_primary towards, bool is_primary)
{
    struct fedstate_antientropy_config config = {
        .datacenter = "dc2",
        .store = world.store,
        .catalog = &catalog_ops,
        .primary = towards,
        .is_primary = is_primary,
    };

    ck_assert_int_eq(fedstate_antientropy_new(world.env, &config, &antientropy),
                     0);
}

static void setup(void)
{
    world_open(&world);
    fake_primary_open(&primary, &world);
    fake_raft_open(&raft, &world);
    catalog = make_state("dc2", 1, make_gateway("g1", "10.2.0.1", "192.0.2.1"));
}
static void teardown(void)
{
    fedstate_antientropy_free(antientropy);
    fake_raft_close(&raft);
    fake_primary_close(&primary);
    base_pb_free(catalog);
    world_close(&world);
}

static void change_catalog(const char *node)
{
    add_gateway(catalog, make_gateway(node, "10.2.0.9", "192.0.2.9"));
    fedstate_antientropy_changed(antientropy);
}

static bool in_sync(void)
{
    const Fedstate__FederationState *own =
        fedstate_store_get(world.store, "dc2");

    return own != NULL && fedstate_same(own, catalog, false);
}

START_TEST(the_primary_applies_to_itself)
{
    begin(fake_raft_as_primary(&raft), true);
    world_run_ms(&world, 10);
    ck_assert(in_sync());
    ck_assert_int_ne(fedstate_store_get(world.store, "dc2")->updated_at_ns, 0);
    world_run_ms(&world, 10000);
    change_catalog("g2");
    world_run_ms(&world, 10); /* after a quiet time: at once */
    ck_assert(in_sync());
    ck_assert_uint_eq(raft.applies, 2);
    world_run_ms(&world, 3600000);
    ck_assert_uint_eq(raft.applies, 2);
    ck_assert_uint_le(looks, 5);
}
END_TEST

/* A gateway comes as a service, then its check passes, then another: none of
 * these may wait for the one before. */
START_TEST(a_few_changes_in_a_row_do_not_wait)
{
    int i;

    begin(fake_raft_as_primary(&raft), true);
    world_run_ms(&world, 10000);
    for (i = 0; i < 4; i++) {
        change_catalog("step");
        world_run_ms(&world, 200);
        ck_assert(in_sync());
    }
}
END_TEST

static bool knows_states;
static unsigned asked;

static bool supported(void *ctx)
{
    (void)ctx;
    asked++;
    return knows_states;
}

/* F8: while a server is too old nothing is sent and nothing spins. */
START_TEST(an_old_server_is_waited_out)
{
    struct fedstate_antientropy_config config = {
        .datacenter = "dc2",
        .store = world.store,
        .catalog = &catalog_ops,
        .primary = fake_raft_as_primary(&raft),
        .supported = supported,
    };
    struct fedstate_antientropy_status status;

    knows_states = false;
    asked = 0;
    ck_assert_int_eq(fedstate_antientropy_new(world.env, &config, &antientropy),
                     0);
    world_run_ms(&world, 3600000);
    fedstate_antientropy_status(antientropy, &status);
    ck_assert(status.unsupported);
    ck_assert_uint_eq(raft.applies, 0);
    ck_assert_uint_eq(asked, 1);
    fedstate_antientropy_wake(antientropy); /* some other member came */
    world_run_ms(&world, 1000);
    ck_assert_uint_eq(asked, 2);
    knows_states = true;
    fedstate_antientropy_wake(antientropy);
    world_run_ms(&world, 1000);
    ck_assert(in_sync());
    fedstate_antientropy_status(antientropy, &status);
    ck_assert(!status.unsupported);
    /* What is stored was known once: a newcomer that is too old stops nothing. */
    knows_states = false;
    change_catalog("g2");
    world_run_ms(&world, 1000);
    ck_assert(in_sync());
}
END_TEST

START_TEST(a_catalog_that_never_rests_costs_one_a_second)
{
    int i;

    begin(fake_raft_as_primary(&raft), true);
    world_run_ms(&world, 5000);
    raft.applies = 0;
    for (i = 0; i < 100; i++) {
        change_catalog("more");
        world_run_ms(&world, 100);
    }
    world_run_ms(&world, 2000);
    ck_assert(in_sync());
    ck_assert_uint_le(raft.applies, 17); /* a burst of five, then the pace */
    ck_assert_uint_ge(raft.applies, 10);
}
END_TEST

START_TEST(no_gateway_is_a_state_too)
{
    base_pb_free(catalog);
    catalog = make_state("dc2", 0);
    begin(fake_raft_as_primary(&raft), true);
    world_run_ms(&world, 10);
    ck_assert_ptr_nonnull(fedstate_store_get(world.store, "dc2"));
    ck_assert(in_sync());
}
END_TEST

START_TEST(chatty_outputs_cost_a_write_in_five_minutes)
{
    char output[16];
    unsigned i;

    begin(fake_raft_as_primary(&raft), true);
    world_run_ms(&world, 2000);
    raft.applies = 0;
    for (i = 0; i < 3600; i++) { /* an hour of it */
        snprintf(output, sizeof(output), "%u ms", i);
        set_output(catalog->mesh_gateways[0], output);
        fedstate_antientropy_changed(antientropy);
        world_run_ms(&world, 1000);
    }
    ck_assert_uint_le(raft.applies, 17); /* a burst of five, then the pace */
    ck_assert_uint_ge(raft.applies, 10);
    /* A change that matters does not wait behind them. */
    raft.applies = 0;
    set_status(catalog->mesh_gateways[0], "critical");
    fedstate_antientropy_changed(antientropy);
    world_run_ms(&world, 200);
    ck_assert_uint_eq(raft.applies, 1);
    ck_assert(in_sync());
}
END_TEST

START_TEST(a_record_that_somebody_changed_is_put_right)
{
    begin(fake_raft_as_primary(&raft), true);
    world_run_ms(&world, 5000);
    put(world.store, ++raft.index, make_state("dc2", 0));
    world_run_ms(&world, 10);
    ck_assert(in_sync());
    ck_assert_int_eq(drop(world.store, ++raft.index, "dc2"), 0);
    world_run_ms(&world, 1100);
    ck_assert(in_sync());
    put(world.store, ++raft.index, make_state("dc9", 0)); /* not ours */
    looks = 0;
    world_run_ms(&world, 10000);
    ck_assert_uint_eq(looks, 0);
}
END_TEST

/* A secondary: Apply goes to the primary, the record comes back by
 * replication. */
static struct fedstate_replicator *start_replicator(void)
{
    struct fedstate_replicator_config config = {
        .store = world.store,
        .primary = fake_primary_ops(&primary),
        .local = fake_raft_ops(&raft),
    };
    struct fedstate_replicator *replicator;

    ck_assert_int_eq(fedstate_replicator_new(world.env, &config, &replicator),
                     0);
    return replicator;
}

START_TEST(a_secondary_sends_once_and_sees_it_come_back)
{
    struct fedstate_replicator *replicator = start_replicator();
    unsigned i;

    begin(fake_primary_ops(&primary), false);
    for (i = 1; i <= 5; i++) {
        world_run_ms(&world, 5000);
        ck_assert(in_sync());
        ck_assert_uint_eq(primary.applies, i);
        change_catalog("more");
    }
    fedstate_replicator_free(replicator);
}
END_TEST

START_TEST(without_replication_it_does_not_send_in_a_loop)
{
    begin(fake_primary_ops(&primary), false);
    world_run_ms(&world, 4000);
    ck_assert_uint_eq(primary.applies, 1); /* replication may be slow */
    world_run_ms(&world, 3600u * 1000u);
    /* The first succeeds, the others meet it: a conflict, and a backoff. */
    ck_assert_uint_le(primary.applies, 40);
    ck_assert_uint_ge(primary.applies, 20);
    ck_assert_uint_le(looks, 100);
}
END_TEST

static void overtake(struct fake_primary *at)
{
    at->on_apply = NULL;
    fake_primary_put(at, fedstate_store_index(at->store) + 1,
                     make_state("dc2", 0));
}

START_TEST(a_conflict_reads_again)
{
    struct fedstate_replicator *replicator = start_replicator();

    begin(fake_primary_ops(&primary), false);
    world_run_ms(&world, 5000);
    primary.on_apply = overtake;
    primary.applies = 0;
    change_catalog("g2");
    world_run_ms(&world, 5000);
    ck_assert(in_sync());
    ck_assert_uint_eq(primary.applies, 2);
    ck_assert_uint_eq(world_counter(&world,
                                    "isthmus.fedstate.antientropy.syncs",
                                    "outcome", "conflict"),
                      1);
    fedstate_replicator_free(replicator);
}
END_TEST

/* F8: what is unsupported, or fails, costs a few calls an hour, whatever moves
 * meanwhile. */
START_TEST(failing_is_no_hot_loop)
{
    unsigned i;

    primary.mode = _i == 0 ? FAKE_FAILS : FAKE_FAILS_AT_ONCE;
    primary.status = FEDSTATE_EOP;
    begin(fake_primary_ops(&primary), false);
    for (i = 0; i < 3600; i++) {
        world_run_ms(&world, 1000);
        fedstate_antientropy_changed(antientropy);
    }
    ck_assert_uint_le(primary.applies, 45);
    ck_assert_uint_ge(primary.applies, 30);
    primary.mode = FAKE_ANSWERS;
    world_run_ms(&world, 121000);
    ck_assert_ptr_nonnull(fedstate_store_get(primary.store, "dc2"));
}
END_TEST

START_TEST(a_promoted_datacenter_counts_by_its_own_indexes)
{
    Fedstate__FederationState *old = make_state("dc2", 0);

    old->primary_modify_index = 7; /* of the primary that ruled before */
    put(world.store, ++raft.index, old);
    begin(fake_raft_as_primary(&raft), true);
    world_run_ms(&world, 10);
    ck_assert(in_sync());
    ck_assert_uint_eq(raft.applies, 1);
}
END_TEST

START_TEST(its_state_can_be_shown)
{
    struct fedstate_antientropy_status status;

    primary.mode = FAKE_FAILS;
    primary.status = BASE_EREFUSED;
    begin(fake_primary_ops(&primary), false);
    world_run_ms(&world, 1500);
    fedstate_antientropy_status(antientropy, &status);
    ck_assert(!status.in_sync);
    ck_assert_uint_ge(status.failures, 1);
    ck_assert_int_eq(status.last_error, BASE_EREFUSED);
}
END_TEST

START_TEST(it_can_stop_in_the_middle_of_a_call)
{
    primary.mode = FAKE_IS_SILENT;
    begin(fake_primary_ops(&primary), false);
    world_run_ms(&world, 100);
    ck_assert_uint_eq(primary.applies, 1);
    fedstate_antientropy_free(antientropy);
    antientropy = NULL;
    ck_assert_uint_eq(primary.cancels, 1);
    put(world.store, 500, make_state("dc2", 0));
    world_run_ms(&world, 10000);
}
END_TEST

Suite *antientropy_suite(void)
{
    Suite *suite = suite_create("antientropy");
    TCase *tc = tcase_create("antientropy");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, the_primary_applies_to_itself);
    tcase_add_test(tc, a_few_changes_in_a_row_do_not_wait);
    tcase_add_test(tc, an_old_server_is_waited_out);
    tcase_add_test(tc, a_catalog_that_never_rests_costs_one_a_second);
    tcase_add_test(tc, no_gateway_is_a_state_too);
    tcase_add_test(tc, chatty_outputs_cost_a_write_in_five_minutes);
    tcase_add_test(tc, a_record_that_somebody_changed_is_put_right);
    tcase_add_test(tc, a_secondary_sends_once_and_sees_it_come_back);
    tcase_add_test(tc, without_replication_it_does_not_send_in_a_loop);
    tcase_add_test(tc, a_conflict_reads_again);
    tcase_add_loop_test(tc, failing_is_no_hot_loop, 0, 2);
    tcase_add_test(tc, a_promoted_datacenter_counts_by_its_own_indexes);
    tcase_add_test(tc, its_state_can_be_shown);
    tcase_add_test(tc, it_can_stop_in_the_middle_of_a_call);
    suite_add_tcase(suite, tc);
    return suite;
}
