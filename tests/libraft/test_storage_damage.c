/* Files of the SQLite storage that were damaged, or have lost something: it is
 * found at the next start and said, and nothing that was promised is forgotten. */
#include <fcntl.h>
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

START_TEST(garbage_is_no_database)
{
    struct sqlite_bed world;
    char garbage[8192];

    memset(garbage, 0x5a, sizeof(garbage));
    bed_setup(&world);
    bed_overwrite(&world, "raft.db", 0, garbage, sizeof(garbage));
    ck_assert_int_eq(bed_open(&world, "s1"), RAFT_ECORRUPT);
    bed_teardown(&world);
}
END_TEST

/* One byte in its data; 1 to 6 take 41 bytes each in the same row. */
static void damage_entry_7(struct sqlite_bed *world)
{
    bed_meddle(world, "UPDATE log SET entries = CAST(substr(entries, 1, 274) ||"
                  " x'FF' || substr(entries, 276) AS BLOB) WHERE first = 1");
}

START_TEST(a_damaged_entry_is_found)
{
    struct sqlite_bed world;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    bed_write_entries(&world, 1, 5, 1);
    bed_write_entries(&world, 6, 5, 1);
    bed_close_storage(&world);
    damage_entry_7(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    ck_assert(world.stored.behind);
    ck_assert_uint_eq(world.stored.entry_count, 6); /* not served */
    bed_teardown(&world);
}
END_TEST

/* What was lost is noted before the promise of it is taken back, and the log
 * can begin anew at the damaged entry. */
START_TEST(what_is_being_repaired_is_remembered)
{
    struct raft_write begin = {.set_vote = true,
                               .term = 4,
                               .voted_for = "",
                               .truncate_from = 7,
                               .set_repair = true,
                               .repair_until = 12};
    struct raft_write end = {.set_repair = true};
    struct sqlite_bed world;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    bed_write_entries(&world, 1, 5, 1);
    bed_write_entries(&world, 6, 5, 1);
    bed_close_storage(&world);
    damage_entry_7(&world);
    bed_reopen(&world);
    ck_assert(world.stored.behind);
    ck_assert_int_eq(bed_write(&world, &begin), 0);
    bed_reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.repair_until, 12);
    ck_assert_uint_eq(world.stored.entry_count, 6);
    bed_write_entries(&world, 7, 6, 4);
    bed_reopen(&world);
    ck_assert_uint_eq(world.stored.repair_until, 12); /* not our judgement */
    ck_assert_int_eq(bed_write(&world, &end), 0);
    bed_reopen(&world);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.repair_until, 0);
    ck_assert_uint_eq(world.stored.entry_count, 12);
    bed_teardown(&world);
}
END_TEST

START_TEST(less_than_the_side_record_promises_is_found)
{
    struct raft_write vote = {.set_vote = true, .term = 7, .voted_for = "s2"};
    struct sqlite_bed world;

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    bed_write_entries(&world, 1, 10, 1);
    ck_assert_int_eq(bed_write(&world, &vote), 0);
    bed_close_storage(&world);
    bed_meddle(&world, "UPDATE state SET term = 6, voted_for = ''");
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    ck_assert(world.stored.behind);
    ck_assert_uint_eq(world.stored.term, 7); /* the newer one is believed */
    ck_assert_str_eq(world.stored.voted_for, "s2");
    bed_close_storage(&world);
    bed_meddle(&world, "UPDATE state SET term = 7; DELETE FROM log");
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    ck_assert(world.stored.behind);
    bed_teardown(&world);
}
END_TEST

static void append(struct sqlite_bed *world)
{
    bed_write_entries(world, 1, 10, 1);
    bed_write_entries(world, 11, 10, 1);
}

/* The tail that was replaced is as long as the new one, and the vote was before
 * it: only the term of the last entry tells. */
static void replace(struct sqlite_bed *world)
{
    struct raft_write vote = {.set_vote = true, .term = 2, .voted_for = "s2"};
    struct raft_entry entry = bed_entry(10, 2, "new", 3);
    struct raft_write write = {
        .truncate_from = 10, .entries = &entry, .entry_count = 1};

    bed_write_entries(world, 1, 10, 1);
    bed_write(world, &vote);
    bed_write(world, &write);
}

static void (*const last_writes[])(struct sqlite_bed *world) = {append, replace};

/* A bit flipped in the write-ahead log drops everything after it, without a
 * word from SQLite: the reason for the side record. The process dies so that
 * closing does not move the log away. */
START_TEST(a_bit_flipped_in_the_write_ahead_log_is_found)
{
    struct sqlite_bed world;
    char path[128];
    struct stat info;
    uint8_t byte;
    int fd, status;
    pid_t child;

    bed_folder(&world);
    child = fork();
    if (child == 0) {
        bed_start(&world);
        if (bed_open(&world, "s1") != 0)
            _exit(1);
        bed_load(&world);
        last_writes[_i](&world);
        kill(getpid(), SIGKILL);
    }
    waitpid(child, &status, 0);
    ck_assert(WIFSIGNALED(status));
    snprintf(path, sizeof(path), "%s/raft.db-wal", world.folder);
    fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &info), 0);
    /* In the last frame, which holds the newest page: zeros follow it. */
    do {
        ck_assert_int_eq(pread(fd, &byte, 1, --info.st_size), 1);
    } while (byte == 0);
    byte ^= 0x10;
    ck_assert_int_eq(pwrite(fd, &byte, 1, info.st_size), 1);
    close(fd);
    bed_start(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    ck_assert(world.stored.behind);
    ck_assert_uint_lt(world.stored.entry_count, 20);
    bed_teardown(&world);
}
END_TEST

START_TEST(one_spoilt_slot_of_the_side_record_is_survived)
{
    struct raft_write vote = {.set_vote = true, .term = 3, .voted_for = "s1"};
    struct sqlite_bed world;
    char zeros[512] = {1, 2, 3};

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    ck_assert_int_eq(bed_write(&world, &vote), 0);
    bed_write_entries(&world, 1, 10, 3);
    bed_close_storage(&world);
    bed_overwrite(&world, "side", 4096, zeros, sizeof(zeros));
    bed_reopen(&world);
    ck_assert(!world.stored.behind);
    bed_close_storage(&world);
    bed_overwrite(&world, "side", 0, zeros, sizeof(zeros));
    bed_overwrite(&world, "side", 4096, zeros, sizeof(zeros));
    ck_assert_int_eq(bed_open(&world, "s1"), RAFT_ECORRUPT);
    bed_teardown(&world);
}
END_TEST

/* ---- damaged files ---- */

static bool is_there(const struct sqlite_bed *world, const char *name)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", world->folder, name);
    return access(path, F_OK) == 0;
}

/* A server with a log, a vote and, past its side record, nothing else. */
static void with_history(struct sqlite_bed *world)
{
    struct raft_write vote = {.set_vote = true, .term = 9, .voted_for = "s3"};

    bed_setup(world);
    ck_assert_int_eq(bed_open(world, "s1"), 0);
    ck_assert_int_eq(bed_load(world), 0);
    bed_write_entries(world, 1, 200, 2);
    bed_write_entries(world, 201, 100, 2);
    ck_assert_int_eq(bed_write(world, &vote), 0);
    bed_close_storage(world);
}

static void expect_begun_anew(struct sqlite_bed *world)
{
    ck_assert_int_eq(bed_open(world, "s1"), 0);
    ck_assert_int_eq(bed_load(world), 0);
    ck_assert(world->stored.behind);
    ck_assert_uint_eq(world->stored.entry_count, 0);
    ck_assert_uint_eq(world->stored.snapshot_index, 0);
    ck_assert_uint_eq(world->stored.term, 9); /* promises are not lost */
    ck_assert_str_eq(world->stored.voted_for, "s3");
    ck_assert(is_there(world, "raft.db.damaged"));
}

/* The header, the schema, the root of the log and a page below it. */
static const off_t damaged_pages[] = {0, 100, 4096, 3 * 4096, 5 * 4096};

START_TEST(a_damaged_database_is_put_aside)
{
    struct sqlite_bed world;
    char garbage[2048];

    memset(garbage, 0x5a, sizeof(garbage));
    with_history(&world);
    bed_overwrite(&world, "raft.db", damaged_pages[_i], garbage,
              sizeof(garbage));
    expect_begun_anew(&world);
    /* A term that is written meanwhile hides nothing. */
    bed_close_storage(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    ck_assert_int_eq(
        bed_write(&world, &(struct raft_write){.set_vote = true, .term = 9,
                                               .voted_for = "s3"}),
        0);
    bed_close_storage(&world);
    expect_begun_anew(&world);
    /* What a leader gives back ends it, once it says until where. */
    ck_assert_int_eq(
        bed_write(&world, &(struct raft_write){.set_repair = true,
                                               .repair_until = 40}),
        0);
    bed_close_storage(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    ck_assert(!world.stored.behind);
    ck_assert_uint_eq(world.stored.repair_until, 40);
    bed_teardown(&world);
}
END_TEST

/* The same for a tail that is missing: only the side record knew it. */
START_TEST(a_lost_tail_stays_lost_when_a_term_is_written)
{
    struct sqlite_bed world;

    with_history(&world);
    bed_meddle(&world, "DELETE FROM log WHERE first > 200");
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    ck_assert(world.stored.behind);
    ck_assert_int_eq(
        bed_write(&world, &(struct raft_write){.set_vote = true, .term = 10,
                                               .voted_for = ""}),
        0);
    bed_close_storage(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    ck_assert(world.stored.behind);
    ck_assert_uint_eq(world.stored.term, 10);
    bed_teardown(&world);
}
END_TEST

START_TEST(a_damaged_snapshot_takes_all_with_it)
{
    struct raft_write vote = {.set_vote = true, .term = 9, .voted_for = "s3"};
    struct sqlite_bed world;
    char name[64];

    bed_setup(&world);
    ck_assert_int_eq(bed_open(&world, "s1"), 0);
    ck_assert_int_eq(bed_load(&world), 0);
    bed_write_entries(&world, 1, 100, 2);
    ck_assert_int_eq(bed_write(&world, &vote), 0);
    bed_take_snapshot(&world, 80, 2, 80);
    bed_close_storage(&world);
    snprintf(name, sizeof(name), "snapshot-%020u", 80);
    bed_overwrite(&world, name, 70000, "\xff\x00\xff", 3);
    expect_begun_anew(&world);
    bed_teardown(&world);
}
END_TEST

START_TEST(files_of_others_are_refused_damaged_or_not)
{
    struct sqlite_bed world;
    char garbage[200];

    memset(garbage, 0x5a, sizeof(garbage));
    with_history(&world);
    bed_overwrite(&world, "raft.db", 0, garbage, sizeof(garbage));
    ck_assert_int_eq(bed_open(&world, "s2"), RAFT_EFOREIGN);
    ck_assert(!is_there(&world, "raft.db.damaged"));
    /* A later layout of the side record, in both slots. */
    bed_overwrite(&world, "side", 7, "9", 1);
    bed_overwrite(&world, "side", 4096 + 7, "9", 1);
    ck_assert_int_eq(bed_open(&world, "s1"), RAFT_EFORMAT);
    ck_assert(!is_there(&world, "raft.db.damaged"));
    /* Without one, nobody knows what was promised. */
    bed_overwrite(&world, "side", 0, garbage, sizeof(garbage));
    bed_overwrite(&world, "side", 4096, garbage, sizeof(garbage));
    ck_assert_int_eq(bed_open(&world, "s1"), RAFT_ECORRUPT);
    ck_assert(!is_there(&world, "raft.db.damaged"));
    bed_teardown(&world);
}
END_TEST

Suite *storage_damage_suite(void);

Suite *storage_damage_suite(void)
{
    Suite *suite = suite_create("storage_damage");
    TCase *tcase = tcase_create("storage_damage");

    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, garbage_is_no_database);
    tcase_add_test(tcase, a_damaged_entry_is_found);
    tcase_add_test(tcase, what_is_being_repaired_is_remembered);
    tcase_add_test(tcase, less_than_the_side_record_promises_is_found);
    tcase_add_loop_test(tcase, a_bit_flipped_in_the_write_ahead_log_is_found,
                        0, BASE_COUNT_OF(last_writes));
    tcase_add_test(tcase, one_spoilt_slot_of_the_side_record_is_survived);
    tcase_add_loop_test(tcase, a_damaged_database_is_put_aside, 0,
                        (int)BASE_COUNT_OF(damaged_pages));
    tcase_add_test(tcase, a_lost_tail_stays_lost_when_a_term_is_written);
    tcase_add_test(tcase, a_damaged_snapshot_takes_all_with_it);
    tcase_add_test(tcase, files_of_others_are_refused_damaged_or_not);
    suite_add_tcase(suite, tcase);
    return suite;
}
