/* See fakes.h. */
#include "fakes.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"

struct fedstate_call {
    struct fedstate_call *next;
    struct fake_primary *primary; /* one of the two */
    struct fake_raft *raft;
    struct base_timer timer;
    struct fedstate_wait *wait; /* a List that blocks */
    Fedstate__ListRequest *request;
    Fedstate__Change *change;
    fedstate_list_fn listed;
    fedstate_apply_fn applied;
    void *arg;
    int status; /* to answer with */
};

static struct fedstate_call **list_of(struct fedstate_call *call)
{
    return call->primary != NULL ? &call->primary->calls : &call->raft->calls;
}

static void call_free(struct fedstate_call *call)
{
    struct fedstate_call **at = list_of(call);

    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    base_timer_stop(&call->timer);
    fedstate_wait_cancel(call->wait);
    base_pb_free(call->request);
    base_pb_free(call->change);
    base_free(call);
}

static struct fedstate_call *call_new(struct base_env *env,
                                      struct fedstate_call **list,
                                      void (*fire)(void *arg))
{
    struct fedstate_call *call;

    BASE_NEW(call);
    call->next = *list;
    *list = call;
    base_timer_init(&call->timer, env, "fake-call", fire, call);
    return call;
}

static void cancel(struct fedstate_call *call)
{
    if (call->primary != NULL)
        call->primary->cancels++;
    else
        call->raft->cancels++;
    call_free(call);
}

static void cancel_op(void *ctx, struct fedstate_call *call)
{
    (void)ctx;
    cancel(call);
}

/* ---- the primary ---- */

static void answer_list(struct fedstate_call *call)
{
    struct fake_primary *primary = call->primary;
    Fedstate__ListReply reply = FEDSTATE__LIST_REPLY__INIT;
    Fedstate__FederationState *states[64];
    fedstate_list_fn listed = call->listed;
    void *arg = call->arg;
    int status = call->status;
    size_t i;

    reply.index = primary->lag_index != 0
                      ? primary->lag_index
                      : fedstate_store_index(primary->store);
    reply.cluster_id = (char *)(uintptr_t)primary->cluster_id;
    for (i = 0; i < fedstate_store_count(primary->store); i++)
        states[i] = base_pb_dup(fedstate_store_at(primary->store, i));
    reply.states = states;
    reply.n_states = primary->lag_index != 0 ? 0 : i;
    call_free(call);
    listed(arg, status, status < 0 ? NULL : &reply);
    while (i > 0)
        base_pb_free(states[--i]);
}

static void on_primary_moved(void *arg, enum fedstate_wake why)
{
    struct fedstate_call *call = arg;

    (void)why;
    call->wait = NULL;
    base_timer_start_ms(&call->timer, call->primary->delay_ms);
}

static void on_list_timer(void *arg)
{
    struct fedstate_call *call = arg;
    struct fake_primary *primary = call->primary;
    bool known = strcmp(call->request->known_cluster_id,
                        primary->cluster_id) == 0;

    if (call->status < 0 || !known || primary->mode == FAKE_SPINS ||
        primary->lag_index != 0 ||
        fedstate_store_index(primary->store) > call->request->min_index ||
        call->wait != NULL) {
        answer_list(call);
        return;
    }
    call->request->min_index = 0; /* answers when it wakes, moved or not */
    fedstate_store_wait(primary->store, NULL,
                        fedstate_store_index(primary->store),
                        call->request->max_wait_ms, true, on_primary_moved,
                        call, &call->wait);
}

static int list_op(void *ctx, const Fedstate__ListRequest *request,
                   fedstate_list_fn done, void *arg, struct fedstate_call **out)
{
    struct fake_primary *primary = ctx;
    struct fedstate_call *call;

    primary->lists++;
    primary->last_list_ms = world_now_ms(primary->world);
    primary->last_min_index = request->min_index;
    if (primary->mode == FAKE_FAILS_AT_ONCE)
        return primary->status;
    call = call_new(primary->world->env, &primary->calls, on_list_timer);
    call->primary = primary;
    call->request = base_pb_dup(request);
    call->listed = done;
    call->arg = arg;
    call->status = primary->mode == FAKE_FAILS ? primary->status : 0;
    if (primary->mode != FAKE_IS_SILENT)
        base_timer_start_ms(&call->timer, primary->delay_ms);
    *out = call;
    return 0;
}

static void on_apply_timer(void *arg)
{
    struct fedstate_call *call = arg;
    struct fake_primary *primary = call->primary;
    fedstate_apply_fn applied = call->applied;
    void *done_arg = call->arg;
    int status = call->status;

    if (status == 0 && primary->on_apply != NULL)
        primary->on_apply(primary);
    if (status == 0)
        status = fedstate_store_apply(
            primary->store, fedstate_store_index(primary->store) + 1,
            call->change);
    call_free(call);
    applied(done_arg, status);
}

static int apply_op(void *ctx, const Fedstate__Change *change,
                    fedstate_apply_fn done, void *arg,
                    struct fedstate_call **out)
{
    struct fake_primary *primary = ctx;
    struct fedstate_call *call;

    primary->applies++;
    primary->last_apply_ms = world_now_ms(primary->world);
    if (primary->mode == FAKE_FAILS_AT_ONCE)
        return primary->status;
    call = call_new(primary->world->env, &primary->calls, on_apply_timer);
    call->primary = primary;
    call->change = base_pb_dup(change);
    call->applied = done;
    call->arg = arg;
    call->status = primary->mode == FAKE_FAILS ? primary->status : 0;
    if (primary->mode != FAKE_IS_SILENT)
        base_timer_start_ms(&call->timer, primary->delay_ms);
    *out = call;
    return 0;
}

static const struct fedstate_primary_ops primary_ops = {
    .version = 1, .list = list_op, .apply = apply_op, .cancel = cancel_op};

void fake_primary_open(struct fake_primary *primary, struct world *world)
{
    *primary = (struct fake_primary){
        .world = world, .delay_ms = 10, .cluster_id = "one"};
    primary->store = fedstate_store_new(world->env);
}

void fake_primary_close(struct fake_primary *primary)
{
    while (primary->calls != NULL)
        call_free(primary->calls);
    fedstate_store_free(primary->store);
}

struct fedstate_primary fake_primary_ops(struct fake_primary *primary)
{
    return (struct fedstate_primary){&primary_ops, primary};
}

void fake_primary_put(struct fake_primary *primary, uint64_t index,
                      Fedstate__FederationState *state)
{
    put(primary->store, index, state);
}

void fake_primary_drop(struct fake_primary *primary, uint64_t index,
                       const char *dc)
{
    ck_assert_int_eq(drop(primary->store, index, dc), 0);
}

void fake_primary_rebuild(struct fake_primary *primary, const char *cluster_id)
{
    struct fedstate_call *call;

    for (call = primary->calls; call != NULL; call = call->next) {
        fedstate_wait_cancel(call->wait);
        call->wait = NULL;
        call->status = BASE_ERESET;
        base_timer_start_ms(&call->timer, 1);
    }
    fedstate_store_free(primary->store);
    primary->store = fedstate_store_new(primary->world->env);
    primary->cluster_id = cluster_id;
}

/* ---- our Raft ---- */

static void note(struct fake_raft *raft, const Fedstate__Change *change)
{
    size_t used = strlen(raft->order);

    snprintf(raft->order + used, sizeof(raft->order) - used, "%s%c%s",
             used > 0 ? " " : "",
             change->op == FEDSTATE__CHANGE__OP__DELETE ? '-' : '+',
             change->state->datacenter);
}

static void on_raft_timer(void *arg)
{
    struct fedstate_call *call = arg;
    struct fake_raft *raft = call->raft;
    fedstate_apply_fn applied = call->applied;
    void *done_arg = call->arg;
    int status = call->status;

    if (status == 0)
        status = fedstate_store_apply(raft->world->store, ++raft->index,
                                      call->change);
    call_free(call);
    applied(done_arg, status);
}

static int raft_apply(void *ctx, const Fedstate__Change *change,
                      fedstate_apply_fn done, void *arg,
                      struct fedstate_call **out)
{
    struct fake_raft *raft = ctx;
    struct fedstate_call *call;

    if (raft->applies++ == 0)
        raft->first_ms = world_now_ms(raft->world);
    raft->last_ms = world_now_ms(raft->world);
    note(raft, change);
    if (raft->mode == FAKE_FAILS_AT_ONCE)
        return raft->status;
    call = call_new(raft->world->env, &raft->calls, on_raft_timer);
    call->raft = raft;
    call->change = base_pb_dup(change);
    call->applied = done;
    call->arg = arg;
    if (raft->mode == FAKE_FAILS ||
        (raft->poison != NULL &&
         strcmp(raft->poison, change->state->datacenter) == 0))
        call->status = raft->status;
    if (raft->mode != FAKE_IS_SILENT)
        base_timer_start_ms(&call->timer, 1);
    *out = call;
    return 0;
}

static const struct fedstate_local_ops local_ops = {
    .version = 1, .apply = raft_apply, .cancel = cancel_op};
static const struct fedstate_primary_ops own_primary_ops = {
    .version = 1, .apply = raft_apply, .cancel = cancel_op};

void fake_raft_open(struct fake_raft *raft, struct world *world)
{
    *raft = (struct fake_raft){.world = world, .index = 100};
}

void fake_raft_close(struct fake_raft *raft)
{
    while (raft->calls != NULL)
        call_free(raft->calls);
}

struct fedstate_local fake_raft_ops(struct fake_raft *raft)
{
    return (struct fedstate_local){&local_ops, raft};
}

struct fedstate_primary fake_raft_as_primary(struct fake_raft *raft)
{
    return (struct fedstate_primary){&own_primary_ops, raft};
}
