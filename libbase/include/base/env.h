/*
 * The world as a core sees it: clocks, timers, randomness, another thread's
 * loop, workers for the disk, names, the log. libevent provides it in the
 * daemon (base/loop.h), virtual time in the simulator (base/sim.h), and an
 * embedder may provide his own.
 *
 * Threads: everything but base_env_post() is called on the loop that the env
 * belongs to.
 * Reentry: callbacks run later from the loop, never inside the call that
 * asked for them.
 */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include <stdarg.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/metrics.h"

struct base_env;

/** A timer that its user embeds and owns. base_timer_init() once; stop it
 * before its memory goes. Fields are private to the env. */
struct base_timer {
    struct base_env *env;
    void (*fire)(void *arg);
    void *arg;
    uint64_t due_ns;
    uint64_t sequence; /* equal due times fire in the order of starting */
    size_t heap_slot;  /* 1-based place in the env's heap; 0: not running */
    const char *name;  /* a constant, for the simulator's event log */
};

/** Which worker a job is for: the Raft log's, or everything else's. A 1 GiB
 * snapshot on bulk never stands before a vote on log. */
enum base_worker { BASE_WORKER_LOG, BASE_WORKER_BULK };

/** Runs on the worker's thread; touches only what arg owns. */
typedef void (*base_job_fn)(void *arg);
/** Runs on the loop. Every accepted job gets it, exactly once. */
typedef void (*base_job_done_fn)(void *arg);

enum base_resolve_type { BASE_RESOLVE_HOST, BASE_RESOLVE_SRV };
#define BASE_RESOLVE_MAX 64 /* more answers are cut off */

/** status 0 and 1 to BASE_RESOLVE_MAX addresses (port 0 for HOST), borrowed for
 * the call; or an error and none. */
typedef void (*base_resolve_fn)(void *arg, int status,
                                const struct base_addr *addrs, size_t count);

struct base_env_ops {
    uint32_t version; /* 1. New members go at the end and raise it. */
    uint64_t (*now_ns)(void *ctx);
    int64_t (*wall_ns)(void *ctx);
    void (*random)(void *ctx, void *out, size_t len);
    void (*timer_start)(void *ctx, struct base_timer *timer, uint64_t delay_ns);
    void (*timer_stop)(void *ctx, struct base_timer *timer);
    int (*post)(void *ctx, void (*run)(void *arg), void *arg);
    int (*submit)(void *ctx, enum base_worker worker, base_job_fn job,
                  base_job_done_fn done, void *arg);
    int (*resolve)(void *ctx, const char *name, enum base_resolve_type type,
                   base_resolve_fn done, void *arg);
    /** NULL where nobody listens. */
    void (*trace)(void *ctx, const char *kind, const char *format, va_list args);
};

struct base_env {
    const struct base_env_ops *ops;
    void *ctx;
    struct base_log log;          /* name it: base_log_named(&env->log, "raft") */
    struct base_metrics *metrics; /* may be NULL */
};

/** Monotonic nanoseconds; never goes back. */
static inline uint64_t base_env_now_ns(struct base_env *env)
{
    return env->ops->now_ns(env->ctx);
}
static inline uint64_t base_env_now_ms(struct base_env *env)
{
    return env->ops->now_ns(env->ctx) / 1000000u;
}
/** Nanoseconds since 1970, UTC. May jump either way. */
static inline int64_t base_env_wall_ns(struct base_env *env)
{
    return env->ops->wall_ns(env->ctx);
}
/** Unpredictable bytes: from the kernel in the daemon, from the seed in the
 * simulator. Fit for nonces. */
static inline void base_env_random(struct base_env *env, void *out, size_t len)
{
    env->ops->random(env->ctx, out, len);
}
uint64_t base_env_random_u64(struct base_env *env);
/** Uniform in [0, bound); bound > 0. No modulo bias. */
uint64_t base_env_random_below(struct base_env *env, uint64_t bound);

/**
 * Runs run(arg) on the env's loop. The one call that any thread may make, and
 * the only way two loops meet. Posts from one thread keep their order.
 * Returns 0, or BASE_EFULL past 65,536 waiting, or BASE_ECLOSED when the loop
 * has ended; the callback then never runs and arg stays the caller's.
 */
static inline int base_env_post(struct base_env *env, void (*run)(void *arg),
                                void *arg)
{
    return env->ops->post(env->ctx, run, arg);
}
/** Runs job(arg) on a worker and then done(arg) on the loop. Jobs of one worker
 * run in order. Returns 0, or BASE_EFULL past 1,024 waiting (nothing runs). */
static inline int base_env_submit(struct base_env *env, enum base_worker worker,
                                  base_job_fn job, base_job_done_fn done,
                                  void *arg)
{
    return env->ops->submit(env->ctx, worker, job, done, arg);
}
/** Resolves a DNS name (the system's resolver, on the bulk worker), or parses
 * an IP. name is copied. Returns 0 or an error (done never runs). */
static inline int base_env_resolve(struct base_env *env, const char *name,
                                   enum base_resolve_type type,
                                   base_resolve_fn done, void *arg)
{
    return env->ops->resolve(env->ctx, name, type, done, arg);
}
/** A line for the simulator's event log, such as ("raft", "s1>s2 append ...").
 * Costs one test where there is none. */
void base_env_trace(struct base_env *env, const char *kind, const char *format,
                    ...) __attribute__((format(printf, 3, 4)));

/** name is a constant of one word. */
void base_timer_init(struct base_timer *timer, struct base_env *env,
                     const char *name, void (*fire)(void *arg), void *arg);
/** (Re)starts it: fires once, delay from now. */
void base_timer_start_ns(struct base_timer *timer, uint64_t delay_ns);
void base_timer_start_ms(struct base_timer *timer, uint64_t delay_ms);
/** No effect if it is not running. After this it does not fire. */
void base_timer_stop(struct base_timer *timer);
static inline bool base_timer_is_running(const struct base_timer *timer)
{
    return timer->heap_slot != 0;
}

#endif
