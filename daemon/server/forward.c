/*
 * One object a forwarded call, from its first try to its end. A failure to
 * reach a server, or its word that it does not lead, is tried again until the
 * hold time is over; any other answer is the caller's.
 */
#include "server/forward.h"

#include <string.h>

#include "base/alloc.h"
#include "server/internal.h"
#include "server/retry.h"
#include "server/strerror.h"

#define HOLD_MS 7000u
#define RETRY_FIRST_MS 50u
#define RETRY_MAX_MS 500u
#define HOPS_MAX 4u

struct forward {
    struct server *server;
    struct forward *prev, *next;
    struct rpc_call *call;
    struct rpc_pending *pending;
    struct base_timer retry;
    uint64_t give_up_ms;
    uint32_t delay_ms;
    char dc[64]; /* "" for our leader */
    struct router_choice choice;
    forward_again_fn again;
    void *arg;
};

static void forward_free(struct forward *forward)
{
    struct server *server = forward->server;

    if (forward->pending)
        rpc_pending_cancel(forward->pending);
    base_timer_stop(&forward->retry);
    if (forward->prev)
        forward->prev->next = forward->next;
    else
        server->forwards = forward->next;
    if (forward->next)
        forward->next->prev = forward->prev;
    base_free(forward);
}

static void forward_fail(struct forward *forward, int code, const char *text)
{
    struct rpc_call *call = forward->call;

    forward_free(forward);
    rpc_call_fail(call, code, text);
}

static void on_cancel(void *arg)
{
    forward_fail(arg, RPC_ECANCELLED, "cancelled");
}

static void forward_later(struct forward *forward, int code, const char *text)
{
    uint64_t now_ms = base_env_now_ms(forward->server->env);

    if (now_ms >= forward->give_up_ms) {
        forward_fail(forward, code, text);
        return;
    }
    base_timer_start_ms(&forward->retry, forward->delay_ms);
    forward->delay_ms *= 2;
    if (forward->delay_ms > RETRY_MAX_MS)
        forward->delay_ms = RETRY_MAX_MS;
}

static void on_answer(void *arg, int status, const char *text, const void *body,
                      size_t len)
{
    struct forward *forward = arg;
    struct rpc_call *call = forward->call;

    forward->pending = NULL;
    if (status == 0) {
        forward_free(forward);
        rpc_call_reply(call, body, len);
        return;
    }
    if (!retry_helps(status)) {
        forward_fail(forward, status, text);
        return;
    }
    if (status != RPC_EBUSY && status != RPC_ENOLEADER)
        router_failed(forward->server, &forward->choice);
    forward_later(forward, status, text);
}

static void forward_send(struct forward *forward)
{
    struct rpc_target target = router_target(&forward->choice);
    struct rpc_request request = {.method = rpc_call_method(forward->call),
                                  .token = rpc_call_token(forward->call),
                                  .timeout_ms = rpc_call_left_ms(forward->call),
                                  .hops = rpc_call_hops(forward->call) + 1};
    int rv;

    request.body = rpc_call_body(forward->call, &request.body_len);
    rv = rpc_pool_call(forward->server->calls, &target, &request, on_answer,
                       forward, &forward->pending);
    if (rv == 0)
        return;
    router_failed(forward->server, &forward->choice);
    forward_later(forward, rv, server_strerror(rv));
}

static void forward_try(void *arg)
{
    struct forward *forward = arg;
    struct server *server = forward->server;

    if (forward->dc[0] != '\0') {
        if (router_pick(server, forward->dc, &forward->choice))
            forward_send(forward);
        else
            forward_later(forward, RPC_ENODC, FORWARD_NO_PATH);
    } else if (server->is_leader) {
        struct rpc_call *call = forward->call;
        forward_again_fn again = forward->again;
        void *again_arg = forward->arg;

        forward_free(forward);
        again(again_arg, call);
    } else if (router_leader(server, &forward->choice)) {
        forward_send(forward);
    } else {
        forward_later(forward, RPC_ENOLEADER, FORWARD_NO_LEADER);
    }
}

static struct forward *forward_new(struct server *server, struct rpc_call *call)
{
    struct forward *forward;

    if (rpc_call_hops(call) >= HOPS_MAX) {
        rpc_call_fail(call, RPC_ENOLEADER, FORWARD_NO_LEADER);
        return NULL;
    }
    BASE_NEW(forward);
    forward->server = server;
    forward->call = call;
    forward->delay_ms = RETRY_FIRST_MS;
    forward->give_up_ms = base_env_now_ms(server->env) + HOLD_MS;
    base_timer_init(&forward->retry, server->env, "forward", forward_try,
                    forward);
    forward->next = server->forwards;
    if (forward->next)
        forward->next->prev = forward;
    server->forwards = forward;
    rpc_call_on_cancel(call, on_cancel, forward);
    return forward;
}

void forward_to_leader(struct server *server, struct rpc_call *call,
                       forward_again_fn again, void *arg)
{
    struct forward *forward = forward_new(server, call);

    if (forward == NULL)
        return;
    forward->again = again;
    forward->arg = arg;
    /* Raft may know already that we lead no longer, before it has told us:
     * whoever was sent here by it must not be sent straight back. */
    if (server->is_leader)
        forward_later(forward, RPC_ENOLEADER, FORWARD_NO_LEADER);
    else
        forward_try(forward);
}

void forward_to_datacenter(struct server *server, struct rpc_call *call,
                           const char *dc)
{
    struct forward *forward;

    /* No time makes a server of a datacenter that nobody ever heard of. */
    if (strlen(dc) >= sizeof(forward->dc) || !router_knows(server, dc)) {
        rpc_call_fail(call, RPC_ENODC, FORWARD_NO_PATH);
        return;
    }
    forward = forward_new(server, call);
    if (forward == NULL)
        return;
    strcpy(forward->dc, dc);
    forward_try(forward);
}

void forward_close(struct server *server)
{
    while (server->forwards)
        forward_fail(server->forwards, RPC_ECANCELLED, "server is stopping");
}
