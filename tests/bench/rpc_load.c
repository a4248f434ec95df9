/*
 * The caller of rpc-bench: so many callers that each ask again when they have
 * their answer. Half a second to warm up, then what is counted.
 */
#include "rpc_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "fedstate/fedstate.pb-c.h"
#include "rpc/pool.h"
#include "rpc/tls.h"
#include "tls_priv.h"

#define WARM_UP_NS 500000000u
#define SAMPLES_MAX 4000000u

struct caller {
    const struct rpc_load *load;
    struct rpc_place place;
    struct rpc_secure secure;
    struct rpc_dialer *dialer;
    struct rpc_pool *pool;
    struct rpc_target target;
    uint64_t from_ns, end_ns;
    unsigned asking;
    float *samples_us;
    size_t sample_count;
};

/* One of those that ask. */
struct asker {
    struct caller *caller;
    struct base_timer again; /* for connections: the old one closes first */
    uint64_t since_ns;
};

/* ---- asking ---- */

static size_t pack_question(uint8_t out[256])
{
    static char key[] = "service/web/instances/0123456";
    static char value[65];
    Fedstate__Pair pair = FEDSTATE__PAIR__INIT;

    memset(value, 'v', sizeof(value) - 1);
    pair.key = key;
    pair.value = value;
    return fedstate__pair__pack(&pair, out);
}

static void on_answer(void *arg, int status, const char *text,
                      const void *body, size_t len);

static void ask(void *arg)
{
    struct asker *asker = arg;
    struct caller *caller = asker->caller;
    uint8_t body[256];
    struct rpc_request request = {.method = "Test.Echo",
                                  .body = body,
                                  .body_len = pack_question(body),
                                  .timeout_ms = 10000};

    asker->since_ns = base_env_now_ns(caller->place.env);
    if (asker->since_ns >= caller->end_ns) {
        caller->asking--;
        return;
    }
    if (caller->load->kind == RPC_LOAD_FULL)
        tls_sessions_drop(caller->place.tls);
    if (rpc_pool_call(caller->pool, &caller->target, &request, on_answer,
                      asker, NULL) != 0)
        rpc_bench_die("cannot call");
}

static void check_answer(int status, const char *text, const void *body,
                         size_t len)
{
    Fedstate__Pair *pair =
        status == 0 ? fedstate__pair__unpack(NULL, len, body) : NULL;

    if (pair == NULL || strlen(pair->value) != 64)
        rpc_bench_die(status == 0 ? "wrong answer" : text);
    fedstate__pair__free_unpacked(pair, NULL);
}

static void on_answer(void *arg, int status, const char *text,
                      const void *body, size_t len)
{
    struct asker *asker = arg;
    struct caller *caller = asker->caller;
    uint64_t now_ns = base_env_now_ns(caller->place.env);

    check_answer(status, text, body, len);
    if (asker->since_ns >= caller->from_ns &&
        caller->sample_count < SAMPLES_MAX)
        caller->samples_us[caller->sample_count++] =
            (float)(now_ns - asker->since_ns) / 1000;
    if (caller->load->kind == RPC_LOAD_CALLS) {
        ask(asker);
        return;
    }
    rpc_pool_forget(caller->pool, "dc1", "s1");
    base_timer_start_ns(&asker->again, 0);
}

static bool is_over(void *arg)
{
    return ((struct caller *)arg)->asking == 0;
}

static void run(struct caller *caller)
{
    struct asker *askers =
        base_calloc(caller->load->flight, sizeof(*askers));
    unsigned i;

    caller->from_ns = base_env_now_ns(caller->place.env) + WARM_UP_NS;
    caller->end_ns =
        caller->from_ns + (uint64_t)(caller->load->seconds * 1e9);
    caller->asking = caller->load->flight;
    for (i = 0; i < caller->load->flight; i++) {
        askers[i].caller = caller;
        base_timer_init(&askers[i].again, caller->place.env, "again", ask,
                        &askers[i]);
        ask(&askers[i]);
    }
    base_loop_run_until(caller->place.loop, is_over, caller, 600000);
    base_free(askers);
}

/* ---- the two processes ---- */

static void caller_open(struct caller *caller, const struct base_addr *to)
{
    struct rpc_dialer_config dialing = {.datacenter = "dc1",
                                        .domain = "consul",
                                        .secure = &caller->secure,
                                        .verify_server_hostname = true};
    struct rpc_pool_config pooling = {.streams_max = caller->load->flight};

    rpc_place_open(&caller->place, caller->load->folder);
    caller->secure = rpc_tls_secure(caller->place.tls);
    if (rpc_dialer_new(caller->place.env, caller->place.net, &dialing,
                       &caller->dialer) != 0 ||
        rpc_pool_new(caller->place.env, caller->dialer, &pooling,
                     &caller->pool) != 0)
        rpc_bench_die("no pool");
    caller->target =
        (struct rpc_target){.dc = "dc1", .node = "s1", .addr = *to};
    caller->samples_us =
        base_calloc(SAMPLES_MAX, sizeof(*caller->samples_us));
}

static void caller_close(struct caller *caller)
{
    rpc_pool_free(caller->pool);
    rpc_dialer_free(caller->dialer);
    rpc_place_close(&caller->place);
    base_free(caller->samples_us);
}

static double us_of(const struct timeval *time)
{
    return (double)time->tv_sec * 1e6 + (double)time->tv_usec;
}

static double cpu_us(const struct rusage *use)
{
    return us_of(&use->ru_utime) + us_of(&use->ru_stime);
}

static int compare(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;

    return (left > right) - (left < right);
}

static void sum_up(struct caller *caller, struct rpc_load_result *result)
{
    size_t count = caller->sample_count;

    if (count == 0)
        rpc_bench_die("nothing was answered");
    qsort(caller->samples_us, count, sizeof(*caller->samples_us), compare);
    result->per_s = (double)count / caller->load->seconds;
    result->p50_us = caller->samples_us[count / 2];
    result->p99_us = caller->samples_us[count * 99 / 100];
}

void rpc_load_run(const struct rpc_load *load, struct rpc_load_result *result)
{
    struct caller caller = {.load = load};
    struct rusage before, after, server;
    struct base_addr addr;
    double warm_up_s = WARM_UP_NS / 1e9;
    int life;
    pid_t pid = rpc_place_start(load->folder, load->flight, &addr, &life);

    getrusage(RUSAGE_SELF, &before);
    caller_open(&caller, &addr);
    run(&caller);
    getrusage(RUSAGE_SELF, &after);
    sum_up(&caller, result);
    caller_close(&caller);
    close(life);
    if (wait4(pid, NULL, 0, &server) != pid)
        rpc_bench_die("the server is lost");
    /* Processor time is of the half second before, too. */
    result->cpu_us = (cpu_us(&after) - cpu_us(&before) + cpu_us(&server)) *
                     load->seconds / (load->seconds + warm_up_s) /
                     (result->per_s * load->seconds);
}

/* ---- one who asks one after the other ---- */

struct rpc_caller {
    struct rpc_load load;
    struct caller caller;
    bool over;
    bool refused; /* the connection, that is */
};

struct rpc_caller *rpc_caller_open(const char *folder,
                                   const struct base_addr *server)
{
    struct rpc_caller *one;

    BASE_NEW(one);
    one->load = (struct rpc_load){.flight = 1, .folder = folder};
    one->caller.load = &one->load;
    caller_open(&one->caller, server);
    return one;
}

void rpc_caller_close(struct rpc_caller *one)
{
    caller_close(&one->caller);
    base_free(one);
}

static void on_one_answer(void *arg, int status, const char *text,
                          const void *body, size_t len)
{
    struct rpc_caller *one = arg;

    one->over = true;
    one->refused = status < 0;
    if (!one->refused)
        check_answer(status, text, body, len);
}

static bool is_over_with(void *arg)
{
    return ((struct rpc_caller *)arg)->over;
}

double rpc_caller_ask(struct rpc_caller *one, bool fresh)
{
    struct caller *caller = &one->caller;
    uint8_t body[256];
    struct rpc_request request = {.method = "Test.Echo",
                                  .body = body,
                                  .body_len = pack_question(body),
                                  .timeout_ms = 20000};
    uint64_t since_ns = base_env_now_ns(caller->place.env);

    one->over = false;
    if (fresh)
        tls_sessions_drop(caller->place.tls);
    if (rpc_pool_call(caller->pool, &caller->target, &request, on_one_answer,
                      one, NULL) != 0 ||
        !base_loop_run_until(caller->place.loop, is_over_with, one, 30000))
        rpc_bench_die("no answer");
    if (fresh)
        rpc_pool_forget(caller->pool, "dc1", "s1");
    return one->refused
               ? -1
               : (double)(base_env_now_ns(caller->place.env) - since_ns) / 1e3;
}
