/*
 * The parts behind events, the monitor and the pools' files, each alone.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/monitor.h"
#include "agent/pool_files.h"
#include "base/alloc.h"
#include "base/error.h"
#include "base/loop.h"
#include "cli/payload.h"
#include "gossip/serf.h"
#include "server/event_log.h"
#include "suite.h"

/* ---- the ring of events --------------------------------------------------- */

static void add(struct event_log *log, uint64_t ltime)
{
    struct gossip_event event = {.kind = GOSSIP_EVENT_USER,
                                 .name = "e",
                                 .payload = "p",
                                 .payload_len = 1,
                                 .ltime = ltime};

    event_log_add(log, &event);
}

START_TEST(the_ring_keeps_the_last_events_in_order)
{
    struct event_log log = {.seen = 0};
    uint64_t i;

    ck_assert_uint_eq(event_log_count(&log), 0);
    for (i = 0; i < EVENT_LOG_MAX + 10; i++)
        add(&log, i);
    ck_assert_uint_eq(event_log_count(&log), EVENT_LOG_MAX);
    for (i = 0; i < EVENT_LOG_MAX; i++)
        ck_assert_uint_eq(event_log_at(&log, i)->ltime, i + 10);
    ck_assert_uint_eq(log.seen, EVENT_LOG_MAX + 10);
    event_log_close(&log);
}
END_TEST

START_TEST(an_id_is_of_the_event_alone)
{
    char a[UUID_TEXT], b[UUID_TEXT];

    event_id("e", "p", 1, 7, a);
    event_id("e", "p", 1, 7, b);
    ck_assert_str_eq(a, b);
    ck_assert(uuid_is_valid(a));
    event_id("e", "p", 1, 8, b);
    ck_assert_str_ne(a, b);
    event_id("ep", "", 0, 7, b);
    ck_assert_str_ne(a, b);
}
END_TEST

/* ---- the monitor ---------------------------------------------------------- */

struct watch {
    struct base_loop *loop;
    struct monitor_hub *hub;
    struct base_workers *workers;
    struct base_metrics *metrics;
    size_t below; /* records that the agent's own log got */
    size_t lines;
    bool deaf;
    char last[256];
};

static void count_below(void *ctx, const struct base_log_record *record)
{
    (void)record;
    ((struct watch *)ctx)->below++;
}

static int64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

static bool on_line(void *ctx, const char *line)
{
    struct watch *watch = ctx;

    if (watch->deaf)
        return false;
    watch->lines++;
    snprintf(watch->last, sizeof(watch->last), "%s", line);
    return true;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void watch_open(struct watch *watch, struct base_log_sink *below)
{
    struct base_log off = {NULL, "test", BASE_LOG_OFF};

    *below = (struct base_log_sink){count_below, no_time, watch};
    watch->hub = monitor_hub_new(below, BASE_LOG_WARN);
    watch->workers = base_workers_new();
    watch->metrics = base_metrics_new();
    watch->loop = base_loop_new("main", &off, watch->metrics, watch->workers);
    monitor_hub_attach(watch->hub, base_loop_env(watch->loop));
}

static void watch_close(struct watch *watch)
{
    base_loop_free(watch->loop);
    base_workers_free(watch->workers);
    base_metrics_free(watch->metrics);
    monitor_hub_free(watch->hub);
}

START_TEST(a_monitor_has_a_level_of_its_own)
{
    struct watch watch = {.lines = 0};
    struct base_log_sink below;
    struct base_log log;
    struct monitor *monitor;

    watch_open(&watch, &below);
    log = (struct base_log){monitor_hub_sink(watch.hub), "test",
                            BASE_LOG_DEBUG};
    base_log(&log, BASE_LOG_INFO, "nobody watches");
    ck_assert_int_eq(monitor_open(watch.hub, BASE_LOG_INFO, false, on_line,
                                  &watch, &monitor),
                     0);
    base_log(&log, BASE_LOG_DEBUG, "too low");
    base_log(&log, BASE_LOG_INFO, "for the monitor");
    base_log(&log, BASE_LOG_WARN, "for both", kv_uint("n", 1));
    base_loop_run_until(watch.loop, never, NULL, 20);
    ck_assert_uint_eq(watch.lines, 2);
    ck_assert_uint_eq(watch.below, 1);
    ck_assert_ptr_nonnull(strstr(watch.last, "[WARN]  test: for both: n=1"));
    monitor_close(monitor);
    base_log(&log, BASE_LOG_INFO, "after the end");
    base_loop_run_until(watch.loop, never, NULL, 20);
    ck_assert_uint_eq(watch.lines, 2);
    watch_close(&watch);
}
END_TEST

START_TEST(a_monitor_that_is_behind_is_told_what_it_lost)
{
    struct watch watch = {.lines = 0};
    struct base_log_sink below;
    struct base_log log;
    struct monitor *monitor;
    size_t i;

    watch_open(&watch, &below);
    log = (struct base_log){monitor_hub_sink(watch.hub), "test",
                            BASE_LOG_DEBUG};
    ck_assert_int_eq(monitor_open(watch.hub, BASE_LOG_INFO, false, on_line,
                                  &watch, &monitor),
                     0);
    for (i = 0; i < MONITOR_LINES_MAX + 7; i++)
        base_log(&log, BASE_LOG_INFO, "a line");
    base_loop_run_until(watch.loop, never, NULL, 20);
    ck_assert_uint_eq(watch.lines, MONITOR_LINES_MAX + 1);
    ck_assert_ptr_nonnull(strstr(watch.last, "lines were dropped: lines=7"));
    /* The client does not read: nothing is kept for it but the number. */
    watch.deaf = true;
    for (i = 0; i < 5; i++)
        base_log(&log, BASE_LOG_INFO, "a line");
    base_loop_run_until(watch.loop, never, NULL, 20);
    watch.deaf = false;
    base_log(&log, BASE_LOG_INFO, "a line");
    base_loop_run_until(watch.loop, never, NULL, 20);
    ck_assert_ptr_nonnull(strstr(watch.last, "lines were dropped: lines=5"));
    ck_assert_uint_ge(
        base_counter_value(base_metrics_counter(
            watch.metrics, "isthmus.monitor.dropped", NULL, NULL)),
        12);
    monitor_close(monitor);
    watch_close(&watch);
}
END_TEST

START_TEST(there_are_only_so_many_monitors)
{
    struct monitor *monitors[MONITORS_MAX], *more;
    struct watch watch = {.lines = 0};
    struct base_log_sink below;
    size_t i;

    watch_open(&watch, &below);
    for (i = 0; i < MONITORS_MAX; i++)
        ck_assert_int_eq(monitor_open(watch.hub, BASE_LOG_INFO, true, on_line,
                                      &watch, &monitors[i]),
                         0);
    ck_assert_int_eq(monitor_open(watch.hub, BASE_LOG_INFO, true, on_line,
                                  &watch, &more),
                     BASE_EFULL);
    for (i = 0; i < MONITORS_MAX; i++)
        monitor_close(monitors[i]);
    watch_close(&watch);
}
END_TEST

/* ---- the pools' files ----------------------------------------------------- */

#define KEY_A "6peAATIGvGAXX+GdJcs6ahLR08H7qBQd6DQmwX4qkKY="
#define KEY_B "QzzZ+0I1mXmCKcfbOnuo7jZlJFcl9bLT2bTeg6v7bwE="

static char folder[64];

static void make_folder(void)
{
    strcpy(folder, "/tmp/isthmus-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[96];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void opens_with(const char *encrypt, const char *want)
{
    struct base_log off = {NULL, "test", BASE_LOG_OFF};
    struct pool_files files = {NULL, NULL, NULL};
    char *why = NULL, *key;

    ck_assert_msg(pool_files_open(&files, &off, folder, "local", encrypt,
                                  &why) == 0,
                  "%s", why);
    if (want == NULL) {
        ck_assert_ptr_null(files.keyring);
    } else {
        key = gossip_key_format(gossip_keyring_at(files.keyring, 0));
        ck_assert_str_eq(key, want);
        base_free_secret(key, strlen(key));
    }
    pool_files_close(&files);
}

START_TEST(a_keyring_file_wins_over_encrypt)
{
    char *path = base_asprintf("%s/serf/local.keyring", folder);
    struct stat stat_buf;

    opens_with(NULL, NULL);
    ck_assert_int_ne(access(path, F_OK), 0);
    opens_with(KEY_A, KEY_A);
    ck_assert_int_eq(stat(path, &stat_buf), 0);
    ck_assert_uint_eq(stat_buf.st_mode & 0777, 0600);
    opens_with(KEY_B, KEY_A);
    opens_with(NULL, KEY_A);
    base_free(path);
}
END_TEST

START_TEST(a_broken_keyring_file_is_named_and_left_alone)
{
    struct base_log off = {NULL, "test", BASE_LOG_OFF};
    struct pool_files files = {NULL, NULL, NULL};
    char *path = base_asprintf("%s/serf/local.keyring", folder), *why = NULL;
    FILE *file;

    opens_with(NULL, NULL);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("[\"x\"]", file);
    fclose(file);
    ck_assert_int_ne(pool_files_open(&files, &off, folder, "local", KEY_A,
                                     &why),
                     0);
    ck_assert_ptr_nonnull(strstr(why, path));
    ck_assert_ptr_null(files.keyring);
    pool_files_close(&files);
    base_free(why);
    base_free(path);
}
END_TEST

/* ---- what is printed ------------------------------------------------------ */

START_TEST(payloads_do_not_drive_a_terminal)
{
    json_t *object = json_pack("{s:s,s:s,s:n,s:s}", "a", "aGVsbG8=", "b",
                               "G1sybQA=", "c", "d", "no base64!");
    static const struct {
        const char *key, *text;
    } rows[] = {{"a", "hello"}, {"b", "?[2m?"}, {"c", ""}, {"d", ""}};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(rows); i++) {
        char *text = payload_text(object, rows[i].key);

        ck_assert_str_eq(text, rows[i].text);
        base_free(text);
    }
    json_decref(object);
}
END_TEST

Suite *operate_parts_suite(void)
{
    Suite *suite = suite_create("operate_parts");
    TCase *tcase = tcase_create("parts");

    tcase_add_test(tcase, the_ring_keeps_the_last_events_in_order);
    tcase_add_test(tcase, an_id_is_of_the_event_alone);
    tcase_add_test(tcase, a_monitor_has_a_level_of_its_own);
    tcase_add_test(tcase, a_monitor_that_is_behind_is_told_what_it_lost);
    tcase_add_test(tcase, there_are_only_so_many_monitors);
    tcase_add_test(tcase, payloads_do_not_drive_a_terminal);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("files");
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_add_test(tcase, a_keyring_file_wins_over_encrypt);
    tcase_add_test(tcase, a_broken_keyring_file_is_named_and_left_alone);
    suite_add_tcase(suite, tcase);
    return suite;
}
