/*
 * What may go wrong with any path of the API, over the router's own table: a
 * path that is added there is tested here, unless a row below says why not.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "http/web.h"
#include "suite.h"

static struct api_bed bed;

static void setup(void)
{
    memset(&bed, 0, sizeof(bed));
    bed.federation = true;
    api_bed_start(&bed);
}

static void setup_acl(void)
{
    memset(&bed, 0, sizeof(bed));
    bed.keys = "\"acl\":{\"enabled\":true,\"default_policy\":\"deny\","
               "\"tokens\":{\"initial_management\":\"root\",\"agent\":\"root\"}},";
    bed.token = "root";
    api_bed_start(&bed);
}

static void setup_leaderless(void)
{
    memset(&bed, 0, sizeof(bed));
    bed.expect = 3;
    api_bed_start(&bed);
}

static void teardown(void)
{
    api_bed_close(&bed);
}

/* ---- requests ------------------------------------------------------------- */

static const char *word_of(unsigned method)
{
    switch (method & 15) {
    case WEB_GET:
        return "GET";
    case WEB_PUT:
        return "PUT";
    case WEB_POST:
        return "POST";
    default:
        return "DELETE";
    }
}

/* What a path takes, so that nothing else is wrong with a request. */
static const struct {
    const char *path, *query, *body;
} good[] = {
    {"/v1/agent/check/register", "", "{\"Name\":\"c\",\"TTL\":\"1m\"}"},
    {"/v1/agent/check/update/", "", "{\"Status\":\"passing\"}"},
    {"/v1/agent/maintenance", "enable=false", ""},
    {"/v1/agent/service/maintenance/", "enable=false", ""},
    {"/v1/agent/service/register", "", "{\"Name\":\"web\"}"},
    {"/v1/catalog/deregister", "", "{\"Node\":\"x\"}"},
    {"/v1/catalog/register", "", "{\"Node\":\"x\",\"Address\":\"10.0.0.1\"}"},
    {"/v1/health/state/", "", NULL}, /* its name: below */
    {"/v1/internal/federation-state/", "",
     "{\"Gateways\":[\"203.0.113.7:8443\"]}"},
    {"/v1/operator/keyring", "",
     "{\"Key\":\"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=\"}"},
    {"/v1/operator/raft/peer", "id=x", ""},
};

/* Sends it with what is good for it, and more of a query; the connection. */
static int start(const struct web_route *route, const char *method,
                 const char *query, const char *body)
{
    const char *own = "", *name = "";
    char *request;
    size_t i;
    int fd = api_connect(&bed);

    for (i = 0; i < BASE_COUNT_OF(good); i++) {
        if (strcmp(good[i].path, route->path) != 0)
            continue;
        own = good[i].query;
        body = body || route->method == WEB_GET ? body : good[i].body;
    }
    if (route->path[strlen(route->path) - 1] == '/')
        name = strstr(route->path, "/state/") ? "any" : "x";
    request = base_asprintf("%s %s%s?%s&%s HTTP/1.1\r\nHost: t\r\n"
                            "Connection: close\r\nContent-Length: %zu\r\n\r\n%s",
                            method, route->path, name, own, query,
                            body ? strlen(body) : 0, body ? body : "");
    api_send(fd, request);
    base_free(request);
    return fd;
}

static struct api_answer finish(int fd, const struct web_route *route)
{
    struct api_answer answer;

    ck_assert_msg(api_read(fd, &answer), "%s: no answer", route->path);
    close(fd);
    return answer;
}

/* That status, and one sentence with that in it. */
static void assert_error(const struct web_route *route, const char *what,
                         struct api_answer answer, int status, const char *says)
{
    ck_assert_msg(answer.status == status && strstr(answer.body, says) &&
                      strchr(answer.body, '\n') == NULL,
                  "%s %s, %s: %d %s", word_of(route->method), route->path, what,
                  answer.status, answer.body);
    ck_assert_str_eq(api_header(&answer, "Content-Type"),
                     "text/plain; charset=utf-8");
    api_answer_close(&answer);
}

static bool is_in(const char *path, const char *const *list, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (strcmp(path, list[i]) == 0)
            return true;
    return false;
}

#define EACH(route)                                                  \
    size_t route##_count, route##_i;                                 \
    const struct web_route *route##s = web_routes(&route##_count), *route; \
    for (route##_i = 0, route = route##s; route##_i < route##_count; \
         route##_i++, route = route##s + route##_i)

/* ---- any path, anything wrong --------------------------------------------- */

START_TEST(wrong_methods_are_told_the_right_ones)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "DELETE",
                                          "PATCH"};

    EACH(route)
    {
        const char *may = web_router_allow(
            web_router_find(routes, route_count, WEB_OTHER, route->path)
                .allowed);
        size_t i;

        for (i = 0; i < BASE_COUNT_OF(methods); i++) {
            struct api_answer answer;

            if (strstr(may, methods[i]) ||
                (route->method == WEB_PUT_OR_GET && i == 0))
                continue;
            answer = finish(start(route, methods[i], "", NULL), route);
            ck_assert_msg(strcmp(api_header(&answer, "Allow"), may) == 0,
                          "%s", route->path);
            assert_error(route, methods[i], answer, 405, may);
        }
    }
}
END_TEST

static const struct {
    const char *query, *says;
} wrong[] = {
    {"index=x", "index"},
    {"index=-1", "index"},
    {"index=99999999999999999999", "index"},
    {"wait=soon", "wait"},
    {"wait=-1s", "wait"},
    {"stale=maybe", "stale"},
    {"consistent=maybe", "consistent"},
    {"stale&consistent", "exclude"},
    {"pretty=2", "pretty"},
    {"dc=%zz", "escape"},
    {"token=a%20b", "token"},
};

START_TEST(wrong_parameters_are_named)
{
    EACH(route)
    {
        size_t i;

        for (i = 0; i < BASE_COUNT_OF(wrong); i++)
            assert_error(route, wrong[i].query,
                         finish(start(route, word_of(route->method),
                                      wrong[i].query, NULL),
                                route),
                         400, wrong[i].says);
    }
}
END_TEST

START_TEST(a_path_without_its_name_is_told_so)
{
    EACH(route)
    {
        char *path = base_strdup(route->path);
        struct api_answer answer;

        if (route->name) {
            answer = api_call(&bed, word_of(route->method), path, NULL);
            assert_error(route, "no name", answer, 400, route->name);
        }
        base_free(path);
    }
}
END_TEST

START_TEST(long_bodies_are_refused)
{
    size_t len = WEB_BODY_BYTES_MAX + 1;
    char *body = base_alloc(len + 1);

    memset(body, ' ', len);
    body[len] = '\0';
    EACH(route)
        if ((route->method & (WEB_PUT | WEB_POST)) != 0 &&
            strcmp(route->path, "/v1/snapshot") != 0) /* it streams */
            assert_error(route, "a long body",
                         finish(start(route, word_of(route->method), "", body),
                                route),
                         413, "limit");
    base_free(body);
}
END_TEST

/* Paths whose body is no JSON, or that take none. */
static const char *const no_json[] = {
    "/v1/agent/check/deregister/",
    "/v1/agent/check/fail/",
    "/v1/agent/check/pass/",
    "/v1/agent/check/warn/",
    "/v1/agent/force-leave/",
    "/v1/agent/join/",
    "/v1/agent/leave",
    "/v1/agent/maintenance",
    "/v1/agent/query/",
    "/v1/agent/reload",
    "/v1/agent/service/deregister/",
    "/v1/agent/service/maintenance/",
    "/v1/event/fire/",
    "/v1/operator/raft/transfer-leader",
    "/v1/snapshot",
};

START_TEST(malformed_json_is_told_where)
{
    EACH(route)
        if ((route->method & (WEB_PUT | WEB_POST)) != 0 &&
            !is_in(route->path, no_json, BASE_COUNT_OF(no_json)))
            assert_error(route, "malformed JSON",
                         finish(start(route, word_of(route->method), "",
                                      "{\n  \"a\": }"),
                                route),
                         400, "line 2, column 8");
}
END_TEST

/* These are about the agent that is asked. */
static bool is_own(const struct web_route *route)
{
    return strncmp(route->path, "/v1/agent/", 10) == 0 ||
           strncmp(route->path, "/v3/discovery", 13) == 0;
}

START_TEST(a_datacenter_that_is_not_known_is_told)
{
    static const char *const anywhere[] = {
        "/v1/catalog/datacenters",
        "/v1/internal/federation-state/", /* written in the primary */
        "/v1/operator/keyring",           /* of all pools */
    };

    EACH(route)
    {
        struct api_answer answer;

        if (is_own(route) ||
            is_in(route->path, anywhere, BASE_COUNT_OF(anywhere)) ||
            (route->method == WEB_PUT &&
             strcmp(route->path, "/v1/snapshot") == 0)) /* no archive: 400 */
            continue;
        answer = finish(start(route, word_of(route->method), "dc=nowhere", NULL),
                        route);
        if (answer.status == 400) /* what only our own agents know */
            assert_error(route, "dc", answer, 400, "nowhere");
        else
            assert_error(route, "dc", answer, 500, "No path to datacenter");
    }
}
END_TEST

/* ---- rights and leaders --------------------------------------------------- */

static bool asked_by_rpc(const struct web_route *route)
{
    return route->resource == ACL_PUBLIC && route->access == ACL_DENY &&
           !(route->method == WEB_PUT &&
             strcmp(route->path, "/v1/snapshot") == 0);
}

START_TEST(nothing_is_open_that_ought_not_be)
{
    EACH(route)
    {
        struct api_answer answer;

        if (route->resource == ACL_PUBLIC && !asked_by_rpc(route))
            continue;
        answer = finish(start(route, word_of(route->method), "", NULL), route);
        assert_error(route, "no token", answer, 403, "Permission denied");
        answer = finish(
            start(route, word_of(route->method), "token=guessed", NULL), route);
        assert_error(route, "a wrong token", answer, 403, "ACL not found");
    }
}
END_TEST

/* All at once: each is held for a while before it fails. */
START_TEST(without_a_leader_all_say_so)
{
    size_t count, i;
    const struct web_route *routes = web_routes(&count);
    int *fds = base_calloc(count, sizeof(*fds));

    for (i = 0; i < count; i++)
        if (asked_by_rpc(&routes[i]))
            fds[i] = start(&routes[i], word_of(routes[i].method), "", NULL);
    for (i = 0; i < count; i++)
        if (asked_by_rpc(&routes[i]))
            assert_error(&routes[i], "no leader", finish(fds[i], &routes[i]),
                         500, "No cluster leader");
    base_free(fds);
}
END_TEST

Suite *http_routes_suite(void);
Suite *http_routes_suite(void)
{
    Suite *suite = suite_create("http: every path");
    TCase *one = tcase_create("a server"), *acl = tcase_create("rights"),
          *none = tcase_create("no leader");

    tcase_add_unchecked_fixture(one, setup, teardown);
    tcase_set_timeout(one, 60);
    tcase_add_test(one, wrong_methods_are_told_the_right_ones);
    tcase_add_test(one, wrong_parameters_are_named);
    tcase_add_test(one, a_path_without_its_name_is_told_so);
    tcase_add_test(one, long_bodies_are_refused);
    tcase_add_test(one, malformed_json_is_told_where);
    tcase_add_test(one, a_datacenter_that_is_not_known_is_told);
    suite_add_tcase(suite, one);
    tcase_add_unchecked_fixture(acl, setup_acl, teardown);
    tcase_set_timeout(acl, 60);
    tcase_add_test(acl, nothing_is_open_that_ought_not_be);
    suite_add_tcase(suite, acl);
    tcase_add_unchecked_fixture(none, setup_leaderless, teardown);
    tcase_set_timeout(none, 60);
    tcase_add_test(none, without_a_leader_all_say_so);
    suite_add_tcase(suite, none);
    return suite;
}
