/*
 * Connections to the API: those that wait, those that leave, those that send
 * what no client should, and too many of them.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "suite.h"

static struct api_bed bed;

static void setup(void)
{
    memset(&bed, 0, sizeof(bed));
    bed.federation = true;
    api_bed_start(&bed);
}

static void teardown(void)
{
    api_bed_close(&bed);
}

struct count {
    const char *gauge;
    int64_t value;
};

static bool has_count(void *arg)
{
    const struct count *count = arg;

    return api_gauge(&bed, count->gauge) == count->value;
}

static void until_waiting(int64_t value)
{
    struct count count = {"isthmus.http.waiting", value};

    api_until(has_count, &count, "isthmus.http.waiting");
}

static unsigned long index_of(const char *path)
{
    struct api_answer answer = api_call(&bed, "GET", path, NULL);
    unsigned long index =
        strtoul(api_header(&answer, "X-Consul-Index"), NULL, 10);

    api_answer_close(&answer);
    return index;
}

/* A blocking query that nobody answers for now. */
static int wait_at(const char *path, unsigned long index, const char *wait)
{
    char *request = base_asprintf("GET %s?index=%lu&wait=%s HTTP/1.1\r\n"
                                  "Host: test\r\n\r\n",
                                  path, index, wait);
    int fd = api_connect(&bed);

    api_send(fd, request);
    base_free(request);
    return fd;
}

static void put_node(const char *name)
{
    char *body = base_asprintf(
        "{\"Node\":\"%s\",\"Address\":\"10.0.0.1\"}", name);

    api_put(&bed, "/v1/catalog/register", body);
    base_free(body);
}

/* ---- waiting -------------------------------------------------------------- */

START_TEST(a_change_wakes_who_waits)
{
    unsigned long index = index_of("/v1/catalog/nodes");
    int fd = wait_at("/v1/catalog/nodes", index, "60s");
    struct api_answer answer;

    until_waiting(1);
    put_node("woken");
    ck_assert(api_read(fd, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_gt(strtoul(api_header(&answer, "X-Consul-Index"), NULL, 10),
                      index);
    ck_assert_ptr_nonnull(strstr(answer.body, "woken"));
    api_answer_close(&answer);
    close(fd);
    until_waiting(0);
}
END_TEST

START_TEST(a_wait_ends_in_time)
{
    unsigned long index = index_of("/v1/catalog/nodes");
    int fd = wait_at("/v1/catalog/nodes", index, "50ms");
    struct api_answer answer;

    ck_assert(api_read(fd, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(strtoul(api_header(&answer, "X-Consul-Index"), NULL, 10),
                      index);
    api_answer_close(&answer);
    close(fd);
}
END_TEST

START_TEST(an_older_index_does_not_wait)
{
    int fd = wait_at("/v1/catalog/nodes", 1, "60s");
    struct api_answer answer;

    ck_assert(api_read(fd, &answer));
    ck_assert_int_eq(answer.status, 200);
    api_answer_close(&answer);
    close(fd);
}
END_TEST

START_TEST(a_federation_state_wakes_too)
{
    unsigned long index = index_of("/v1/internal/federation-states");
    int fd = wait_at("/v1/internal/federation-states", index, "60s");
    struct api_answer answer;

    until_waiting(1);
    api_put(&bed, "/v1/agent/service/register",
            "{\"Name\":\"gw\",\"Kind\":\"mesh-gateway\",\"Port\":8443}");
    ck_assert(api_read(fd, &answer));
    ck_assert_ptr_nonnull(strstr(answer.body, "mesh-gateway"));
    api_answer_close(&answer);
    close(fd);
    api_put(&bed, "/v1/agent/service/deregister/gw", NULL);
}
END_TEST

/* ---- leaving -------------------------------------------------------------- */

START_TEST(a_client_that_goes_frees_its_wait)
{
    int fd = wait_at("/v1/catalog/nodes", 100000, "10m");

    until_waiting(1);
    close(fd);
    until_waiting(0);
}
END_TEST

START_TEST(a_client_that_resets_frees_its_wait)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    int fd = wait_at("/v1/catalog/nodes", 100000, "10m");

    until_waiting(1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    until_waiting(0);
}
END_TEST

/* With the next request sent ahead, the end is behind bytes nobody reads. */
START_TEST(a_client_that_sent_ahead_frees_its_wait_too)
{
    int fd = wait_at("/v1/catalog/nodes", 100000, "10m");

    until_waiting(1);
    api_send(fd, "GET /v1/status/leader HTTP/1.1\r\n\r\n");
    ck_assert_int_eq(api_gauge(&bed, "isthmus.http.waiting"), 1);
    close(fd);
    until_waiting(0);
}
END_TEST

/* A join cannot be called off: its answer finds nobody, and that is fine. */
START_TEST(a_client_may_leave_a_join)
{
    int fd = api_connect(&bed);

    api_send(fd, "PUT /v1/agent/join/192.0.2.1 HTTP/1.1\r\n"
                 "Content-Length: 0\r\n\r\n");
    close(fd);
    fd = api_connect(&bed);
    api_send(fd, "PUT /v1/agent/join/127.0.0.1:1 HTTP/1.1\r\n"
                 "Content-Length: 0\r\n\r\n");
    close(fd);
    put_node("alive");
}
END_TEST

/* ---- one connection, many requests ---------------------------------------- */

START_TEST(a_connection_is_kept)
{
    int fd = api_connect(&bed), i;

    for (i = 0; i < 3; i++) {
        struct api_answer answer;

        api_send(fd, "GET /v1/status/leader HTTP/1.1\r\n\r\n");
        ck_assert(api_read(fd, &answer));
        ck_assert_int_eq(answer.status, 200);
        api_answer_close(&answer);
    }
    close(fd);
}
END_TEST

START_TEST(requests_sent_ahead_are_answered_in_order)
{
    int fd = wait_at("/v1/catalog/nodes", 100000, "100ms");
    struct api_answer answer;

    api_send(fd, "GET /v1/status/peers HTTP/1.1\r\n\r\n"
                 "GET /v1/nope HTTP/1.1\r\nConnection: close\r\n\r\n");
    ck_assert(api_read(fd, &answer));
    ck_assert_ptr_nonnull(strstr(answer.body, "ModifyIndex"));
    api_answer_close(&answer);
    ck_assert(api_read(fd, &answer));
    ck_assert(strncmp(answer.body, "[\"127.0.0.1:", 12) == 0);
    api_answer_close(&answer);
    ck_assert(api_read(fd, &answer));
    ck_assert_int_eq(answer.status, 404);
    api_answer_close(&answer);
    ck_assert(api_is_closed(fd));
    close(fd);
}
END_TEST

/* evhttp reads no body of a GET: it must not become the next request. */
START_TEST(the_body_of_a_get_is_no_request)
{
    int fd = api_connect(&bed);
    struct api_answer answer;

    api_send(fd, "GET /v1/status/leader HTTP/1.1\r\nContent-Length: 62\r\n\r\n"
                 "PUT /v1/agent/leave HTTP/1.1\r\nContent-Length: 0\r\n"
                 "Padding: 1\r\n\r\n");
    ck_assert(api_read(fd, &answer));
    ck_assert_int_eq(answer.status, 200);
    api_answer_close(&answer);
    ck_assert(api_is_closed(fd));
    close(fd);
    put_node("still-here");
}
END_TEST

START_TEST(chunks_make_a_body)
{
    int fd = api_connect(&bed);
    struct api_answer answer;

    api_send(fd, "PUT /v1/catalog/deregister HTTP/1.1\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n"
                 "8\r\n{\"Node\":\r\n6\r\n\"none\"\r\n1\r\n}\r\n0\r\n\r\n");
    ck_assert(api_read(fd, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, "true");
    api_answer_close(&answer);
    close(fd);
}
END_TEST

/* ---- garbage -------------------------------------------------------------- */

static const struct {
    const char *bytes;
    int status; /* 0: hung up without a word */
} garbage[] = {
    {"hello\r\n\r\n", 400},
    {"GET /v1/status/leader\r\n\r\n", 400},
    {"GET /v1/status/leader HTTP/1.1\r\nno colon\r\n\r\n", 400},
    {"GET /v1/status/leader HTTP/9.9\r\n\r\n", 400},
    {"PUT /v1/agent/reload HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
    {"PUT /v1/agent/reload HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400},
    {"PUT /v1/agent/reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
     "zz\r\n",
     413},
    {"PUT /v1/agent/reload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
     "7fffffffffffffff\r\n",
     413},
    {"BREW /coffee HTTP/1.1\r\n\r\n", 404},
    {"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", 404},
    {"OPTIONS * HTTP/1.1\r\n\r\n", 404},
};

START_TEST(garbage_is_refused)
{
    int fd = api_connect(&bed);
    struct api_answer answer;
    bool answered;

    api_send(fd, garbage[_i].bytes);
    shutdown(fd, SHUT_WR);
    answered = api_read(fd, &answer);
    ck_assert_msg(answered, "%s: no answer", garbage[_i].bytes);
    ck_assert_msg(answer.status == garbage[_i].status, "%s: %d",
                  garbage[_i].bytes, answer.status);
    ck_assert_str_eq(api_header(&answer, "Content-Type"),
                     "text/plain; charset=utf-8");
    ck_assert(answer.status == 404 || strlen(answer.body) > 10);
    ck_assert_ptr_null(strchr(answer.body, '<'));
    api_answer_close(&answer);
    close(fd);
    put_node("still-here");
}
END_TEST

START_TEST(headers_are_bounded)
{
    int fd = api_connect(&bed);
    char line[1100], filler[1025];
    struct api_answer answer;
    int i;

    memset(filler, 'x', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    api_send(fd, "GET /v1/status/leader HTTP/1.1\r\n");
    for (i = 0; i < 70; i++) {
        snprintf(line, sizeof(line), "X-%d: %s\r\n", i, filler);
        api_send(fd, line);
    }
    ck_assert(api_read(fd, &answer));
    ck_assert_int_eq(answer.status, 400);
    api_answer_close(&answer);
    close(fd);
}
END_TEST

/* ---- many ----------------------------------------------------------------- */

/* Half of 200 descriptors: the 101st connection is refused, those that are
 * there are served, and the places come free again. */
START_TEST(connections_have_a_limit)
{
    struct api_bed own = {.files = 200};
    int fds[110];
    struct api_answer answer;
    int i, refused = 0;

    api_bed_start(&own);
    for (i = 0; i < 110; i++)
        fds[i] = api_connect(&own);
    for (i = 0; i < 110; i++) {
        api_send(fds[i], "GET /v1/status/leader HTTP/1.1\r\n\r\n");
        if (api_read(fds[i], &answer))
            ck_assert_int_eq(answer.status, 200);
        else
            refused++;
        api_answer_close(&answer);
    }
    ck_assert_int_eq(refused, 10);
    for (i = 0; i < 110; i++)
        close(fds[i]);
    bed = own; /* for the condition below */
    {
        struct count one = {"isthmus.http.connections", 1};

        api_until(has_count, &one, "the places to come free");
    }
    ck_assert_int_ge(api_counter(&own, "isthmus.http.refused", "connections"),
                     10);
    api_bed_close(&own);
}
END_TEST

START_TEST(many_wait_and_all_are_woken)
{
    enum { MANY = 200 };
    unsigned long index = index_of("/v1/catalog/nodes");
    int fds[MANY], i;

    for (i = 0; i < MANY; i++)
        fds[i] = wait_at("/v1/catalog/nodes", index, "60s");
    until_waiting(MANY);
    put_node("for-all");
    for (i = 0; i < MANY; i++) {
        struct api_answer answer;

        ck_assert(api_read(fds[i], &answer));
        ck_assert_ptr_nonnull(strstr(answer.body, "for-all"));
        api_answer_close(&answer);
        close(fds[i]);
    }
    until_waiting(0);
}
END_TEST

Suite *http_conn_suite(void);
Suite *http_conn_suite(void)
{
    Suite *suite = suite_create("http: connections");
    TCase *tcase = tcase_create("one agent");
    TCase *own = tcase_create("an agent each");

    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_change_wakes_who_waits);
    tcase_add_test(tcase, a_wait_ends_in_time);
    tcase_add_test(tcase, an_older_index_does_not_wait);
    tcase_add_test(tcase, a_federation_state_wakes_too);
    tcase_add_test(tcase, a_client_that_goes_frees_its_wait);
    tcase_add_test(tcase, a_client_that_resets_frees_its_wait);
    tcase_add_test(tcase, a_client_that_sent_ahead_frees_its_wait_too);
    tcase_add_test(tcase, a_client_may_leave_a_join);
    tcase_add_test(tcase, a_connection_is_kept);
    tcase_add_test(tcase, requests_sent_ahead_are_answered_in_order);
    tcase_add_test(tcase, the_body_of_a_get_is_no_request);
    tcase_add_test(tcase, chunks_make_a_body);
    tcase_add_loop_test(tcase, garbage_is_refused, 0, BASE_COUNT_OF(garbage));
    tcase_add_test(tcase, headers_are_bounded);
    tcase_add_test(tcase, many_wait_and_all_are_woken);
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(own, 60);
    tcase_add_test(own, connections_have_a_limit);
    suite_add_tcase(suite, own);
    return suite;
}
