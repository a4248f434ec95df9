/*
 * The commands' own reader of HTTP answers: the three ways in which a body ends,
 * and answers that are none.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/http_answer.h"
#include "suite.h"

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *bytes; /* all that ever come */
    int status;
    const char *body; /* NULL: refused */
    const char *why;
} cases[] = {
    {OK "Content-Length: 5\r\n\r\nhelloand more", 200, "hello", NULL},
    {OK "content-length:0\r\n\r\n", 200, "", NULL},
    {OK "\r\nuntil the end", 200, "until the end", NULL},
    {"HTTP/1.0 404 Not Found\nContent-Length: 2\n\nno", 404, "no", NULL},
    {"HTTP/1.1 204 None\r\n\r\n", 204, "", NULL},
    {OK "Transfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
     200, "abc0123456789", NULL},
    {OK "Content-Length: 5\r\n\r\nhell", 200, NULL, "connection closed"},
    {OK "Content-Length: five\r\n\r\n", 0, NULL, "Content-Length"},
    {OK "Content-Length: 99999999999999999999\r\n\r\n", 0, NULL,
     "Content-Length"},
    {OK "Transfer-Encoding: chunked\r\n\r\n-1\r\n", 200, NULL, "chunk"},
    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 200, NULL,
     "connection closed"},
    {"SSH-2.0-OpenSSH_9.2\r\n\r\n", 0, NULL, "not an HTTP answer"},
    {"HTTP/1.1 20\r\n\r\n", 0, NULL, "not an HTTP answer"},
    {"", 0, NULL, "connection closed"},
};

static int gather(void *ctx, const void *data, size_t len)
{
    base_buf_append(ctx, data, len);
    return 0;
}

/* A link whose other end has said all of it. */
static struct http_link link_of(const char *bytes, size_t len)
{
    struct http_link link = {.silence_ms = 1000};
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ck_assert_int_eq(write(ends[1], bytes, len), (ssize_t)len);
    close(ends[1]);
    link.fd = ends[0];
    return link;
}

START_TEST(answers_are_read_to_their_end_or_refused)
{
    struct http_link link =
        link_of(cases[_i].bytes, strlen(cases[_i].bytes));
    struct base_buf body = BASE_BUF_INIT;
    struct http_answer answer;
    const char *why = NULL;
    int rv = http_answer_head(&answer, &link, &why);
    char *text;

    if (rv == 0) {
        ck_assert_int_eq(answer.status, cases[_i].status);
        rv = http_answer_body(&answer, gather, &body, &why);
    }
    text = base_buf_take_string(&body);
    if (cases[_i].body) {
        ck_assert_msg(rv == 0, "%s", why);
        ck_assert_str_eq(text, cases[_i].body);
    } else {
        ck_assert_int_lt(rv, 0);
        ck_assert_msg(strstr(why, cases[_i].why), "%s", why);
    }
    base_free(text);
    http_answer_close(&answer);
    http_link_close(&link);
}
END_TEST

START_TEST(a_header_has_a_limit)
{
    size_t len = 70000;
    char *bytes = base_alloc(len);
    struct http_answer answer;
    struct http_link link;
    const char *why = NULL;

    memset(bytes, 'x', len);
    memcpy(bytes, OK, strlen(OK));
    link = link_of(bytes, len);
    ck_assert_int_eq(http_answer_head(&answer, &link, &why), BASE_EPARSE);
    http_answer_close(&answer);
    http_link_close(&link);
    base_free(bytes);
}
END_TEST

START_TEST(silence_ends_in_time)
{
    struct http_link link = {.silence_ms = 20};
    struct http_answer answer;
    const char *why = NULL;
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    link.fd = ends[0];
    ck_assert_int_eq(http_answer_head(&answer, &link, &why), BASE_ETIMEOUT);
    http_answer_close(&answer);
    link.silence_ms = -1;
    link.deadline_ms = http_link_now_ms() + 20;
    ck_assert_int_eq(http_answer_head(&answer, &link, &why), BASE_ECLOSED);
    http_answer_close(&answer);
    http_link_close(&link);
    close(ends[1]);
}
END_TEST

Suite *http_answer_suite(void);
Suite *http_answer_suite(void)
{
    Suite *suite = suite_create("http answers");
    TCase *tcase = tcase_create("answers");

    tcase_add_loop_test(tcase, answers_are_read_to_their_end_or_refused, 0,
                        (int)BASE_COUNT_OF(cases));
    tcase_add_test(tcase, a_header_has_a_limit);
    tcase_add_test(tcase, silence_ends_in_time);
    suite_add_tcase(suite, tcase);
    return suite;
}
