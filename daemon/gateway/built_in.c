/* What of it may fail is opened here, before the first thread runs. */
#include "gateway/built_in.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gateway/access_log.h"
#include "gateway/descriptors.h"
#include "gateway/proxy_shared.h"
#include "gateway/sockets.h"
#include "gateway/workers.h"

#define PER_SOURCE_MAX 2048u

struct built_in {
    const struct gateway_options *options;
    struct base_loop *loop;
    struct base_log log;
    size_t count; /* of workers */
    int fds[WORKERS_MAX][PROXY_LISTENERS_MAX];
    struct proxy_shared *shared;
    struct access_log *access_log;
    struct workers *workers;
    struct base_timer drain_timer;
};

/* ---- opening --------------------------------------------------------------
 */

static int listen_on(struct built_in *built_in, size_t place, const char *flag,
                     const struct base_addr *at)
{
    char text[BASE_ADDR_TEXT_MAX];
    int fds[WORKERS_MAX];
    int rv = sockets_listen(at, fds, built_in->count);
    size_t i;

    if (rv < 0) {
        fprintf(stderr, "isthmus gateway: -%s: cannot listen on %s: %s\n", flag,
                base_addr_format(at, text), base_strerror(rv));
        return rv;
    }
    for (i = 0; i < built_in->count; i++)
        built_in->fds[i][place] = fds[i];
    return 0;
}

static int listen_all(struct built_in *built_in)
{
    const struct gateway_options *options = built_in->options;
    int rv;
    size_t i;

    for (i = 0; i < WORKERS_MAX; i++)
        built_in->fds[i][0] = built_in->fds[i][1] = -1;
    rv = listen_on(built_in, 0, "address", &options->address);
    if (rv == 0 && gateway_has_wan_bind(options))
        rv = listen_on(built_in, 1, "wan-bind", &options->wan_bind);
    return rv;
}

static int open_access_log(struct built_in *built_in)
{
    const char *path = built_in->options->access_log;
    int rv;

    if (path == NULL)
        return 0;
    rv = access_log_open(base_loop_env(built_in->loop), path, 0,
                         &built_in->access_log);
    if (rv < 0)
        fprintf(stderr, "isthmus gateway: -access-log: cannot open %s: %s\n",
                path, base_strerror(rv));
    return rv;
}

static struct workers *make_workers(struct built_in *built_in,
                                    struct base_workers *jobs)
{
    const struct gateway_options *options = built_in->options;
    struct base_env *env = base_loop_env(built_in->loop);
    struct workers_config config = {
        .env = env,
        .jobs = jobs,
        .count = built_in->count,
        .fds = built_in->fds,
        .proxy = {.from_lan = options->address,
                  .from_wan = gateway_has_wan_bind(options)
                                  ? options->wan_bind
                                  : options->address,
                  .header_from = options->header_from,
                  .header_from_count = options->header_from_count,
                  .header_to = options->header_to,
                  .header_to_count = options->header_to_count,
                  .access_log = built_in->access_log}};

    built_in->shared = proxy_shared_new(
        env->metrics, descriptors_connections(built_in->count), PER_SOURCE_MAX);
    config.proxy.shared = built_in->shared;
    return workers_new(&config);
}

static void on_drain_over(void *arg)
{
    struct built_in *built_in = arg;

    base_log(&built_in->log, BASE_LOG_INFO,
             "the time to drain is over: closing what is left",
             kv_uint("connections", atomic_load(&built_in->shared->conn_count)));
    workers_end(built_in->workers);
}

struct built_in *built_in_new(const struct gateway_options *options,
                              struct base_loop *loop, struct base_workers *jobs)
{
    struct built_in *built_in;

    BASE_NEW(built_in);
    built_in->options = options;
    built_in->loop = loop;
    built_in->log = base_log_named(&base_loop_env(loop)->log, "gateway");
    built_in->count =
        options->workers > 0 ? options->workers : workers_default_count();
    base_timer_init(&built_in->drain_timer, base_loop_env(loop), "drain",
                    on_drain_over, built_in);
    if (listen_all(built_in) == 0 && open_access_log(built_in) == 0) {
        built_in->workers = make_workers(built_in, jobs);
        if (built_in->workers != NULL)
            return built_in;
        fprintf(stderr, "isthmus gateway: cannot make an event loop\n");
    }
    built_in_free(built_in);
    return NULL;
}

void built_in_free(struct built_in *built_in)
{
    size_t i;

    if (built_in == NULL)
        return;
    base_timer_stop(&built_in->drain_timer);
    if (built_in->workers == NULL)
        for (i = 0; i < WORKERS_MAX; i++)
            sockets_close(built_in->fds[i], PROXY_LISTENERS_MAX);
    workers_free(built_in->workers);
    access_log_close(built_in->access_log);
    proxy_shared_free(built_in->shared);
    base_free(built_in);
}

/* ---- running --------------------------------------------------------------
 */

void built_in_set_routes(struct built_in *built_in, struct routes *routes)
{
    workers_set_routes(built_in->workers, routes);
}

const struct routes *built_in_routes(const struct built_in *built_in)
{
    return workers_routes(built_in->workers);
}

void built_in_drain(struct built_in *built_in, void (*done)(void *arg),
                    void *arg)
{
    base_log(&built_in->log, BASE_LOG_INFO, "draining",
             kv_uint("connections", atomic_load(&built_in->shared->conn_count)),
             kv_uint("seconds", built_in->options->drain_s));
    base_timer_start_ms(&built_in->drain_timer,
                        built_in->options->drain_s * UINT64_C(1000));
    workers_drain(built_in->workers, false, done, arg);
}

void built_in_reopen(struct built_in *built_in)
{
    if (built_in->access_log != NULL)
        access_log_reopen(built_in->access_log);
}
