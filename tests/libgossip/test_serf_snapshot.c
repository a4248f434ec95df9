/* Snapshots of simulated nodes: what a restart remembers, and slow or broken
 * disks. The files are real, in a temporary folder. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "serf/file.h"
#include "serf_pool.h"
#include "suite.h"

static char folder[64];
static char *path;
static char *beside;

static void setup(void)
{
    strcpy(folder, "/tmp/serf-snap-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = base_asprintf("%s/serf.snapshot", folder);
    beside = base_asprintf("%s.compact", path);
}

static void teardown(void)
{
    unlink(path);
    unlink(beside);
    rmdir(folder);
    base_free(path);
    base_free(beside);
}

/* The file as a string, the caller's. */
static char *content(void)
{
    struct base_buf text = BASE_BUF_INIT;

    ck_assert_int_eq(serf_file_read(path, 10u << 20, &text), 0);
    return base_buf_take_string(&text);
}

static void check_has(const char *line, bool want)
{
    char *text = content();
    char *with_newline = base_asprintf("\n%s\n", line);
    char *framed = base_asprintf("\n%s", text);

    ck_assert_msg((strstr(framed, with_newline) != NULL) == want,
                  "\"%s\" %s in:\n%s", line, want ? "is not" : "is", text);
    base_free(text);
    base_free(framed);
    base_free(with_newline);
}

static struct serf_pool *pool_with_snapshot(uint64_t seed, size_t count)
{
    struct serf_pool *pool = serf_pool_new(seed, count);

    pool->nodes[0].config.snapshot_path = path;
    return pool;
}

START_TEST(events_are_written_soon)
{
    struct serf_pool *pool = pool_with_snapshot(1, 3);
    struct stat status;

    serf_pool_form(pool);
    gossip_serf_user_event(pool->nodes[1].serf, "deploy", NULL, 0, false);
    serf_pool_kill(pool, 2);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_FAILED, 60000);
    serf_pool_run_ms(pool, 600); /* a quiet node's last lines too */
    check_has("alive: n0 10.1.0.1:7946", true);
    check_has("alive: n1 10.1.0.2:7946", true);
    check_has("alive: n2 10.1.0.3:7946", true);
    check_has("not-alive: n2", true);
    check_has("event-clock: 1", true);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0133, 0);
    serf_pool_free(pool);
}
END_TEST

START_TEST(restart_rejoins_and_replays_nothing)
{
    struct serf_pool *pool = pool_with_snapshot(2, 4);
    uint64_t member_time;

    serf_pool_form(pool);
    gossip_serf_user_event(pool->nodes[1].serf, "deploy", NULL, 0, false);
    serf_pool_run_ms(pool, 5000);
    member_time = gossip_serf_stats(pool->nodes[0].serf).member_time;
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "user deploy "), 1);
    serf_pool_kill(pool, 0);
    serf_pool_await(pool, 0, GOSSIP_MEMBER_FAILED, 60000);
    serf_pool_start(pool, 0);
    ck_assert_uint_ge(gossip_serf_stats(pool->nodes[0].serf).member_time,
                      member_time);
    serf_pool_await(pool, 0, GOSSIP_MEMBER_ALIVE, 20000);
    serf_pool_run_ms(pool, 60000);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "user deploy "), 1);
    gossip_serf_user_event(pool->nodes[1].serf, "deploy2", NULL, 0, false);
    serf_pool_run_ms(pool, 5000);
    ck_assert_uint_eq(serf_pool_heard(&pool->nodes[0], "user deploy2 "), 1);
    serf_pool_free(pool);
}
END_TEST

/* Whatever the order: one seed alone might begin with the one that is there. */
START_TEST(rejoin_tries_until_one_answers)
{
    struct serf_pool *pool = pool_with_snapshot(3 + (uint64_t)_i, 5);
    size_t i;

    pool->nodes[4].config.reconnect_interval_ms = UINT32_MAX; /* not by it */
    serf_pool_form(pool);
    serf_pool_run_ms(pool, 1000);
    for (i = 0; i < 4; i++)
        serf_pool_kill(pool, i);
    serf_pool_run_ms(pool, 120000); /* n4 has given them up by then */
    serf_pool_start(pool, 0);
    serf_pool_run_ms(pool, 60000);
    ck_assert_int_eq(serf_pool_status(pool, 0, 4), GOSSIP_MEMBER_ALIVE);
    serf_pool_free(pool);
}
END_TEST

/* The original has nobody to ask then (gossip.md 9.38). */
START_TEST(outage_of_all_others_is_survived)
{
    struct serf_pool *pool = pool_with_snapshot(12, 3);

    serf_pool_form(pool);
    serf_pool_kill(pool, 1);
    serf_pool_kill(pool, 2);
    serf_pool_await(pool, 1, GOSSIP_MEMBER_FAILED, 60000);
    serf_pool_await(pool, 2, GOSSIP_MEMBER_FAILED, 60000);
    serf_pool_kill(pool, 0);
    serf_pool_run_ms(pool, 1000);
    check_has("# failed: n2 10.1.0.3:7946", true);
    serf_pool_start(pool, 1);
    serf_pool_start(pool, 2);
    serf_pool_start(pool, 0);
    serf_pool_run_ms(pool, 60000);
    ck_assert(serf_pool_status(pool, 0, 1) == GOSSIP_MEMBER_ALIVE ||
              serf_pool_status(pool, 0, 2) == GOSSIP_MEMBER_ALIVE);
    serf_pool_free(pool);
}
END_TEST

START_TEST(leave_forgets_the_pool)
{
    struct serf_pool *pool = pool_with_snapshot(4, 3);

    serf_pool_form(pool);
    gossip_serf_leave(pool->nodes[0].serf, serf_pool_done, &pool->nodes[0]);
    pool->nodes[0].status = SERF_POOL_WAITING;
    serf_pool_until(pool, serf_pool_is_done, &pool->nodes[0], 20000);
    serf_pool_kill(pool, 0);
    serf_pool_run_ms(pool, 1000);
    check_has("leave", true);
    serf_pool_start(pool, 0);
    serf_pool_run_ms(pool, 30000);
    ck_assert_uint_eq(gossip_serf_member_count(pool->nodes[0].serf), 1);
    serf_pool_free(pool);
}
END_TEST

START_TEST(rejoin_after_leave_remembers)
{
    struct serf_pool *pool = pool_with_snapshot(5, 3);

    pool->nodes[0].config.rejoin_after_leave = true;
    serf_pool_form(pool);
    pool->nodes[0].status = SERF_POOL_WAITING;
    gossip_serf_leave(pool->nodes[0].serf, serf_pool_done, &pool->nodes[0]);
    serf_pool_until(pool, serf_pool_is_done, &pool->nodes[0], 20000);
    serf_pool_kill(pool, 0);
    serf_pool_run_ms(pool, 1000);
    serf_pool_start(pool, 0);
    serf_pool_await(pool, 0, GOSSIP_MEMBER_ALIVE, 30000);
    serf_pool_free(pool);
}
END_TEST

START_TEST(torn_line_is_cut_off)
{
    static const char torn[] = "alive: n1 10.1.0.2:7946\nalive: n2 10.1";
    struct serf_pool *pool = pool_with_snapshot(6, 2);

    ck_assert_int_eq(serf_file_replace(path, ".t", 0644, torn, strlen(torn)),
                     0);
    serf_pool_start(pool, 1);
    serf_pool_start(pool, 0);
    serf_pool_await(pool, 0, GOSSIP_MEMBER_ALIVE, 20000);
    serf_pool_run_ms(pool, 1000);
    check_has("alive: n1 10.1.0.2:7946", true);
    check_has("alive: n0 10.1.0.1:7946", true); /* not glued to the rest */
    serf_pool_free(pool);
}
END_TEST

START_TEST(file_is_compacted)
{
    struct serf_pool *pool = pool_with_snapshot(7, 2);
    struct stat status;
    size_t largest = 0;
    size_t i;

    pool->nodes[0].config.user_event_bytes_max = 100;
    serf_pool_form(pool);
    /* Each event is a line of about 17 bytes. */
    for (i = 0; i < 12000; i++) {
        ck_assert_int_eq(gossip_serf_user_event(pool->nodes[0].serf, "e", NULL,
                                                0, false),
                         0);
        if (i % 1000 == 0)
            serf_pool_run_ms(pool, 1100);
        if (i % 500 == 0 && stat(path, &status) == 0 &&
            (size_t)status.st_size > largest)
            largest = (size_t)status.st_size;
    }
    serf_pool_run_ms(pool, 2000);
    ck_assert_uint_le(largest, 160 * 1024);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0644);
    ck_assert_int_ne(access(beside, F_OK), 0);
    check_has("alive: n1 10.1.0.2:7946", true);
    check_has("event-clock: 12000", true);
    serf_pool_free(pool);
}
END_TEST

START_TEST(slow_disk_costs_lines_not_the_pool)
{
    struct serf_pool *pool = pool_with_snapshot(8, 2);
    size_t i;

    serf_pool_form(pool);
    base_sim_set_job_delay(pool->sim, 20000000, 20000000); /* 20 s a job */
    for (i = 0; i < 5000; i++) {
        gossip_serf_user_event(pool->nodes[0].serf, "e", NULL, 0, false);
        if (i % 500 == 0)
            serf_pool_run_ms(pool, 1000);
    }
    serf_pool_await(pool, 0, GOSSIP_MEMBER_ALIVE, 1);
    ck_assert_uint_gt(
        gossip_serf_stats(pool->nodes[0].serf).snapshot_dropped, 0);
    base_sim_set_job_delay(pool->sim, 50, 500);
    serf_pool_run_ms(pool, 60000);
    check_has("event-clock: 5000", true); /* written anew: all is there */
    check_has("alive: n1 10.1.0.2:7946", true);
    serf_pool_free(pool);
}
END_TEST

START_TEST(disk_error_is_repaired)
{
    struct serf_pool *pool = pool_with_snapshot(9, 2);
    size_t i;

    serf_pool_form(pool);
    /* Compaction cannot make its file; later it can. */
    ck_assert_int_eq(mkdir(beside, 0700), 0);
    for (i = 0; i < 10000; i++) {
        gossip_serf_user_event(pool->nodes[0].serf, "e", NULL, 0, false);
        if (i % 1000 == 0)
            serf_pool_run_ms(pool, 1100);
    }
    serf_pool_await(pool, 0, GOSSIP_MEMBER_ALIVE, 1);
    ck_assert_int_eq(rmdir(beside), 0);
    serf_pool_run_ms(pool, 40000);
    check_has("event-clock: 10000", true);
    serf_pool_free(pool);
}
END_TEST

START_TEST(power_loss_frees_everything)
{
    struct serf_pool *pool = pool_with_snapshot(10, 2);

    serf_pool_form(pool);
    base_sim_set_job_delay(pool->sim, 1000000, 1000000);
    gossip_serf_user_event(pool->nodes[0].serf, "e", NULL, 0, false);
    serf_pool_run_ms(pool, 700); /* a job is under way */
    base_sim_host_crash(pool->nodes[0].host);
    serf_pool_kill(pool, 0);
    serf_pool_run_ms(pool, 5000);
    serf_pool_start(pool, 0);
    serf_pool_await(pool, 0, GOSSIP_MEMBER_ALIVE, 60000);
    serf_pool_free(pool);
}
END_TEST

START_TEST(folder_that_is_not_there_is_an_error)
{
    struct serf_pool *pool = serf_pool_new(11, 1);
    struct serf_pool_node *node = &pool->nodes[0];
    struct gossip_serf *serf = NULL;
    struct base_net *net;

    node->env = base_sim_host_env(node->host, "gossip");
    net = base_sim_host_net(node->host, node->env);
    gossip_net_transport_new(net, &node->addr, &node->transport);
    node->config.transport = gossip_net_transport_ops(node->transport);
    node->config.snapshot_path = "/nonexistent/serf.snapshot";
    ck_assert_int_lt(gossip_serf_new(node->env, &node->config, &serf), 0);
    ck_assert_ptr_null(serf);
    gossip_net_transport_free(node->transport);
    serf_pool_free(pool);
}
END_TEST

Suite *serf_snapshot_suite(void)
{
    Suite *suite = suite_create("serf-snapshot");
    TCase *tcase = tcase_create("snapshot");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, events_are_written_soon);
    tcase_add_test(tcase, restart_rejoins_and_replays_nothing);
    tcase_add_loop_test(tcase, rejoin_tries_until_one_answers, 0, 5);
    tcase_add_test(tcase, outage_of_all_others_is_survived);
    tcase_add_test(tcase, leave_forgets_the_pool);
    tcase_add_test(tcase, rejoin_after_leave_remembers);
    tcase_add_test(tcase, torn_line_is_cut_off);
    tcase_add_test(tcase, file_is_compacted);
    tcase_add_test(tcase, slow_disk_costs_lines_not_the_pool);
    tcase_add_test(tcase, disk_error_is_repaired);
    tcase_add_test(tcase, power_loss_frees_everything);
    tcase_add_test(tcase, folder_that_is_not_there_is_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}
