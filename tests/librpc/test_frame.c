/* Frames as bytes: what is written is read again, and nothing else is. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "frame.h"
#include "rpc/error.h"
#include "suite.h"

Suite *frame_suite(void);

START_TEST(a_request_reads_as_written)
{
    struct frame_start start;
    struct frame_head head;
    struct base_buf buf = BASE_BUF_INIT;
    struct frame frame;
    const uint8_t *part;
    size_t part_len;

    frame_write_request(&start, 7, "Status.Ping", "token", 1500, 3, 4);
    base_buf_append(&buf, start.bytes, start.len);
    base_buf_append(&buf, "body", 4);
    ck_assert_int_eq(frame_read(base_buf_data(&buf), base_buf_len(&buf),
                                &frame),
                     (int64_t)base_buf_len(&buf));
    ck_assert_uint_eq(frame.type, FRAME_REQUEST);
    ck_assert_uint_eq(frame.id, 7);
    ck_assert_int_eq(frame_read_head(&frame, &head, &part, &part_len), 0);
    ck_assert_str_eq(head.method, "Status.Ping");
    ck_assert_str_eq(head.token, "token");
    ck_assert_uint_eq(head.timeout_ms, 1500);
    ck_assert_uint_eq(head.hops, 3);
    ck_assert_uint_eq(head.total, 4);
    ck_assert_uint_eq(part_len, 4);
    ck_assert_mem_eq(part, "body", 4);
    base_buf_close(&buf);
}
END_TEST

START_TEST(a_response_reads_as_written)
{
    struct frame_start start;
    struct frame_head head;
    struct frame frame;
    const uint8_t *part;
    size_t part_len;

    frame_write_response(&start, 9, RPC_EDENIED, "no", 0);
    ck_assert_int_gt(frame_read(start.bytes, start.len, &frame), 0);
    ck_assert_int_eq(frame_read_head(&frame, &head, &part, &part_len), 0);
    ck_assert_int_eq(head.status, RPC_EDENIED);
    ck_assert_str_eq(head.text, "no");
    ck_assert_uint_eq(part_len, 0);
}
END_TEST

START_TEST(a_text_is_cut_and_cleaned)
{
    char text[3000];
    struct frame_start start;
    struct frame_head head;
    struct frame frame;
    const uint8_t *part;
    size_t part_len;

    memset(text, 'a', sizeof(text));
    text[1] = '\n';
    text[sizeof(text) - 1] = '\0';
    frame_write_response(&start, 1, RPC_EBUSY, text, 0);
    ck_assert_int_gt(frame_read(start.bytes, start.len, &frame), 0);
    ck_assert_int_eq(frame_read_head(&frame, &head, &part, &part_len), 0);
    ck_assert_uint_eq(strlen(head.text), FRAME_TEXT_LEN_MAX);
    ck_assert_int_eq(head.text[1], ' ');
}
END_TEST

START_TEST(part_of_a_frame_asks_for_more)
{
    struct frame_start start;
    struct frame frame;
    size_t len;

    frame_write_response(&start, 1, 0, "", 0);
    for (len = 0; len < start.len; len++)
        ck_assert_int_eq(frame_read(start.bytes, len, &frame), 0);
}
END_TEST

START_TEST(a_length_over_the_limit_is_refused_by_its_header)
{
    uint8_t header[FRAME_HEADER_BYTES] = {0};
    struct frame frame;

    header[1] = 0x01; /* 69,632 is 0x011000 */
    header[2] = 0x10;
    header[4] = FRAME_DATA;
    ck_assert_int_eq(frame_read(header, sizeof(header), &frame), 0);
    header[3] = 0x01;
    ck_assert_int_eq(frame_read(header, sizeof(header), &frame), RPC_ETOOBIG);
    memset(header, 0xff, 4);
    ck_assert_int_eq(frame_read(header, sizeof(header), &frame), RPC_ETOOBIG);
}
END_TEST

START_TEST(reserved_bytes_must_be_zero)
{
    uint8_t header[FRAME_HEADER_BYTES] = {0};
    struct frame frame;

    header[4] = FRAME_PING;
    ck_assert_int_eq(frame_read(header, sizeof(header), &frame),
                     FRAME_HEADER_BYTES);
    header[_i] = 1;
    ck_assert_int_eq(frame_read(header, sizeof(header), &frame), RPC_EPEER);
}
END_TEST

/* Payloads of requests and responses that are not well formed. */
static const struct {
    enum frame_type type;
    size_t len;
    const char *payload;
} bad[] = {
    {FRAME_REQUEST, 0, ""},
    {FRAME_REQUEST, 12, "\0\0\0\0\0\0\0\0\0\0\0\0"}, /* no method */
    {FRAME_REQUEST, 13, "\0\0\0\0\0\0\0\0\0\x05\0\0a"}, /* method cut off */
    {FRAME_REQUEST, 13, "\0\0\0\0\0\0\0\0\0\1\0\0 "}, /* a space */
    {FRAME_REQUEST, 13, "\0\0\0\0\0\0\0\0\0\1\0\0\0"}, /* a NUL */
    {FRAME_REQUEST, 13, "\0\0\0\0\0\0\0\0\0\1\0\0\x80"},
    {FRAME_REQUEST, 13, "\0\0\0\1\0\0\0\0\0\1\0\0a"}, /* body is missing */
    {FRAME_REQUEST, 14, "\0\0\0\0\0\0\0\0\0\1\0\0ab"}, /* a byte too many */
    {FRAME_REQUEST, 13, "\0\0\0\0\0\0\0\0\0\1\xff\xff" "a"}, /* token */
    {FRAME_RESPONSE, 0, ""},
    {FRAME_RESPONSE, 11, "\0\0\0\0\0\0\0\0\0\0\0"},
    {FRAME_RESPONSE, 12, "\0\0\0\0\0\0\0\1\0\0\0\0"}, /* status over 0 */
    {FRAME_RESPONSE, 12, "\0\0\0\0\0\0\0\0\0\1\0\0"}, /* text cut off */
    {FRAME_RESPONSE, 12, "\0\0\0\0\0\0\0\0\0\0\0\1"}, /* reserved */
    {FRAME_RESPONSE, 12, "\0\0\0\0\0\0\0\0\x08\0\0\0"}, /* text too long */
};

START_TEST(malformed_heads_are_refused)
{
    struct frame frame = {(uint8_t)bad[_i].type, 1,
                          (const uint8_t *)bad[_i].payload, bad[_i].len};
    struct frame_head head;
    const uint8_t *part;
    size_t part_len;

    ck_assert_int_eq(frame_read_head(&frame, &head, &part, &part_len),
                     RPC_EPEER);
}
END_TEST

START_TEST(a_hello_may_grow_but_not_shrink)
{
    const uint8_t bytes[] = {0, 1, 0, 64, 1, 0, 0, 0, 9, 9};
    struct frame frame = {FRAME_HELLO, 0, bytes, sizeof(bytes)};
    struct frame_hello hello;

    ck_assert_int_eq(frame_read_hello(&frame, &hello), 0);
    ck_assert_uint_eq(hello.version, 1);
    ck_assert_uint_eq(hello.streams_max, 64);
    ck_assert_uint_eq(hello.message_bytes_max, 16777216);
    frame.len = 7;
    ck_assert_int_eq(frame_read_hello(&frame, &hello), RPC_EPEER);
}
END_TEST

Suite *frame_suite(void)
{
    Suite *suite = suite_create("rpc frame");
    TCase *tcase = tcase_create("bytes");

    tcase_add_test(tcase, a_request_reads_as_written);
    tcase_add_test(tcase, a_response_reads_as_written);
    tcase_add_test(tcase, a_text_is_cut_and_cleaned);
    tcase_add_test(tcase, part_of_a_frame_asks_for_more);
    tcase_add_test(tcase, a_length_over_the_limit_is_refused_by_its_header);
    tcase_add_loop_test(tcase, reserved_bytes_must_be_zero, 5, 8);
    tcase_add_loop_test(tcase, malformed_heads_are_refused, 0,
                        (int)BASE_COUNT_OF(bad));
    tcase_add_test(tcase, a_hello_may_grow_but_not_shrink);
    suite_add_tcase(suite, tcase);
    return suite;
}
