/* Frames, byte by byte; hostile lengths. */
#include "frame.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wanfed/transport.h"

START_TEST(the_bytes_are_those_of_the_protocol)
{
    static const uint8_t want[] = {0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd'};
    struct base_buf out = BASE_BUF_INIT;

    wanfed_frame_append(&out, "abc", 3);
    wanfed_frame_append(&out, "d", 1);
    ck_assert_uint_eq(base_buf_len(&out), sizeof(want));
    ck_assert_mem_eq(base_buf_data(&out), want, sizeof(want));
    base_buf_close(&out);
}
END_TEST

START_TEST(a_frame_is_whole_only_with_its_last_byte)
{
    static const uint8_t bytes[] = {0, 0, 1, 2};
    uint8_t data[4 + 258] = {0};
    struct wanfed_frame frame;
    size_t len;

    memcpy(data, bytes, 4);
    for (len = 0; len < sizeof(data); len++) {
        uint8_t *exact = malloc(len + 1); /* a read past it would show */

        memcpy(exact, data, len);
        ck_assert_int_eq(wanfed_frame_read(exact, len, &frame),
                         WANFED_FRAME_PARTIAL);
        ck_assert_uint_eq(frame.bytes, len < 4 ? 0 : sizeof(data));
        free(exact);
    }
    ck_assert_int_eq(wanfed_frame_read(data, len, &frame), WANFED_FRAME_WHOLE);
    ck_assert_uint_eq(frame.packet_len, 258);
    ck_assert_ptr_eq(frame.packet, data + 4);
}
END_TEST

static const struct {
    uint8_t head[4];
    enum wanfed_frame_found want;
} heads[] = {
    {{0, 0, 0, 0}, WANFED_FRAME_BAD},
    {{0, 0, 0, 1}, WANFED_FRAME_PARTIAL},
    {{0x00, 0x40, 0, 0}, WANFED_FRAME_PARTIAL}, /* 4 MiB exactly */
    {{0x00, 0x40, 0, 1}, WANFED_FRAME_BAD},
    {{0x01, 0, 0, 0}, WANFED_FRAME_BAD},
    {{0x7f, 0xff, 0xff, 0xff}, WANFED_FRAME_BAD},
    {{0x80, 0, 0, 0}, WANFED_FRAME_BAD},
    {{0xff, 0xff, 0xff, 0xff}, WANFED_FRAME_BAD},
    {{'G', 'E', 'T', ' '}, WANFED_FRAME_BAD},
    {{0x16, 0x03, 0x01, 0x02}, WANFED_FRAME_BAD},
};

START_TEST(lengths_are_checked_before_use)
{
    struct wanfed_frame frame;

    ck_assert_int_eq(wanfed_frame_read(heads[_i].head, 4, &frame),
                     heads[_i].want);
}
END_TEST

Suite *frame_suite(void)
{
    Suite *suite = suite_create("frame");
    TCase *tc = tcase_create("frame");

    tcase_add_test(tc, the_bytes_are_those_of_the_protocol);
    tcase_add_test(tc, a_frame_is_whole_only_with_its_last_byte);
    tcase_add_loop_test(tc, lengths_are_checked_before_use, 0,
                        (int)(sizeof(heads) / sizeof(heads[0])));
    suite_add_tcase(suite, tc);
    return suite;
}
