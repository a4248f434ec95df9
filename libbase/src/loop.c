/*
 * The life of a libevent loop: making it, running it, freeing it. What it does
 * for its users is in env_event.c and net_event.c.
 *
 * Freeing keeps the promise that accepted posts and jobs are told: it waits for
 * the workers and runs what is left, on the thread that frees.
 */
#include "base/loop.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "loop_private.h"
#include "packets_udp.h"
#include "stream_tcp.h"

#define LOOK_NS 150000u          /* how long it looks for news */
#define LOOK_PAYS_NS 100000u     /* what falling asleep and waking costs */
#define SHORT_SLEEP_NS 300000u   /* what looking would have spared */
#define LOOKS_IN_VAIN_MAX 4u     /* one after the other; then, */
#define LOOK_AGAIN_NS 100000000u /* for so long, it does not: 0.4 % at most */

static struct event_base *new_event_base(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base;

    if (config == NULL)
        return NULL;
    /* One thread per loop: others come in by the post queue alone. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
    base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    stream_tcp_flush_all(arg);
}

static bool open_kernel_side(struct base_loop *loop)
{
    loop->timer_fd = -1;
    loop->base = new_event_base();
    if (post_queue_init(&loop->posts) < 0 || loop->base == NULL)
        return false;
    loop->timer_fd =
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (loop->timer_fd < 0)
        return false;
    event_assign(&loop->timer_event, loop->base, loop->timer_fd,
                 EV_READ | EV_PERSIST, env_event_on_timer, loop);
    event_assign(&loop->timer_soon, loop->base, -1, 0, env_event_on_timer,
                 loop);
    event_assign(&loop->post_event, loop->base, loop->posts.fd,
                 EV_READ | EV_PERSIST, env_event_on_posts, loop);
    event_assign(&loop->flush_event, loop->base, -1, 0, on_flush, loop);
    return event_add(&loop->timer_event, NULL) == 0 &&
           event_add(&loop->post_event, NULL) == 0;
}

static void close_kernel_side(struct base_loop *loop)
{
    if (loop->timer_fd >= 0) {
        event_del(&loop->timer_event);
        event_del(&loop->timer_soon);
        event_del(&loop->post_event);
        event_del(&loop->flush_event);
        close(loop->timer_fd);
    }
    post_queue_fini(&loop->posts);
    if (loop->base != NULL)
        event_base_free(loop->base);
}

struct base_loop *base_loop_new(const char *name, const struct base_log *log,
                                struct base_metrics *metrics,
                                struct base_workers *workers)
{
    struct base_loop *loop;

    BASE_NEW(loop);
    if (!open_kernel_side(loop)) {
        close_kernel_side(loop);
        base_free(loop);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN);
    loop->timer_set_ns = UINT64_MAX;
    loop->name = base_strdup(name);
    loop->workers = workers;
    TAILQ_INIT(&loop->flush);
    loop->scratch = base_alloc(LOOP_SCRATCH_BYTES);
    loop->lag_us =
        base_metrics_histogram(metrics, "isthmus.loop.lag_us", "loop", name);
    loop->env = (struct base_env){
        .ops = &env_event_ops, .ctx = loop, .metrics = metrics};
    loop->env.log = base_log_named(log, log == NULL ? name : log->subsystem);
    loop->net = (struct base_net){
        .ops = &net_event_ops, .ctx = loop, .env = &loop->env};
    return loop;
}

/* Accepted means told, so nothing accepted is left behind. */
void base_loop_drain(struct base_loop *loop)
{
    struct pollfd ready = {.fd = loop->posts.fd, .events = POLLIN};

    post_queue_end(&loop->posts);
    for (;;) {
        if (env_event_run_posts(loop, LOOP_POSTS_PER_TURN))
            continue;
        if (loop->jobs == 0)
            break;
        poll(&ready, 1, -1);
    }
}

void base_loop_free(struct base_loop *loop)
{
    if (loop == NULL)
        return;
    base_loop_drain(loop);
    timer_heap_close(&loop->timers);
    close_kernel_side(loop);
    packet_batch_free(loop->batch);
    random_kernel_close(&loop->random);
    base_free(loop->scratch);
    base_free(loop->name);
    base_free(loop);
}

/* ---- running ---- */

/* Looks for news a short while without sleeping; false if there was none. One
 * that takes longer than sleeping would is in vain, whatever comes of it. */
static bool look(struct base_loop *loop)
{
    uint64_t began_ns = base_env_now_ns(&loop->env);
    uint64_t news = loop->news;
    uint64_t took_ns;

    do {
        sched_yield(); /* whom we wait for may need this processor */
        event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        took_ns = base_env_now_ns(&loop->env) - began_ns;
    } while (loop->news == news && took_ns < LOOK_NS &&
             !atomic_load(&loop->stop));
    loop->looks_left = loop->news != news && took_ns < LOOK_PAYS_NS
                           ? LOOKS_IN_VAIN_MAX
                           : loop->looks_left - 1;
    return loop->news != news;
}

/* A peer that answers at once is often faster than falling asleep and being
 * woken is, above all on a virtual machine. So when sleep was short the loop
 * looks before it sleeps again, while that pays. */
static void sleep_and_serve(struct base_loop *loop)
{
    uint64_t began_ns = base_env_now_ns(&loop->env);
    uint64_t news = loop->news;
    uint64_t now_ns;

    event_base_loop(loop->base, EVLOOP_ONCE);
    if (loop->news == news)
        return;
    now_ns = base_env_now_ns(&loop->env);
    if (now_ns - began_ns > SHORT_SLEEP_NS || now_ns < loop->look_again_ns)
        return;
    loop->looks_left = LOOKS_IN_VAIN_MAX;
    loop->look_again_ns = now_ns + LOOK_AGAIN_NS;
}

/* While the log's disk is busy its answer is near, and worth a longer look. */
static bool await_disk(struct base_loop *loop)
{
    uint64_t news = loop->news;

    spin_began(&loop->spin);
    while (loop->news == news && spin_again(&loop->spin))
        event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    if (loop->news == news)
        return false;
    spin_ended(&loop->spin);
    return true;
}

/* Ends after a look, so that who runs the loop can see whether what he waits
 * for has come with a timer: that is no news. */
static void turn(struct base_loop *loop)
{
    bool disk = loop->log_jobs > 0;

    if (!loop->looked && (disk || loop->looks_left > 0)) {
        loop->looked = !(disk ? await_disk(loop) : look(loop));
        return;
    }
    loop->looked = false;
    sleep_and_serve(loop);
    if (disk)
        spin_ended(&loop->spin);
}

void base_loop_run(struct base_loop *loop)
{
    while (!atomic_load(&loop->stop))
        turn(loop);
    atomic_store(&loop->stop, false);
}

static void on_deadline(void *arg)
{
    *(bool *)arg = true;
}

bool base_loop_run_until(struct base_loop *loop, bool (*done)(void *arg),
                         void *arg, uint32_t timeout_ms)
{
    struct base_timer deadline;
    bool is_over = false;
    bool is_done;

    base_timer_init(&deadline, &loop->env, "run-until", on_deadline, &is_over);
    base_timer_start_ms(&deadline, timeout_ms);
    while (!(is_done = done(arg)) && !is_over)
        turn(loop);
    base_timer_stop(&deadline);
    return is_done;
}

void base_loop_stop(struct base_loop *loop)
{
    atomic_store(&loop->stop, true);
    post_queue_ring(&loop->posts);
}

struct base_env *base_loop_env(struct base_loop *loop)
{
    return &loop->env;
}

struct base_net *base_loop_net(struct base_loop *loop)
{
    return &loop->net;
}

struct event_base *base_loop_event_base(struct base_loop *loop)
{
    return loop->base;
}
