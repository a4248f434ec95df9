/* The SQLite storage on a real loop and a real disk: what it wrote is there
 * again, in any format that it knows, and kill -9 loses nothing answered. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "entry.h"
#include "raft/storage_sqlite.h"
#include "sqlite_bed.h"
#include "suite.h"

START_TEST(what_was_written_is_there_again)
{
    struct raft_write vote = {.set_vote = true, .term = 7, .voted_for = "s2"};
    struct sqlite_bed world;
    size_t i;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    ck_assert_uint_eq(world.stored.term, 0);
    ck_assert_uint_eq(world.stored.entry_count, 0);
    ck_assert_int_eq(bed_write(&world, &vote), 0);
    bed_write_entries(&world, 1, 3000, 7);
    bed_write_entries(&world, 3001, 1, 7);
    bed_reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.term, 7);
    ck_assert_str_eq(world.stored.voted_for, "s2");
    ck_assert_uint_eq(world.stored.entry_count, 3001);
    for (i = 0; i < 3001; i++) {
        ck_assert_uint_eq(world.stored.entries[i].index, i + 1);
        ck_assert_mem_eq(world.stored.entries[i].data, "0123456789abcdef", 16);
    }
    bed_teardown(&world);
}
END_TEST

/* At the start of a row, in the middle of one, of everything. */
static const raft_index cuts[] = {1, 2, 50, 100, 101, 102, 150, 200};

START_TEST(a_truncated_log_stays_truncated)
{
    struct raft_entry entry = bed_entry(cuts[_i], 9, "new", 3);
    struct raft_write write = {.truncate_from = cuts[_i],
                               .entries = &entry,
                               .entry_count = 1};
    struct sqlite_bed world;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    bed_write_entries(&world, 1, 100, 1);
    bed_write_entries(&world, 101, 100, 1);
    ck_assert_int_eq(bed_write(&world, &write), 0);
    bed_reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.entry_count, cuts[_i]);
    ck_assert_uint_eq(world.stored.entries[cuts[_i] - 1].term, 9);
    ck_assert_mem_eq(world.stored.entries[cuts[_i] - 1].data, "new", 3);
    bed_teardown(&world);
}
END_TEST

START_TEST(an_entry_of_the_largest_size_fits)
{
    uint8_t *data = base_calloc(1, RAFT_ENTRY_BYTES_MAX);
    struct raft_entry entries[2];
    struct raft_write write = {.entries = entries, .entry_count = 2};
    struct sqlite_bed world;

    memset(data, 'x', RAFT_ENTRY_BYTES_MAX);
    entries[0] = bed_entry(1, 1, data, RAFT_ENTRY_BYTES_MAX);
    entries[1] = bed_entry(2, 1, data, 0);
    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    ck_assert_int_eq(bed_write(&world, &write), 0);
    bed_reopen(&world);
    ck_assert_uint_eq(world.stored.entry_count, 2);
    ck_assert_uint_eq(world.stored.entries[0].len, RAFT_ENTRY_BYTES_MAX);
    ck_assert_mem_eq(world.stored.entries[0].data, data, RAFT_ENTRY_BYTES_MAX);
    bed_teardown(&world);
    base_free(data);
}
END_TEST

START_TEST(a_second_opener_is_locked_out)
{
    struct raft_storage *other;
    struct sqlite_bed world;
    char *why = NULL;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(raft_storage_sqlite_open(base_loop_env(world.loop),
                                              world.folder, "s1", &other,
                                              &why),
                     RAFT_ELOCKED);
    ck_assert_ptr_nonnull(strstr(why, "lock"));
    ck_assert_ptr_null(other);
    base_free(why);
    bed_teardown(&world);
}
END_TEST

START_TEST(another_servers_folder_is_refused)
{
    struct sqlite_bed world;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    bed_write_entries(&world, 1, 10, 1);
    bed_close_storage(&world);
    ck_assert_int_eq(bed_open(&world, "s2"), RAFT_EFOREIGN);
    bed_reopen(&world); /* and unharmed */
    ck_assert_uint_eq(world.stored.entry_count, 10);
    bed_teardown(&world);
}
END_TEST

START_TEST(an_older_format_is_migrated)
{
    struct sqlite_bed world;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    bed_write_entries(&world, 1, 3, 1);
    bed_close_storage(&world);
    /* Rows of format 1 had no room, and said where they end. */
    bed_meddle(&world, "UPDATE meta SET value = '1' WHERE key = 'format';"
                   "UPDATE log SET last = 3, entries ="
                   " CAST(substr(entries, 1, 3 * 41) AS BLOB)");
    bed_reopen(&world);
    ck_assert_uint_eq(world.stored.entry_count, 3);
    bed_write_entries(&world, 4, 3, 1);
    bed_reopen(&world);
    ck_assert_uint_eq(world.stored.entry_count, 6);
    bed_close_storage(&world);
    ck_assert_int_eq(bed_ask(&world, "SELECT value FROM meta"
                                 " WHERE key = 'format'"), 2);
    bed_teardown(&world);
}
END_TEST

START_TEST(small_writes_share_a_row)
{
    struct raft_write cut = {.truncate_from = 95};
    struct sqlite_bed world;
    raft_index index;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    for (index = 1; index <= 100; index++)
        bed_write_entries(&world, index, 1, 1);
    bed_write_entries(&world, 101, 1000, 1); /* one of its own, after them */
    bed_write_entries(&world, 1101, 1, 1);
    bed_close_storage(&world);
    ck_assert_int_eq(bed_ask(&world, "SELECT count(*) FROM log"), 3);
    bed_reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.entry_count, 1101);
    /* Cut in the row that had room, which has none from then on. */
    ck_assert_int_eq(bed_write(&world, &cut), 0);
    bed_write_entries(&world, 95, 2, 2);
    bed_write_entries(&world, 97, 2, 2);
    bed_reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.entry_count, 98);
    ck_assert_uint_eq(world.stored.entries[93].term, 1);
    ck_assert_uint_eq(world.stored.entries[94].term, 2);
    bed_teardown(&world);
}
END_TEST

/* Something was to be there, or the disk is not to be trusted. */
START_TEST(a_byte_in_the_room_is_damage)
{
    struct sqlite_bed world;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    bed_write_entries(&world, 1, 5, 1);
    bed_close_storage(&world);
    bed_meddle(&world, "UPDATE log SET entries = CAST(substr(entries, 1, 4000) ||"
                   " x'01' || substr(entries, 4002) AS BLOB)");
    bed_reopen(&world);
    ck_assert(world.stored.behind);
    ck_assert_uint_eq(world.stored.entry_count, 5);
    bed_teardown(&world);
}
END_TEST

START_TEST(a_newer_format_is_refused)
{
    struct sqlite_bed world;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    bed_close_storage(&world);
    bed_meddle(&world, "UPDATE meta SET value = '99' WHERE key = 'format'");
    ck_assert_int_eq(bed_open(&world, "s1"), RAFT_EFORMAT);
    bed_teardown(&world);
}
END_TEST

/* The write-ahead log is moved away in the background and does not grow. */
START_TEST(the_write_ahead_log_stays_small)
{
    struct sqlite_bed world;
    char path[128];
    struct stat info;
    raft_index at = 1;
    unsigned i;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    for (i = 0; i < 1500; i++, at += 1000)
        bed_write_entries(&world, at, 1000, 1);
    snprintf(path, sizeof(path), "%s/raft.db-wal", world.folder);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_lt(info.st_size, 40 << 20); /* of 60 MiB written */
    bed_teardown(&world);
}
END_TEST

struct reading {
    struct sqlite_bed *world;
    uint64_t offset;
    bool last;
};

static void on_read(void *arg, int status, const void *data, size_t len,
                    bool last)
{
    struct reading *reading = arg;
    const uint8_t *bytes = data;
    size_t i;

    for (i = 0; status == 0 && i < len; i++)
        ck_assert_uint_eq(bytes[i], bed_content_at((size_t)reading->offset + i));
    reading->offset += len;
    reading->last = last;
    reading->world->status = status;
}

static int read_piece(struct sqlite_bed *world, struct reading *reading,
                      raft_index index)
{
    world->status = 1;
    ck_assert_int_eq(world->storage->ops->snapshot_read(
                         world->storage, index, reading->offset, 77777,
                         on_read, reading),
                     0);
    return bed_wait(world);
}

START_TEST(a_snapshot_replaces_the_log_before_it)
{
    struct sqlite_bed world;
    struct reading reading = {&world, 0, false};

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    bed_write_entries(&world, 1, 50, 2);
    bed_write_entries(&world, 51, 50, 2);
    bed_take_snapshot(&world, 80, 2, 60);
    bed_write_entries(&world, 101, 5, 2);
    bed_reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.snapshot_index, 80);
    ck_assert_uint_eq(world.stored.snapshot_term, 2);
    ck_assert_uint_eq(world.stored.snapshot_configuration.server_count, 1);
    ck_assert_uint_eq(world.stored.entry_count, 25);
    ck_assert_uint_eq(world.stored.entries[0].index, 81);
    while (!reading.last)
        ck_assert_int_eq(read_piece(&world, &reading, 80), 0);
    ck_assert_uint_eq(reading.offset, (uint64_t)PIECE * PIECES);
    ck_assert_int_lt(read_piece(&world, &reading, 79), 0); /* not that one */
    bed_teardown(&world);
}
END_TEST

START_TEST(a_foreign_log_goes_when_a_snapshot_is_installed)
{
    struct sqlite_bed world;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    bed_write_entries(&world, 1, 100, 2);
    bed_take_snapshot(&world, 80, 5, 80); /* another term at 80 */
    bed_reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.snapshot_index, 80);
    ck_assert_uint_eq(world.stored.entry_count, 0);
    bed_teardown(&world);
}
END_TEST

START_TEST(a_damaged_snapshot_is_found)
{
    struct sqlite_bed world;
    struct reading reading = {&world, 0, false};
    char name[64];

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    bed_write_entries(&world, 1, 100, 2);
    bed_take_snapshot(&world, 80, 2, 80);
    snprintf(name, sizeof(name), "snapshot-%020u", 80);
    bed_overwrite(&world, name, 70000, "\xff\x00\xff", 3);
    ck_assert_int_eq(read_piece(&world, &reading, 80), RAFT_ECORRUPT);
    bed_teardown(&world);
}
END_TEST

/* ---- kill -9 ---- */


/* Writes entries and tells each through a pipe once it is durable, until it
 * is killed. */
static void child_writes(struct sqlite_bed *world, int fd)
{
    raft_index next;

    bed_start(world);
    if (bed_open(world, "s1") != 0 || bed_load(world) != 0)
        _exit(1);
    next = world->stored.entry_count + 1;
    for (;;) {
        size_t count = 1 + (size_t)(next % 7);

        bed_write_entries(world, next, count, 1);
        next += count;
        if (write(fd, &next, sizeof(next)) < 0)
            _exit(1);
    }
}

START_TEST(kill_9_loses_nothing_that_was_answered)
{
    struct sqlite_bed world;
    raft_index answered = 1;
    unsigned round;

    bed_folder(&world);
    for (round = 0; round < 15; round++) {
        raft_index seen;
        int pipes[2];
        pid_t child;
        unsigned i;

        ck_assert_int_eq(pipe(pipes), 0);
        child = fork();
        if (child == 0) {
            close(pipes[0]);
            child_writes(&world, pipes[1]);
        }
        close(pipes[1]);
        for (i = 0; i < 5 + round * 3; i++) {
            ck_assert_int_eq(read(pipes[0], &seen, sizeof(seen)),
                             (ssize_t)sizeof(seen));
            answered = seen;
        }
        kill(child, SIGKILL);
        while (read(pipes[0], &seen, sizeof(seen)) == (ssize_t)sizeof(seen))
            answered = seen;
        waitpid(child, NULL, 0);
        close(pipes[0]);
        bed_start(&world);
        ck_assert_int_eq(bed_open(&world, "s1"), 0);
        ck_assert_int_eq(bed_load(&world), 0);
        ck_assert(!world.stored.behind);
        ck_assert_uint_ge(world.stored.entry_count + 1, answered);
        bed_stop(&world);
    }
    bed_remove(world.folder);
}
END_TEST

Suite *storage_sqlite_suite(void);

Suite *storage_sqlite_suite(void)
{
    Suite *suite = suite_create("storage_sqlite");
    TCase *tcase = tcase_create("storage_sqlite");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, what_was_written_is_there_again);
    tcase_add_loop_test(tcase, a_truncated_log_stays_truncated, 0,
                        (int)(sizeof(cuts) / sizeof(cuts[0])));
    tcase_add_test(tcase, an_entry_of_the_largest_size_fits);
    tcase_add_test(tcase, a_second_opener_is_locked_out);
    tcase_add_test(tcase, another_servers_folder_is_refused);
    tcase_add_test(tcase, an_older_format_is_migrated);
    tcase_add_test(tcase, small_writes_share_a_row);
    tcase_add_test(tcase, a_byte_in_the_room_is_damage);
    tcase_add_test(tcase, a_newer_format_is_refused);
    tcase_add_test(tcase, the_write_ahead_log_stays_small);
    tcase_add_test(tcase, a_snapshot_replaces_the_log_before_it);
    tcase_add_test(tcase, a_foreign_log_goes_when_a_snapshot_is_installed);
    tcase_add_test(tcase, a_damaged_snapshot_is_found);
    tcase_add_test(tcase, kill_9_loses_nothing_that_was_answered);
    suite_add_tcase(suite, tcase);
    return suite;
}
