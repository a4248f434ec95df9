/*
 * Reads with ?cached against a live agent.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "suite.h"

#define WATCHERS 500
#define PATH "/v1/health/service/web"
#define OTHER "/v1/health/service/other"

static struct api_bed bed;

static void setup(void)
{
    api_bed_start(&bed);
}

static void teardown(void)
{
    api_bed_close(&bed);
}

static void expect(const char *path, int status, const char *cache,
                   const char *part)
{
    struct api_answer answer = api_call(&bed, "GET", path, NULL);
    const char *header = api_header(&answer, "X-Cache");

    ck_assert_msg(answer.status == status, "%s: %d %s", path, answer.status,
                  answer.body);
    ck_assert_str_eq(header ? header : "", cache);
    header = api_header(&answer, "Age");
    ck_assert_str_eq(header ? header : "", *cache != '\0' ? "0" : "");
    ck_assert_msg(strstr(answer.body, part) != NULL, "%s: %s", path,
                  answer.body);
    api_answer_close(&answer);
}

static void register_web(unsigned port)
{
    char *body = base_asprintf("{\"Name\":\"web\",\"Port\":%u}", port);

    api_put(&bed, "/v1/agent/service/register", body);
    base_free(body);
}

START_TEST(the_second_read_is_a_hit)
{
    expect(OTHER, 200, "", "[]");
    expect(OTHER "?cached", 200, "MISS", "[]");
    expect(OTHER "?cached", 200, "HIT", "[]");
    expect(OTHER "?cached&near=_agent", 200, "HIT", "[]");
    expect(OTHER "?cached&tag=x", 200, "MISS", "[]");
    expect("/v1/catalog/nodes?cached", 200, "MISS", "s1");
    /* Those that have no index to wait for are answered as ever. */
    expect("/v1/internal/federation-status?cached", 200, "", "dc1");
    expect(OTHER "?cached&consistent", 400, "", "exclude");
    expect(OTHER "?cached=perhaps", 400, "", "cached");
}
END_TEST

/* Sends a blocking read with the index of now; its connection. */
static int watch(const char *index)
{
    int fd = api_connect(&bed);
    char *text = base_asprintf("GET " PATH "?cached&wait=60s&index=%s "
                               "HTTP/1.1\r\nHost: test\r\n\r\n",
                               index);

    api_send(fd, text);
    base_free(text);
    return fd;
}

static bool all_wait(void *arg)
{
    (void)arg;
    return api_gauge(&bed, "isthmus.http.waiting") == WATCHERS;
}

static void wait_for_port(int fd, unsigned port)
{
    struct api_answer answer;
    char *wanted = base_asprintf("\"Port\":%u", port);

    ck_assert(api_read(fd, &answer));
    ck_assert_int_eq(answer.status, 200);
    ck_assert_msg(strstr(answer.body, wanted) != NULL, "%s", answer.body);
    api_answer_close(&answer);
    base_free(wanted);
    close(fd);
}

START_TEST(one_change_wakes_all)
{
    struct api_answer answer;
    static int fds[WATCHERS];
    int64_t before;
    char index[32];
    size_t i;

    register_web(80);
    do { /* until the catalog knows */
        answer = api_call(&bed, "GET", PATH "?cached", NULL);
        snprintf(index, sizeof(index), "%s",
                 api_header(&answer, "X-Consul-Index"));
        i = strstr(answer.body, "\"Port\":80,") != NULL;
        api_answer_close(&answer);
    } while (i == 0);
    for (i = 0; i < WATCHERS; i++)
        fds[i] = watch(index);
    api_until(all_wait, NULL, "500 watchers wait");
    before = api_counter(&bed, "isthmus.cache.fetch", "ok");
    register_web(81);
    for (i = 0; i < WATCHERS; i++)
        wait_for_port(fds[i], 81);
    /* A write or two more may have moved the catalog's index. */
    ck_assert_int_le(api_counter(&bed, "isthmus.cache.fetch", "ok"),
                     before + 5);
    ck_assert_int_eq(api_gauge(&bed, "isthmus.cache.entries"), 1);
}
END_TEST

Suite *http_cached_suite(void)
{
    Suite *suite = suite_create("http_cached");
    TCase *tcase = tcase_create("http_cached");

    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, one_change_wakes_all);
    tcase_add_test(tcase, the_second_read_is_a_hit);
    suite_add_tcase(suite, tcase);
    return suite;
}
