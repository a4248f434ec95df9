/*
 * The SQLite storage on disks in trouble (fault_disk.h): one script of votes,
 * appends, a truncation and a snapshot, with the power going off at each of its
 * writes and syncs in turn, each of its syncs failing, the disk full after so
 * many bytes, the process killed, and bits flipped. What was acknowledged is
 * there afterwards, or the storage says that it is not.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/sim.h"
#include "entry.h"
#include "fault_disk.h"
#include "raft/storage_sqlite.h"
#include "sqlite_side.h"
#include "suite.h"

#define SEEDS 2 /* of what becomes of writes that were not synced */
#define ENTRIES_MAX 40
#define BIG_BYTES 90000 /* one entry of more than a row */

/* ---- the script, and what the disk must show after each step ---- */

enum step_kind { STEP_WRITE, STEP_SNAPSHOT };

struct step {
    enum step_kind kind;
    raft_term vote_term; /* 0: none */
    const char *vote;
    raft_index truncate_from, from, to; /* entries from..to of term */
    raft_term term;
    bool big;
    raft_index snapshot, keep_after;
};

static const struct step script[] = {
    {.vote_term = 1, .vote = "s1"},
    {.from = 1, .to = 3, .term = 1},
    {.from = 4, .to = 12, .term = 1},
    {.vote_term = 2, .vote = "s2", .from = 13, .to = 13, .term = 2},
    {.truncate_from = 6, .from = 6, .to = 10, .term = 2},
    {.from = 11, .to = 11, .term = 2, .big = true},
    {.kind = STEP_SNAPSHOT, .snapshot = 8, .keep_after = 4},
    {.from = 12, .to = 20, .term = 2},
    {.vote_term = 3, .vote = "s3"},
    {.vote_term = 4, .vote = ""},
    {.truncate_from = 15, .from = 15, .to = 16, .term = 4},
    {.kind = STEP_SNAPSHOT, .snapshot = 16, .keep_after = 16},
    {.from = 17, .to = 19, .term = 4}};
#define STEPS ((unsigned)(sizeof(script) / sizeof(script[0])))

struct shown {
    raft_term term;
    char vote[RAFT_ID_MAX];
    raft_index last, snapshot;
    raft_term terms[ENTRIES_MAX]; /* of the entries after the snapshot */
};

static void expect_step(struct shown *shown, const struct step *step)
{
    raft_index i;

    if (step->vote_term != 0) {
        shown->term = step->vote_term;
        strcpy(shown->vote, step->vote);
    }
    if (step->kind == STEP_SNAPSHOT) {
        shown->snapshot = step->snapshot;
        for (i = 0; i <= step->snapshot; i++)
            shown->terms[i] = 0;
    }
    if (step->truncate_from != 0)
        shown->last = step->truncate_from - 1;
    for (i = step->from; i != 0 && i <= step->to; i++) {
        shown->terms[i] = step->term;
        shown->last = i;
    }
    for (i = shown->last + 1; i < ENTRIES_MAX; i++)
        shown->terms[i] = 0;
}

static struct shown expected_after(unsigned steps)
{
    struct shown shown = {0};
    unsigned i;

    for (i = 0; i < steps; i++)
        expect_step(&shown, &script[i]);
    return shown;
}

static bool same(const struct shown *a, const struct shown *b)
{
    return a->term == b->term && strcmp(a->vote, b->vote) == 0 &&
           a->last == b->last && a->snapshot == b->snapshot &&
           memcmp(a->terms, b->terms, sizeof(a->terms)) == 0;
}

/* ---- a storage on such a disk, in virtual time ---- */

struct world {
    struct base_sim *sim;
    struct base_sim_host *host;
    struct base_env *env;
    struct fault_disk *disk;
    struct raft_storage *storage;
    int status; /* 1: not yet */
    struct raft_stored stored;
};

static uint64_t chance(void *arg, uint64_t bound)
{
    return base_sim_random_below(arg, bound);
}

static void setup_world(struct world *world, uint64_t seed)
{
    struct base_addr addr;

    memset(world, 0, sizeof(*world));
    world->sim = base_sim_new(seed);
    base_addr_parse(&addr, "10.0.0.1:1", 0);
    world->host = base_sim_host_new(world->sim, "s1", &addr, 1);
    world->disk = fault_disk_new(chance, world->sim);
}

static void free_stored(struct raft_stored *stored)
{
    size_t i;

    for (i = 0; i < stored->entry_count; i++)
        base_free((void *)stored->entries[i].data);
    base_free(stored->entries);
    memset(stored, 0, sizeof(*stored));
}

/* The machine stops here; nothing more reaches the disk. */
static void stop(struct world *world)
{
    fault_disk_off(world->disk);
    base_sim_host_crash(world->host);
    if (world->storage != NULL)
        world->storage->ops->close(world->storage);
    world->storage = NULL;
}

static void teardown_world(struct world *world)
{
    stop(world);
    free_stored(&world->stored);
    fault_disk_free(world->disk);
    base_sim_free(world->sim);
}

static void on_done(void *arg, int status)
{
    ((struct world *)arg)->status = status;
}

static void on_loaded(void *arg, int status, struct raft_stored *stored)
{
    struct world *world = arg;

    world->status = status;
    free_stored(&world->stored);
    if (status == 0)
        world->stored = *stored;
}

static bool is_done(void *arg)
{
    return ((struct world *)arg)->status != 1;
}

static int wait_done(struct world *world, int rv)
{
    if (rv < 0)
        return rv;
    ck_assert(base_sim_run_until_true(world->sim, is_done, world, 60000));
    return world->status;
}

static int open_and_load(struct world *world)
{
    char *why = NULL;
    int rv;

    world->env = base_sim_host_env(world->host, "main");
    rv = raft_storage_sqlite_open(world->env, fault_disk_folder(world->disk),
                                  "s1", &world->storage, &why);
    ck_assert(rv == 0 || why != NULL); /* never without a sentence */
    base_free(why);
    if (rv < 0)
        return rv;
    world->status = 1;
    return wait_done(world, world->storage->ops->load(world->storage,
                                                      on_loaded, world));
}

/* ---- running the script ---- */

static uint8_t content[BIG_BYTES];

static int run_write(struct world *world, const struct step *step)
{
    struct raft_entry entries[ENTRIES_MAX];
    struct raft_write write = {.set_vote = step->vote_term != 0,
                               .term = step->vote_term,
                               .voted_for = step->vote,
                               .truncate_from = step->truncate_from,
                               .entries = entries};
    raft_index i;

    for (i = step->from; i != 0 && i <= step->to; i++) {
        struct raft_entry *entry = &entries[write.entry_count++];

        *entry = (struct raft_entry){.index = i,
                                     .term = step->term,
                                     .type = RAFT_ENTRY_COMMAND,
                                     .data = content,
                                     .len = step->big ? BIG_BYTES : 64};
        entry->checksum = entry_checksum(entry);
    }
    world->status = 1;
    return wait_done(world, world->storage->ops->write(
                                world->storage, &write, on_done, world));
}

static int run_snapshot(struct world *world, const struct step *step)
{
    const struct raft_storage_ops *ops = world->storage->ops;
    static const struct raft_configuration configuration = {
        .server_count = 1,
        .servers = {{.id = "s1", .address = "10.0.0.1:1"}},
        .cluster_id = "c"};
    int rv = ops->snapshot_begin(world->storage, step->snapshot, 2,
                                 &configuration, 1);

    world->status = 1;
    if (rv == 0)
        rv = wait_done(world, ops->snapshot_append(world->storage, content,
                                                   BIG_BYTES, on_done, world));
    world->status = 1;
    if (rv == 0)
        rv = wait_done(world, ops->snapshot_finish(world->storage,
                                                   step->keep_after, on_done,
                                                   world));
    return rv;
}

/* Steps from..; how many were acknowledged before the first that was not. */
static unsigned run_script(struct world *world, unsigned from)
{
    while (from < STEPS) {
        const struct step *step = &script[from];
        int rv = step->kind == STEP_WRITE ? run_write(world, step)
                                          : run_snapshot(world, step);

        if (rv < 0)
            break;
        from++;
    }
    return from;
}

static struct shown shown_now(const struct world *world)
{
    const struct raft_stored *stored = &world->stored;
    struct shown shown = {.term = stored->term,
                          .last = stored->snapshot_index,
                          .snapshot = stored->snapshot_index};
    size_t i;

    strcpy(shown.vote, stored->voted_for);
    for (i = 0; i < stored->entry_count; i++) {
        shown.last = stored->entries[i].index;
        ck_assert_uint_lt(shown.last, ENTRIES_MAX);
        shown.terms[shown.last] = stored->entries[i].term;
    }
    return shown;
}

/* What was acknowledged is there, and of what was not, all or nothing. */
static void must_show(const struct world *world, unsigned acknowledged)
{
    struct shown shown = shown_now(world);
    struct shown before = expected_after(acknowledged);
    struct shown after =
        expected_after(acknowledged < STEPS ? acknowledged + 1 : STEPS);

    ck_assert_msg(!world->stored.behind,
                  "behind, with %u steps acknowledged", acknowledged);
    ck_assert_msg(same(&shown, &before) || same(&shown, &after),
                  "%u steps acknowledged; term %u vote %s last %u", acknowledged,
                  (unsigned)shown.term, shown.vote, (unsigned)shown.last);
}

/* ---- the power goes off ---- */

/* At the nth write or sync; false when the script was through before. */
static bool power_off_at(uint64_t nth, uint64_t seed)
{
    struct world world;
    unsigned acknowledged = 0;
    bool cut;

    setup_world(&world, seed);
    fault_disk_cut_at(world.disk, nth);
    if (open_and_load(&world) == 0)
        acknowledged = run_script(&world, 0);
    cut = fault_disk_is_off(world.disk);
    stop(&world);
    fault_disk_on_after_power_loss(world.disk);
    ck_assert_int_eq(open_and_load(&world), 0);
    must_show(&world, acknowledged);
    teardown_world(&world);
    return cut;
}

START_TEST(power_may_go_off_at_any_write_or_sync)
{
    uint64_t nth = 1;

    while (power_off_at(nth, (uint64_t)_i * 1000 + nth))
        nth++;
    ck_assert_uint_gt(nth, 50); /* the script has so many */
}
END_TEST

/* A process that is killed leaves writes behind that no sync has covered. What
 * the next one finds, and acknowledges, has to outlive the power all the
 * same. */
START_TEST(what_is_loaded_after_a_kill_is_safe_from_then_on)
{
    uint64_t nth;
    bool cut = true;

    for (nth = 1; cut; nth++) {
        struct world world;
        struct shown first, second;

        setup_world(&world, (uint64_t)_i * 1000 + nth);
        fault_disk_cut_at(world.disk, nth);
        if (open_and_load(&world) == 0)
            run_script(&world, 0);
        cut = fault_disk_is_off(world.disk);
        stop(&world);
        fault_disk_on_after_kill(world.disk);
        ck_assert_int_eq(open_and_load(&world), 0);
        first = shown_now(&world);
        stop(&world);
        fault_disk_on_after_power_loss(world.disk);
        ck_assert_int_eq(open_and_load(&world), 0);
        second = shown_now(&world);
        ck_assert_msg(!world.stored.behind && same(&first, &second),
                      "killed at %u: %u entries, then %u", (unsigned)nth,
                      (unsigned)first.last, (unsigned)second.last);
        teardown_world(&world);
    }
}
END_TEST

/* ---- a sync fails, the disk is full ---- */

START_TEST(a_failed_sync_is_final_and_loses_nothing)
{
    uint64_t nth;
    bool failed = true;

    for (nth = 1; failed; nth++) {
        struct world world;
        unsigned acknowledged = 0;

        setup_world(&world, (uint64_t)_i * 1000 + nth);
        fault_disk_fail_sync_at(world.disk, nth);
        if (open_and_load(&world) == 0) {
            acknowledged = run_script(&world, 0);
            if (acknowledged < STEPS)
                ck_assert_int_lt(run_write(&world, &script[0]), 0);
        }
        failed = fault_disk_counts(world.disk)->failed_syncs > 0;
        stop(&world);
        fault_disk_on_after_power_loss(world.disk);
        ck_assert_int_eq(open_and_load(&world), 0);
        must_show(&world, acknowledged);
        teardown_world(&world);
    }
    ck_assert_uint_gt(nth, 15);
}
END_TEST

START_TEST(a_full_disk_leaves_a_log_that_loads)
{
    uint64_t room;
    bool full = true;

    for (room = 0; full; room += 20011) {
        struct world world;
        unsigned acknowledged = 0;

        setup_world(&world, room + (uint64_t)_i);
        fault_disk_set_room(world.disk, room);
        if (open_and_load(&world) == 0)
            acknowledged = run_script(&world, 0);
        full = fault_disk_counts(world.disk)->full > 0;
        stop(&world);
        if (_i == 0)
            fault_disk_on_after_kill(world.disk);
        else
            fault_disk_on_after_power_loss(world.disk);
        fault_disk_set_room(world.disk, UINT64_MAX);
        ck_assert_int_eq(open_and_load(&world), 0);
        must_show(&world, acknowledged);
        teardown_world(&world);
    }
    ck_assert_uint_gt(room, 100000);
}
END_TEST

/* ---- the side record, whose appends are written and not synced ---- */

/* The worst that power can do: of all that was written since the last sync
 * nothing but noise is left. */
START_TEST(the_slot_that_was_synced_last_is_never_torn)
{
    struct side_record record = {.term = 1};
    uint8_t before[8192] = {0}, after[8192] = {0};
    struct side_file side;
    struct world world;
    char *path;
    size_t i;
    int fd;

    setup_world(&world, 1);
    path = base_asprintf("%s/side", fault_disk_folder(world.disk));
    ck_assert_int_eq(side_open(&side, path), 0);
    for (record.last_index = 1; record.last_index <= 3; record.last_index++)
        ck_assert_int_eq(side_write(&side, &record, true), 0);
    fd = open(path, O_RDWR);
    ck_assert_int_gt(pread(fd, before, sizeof(before), 0), 0);
    for (; record.last_index <= 3 + (raft_index)_i; record.last_index++)
        ck_assert_int_eq(side_write(&side, &record, false), 0);
    ck_assert_int_gt(pread(fd, after, sizeof(after), 0), 0);
    for (i = 0; i < sizeof(after); i++) {
        if (after[i] != before[i])
            ck_assert_int_eq(pwrite(fd, "?", 1, (off_t)i), 1);
    }
    close(fd);
    side_close(&side);
    ck_assert_int_eq(side_open(&side, path), 0);
    ck_assert_uint_eq(side.record.last_index, 3);
    side_close(&side);
    base_free(path);
    teardown_world(&world);
}
END_TEST

/* ---- bits flip ---- */

/* Entries that are shown are the right ones, or it says that it is behind, or
 * it refuses. */
START_TEST(a_flipped_bit_is_never_believed)
{
    unsigned found = 0, seed;

    for (seed = 0; seed < 200; seed++) {
        struct world world;
        struct shown shown, all = expected_after(STEPS);
        raft_index i;

        setup_world(&world, seed);
        ck_assert_int_eq(open_and_load(&world), 0);
        ck_assert_uint_eq(run_script(&world, 0), STEPS);
        stop(&world);
        fault_disk_on_after_kill(world.disk);
        fault_disk_flip_bit(world.disk);
        if (open_and_load(&world) < 0) {
            found++;
        } else {
            shown = shown_now(&world);
            found += world.stored.behind;
            if (shown.term > all.term) { /* safe: a term it was never in */
                shown.term = all.term;
                strcpy(shown.vote, all.vote);
            }
            ck_assert_msg(world.stored.behind || same(&shown, &all),
                          "seed %u: term %u vote %s last %u snapshot %u", seed,
                          (unsigned)shown.term, shown.vote,
                          (unsigned)shown.last, (unsigned)shown.snapshot);
            for (i = shown.snapshot + 1; i <= shown.last; i++)
                ck_assert_uint_eq(shown.terms[i],
                                  shown.snapshot == all.snapshot
                                      ? all.terms[i]
                                      : shown.terms[i]);
        }
        teardown_world(&world);
    }
    ck_assert_uint_gt(found, 0);
}
END_TEST

Suite *storage_faults_suite(void);

Suite *storage_faults_suite(void)
{
    Suite *suite = suite_create("storage_faults");
    TCase *tcase = tcase_create("storage_faults");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, power_may_go_off_at_any_write_or_sync, 0, SEEDS);
    tcase_add_loop_test(tcase, what_is_loaded_after_a_kill_is_safe_from_then_on,
                        0, SEEDS);
    tcase_add_loop_test(tcase, a_failed_sync_is_final_and_loses_nothing, 0, 2);
    tcase_add_loop_test(tcase, a_full_disk_leaves_a_log_that_loads, 0, 2);
    tcase_add_loop_test(tcase, the_slot_that_was_synced_last_is_never_torn, 1,
                        5);
    tcase_add_test(tcase, a_flipped_bit_is_never_believed);
    suite_add_tcase(suite, tcase);
    return suite;
}
