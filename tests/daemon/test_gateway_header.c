/* The PROXY protocol's header, byte by byte, as its text has it (section 2.2).
 */
#include <string.h>

#include "gateway/proxy_protocol.h"
#include "gateway_world.h"
#include "suite.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define TCP4 SIGNATURE "\x21\x11\0\x0c\xc6\x33\x64\x07\xcb\0\x71\x09\x12\x67\x20\xfb"

static enum proxy_header read_text(const char *text, size_t text_len,
                                   size_t *len, struct base_addr *from,
                                   struct base_addr *to)
{
    *from = gw_addr("10.0.0.1:1");
    *to = gw_addr("10.0.0.2:2");
    return proxy_header_read(text, text_len, len, from, to);
}

START_TEST(what_is_written_is_what_the_text_says)
{
    struct base_addr from = gw_addr("198.51.100.7:4711");
    struct base_addr to = gw_addr("203.0.113.9:8443");
    unsigned char out[PROXY_HEADER_BYTES_MAX];

    ck_assert_uint_eq(proxy_header_write(&from, &to, out), sizeof(TCP4) - 1);
    ck_assert_mem_eq(out, TCP4, sizeof(TCP4) - 1);
}
END_TEST

START_TEST(ipv6_there_and_back)
{
    struct base_addr from = gw_addr("[2001:db8::7]:4711");
    struct base_addr to = gw_addr("[2001:db8::9]:8443"), got_from, got_to;
    unsigned char out[PROXY_HEADER_BYTES_MAX];
    size_t wrote = proxy_header_write(&from, &to, out), len;

    ck_assert_uint_eq(wrote, PROXY_HEADER_BYTES_MAX);
    ck_assert_int_eq(read_text((char *)out, wrote, &len, &got_from, &got_to),
                     PROXY_HEADER_FOUND);
    ck_assert(base_addr_equal(&from, &got_from));
    ck_assert(base_addr_equal(&to, &got_to));
}
END_TEST

START_TEST(two_families_name_nobody)
{
    struct base_addr from = gw_addr("[2001:db8::7]:4711");
    struct base_addr to = gw_addr("203.0.113.9:8443");
    unsigned char out[PROXY_HEADER_BYTES_MAX];

    ck_assert_uint_eq(proxy_header_write(&from, &to, out), 16);
    ck_assert_mem_eq(out, SIGNATURE "\x21\0\0\0", 16);
}
END_TEST

START_TEST(each_beginning_wants_more)
{
    struct base_addr from, to;
    size_t len, i;

    for (i = 1; i < sizeof(TCP4) - 1; i++)
        ck_assert_int_eq(read_text(TCP4, i, &len, &from, &to),
                         PROXY_HEADER_MORE);
    ck_assert_int_eq(read_text(TCP4 "rest", sizeof(TCP4) + 3, &len, &from, &to),
                     PROXY_HEADER_FOUND);
    ck_assert_uint_eq(len, sizeof(TCP4) - 1);
    ck_assert_uint_eq(from.port, 4711);
    ck_assert_uint_eq(to.port, 8443);
}
END_TEST

/* None of them names a client. */
#define CASE(text, want) {text, sizeof(text) - 1, want}
static const struct {
    const char *text;
    size_t len;
    enum proxy_header want;
} cases[] = {
    CASE(SIGNATURE "\x20\x11\0\x0c" "123456789012", PROXY_HEADER_FOUND),
    CASE(SIGNATURE "\x21\0\0\0", PROXY_HEADER_FOUND),
    CASE(SIGNATURE "\x21\x31\0\x01x", PROXY_HEADER_FOUND), /* Unix */
    CASE(SIGNATURE "\x21\x11\0\x0b" "12345678901", PROXY_HEADER_BAD),
    CASE(SIGNATURE "\x21\x11\xff\xff", PROXY_HEADER_BAD),
    CASE(SIGNATURE "\x11\x11\0\x0c" "123456789012", PROXY_HEADER_BAD),
    CASE(SIGNATURE "\x22\x11\0\x0c" "123456789012", PROXY_HEADER_BAD),
    CASE(SIGNATURE "\x21\x41\0\0", PROXY_HEADER_BAD),
    CASE(SIGNATURE "\x21\x13\0\0", PROXY_HEADER_BAD),
    CASE("PROXY TCP4 1.2.3.4", PROXY_HEADER_BAD), /* version 1 */
    CASE("\x16\x03\x01", PROXY_HEADER_BAD),
};

START_TEST(what_is_taken_and_what_not)
{
    struct base_addr before = gw_addr("10.0.0.1:1"), from, to;
    size_t len;

    ck_assert_int_eq(
        read_text(cases[_i].text, cases[_i].len, &len, &from, &to),
        cases[_i].want);
    if (cases[_i].want == PROXY_HEADER_FOUND)
        ck_assert(base_addr_equal(&from, &before));
}
END_TEST

Suite *gateway_header_suite(void)
{
    Suite *suite = suite_create("gateway_header");
    TCase *tcase = tcase_create("header");

    tcase_add_test(tcase, what_is_written_is_what_the_text_says);
    tcase_add_test(tcase, ipv6_there_and_back);
    tcase_add_test(tcase, two_families_name_nobody);
    tcase_add_test(tcase, each_beginning_wants_more);
    tcase_add_loop_test(tcase, what_is_taken_and_what_not, 0,
                        (int)(sizeof(cases) / sizeof(cases[0])));
    suite_add_tcase(suite, tcase);
    return suite;
}
