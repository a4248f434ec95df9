/*
 * The env of the daemon: the kernel's clocks and randomness, timers from a heap
 * behind one timerfd, posts from other threads, jobs on the workers. Names are
 * resolve.c's, sockets net_event.c's.
 *
 * Timers started from within a turn fire in a later one, and a turn runs a
 * bounded number of timers and posts: whatever the load, sockets get theirs.
 */
#include <assert.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "loop_private.h"
#include "resolve.h"

#define NEVER_NS UINT64_MAX

static uint64_t now_ns(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int64_t wall_ns(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void random_bytes(void *ctx, void *out, size_t len)
{
    struct base_loop *loop = ctx;

    random_kernel_fill(&loop->random, out, len);
}

/* The timerfd rings at due_ns; NEVER_NS stops it. */
static void set_alarm(struct base_loop *loop, uint64_t due_ns)
{
    struct itimerspec when = {{0, 0}, {0, 0}};

    loop->timer_set_ns = due_ns;
    if (due_ns != NEVER_NS) {
        when.it_value.tv_sec = (time_t)(due_ns / 1000000000u);
        when.it_value.tv_nsec = (long)(due_ns % 1000000000u);
    }
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* What is due already fires in the next turn, without a system call. */
static void set_soon(struct base_loop *loop)
{
    static const struct timeval zero;

    event_add(&loop->timer_soon, &zero);
}

static void timer_start(void *ctx, struct base_timer *timer, uint64_t delay_ns)
{
    struct base_loop *loop = ctx;
    uint64_t now = now_ns(loop);

    if (timer->heap_slot != 0)
        timer_heap_remove(&loop->timers, timer);
    if (__builtin_add_overflow(now, delay_ns, &timer->due_ns))
        timer->due_ns = NEVER_NS;
    timer->sequence = loop->timer_sequence++;
    timer_heap_insert(&loop->timers, timer);
    if (timer->due_ns <= now)
        set_soon(loop);
    else if (timer->due_ns < loop->timer_set_ns)
        set_alarm(loop, timer->due_ns);
}

static void timer_stop(void *ctx, struct base_timer *timer)
{
    struct base_loop *loop = ctx;

    /* The alarm stays: ringing once for nothing is cheaper than a system call
     * for each of the many timers that never fire. */
    if (timer->heap_slot != 0)
        timer_heap_remove(&loop->timers, timer);
}

static void set_next(struct base_loop *loop, bool alarm_rang)
{
    const struct base_timer *timer = timer_heap_first(&loop->timers);
    uint64_t next_ns = timer == NULL ? NEVER_NS : timer->due_ns;

    if (next_ns <= now_ns(loop)) {
        set_soon(loop);
        next_ns = NEVER_NS;
    }
    /* A timerfd that rang stays readable until it is set anew. */
    if (alarm_rang || next_ns < loop->timer_set_ns)
        set_alarm(loop, next_ns);
}

void env_event_on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct base_loop *loop = arg;
    uint64_t turn = loop->timer_sequence;
    uint64_t now = now_ns(loop);
    struct base_timer *timer = timer_heap_first(&loop->timers);
    unsigned fired = 0;

    (void)fd;
    if (timer != NULL && timer->due_ns <= now)
        base_histogram_observe(loop->lag_us, (now - timer->due_ns) / 1000u);
    while (timer != NULL && timer->due_ns <= now && timer->sequence < turn &&
           fired++ < LOOP_TIMERS_PER_TURN) {
        timer_heap_remove(&loop->timers, timer);
        timer->fire(timer->arg);
        timer = timer_heap_first(&loop->timers);
    }
    set_next(loop, (what & EV_READ) != 0);
}

static int post(void *ctx, void (*run)(void *arg), void *arg)
{
    struct base_loop *loop = ctx;

    return post_queue_push(&loop->posts, run, arg, now_ns(NULL), false);
}

bool env_event_run_posts(struct base_loop *loop, size_t max)
{
    struct post posts[LOOP_POSTS_PER_TURN];
    uint64_t now = now_ns(NULL);
    uint64_t since;
    size_t count;
    size_t i;

    assert(max <= BASE_COUNT_OF(posts));
    count = post_queue_take(&loop->posts, posts, max, now, &since);
    if (count > 0)
        base_histogram_observe(loop->lag_us,
                               now > since ? (now - since) / 1000u : 0);
    for (i = 0; i < count; i++)
        posts[i].run(posts[i].arg);
    return count > 0;
}

void env_event_on_posts(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    ((struct base_loop *)arg)->news++;
    env_event_run_posts(arg, LOOP_POSTS_PER_TURN);
}

static void job_done(void *arg)
{
    struct worker_job *job = arg;

    job->loop->jobs--;
    job->loop->log_jobs -= job->is_log;
    job->done(job->arg);
    base_free(job);
}

void loop_job_ran(struct base_loop *loop, struct worker_job *job)
{
    post_queue_push(&loop->posts, job_done, job, now_ns(NULL), true);
}

static int submit(void *ctx, enum base_worker worker, base_job_fn run,
                  base_job_done_fn done, void *arg)
{
    struct base_loop *loop = ctx;
    struct worker_job *job;
    int rv;

    if (loop->workers == NULL || loop->posts.closed)
        return BASE_ECLOSED;
    BASE_NEW(job);
    *job =
        (struct worker_job){.run = run, .done = done, .arg = arg, .loop = loop,
                            .is_log = worker == BASE_WORKER_LOG};
    loop->jobs++;
    loop->log_jobs += job->is_log;
    rv = worker_submit(loop->workers, worker, job);
    if (rv < 0) {
        loop->jobs--;
        loop->log_jobs -= job->is_log;
        base_free(job);
    }
    return rv;
}

static int resolve(void *ctx, const char *name, enum base_resolve_type type,
                   base_resolve_fn done, void *arg)
{
    struct base_loop *loop = ctx;

    return resolve_start(&loop->env, name, type, done, arg);
}

const struct base_env_ops env_event_ops = {
    .version = 1,
    .now_ns = now_ns,
    .wall_ns = wall_ns,
    .random = random_bytes,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .post = post,
    .submit = submit,
    .resolve = resolve,
};
