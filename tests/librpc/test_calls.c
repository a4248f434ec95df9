/* Calls: each ends exactly once, whatever happens to it. Every test runs over
 * real TLS on loopback and in the simulator. */
#include <stdio.h>
#include <string.h>

#include "bed.h"

Suite *calls_suite(void);

START_TEST(a_call_is_answered)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Echo", "hello", 5, 5000);

    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(asked->len, 5);
    ck_assert_mem_eq(asked->body, "hello", 5);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(a_call_is_answered_without_tls)
{
    struct bed *bed =
        bed_new(&(struct bed_config){.kind = _i, .plain = true});
    struct asked *asked = bed_ask(bed, "Test.Echo", NULL, 0, 5000);

    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(asked->len, 0);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(token_and_hops_travel)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct rpc_request request = {.method = "Test.Tell",
                                  .token = "secret-7",
                                  .timeout_ms = 5000,
                                  .hops = 3};
    struct asked *asked = bed_ask_request(bed, &request);

    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(asked->len, strlen("secret-7 3 Test.Tell"));
    ck_assert_mem_eq(asked->body, "secret-7 3 Test.Tell", asked->len);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(a_failure_has_its_code_and_words)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Fail", "x", 1, 5000);

    ck_assert_int_eq(bed_await(bed, asked), RPC_EDENIED);
    ck_assert_str_eq(asked->text, "no luck today");
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(an_unknown_method_is_named)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Nothing", "x", 1, 5000);

    ck_assert_int_eq(bed_await(bed, asked), RPC_ENOMETHOD);
    ck_assert_str_eq(asked->text, "no such method: Test.Nothing");
    ck_assert_uint_eq(world_refused(bed->world, "no-method"), 1);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

static void say_method(void *arg, struct rpc_call *call)
{
    const char *method = rpc_call_method(call);

    (void)arg;
    rpc_call_reply(call, method, strlen(method));
}

START_TEST(a_star_takes_what_has_no_method)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked;

    rpc_server_method(bed->server, "*", 0, say_method, NULL);
    asked = bed_ask(bed, "Test.Nothing", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_mem_eq(asked->body, "Test.Nothing", 12);
    asked_free(asked);
    asked = bed_ask(bed, "Test.Fail", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), RPC_EDENIED);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(a_request_that_cannot_be_said_is_refused_at_once)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .pool.message_bytes_max = 1000});
    char big[1001] = "";
    struct rpc_request request = {.method = "", .timeout_ms = 1000};

#define CALL()                                                               \
    rpc_pool_call(bed->pool, &bed->target, &request, asked_done, NULL, NULL)
    ck_assert_int_eq(CALL(), RPC_EINVAL);
    request.method = "with space";
    ck_assert_int_eq(CALL(), RPC_EINVAL);
    request.method = "Test.Echo";
    request.token = "new\nline";
    ck_assert_int_eq(CALL(), RPC_EINVAL);
    request.token = NULL;
    request.hops = 256;
    ck_assert_int_eq(CALL(), RPC_EINVAL);
    request.hops = 0;
    request.body = big;
    request.body_len = sizeof(big);
    ck_assert_int_eq(CALL(), RPC_ETOOBIG);
#undef CALL
    bed_free(bed);
}
END_TEST

START_TEST(a_call_times_out_and_the_handler_hears_it)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Hold", "x", 1, 300);

    bed_await_held(bed, 1);
    ck_assert_uint_le(rpc_call_left_ms(bed->held[0]), 300);
    ck_assert_int_eq(bed_await(bed, asked), RPC_EDEADLINE);
    bed_await_cancelled(bed, 1);
    ck_assert_uint_eq(rpc_call_left_ms(bed->held[0]), 0);
    /* A late answer goes nowhere. */
    rpc_call_reply(bed_take_held(bed), "late", 4);
    world_settle(bed->world);
    ck_assert_uint_eq(asked->done_count, 1);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(a_call_without_time_ends_at_once)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 0);

    ck_assert_int_eq(bed_await(bed, asked), RPC_EDEADLINE);
    ck_assert_uint_eq(bed->accepted, 0);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(a_cancelled_call_tells_the_handler_and_not_the_caller)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    struct asked *other;

    bed_await_held(bed, 1);
    rpc_pending_cancel(asked->pending);
    bed_await_cancelled(bed, 1);
    rpc_call_reply(bed_take_held(bed), "late", 4);
    /* The connection goes on. */
    other = bed_ask(bed, "Test.Echo", "y", 1, 5000);
    ck_assert_int_eq(bed_await(bed, other), 0);
    ck_assert(!asked->done);
    ck_assert_uint_eq(bed->accepted, 1);
    asked_free(asked);
    asked_free(other);
    bed_free(bed);
}
END_TEST

START_TEST(a_call_cancelled_before_it_was_sent_never_arrives)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    struct asked *other = bed_ask(bed, "Test.Echo", "y", 1, 5000);

    rpc_pending_cancel(asked->pending);
    ck_assert_int_eq(bed_await(bed, other), 0);
    ck_assert_uint_eq(bed->held_count, 0);
    asked_free(asked);
    asked_free(other);
    bed_free(bed);
}
END_TEST

START_TEST(a_lost_connection_fails_its_calls)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *first = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    struct asked *second = bed_ask(bed, "Test.Hold", "x", 1, 60000);

    bed_await_held(bed, 2);
    bed_stop_server(bed);
    ck_assert_uint_eq(bed->cancelled, 2);
    ck_assert_int_eq(bed_await(bed, first), RPC_ECLOSED);
    ck_assert_int_eq(bed_await(bed, second), RPC_ECLOSED);
    asked_free(first);
    asked_free(second);
    bed_free(bed);
}
END_TEST

START_TEST(a_server_that_is_not_there_fails_the_call)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked;

    bed_stop_server(bed);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 60000);
    ck_assert_int_eq(bed_await(bed, asked), BASE_EREFUSED);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(a_pool_that_goes_ends_its_calls_first)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *held = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    struct asked *waiting;

    bed_await_held(bed, 1);
    bed->target.node = "s9";
    waiting = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    rpc_pool_free(bed->pool);
    bed->pool = NULL;
    ck_assert_int_eq(held->status, RPC_ECANCELLED);
    ck_assert_int_eq(waiting->status, RPC_ECANCELLED);
    bed_await_cancelled(bed, 1);
    asked_free(held);
    asked_free(waiting);
    bed_free(bed);
}
END_TEST

START_TEST(too_many_calls_in_flight_are_answered_busy)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .server.streams_max = 2, .pool.streams_max = 64});
    struct asked *held[2];
    struct asked *asked;
    int i;

    /* All three are sent before the server's own limit is known. */
    held[0] = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    held[1] = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    asked = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    ck_assert_int_eq(bed_await(bed, asked), RPC_EBUSY);
    ck_assert_uint_eq(world_refused(bed->world, "streams-max"), 1);
    for (i = 0; i < 2; i++)
        rpc_call_reply(bed_take_held(bed), "ok", 2);
    for (i = 0; i < 2; i++) {
        ck_assert_int_eq(bed_await(bed, held[i]), 0);
        asked_free(held[i]);
    }
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(more_calls_than_a_connection_holds_take_another)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .server.streams_max = 2, .pool.streams_max = 2});
    struct asked *held[20];
    unsigned i;

    for (i = 0; i < 20; i++)
        held[i] = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    /* Eight connections of two; the other four wait for their turn. */
    bed_await_held(bed, 16);
    world_settle(bed->world);
    ck_assert_uint_eq(bed->held_count, 16);
    ck_assert_uint_eq(bed->accepted, 8);
    for (i = 0; i < 16; i++)
        rpc_call_reply(bed_take_held(bed), "ok", 2);
    bed_await_held(bed, 4);
    for (i = 0; i < 4; i++)
        rpc_call_reply(bed_take_held(bed), "ok", 2);
    for (i = 0; i < 20; i++) {
        ck_assert_int_eq(bed_await(bed, held[i]), 0);
        asked_free(held[i]);
    }
    bed_free(bed);
}
END_TEST

static const size_t sizes[] = {0,     1,      65535,   65536,
                               65537, 131072, 1000000, 16u * 1024 * 1024};

START_TEST(messages_of_all_sizes_come_back)
{
    size_t size = sizes[_i / WORLD_KINDS];
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i % WORLD_KINDS});
    uint8_t *body = base_alloc(size + 1);
    struct asked *asked;
    size_t i;

    for (i = 0; i < size; i++)
        body[i] = (uint8_t)(i * 31 + i / 255);
    asked = bed_ask(bed, "Test.Echo", body, size, 60000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(asked->len, size);
    ck_assert(memcmp(asked->body, body, size) == 0);
    asked_free(asked);
    base_free(body);
    bed_free(bed);
}
END_TEST

START_TEST(an_oversized_request_is_refused_unread)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .server.message_bytes_max = 100000});
    uint8_t *body = base_calloc(1, 200000);
    struct asked *asked = bed_ask(bed, "Test.Echo", body, 200000, 5000);
    struct asked *other;

    ck_assert_int_eq(bed_await(bed, asked), RPC_ETOOBIG);
    ck_assert_uint_eq(world_refused(bed->world, "message-max"), 1);
    asked_free(asked);
    /* From here on the caller knows the limit, and does not even send it. */
    asked = bed_ask(bed, "Test.Echo", body, 200000, 5000);
    ck_assert_int_eq(bed_await(bed, asked), RPC_ETOOBIG);
    ck_assert_uint_eq(world_refused(bed->world, "message-max"), 1);
    other = bed_ask(bed, "Test.Echo", body, 100000, 5000);
    ck_assert_int_eq(bed_await(bed, other), 0);
    ck_assert_uint_eq(bed->accepted, 1);
    asked_free(asked);
    asked_free(other);
    base_free(body);
    bed_free(bed);
}
END_TEST

START_TEST(an_oversized_answer_is_an_error_for_the_caller)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .pool.message_bytes_max = 100000});
    struct asked *asked = bed_ask(bed, "Test.Hold", "x", 1, 5000);
    uint8_t *body = base_calloc(1, 100001);

    bed_await_held(bed, 1);
    rpc_call_reply(bed_take_held(bed), body, 100001);
    ck_assert_int_eq(bed_await(bed, asked), RPC_ETOOBIG);
    asked_free(asked);
    base_free(body);
    bed_free(bed);
}
END_TEST

START_TEST(a_long_message_does_not_hold_up_a_short_one)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    size_t size = 16u * 1024 * 1024;
    uint8_t *body = base_calloc(1, size);
    struct asked *slow = bed_ask(bed, "Test.Echo", body, size, 60000);
    struct asked *quick = bed_ask(bed, "Test.Echo", "q", 1, 60000);

    ck_assert_int_eq(bed_await(bed, quick), 0);
    ck_assert(!slow->done);
    ck_assert_int_eq(bed_await(bed, slow), 0);
    ck_assert_uint_eq(bed->accepted, 1);
    asked_free(slow);
    asked_free(quick);
    base_free(body);
    bed_free(bed);
}
END_TEST

START_TEST(many_long_messages_share_a_bounded_memory)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i,
                                                   .server.message_bytes_max =
                                                       1u << 20});
    size_t size = 1u << 20;
    uint8_t *body = base_calloc(1, size);
    struct asked *asked[32];
    unsigned i;

    for (i = 0; i < 32; i++)
        asked[i] = bed_ask(bed, "Test.Echo", body, size, 60000);
    for (i = 0; i < 32; i++) {
        ck_assert_int_eq(bed_await(bed, asked[i]), 0);
        ck_assert_uint_eq(asked[i]->len, size);
        asked_free(asked[i]);
    }
    base_free(body);
    bed_free(bed);
}
END_TEST

START_TEST(a_long_message_can_be_cancelled_in_its_middle)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    size_t size = 8u * 1024 * 1024;
    uint8_t *body = base_calloc(1, size);
    struct asked *slow = bed_ask(bed, "Test.Echo", body, size, 60000);
    struct asked *quick = bed_ask(bed, "Test.Echo", "q", 1, 60000);

    ck_assert_int_eq(bed_await(bed, quick), 0);
    rpc_pending_cancel(slow->pending);
    asked_free(quick);
    quick = bed_ask(bed, "Test.Echo", "q", 1, 60000);
    ck_assert_int_eq(bed_await(bed, quick), 0);
    ck_assert_uint_eq(bed->accepted, 1);
    asked_free(slow);
    asked_free(quick);
    base_free(body);
    bed_free(bed);
}
END_TEST

static const struct {
    const char *method;
    const char *const *names;
    int status;
} rights[] = {
    {"Test.Servers", NAMES("client.dc1.consul"), RPC_EDENIED},
    {"Test.Servers", NAMES("server.dc2.consul"), 0},
    {"Test.Servers", NAMES("server.dc1.consul"), 0},
    {"Test.OwnDc", NAMES("client.dc1.consul"), RPC_EDENIED},
    {"Test.OwnDc", NAMES("server.dc2.consul"), RPC_EDENIED},
    {"Test.OwnDc", NAMES("server.dc1.consul"), 0},
    {"Test.Echo", NAMES("client.dc1.consul"), 0},
};

START_TEST(server_only_methods_need_a_servers_certificate)
{
    int row = _i / WORLD_KINDS;
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i % WORLD_KINDS,
        .client_names = rights[row].names,
        .server.check_names = true});
    struct asked *asked = bed_ask(bed, rights[row].method, "x", 1, 5000);

    ck_assert_int_eq(bed_await(bed, asked), rights[row].status);
    ck_assert_uint_eq(world_refused(bed->world, "method-name"),
                      rights[row].status != 0);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

/* ---- connections ---- */

START_TEST(an_idle_connection_closes_and_the_next_call_dials_again)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .pool.idle_timeout_ms = 200});
    struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);

    ck_assert_int_eq(bed_await(bed, asked), 0);
    asked_free(asked);
    world_pass_ms(bed->world, 400);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, 2);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(a_server_that_closes_idle_ones_loses_no_call)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .server.idle_timeout_ms = 100});
    unsigned round;

    /* Calls at about the time that the server says goodbye. */
    for (round = 0; round < 12; round++) {
        struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);

        ck_assert_int_eq(bed_await(bed, asked), 0);
        asked_free(asked);
        world_pass_ms(bed->world, 94 + round);
    }
    ck_assert_uint_gt(bed->accepted, 1);
    bed_free(bed);
}
END_TEST

START_TEST(a_connection_with_a_call_under_way_is_not_idle)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = SIM, .pool.idle_timeout_ms = 1000,
        .server.idle_timeout_ms = 1000});
    struct asked *asked = bed_ask(bed, "Test.Hold", "x", 1, 600000);

    bed_await_held(bed, 1);
    world_pass_ms(bed->world, 300000);
    ck_assert(!asked->done);
    rpc_call_reply(bed_take_held(bed), "ok", 2);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, 1);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

static bool log_has(FILE *file, const char *words)
{
    char line[512];

    rewind(file);
    while (fgets(line, sizeof(line), file) != NULL)
        if (strstr(line, words) != NULL)
            return true;
    return false;
}

START_TEST(a_call_can_be_followed_in_the_event_log)
{
    static const char *const steps[] = {
        "accepted protocol=rpc-multi secure=1", "send Test.Echo id=1 bytes=5",
        "call Test.Echo id=1 bytes=5",
        "answer Test.Echo id=1 bytes=5 status=0",
        "done Test.Echo id=1 bytes=5 status=0"};
    struct bed *bed = bed_new(&(struct bed_config){.kind = SIM});
    FILE *file = tmpfile();
    struct asked *asked;
    unsigned i;

    base_sim_set_log(bed->world->sim, file);
    asked = bed_ask(bed, "Test.Echo", "hello", 5, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    for (i = 0; i < BASE_COUNT_OF(steps); i++)
        ck_assert_msg(log_has(file, steps[i]), "lacks: %s", steps[i]);
    base_sim_set_log(bed->world->sim, NULL);
    fclose(file);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

static void digest_of_a_run(char digest[65])
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = SIM});
    uint8_t *body = base_calloc(1, 300000);
    unsigned i;

    for (i = 0; i < 10; i++) {
        struct asked *asked = bed_ask(bed, "Test.Echo", body, i * 30000, 5000);

        ck_assert_int_eq(bed_await(bed, asked), 0);
        asked_free(asked);
    }
    base_sim_digest(bed->world->sim, digest);
    base_free(body);
    bed_free(bed);
}

START_TEST(equal_seeds_give_equal_runs)
{
    char first[65];
    char second[65];

    digest_of_a_run(first);
    digest_of_a_run(second);
    ck_assert_str_eq(first, second);
}
END_TEST

static void cut(void *arg, const struct base_sim_host *from,
                const struct base_sim_host *to, struct base_sim_link *link)
{
    (void)from;
    (void)to;
    link->up = !*(bool *)arg;
}

START_TEST(a_peer_that_falls_silent_ends_the_call)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = SIM});
    bool is_cut = false;
    struct asked *asked;

    base_sim_set_link(bed->world->sim, cut, &is_cut);
    asked = bed_ask(bed, "Test.Hold", "x", 1, 600000);
    bed_await_held(bed, 1);
    is_cut = true;
    world_pass_ms(bed->world, 61000);
    ck_assert(asked->done);
    ck_assert_int_eq(asked->status, RPC_ECLOSED);
    bed_await_cancelled(bed, 1);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(servers_behind_one_address_do_not_share_a_connection)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    struct asked *other;

    bed->target.node = "s2";
    other = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_int_eq(bed_await(bed, other), 0);
    ck_assert_uint_eq(bed->accepted, 2);
    asked_free(asked);
    asked_free(other);
    bed_free(bed);
}
END_TEST

START_TEST(forgetting_a_server_drops_its_idle_connection)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);

    ck_assert_int_eq(bed_await(bed, asked), 0);
    asked_free(asked);
    rpc_pool_forget(bed->pool, "dc1", "s1");
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, 2);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

static bool is_way(void *arg, const char *dc, const struct base_addr *to)
{
    const struct bed *bed = arg;

    ck_assert_str_eq(dc, "dc1");
    ck_assert(base_addr_equal(to, &bed->addr));
    return false;
}

static bool is_any_way(void *arg, const char *dc, const struct base_addr *to)
{
    (void)arg;
    (void)dc;
    (void)to;
    return true;
}

START_TEST(calls_go_a_new_way_while_old_ones_end_on_theirs)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *held = bed_ask(bed, "Test.Hold", "h", 1, 5000);
    struct asked *asked;

    bed_await_held(bed, 1);
    rpc_pool_renew(bed->pool, is_any_way, NULL);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, 1);
    asked_free(asked);

    rpc_pool_renew(bed->pool, is_way, bed);
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, 2);
    asked_free(asked);
    rpc_call_reply(bed_take_held(bed), "late", 4);
    ck_assert_int_eq(bed_await(bed, held), 0);
    asked_free(held);
    bed_free(bed);
}
END_TEST

/* A connection that leaves takes no new call: nothing is left to wait for. */
START_TEST(calls_fail_when_the_new_way_is_none)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *held = bed_ask(bed, "Test.Hold", "h", 1, 60000);
    struct asked *asked;

    bed_await_held(bed, 1);
    rpc_pool_renew(bed->pool, is_way, bed);
    rpc_listener_free(bed->listener);
    bed->listener = NULL;
    asked = bed_ask(bed, "Test.Echo", "x", 1, 60000);
    ck_assert_int_lt(bed_await(bed, asked), 0);
    ck_assert_int_ne(asked->status, RPC_EDEADLINE);
    ck_assert(!held->done);
    asked_free(asked);
    rpc_call_reply(bed_take_held(bed), "late", 4);
    ck_assert_int_eq(bed_await(bed, held), 0);
    asked_free(held);
    bed_free(bed);
}
END_TEST

START_TEST(ways_that_change_often_leave_room_for_calls)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *held[12];
    struct asked *asked;
    unsigned i;

    for (i = 0; i < BASE_COUNT_OF(held); i++) {
        held[i] = bed_ask(bed, "Test.Hold", "h", 1, 5000);
        bed_await_held(bed, i + 1);
        rpc_pool_renew(bed->pool, is_way, bed);
    }
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_uint_eq(bed->accepted, BASE_COUNT_OF(held) + 1);
    asked_free(asked);
    for (i = 0; i < BASE_COUNT_OF(held); i++)
        rpc_call_reply(bed_take_held(bed), "late", 4);
    for (i = 0; i < BASE_COUNT_OF(held); i++) {
        ck_assert_int_eq(bed_await(bed, held[i]), 0);
        asked_free(held[i]);
    }
    bed_free(bed);
}
END_TEST

START_TEST(a_server_nobody_uses_any_more_is_forgotten_and_found_again)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .pool.idle_timeout_ms = 50});
    const char *nodes[] = {"s1", "s2", "s1"};
    unsigned i;

    for (i = 0; i < 3; i++) {
        struct asked *asked;

        bed->target.node = nodes[i];
        asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
        ck_assert_int_eq(bed_await(bed, asked), 0);
        asked_free(asked);
        world_pass_ms(bed->world, 150);
    }
    ck_assert_uint_eq(bed->accepted, 3);
    bed_free(bed);
}
END_TEST

START_TEST(calls_beyond_the_queue_are_busy)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked[1025];
    unsigned i;

    for (i = 0; i < 1025; i++)
        asked[i] = bed_ask(bed, "Test.Echo", "x", 1, 20000);
    ck_assert_int_eq(bed_await(bed, asked[1024]), RPC_EBUSY);
    for (i = 0; i < 1025; i++) {
        ck_assert_int_eq(bed_await(bed, asked[i]),
                         i == 1024 ? RPC_EBUSY : 0);
        asked_free(asked[i]);
    }
    bed_free(bed);
}
END_TEST

START_TEST(a_target_that_cannot_be_dialled_fails_the_call)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked;

    bed->target.addr = (struct base_addr){0};
    asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), RPC_EINVAL);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

/* ---- the server's end ---- */

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

START_TEST(a_shutdown_finishes_what_has_come)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *held = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    bool over = false;

    bed_await_held(bed, 1);
    rpc_server_shutdown(bed->server, 60000, set_flag, &over);
    world_settle(bed->world);
    ck_assert(!over);
    rpc_call_reply(bed_take_held(bed), "done", 4);
    ck_assert_int_eq(bed_await(bed, held), 0);
    world_await_flag(bed->world, &over);
    asked_free(held);
    bed_free(bed);
}
END_TEST

START_TEST(a_shutdown_takes_nothing_new)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct rpc_request request = {.method = "Test.Echo", .timeout_ms = 5000};
    struct asked *held = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    struct asked *fresh;
    bool over = false;

    bed_await_held(bed, 1);
    rpc_server_shutdown(bed->server, 60000, set_flag, &over);
    fresh = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, fresh), RPC_ECLOSED);
    ck_assert_int_eq(rpc_server_call_local(bed->server, &request, asked_done,
                                           NULL, NULL),
                     RPC_ECLOSED);
    ck_assert(!held->done);
    rpc_call_reply(bed_take_held(bed), "done", 4);
    ck_assert_int_eq(bed_await(bed, held), 0);
    world_await_flag(bed->world, &over);
    asked_free(held);
    asked_free(fresh);
    bed_free(bed);
}
END_TEST

START_TEST(a_shutdown_ends_in_time)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *held = bed_ask(bed, "Test.Hold", "x", 1, 60000);
    bool over = false;

    bed_await_held(bed, 1);
    rpc_server_shutdown(bed->server, 200, set_flag, &over);
    world_await_flag(bed->world, &over);
    ck_assert_uint_eq(bed->cancelled, 1);
    ck_assert_int_eq(bed_await(bed, held), RPC_ECLOSED);
    asked_free(held);
    bed_free(bed);
}
END_TEST

START_TEST(a_shutdown_of_an_idle_server_is_quick)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked = bed_ask(bed, "Test.Echo", "x", 1, 5000);
    bool over = false;

    ck_assert_int_eq(bed_await(bed, asked), 0);
    rpc_server_shutdown(bed->server, 600000, set_flag, &over);
    ck_assert(!over);
    world_settle(bed->world);
    ck_assert(over);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

static void on_suicide(void *arg, struct rpc_call *call)
{
    struct bed *bed = arg;

    rpc_server_free(bed->server);
    bed->server = NULL;
    rpc_call_reply(call, "too late", 8);
}

START_TEST(a_method_may_end_the_server)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *asked;

    rpc_server_method(bed->server, "Test.End", 0, on_suicide, bed);
    asked = bed_ask(bed, "Test.End", "x", 1, 5000);
    ck_assert_int_eq(bed_await(bed, asked), RPC_ECLOSED);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

/* ---- our own process ---- */

static struct asked *ask_local(struct bed *bed, const char *method,
                               uint32_t timeout_ms)
{
    struct rpc_request request = {.method = method,
                                  .body = "local",
                                  .body_len = 5,
                                  .timeout_ms = timeout_ms};
    struct asked *asked;

    BASE_NEW(asked);
    ck_assert_int_eq(rpc_server_call_local(bed->server, &request, asked_done,
                                           asked, &asked->pending),
                     0);
    ck_assert(!asked->done);
    return asked;
}

START_TEST(a_local_call_follows_the_same_rules)
{
    struct bed *bed = bed_new(&(struct bed_config){
        .kind = _i, .server.check_names = true});
    struct asked *asked = ask_local(bed, "Test.OwnDc", 5000);

    ck_assert_int_eq(bed_await(bed, asked), 0);
    ck_assert_mem_eq(asked->body, "local", 5);
    asked_free(asked);
    asked = ask_local(bed, "Test.Fail", 5000);
    ck_assert_int_eq(bed_await(bed, asked), RPC_EDENIED);
    ck_assert_str_eq(asked->text, "no luck today");
    asked_free(asked);
    asked = ask_local(bed, "Test.Nothing", 5000);
    ck_assert_int_eq(bed_await(bed, asked), RPC_ENOMETHOD);
    asked_free(asked);
    asked = ask_local(bed, "Test.Hold", 0);
    ck_assert_int_eq(bed_await(bed, asked), RPC_EDEADLINE);
    asked_free(asked);
    bed_free(bed);
}
END_TEST

START_TEST(a_local_call_times_out_and_can_be_cancelled)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *late = ask_local(bed, "Test.Hold", 100);
    struct asked *cancelled = ask_local(bed, "Test.Hold", 60000);
    struct asked *early = ask_local(bed, "Test.Hold", 60000);

    rpc_pending_cancel(early->pending);
    bed_await_held(bed, 2);
    ck_assert_ptr_null(rpc_call_peer(bed->held[0]));
    rpc_pending_cancel(cancelled->pending);
    ck_assert_int_eq(bed_await(bed, late), RPC_EDEADLINE);
    bed_await_cancelled(bed, 2);
    ck_assert(!cancelled->done);
    ck_assert(!early->done);
    rpc_call_reply(bed_take_held(bed), "late", 4);
    rpc_call_fail(bed_take_held(bed), RPC_EBUSY, "late");
    asked_free(late);
    asked_free(cancelled);
    asked_free(early);
    bed_free(bed);
}
END_TEST

START_TEST(local_calls_end_with_the_server)
{
    struct bed *bed = bed_new(&(struct bed_config){.kind = _i});
    struct asked *held = ask_local(bed, "Test.Hold", 60000);
    struct asked *fresh;

    bed_await_held(bed, 1);
    fresh = ask_local(bed, "Test.Hold", 60000);
    bed_stop_server(bed);
    ck_assert_int_eq(held->status, RPC_ECLOSED);
    ck_assert_int_eq(fresh->status, RPC_ECLOSED);
    ck_assert_uint_eq(bed->cancelled, 1);
    asked_free(held);
    asked_free(fresh);
    bed_free(bed);
}
END_TEST

static void add_both(TCase *tcase, const TTest *test)
{
    tcase_add_loop_test(tcase, test, 0, WORLD_KINDS);
}

Suite *calls_suite(void)
{
    Suite *suite = suite_create("calls");
    TCase *tcase = tcase_create("ends");
    TCase *conns = tcase_create("connections");
    TCase *local = tcase_create("local");

    tcase_set_timeout(tcase, 60);
    add_both(tcase, a_call_is_answered);
    add_both(tcase, a_call_is_answered_without_tls);
    add_both(tcase, token_and_hops_travel);
    add_both(tcase, a_failure_has_its_code_and_words);
    add_both(tcase, an_unknown_method_is_named);
    add_both(tcase, a_star_takes_what_has_no_method);
    add_both(tcase, a_request_that_cannot_be_said_is_refused_at_once);
    add_both(tcase, a_call_times_out_and_the_handler_hears_it);
    add_both(tcase, a_call_without_time_ends_at_once);
    add_both(tcase, a_cancelled_call_tells_the_handler_and_not_the_caller);
    add_both(tcase, a_call_cancelled_before_it_was_sent_never_arrives);
    add_both(tcase, a_lost_connection_fails_its_calls);
    add_both(tcase, a_server_that_is_not_there_fails_the_call);
    add_both(tcase, a_pool_that_goes_ends_its_calls_first);
    add_both(tcase, too_many_calls_in_flight_are_answered_busy);
    add_both(tcase, more_calls_than_a_connection_holds_take_another);
    tcase_add_loop_test(tcase, messages_of_all_sizes_come_back, 0,
                        WORLD_KINDS * (int)BASE_COUNT_OF(sizes));
    add_both(tcase, an_oversized_request_is_refused_unread);
    add_both(tcase, an_oversized_answer_is_an_error_for_the_caller);
    add_both(tcase, a_long_message_does_not_hold_up_a_short_one);
    add_both(tcase, many_long_messages_share_a_bounded_memory);
    add_both(tcase, a_long_message_can_be_cancelled_in_its_middle);
    tcase_add_loop_test(tcase, server_only_methods_need_a_servers_certificate,
                        0, WORLD_KINDS * (int)BASE_COUNT_OF(rights));
    suite_add_tcase(suite, tcase);

    tcase_set_timeout(conns, 60);
    add_both(conns, an_idle_connection_closes_and_the_next_call_dials_again);
    add_both(conns, a_server_that_closes_idle_ones_loses_no_call);
    tcase_add_test(conns, a_connection_with_a_call_under_way_is_not_idle);
    tcase_add_test(conns, a_call_can_be_followed_in_the_event_log);
    tcase_add_test(conns, equal_seeds_give_equal_runs);
    tcase_add_test(conns, a_peer_that_falls_silent_ends_the_call);
    add_both(conns, servers_behind_one_address_do_not_share_a_connection);
    add_both(conns, forgetting_a_server_drops_its_idle_connection);
    add_both(conns, calls_go_a_new_way_while_old_ones_end_on_theirs);
    add_both(conns, calls_fail_when_the_new_way_is_none);
    add_both(conns, ways_that_change_often_leave_room_for_calls);
    add_both(conns, a_server_nobody_uses_any_more_is_forgotten_and_found_again);
    add_both(conns, calls_beyond_the_queue_are_busy);
    add_both(conns, a_target_that_cannot_be_dialled_fails_the_call);
    add_both(conns, a_shutdown_finishes_what_has_come);
    add_both(conns, a_shutdown_takes_nothing_new);
    add_both(conns, a_shutdown_ends_in_time);
    add_both(conns, a_shutdown_of_an_idle_server_is_quick);
    add_both(conns, a_method_may_end_the_server);
    suite_add_tcase(suite, conns);

    add_both(local, a_local_call_follows_the_same_rules);
    add_both(local, a_local_call_times_out_and_can_be_cancelled);
    add_both(local, local_calls_end_with_the_server);
    suite_add_tcase(suite, local);
    return suite;
}
