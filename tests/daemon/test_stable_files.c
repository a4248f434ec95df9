/* Small files that outlive a crash: whole, old or new, or an error. */
#include "agent/stable_files.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/loop.h"
#include "suite.h"

static char folder[] = "/tmp/isthmus-stable-XXXXXX";
static char *path, *aside;

static void setup(void)
{
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = base_asprintf("%s/blob", folder);
    aside = base_asprintf("%s.tmp", path);
}

static void teardown(void)
{
    chmod(folder, 0700);
    unlink(path);
    unlink(aside);
    rmdir(path);
    rmdir(aside);
    ck_assert_int_eq(rmdir(folder), 0);
    base_free(path);
    base_free(aside);
}

/* What the file says. */
static bool says(const char *text)
{
    struct base_buf content = BASE_BUF_INIT;
    int rv = stable_read_file(path, 1 << 20, &content);
    bool same = rv == 0 && base_buf_len(&content) == strlen(text) &&
                memcmp(base_buf_data(&content), text, strlen(text)) == 0;

    base_buf_close(&content);
    return same;
}

START_TEST(what_is_written_is_read)
{
    struct stat about;

    ck_assert_int_eq(stable_write_file(path, "old", 3), 0);
    ck_assert(says("old"));
    ck_assert_int_eq(stable_write_file(path, "newer", 5), 0);
    ck_assert(says("newer"));
    ck_assert_int_eq(stable_write_file(path, "", 0), 0);
    ck_assert(says(""));
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
    ck_assert_int_ne(access(aside, F_OK), 0);
}
END_TEST

START_TEST(limits_and_missing_files)
{
    struct base_buf content = BASE_BUF_INIT;

    ck_assert_int_eq(stable_read_file(path, 10, &content), BASE_ENOTFOUND);
    ck_assert_int_eq(stable_write_file(path, "0123456789", 10), 0);
    ck_assert_int_eq(stable_read_file(path, 10, &content), 0);
    base_buf_reset(&content);
    ck_assert_int_eq(stable_read_file(path, 9, &content), BASE_ETOOBIG);
    base_buf_close(&content);
    ck_assert_int_eq(stable_write_file("/nonexistent/folder/x", "x", 1),
                     BASE_ENOTFOUND);
}
END_TEST

START_TEST(what_is_no_file_is_an_error)
{
    struct base_buf content = BASE_BUF_INIT;

    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_ne(stable_read_file(path, 10, &content), 0);
    ck_assert_int_ne(stable_write_file(path, "x", 1), 0);
    ck_assert_int_ne(access(aside, F_OK), 0); /* nothing lies about */
    base_buf_close(&content);
}
END_TEST

/* A write that fails leaves the old file. */
START_TEST(a_failed_write_keeps_the_old)
{
    ck_assert_int_eq(stable_write_file(path, "old", 3), 0);
    ck_assert_int_eq(mkdir(aside, 0700), 0); /* in the way */
    ck_assert_int_ne(stable_write_file(path, "new", 3), 0);
    ck_assert(says("old"));
}
END_TEST

/* A process killed while it writes, again and again, at any moment: the file is
 * always one of those that it wrote, whole. */
START_TEST(a_crash_leaves_old_or_new)
{
    static char data[65536];
    struct base_buf content = BASE_BUF_INIT;
    const uint8_t *bytes;
    unsigned round;
    size_t i;

    memset(data, 'a', sizeof(data));
    ck_assert_int_eq(stable_write_file(path, data, sizeof(data)), 0);
    for (round = 0; round < 10; round++) {
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0) {
            for (i = 0;; i++) {
                memset(data, 'a' + (int)(i % 26), sizeof(data));
                stable_write_file(path, data, sizeof(data));
            }
        }
        usleep(1000 + round * 137);
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        base_buf_reset(&content);
        ck_assert_int_eq(stable_read_file(path, sizeof(data), &content), 0);
        ck_assert_uint_eq(base_buf_len(&content), sizeof(data));
        bytes = base_buf_data(&content);
        for (i = 0; i < sizeof(data) && bytes[i] == bytes[0]; i++)
            ;
        ck_assert_uint_eq(i, sizeof(data));
    }
    base_buf_close(&content);
}
END_TEST

struct saved {
    unsigned times;
    int status;
};

static void on_saved(void *arg, int status)
{
    struct saved *saved = arg;

    saved->times++;
    saved->status = status;
}

static bool is_saved(void *arg)
{
    return ((struct saved *)arg)->times > 0;
}

START_TEST(blobs_are_saved_by_the_worker)
{
    struct base_metrics *metrics = base_metrics_new();
    struct base_workers *workers = base_workers_new();
    struct base_log log = {0};
    struct base_loop *loop = base_loop_new("main", &log, metrics, workers);
    struct stable_files *files = stable_files_new(base_loop_env(loop), folder);
    struct server_stable stable = stable_files_ops(files);
    struct base_buf content = BASE_BUF_INIT;
    struct saved saved = {0};

    ck_assert_int_eq(stable.ops->load(stable.ctx, "blob", &content),
                     BASE_ENOTFOUND);
    ck_assert_int_eq(
        stable.ops->save(stable.ctx, "blob", "list", 4, on_saved, &saved), 0);
    ck_assert_uint_eq(saved.times, 0);
    ck_assert(base_loop_run_until(loop, is_saved, &saved, 5000));
    ck_assert_int_eq(saved.status, 0);
    ck_assert_int_eq(stable.ops->load(stable.ctx, "blob", &content), 0);
    ck_assert_uint_eq(base_buf_len(&content), 4);
    base_buf_close(&content);
    stable_files_free(files);
    base_loop_free(loop);
    base_workers_free(workers);
    base_metrics_free(metrics);
}
END_TEST

Suite *stable_files_suite(void)
{
    Suite *suite = suite_create("stable_files");
    TCase *tcase = tcase_create("files");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_test(tcase, limits_and_missing_files);
    tcase_add_test(tcase, what_is_no_file_is_an_error);
    tcase_add_test(tcase, a_failed_write_keeps_the_old);
    tcase_add_test(tcase, a_crash_leaves_old_or_new);
    tcase_add_test(tcase, blobs_are_saved_by_the_worker);
    suite_add_tcase(suite, tcase);
    return suite;
}
