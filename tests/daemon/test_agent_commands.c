/*
 * Commands that ask a running agent, at a real one: what they print, and what
 * they change.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "suite.h"

static struct api_bed bed;
static char *output; /* of the last run, both streams */

static void setup(void)
{
    memset(&bed, 0, sizeof(bed));
    bed.keys = "\"node_meta\":{\"rack\":\"r1\"},";
    api_bed_start(&bed);
    output = NULL;
}

static void teardown(void)
{
    base_free(output);
    api_bed_close(&bed);
}

/* Runs "isthmus <line>" against the bed's agent, in its folder. */
static int run(const char *line)
{
    char *command = base_asprintf(
        "cd %s && CONSUL_HTTP_ADDR=127.0.0.1:%u %s %s 2>&1", bed.folder,
        bed.port, ISTHMUS_BIN, line);
    FILE *from = popen(command, "r");
    size_t len;
    int status;

    ck_assert_ptr_nonnull(from);
    base_free(output);
    output = base_calloc(1, 65536);
    len = fread(output, 1, 65535, from);
    output[len] = '\0';
    status = pclose(from);
    base_free(command);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(const char *line, int code, const char *words)
{
    ck_assert_msg(run(line) == code, "%s: %s", line, output);
    ck_assert_msg(strstr(output, words) != NULL, "%s: %s", line, output);
}

static void write_file(const char *name, const char *text)
{
    char *path = base_asprintf("%s/%s", bed.folder, name);
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    base_free(path);
}

static bool web_is_in_catalog(void *arg)
{
    json_t *list = api_json(&bed, "/v1/catalog/service/web");
    bool there = json_array_size(list) == 1;

    (void)arg;
    json_decref(list);
    return there;
}

/* ---- tests ---------------------------------------------------------------- */

START_TEST(test_catalog_lists)
{
    expect("services register -name=web -id=web.1 -port=80 -tag=v2 -tag=x "
           "-meta=zone=a", 0, "Registered service: web\n");
    api_until(web_is_in_catalog, NULL, "the service in the catalog");
    expect("catalog datacenters", 0, "dc1\n");
    expect("catalog datacenters -format=json", 0, "[\n");
    expect("catalog nodes", 0, "Node  ID");
    expect("catalog nodes -detailed", 0, "rack=r1");
    expect("catalog nodes -service=web -detailed", 0, "rack=r1");
    expect("catalog nodes -node-meta=rack:r2", 0, "Node  ID  Address  DC\n");
    expect("catalog services", 0, "consul\nweb\n");
    expect("catalog services -tags", 0, "web      v2,x\n");
    expect("catalog services -tags -node=s1", 0, "web      v2,x\n");
    expect("catalog services -node=nobody", 0, "");
    expect("catalog services -dc=dc9", 1, "No path to datacenter");
}
END_TEST

START_TEST(test_services_from_files)
{
    write_file("two.json",
               "{\"services\":[{\"Name\":\"web\",\"Port\":80,\"Check\":"
               "{\"TTL\":\"1m\"}},{\"Name\":\"db\",\"ID\":\"db-1\"}]}");
    write_file("one.json", "{\"service\":{\"Name\":\"log\"}}");
    write_file("bad.json", "{\"service\":{\"Name\":\"log\",}}");
    write_file("other.json", "{\"servces\":[]}");
    expect("services register two.json one.json", 0,
           "Registered service: web\nRegistered service: db\n"
           "Registered service: log\n");
    expect("services register bad.json", 1, "bad.json:1:");
    expect("services register other.json", 1, "wanted {\"service\"");
    expect("services register nothing.json", 1, "nothing.json");
    expect("services register", 2, "-name or a file");
    expect("services deregister two.json", 0,
           "Deregistered service: web\nDeregistered service: db-1\n");
    expect("services deregister -id=log", 0, "Deregistered service: log\n");
    expect("services deregister -id=log", 1, "404");
}
END_TEST

START_TEST(test_maintenance)
{
    expect("services register -name=web", 0, "Registered");
    expect("maint -enable -reason='new disk'", 0,
           "Node maintenance is now enabled");
    expect("maint -enable -service=web", 0,
           "Service maintenance is now enabled");
    expect("maint", 0, "Node:\n  Name:   s1\n  Reason: new disk\n");
    expect("maint", 0, "Service:\n  ID:     web\n");
    expect("maint -disable", 0, "Node maintenance is now disabled");
    expect("maint -disable -service=web", 0, "disabled");
    ck_assert_int_eq(run("maint"), 0);
    ck_assert_str_eq(output, "");
    expect("maint -enable -disable", 2, "not both");
    expect("maint -service=web", 2, "-enable or -disable");
    expect("maint -enable -service=nothing", 1, "404");
}
END_TEST

START_TEST(test_info_and_reload)
{
    expect("info", 0, "\nraft:\n");
    expect("info", 0, "\tstate = Leader\n");
    expect("info -format=json", 0, "\"serf_lan\"");
    expect("reload", 0, "Configuration reload triggered");
}
END_TEST

START_TEST(test_watch_prints_once)
{
    expect("watch -type=services", 0, "\"consul\": []");
    expect("watch -type=nodes", 0, "\"Node\": \"s1\"");
    expect("watch -type=checks -state=passing", 0, "\"serfHealth\"");
    expect("watch -type=service -service=web", 0, "[]");
    expect("watch -type=service", 2, "-service is needed");
    expect("watch", 2, "-type");
}
END_TEST

static bool has_web(void *arg)
{
    char *path = base_asprintf("%s/seen", bed.folder);
    FILE *file = fopen(path, "r");
    char text[4096] = "";

    (void)arg;
    if (file) {
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        fclose(file);
    }
    base_free(path);
    return strstr(text, "\"web\"") != NULL && strstr(text, "index=") != NULL;
}

/* The program runs for what is there, and again for the change. */
START_TEST(test_watch_runs_a_program)
{
    char *command = base_asprintf(
        "cd %s && exec %s watch -http-addr=127.0.0.1:%u -type=services "
        "'cat >seen; echo index=$CONSUL_INDEX >>seen'",
        bed.folder, ISTHMUS_BIN, bed.port);
    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    api_put(&bed, "/v1/agent/service/register", "{\"Name\":\"web\"}");
    api_until(has_web, NULL, "the program with the new service");
    kill(pid, SIGTERM);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    base_free(command);
}
END_TEST

Suite *agent_commands_suite(void)
{
    Suite *suite = suite_create("agent_commands");
    TCase *agent = tcase_create("agent");

    tcase_add_checked_fixture(agent, setup, teardown);
    tcase_add_test(agent, test_catalog_lists);
    tcase_add_test(agent, test_services_from_files);
    tcase_add_test(agent, test_maintenance);
    tcase_add_test(agent, test_info_and_reload);
    tcase_add_test(agent, test_watch_prints_once);
    tcase_add_test(agent, test_watch_runs_a_program);
    suite_add_tcase(suite, agent);
    return suite;
}
