/*
 * One object a call, from its first try to its end.
 */
#include "client/passing.h"

#include <string.h>

#include "base/alloc.h"
#include "server/retry.h"
#include "server/strerror.h"

#define HOLD_MS 7000u
#define RETRY_FIRST_MS 50u
#define RETRY_MAX_MS 500u

struct passed {
    struct passing *passing;
    struct passed *prev, *next;
    struct rpc_call *call;
    struct rpc_pending *pending;
    char server[64]; /* id of the one that has it */
    struct base_timer retry;
    uint64_t since_ms; /* of the trouble, if it is in any */
    uint64_t sent_ms;
    uint32_t delay_ms;
};

struct passing {
    struct passing_config config;
    struct passed *first;
    struct base_counter *calls, *failovers;
};

static void passed_free(struct passed *passed)
{
    if (passed->pending)
        rpc_pending_cancel(passed->pending);
    base_timer_stop(&passed->retry);
    if (passed->prev)
        passed->prev->next = passed->next;
    else
        passed->passing->first = passed->next;
    if (passed->next)
        passed->next->prev = passed->prev;
    base_free(passed);
}

static void fail(struct passed *passed, int code, const char *text)
{
    struct rpc_call *call = passed->call;

    passed_free(passed);
    rpc_call_fail(call, code, text);
}

static void on_cancel(void *arg)
{
    fail(arg, RPC_ECANCELLED, "cancelled");
}

static void try_later(struct passed *passed, int code, const char *text)
{
    uint64_t now_ms = base_env_now_ms(passed->passing->config.env);

    if (now_ms >= passed->since_ms + HOLD_MS) {
        fail(passed, code, text);
        return;
    }
    base_timer_start_ms(&passed->retry, passed->delay_ms);
    passed->delay_ms *= 2;
    if (passed->delay_ms > RETRY_MAX_MS)
        passed->delay_ms = RETRY_MAX_MS;
}

/* The server is no way now. A call that it had for long, such as a blocking
 * query, is in trouble only since then. */
static void server_failed(struct passed *passed)
{
    const struct passing_config *config = &passed->passing->config;
    uint64_t now_ms = base_env_now_ms(config->env);

    base_counter_add(passed->passing->failovers, 1);
    servers_failed(config->servers, passed->server);
    if (now_ms - passed->sent_ms >= HOLD_MS) {
        passed->since_ms = now_ms;
        passed->delay_ms = RETRY_FIRST_MS;
    }
}

static void on_answer(void *arg, int status, const char *text, const void *body,
                      size_t len)
{
    struct passed *passed = arg;
    struct rpc_call *call = passed->call;

    passed->pending = NULL;
    if (status == 0) {
        passed_free(passed);
        rpc_call_reply(call, body, len);
        return;
    }
    if (!retry_helps(status)) {
        fail(passed, status, text);
        return;
    }
    /* A server that answers is there, whatever it lacks. */
    if (status != RPC_EBUSY && status != RPC_ENOLEADER)
        server_failed(passed);
    try_later(passed, status, text);
}

static void try(void *arg)
{
    struct passed *passed = arg;
    const struct passing_config *config = &passed->passing->config;
    const struct known_server *server = servers_first(config->servers);
    struct rpc_request request = {.method = rpc_call_method(passed->call),
                                  .token = rpc_call_token(passed->call),
                                  .timeout_ms = rpc_call_left_ms(passed->call),
                                  .hops = rpc_call_hops(passed->call) + 1};
    struct rpc_target target;
    int rv;

    if (server == NULL) {
        try_later(passed, RPC_ENOLEADER, PASSING_NO_SERVERS);
        return;
    }
    target = (struct rpc_target){.dc = config->datacenter,
                                 .node = server->node,
                                 .addr = server->addr};
    memcpy(passed->server, server->id, sizeof(passed->server));
    passed->sent_ms = base_env_now_ms(config->env);
    request.body = rpc_call_body(passed->call, &request.body_len);
    rv = rpc_pool_call(config->calls, &target, &request, on_answer, passed,
                       &passed->pending);
    if (rv == 0)
        return;
    server_failed(passed);
    try_later(passed, rv, server_strerror(rv));
}

static void on_call(void *arg, struct rpc_call *call)
{
    struct passing *passing = arg;
    struct passed *passed;

    base_counter_add(passing->calls, 1);
    BASE_NEW(passed);
    passed->passing = passing;
    passed->call = call;
    passed->since_ms = base_env_now_ms(passing->config.env);
    passed->delay_ms = RETRY_FIRST_MS;
    base_timer_init(&passed->retry, passing->config.env, "passing", try,
                    passed);
    passed->next = passing->first;
    if (passed->next)
        passed->next->prev = passed;
    passing->first = passed;
    rpc_call_on_cancel(call, on_cancel, passed);
    try(passed);
}

void passing_lost(struct passing *passing, const char *id)
{
    struct passed *passed;

    for (passed = passing->first; passed; passed = passed->next) {
        if (passed->pending == NULL || strcmp(passed->server, id) != 0)
            continue;
        rpc_pending_cancel(passed->pending);
        passed->pending = NULL;
        server_failed(passed);
        base_timer_start_ms(&passed->retry, 0);
    }
}

struct passing *passing_new(const struct passing_config *config)
{
    struct passing *passing;

    BASE_NEW(passing);
    passing->config = *config;
    passing->calls = base_metrics_counter(config->env->metrics,
                                          "isthmus.client.rpc", NULL, NULL);
    passing->failovers =
        base_metrics_counter(config->env->metrics,
                             "isthmus.client.rpc.failover", NULL, NULL);
    rpc_server_method(config->rpc, "*", 0, on_call, passing);
    return passing;
}

void passing_free(struct passing *passing)
{
    if (passing == NULL)
        return;
    while (passing->first)
        fail(passing->first, RPC_ECANCELLED, "client is stopping");
    base_free(passing);
}
