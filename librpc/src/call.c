/*
 * A call on the serving side. It ends exactly once, by its handler; it is
 * answered at most once, by its handler or its deadline; and when its caller
 * has gone the handler is told, once. Where answers go is the origin's.
 */
#include "call.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

struct rpc_peer_ref *rpc_peer_ref_new(const struct rpc_peer *peer)
{
    struct rpc_peer_ref *ref;

    BASE_NEW(ref);
    ref->refs = 1;
    ref->peer = *peer;
    return ref;
}

void rpc_peer_unref(struct rpc_peer_ref *ref)
{
    if (ref != NULL && --ref->refs == 0)
        base_free(ref);
}

/* ---- the end ---- */

static void answer(struct rpc_call *call, int status, const char *text,
                   const void *body, size_t len)
{
    if (call->answered)
        return;
    call->answered = true;
    base_env_trace(call->env, "rpc", "answer %s id=%u bytes=%zu status=%d",
                   call->method, (unsigned)call->id, len, status);
    if (call->origin != NULL)
        call->ops->answer(call->origin, call, status, text, body, len);
}

static void end(struct rpc_call *call, int status, const char *text,
                const void *body, size_t len)
{
    answer(call, status, text, body, len);
    if (call->duration != NULL)
        base_histogram_observe(
            call->duration,
            (base_env_now_ns(call->env) - call->started_ns) / 1000);
    if (call->origin != NULL)
        call->ops->ended(call->origin, call);
    base_timer_stop(&call->timer);
    rpc_peer_unref(call->peer);
    base_buf_close(&call->body);
    base_free(call->method);
    if (call->token != NULL)
        base_free_secret(call->token, strlen(call->token));
    base_free(call);
}

void rpc_call_reply(struct rpc_call *call, const void *body, size_t len)
{
    end(call, 0, "", body, len);
}

void rpc_call_fail(struct rpc_call *call, int code, const char *text)
{
    assert(code < 0);
    end(call, code, text, NULL, 0);
}

/* ---- giving up ---- */

static void tell(struct rpc_call *call)
{
    if (call->told || call->cancelled == NULL)
        return;
    call->told = true;
    call->cancelled(call->cancelled_arg); /* may end the call */
}

static void on_timer(void *arg)
{
    struct rpc_call *call = arg;

    if (!call->over) {
        call->over = true;
        answer(call, RPC_EDEADLINE, rpc_strerror(RPC_EDEADLINE), NULL, 0);
    }
    tell(call);
}

void rpc_call_give_up(struct rpc_call *call)
{
    call->answered = true;
    call->over = true;
    base_timer_stop(&call->timer);
    tell(call);
}

void rpc_call_orphan(struct rpc_call *call)
{
    call->origin = NULL;
    rpc_call_give_up(call);
}

/* ---- the handler's view ---- */

struct rpc_call *rpc_call_new(struct base_env *env,
                              const struct rpc_origin_ops *ops, void *origin,
                              const struct frame_head *head,
                              uint64_t arrived_ms)
{
    uint64_t now_ms = base_env_now_ms(env);
    struct rpc_call *call;

    BASE_NEW(call);
    call->env = env;
    call->ops = ops;
    call->origin = origin;
    call->id = head->id;
    call->method = base_strdup(head->method);
    call->token = base_strdup(head->token);
    call->hops = head->hops;
    call->started_ns = base_env_now_ns(env);
    call->deadline_ms = arrived_ms + head->timeout_ms;
    base_timer_init(&call->timer, env, "rpc-deadline", on_timer, call);
    base_timer_start_ms(&call->timer, call->deadline_ms > now_ms
                                          ? call->deadline_ms - now_ms
                                          : 0);
    return call;
}

const char *rpc_call_method(const struct rpc_call *call)
{
    return call->method;
}

const void *rpc_call_body(const struct rpc_call *call, size_t *len)
{
    static const char empty[1];

    *len = base_buf_len(&call->body);
    return *len > 0 ? base_buf_data(&call->body) : (const void *)empty;
}

const char *rpc_call_token(const struct rpc_call *call)
{
    return call->token;
}

uint32_t rpc_call_left_ms(const struct rpc_call *call)
{
    uint64_t now_ms = base_env_now_ms(call->env);
    uint64_t left_ms;

    if (call->over || now_ms >= call->deadline_ms)
        return 0;
    left_ms = call->deadline_ms - now_ms;
    return left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX;
}

const struct rpc_peer *rpc_call_peer(const struct rpc_call *call)
{
    return call->peer != NULL ? &call->peer->peer : NULL;
}

unsigned rpc_call_hops(const struct rpc_call *call)
{
    return call->hops;
}

void rpc_call_on_cancel(struct rpc_call *call, void (*cancelled)(void *arg),
                        void *arg)
{
    call->cancelled = cancelled;
    call->cancelled_arg = arg;
    if (call->over && !call->told && cancelled != NULL)
        base_timer_start_ns(&call->timer, 0);
}

/* ---- the asker's view ---- */

void rpc_pending_cancel(struct rpc_pending *pending)
{
    pending->cancel(pending);
}

static bool is_word(const char *text, size_t len_max)
{
    size_t len;

    for (len = 0; text[len] != '\0'; len++)
        if (text[len] <= 0x20 || text[len] >= 0x7f || len >= len_max)
            return false;
    return true;
}

int rpc_request_check(const struct rpc_request *request, size_t bytes_max)
{
    if (request->method == NULL || request->method[0] == '\0' ||
        !is_word(request->method, FRAME_METHOD_LEN_MAX) ||
        request->hops > UINT8_MAX)
        return RPC_EINVAL;
    if (request->token != NULL &&
        !is_word(request->token, FRAME_TOKEN_LEN_MAX))
        return RPC_EINVAL;
    return request->body_len > bytes_max ? RPC_ETOOBIG : 0;
}
