/*
 * Reloading a real agent: which keys it takes, what it says of others, and that
 * a file with a fault changes nothing.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "suite.h"

static struct api_bed bed;

static const char keys[] =
    "\"log_file\":\"agent.log\","
    "\"acl\":{\"enabled\":true,\"default_policy\":\"deny\",\"tokens\":{"
    "\"initial_management\":\"first-root\",\"agent\":\"own\"},\"grants\":["
    "{\"secret_id\":\"own\",\"node\":\"write\",\"service\":\"write\"},"
    "{\"secret_id\":\"first\",\"operator\":\"read\"}]},";

static char *path_of(const char *name)
{
    return base_asprintf("%s/%s", bed.folder, name);
}

static void setup(void)
{
    memset(&bed, 0, sizeof(bed));
    bed.keys = keys;
    bed.token = "first-root";
    strcpy(bed.folder, "/tmp/isthmus-api-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(bed.folder));
    ck_assert_int_eq(chdir(bed.folder), 0); /* where log_file is */
    api_bed_start(&bed);
}

static void teardown(void)
{
    api_bed_close(&bed);
    ck_assert_int_eq(chdir("/"), 0);
}

/* ---- helpers -------------------------------------------------------------- */

/* Writes the configuration with these keys in place of those it has. */
static void configure(const char *changes)
{
    char *path = path_of("agent.json");
    json_t *config = json_load_file(path, 0, NULL);
    json_t *update = json_loads(changes, 0, NULL);

    ck_assert_ptr_nonnull(config);
    ck_assert_ptr_nonnull(update);
    ck_assert_int_eq(json_object_update_recursive(config, update), 0);
    ck_assert_int_eq(json_dump_file(config, path, 0), 0);
    json_decref(update);
    json_decref(config);
    base_free(path);
}

static bool log_has(const char *name, const char *words)
{
    char *path = path_of(name);
    FILE *file = fopen(path, "r");
    char line[4096];
    bool found = false;

    while (file && !found && fgets(line, sizeof(line), file))
        found = strstr(line, words) != NULL;
    if (file)
        fclose(file);
    base_free(path);
    return found;
}

static void reload(int status, const char *words)
{
    struct api_answer answer =
        api_call(&bed, "PUT", "/v1/agent/reload", "");

    ck_assert_int_eq(answer.status, status);
    ck_assert_msg(strstr(answer.body, words) != NULL, "%s", answer.body);
    api_answer_close(&answer);
}

static int status_as(const char *token)
{
    const char *before = bed.token;
    struct api_answer answer;
    int status;

    bed.token = token;
    answer = api_call(&bed, "GET", "/v1/operator/raft/configuration", NULL);
    bed.token = before;
    status = answer.status;
    api_answer_close(&answer);
    return status;
}

/* ---- tests ---------------------------------------------------------------- */

START_TEST(test_grants_change)
{
    ck_assert_int_eq(status_as("first"), 200);
    configure("{\"acl\":{\"grants\":[{\"secret_id\":\"own\",\"node\":\"write\","
              "\"service\":\"write\"},{\"secret_id\":\"second\","
              "\"operator\":\"read\"}]}}");
    reload(200, "");
    ck_assert_int_eq(status_as("second"), 200);
    ck_assert_int_eq(status_as("first"), 403);
}
END_TEST

START_TEST(test_management_and_policy_change)
{
    ck_assert_int_eq(status_as(NULL), 403);
    configure("{\"acl\":{\"default_policy\":\"allow\","
              "\"tokens\":{\"initial_management\":\"second-root\"}}}");
    reload(200, "");
    bed.token = "second-root";
    ck_assert_int_eq(status_as("second-root"), 200);
    ck_assert_int_eq(status_as("first-root"), 403);
    ck_assert_int_eq(status_as(NULL), 200);
}
END_TEST

static bool service_is_in_catalog(void *arg)
{
    json_t *list = api_json(&bed, "/v1/catalog/service/web");
    bool there = json_array_size(list) == 1;

    (void)arg;
    json_decref(list);
    return there;
}

/* The old one is not known any more: only with the new one can it write. */
START_TEST(test_own_token_changes)
{
    configure("{\"acl\":{\"tokens\":{\"agent\":\"own-2\"},\"grants\":["
              "{\"secret_id\":\"own-2\",\"node\":\"write\","
              "\"service\":\"write\"}]}}");
    reload(200, "");
    api_put(&bed, "/v1/agent/service/register",
            "{\"Name\":\"web\",\"Port\":80}");
    api_until(service_is_in_catalog, NULL, "the service in the catalog");
}
END_TEST

START_TEST(test_log_level_and_file)
{
    ck_assert(!log_has("agent.log", "read configuration"));
    configure("{\"log_level\":\"info\"}");
    ck_assert_int_eq(rename("agent.log", "agent.log.1"), 0);
    reload(200, "");
    ck_assert(log_has("agent.log", "changed=log_level"));
    ck_assert(!log_has("agent.log.1", "changed=log_level"));
}
END_TEST

START_TEST(test_others_are_named)
{
    configure("{\"datacenter\":\"dc2\",\"retry_join\":[\"127.0.0.1:1\"]}");
    reload(200, "");
    ck_assert(log_has("agent.log", "needs a new start: keys=\"datacenter, "
                                   "retry_join\""));
}
END_TEST

/* The token would be taken, were it not for the other line. */
START_TEST(test_fault_changes_nothing)
{
    configure("{\"acl\":{\"tokens\":{\"initial_management\":\"x\"}},"
              "\"bootstrap_expect\":\"many\"}");
    reload(500, "bootstrap_expect");
    ck_assert_int_eq(status_as("first-root"), 200);
    ck_assert_int_eq(status_as("x"), 403);
}
END_TEST

static bool second_root_works(void *arg)
{
    (void)arg;
    return status_as("second-root") == 200;
}

START_TEST(test_hangup_does_the_same)
{
    configure("{\"acl\":{\"tokens\":{\"initial_management\":\"second-root\"}}}");
    kill(bed.pid, SIGHUP);
    api_until(second_root_works, NULL, "the new token");
}
END_TEST

Suite *reload_suite(void)
{
    Suite *suite = suite_create("reload");
    TCase *agent = tcase_create("agent");

    tcase_add_checked_fixture(agent, setup, teardown);
    tcase_add_test(agent, test_grants_change);
    tcase_add_test(agent, test_management_and_policy_change);
    tcase_add_test(agent, test_own_token_changes);
    tcase_add_test(agent, test_log_level_and_file);
    tcase_add_test(agent, test_others_are_named);
    tcase_add_test(agent, test_fault_changes_nothing);
    tcase_add_test(agent, test_hangup_does_the_same);
    suite_add_tcase(suite, agent);
    return suite;
}
