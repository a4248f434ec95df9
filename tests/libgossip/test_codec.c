/* The msgpack dialect: what is emitted, what is accepted, and what must fail
 * before it is believed (gossip.md 1.2). */
#include "memberlist/codec.h"
#include "suite.h"

#include <math.h>

static const struct {
    uint64_t value;
    size_t len;
    uint8_t bytes[9];
} uints[] = {
    {0, 1, {0x00}},
    {127, 1, {0x7f}},
    {128, 2, {0xcc, 0x80}},
    {255, 2, {0xcc, 0xff}},
    {256, 3, {0xcd, 1, 0}},
    {65535, 3, {0xcd, 0xff, 0xff}},
    {65536, 5, {0xce, 0, 1, 0, 0}},
    {UINT32_MAX, 5, {0xce, 0xff, 0xff, 0xff, 0xff}},
    {UINT64_C(1) << 32, 9, {0xcf, 0, 0, 0, 1, 0, 0, 0, 0}},
    {UINT64_MAX, 9, {0xcf, 255, 255, 255, 255, 255, 255, 255, 255}},
};

START_TEST(unsigned_integers_take_the_shortest_form)
{
    struct base_buf out = BASE_BUF_INIT;
    struct base_cursor in;

    mp_put_uint(&out, uints[_i].value);
    ck_assert_uint_eq(base_buf_len(&out), uints[_i].len);
    ck_assert_mem_eq(base_buf_data(&out), uints[_i].bytes, uints[_i].len);
    in = base_cursor_of(base_buf_data(&out), base_buf_len(&out));
    ck_assert_uint_eq(mp_get_uint(&in, UINT64_MAX), uints[_i].value);
    ck_assert(!in.failed);
    base_buf_reset(&out);
    if (uints[_i].value <= INT64_MAX) { /* signed ones go out unsigned */
        mp_put_int(&out, (int64_t)uints[_i].value);
        ck_assert_mem_eq(base_buf_data(&out), uints[_i].bytes, uints[_i].len);
    }
    base_buf_close(&out);
}
END_TEST

static const struct {
    int64_t value;
    size_t len;
    uint8_t bytes[9];
} ints[] = {
    {-1, 1, {0xff}},
    {-32, 1, {0xe0}},
    {-33, 2, {0xd0, 0xdf}},
    {-128, 2, {0xd0, 0x80}},
    {-129, 3, {0xd1, 0xff, 0x7f}},
    {-32768, 3, {0xd1, 0x80, 0}},
    {-32769, 5, {0xd2, 0xff, 0xff, 0x7f, 0xff}},
    {INT32_MIN, 5, {0xd2, 0x80, 0, 0, 0}},
    {INT64_MIN, 9, {0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0}},
};

START_TEST(negative_integers_take_the_shortest_form)
{
    struct base_buf out = BASE_BUF_INIT;
    struct base_cursor in;

    mp_put_int(&out, ints[_i].value);
    ck_assert_uint_eq(base_buf_len(&out), ints[_i].len);
    ck_assert_mem_eq(base_buf_data(&out), ints[_i].bytes, ints[_i].len);
    in = base_cursor_of(base_buf_data(&out), base_buf_len(&out));
    ck_assert_int_eq(mp_get_int(&in), ints[_i].value);
    ck_assert(!in.failed);
    in = base_cursor_of(base_buf_data(&out), base_buf_len(&out));
    mp_get_uint(&in, UINT64_MAX);
    ck_assert(in.failed); /* an unsigned field takes no negative */
    base_buf_close(&out);
}
END_TEST

START_TEST(strings_never_take_new_forms)
{
    static const struct {
        size_t len;
        uint8_t head[5];
        size_t head_len;
    } cases[] = {
        {0, {0xa0}, 1},
        {31, {0xbf}, 1},
        {32, {0xda, 0, 32}, 3},
        {255, {0xda, 0, 255}, 3},
        {65535, {0xda, 0xff, 0xff}, 3},
        {65536, {0xdb, 0, 1, 0, 0}, 5},
    };
    static uint8_t text[65536];
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(cases); i++) {
        struct base_buf out = BASE_BUF_INIT;

        mp_put_bytes(&out, mp_bytes_of(text, cases[i].len));
        ck_assert_uint_eq(base_buf_len(&out),
                          cases[i].head_len + cases[i].len);
        ck_assert_mem_eq(base_buf_data(&out), cases[i].head,
                         cases[i].head_len);
        base_buf_close(&out);
    }
}
END_TEST

/* Everything that one kind of field takes, and what it is worth; want -1: it
 * must be refused. */
enum kind { K_UINT8, K_INT, K_STR, K_KEY, K_BYTES, K_BOOL };
static const struct {
    enum kind kind;
    size_t len;
    uint8_t bytes[10];
    int want; /* value, or length of the string; 1000: nil */
} accepts[] = {
    {K_UINT8, 1, {0x07}, 7},
    {K_UINT8, 2, {0xcc, 0x07}, 7},
    {K_UINT8, 3, {0xcd, 0, 7}, 7},
    {K_UINT8, 9, {0xcf, 0, 0, 0, 0, 0, 0, 0, 7}, 7},
    {K_UINT8, 2, {0xd0, 0x07}, 7},
    {K_UINT8, 9, {0xd3, 0, 0, 0, 0, 0, 0, 0, 7}, 7},
    {K_UINT8, 1, {0xc0}, 0},
    {K_UINT8, 3, {0xcd, 1, 0}, -1},
    {K_UINT8, 1, {0xff}, -1},
    {K_UINT8, 5, {0xca, 0, 0, 0, 0}, -1},
    {K_UINT8, 1, {0xa0}, -1},
    {K_UINT8, 1, {0xc3}, -1},
    {K_UINT8, 1, {0xcc}, -1},
    {K_UINT8, 1, {0xc1}, -1},
    {K_INT, 2, {0xcc, 0xff}, 255},
    {K_INT, 9, {0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0}, -1},
    {K_INT, 5, {0xca, 0, 0, 0, 0}, -1},
    {K_STR, 3, {0xa2, 'h', 'i'}, 2},
    {K_STR, 4, {0xd9, 2, 'h', 'i'}, 2},
    {K_STR, 5, {0xda, 0, 2, 'h', 'i'}, 2},
    {K_STR, 7, {0xdb, 0, 0, 0, 2, 'h', 'i'}, 2},
    {K_STR, 4, {0xc4, 2, 'h', 'i'}, 2},
    {K_STR, 5, {0xc5, 0, 2, 'h', 'i'}, 2},
    {K_STR, 7, {0xc6, 0, 0, 0, 2, 'h', 'i'}, 2},
    {K_STR, 1, {0xc0}, 0},
    {K_STR, 2, {0xa2, 'h'}, -1},
    {K_STR, 7, {0xdb, 0xff, 0xff, 0xff, 0xff, 'h', 'i'}, -1},
    {K_STR, 1, {0x05}, -1},
    {K_STR, 3, {0x92, 104, 105}, -1},
    {K_STR, 1, {0x80}, -1},
    {K_KEY, 3, {0xa2, 'h', 'i'}, 2},
    {K_KEY, 1, {0xc0}, -1},
    {K_BYTES, 1, {0xc0}, 1000},
    {K_BYTES, 1, {0xa0}, 0},
    {K_BYTES, 3, {0x92, 104, 105}, 2},
    {K_BYTES, 6, {0xdc, 0, 2, 0xcc, 200, 105}, 2},
    {K_BYTES, 1, {0x90}, 0},
    {K_BYTES, 4, {0x92, 0xcd, 1, 0}, -1},
    {K_BYTES, 2, {0x92, 104}, -1},
    {K_BYTES, 3, {0x92, 104, 0xff}, -1},
    {K_BYTES, 3, {0xdc, 0xff, 0xff}, -1},
    {K_BYTES, 1, {0xc3}, -1},
    {K_BOOL, 1, {0xc2}, 0},
    {K_BOOL, 1, {0xc3}, 1},
    {K_BOOL, 1, {0x01}, 1},
    {K_BOOL, 1, {0xc0}, 0},
    {K_BOOL, 1, {0x02}, -1},
    {K_BOOL, 1, {0xa0}, -1},
};

static int accept_one(enum kind kind, struct base_cursor *in,
                      struct mp_scratch *scratch)
{
    struct mp_bytes bytes;

    switch (kind) {
    case K_UINT8: return (int)mp_get_uint(in, UINT8_MAX);
    case K_INT: return (int)mp_get_int(in);
    case K_STR: return (int)mp_get_str(in).len;
    case K_KEY: return (int)mp_get_key(in).len;
    case K_BYTES:
        bytes = mp_get_bytes(in, scratch);
        return bytes.data == NULL ? 1000 : (int)bytes.len;
    case K_BOOL: return mp_get_bool(in);
    }
    return 0;
}

START_TEST(fields_accept_what_peers_write)
{
    struct base_cursor in =
        base_cursor_of(accepts[_i].bytes, accepts[_i].len);
    struct mp_scratch scratch = {NULL};
    int got = accept_one(accepts[_i].kind, &in, &scratch);

    ck_assert_int_eq(in.failed, accepts[_i].want < 0);
    if (accepts[_i].want >= 0) {
        ck_assert_int_eq(got, accepts[_i].want);
        ck_assert_uint_eq(base_cursor_left(&in), 0);
    }
    mp_scratch_close(&scratch);
}
END_TEST

static double double_of(const char *bytes, size_t len)
{
    struct base_cursor in = base_cursor_of(bytes, len);
    double value = mp_get_double(&in);

    return in.failed ? (double)NAN : value;
}

START_TEST(floats_accept_all_numbers)
{
    ck_assert_double_eq(double_of("\xcb\x3f\xf8\0\0\0\0\0\0", 9), 1.5);
    ck_assert_double_eq(double_of("\xca\x3f\xc0\0\0", 5), 1.5);
    ck_assert_double_eq(double_of("\x07", 1), 7);
    ck_assert_double_eq(double_of("\xff", 1), -1);
    ck_assert_double_eq(double_of("\xc0", 1), 0);
    ck_assert_double_nan(double_of("\xa0", 1));
    ck_assert_double_nan(double_of("\xca\x3f", 2));
}
END_TEST

struct sample {
    uint32_t number;
    struct mp_bytes text;
    struct mp_bytes bytes;
    bool flag;
    uint16_t extra;
};
static const struct mp_field sample_fields[] = {
    MP_FIELD(struct sample, bytes, "Bytes", MP_BYTES),
    MP_OPTIONAL(struct sample, extra, "Extra", MP_U16),
    MP_FIELD(struct sample, flag, "Flag", MP_BOOL),
    MP_FIELD(struct sample, number, "Number", MP_U32),
    MP_FIELD(struct sample, text, "Text", MP_STR),
};

static bool get_sample(const char *bytes, size_t len, struct sample *out)
{
    struct base_cursor in = base_cursor_of(bytes, len);

    memset(out, 0, sizeof(*out));
    return mp_get_struct(&in, sample_fields, BASE_COUNT_OF(sample_fields), out,
                         NULL);
}
#define GET(literal, out) get_sample(literal, sizeof(literal) - 1, out)

START_TEST(structs_read_by_name)
{
    struct sample got;

    /* Any order, unknown keys (nested, ext) skipped, the last of equals. */
    ck_assert(GET("\x85\xa4Text\xa1x\xa1?\x82\x01\x92\x01\xc0\x02\xd6\x01"
                  "abcd\xa6Number\x01\xa6Number\x02\xa4""Flag\xc3", &got));
    ck_assert_uint_eq(got.number, 2);
    ck_assert(got.flag);
    ck_assert(mp_is(got.text, "x"));
    ck_assert_ptr_null(got.bytes.data);
    ck_assert(GET("\xc0", &got)); /* nil: all zero */
    ck_assert(GET("\x80", &got));
    ck_assert(GET("\xde\0\x01\xa6Number\x05", &got)); /* wider header */
    ck_assert_uint_eq(got.number, 5);
    ck_assert(GET("\x81\xa6number\x05", &got)); /* case matters */
    ck_assert_uint_eq(got.number, 0);
    ck_assert(GET("\x81\xc4\x06Number\x05", &got)); /* bin as a key */
    ck_assert_uint_eq(got.number, 5);
    ck_assert(!GET("\x81\xa6Number\xa1x", &got));
    ck_assert(!GET("\x82\xa6Number\x05", &got)); /* truncated */
    ck_assert(!GET("\x81\x05\x05", &got));       /* key of another kind */
    ck_assert(!GET("\xdf\xff\xff\xff\xff\xa6Number\x05", &got));
    ck_assert(!GET("\x81\xa1?\xdd\xff\xff\xff\xff", &got));
    ck_assert(!GET("\x95\x01\x02\x03\x04\x05", &got));
    ck_assert(!GET("", &got));
}
END_TEST

START_TEST(structs_write_ascending_and_leave_out_optionals)
{
    struct sample value = {5, mp_str_of("x"), {NULL, 0}, true, 0};
    struct base_buf out = BASE_BUF_INIT;

    mp_put_struct(&out, sample_fields, BASE_COUNT_OF(sample_fields), &value);
    ck_assert_uint_eq(base_buf_len(&out), 29);
    ck_assert_mem_eq(base_buf_data(&out),
                     "\x84\xa5""Bytes\xc0\xa4""Flag\xc3\xa6Number\x05"
                     "\xa4Text\xa1x", 29);
    base_buf_close(&out);
}
END_TEST

/* Arrays in arrays in arrays cost no stack. */
START_TEST(deep_nesting_is_skipped_without_recursion)
{
    size_t depth = 1000000;
    uint8_t *bytes = base_alloc(depth + 1);
    struct base_cursor in;

    memset(bytes, 0x91, depth);
    bytes[depth] = 0xc0;
    in = base_cursor_of(bytes, depth + 1);
    mp_skip(&in);
    ck_assert(!in.failed);
    ck_assert_uint_eq(base_cursor_left(&in), 0);
    ck_assert_uint_eq(mp_value_len(bytes, depth + 1), depth + 1);
    in = base_cursor_of(bytes, depth);
    mp_skip(&in);
    ck_assert(in.failed);
    base_free(bytes);
}
END_TEST

START_TEST(value_length_is_known_from_pieces)
{
    static const char value[] =
        "\x83\xa6Number\xcd\x01\x00\xa1?\xdd\0\0\0\x02\xd6\x01wxyz\xcb"
        "12345678\xa4Text\xda\0\x03""abc";
    size_t whole = sizeof(value) - 1, len;

    for (len = 0; len < whole; len++)
        ck_assert_uint_gt(mp_value_len(value, len), len);
    ck_assert_uint_eq(mp_value_len(value, whole), whole);
    ck_assert_uint_eq(mp_value_len("\xc1", 1), 0);
    ck_assert_uint_eq(mp_value_len("\x92\x01\xc1", 3), 0);
    /* A declared length far beyond: known to be missing, nothing overflows. */
    ck_assert_uint_gt(mp_value_len("\xdb\xff\xff\xff\xff", 5), 5);
    ck_assert_uint_gt(mp_value_len("\xdf\xff\xff\xff\xff\xdf\xff\xff\xff\xff",
                                   10), 10);
}
END_TEST

Suite *codec_suite(void)
{
    Suite *suite = suite_create("memberlist-codec");
    TCase *tcase = tcase_create("codec");

    tcase_add_loop_test(tcase, unsigned_integers_take_the_shortest_form, 0,
                        BASE_COUNT_OF(uints));
    tcase_add_loop_test(tcase, negative_integers_take_the_shortest_form, 0,
                        BASE_COUNT_OF(ints));
    tcase_add_test(tcase, strings_never_take_new_forms);
    tcase_add_loop_test(tcase, fields_accept_what_peers_write, 0,
                        BASE_COUNT_OF(accepts));
    tcase_add_test(tcase, floats_accept_all_numbers);
    tcase_add_test(tcase, structs_read_by_name);
    tcase_add_test(tcase, structs_write_ascending_and_leave_out_optionals);
    tcase_add_test(tcase, deep_nesting_is_skipped_without_recursion);
    tcase_add_test(tcase, value_length_is_known_from_pieces);
    suite_add_tcase(suite, tcase);
    return suite;
}
