/* The state machine's side of the contract: one that is durable by itself, and
 * one that fails. A single server, so that every entry is its own. */
#include <string.h>

#include "base/sim.h"
#include "raft/node.h"
#include "raft/storage_memory.h"
#include "suite.h"

struct world {
    struct base_sim *sim;
    struct base_sim_host *host;
    struct raft_memory_disk *disk;
    struct raft_node *node;
    int fatal_err;
    /* The state machine. What a crash leaves of it is all of it. */
    raft_index applied;
    unsigned count, restores;
    bool fails;
    unsigned acked;
};

static int send(void *ctx, const struct raft_server *to, const void *data,
                size_t len)
{
    (void)ctx;
    (void)to;
    (void)data;
    (void)len;
    return 0;
}

static int apply(void *ctx, const struct raft_entry *entries, size_t count,
                 void **results)
{
    struct world *world = ctx;
    size_t i;

    (void)results;
    if (world->fails)
        return -1;
    for (i = 0; i < count; i++) {
        ck_assert_uint_gt(entries[i].index, world->applied);
        world->applied = entries[i].index;
        world->count++;
    }
    return 0;
}

static int snapshot(void *ctx, void **image)
{
    *image = ctx;
    return 0;
}

static int snapshot_read(void *ctx, void *image, size_t limit,
                         struct base_buf *out)
{
    (void)ctx;
    (void)image;
    (void)limit;
    base_buf_append(out, "state", 5);
    return 1;
}

static void snapshot_free(void *ctx, void *image)
{
    (void)ctx;
    (void)image;
}

static int restore_begin(void *ctx)
{
    ((struct world *)ctx)->restores++;
    return 0;
}

static int restore_write(void *ctx, const void *data, size_t len)
{
    (void)ctx;
    (void)data;
    (void)len;
    return 0;
}

static int restore_end(void *ctx, bool ok)
{
    (void)ctx;
    (void)ok;
    return 0;
}

static raft_index last_applied(void *ctx)
{
    return ((struct world *)ctx)->applied;
}

static void on_fatal(void *ctx, int err, const char *why)
{
    ck_assert_ptr_nonnull(why);
    ((struct world *)ctx)->fatal_err = err;
}

static void boot(struct world *world)
{
    static const struct raft_transport_ops transport = {.version = 1,
                                                        .send = send};
    static const struct raft_fsm_ops fsm = {.version = 2,
                                            .apply = apply,
                                            .snapshot = snapshot,
                                            .snapshot_read = snapshot_read,
                                            .snapshot_free = snapshot_free,
                                            .restore_begin = restore_begin,
                                            .restore_write = restore_write,
                                            .restore_end = restore_end,
                                            .last_applied = last_applied};
    struct base_env *env = base_sim_host_env(world->host, "main");
    struct raft_node_config config = {.id = "s0",
                                      .transport = {&transport, NULL},
                                      .fsm = {&fsm, world},
                                      .snapshot_threshold = 20,
                                      .snapshot_trailing = 5,
                                      .on_fatal = on_fatal,
                                      .ctx = world};

    world->fatal_err = 0;
    config.storage = raft_storage_memory_open(env, world->disk);
    ck_assert_int_eq(raft_node_new(env, &config, &world->node), 0);
    base_sim_run_for_ms(world->sim, 3000);
}

static void crash(struct world *world)
{
    base_sim_host_crash(world->host);
    raft_node_free(world->node);
    world->node = NULL;
}

static void setup(struct world *world)
{
    struct raft_configuration alone = {.server_count = 1};
    struct base_addr addr;

    memset(world, 0, sizeof(*world));
    strcpy(alone.servers[0].id, "s0");
    world->sim = base_sim_new(3);
    base_addr_parse(&addr, "10.0.0.1:8300", 0);
    world->host = base_sim_host_new(world->sim, "s0", &addr, 1);
    world->disk = raft_memory_disk_new();
    boot(world);
    ck_assert_int_eq(raft_node_bootstrap(world->node, &alone, NULL, NULL), 0);
    base_sim_run_for_ms(world->sim, 3000);
}

static void teardown(struct world *world)
{
    crash(world);
    raft_memory_disk_free(world->disk);
    base_sim_free(world->sim);
}

static void on_acked(void *arg, int status, raft_index index, void *result)
{
    (void)index;
    (void)result;
    ((struct world *)arg)->acked += status == 0;
}

static void propose(struct world *world, unsigned count)
{
    while (count-- > 0)
        ck_assert_int_eq(
            raft_node_propose(world->node, "x", 1, on_acked, world), 0);
    base_sim_run_for_ms(world->sim, 1000);
}

/* Without a snapshot, and with one. */
static const unsigned counts[] = {10, 50};

START_TEST(a_durable_state_goes_on_where_it_is)
{
    struct world world;
    unsigned count = counts[_i];

    setup(&world);
    propose(&world, count);
    ck_assert_uint_eq(world.acked, count);
    crash(&world);
    boot(&world);
    propose(&world, 5);
    ck_assert_uint_eq(world.count, count + 5); /* none twice, none skipped */
    ck_assert_uint_eq(world.restores, 0);
    teardown(&world);
}
END_TEST

START_TEST(a_state_that_lost_everything_is_restored)
{
    struct world world;

    setup(&world);
    propose(&world, 50);
    crash(&world);
    world.applied = 0;
    world.count = 0;
    boot(&world);
    ck_assert_uint_eq(world.restores, 1);
    teardown(&world);
}
END_TEST

START_TEST(a_state_ahead_of_its_log_is_refused)
{
    struct world world;

    setup(&world);
    propose(&world, 5);
    crash(&world);
    world.applied += 100;
    boot(&world);
    ck_assert_int_eq(world.fatal_err, RAFT_EFOREIGN);
    teardown(&world);
}
END_TEST

START_TEST(a_state_machine_that_fails_stops_the_server_and_skips_nothing)
{
    struct raft_status status;
    struct world world;

    setup(&world);
    propose(&world, 5);
    world.fails = true;
    propose(&world, 3);
    ck_assert_int_eq(world.fatal_err, RAFT_EFSM);
    ck_assert_uint_eq(world.acked, 5);
    raft_node_status(world.node, &status);
    ck_assert(status.stopped);
    ck_assert_int_eq(raft_node_propose(world.node, "x", 1, NULL, NULL),
                     RAFT_ESTOPPED);
    crash(&world);
    world.fails = false;
    boot(&world);
    ck_assert_uint_eq(world.count, 8);
    teardown(&world);
}
END_TEST

Suite *raft_fsm_suite(void)
{
    Suite *suite = suite_create("fsm");
    TCase *tcase = tcase_create("all");

    tcase_add_loop_test(tcase, a_durable_state_goes_on_where_it_is, 0, 2);
    tcase_add_test(tcase, a_state_that_lost_everything_is_restored);
    tcase_add_test(tcase, a_state_ahead_of_its_log_is_refused);
    tcase_add_test(
        tcase, a_state_machine_that_fails_stops_the_server_and_skips_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
