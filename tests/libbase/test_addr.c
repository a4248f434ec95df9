/*
 * Addresses, targets and networks: what parses, what does not, and that each
 * endpoint has one value.
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "base/error.h"
#include "suite.h"

static const struct {
    const char *text;
    uint16_t default_port;
    const char *want; /* NULL: does not parse */
} parse_cases[] = {
    {"1.2.3.4:80", 0, "1.2.3.4:80"},
    {"1.2.3.4:0", 0, "1.2.3.4:0"},
    {"1.2.3.4", 7946, "1.2.3.4:7946"},
    {"1.2.3.4:65535", 1, "1.2.3.4:65535"},
    {"[::1]:80", 0, "[::1]:80"},
    {"[::1]", 8300, "[::1]:8300"},
    {"::1", 8300, "[::1]:8300"},
    {"[2001:DB8::5]:1", 0, "[2001:db8::5]:1"},
    {"[::ffff:10.0.0.1]:5", 0, "10.0.0.1:5"}, /* mapped collapses */
    {"1.2.3.4", 0, NULL},                     /* no port */
    {"::1", 0, NULL},
    {"", 80, NULL},
    {":80", 0, NULL},
    {"1.2.3.4:", 80, NULL},
    {"1.2.3.4:65536", 0, NULL},
    {"1.2.3.4:123456", 0, NULL},
    {"1.2.3.4:+1", 0, NULL},
    {"1.2.3.4: 1", 0, NULL},
    {"1.2.3:80", 0, NULL},
    {"1.2.3.256:80", 0, NULL},
    {"01.2.3.4:80", 0, NULL}, /* octal or not? Nobody knows */
    {"[1.2.3.4]:80", 0, NULL},
    {"[::1", 80, NULL},
    {"[::1]80", 80, NULL},
    {"[]:80", 80, NULL},
    {"[fe80::1%eth0]:80", 0, NULL},
    {"host:80", 0, NULL},
};

START_TEST(addresses_parse_and_format)
{
    struct base_addr addr = {.port = 4242};
    char text[BASE_ADDR_TEXT_MAX];
    int rv = base_addr_parse(&addr, parse_cases[_i].text,
                             parse_cases[_i].default_port);

    if (parse_cases[_i].want == NULL) {
        ck_assert_int_eq(rv, BASE_EPARSE);
        ck_assert_uint_eq(addr.port, 4242); /* untouched */
        return;
    }
    ck_assert_int_eq(rv, 0);
    ck_assert_str_eq(base_addr_format(&addr, text), parse_cases[_i].want);
}
END_TEST

START_TEST(an_ip_alone_has_no_port)
{
    struct base_addr addr;
    char text[BASE_ADDR_TEXT_MAX];

    ck_assert_int_eq(base_addr_parse_ip(&addr, "[fd00::1]"), 0);
    ck_assert_uint_eq(addr.port, 0);
    ck_assert_str_eq(base_addr_format_ip(&addr, text), "fd00::1");
    ck_assert_int_eq(base_addr_parse_ip(&addr, "10.0.0.1"), 0);
    ck_assert_str_eq(base_addr_format_ip(&addr, text), "10.0.0.1");
    ck_assert_int_eq(base_addr_parse_ip(&addr, "[::1]:80"), BASE_EPARSE);
    ck_assert_int_eq(base_addr_parse_ip(&addr, "10.0.0.1:80"), BASE_EPARSE);
    ck_assert_int_eq(base_addr_parse_ip(&addr, ""), BASE_EPARSE);
}
END_TEST

START_TEST(the_longest_address_fits_its_text)
{
    uint8_t ip[16];
    struct base_addr addr;
    char text[BASE_ADDR_TEXT_MAX];

    memset(ip, 0xfe, sizeof(ip));
    ck_assert_int_eq(base_addr_from_ip(&addr, ip, 16, 65535), 0);
    ck_assert_str_eq(base_addr_format(&addr, text),
                     "[fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe]:65535");
    addr = (struct base_addr){0};
    ck_assert_str_eq(base_addr_format(&addr, text), "");
    ck_assert_uint_eq(base_addr_ip_len(&addr), 0);
    ck_assert_int_eq(base_addr_from_ip(&addr, ip, 5, 1), BASE_EINVAL);
}
END_TEST

static struct base_addr addr_of(const char *text)
{
    struct base_addr addr;

    ck_assert_int_eq(base_addr_parse(&addr, text, 1), 0);
    return addr;
}

START_TEST(order_is_family_then_ip_then_port)
{
    static const char *const sorted[] = {"1.2.3.4:5", "1.2.3.4:6", "9.0.0.0:1",
                                         "[::1]:1", "[::2]:1"};
    size_t a;
    size_t b;

    for (a = 0; a < BASE_COUNT_OF(sorted); a++) {
        for (b = 0; b < BASE_COUNT_OF(sorted); b++) {
            struct base_addr left = addr_of(sorted[a]);
            struct base_addr right = addr_of(sorted[b]);
            int order = base_addr_compare(&left, &right);

            ck_assert_int_eq(order < 0, a < b);
            ck_assert_int_eq(order > 0, a > b);
            ck_assert_int_eq(base_addr_equal(&left, &right), a == b);
        }
    }
}
END_TEST

static const struct {
    const char *ip;
    bool loopback, private, any;
} kind_cases[] = {
    {"127.0.0.1", true, true, false},
    {"127.255.0.1", true, true, false},
    {"::1", true, true, false},
    {"10.1.2.3", false, true, false},
    {"172.16.0.1", false, true, false},
    {"172.31.255.255", false, true, false},
    {"172.32.0.0", false, false, false},
    {"192.168.1.1", false, true, false},
    {"192.169.0.0", false, false, false},
    {"100.64.0.1", false, true, false},
    {"100.128.0.0", false, false, false},
    {"169.254.9.9", false, true, false},
    {"fc00::1", false, true, false},
    {"fdff::1", false, true, false},
    {"fe80::1", false, true, false},
    {"febf::1", false, true, false},
    {"fec0::1", false, false, false},
    {"8.8.8.8", false, false, false},
    {"2001:db8::1", false, false, false},
    {"0.0.0.0", false, false, true},
    {"::", false, false, true},
    {"::2", false, false, false},
};

START_TEST(special_addresses_are_known)
{
    struct base_addr addr = addr_of(kind_cases[_i].ip);

    ck_assert_int_eq(base_addr_is_loopback(&addr), kind_cases[_i].loopback);
    ck_assert_int_eq(base_addr_is_private(&addr), kind_cases[_i].private);
    ck_assert_int_eq(base_addr_is_any(&addr), kind_cases[_i].any);
}
END_TEST

START_TEST(sockaddrs_go_both_ways)
{
    static const char *const texts[] = {"1.2.3.4:80", "[2001:db8::1]:443"};
    struct sockaddr_storage sa;
    struct base_addr back;
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(texts); i++) {
        struct base_addr addr = addr_of(texts[i]);

        ck_assert_uint_eq(base_addr_to_sockaddr(&addr, &sa),
                          addr.family == 4 ? sizeof(struct sockaddr_in)
                                           : sizeof(struct sockaddr_in6));
        ck_assert_int_eq(base_addr_from_sockaddr(&back, (void *)&sa), 0);
        ck_assert(base_addr_equal(&addr, &back));
    }
    sa.ss_family = AF_UNIX;
    ck_assert_int_eq(base_addr_from_sockaddr(&back, (void *)&sa), BASE_EINVAL);
}
END_TEST

static const struct {
    const char *text, *name, *host; /* host NULL: does not parse */
    uint16_t port;
} target_cases[] = {
    {"example.com", "", "example.com", 8301},
    {"example.com:99", "", "example.com", 99},
    {"node1/10.0.0.1:7946", "node1", "10.0.0.1", 7946},
    {"node1.dc1/example.com", "node1.dc1", "example.com", 8301},
    {"a/[::1]:5", "a", "::1", 5},
    {"[fd00::7]", "", "fd00::7", 8301},
    {"fd00::7", "", "fd00::7", 8301},
    {"/10.0.0.1", NULL, NULL, 0},
    {"", NULL, NULL, 0},
    {"a/", NULL, NULL, 0},
    {"a/:80", NULL, NULL, 0},
    {"a/b/c", NULL, NULL, 0},
    {"host:", NULL, NULL, 0},
    {"host:http", NULL, NULL, 0},
    {"host:70000", NULL, NULL, 0},
    {"a:b:c", NULL, NULL, 0},
    {"ho st", NULL, NULL, 0},
    {"h\xc3\xb6st", NULL, NULL, 0},
};

START_TEST(targets_split)
{
    struct base_target target;
    int rv = base_target_parse(&target, target_cases[_i].text, 8301);

    if (target_cases[_i].host == NULL) {
        ck_assert_int_eq(rv, BASE_EPARSE);
        return;
    }
    ck_assert_int_eq(rv, 0);
    ck_assert_str_eq(target.name, target_cases[_i].name);
    ck_assert_str_eq(target.host, target_cases[_i].host);
    ck_assert_uint_eq(target.port, target_cases[_i].port);
}
END_TEST

START_TEST(overlong_targets_are_refused)
{
    char text[2 * BASE_HOST_MAX + 2];
    struct base_target target;

    memset(text, 'a', sizeof(text));
    text[BASE_HOST_MAX - 1] = '\0';
    ck_assert_int_eq(base_target_parse(&target, text, 1), 0);
    text[BASE_HOST_MAX - 1] = 'a';
    text[BASE_HOST_MAX] = '\0';
    ck_assert_int_eq(base_target_parse(&target, text, 1), BASE_EPARSE);
    text[BASE_HOST_MAX] = '/';
    text[BASE_HOST_MAX + 2] = '\0';
    ck_assert_int_eq(base_target_parse(&target, text, 1), BASE_EPARSE);
}
END_TEST

static const struct {
    const char *cidr, *ip;
    bool contains;
} cidr_cases[] = {
    {"10.0.0.0/8", "10.255.1.1", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.1.2.3/8", "10.9.9.9", true}, /* host bits do not matter */
    {"10.0.0.128/25", "10.0.0.127", false},
    {"10.0.0.128/25", "10.0.0.200", true},
    {"0.0.0.0/0", "255.1.2.3", true},
    {"0.0.0.0/0", "::1", false},
    {"1.2.3.4/32", "1.2.3.4", true},
    {"1.2.3.4/32", "1.2.3.5", false},
    {"fd00::/8", "fdff::1", true},
    {"fd00::/8", "fe00::1", false},
    {"::1/128", "::1", true},
    {"::1/128", "::3", false},
    {"::ffff:10.0.0.0/104", "10.9.9.9", true},
};

START_TEST(networks_contain_addresses)
{
    struct base_addr addr = addr_of(cidr_cases[_i].ip);
    struct base_cidr cidr;

    ck_assert_int_eq(base_cidr_parse(&cidr, cidr_cases[_i].cidr), 0);
    ck_assert_int_eq(base_cidr_contains(&cidr, &addr), cidr_cases[_i].contains);
}
END_TEST

START_TEST(bad_networks_do_not_parse)
{
    static const char *const bad[] = {
        "10.0.0.0",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "/8",
        "fd00::/129",
        "",
        "10.0.0.0/8/8",
        "10.0.0.0/ 8",
        "host/8",
        "::ffff:10.0.0.0/95",
        "10.0.0.0:1/8",
    };
    struct base_cidr cidr;
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(bad); i++)
        ck_assert_msg(base_cidr_parse(&cidr, bad[i]) == BASE_EPARSE, "%s",
                      bad[i]);
}
END_TEST

Suite *addr_suite(void);
Suite *addr_suite(void)
{
    Suite *suite = suite_create("addr");
    TCase *tc = tcase_create("addr");

    tcase_add_loop_test(tc, addresses_parse_and_format, 0,
                        BASE_COUNT_OF(parse_cases));
    tcase_add_test(tc, an_ip_alone_has_no_port);
    tcase_add_test(tc, the_longest_address_fits_its_text);
    tcase_add_test(tc, order_is_family_then_ip_then_port);
    tcase_add_loop_test(tc, special_addresses_are_known, 0,
                        BASE_COUNT_OF(kind_cases));
    tcase_add_test(tc, sockaddrs_go_both_ways);
    tcase_add_loop_test(tc, targets_split, 0, BASE_COUNT_OF(target_cases));
    tcase_add_test(tc, overlong_targets_are_refused);
    tcase_add_loop_test(tc, networks_contain_addresses, 0,
                        BASE_COUNT_OF(cidr_cases));
    tcase_add_test(tc, bad_networks_do_not_parse);
    suite_add_tcase(suite, tc);
    return suite;
}
