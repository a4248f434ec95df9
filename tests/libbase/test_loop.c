/*
 * The real env: clocks, timers, posts from other threads, stopping. Jobs are
 * test_worker.c's.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "real_world.h"

#define POSTS_MAX 65536

struct note {
    char *log; /* the shared string of letters */
    char letter;
    struct base_timer timer;
    struct base_timer *stop; /* stopped when this one fires */
};

static void write_letter(void *arg)
{
    struct note *note = arg;
    size_t len = strlen(note->log);

    note->log[len] = note->letter;
    note->log[len + 1] = '\0';
    if (note->stop != NULL)
        base_timer_stop(note->stop);
}

static bool has_z(void *arg)
{
    return strchr(arg, 'z') != NULL;
}

static void note_init(struct note *note, struct real_world *world, char *log,
                      char letter)
{
    *note = (struct note){.log = log, .letter = letter};
    base_timer_init(&note->timer, world->env, "note", write_letter, note);
}

START_TEST(timers_fire_in_order_of_due_time_then_start)
{
    struct real_world world = real_world_open();
    char log[32] = "";
    struct note notes[5];
    size_t i;

    for (i = 0; i < 5; i++)
        note_init(&notes[i], &world, log, "abcdz"[i]);
    base_timer_start_ms(&notes[4].timer, 12);
    base_timer_start_ms(&notes[2].timer, 6);
    base_timer_start_ms(&notes[1].timer, 3);
    base_timer_start_ns(&notes[0].timer, 0);
    base_timer_start_ms(&notes[3].timer, 1);
    base_timer_start_ms(&notes[3].timer, 9); /* restarted: only then */
    ck_assert_str_eq(log, "");               /* never inside the call */
    await_that(&world, has_z, log);
    ck_assert_str_eq(log, "abcdz");
    real_world_close(&world);
}
END_TEST

START_TEST(a_stopped_timer_does_not_fire_even_if_due)
{
    struct real_world world = real_world_open();
    char log[32] = "";
    struct note notes[3];
    size_t i;

    for (i = 0; i < 3; i++)
        note_init(&notes[i], &world, log, "abz"[i]);
    notes[0].stop = &notes[1].timer; /* both are due in the same turn */
    base_timer_start_ns(&notes[0].timer, 0);
    base_timer_start_ns(&notes[1].timer, 0);
    base_timer_start_ms(&notes[2].timer, 5);
    ck_assert(base_timer_is_running(&notes[1].timer));
    await_that(&world, has_z, log);
    ck_assert_str_eq(log, "az");
    ck_assert(!base_timer_is_running(&notes[1].timer));
    base_timer_stop(&notes[1].timer); /* once more does no harm */
    real_world_close(&world);
}
END_TEST

START_TEST(timers_are_not_early)
{
    struct real_world world = real_world_open();
    uint64_t start = base_env_now_ns(world.env);
    struct base_timer timer;
    struct base_timer never;
    bool fired = false;

    base_timer_init(&timer, world.env, "t", set_true, &fired);
    base_timer_init(&never, world.env, "never", set_true, &fired);
    base_timer_start_ns(&timer, 7300000);
    base_timer_start_ms(&never, UINT64_MAX); /* no wrap to the past */
    await(&world, &fired);
    ck_assert_uint_ge(base_env_now_ns(world.env) - start, 7300000);
    real_world_close(&world);
}
END_TEST

struct spin {
    struct base_timer timer;
    uint64_t turns;
};

static void spin_on(void *arg)
{
    struct spin *spin = arg;

    spin->turns++;
    base_timer_start_ns(&spin->timer, 0);
}

START_TEST(a_spinning_timer_starves_nobody)
{
    struct real_world world = real_world_open();
    struct spin spin = {.turns = 0};
    bool posted = false;

    base_timer_init(&spin.timer, world.env, "spin", spin_on, &spin);
    base_timer_start_ns(&spin.timer, 0);
    ck_assert_int_eq(base_env_post(world.env, set_true, &posted), 0);
    await(&world, &posted);
    ck_assert_uint_lt(spin.turns, 1000);
    settle(&world);
    ck_assert_uint_gt(spin.turns, 0);
    base_timer_stop(&spin.timer);
    real_world_close(&world);
}
END_TEST

START_TEST(run_until_gives_up_in_time)
{
    struct real_world world = real_world_open();
    bool never = false;

    ck_assert(!base_loop_run_until(world.loop, is_true, &never, 5));
    real_world_close(&world);
}
END_TEST

/* ---- posts ----------------------------------------------------------------
 */

struct inbox {
    unsigned got;
    unsigned next[4]; /* by sender: the number that must come next */
    bool ordered;
};

struct letter {
    struct inbox *inbox;
    unsigned sender, number;
};

static void receive(void *arg)
{
    struct letter *letter = arg;
    struct inbox *inbox = letter->inbox;

    if (inbox->next[letter->sender]++ != letter->number)
        inbox->ordered = false;
    inbox->got++;
    base_free(letter);
}

struct sender {
    struct base_env *env;
    struct inbox *inbox;
    unsigned id;
    pthread_t thread;
};

#define LETTERS 3000u

static void *send_letters(void *arg)
{
    struct sender *sender = arg;
    unsigned i;

    for (i = 0; i < LETTERS; i++) {
        struct letter *letter = base_alloc(sizeof(*letter));

        *letter = (struct letter){sender->inbox, sender->id, i};
        ck_assert_int_eq(base_env_post(sender->env, receive, letter), 0);
    }
    return NULL;
}

static bool got_all(void *arg)
{
    return ((struct inbox *)arg)->got == 4 * LETTERS;
}

START_TEST(posts_of_many_threads_arrive_in_order)
{
    struct real_world world = real_world_open();
    struct inbox inbox = {.ordered = true};
    struct sender senders[4];
    unsigned i;

    for (i = 0; i < 4; i++) {
        senders[i] =
            (struct sender){.env = world.env, .inbox = &inbox, .id = i};
        pthread_create(&senders[i].thread, NULL, send_letters, &senders[i]);
    }
    await_that(&world, got_all, &inbox);
    ck_assert(inbox.ordered);
    for (i = 0; i < 4; i++)
        pthread_join(senders[i].thread, NULL);
    real_world_close(&world);
}
END_TEST

static void count_up(void *arg)
{
    ++*(unsigned *)arg;
}

static bool all_ran(void *arg)
{
    return *(unsigned *)arg == POSTS_MAX;
}

START_TEST(the_post_queue_is_bounded)
{
    struct real_world world = real_world_open();
    unsigned ran = 0;
    unsigned i;

    for (i = 0; i < POSTS_MAX; i++)
        ck_assert_int_eq(base_env_post(world.env, count_up, &ran), 0);
    ck_assert_int_eq(base_env_post(world.env, count_up, &ran), BASE_EFULL);
    ck_assert_uint_eq(ran, 0);
    await_that(&world, all_ran, &ran);
    ck_assert_int_eq(base_env_post(world.env, count_up, &ran), 0);
    settle(&world);
    ck_assert_uint_eq(ran, POSTS_MAX + 1);
    real_world_close(&world);
}
END_TEST

struct last_words {
    struct base_env *env;
    unsigned ran;
    int answer;
};

static void post_again(void *arg)
{
    struct last_words *words = arg;

    words->ran++;
    words->answer = base_env_post(words->env, post_again, words);
}

START_TEST(freeing_runs_what_was_accepted_and_no_more)
{
    struct real_world world = real_world_open();
    struct last_words words = {.env = world.env};

    ck_assert_int_eq(base_env_post(world.env, post_again, &words), 0);
    real_world_close(&world);
    ck_assert_uint_eq(words.ran, 1);
    ck_assert_int_eq(words.answer, BASE_ECLOSED);
}
END_TEST

static void *stop_it(void *arg)
{
    base_loop_stop(arg);
    return NULL;
}

START_TEST(another_thread_can_stop_the_loop)
{
    struct real_world world = real_world_open();
    pthread_t thread;

    pthread_create(&thread, NULL, stop_it, world.loop);
    base_loop_run(world.loop);
    pthread_join(thread, NULL);
    base_loop_stop(world.loop); /* before running: the next run ends at once */
    base_loop_run(world.loop);
    real_world_close(&world);
}
END_TEST

/* ---- the rest -------------------------------------------------------------
 */

static double thread_cpu_s(void)
{
    struct timespec used;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

struct chatter {
    struct base_env *env;
    unsigned left;
    bool over;
};

static void chat(void *arg)
{
    struct chatter *chatter = arg;

    chatter->over = chatter->left-- == 0;
    if (!chatter->over)
        ck_assert_int_eq(base_env_post(chatter->env, chat, chatter), 0);
}

/* It looks for more before it sleeps, but not for long. */
START_TEST(a_loop_falls_asleep_after_a_lively_time)
{
    struct real_world world = real_world_open();
    struct chatter chatter = {.env = world.env, .left = 1000};
    bool never = false;
    double cpu_s;

    ck_assert_int_eq(base_env_post(world.env, chat, &chatter), 0);
    await(&world, &chatter.over);
    cpu_s = thread_cpu_s();
    base_loop_run_until(world.loop, is_true, &never, 300);
    ck_assert_double_lt(thread_cpu_s() - cpu_s, 0.05);
    real_world_close(&world);
}
END_TEST

START_TEST(random_numbers_are_random_enough)
{
    struct real_world world = real_world_open();
    unsigned seen[5] = {0};
    uint8_t large[1000] = {0};
    uint64_t first = base_env_random_u64(world.env);
    unsigned i;

    ck_assert_uint_ne(first, base_env_random_u64(world.env));
    for (i = 0; i < 1000; i++)
        seen[base_env_random_below(world.env, 5)]++;
    for (i = 0; i < 5; i++)
        ck_assert_uint_gt(seen[i], 100); /* 200 expected; 1e-15 to fail */
    ck_assert_uint_eq(base_env_random_below(world.env, 1), 0);
    base_env_random(world.env, large, sizeof(large));
    for (first = 0, i = 0; i < sizeof(large); i++)
        first += large[i] == 0;
    ck_assert_uint_lt(first, 50);
    base_env_random(world.env, NULL, 0);
    real_world_close(&world);
}
END_TEST

static void see_lag(void *arg, const struct base_metric *metric)
{
    if (strcmp(metric->name, "isthmus.loop.lag_us") == 0 &&
        strcmp(metric->label_value, "test") == 0)
        *(uint64_t *)arg = metric->count;
}

START_TEST(lag_is_measured)
{
    struct real_world world = real_world_open();
    uint64_t count = 0;

    settle(&world);
    base_metrics_each(world.metrics, see_lag, &count);
    ck_assert_uint_ge(count, 10);
    ck_assert_int_gt(base_env_wall_ns(world.env), 1700000000000000000);
    base_env_trace(world.env, "test", "nobody listens %d", 1);
    ck_assert_ptr_nonnull(base_loop_event_base(world.loop));
    real_world_close(&world);
}
END_TEST

Suite *loop_suite(void);
Suite *loop_suite(void)
{
    Suite *suite = suite_create("loop");
    TCase *tc = tcase_create("loop");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, timers_fire_in_order_of_due_time_then_start);
    tcase_add_test(tc, a_stopped_timer_does_not_fire_even_if_due);
    tcase_add_test(tc, timers_are_not_early);
    tcase_add_test(tc, a_spinning_timer_starves_nobody);
    tcase_add_test(tc, run_until_gives_up_in_time);
    tcase_add_test(tc, posts_of_many_threads_arrive_in_order);
    tcase_add_test(tc, the_post_queue_is_bounded);
    tcase_add_test(tc, freeing_runs_what_was_accepted_and_no_more);
    tcase_add_test(tc, another_thread_can_stop_the_loop);
    tcase_add_test(tc, a_loop_falls_asleep_after_a_lively_time);
    tcase_add_test(tc, random_numbers_are_random_enough);
    tcase_add_test(tc, lag_is_measured);
    suite_add_tcase(suite, tc);
    return suite;
}
