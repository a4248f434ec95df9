/* A server's end, gentle or not; and calls of its own process, which end with
 * it. */
#include <string.h>

#include "bed.h"

Suite *server_end_suite(void);

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

Suite *server_end_suite(void)
{
    Suite *suite = suite_create("server end");
    TCase *tcase = tcase_create("server end");

    tcase_set_timeout(tcase, 60);
    add_both(tcase, a_shutdown_finishes_what_has_come);
    add_both(tcase, a_shutdown_takes_nothing_new);
    add_both(tcase, a_shutdown_ends_in_time);
    add_both(tcase, a_shutdown_of_an_idle_server_is_quick);
    add_both(tcase, a_method_may_end_the_server);
    add_both(tcase, a_local_call_follows_the_same_rules);
    add_both(tcase, a_local_call_times_out_and_can_be_cancelled);
    add_both(tcase, local_calls_end_with_the_server);
    suite_add_tcase(suite, tcase);
    return suite;
}
