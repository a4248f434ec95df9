/* The main loop speaks to a worker by posts alone; a worker answers by one. */
#include "gateway/workers.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "gateway/splicer.h"

#define DEFAULT_MAX 16
#define AGAIN_MS 100u

struct worker {
    struct workers *workers;
    struct base_loop *loop;
    struct splicer *splicer;
    struct proxy *proxy;
    pthread_t thread;
    bool runs;
};

struct workers {
    struct base_env *env;
    struct worker *items;
    size_t count;
    struct routes *routes;
    struct base_timer again; /* for a worker whose queue was full */
    bool passed_on;
    size_t drained_count;
    void (*done)(void *arg);
    void *arg;
};

size_t workers_default_count(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors < 1             ? 1
           : processors > DEFAULT_MAX ? DEFAULT_MAX
                                      : (size_t)processors;
}

/* ---- a worker's thread ----------------------------------------------------
 */

static void *run(void *arg)
{
    struct worker *worker = arg;

    base_loop_run(worker->loop);
    return NULL;
}

/* Signals are the main thread's. */
static void start(struct worker *worker)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    worker->runs = pthread_create(&worker->thread, NULL, run, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert(worker->runs);
}

/* ---- messages -------------------------------------------------------------
 */

struct new_routes {
    struct worker *worker;
    struct routes *routes;
};

static void take_routes(void *arg)
{
    struct new_routes *message = arg;

    proxy_set_routes(message->worker->proxy, message->routes);
    base_free(message);
}

static bool hand_out(struct worker *worker, struct routes *routes)
{
    struct new_routes *message;

    BASE_NEW(message);
    *message = (struct new_routes){worker, routes_share(routes)};
    if (base_env_post(base_loop_env(worker->loop), take_routes, message) == 0)
        return true;
    routes_free(message->routes);
    base_free(message);
    return false;
}

/* No worker stays with old routes: all are told again if one could not be. */
static void hand_out_all(void *arg)
{
    struct workers *workers = arg;
    bool told = true;
    size_t i;

    for (i = 0; i < workers->count; i++)
        told = hand_out(&workers->items[i], workers->routes) && told;
    if (!told)
        base_timer_start_ms(&workers->again, AGAIN_MS);
}

void workers_set_routes(struct workers *workers, struct routes *routes)
{
    routes_free(workers->routes);
    workers->routes = routes;
    base_timer_stop(&workers->again);
    hand_out_all(workers);
}

const struct routes *workers_routes(const struct workers *workers)
{
    return workers->routes;
}

static void on_worker_drained(void *arg)
{
    struct workers *workers = arg;

    if (++workers->drained_count == workers->count)
        workers->done(workers->arg);
}

static void tell_drained(void *arg)
{
    struct worker *worker = arg;

    base_env_post(worker->workers->env, on_worker_drained, worker->workers);
}

static void drain(void *arg)
{
    struct worker *worker = arg;

    proxy_drain(worker->proxy, worker->workers->passed_on, tell_drained,
                worker);
}

static void end(void *arg)
{
    proxy_end(((struct worker *)arg)->proxy);
}

static void tell_all(struct workers *workers, void (*what)(void *arg))
{
    size_t i;

    for (i = 0; i < workers->count; i++)
        base_env_post(base_loop_env(workers->items[i].loop), what,
                      &workers->items[i]);
}

void workers_drain(struct workers *workers, bool passed_on,
                   void (*done)(void *arg), void *arg)
{
    workers->passed_on = passed_on;
    workers->done = done;
    workers->arg = arg;
    tell_all(workers, drain);
}

void workers_end(struct workers *workers)
{
    tell_all(workers, end);
}

/* ---- life -----------------------------------------------------------------
 */

static bool open_loop(struct worker *worker,
                      const struct workers_config *config, size_t number)
{
    char name[32];

    snprintf(name, sizeof(name), "gateway-%zu", number + 1);
    worker->loop = base_loop_new(name, &config->env->log,
                                 config->env->metrics, config->jobs);
    return worker->loop != NULL;
}

static void open_proxy(struct worker *worker,
                       const struct workers_config *config, size_t number)
{
    struct proxy_config proxy = config->proxy;
    size_t i;
    int rv;

    worker->splicer = splicer_new(worker->loop);
    proxy.env = base_loop_env(worker->loop);
    proxy.net = base_loop_net(worker->loop);
    proxy.loop = worker->loop;
    proxy.splicer = worker->splicer;
    for (i = 0; i < PROXY_LISTENERS_MAX; i++)
        proxy.fds[i] = config->fds[number][i];
    rv = proxy_new(&proxy, &worker->proxy, NULL);
    assert(rv == 0); /* it opens nothing itself */
}

struct workers *workers_new(const struct workers_config *config)
{
    struct workers *workers;
    bool opened = true;
    size_t i;

    assert(config->count > 0 && config->count <= WORKERS_MAX);
    BASE_NEW(workers);
    workers->env = config->env;
    base_timer_init(&workers->again, config->env, "gateway-routes",
                    hand_out_all, workers);
    workers->count = config->count;
    workers->items = base_calloc(config->count, sizeof(*workers->items));
    for (i = 0; i < config->count; i++) {
        workers->items[i].workers = workers;
        opened = open_loop(&workers->items[i], config, i) && opened;
    }
    if (!opened) {
        workers_free(workers);
        return NULL;
    }
    for (i = 0; i < config->count; i++)
        open_proxy(&workers->items[i], config, i);
    for (i = 0; i < config->count; i++)
        start(&workers->items[i]);
    return workers;
}

void workers_free(struct workers *workers)
{
    size_t i;

    if (workers == NULL)
        return;
    base_timer_stop(&workers->again);
    for (i = 0; i < workers->count; i++) {
        struct worker *worker = &workers->items[i];

        if (worker->runs) {
            base_loop_stop(worker->loop);
            pthread_join(worker->thread, NULL);
        }
        if (worker->loop != NULL)
            base_loop_drain(worker->loop);
        proxy_free(worker->proxy);
        splicer_free(worker->splicer);
        base_loop_free(worker->loop);
    }
    routes_free(workers->routes);
    base_free(workers->items);
    base_free(workers);
}
