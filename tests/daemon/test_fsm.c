/*
 * The state machine: which log entries it runs, skips or stops at, and that a
 * snapshot brings back all that was there, indexes included.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/sim.h"
#include "raft/error.h"
#include "server/fsm.h"
#include "suite.h"

static struct base_sim *sim;
static struct base_env *env;
static struct fsm fsm;

static void setup(void)
{
    struct base_addr addr;

    sim = base_sim_new(1);
    base_addr_parse_ip(&addr, "10.0.0.1");
    env = base_sim_host_env(base_sim_host_new(sim, "host", &addr, 1), "main");
    fsm_init(&fsm, env);
}

static void teardown(void)
{
    fsm_close(&fsm);
    base_sim_free(sim);
}

/* Applies one entry; the status of the record is in *applied. */
static int apply(uint64_t index, const void *data, size_t len, int *applied)
{
    struct raft_entry entry = {.index = index,
                               .data = (void *)(uintptr_t)data,
                               .len = (uint32_t)len};
    struct raft_fsm table = fsm_ops(&fsm);
    void *result = NULL;
    int rv = table.ops->apply(table.ctx, &entry, 1, &result);

    if (applied && result)
        *applied = ((struct fsm_result *)result)->status;
    if (result)
        table.ops->drop_result(table.ctx, result);
    return rv;
}

static int apply_command(uint64_t index, enum fsm_command command,
                         const void *message, int *applied)
{
    struct base_buf entry = BASE_BUF_INIT;
    int rv;

    fsm_encode(&entry, command, message);
    rv = apply(index, base_buf_data(&entry), base_buf_len(&entry), applied);
    base_buf_close(&entry);
    return rv;
}

static void put_node(uint64_t index, const char *name)
{
    Server__Register say = SERVER__REGISTER__INIT;
    Fedstate__Node node = FEDSTATE__NODE__INIT;
    int applied = -1;

    node.node = (char *)name;
    node.address = (char *)"10.0.0.9";
    say.node = &node;
    ck_assert_int_eq(apply_command(index, FSM_REGISTER, &say, &applied), 0);
    ck_assert_int_eq(applied, 0);
}

static void change_state(uint64_t index, const char *dc, bool remove)
{
    Fedstate__Change change = FEDSTATE__CHANGE__INIT;
    Fedstate__FederationState state = FEDSTATE__FEDERATION_STATE__INIT;
    int applied = -1;

    state.datacenter = (char *)dc;
    change.state = &state;
    change.unconditional = true;
    change.op = remove ? FEDSTATE__CHANGE__OP__DELETE
                       : FEDSTATE__CHANGE__OP__UPSERT;
    ck_assert_int_eq(
        apply_command(index, FSM_FEDERATION_STATE, &change, &applied), 0);
    ck_assert_int_eq(applied, 0);
}

START_TEST(an_unknown_command_stops_the_server)
{
    ck_assert_int_eq(apply(1, "\x05xyz", 4, NULL), RAFT_EFORMAT);
    ck_assert_int_eq(apply(1, "\x7f", 1, NULL), RAFT_EFORMAT);
    ck_assert_uint_eq(fsm.applied, 0);
}
END_TEST

START_TEST(an_ignorable_command_is_skipped)
{
    ck_assert_int_eq(apply(1, "\x80", 1, NULL), 0);
    ck_assert_int_eq(apply(2, "\xff\xff\xff", 3, NULL), 0);
    ck_assert_uint_eq(fsm.applied, 2);
    ck_assert_uint_eq(fsm.catalog.index, 0);
}
END_TEST

START_TEST(a_malformed_command_stops_the_server)
{
    ck_assert_int_eq(apply(1, "", 0, NULL), RAFT_EDECODE);
    ck_assert_int_eq(apply(1, "\x01\x0a\x7f", 3, NULL), RAFT_EDECODE);
    ck_assert_int_eq(apply(1, "\x03\xff\xff\xff", 4, NULL), RAFT_EDECODE);
    ck_assert_uint_eq(fsm.applied, 0);
}
END_TEST

/* A record that is refused is not one that is broken: the log goes on. */
START_TEST(a_refused_record_goes_on)
{
    Server__Register say = SERVER__REGISTER__INIT;
    int applied = 0;

    ck_assert_int_eq(apply_command(1, FSM_REGISTER, &say, &applied), 0);
    ck_assert_int_lt(applied, 0);
    ck_assert_uint_eq(fsm.applied, 1);
}
END_TEST

/* Reads an image in small pieces, as it is sent. */
static void take(struct base_buf *out)
{
    struct raft_fsm table = fsm_ops(&fsm);
    void *image;
    int rv;

    ck_assert_int_eq(table.ops->snapshot(table.ctx, &image), 0);
    /* What is applied from now on is not in it. */
    put_node(99, "late");
    do {
        size_t before = base_buf_len(out);

        rv = table.ops->snapshot_read(table.ctx, image, 7, out);
        ck_assert_int_ge(rv, 0);
        ck_assert_uint_le(base_buf_len(out) - before, 7);
    } while (rv == 0);
    table.ops->snapshot_free(table.ctx, image);
}

static int restore(const void *data, size_t len, bool ok)
{
    struct raft_fsm table = fsm_ops(&fsm);
    size_t half = len / 2;

    ck_assert_int_eq(table.ops->restore_begin(table.ctx), 0);
    ck_assert_int_eq(table.ops->restore_write(table.ctx, data, half), 0);
    ck_assert_int_eq(table.ops->restore_write(
                         table.ctx, (const char *)data + half, len - half),
                     0);
    return table.ops->restore_end(table.ctx, ok);
}

START_TEST(a_snapshot_brings_everything_back)
{
    struct base_buf image = BASE_BUF_INIT;
    const struct catalog_node *node;

    put_node(3, "a");
    put_node(4, "b");
    change_state(5, "dc1", false);
    change_state(6, "dc2", false);
    change_state(7, "dc2", true);
    take(&image);
    fsm_close(&fsm);
    fsm_init(&fsm, env);
    ck_assert_int_eq(
        restore(base_buf_data(&image), base_buf_len(&image), true), 0);
    ck_assert_uint_eq(fsm.catalog.index, 4);
    ck_assert_uint_eq(fsm.catalog.node_count, 2);
    node = catalog_find(&fsm.catalog, "b");
    ck_assert_uint_eq(node->node->create_index, 4);
    ck_assert_uint_eq(node->node->modify_index, 4);
    /* A delete moved the table last, and its readers' index survives. */
    ck_assert_uint_eq(fedstate_store_index(fsm.store), 7);
    ck_assert_uint_eq(fedstate_store_index_of(fsm.store, "dc2"), 7);
    ck_assert_uint_eq(fedstate_store_get(fsm.store, "dc1")->modify_index, 5);
    base_buf_close(&image);
}
END_TEST

static void on_watch(void *arg, enum watch_wake why)
{
    ck_assert_int_eq(why, WATCH_CHANGED);
    (*(unsigned *)arg)++;
}

START_TEST(a_restore_wakes_readers)
{
    struct base_buf image = BASE_BUF_INIT;
    struct watch *watch;
    unsigned woken = 0;

    take(&image);
    base_sim_run_for_ms(sim, 1);
    ck_assert_int_eq(watch_add(&fsm.catalog.watches, 60000, false, on_watch,
                               &woken, &watch),
                     0);
    ck_assert_int_eq(
        restore(base_buf_data(&image), base_buf_len(&image), true), 0);
    ck_assert_uint_eq(woken, 0); /* from the loop, not from inside */
    base_sim_run_for_ms(sim, 1);
    ck_assert_uint_eq(woken, 1);
    base_buf_close(&image);
}
END_TEST

START_TEST(a_broken_snapshot_is_refused)
{
    struct base_buf image = BASE_BUF_INIT;
    uint8_t *bytes;

    put_node(3, "a");
    take(&image);
    ck_assert_int_eq(restore(base_buf_data(&image), base_buf_len(&image) - 1,
                             true),
                     RAFT_EDECODE);
    /* An unknown version: its first field is the version, 08 01. */
    bytes = image.bytes + image.start;
    ck_assert_uint_eq(bytes[0], 0x08);
    bytes[1] = 2;
    ck_assert_int_eq(
        restore(base_buf_data(&image), base_buf_len(&image), true),
        RAFT_EDECODE);
    ck_assert_int_eq(restore("", 0, true), RAFT_EDECODE);
    /* The old state is still there. */
    ck_assert_ptr_nonnull(catalog_find(&fsm.catalog, "late"));
    base_buf_close(&image);
}
END_TEST

START_TEST(an_abandoned_restore_changes_nothing)
{
    put_node(3, "a");
    ck_assert_int_eq(restore("garbage", 7, false), 0);
    ck_assert_ptr_nonnull(catalog_find(&fsm.catalog, "a"));
    ck_assert_uint_eq(fsm.catalog.index, 3);
}
END_TEST

Suite *fsm_suite(void)
{
    Suite *suite = suite_create("fsm");
    TCase *tcase = tcase_create("fsm");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_unknown_command_stops_the_server);
    tcase_add_test(tcase, an_ignorable_command_is_skipped);
    tcase_add_test(tcase, a_malformed_command_stops_the_server);
    tcase_add_test(tcase, a_refused_record_goes_on);
    tcase_add_test(tcase, a_snapshot_brings_everything_back);
    tcase_add_test(tcase, a_restore_wakes_readers);
    tcase_add_test(tcase, a_broken_snapshot_is_refused);
    tcase_add_test(tcase, an_abandoned_restore_changes_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
