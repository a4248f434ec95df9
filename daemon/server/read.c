/*
 * Reads: one request, one answer, one way through (federation.md section 6).
 * Another datacenter's read goes there; a default read goes to the leader; a
 * consistent one waits for a quorum's word; then, with a min_index, it waits
 * until what it depends on has moved past that index, or its time is over.
 */
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "server/access.h"
#include "server/forward.h"
#include "server/internal.h"
#include "server/views.h"

struct reading {
    struct server *server;
    struct reading *prev, *next;
    struct rpc_call *call;
    const struct view *view;
    Server__Query *query;
    uint64_t deadline_ms;
    bool barrier; /* Raft's word is awaited: it cannot be called back */
    bool ended;   /* the caller went away meanwhile */
    struct watch *watch;
    struct fedstate_wait *wait;
};

/* What a method is registered with. */
struct binding {
    struct server *server;
    const struct view *view;
};

static void reading_free(struct reading *reading)
{
    struct server *server = reading->server;

    if (reading->watch)
        watch_cancel(reading->watch);
    if (reading->wait)
        fedstate_wait_cancel(reading->wait);
    if (reading->prev)
        reading->prev->next = reading->next;
    else
        server->readings = reading->next;
    if (reading->next)
        reading->next->prev = reading->prev;
    base_pb_free(reading->query);
    base_free(reading);
}

static void reading_fail(struct reading *reading, int code, const char *text)
{
    struct rpc_call *call = reading->call;

    reading_free(reading);
    rpc_call_fail(call, code, text);
}

static void on_cancel(void *arg)
{
    struct reading *reading = arg;

    if (reading->barrier) {
        reading->ended = true;
        rpc_call_fail(reading->call, RPC_ECANCELLED, "cancelled");
        return;
    }
    reading_fail(reading, RPC_ECANCELLED, "cancelled");
}

static void reading_begin(struct reading *reading);

static void fill_meta(struct server *server, Server__QueryReply *reply)
{
    struct raft_status status;

    raft_node_status(server->raft, &status);
    reply->known_leader = status.leader_id[0] != '\0';
    if (!server->is_leader && status.leader_contact_ms > 0)
        reply->last_contact_ms =
            base_env_now_ms(server->env) - status.leader_contact_ms;
}

static void reading_answer(struct reading *reading, uint64_t index)
{
    struct server *server = reading->server;
    struct rpc_call *call = reading->call;
    Server__QueryReply reply = SERVER__QUERY_REPLY__INIT;
    struct base_buf body = BASE_BUF_INIT;
    struct view_arena arena = {0};

    reply.index = index > 0 ? index : 1;
    fill_meta(server, &reply);
    reading->view->fill(server, reading->query, &reply, &arena);
    base_pb_pack(&reply, &body);
    view_arena_close(&arena);
    reading_free(reading);
    rpc_call_reply(call, base_buf_data(&body), base_buf_len(&body));
    base_buf_close(&body);
}

static void on_watch(void *arg, enum watch_wake why)
{
    struct reading *reading = arg;

    reading->watch = NULL;
    if (why == WATCH_LEADER_LOST)
        reading_fail(reading, RPC_ENOLEADER, FORWARD_NO_LEADER);
    else
        reading_begin(reading);
}

static void on_wait(void *arg, enum fedstate_wake why)
{
    struct reading *reading = arg;

    reading->wait = NULL;
    if (why == FEDSTATE_WAKE_LEADER_LOST)
        reading_fail(reading, RPC_ENOLEADER, FORWARD_NO_LEADER);
    else
        reading_begin(reading);
}

static int reading_wait(struct reading *reading, uint32_t left_ms)
{
    struct server *server = reading->server;
    bool ends_with_lead = reading->query->mode != SERVER__QUERY__MODE__STALE;

    if (reading->view->table == VIEW_FEDERATION)
        return fedstate_store_wait(
            server->fsm.store,
            reading->view->one_state ? reading->query->name : NULL,
            reading->query->min_index, left_ms, ends_with_lead, on_wait, reading,
            &reading->wait);
    return watch_add(&server->fsm.catalog.watches, left_ms, ends_with_lead,
                     on_watch, reading, &reading->watch);
}

static void reading_run(struct reading *reading)
{
    struct server *server = reading->server;
    uint64_t index = reading->view->index(server, reading->query);
    uint64_t now_ms = base_env_now_ms(server->env);
    int rv;

    if (reading->view->table <= VIEW_LEADER ||
        reading->query->min_index == 0 || index > reading->query->min_index ||
        now_ms >= reading->deadline_ms) {
        reading_answer(reading, index);
        return;
    }
    rv = reading_wait(reading, (uint32_t)(reading->deadline_ms - now_ms));
    if (rv != 0)
        reading_fail(reading, RPC_EBUSY, "too many blocking queries");
}

static void on_barrier(void *arg, int status)
{
    struct reading *reading = arg;

    reading->barrier = false;
    if (reading->ended)
        reading_free(reading);
    else if (status != 0)
        reading_fail(reading, RPC_ENOLEADER, FORWARD_NO_LEADER);
    else
        reading_run(reading);
}

/* A consistent read asks the quorum anew after each wait: what was confirmed
 * before it says nothing of the answer that is given now. */
static void reading_begin(struct reading *reading)
{
    if (reading->query->mode != SERVER__QUERY__MODE__CONSISTENT) {
        reading_run(reading);
        return;
    }
    reading->barrier = true;
    if (raft_node_read_barrier(reading->server->raft, on_barrier, reading) !=
        0) {
        reading->barrier = false;
        reading_fail(reading, RPC_ENOLEADER, FORWARD_NO_LEADER);
    }
}

/* The caller's deadline comes with the call; an answer without news is better
 * than none, and must come a little before it. */
#define ANSWER_MS 1000u

static uint32_t before_deadline(uint32_t wait_ms, uint32_t left_ms)
{
    uint32_t most_ms = left_ms > 2 * ANSWER_MS ? left_ms - ANSWER_MS
                                               : left_ms / 2;

    return wait_ms < most_ms ? wait_ms : most_ms;
}

static uint64_t deadline_of(struct server *server, const struct rpc_call *call,
                            const Server__Query *query)
{
    uint32_t wait_ms = query->max_wait_ms ? query->max_wait_ms
                                          : FEDSTATE_WAIT_DEFAULT_MS;

    if (wait_ms > FEDSTATE_WAIT_MAX_MS)
        wait_ms = FEDSTATE_WAIT_MAX_MS;
    /* Jitter, so that what began together does not end together. */
    wait_ms += (uint32_t)base_env_random_below(server->env, wait_ms / 16 + 1);
    return base_env_now_ms(server->env) +
           before_deadline(wait_ms, rpc_call_left_ms(call));
}

static void reading_start(struct server *server, const struct view *view,
                          struct rpc_call *call, Server__Query *query)
{
    struct reading *reading;

    BASE_NEW(reading);
    reading->server = server;
    reading->view = view;
    reading->call = call;
    reading->query = query;
    reading->deadline_ms = deadline_of(server, call, query);
    reading->next = server->readings;
    if (reading->next)
        reading->next->prev = reading;
    server->readings = reading;
    rpc_call_on_cancel(call, on_cancel, reading);
    reading_begin(reading);
}

static void on_read(void *arg, struct rpc_call *call)
{
    const struct binding *binding = arg;
    struct server *server = binding->server;
    size_t len;
    const void *body = rpc_call_body(call, &len);
    Server__Query *query = base_pb_unpack(&server__query__descriptor, body, len,
                                          base_pb_budget(len));

    if (query == NULL) {
        rpc_call_fail(call, RPC_EINVAL, "malformed query");
        return;
    }
    if (*query->datacenter != '\0' &&
        strcasecmp(query->datacenter, server->config.datacenter) != 0) {
        forward_to_datacenter(server, call, query->datacenter);
        base_pb_free(query);
        return;
    }
    if (binding->view->table != VIEW_NONE && !server->is_leader &&
        query->mode != SERVER__QUERY__MODE__STALE) {
        base_pb_free(query);
        forward_to_leader(server, call, on_read, arg);
        return;
    }
    if (access_allows(server, call, binding->view->resource, ACL_READ))
        reading_start(server, binding->view, call, query);
    else
        base_pb_free(query);
}

void read_methods(struct server *server)
{
    size_t count, i;
    const struct view *views = view_table(&count);

    server->read_bindings = base_calloc(count, sizeof(struct binding));
    for (i = 0; i < count; i++) {
        struct binding *binding = (struct binding *)server->read_bindings + i;

        binding->server = server;
        binding->view = &views[i];
        rpc_server_method(server->rpc, views[i].method, 0, on_read, binding);
    }
}

void read_close(struct server *server)
{
    while (server->readings) {
        struct reading *reading = server->readings;

        if (reading->ended)
            reading_free(reading);
        else
            reading_fail(reading, RPC_ECANCELLED, "server is stopping");
    }
    base_free(server->read_bindings);
}
