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

static void add_both(TCase *tcase, const TTest *test)
{
    tcase_add_loop_test(tcase, test, 0, WORLD_KINDS);
}

Suite *calls_suite(void)
{
    Suite *suite = suite_create("calls");
    TCase *tcase = tcase_create("calls");

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
    tcase_add_loop_test(tcase, server_only_methods_need_a_servers_certificate,
                        0, WORLD_KINDS * (int)BASE_COUNT_OF(rights));
    suite_add_tcase(suite, tcase);
    return suite;
}
