/*
 * Jobs: in order, one worker beside the other, each ended exactly once on the
 * loop, and bounded. Names ride on the same worker.
 */
#include <pthread.h>
#include <string.h>

#include "real_world.h"
#include "resolve_srv.h"

struct record {
    pthread_t loop_thread;
    unsigned ran;   /* written by the worker */
    unsigned ended; /* written by the loop */
    bool bad;
    bool all;
    unsigned goal;
};

struct job {
    struct record *record;
    unsigned number;
};

static void run(void *arg)
{
    struct job *job = arg;

    if (pthread_equal(pthread_self(), job->record->loop_thread) ||
        job->record->ran++ != job->number)
        job->record->bad = true;
}

static void end(void *arg)
{
    struct job *job = arg;
    struct record *record = job->record;

    if (!pthread_equal(pthread_self(), record->loop_thread) ||
        record->ended++ != job->number)
        record->bad = true;
    record->all = record->ended == record->goal;
    base_free(job);
}

static int submit(struct real_world *world, struct record *record,
                  unsigned number)
{
    struct job *job = base_alloc(sizeof(*job));
    int rv;

    *job = (struct job){record, number};
    rv = base_env_submit(world->env, BASE_WORKER_LOG, run, end, job);
    if (rv < 0)
        base_free(job);
    return rv;
}

START_TEST(jobs_run_in_order_and_end_on_the_loop)
{
    struct real_world world = real_world_open();
    struct record record = {.loop_thread = pthread_self(), .goal = 500};
    unsigned i;

    for (i = 0; i < 500; i++)
        ck_assert_int_eq(submit(&world, &record, i), 0);
    ck_assert_uint_eq(record.ended, 0);
    await(&world, &record.all);
    ck_assert(!record.bad);
    real_world_close(&world);
}
END_TEST

/* A job that waits until it is let go. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t change;
    bool entered, open, ended;
};

#define GATE_INIT                                                              \
    {                                                                          \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false,     \
            false                                                              \
    }

static void wait_at_gate(void *arg)
{
    struct gate *gate = arg;

    pthread_mutex_lock(&gate->lock);
    gate->entered = true;
    pthread_cond_broadcast(&gate->change);
    while (!gate->open)
        pthread_cond_wait(&gate->change, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_ended(void *arg)
{
    ((struct gate *)arg)->ended = true;
}

static void gate_await_entry(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->entered)
        pthread_cond_wait(&gate->change, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->change);
    pthread_mutex_unlock(&gate->lock);
}

START_TEST(a_queue_is_bounded_and_tells_so)
{
    struct real_world world = real_world_open();
    struct record record = {.loop_thread = pthread_self(), .goal = 1024};
    struct gate gate = GATE_INIT;
    unsigned i;

    ck_assert_int_eq(base_env_submit(world.env, BASE_WORKER_LOG, wait_at_gate,
                                     gate_ended, &gate),
                     0);
    gate_await_entry(&gate);
    for (i = 0; i < 1024; i++)
        ck_assert_int_eq(submit(&world, &record, i), 0);
    ck_assert_int_eq(submit(&world, &record, i), BASE_EFULL);
    gate_open(&gate);
    await(&world, &record.all);
    ck_assert(gate.ended);
    ck_assert(!record.bad);
    real_world_close(&world);
}
END_TEST

START_TEST(bulk_work_does_not_delay_the_log)
{
    struct real_world world = real_world_open();
    struct record record = {.loop_thread = pthread_self(), .goal = 1};
    struct gate gate = GATE_INIT;

    ck_assert_int_eq(base_env_submit(world.env, BASE_WORKER_BULK, wait_at_gate,
                                     gate_ended, &gate),
                     0);
    gate_await_entry(&gate);
    ck_assert_int_eq(submit(&world, &record, 0), 0);
    await(&world, &record.all);
    ck_assert(!gate.ended);
    gate_open(&gate);
    await(&world, &gate.ended);
    real_world_close(&world);
}
END_TEST

START_TEST(freeing_the_loop_ends_every_job)
{
    struct real_world world = real_world_open();
    struct record record = {.loop_thread = pthread_self(), .goal = 1000};
    unsigned i;

    for (i = 0; i < 1000; i++)
        ck_assert_int_eq(submit(&world, &record, i), 0);
    real_world_close(&world);
    ck_assert_uint_eq(record.ended, 1000);
    ck_assert(!record.bad);
}
END_TEST

START_TEST(a_loop_without_workers_refuses_jobs)
{
    struct base_loop *loop = base_loop_new("alone", NULL, NULL, NULL);

    ck_assert_int_eq(base_env_submit(base_loop_env(loop), BASE_WORKER_LOG,
                                     set_true, set_true, NULL),
                     BASE_ECLOSED);
    base_loop_free(loop);
}
END_TEST

/* ---- names ----------------------------------------------------------------
 */

struct answer {
    bool done;
    int status;
    size_t count;
    struct base_addr first;
};

static void on_resolved(void *arg, int status, const struct base_addr *addrs,
                        size_t count)
{
    struct answer *answer = arg;

    ck_assert(!answer->done);
    answer->done = true;
    answer->status = status;
    answer->count = count;
    if (count > 0)
        answer->first = addrs[0];
}

static struct answer ask(struct real_world *world, const char *name)
{
    struct answer answer = {0};

    ck_assert_int_eq(base_env_resolve(world->env, name, BASE_RESOLVE_HOST,
                                      on_resolved, &answer),
                     0);
    ck_assert(!answer.done); /* later, even for a literal */
    await(world, &answer.done);
    return answer;
}

START_TEST(literals_and_local_names_resolve)
{
    struct real_world world = real_world_open();
    struct answer answer;
    struct base_addr want;

    answer = ask(&world, "fd00::7");
    ck_assert_int_eq(answer.status, 0);
    ck_assert_uint_eq(answer.count, 1);
    want = loopback("fd00::7");
    ck_assert(base_addr_equal(&answer.first, &want));
    answer = ask(&world, "localhost");
    ck_assert_int_eq(answer.status, 0);
    ck_assert(base_addr_is_loopback(&answer.first));
    ck_assert_uint_eq(answer.first.port, 0);
    real_world_close(&world);
}
END_TEST

START_TEST(bad_names_fail)
{
    struct real_world world = real_world_open();
    char long_name[BASE_HOST_MAX + 1];
    struct answer answer;

    memset(long_name, 'a', BASE_HOST_MAX);
    long_name[BASE_HOST_MAX] = '\0';
    ck_assert_int_eq(base_env_resolve(world.env, long_name, BASE_RESOLVE_HOST,
                                      on_resolved, NULL),
                     BASE_EINVAL);
    ck_assert_int_eq(
        base_env_resolve(world.env, "", BASE_RESOLVE_SRV, on_resolved, NULL),
        BASE_EINVAL);
    answer = ask(&world, "no..such..name");
    ck_assert_int_lt(answer.status, 0);
    ck_assert_uint_eq(answer.count, 0);
    real_world_close(&world);
}
END_TEST

/* An answer with three SRV records for "x.", the second of another priority. */
static const uint8_t srv_answer[] = {
    0,    1,   0x81, 0x80, 0,    1,    0, 3,   0, 0, 0, 0,  /* header */
    1,    'x', 0,    0,    33,   0,    1,                   /* question */
    0xc0, 12,  0,    33,   0,    1,    0, 0,   0, 9, 0, 10, /* record 1 */
    0,    5,   0,    1,    0x20, 0x6c, 1, 'b', 0, 0, /* (one byte over: ignored)
                                                      */
    0xc0, 12,  0,    33,   0,    1,    0, 0,   0, 9, 0, 9, /* record 2 */
    0,    1,   0,    1,    0x20, 0x6d, 1, 'a', 0,          /* */
    0xc0, 12,  0,    33,   0,    1,    0, 0,   0, 9, 0, 9, /* record 3 */
    0,    5,   0,    9,    0x20, 0x6e, 1, 'c', 0,          /* */
};

START_TEST(srv_records_are_sorted)
{
    struct srv_target targets[4];

    ck_assert_int_eq(
        resolve_srv_parse(srv_answer, sizeof(srv_answer), targets, 4), 3);
    ck_assert_str_eq(targets[0].host, "a"); /* lowest priority first */
    ck_assert_uint_eq(targets[0].port, 0x206d);
    ck_assert_str_eq(targets[1].host, "c"); /* then the heavier */
    ck_assert_str_eq(targets[2].host, "b");
    ck_assert_int_eq(
        resolve_srv_parse(srv_answer, sizeof(srv_answer), targets, 2), 2);
}
END_TEST

START_TEST(cut_dns_answers_do_no_harm)
{
    struct srv_target targets[4];
    size_t len;

    for (len = 0; len < sizeof(srv_answer); len++) {
        /* A copy of that very size, so that the sanitizer sees an overrun. */
        uint8_t *cut = base_memdup(srv_answer, len);

        ck_assert_int_lt(resolve_srv_parse(cut, len, targets, 4), 3);
        base_free(cut);
    }
}
END_TEST

Suite *worker_suite(void);
Suite *worker_suite(void)
{
    Suite *suite = suite_create("worker");
    TCase *tc = tcase_create("worker");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, jobs_run_in_order_and_end_on_the_loop);
    tcase_add_test(tc, a_queue_is_bounded_and_tells_so);
    tcase_add_test(tc, bulk_work_does_not_delay_the_log);
    tcase_add_test(tc, freeing_the_loop_ends_every_job);
    tcase_add_test(tc, a_loop_without_workers_refuses_jobs);
    tcase_add_test(tc, literals_and_local_names_resolve);
    tcase_add_test(tc, bad_names_fail);
    tcase_add_test(tc, srv_records_are_sorted);
    tcase_add_test(tc, cut_dns_answers_do_no_harm);
    suite_add_tcase(suite, tc);
    return suite;
}
