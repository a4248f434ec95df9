/*
 * Tokens at a real agent that denies by default: what each path needs, that
 * secrets are shown nowhere, and that the agent's own calls have a token.
 */
#include <string.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "suite.h"

static struct api_bed bed;

static const char keys[] =
    "\"acl\":{\"enabled\":true,\"default_policy\":\"deny\",\"tokens\":{"
    "\"initial_management\":\"root-secret\",\"agent\":\"own-secret\"},"
    "\"grants\":["
    "{\"secret_id\":\"own-secret\",\"node\":\"write\",\"service\":\"write\"},"
    "{\"secret_id\":\"agents\",\"agent\":\"write\"},"
    "{\"secret_id\":\"events\",\"event\":\"write\"},"
    "{\"secret_id\":\"nodes\",\"node\":\"read\"},"
    "{\"secret_id\":\"nodes-write\",\"node\":\"write\"},"
    "{\"secret_id\":\"operators-read\",\"operator\":\"read\"},"
    "{\"secret_id\":\"operators\",\"operator\":\"write\"},"
    "{\"secret_id\":\"services\",\"service\":\"read\"},"
    "{\"secret_id\":\"services-write\",\"service\":\"write\"}]},";

static void setup(void)
{
    memset(&bed, 0, sizeof(bed));
    bed.keys = keys;
    bed.token = "root-secret";
    api_bed_start(&bed);
}

static void teardown(void)
{
    bed.token = "root-secret";
    api_bed_close(&bed);
}

static struct api_answer call_as(const char *token, const char *method,
                                 const char *path, const char *body)
{
    bed.token = token;
    return api_call(&bed, method, path, body);
}

#define SERVICE "{\"Name\":\"web\",\"Port\":80}"
#define NODE "{\"Node\":\"n1\",\"Address\":\"10.0.0.1\"}"

/* In this order: later rows lean on earlier ones. */
static const struct {
    const char *method, *path, *body;
    const char *need;  /* "operator:write"; NULL: nothing */
    const char *token; /* that has it, and no more */
} rights[] = {
    {"GET", "/v1/status/leader", NULL, NULL, ""},
    {"GET", "/v1/status/peers", NULL, NULL, ""},
    {"GET", "/v1/catalog/datacenters", NULL, NULL, ""},
    {"GET", "/v1/agent/self", NULL, "agent:read", "agents"},
    {"GET", "/v1/agent/metrics", NULL, "agent:read", "agents"},
    {"GET", "/v1/agent/members", NULL, "node:read", "nodes"},
    {"PUT", "/v1/agent/join/127.0.0.1:1", "", "agent:write", "agents"},
    {"PUT", "/v1/agent/reload", "", "agent:write", "agents"},
    {"PUT", "/v1/agent/force-leave/nobody", "", "operator:write", "operators"},
    {"GET", "/v1/agent/services", NULL, "service:read", "services"},
    {"GET", "/v1/agent/checks", NULL, "node:read", "nodes"},
    {"PUT", "/v1/agent/service/register", SERVICE, "service:write",
     "services-write"},
    {"PUT", "/v1/agent/service/deregister/web", "", "service:write",
     "services-write"},
    {"PUT", "/v1/catalog/register", NODE, "node:write", "nodes-write"},
    {"PUT", "/v1/catalog/register",
     "{\"Node\":\"n1\",\"Address\":\"10.0.0.1\",\"Service\":{\"Service\":"
     "\"db\"}}",
     "service:write", "services-write"},
    {"PUT", "/v1/agent/check/register", "{\"Name\":\"c\",\"TTL\":\"1m\"}",
     "node:write", "nodes-write"},
    {"PUT", "/v1/agent/check/pass/c", "", "service:write", "services-write"},
    {"PUT", "/v1/agent/check/deregister/c", "", "node:write", "nodes-write"},
    {"PUT", "/v1/agent/maintenance?enable=false", "", "node:write",
     "nodes-write"},
    {"GET", "/v1/catalog/nodes", NULL, "node:read", "nodes"},
    {"GET", "/v1/catalog/node/n1", NULL, "node:read", "nodes"},
    {"GET", "/v1/catalog/services", NULL, "service:read", "services"},
    {"GET", "/v1/catalog/service/db", NULL, "service:read", "services"},
    {"GET", "/v1/health/service/db", NULL, "service:read", "services"},
    {"GET", "/v1/health/checks/db", NULL, "service:read", "services"},
    {"GET", "/v1/health/state/any", NULL, "node:read", "nodes"},
    {"GET", "/v1/health/node/n1", NULL, "node:read", "nodes"},
    {"PUT", "/v1/catalog/deregister", "{\"Node\":\"n1\",\"ServiceID\":\"db\"}",
     "service:write", "services-write"},
    {"PUT", "/v1/catalog/deregister", "{\"Node\":\"n1\"}", "node:write",
     "nodes-write"},
    {"PUT", "/v1/event/fire/e", "", "event:write", "events"},
    {"GET", "/v1/event/list", NULL, "event:read", "events"},
    {"GET", "/v1/coordinate/nodes", NULL, "node:read", "nodes"},
    {"GET", "/v1/coordinate/datacenters", NULL, "node:read", "nodes"},
    {"GET", "/v1/internal/federation-states", NULL, "operator:read",
     "operators-read"},
    {"GET", "/v1/internal/federation-states/mesh-gateways", NULL,
     "service:read", "services"},
    {"GET", "/v1/operator/raft/configuration", NULL, "operator:read",
     "operators-read"},
    {"DELETE", "/v1/operator/raft/peer?id=nobody", NULL, "operator:write",
     "operators"},
    {"GET", "/v1/internal/federation-status", NULL, "operator:read",
     "operators-read"},
    {"GET", "/v1/snapshot", NULL, "operator:read", "operators-read"},
    {"PUT", "/v1/snapshot", "nonsense", NULL, "operators"},
    {"GET", "/v1/operator/keyring", NULL, "operator:read", "operators-read"},
    {"PUT", "/v1/operator/keyring", "{}", "operator:write", "operators"},
};

static void assert_refused(const char *token, size_t row, const char *words)
{
    struct api_answer answer =
        call_as(token, rights[row].method, rights[row].path, rights[row].body);

    ck_assert_msg(answer.status == 403 && strcmp(answer.body, words) == 0,
                  "%s %s as \"%s\": %d %s", rights[row].method,
                  rights[row].path, token, answer.status, answer.body);
    api_answer_close(&answer);
}

START_TEST(each_path_needs_its_right)
{
    struct api_answer answer;
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(rights); i++) {
        if (rights[i].need) {
            char *words = base_asprintf("Permission denied: needs %s",
                                        rights[i].need);

            assert_refused("", i, words);
            /* Whoever may read may not write. */
            if (strstr(rights[i].need, "operator:write"))
                assert_refused("operators-read", i, words);
            if (strstr(rights[i].need, "node:write"))
                assert_refused("nodes", i, words);
            if (strstr(rights[i].need, "service:write"))
                assert_refused("services", i, words);
            base_free(words);
            assert_refused("guess", i, "ACL not found");
        }
        answer = call_as(rights[i].token, rights[i].method, rights[i].path,
                         rights[i].body);
        ck_assert_msg(answer.status != 403, "%s %s as \"%s\": %s",
                      rights[i].method, rights[i].path, rights[i].token,
                      answer.body);
        api_answer_close(&answer);
    }
}
END_TEST

START_TEST(a_service_may_not_bring_a_node)
{
    struct api_answer answer = call_as(
        "services-write", "PUT", "/v1/catalog/register",
        "{\"Node\":\"new\",\"Address\":\"10.0.0.2\",\"Service\":{\"Service\":"
        "\"db\"}}");

    ck_assert_int_eq(answer.status, 403);
    ck_assert_str_eq(answer.body, "Permission denied: needs node:write");
    api_answer_close(&answer);
}
END_TEST

static bool knows_web(void *arg)
{
    struct api_answer answer =
        call_as("root-secret", "GET", "/v1/catalog/service/web", NULL);
    bool knows = strstr(answer.body, "\"ServiceID\":\"web\"") != NULL;

    (void)arg;
    api_answer_close(&answer);
    return knows;
}

START_TEST(the_agent_tells_the_catalog_with_its_own_token)
{
    struct api_answer answer = call_as("services-write", "PUT",
                                       "/v1/agent/service/register", SERVICE);

    ck_assert_int_eq(answer.status, 200);
    api_answer_close(&answer);
    api_until(knows_web, NULL, "the catalog to know the service");
}
END_TEST

START_TEST(a_bearer_and_a_parameter_do_as_well)
{
    struct api_answer answer =
        call_as("", "GET", "/v1/agent/self?token=agents", NULL);
    int fd;

    ck_assert_int_eq(answer.status, 200);
    api_answer_close(&answer);
    fd = api_connect(&bed);
    api_send(fd, "GET /v1/agent/self HTTP/1.1\r\nHost: a\r\n"
                 "Authorization: Bearer agents\r\n\r\n");
    ck_assert(api_read(fd, &answer));
    ck_assert_int_eq(answer.status, 200);
    api_answer_close(&answer);
}
END_TEST

START_TEST(secrets_are_shown_nowhere)
{
    static const char *const pages[] = {"/v1/agent/self?pretty",
                                        "/v1/agent/metrics",
                                        "/v1/agent/services"};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(pages); i++) {
        struct api_answer answer =
            call_as("root-secret", "GET", pages[i], NULL);

        ck_assert_int_eq(answer.status, 200);
        ck_assert_ptr_null(strstr(answer.body, "secret"));
        api_answer_close(&answer);
    }
}
END_TEST

START_TEST(what_is_denied_is_counted)
{
    struct api_answer answer = call_as("", "GET", "/v1/agent/self", NULL);

    api_answer_close(&answer);
    answer = call_as("", "GET", "/v1/catalog/nodes", NULL);
    api_answer_close(&answer);
    bed.token = "root-secret";
    ck_assert_int_gt(api_counter(&bed, "isthmus.acl.denied", "http"), 0);
    ck_assert_int_gt(api_counter(&bed, "isthmus.acl.denied", "rpc"), 0);
}
END_TEST

Suite *http_acl_suite(void)
{
    Suite *suite = suite_create("http_acl");
    TCase *tcase = tcase_create("http_acl");

    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, each_path_needs_its_right);
    tcase_add_test(tcase, a_service_may_not_bring_a_node);
    tcase_add_test(tcase, the_agent_tells_the_catalog_with_its_own_token);
    tcase_add_test(tcase, a_bearer_and_a_parameter_do_as_well);
    tcase_add_test(tcase, secrets_are_shown_nowhere);
    tcase_add_test(tcase, what_is_denied_is_counted);
    suite_add_tcase(suite, tcase);
    return suite;
}
