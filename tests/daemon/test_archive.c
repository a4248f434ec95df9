/* Snapshot files: what is packed comes out again, and nothing else does. */
#include <string.h>

#include "base/error.h"
#include "snapshot/archive.h"
#include "suite.h"

#define LIMIT (15u << 20)

static void pack_one(struct base_buf *out)
{
    struct archive archive = {.id = "2-18-5", .index = 18, .term = 2};

    base_buf_append(&archive.state, "state", 5);
    archive_pack(&archive, out);
    archive_close(&archive);
}

START_TEST(what_is_packed_comes_out_again)
{
    struct base_buf file = BASE_BUF_INIT;
    struct archive archive;
    const char *why;

    pack_one(&file);
    ck_assert_int_eq(archive_unpack(base_buf_data(&file), base_buf_len(&file), LIMIT,
                                    &archive, &why),
                     0);
    ck_assert_str_eq(archive.id, "2-18-5");
    ck_assert_uint_eq(archive.index, 18);
    ck_assert_uint_eq(archive.term, 2);
    ck_assert_uint_eq(base_buf_len(&archive.state), 5);
    ck_assert_mem_eq(base_buf_data(&archive.state), "state", 5);
    archive_close(&archive);
    base_buf_close(&file);
}
END_TEST

/* Cut short anywhere, or with any bit turned over; but gzip has a few bits that
 * mean nothing. */
START_TEST(a_damaged_file_is_refused)
{
    struct base_buf file = BASE_BUF_INIT;
    struct archive archive;
    const char *why;
    size_t i, len, harmless = 0;
    uint8_t *bytes;

    pack_one(&file);
    bytes = file.bytes + file.start;
    len = base_buf_len(&file);
    for (i = 0; i < len; i++) {
        ck_assert_int_lt(archive_unpack(bytes, i, LIMIT, &archive, &why), 0);
        ck_assert_ptr_nonnull(why);
    }
    for (i = 10; i < len; i++) { /* the head has a time that nobody reads */
        bytes[i] ^= 4;
        if (archive_unpack(bytes, len, LIMIT, &archive, &why) == 0) {
            ck_assert_uint_eq(base_buf_len(&archive.state), 5);
            ck_assert_mem_eq(base_buf_data(&archive.state), "state", 5);
            archive_close(&archive);
            harmless++;
        }
        bytes[i] ^= 4;
    }
    ck_assert_uint_le(harmless, 2);
    base_buf_close(&file);
}
END_TEST

START_TEST(a_bomb_is_refused)
{
    struct base_buf zeros = BASE_BUF_INIT, file = BASE_BUF_INIT;
    const size_t len = LIMIT + (1u << 20);
    struct archive archive;
    const char *why;

    memset(base_buf_reserve(&zeros, len), 0, len);
    base_buf_commit(&zeros, len);
    gzip_pack(base_buf_data(&zeros), len, &file);
    ck_assert_uint_lt(base_buf_len(&file), 64u << 10);
    ck_assert_int_eq(archive_unpack(base_buf_data(&file), base_buf_len(&file), LIMIT,
                                    &archive, &why),
                     BASE_ETOOBIG);
    base_buf_close(&zeros);
    base_buf_close(&file);
}
END_TEST

Suite *archive_suite(void)
{
    Suite *suite = suite_create("snapshot archives");
    TCase *tcase = tcase_create("all");

    tcase_add_test(tcase, what_is_packed_comes_out_again);
    tcase_add_test(tcase, a_damaged_file_is_refused);
    tcase_add_test(tcase, a_bomb_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
