/* What bounds calls: those in flight, and the length of what they bear. */
#include <string.h>

#include "bed.h"

Suite *call_limits_suite(void);

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

static void add_both(TCase *tcase, const TTest *test)
{
    tcase_add_loop_test(tcase, test, 0, WORLD_KINDS);
}

Suite *call_limits_suite(void)
{
    Suite *suite = suite_create("call limits");
    TCase *tcase = tcase_create("call limits");

    tcase_set_timeout(tcase, 60);
    add_both(tcase, too_many_calls_in_flight_are_answered_busy);
    add_both(tcase, more_calls_than_a_connection_holds_take_another);
    tcase_add_loop_test(tcase, messages_of_all_sizes_come_back, 0,
                        WORLD_KINDS * (int)BASE_COUNT_OF(sizes));
    add_both(tcase, an_oversized_request_is_refused_unread);
    add_both(tcase, an_oversized_answer_is_an_error_for_the_caller);
    add_both(tcase, a_long_message_does_not_hold_up_a_short_one);
    add_both(tcase, many_long_messages_share_a_bounded_memory);
    add_both(tcase, a_long_message_can_be_cancelled_in_its_middle);
    suite_add_tcase(suite, tcase);
    return suite;
}
