#include "read_bed.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "suite.h"

static void answer(struct read_method *method, struct rpc_call *call)
{
    struct base_buf body = BASE_BUF_INIT;

    base_pb_pack(method->reply, &body);
    rpc_call_reply(call, base_buf_data(&body), base_buf_len(&body));
    base_buf_close(&body);
}

static uint64_t min_index_of(struct rpc_call *call)
{
    size_t len;
    const void *body = rpc_call_body(call, &len);
    Server__Query *query = base_pb_unpack(&server__query__descriptor, body,
                                          len, base_pb_budget(len));
    uint64_t index = query->min_index;

    base_pb_free(query);
    return index;
}

static void forget(struct read_method *method, size_t at)
{
    method->waiting[at] = method->waiting[--method->waiting_count];
}

/* Whose caller is gone has no time left. */
static void on_cancel(void *arg)
{
    struct read_method *method = arg;
    size_t i = 0;

    while (i < method->waiting_count) {
        struct rpc_call *call = method->waiting[i];

        if (rpc_call_left_ms(call) == 0) {
            forget(method, i);
            rpc_call_fail(call, RPC_ECANCELLED, "cancelled");
        } else {
            i++;
        }
    }
}

static void on_call(void *arg, struct rpc_call *call)
{
    struct read_method *method = arg;

    method->asked++;
    snprintf(method->token, sizeof(method->token), "%s", rpc_call_token(call));
    if (method->failing) {
        rpc_call_fail(call, method->failing, "it fails");
    } else if (min_index_of(call) < method->reply->index) {
        answer(method, call);
    } else {
        ck_assert_uint_lt(method->waiting_count,
                          BASE_COUNT_OF(method->waiting));
        method->waiting[method->waiting_count++] = call;
        rpc_call_on_cancel(call, on_cancel, method);
    }
}

void read_bed_open(struct read_bed *bed)
{
    static const char *const names[READ_BED_METHODS] = {
        "Health.Service", "FederationState.ListMeshGateways"};
    struct rpc_server_config config = {.datacenter = "dc1",
                                       .domain = "consul"};
    Server__QueryReply first = SERVER__QUERY_REPLY__INIT;
    struct base_addr addr;
    size_t i;

    memset(bed, 0, sizeof(*bed));
    base_addr_parse_ip(&addr, "10.0.0.1");
    bed->sim = base_sim_new(1);
    bed->env = base_sim_host_env(base_sim_host_new(bed->sim, "n1", &addr, 1),
                                 "main");
    bed->env->metrics = base_metrics_new();
    ck_assert_int_eq(rpc_server_new(bed->env, &config, &bed->rpc), 0);
    first.index = 1;
    for (i = 0; i < READ_BED_METHODS; i++) {
        bed->methods[i].name = names[i];
        bed->methods[i].reply = base_pb_dup(&first);
        rpc_server_method(bed->rpc, names[i], 0, on_call, &bed->methods[i]);
    }
}

void read_bed_close(struct read_bed *bed)
{
    size_t i;

    for (i = 0; i < READ_BED_METHODS; i++)
        read_bed_fail(bed, bed->methods[i].name, RPC_ECLOSED);
    rpc_server_free(bed->rpc);
    for (i = 0; i < READ_BED_METHODS; i++)
        base_pb_free(bed->methods[i].reply);
    base_metrics_free(bed->env->metrics);
    base_sim_free(bed->sim);
}

struct read_method *read_bed_method(struct read_bed *bed, const char *name)
{
    size_t i;

    for (i = 0; i < READ_BED_METHODS; i++)
        if (strcmp(bed->methods[i].name, name) == 0)
            return &bed->methods[i];
    ck_abort_msg("no method %s", name);
}

void read_bed_set(struct read_bed *bed, const char *name,
                  const Server__QueryReply *reply)
{
    struct read_method *method = read_bed_method(bed, name);

    base_pb_free(method->reply);
    method->reply = base_pb_dup(reply);
    while (method->waiting_count > 0)
        answer(method, method->waiting[--method->waiting_count]);
}

void read_bed_fail(struct read_bed *bed, const char *name, int status)
{
    struct read_method *method = read_bed_method(bed, name);

    method->failing = status;
    while (status != 0 && method->waiting_count > 0)
        rpc_call_fail(method->waiting[--method->waiting_count], status,
                      "it fails");
}

void read_bed_run_ms(struct read_bed *bed, uint64_t ms)
{
    base_sim_run_for_ms(bed->sim, ms);
}
