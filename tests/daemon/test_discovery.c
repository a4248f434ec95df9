/*
 * /v3/discovery of a live agent: what Envoy asks, and what it must not.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "suite.h"

#define CLUSTERS "/v3/discovery:clusters"
#define WHO(more) "{\"node\":{\"id\":\"gw\"" more "}}"
#define TOKEN(token) WHO(",\"metadata\":{\"token\":\"" token "\"}")

static struct api_bed bed;

static void setup(void)
{
    bed.keys = "\"acl\":{\"enabled\":true,\"default_policy\":\"deny\","
               "\"tokens\":{\"initial_management\":\"boss\","
               "\"agent\":\"boss\"},"
               "\"grants\":[{\"secret_id\":\"reader\",\"service\":\"read\"},"
               "{\"secret_id\":\"other\",\"node\":\"read\"}]},";
    bed.federation = true;
    bed.token = "boss";
    api_bed_start(&bed);
    api_put(&bed, "/v1/agent/service/register",
            "{\"Kind\":\"mesh-gateway\",\"ID\":\"gw\",\"Name\":\"gw\","
            "\"Address\":\"127.0.0.9\",\"Port\":8443,"
            "\"Meta\":{\"consul-wan-federation\":\"1\"}}");
    bed.token = NULL;
}

static void teardown(void)
{
    api_bed_close(&bed);
}

static char *post(const char *path, const char *body, int status)
{
    struct api_answer answer = api_call(&bed, "POST", path, body);
    char *text = base_strdup(answer.body);

    ck_assert_msg(answer.status == status, "%s: %d %s", body, answer.status,
                  answer.body);
    api_answer_close(&answer);
    return text;
}

static void expect(const char *body, int status, const char *part)
{
    char *text = post(CLUSTERS, body, status);

    ck_assert_msg(strstr(text, part) != NULL, "%s: %s", body, text);
    base_free(text);
}

START_TEST(what_is_malformed_is_named)
{
    expect("{", 400, "decode failed");
    expect("{}", 400, "node.id");
    expect("{\"node\":[]}", 400, "node");
    expect(WHO(",\"metadata\":{\"bind\":[\"here\"]}"), 400, "\"here\"");
    expect(WHO(",\"metadata\":{\"bind\":[\"127.0.0.1:0\"]}"), 400, "ip:port");
    expect(WHO(",\"metadata\":{\"bind\":[\"127.0.0.1:1\",\"127.0.0.1:2\","
               "\"127.0.0.1:3\"]}"),
           400, "at most 2");
    expect(TOKEN("a b"), 400, "token");
    expect("{\"resource_names\":[1],\"node\":{\"id\":\"gw\"}}", 400,
           "resource_names");
    expect("{\"version_info\":\"0123456789012345678901234567890123456789"
           "012345678901234567890123456789\",\"node\":{\"id\":\"gw\","
           "\"metadata\":{\"token\":\"reader\"}}}",
           400, "version_info");
}
END_TEST

START_TEST(a_token_decides)
{
    expect(WHO(""), 403, "Permission denied");
    expect(TOKEN("nobody"), 403, "ACL not found");
    expect(TOKEN("other"), 403, "Permission denied");
    expect(TOKEN("reader"), 200, "\"s1.server.dc1.consul\"");
    expect("{\"node\":{\"id\":\"other\",\"metadata\":{\"token\":\"reader\"}}}",
           404, "node.id");
}
END_TEST

START_TEST(a_client_that_goes_is_forgotten)
{
    struct api_answer answer;
    const char *body = "{\"node\":{\"id\":\"no\",\"metadata\":"
                       "{\"token\":\"reader\"}},\"version_info\":\"x\"}";
    char *text = base_asprintf("POST " CLUSTERS " HTTP/1.1\r\nHost: t\r\n"
                               "Content-Length: %zu\r\n\r\n%s",
                               strlen(body), body);
    int fd = api_connect(&bed);
    unsigned tries = 0;

    bed.token = "boss";
    api_send(fd, text);
    while (api_gauge(&bed, "isthmus.xds.waiting") != 1)
        ck_assert_uint_lt(tries++, 10000);
    close(fd);
    while (api_gauge(&bed, "isthmus.xds.waiting") != 0)
        ck_assert_uint_lt(tries++, 10000);
    answer = api_call(&bed, "GET", "/v1/status/leader", NULL);
    ck_assert_int_eq(answer.status, 200);
    api_answer_close(&answer);
    base_free(text);
}
END_TEST

Suite *discovery_suite(void)
{
    Suite *suite = suite_create("discovery");
    TCase *tcase = tcase_create("discovery");

    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_is_malformed_is_named);
    tcase_add_test(tcase, a_token_decides);
    tcase_add_test(tcase, a_client_that_goes_is_forgotten);
    suite_add_tcase(suite, tcase);
    return suite;
}
