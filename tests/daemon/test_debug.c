/*
 * isthmus debug against a real agent whose configuration is full of secrets:
 * none of them is in the bundle, and all else is.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "cli/debug_bundle.h"
#include "suite.h"

#define GOSSIP_KEY "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ="

static struct api_bed bed;
static char *output;

static const char keys[] =
    "\"encrypt\":\"" GOSSIP_KEY "\","
    "\"acl\":{\"enabled\":true,\"default_policy\":\"deny\",\"tokens\":{"
    "\"initial_management\":\"root-secret\",\"agent\":\"own-secret\"},"
    "\"grants\":["
    "{\"secret_id\":\"own-secret\",\"node\":\"write\","
    "\"service\":\"write\"},"
    "{\"secret_id\":\"agents-secret\",\"agent\":\"read\"}]},";

static void setup(void)
{
    memset(&bed, 0, sizeof(bed));
    bed.keys = keys;
    bed.token = "root-secret";
    bed.federation = true;
    api_bed_start(&bed);
}

static void teardown(void)
{
    bed.token = "root-secret";
    api_bed_close(&bed);
    base_free(output);
    output = NULL;
}

/* A command line in the bed's folder; its exit code, and all it said. */
static int sh(const char *format, const char *a, const char *b)
{
    char *tail = base_asprintf(format, a, b);
    char *line = base_asprintf("cd %s && %s", bed.folder, tail);
    FILE *from = popen(line, "r");
    struct base_buf all = BASE_BUF_INIT;
    size_t got;
    int status;

    ck_assert_ptr_nonnull(from);
    while ((got = fread(base_buf_reserve(&all, 4096), 1, 4096, from)) > 0)
        base_buf_commit(&all, got);
    status = pclose(from);
    base_free(output);
    output = base_buf_take_string(&all);
    base_free(line);
    base_free(tail);
    return WEXITSTATUS(status);
}

static int debug(const char *token, const char *flags)
{
    char *line = base_asprintf(
        "%s debug -http-addr=127.0.0.1:%u -token=%s -duration=1s -interval=1s "
        "-output=bundle %s 2>&1",
        ISTHMUS_BIN, bed.port, token, flags);
    int code = sh("%s%s", line, "");

    base_free(line);
    return code;
}

static void assert_clean(void)
{
    static const char *const secrets[] = {GOSSIP_KEY, "root-secret",
                                          "own-secret", "agents-secret",
                                          "hidden-in-meta", "PRIVATE KEY"};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(secrets); i++)
        ck_assert_msg(strstr(output, secrets[i]) == NULL, "%s is in it",
                      secrets[i]);
}

static bool has_gateway(void *arg)
{
    struct api_answer answer =
        api_call(&bed, "GET", "/v1/internal/federation-states", NULL);
    bool has = strstr(answer.body, "hidden-in-meta") != NULL;

    (void)arg;
    api_answer_close(&answer);
    return has;
}

START_TEST(a_bundle_has_all_but_secrets)
{
    static const char *const files[] = {
        "agent.json",   "members.json",           "members-wan.json",
        "raft.json",    "federation-status.json", "federation-states.json",
        "isthmus.log",  "metrics/0000.json",      "metrics/0001.json",
        "index.json"};
    size_t i;

    api_put(&bed, "/v1/agent/service/register",
            "{\"Name\":\"gw\",\"Kind\":\"mesh-gateway\",\"Port\":8443,"
            "\"Meta\":{\"db_password\":\"hidden-in-meta\","
            "\"note\":\"says root-secret\"}}");
    api_until(has_gateway, NULL, "the gateway in the federation state");
    ck_assert_msg(debug("root-secret", "") == 0, "%s", output);
    ck_assert_ptr_nonnull(strstr(output, "bundle.tar.gz"));
    ck_assert_int_eq(sh("%s%s", "tar tzf bundle.tar.gz", ""), 0);
    for (i = 0; i < BASE_COUNT_OF(files); i++)
        ck_assert_msg(strstr(output, files[i]), "no %s: %s", files[i], output);
    ck_assert_int_eq(sh("%s%s", "tar xzOf bundle.tar.gz", ""), 0);
    assert_clean();
    ck_assert_ptr_nonnull(strstr(output, "\"NodeName\": \"s1\""));
    ck_assert_ptr_nonnull(strstr(output, "isthmus.http.request_us"));
    ck_assert_ptr_nonnull(strstr(output, "\"note\": \"says (hidden)\""));
    ck_assert_int_eq(sh("%s%s", "stat -c %a bundle.tar.gz", ""), 0);
    ck_assert_str_eq(output, "600\n");
}
END_TEST

START_TEST(what_a_token_may_not_see_is_left_out_and_told)
{
    ck_assert_int_eq(debug("agents-secret", ""), 0);
    ck_assert_ptr_nonnull(strstr(output, "raft.json: the agent answered 403"));
    sh("%s%s", "tar xzOf bundle.tar.gz isthmus-debug/index.json", "");
    ck_assert_ptr_nonnull(strstr(output, "\"agent.json\": null"));
    ck_assert_ptr_nonnull(strstr(output, "needs operator:read"));
    ck_assert_int_eq(debug("", ""), 1);
    ck_assert_ptr_nonnull(strstr(output, "refused all of it"));
}
END_TEST

START_TEST(parts_can_be_chosen)
{
    ck_assert_int_eq(debug("root-secret", "-capture=raft -capture=members"), 0);
    sh("%s%s", "tar tzf bundle.tar.gz", "");
    ck_assert_ptr_nonnull(strstr(output, "raft.json"));
    ck_assert_ptr_nonnull(strstr(output, "members.json"));
    ck_assert_ptr_null(strstr(output, "agent.json"));
    ck_assert_ptr_null(strstr(output, "isthmus.log"));
    ck_assert_int_eq(debug("root-secret", "-capture=all"), 2);
    ck_assert_int_eq(debug("root-secret", "-interval=soon"), 2);
}
END_TEST

START_TEST(secrets_are_hidden_at_any_depth)
{
    json_t *value = json_pack("{s:[{s:s, s:s}, s], s:{s:s}, s:s}", "a",
                              "SecretID", "x", "b", "a tok in it", "tok",
                              "Headers", "Authorization", "Bearer y",
                              "Encrypt", "z");
    char *text, *line;

    debug_hide(value, "tok");
    text = json_dumps(value, JSON_COMPACT);
    ck_assert_str_eq(text,
                     "{\"a\":[{\"SecretID\":\"(hidden)\","
                     "\"b\":\"a (hidden) in it\"},\"(hidden)\"],"
                     "\"Headers\":{\"Authorization\":\"(hidden)\"},"
                     "\"Encrypt\":\"(hidden)\"}");
    line = debug_hide_text("tok, tok", "tok");
    ck_assert_str_eq(line, "(hidden), (hidden)");
    base_free(line);
    free(text);
    json_decref(value);
}
END_TEST

Suite *debug_suite(void);
Suite *debug_suite(void)
{
    Suite *suite = suite_create("debug");
    TCase *tcase = tcase_create("an agent"), *pure = tcase_create("hiding");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_bundle_has_all_but_secrets);
    tcase_add_test(tcase, what_a_token_may_not_see_is_left_out_and_told);
    tcase_add_test(tcase, parts_can_be_chosen);
    suite_add_tcase(suite, tcase);
    tcase_add_test(pure, secrets_are_hidden_at_any_depth);
    suite_add_tcase(suite, pure);
    return suite;
}
