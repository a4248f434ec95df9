/*
 * The buffer keeps what goes in, in order, in bounded memory; the cursor never
 * reads past its input.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "suite.h"

START_TEST(what_goes_in_comes_out)
{
    struct base_buf buf = BASE_BUF_INIT;
    uint8_t next_in = 0;
    uint8_t next_out = 0;
    int round;

    /* Uneven steps, so that consumed room is reused at every offset. */
    for (round = 0; round < 2000; round++) {
        size_t in = (size_t)(round * 7 % 97);
        size_t out = (size_t)(round * 5 % 101);
        size_t i;

        for (i = 0; i < in; i++)
            base_buf_append_u8(&buf, next_in++);
        if (out > base_buf_len(&buf))
            out = base_buf_len(&buf);
        for (i = 0; i < out; i++)
            ck_assert_uint_eq(base_buf_data(&buf)[i], next_out++);
        base_buf_consume(&buf, out);
    }
    ck_assert_uint_le(buf.cap, 8192);
    base_buf_close(&buf);
}
END_TEST

START_TEST(numbers_are_big_endian)
{
    static const uint8_t want[] = {1, 2,  3,  4,  5,  6,  7, 8,
                                   9, 10, 11, 12, 13, 14, 15};
    struct base_buf buf = BASE_BUF_INIT;
    struct base_cursor cursor;

    base_buf_append_u8(&buf, 1);
    base_buf_append_u16be(&buf, 0x0203);
    base_buf_append_u32be(&buf, 0x04050607);
    base_buf_append_u64be(&buf, 0x08090a0b0c0d0e0f);
    ck_assert_uint_eq(base_buf_len(&buf), sizeof(want));
    ck_assert_mem_eq(base_buf_data(&buf), want, sizeof(want));
    cursor = base_cursor_of(base_buf_data(&buf), base_buf_len(&buf));
    ck_assert_uint_eq(base_cursor_u8(&cursor), 1);
    ck_assert_uint_eq(base_cursor_u16be(&cursor), 0x0203);
    ck_assert_uint_eq(base_cursor_u32be(&cursor), 0x04050607);
    ck_assert_uint_eq(base_cursor_u64be(&cursor), 0x08090a0b0c0d0e0f);
    ck_assert(!cursor.failed);
    ck_assert_uint_eq(base_cursor_left(&cursor), 0);
    base_buf_close(&buf);
}
END_TEST

START_TEST(printf_grows_as_needed)
{
    struct base_buf buf = BASE_BUF_INIT;
    char *text;
    int i;

    for (i = 0; i < 100; i++)
        base_buf_printf(&buf, "%d,%s;", i, "a rather long piece of text");
    base_buf_consume(&buf, 2);
    text = base_buf_take_string(&buf);
    ck_assert(strncmp(text, "a rather long piece of text;1,", 30) == 0);
    ck_assert_uint_eq(base_buf_len(&buf), 0);
    base_free(text);
    text = base_buf_take_string(&buf);
    ck_assert_str_eq(text, "");
    base_free(text);
}
END_TEST

START_TEST(a_large_buffer_gives_memory_back)
{
    struct base_buf buf = BASE_BUF_INIT;

    memset(base_buf_reserve(&buf, 100000), 1, 100000);
    base_buf_commit(&buf, 100000);
    base_buf_consume(&buf, 99999);
    ck_assert_uint_ge(buf.cap, 100000);
    base_buf_consume(&buf, 1000); /* more than there is */
    ck_assert_uint_eq(base_buf_len(&buf), 0);
    ck_assert_uint_eq(buf.cap, 0);
    ck_assert_ptr_nonnull(base_buf_data(&buf));
    base_buf_append(&buf, "abc", 3);
    base_buf_consume(&buf, 3);
    ck_assert_uint_gt(buf.cap, 0); /* a small one is kept */
    base_buf_close(&buf);
}
END_TEST

START_TEST(a_cursor_never_passes_the_end)
{
    static const uint8_t input[] = {1, 2, 3};
    struct base_cursor cursor = base_cursor_of(input, sizeof(input));

    ck_assert_uint_eq(base_cursor_u16be(&cursor), 0x0102);
    ck_assert_uint_eq(base_cursor_u32be(&cursor), 0);
    ck_assert(cursor.failed);
    ck_assert_ptr_eq(cursor.at, input + 2); /* the position stays */
    /* Once failed, even what would fit fails. */
    ck_assert_uint_eq(base_cursor_u8(&cursor), 0);
    ck_assert_ptr_null(base_cursor_bytes(&cursor, 1));
    ck_assert_ptr_null(base_cursor_bytes(&cursor, 0));
}
END_TEST

START_TEST(a_huge_length_does_not_wrap)
{
    static const uint8_t input[] = {1, 2, 3};
    struct base_cursor cursor = base_cursor_of(input, sizeof(input));

    ck_assert_ptr_null(base_cursor_bytes(&cursor, SIZE_MAX));
    ck_assert(cursor.failed);
    cursor = base_cursor_of(NULL, 0);
    ck_assert_ptr_nonnull(base_cursor_bytes(&cursor, 0));
    ck_assert(!cursor.failed);
    ck_assert_uint_eq(base_cursor_u64be(&cursor), 0);
    ck_assert(cursor.failed);
}
END_TEST

START_TEST(copies_are_terminated)
{
    char *text = base_strndup("abcdef", 3);

    ck_assert_str_eq(text, "abc");
    base_free(text);
    ck_assert_ptr_null(base_strdup(NULL));
    text = base_asprintf("%s-%d", "x", 7);
    ck_assert_str_eq(text, "x-7");
    base_free_secret(text, strlen(text));
    text = base_memdup("", 0);
    ck_assert_ptr_nonnull(text);
    base_free(text);
}
END_TEST

START_TEST(an_overflowing_product_aborts)
{
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
    base_calloc(SIZE_MAX / 2, 3);
}
END_TEST

Suite *buf_suite(void);
Suite *buf_suite(void)
{
    Suite *suite = suite_create("buf");
    TCase *tc = tcase_create("buf");

    tcase_add_test(tc, what_goes_in_comes_out);
    tcase_add_test(tc, numbers_are_big_endian);
    tcase_add_test(tc, printf_grows_as_needed);
    tcase_add_test(tc, a_large_buffer_gives_memory_back);
    tcase_add_test(tc, a_cursor_never_passes_the_end);
    tcase_add_test(tc, a_huge_length_does_not_wrap);
    tcase_add_test(tc, copies_are_terminated);
    tcase_add_test_raise_signal(tc, an_overflowing_product_aborts, SIGABRT);
    suite_add_tcase(suite, tc);
    return suite;
}
