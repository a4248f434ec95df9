/*
 * The workers of a simulated machine. A job runs in one go at a virtual time
 * when its worker would have done it; jobs of one worker never overlap. Names
 * are resolved on the bulk worker, as in the real world.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim_internal.h"

#define JOBS_MAX 1024u /* base/env.h */

struct job {
    struct sim_event event;
    struct sim_env *env;
    enum base_worker worker;
    base_job_fn run;
    base_job_done_fn done;
    void *arg;
};

static const char *const worker_names[] = {"log", "bulk"};

static void job_fire(void *arg)
{
    struct job *job = arg;
    struct job copy = *job;
    struct sim_env *env = copy.env;

    sim_event_free(&job->event);
    if (env->dead)
        return;
    env->host->workers[copy.worker].job_count--;
    env->sim->stats.jobs++;
    sim_log_line(env->sim, env->label, "job", worker_names[copy.worker]);
    copy.run(copy.arg);
    if (!env->dead) /* run() may be a scenario that pulls the plug */
        sim_env_post(env, copy.done, copy.arg);
}

/* When the worker will have done one more job, which is counted. */
static uint64_t job_due(struct sim_env *env, enum base_worker worker)
{
    struct base_sim *sim = env->sim;
    struct sim_worker *queue = &env->host->workers[worker];
    bool own = env->host->job_max_us != 0;

    if (queue->free_ns < sim->now_ns)
        queue->free_ns = sim->now_ns;
    queue->free_ns += sim_rng_delay_ns(
        &sim->machine_random, own ? env->host->job_min_us : sim->job_min_us,
        own ? env->host->job_max_us : sim->job_max_us);
    queue->job_count++;
    return queue->free_ns;
}

int sim_env_submit(void *ctx, enum base_worker worker, base_job_fn run,
                   base_job_done_fn done, void *arg)
{
    struct sim_env *env = ctx;
    struct job *job;

    if (env->dead)
        return BASE_ECLOSED;
    if (env->host->workers[worker].job_count >= JOBS_MAX)
        return BASE_EFULL;
    job = sim_event_new(env->sim, sizeof(*job), job_fire, NULL);
    job->env = env;
    job->worker = worker;
    job->run = run;
    job->done = done;
    job->arg = arg;
    sim_event_start(&job->event, job_due(env, worker));
    return 0;
}

/* ---- names ---- */

/* Waits for the worker, then as a post for its loop. */
struct query {
    struct sim_event event;
    struct sim_env *env;
    enum base_resolve_type type;
    base_resolve_fn done;
    void *arg;
    int status;
    size_t count;
    struct base_addr addrs[BASE_RESOLVE_MAX];
    char name[BASE_HOST_MAX];
};

static void query_tell(void *arg)
{
    struct query *query = arg;
    struct sim_env *env = query->env;

    if (!env->dead) {
        env->post_count--;
        env->sim->stats.posts++;
        sim_log_line(env->sim, env->label, "resolved", query->name);
        query->done(query->arg, query->status, query->addrs, query->count);
    }
    sim_event_free(&query->event);
}

static void query_look_up(struct query *query)
{
    const struct base_addr *addrs;
    size_t i;

    if (base_addr_parse_ip(&query->addrs[0], query->name) == 0) {
        query->count = 1;
        return;
    }
    addrs = sim_name_find(query->env->sim, query->name, &query->count);
    if (query->count > BASE_RESOLVE_MAX)
        query->count = BASE_RESOLVE_MAX;
    if (query->count == 0)
        query->status = BASE_ENOTFOUND;
    for (i = 0; i < query->count; i++) {
        query->addrs[i] = addrs[i];
        if (query->type == BASE_RESOLVE_HOST)
            query->addrs[i].port = 0;
    }
}

static void query_fire(void *arg)
{
    struct query *query = arg;
    struct sim_env *env = query->env;

    if (env->dead) {
        sim_event_free(&query->event);
        return;
    }
    env->host->workers[BASE_WORKER_BULK].job_count--;
    env->sim->stats.jobs++;
    sim_log_line(env->sim, env->label, "resolve", query->name);
    query_look_up(query);
    query->event.timer.fire = query_tell;
    sim_event_start(&query->event, sim_env_post_due(env));
}

int sim_env_resolve(void *ctx, const char *name, enum base_resolve_type type,
                    base_resolve_fn done, void *arg)
{
    struct sim_env *env = ctx;
    size_t len = strlen(name);
    struct query *query;

    if (env->dead)
        return BASE_ECLOSED;
    if (len == 0 || len >= BASE_HOST_MAX)
        return BASE_EINVAL;
    if (env->host->workers[BASE_WORKER_BULK].job_count >= JOBS_MAX)
        return BASE_EFULL;
    query = sim_event_new(env->sim, sizeof(*query), query_fire, NULL);
    query->env = env;
    query->type = type;
    query->done = done;
    query->arg = arg;
    query->status = 0;
    query->count = 0;
    memcpy(query->name, name, len + 1);
    sim_event_start(&query->event, job_due(env, BASE_WORKER_BULK));
    return 0;
}
