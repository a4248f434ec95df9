#include "bed.h"

#include <string.h>

/* ---- methods ---- */

static void on_echo(void *arg, struct rpc_call *call)
{
    size_t len;
    const void *body = rpc_call_body(call, &len);

    (void)arg;
    rpc_call_reply(call, body, len);
}

static void on_fail(void *arg, struct rpc_call *call)
{
    (void)arg;
    rpc_call_fail(call, RPC_EDENIED, "no luck today");
}

static void on_tell(void *arg, struct rpc_call *call)
{
    char *text = base_asprintf("%s %u %s", rpc_call_token(call),
                               rpc_call_hops(call), rpc_call_method(call));

    (void)arg;
    rpc_call_reply(call, text, strlen(text));
    base_free(text);
}

static void on_cancelled(void *arg)
{
    struct bed *bed = arg;

    bed->cancelled++;
}

static void on_hold(void *arg, struct rpc_call *call)
{
    struct bed *bed = arg;

    ck_assert_uint_lt(bed->held_count, BED_HELD_MAX);
    bed->held[bed->held_count++] = call;
    rpc_call_on_cancel(call, on_cancelled, bed);
}

struct rpc_call *bed_take_held(struct bed *bed)
{
    ck_assert_uint_gt(bed->held_count, 0);
    return bed->held[--bed->held_count];
}

/* ---- the bed ---- */

static void on_multi(void *arg, struct base_stream *stream,
                     const struct rpc_peer *peer)
{
    struct bed *bed = arg;

    bed->accepted++;
    rpc_server_accept_multi(bed->server, stream, peer);
}

static void on_single(void *arg, struct base_stream *stream,
                      const struct rpc_peer *peer)
{
    struct bed *bed = arg;

    bed->accepted++;
    rpc_server_accept_single(bed->server, stream, peer);
}

static void open_server(struct bed *bed, const struct bed_config *config)
{
    struct rpc_server_config server = config->server;
    struct rpc_listener_config listener = config->listener;

    server.datacenter = listener.datacenter = "dc1";
    server.domain = listener.domain = "consul";
    listener.addr = bed->world->server.addr;
    if (!config->plain) {
        listener.secure = &bed->server_id->secure;
        listener.verify_incoming = true;
        listener.federation = true;
    }
    ck_assert_int_eq(rpc_server_new(bed->world->server.env, &server,
                                    &bed->server),
                     0);
    rpc_server_method(bed->server, "Test.Echo", 0, on_echo, bed);
    rpc_server_method(bed->server, "Test.Fail", 0, on_fail, bed);
    rpc_server_method(bed->server, "Test.Hold", 0, on_hold, bed);
    rpc_server_method(bed->server, "Test.Tell", 0, on_tell, bed);
    rpc_server_method(bed->server, "Test.Servers", RPC_METHOD_SERVERS, on_echo,
                      bed);
    rpc_server_method(bed->server, "Test.OwnDc", RPC_METHOD_OWN_DC, on_echo,
                      bed);
    ck_assert_int_eq(rpc_listener_new(bed->world->server.env,
                                      bed->world->server.net, &listener,
                                      &bed->listener),
                     0);
    rpc_listener_handle(bed->listener, RPC_PROTOCOL_MULTI, on_multi, bed);
    rpc_listener_handle(bed->listener, RPC_PROTOCOL_SINGLE, on_single, bed);
    rpc_listener_addr(bed->listener, &bed->addr);
}

struct bed *bed_new(const struct bed_config *config)
{
    struct rpc_dialer_config dialer = {.datacenter = "dc1",
                                       .domain = "consul",
                                       .verify_server_hostname = true};
    struct bed *bed;

    BASE_NEW(bed);
    bed->world = world_new(config->kind);
    if (!config->plain) {
        bed->server_id =
            identity_new(bed->world, &bed->world->server,
                         SERVER_NAMES("s1", "dc1"), 0);
        bed->client_id = identity_new(bed->world, &bed->world->client,
                                      config->client_names != NULL
                                          ? config->client_names
                                          : SERVER_NAMES("s2", "dc1"),
                                      0);
        dialer.secure = &bed->client_id->secure;
    }
    open_server(bed, config);
    ck_assert_int_eq(rpc_dialer_new(bed->world->client.env,
                                    bed->world->client.net, &dialer,
                                    &bed->dialer),
                     0);
    ck_assert_int_eq(rpc_pool_new(bed->world->client.env, bed->dialer,
                                  &config->pool, &bed->pool),
                     0);
    bed->target = (struct rpc_target){
        .dc = "dc1", .node = "s1", .addr = bed->addr};
    return bed;
}

void bed_stop_server(struct bed *bed)
{
    rpc_listener_free(bed->listener);
    bed->listener = NULL;
    rpc_server_free(bed->server);
    bed->server = NULL;
}

void bed_free(struct bed *bed)
{
    rpc_pool_free(bed->pool);
    rpc_dialer_free(bed->dialer);
    bed_stop_server(bed);
    while (bed->held_count > 0)
        rpc_call_fail(bed_take_held(bed), RPC_ECLOSED, "");
    if (bed->server_id != NULL) {
        identity_free(bed->server_id);
        identity_free(bed->client_id);
    }
    world_free(bed->world);
    base_free(bed);
}

/* ---- asking ---- */

void asked_done(void *arg, int status, const char *text, const void *body,
                size_t len)
{
    struct asked *asked = arg;

    asked->done = true;
    asked->done_count++;
    asked->status = status;
    asked->text = base_strdup(text);
    asked->body = base_memdup(body, len);
    asked->len = len;
}

struct asked *bed_ask_request(struct bed *bed,
                              const struct rpc_request *request)
{
    struct asked *asked;

    BASE_NEW(asked);
    ck_assert_int_eq(rpc_pool_call(bed->pool, &bed->target, request,
                                   asked_done, asked, &asked->pending),
                     0);
    ck_assert(!asked->done);
    return asked;
}

struct asked *bed_ask(struct bed *bed, const char *method, const void *body,
                      size_t len, uint32_t timeout_ms)
{
    struct rpc_request request = {.method = method,
                                  .body = body,
                                  .body_len = len,
                                  .timeout_ms = timeout_ms};

    return bed_ask_request(bed, &request);
}

int bed_await(struct bed *bed, struct asked *asked)
{
    world_await_flag(bed->world, &asked->done);
    ck_assert_uint_eq(asked->done_count, 1);
    return asked->status;
}

void asked_free(struct asked *asked)
{
    base_free(asked->text);
    base_free(asked->body);
    base_free(asked);
}

struct count_wait {
    const unsigned *at;
    unsigned count;
};

static bool has_count(void *arg)
{
    struct count_wait *wait = arg;

    return *wait->at >= wait->count;
}

static void await_count(struct bed *bed, const unsigned *at, unsigned count)
{
    struct count_wait wait = {at, count};

    world_await(bed->world, has_count, &wait);
    ck_assert_uint_eq(*at, count);
}

void bed_await_held(struct bed *bed, unsigned count)
{
    await_count(bed, &bed->held_count, count);
}

void bed_await_cancelled(struct bed *bed, unsigned count)
{
    await_count(bed, &bed->cancelled, count);
}
