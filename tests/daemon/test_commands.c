/*
 * The binary as a shell sees it: exit codes, and which words come out where.
 * What it was given wrong is said on standard error, with the key or flag.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "suite.h"

static char folder[64];
static char *output; /* of the last run: what was asked for of both streams */

static void setup(void)
{
    strcpy(folder, "/tmp/isthmus-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    output = NULL;
}

static void teardown(void)
{
    char command[96];

    base_free(output);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Runs "isthmus <line>" by the shell in the test's folder; returns its exit
 * code. redirect picks the stream that is read. */
static int run(const char *line, const char *redirect)
{
    char *command =
        base_asprintf("cd %s && %s %s %s", folder, ISTHMUS_BIN, line, redirect);
    FILE *from = popen(command, "r");
    size_t len;
    int status;

    ck_assert_ptr_nonnull(from);
    base_free(output);
    output = base_calloc(1, 65536);
    len = fread(output, 1, 65535, from);
    output[len] = '\0';
    status = pclose(from);
    ck_assert_msg(WIFEXITED(status), "\"%s\" ended by a signal: %s", line,
                  output);
    base_free(command);
    return WEXITSTATUS(status);
}

#define OUT "2>/dev/null"
#define ERR "2>&1 >/dev/null"

static const char *const names[] = {"agent",           "catalog datacenters",
                                    "catalog nodes",   "catalog services",
                                    "event",           "info",
                                    "maint",           "reload",
                                    "services deregister",
                                    "services register", "watch",
                                    "federation delete",
                                    "federation gateways", "federation get",
                                    "federation list", "federation put",
                                    "federation status", "force-leave",
                                    "gateway",         "join",
                                    "keygen",          "keyring",
                                    "leave",           "members",
                                    "monitor",         "query",
                                    "reachability",    "rtt",
                                    "tls ca create",   "tls cert create",
                                    "validate",        "version"};

START_TEST(each_command_helps_with_an_example)
{
    char *line = base_asprintf("%s -help", names[_i]);
    char *usage = base_asprintf("Usage: isthmus %s", names[_i]);

    ck_assert_int_eq(run(line, OUT), 0);
    ck_assert_ptr_eq(strstr(output, usage), output);
    ck_assert_ptr_nonnull(strstr(output, "\nExample:\n  isthmus "));
    base_free(line);
    line = base_asprintf("help %s", names[_i]);
    ck_assert_int_eq(run(line, OUT), 0);
    ck_assert_ptr_eq(strstr(output, usage), output);
    base_free(line);
    base_free(usage);
}
END_TEST

START_TEST(help_lists_every_command)
{
    size_t i;

    ck_assert_int_eq(run("help", OUT), 0);
    for (i = 0; i < BASE_COUNT_OF(names); i++)
        ck_assert_ptr_nonnull(strstr(output, names[i]));
    ck_assert_int_eq(run("", ERR), 2);
    ck_assert_ptr_nonnull(strstr(output, "Usage: isthmus <command>"));
    ck_assert_int_eq(run("tls", ERR), 2);
    ck_assert_ptr_nonnull(strstr(output, "tls cert create"));
    ck_assert_ptr_null(strstr(output, "members"));
    ck_assert_int_eq(run("help tls", OUT), 0);
    ck_assert_int_eq(run("tls -help", OUT), 0);
}
END_TEST

#define SERVER "agent -node=n1 -server -bind=127.0.0.1 -data-dir=d -bootstrap "

/* Nothing here starts: each line is refused. */
static const struct {
    const char *line;
    int want;
    const char *has; /* on standard error */
} refused[] = {
    {"membres", 2, "unknown command \"membres\""},
    {"tls ca delete", 2, "tls ca create"},
    {"members -wann", 2, "unknown flag -wann"},
    {"members -http-addr=127.0.0.1:1", 1, "127.0.0.1 port 1"},
    {"members -http-addr=ftp://a", 1, "-http-addr"},
    {"version word", 2, "unexpected word \"word\""},
    {"agent -nonsense", 2, "unknown flag -nonsense"},
    {"agent -http-port=x", 2, "-http-port"},
    {"agent -bind=127.0.0.1", 1, "data_dir"},
    {"agent -config-file=nowhere.json", 1, "nowhere.json"},
    {"agent -node=web.1 -bind=127.0.0.1 -data-dir=d", 1, "-node"},
    {SERVER "-bootstrap-expect=3", 1, "-bootstrap"},
    {SERVER "-primary-gateway=10.0.0.1", 1, "-primary-gateway"},
    {SERVER "-encrypt=short", 1, "-encrypt"},
    {SERVER "-data-dir=/proc/nowhere", 1, "-data-dir"},
    {"validate nowhere", 1, "nowhere"},
    {"validate", 2, "a file or a folder is needed"},
    {"gateway", 2, "-address is needed"},
    {"gateway -address=x", 2, "-address"},
    {"gateway -address=0.0.0.0", 2, "-address"},
    {"gateway -address=127.0.0.1 -wan-address=127.0.0.1:0", 2, "port 0"},
    {"gateway -address=127.0.0.1 -expose-servers", 2, "-wan-address"},
    {"gateway -address=127.0.0.1 -meta=x", 2, "-meta"},
    {"gateway -address=127.0.0.1 -log-level=x", 2, "-log-level"},
    {"event payload", 2, "-name is needed"},
    {"event -name=e -list", 1, "127.0.0.1 port"},
    {"force-leave", 2, "a node is needed"},
    {"keyring", 2, "one of -install"},
    {"keyring -list -use=x", 2, "one of -install"},
    {"keyring -list -relay-factor=6", 2, "-relay-factor"},
    {"monitor -log-level=loud", 2, "-log-level"},
    {"query", 2, "a name is needed"},
    {"query -tag=x name", 2, "-tag"},
    {"rtt", 2, "one or two nodes"},
    {"rtt -wan a b", 2, "node.datacenter"},
    {"tls cert create -server", 1, "consul-agent-ca.pem"},
    {"tls cert create -node=n", 2, "-server"},
};

START_TEST(what_is_wrong_is_named_on_standard_error)
{
    int code = run(refused[_i].line, ERR);

    ck_assert_msg(code == refused[_i].want, "%d for %s: %s", code,
                  refused[_i].line, output);
    ck_assert_msg(strstr(output, refused[_i].has) != NULL, "%s", output);
}
END_TEST

START_TEST(a_full_disk_behind_standard_output_is_an_error)
{
    ck_assert_int_eq(run("keygen", "2>&1 >/dev/full"), 1);
    ck_assert_ptr_nonnull(strstr(output, "standard output"));
}
END_TEST

START_TEST(keys_have_32_bytes_and_differ)
{
    char *first;

    ck_assert_int_eq(run("keygen", OUT), 0);
    ck_assert_uint_eq(strlen(output), 45);
    first = base_strdup(output);
    ck_assert_int_eq(run("keygen", OUT), 0);
    ck_assert_str_ne(output, first);
    base_free(first);
}
END_TEST

START_TEST(versions_are_for_people_and_scripts)
{
    ck_assert_int_eq(run("version", OUT), 0);
    ck_assert_ptr_eq(strstr(output, "Isthmus v"), output);
    ck_assert_int_eq(run("version -format=json", OUT), 0);
    ck_assert_ptr_nonnull(strstr(output, "\"Version\": \""));
    ck_assert_int_eq(run("-version", OUT), 0);
}
END_TEST

static void write_file(const char *name, const char *text)
{
    char *path = base_asprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    base_free(path);
}

START_TEST(a_whole_setup_validates)
{
    ck_assert_int_eq(run("tls ca create", OUT), 0);
    ck_assert_int_eq(run("tls cert create -server -dc=dc2 -node=n1", OUT), 0);
    write_file("a.json",
               "{\"server\": true, \"node_name\": \"n1\", \"data_dir\": \"d\","
               " \"datacenter\": \"dc2\", \"primary_datacenter\": \"dc1\","
               " \"bind_addr\": \"127.0.0.1\", \"bootstrap_expect\": 1,"
               " \"primary_gateways\": [\"127.1.0.9:8443\"],"
               " \"ca_file\": \"consul-agent-ca.pem\","
               " \"cert_file\": \"dc2-server-consul-0.pem\","
               " \"key_file\": \"dc2-server-consul-0-key.pem\","
               " \"verify_incoming\": true, \"verify_outgoing\": true,"
               " \"connect\": {\"enable_mesh_gateway_wan_federation\": true}}");
    ck_assert_int_eq(run("validate a.json", OUT), 0);
    ck_assert_str_eq(output, "Configuration is valid\n");
    ck_assert_int_eq(run("validate -quiet a.json", OUT), 0);
    ck_assert_str_eq(output, "");
    write_file("b.json", "{\"node_name\": \"n2\"}");
    ck_assert_int_eq(run("validate a.json b.json", ERR), 1);
    ck_assert_ptr_nonnull(strstr(output, "n2.server.dc2.consul"));
    write_file("b.json", "{\n\"node_nme\": \"n2\"}");
    ck_assert_int_eq(run("validate b.json", ERR), 1);
    ck_assert_str_eq(output, "isthmus validate: node_nme (from b.json): "
                             "unknown key\n");
}
END_TEST

Suite *commands_suite(void);
Suite *commands_suite(void)
{
    Suite *suite = suite_create("commands");
    TCase *tcase = tcase_create("commands");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_loop_test(tcase, each_command_helps_with_an_example, 0,
                        (int)BASE_COUNT_OF(names));
    tcase_add_test(tcase, help_lists_every_command);
    tcase_add_loop_test(tcase, what_is_wrong_is_named_on_standard_error, 0,
                        (int)BASE_COUNT_OF(refused));
    tcase_add_test(tcase, a_full_disk_behind_standard_output_is_an_error);
    tcase_add_test(tcase, keys_have_32_bytes_and_differ);
    tcase_add_test(tcase, versions_are_for_people_and_scripts);
    tcase_add_test(tcase, a_whole_setup_validates);
    suite_add_tcase(suite, tcase);
    return suite;
}
