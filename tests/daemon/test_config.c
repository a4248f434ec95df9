/* Reading a configuration: files, folders, flags, and the text of each error.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config.h"
#include "agent/config_address.h"
#include "agent/config_keys.h"
#include "base/alloc.h"
#include "base/error.h"
#include "suite.h"

static struct config config;
static char *why;
static char folder[64];

static void setup(void)
{
    config_init(&config);
    why = NULL;
    strcpy(folder, "/tmp/isthmus-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void)
{
    char command[96];

    config_close(&config);
    base_free(why);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static int load(const char *text)
{
    return config_load_text(&config, "a.json", text, strlen(text), &why);
}

static char *write_file(const char *name, const char *text)
{
    char *path = base_asprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    return path;
}

START_TEST(defaults_are_those_of_the_specification)
{
    ck_assert_str_eq(config.datacenter, "dc1");
    ck_assert_str_eq(config.domain, "consul");
    ck_assert_uint_eq(config.ports.server, 8300);
    ck_assert_uint_eq(config.ports.serf_lan, 8301);
    ck_assert_uint_eq(config.ports.serf_wan, 8302);
    ck_assert_uint_eq(config.ports.http, 8500);
    ck_assert(base_addr_is_loopback(&config.client_addr));
    ck_assert_uint_eq(config.retry_join.interval_ms, 30000);
    ck_assert_uint_eq(config.retry_join.max, 0);
    ck_assert_uint_eq(config.primary_gateways.interval_ms, 30000);
    ck_assert_uint_eq(config.rpc_handshakes_max, 64);
    ck_assert(!config.server && !config.federation);
}
END_TEST

START_TEST(every_type_is_read)
{
    int rv = load("{\"node_name\": \"a\", \"server\": true,"
                  " \"bootstrap_expect\": 3, \"bind_addr\": \"127.1.0.1\","
                  " \"ports\": {\"http\": -1, \"serf_lan\": 9301},"
                  " \"retry_interval\": \"1m30s\", \"log_level\": \"WARN\","
                  " \"retry_join\": [\"10.0.0.1\", \"b:8301\"],"
                  " \"node_meta\": {\"rack\": \"r1\"},"
                  " \"connect\": {\"enable_mesh_gateway_wan_federation\":"
                  " true}, \"limits\": {\"rpc_handshakes_max\": 8}}");

    ck_assert_msg(rv == 0, "%s", why);
    ck_assert_str_eq(config.node_name, "a");
    ck_assert(config.server && config.federation);
    ck_assert_uint_eq(config.bootstrap_expect, 3);
    ck_assert_uint_eq(config.bind_addr.ip[1], 1);
    ck_assert_uint_eq(config.ports.http, 0);
    ck_assert_uint_eq(config.ports.serf_lan, 9301);
    ck_assert_uint_eq(config.ports.serf_wan, 8302);
    ck_assert_uint_eq(config.retry_join.interval_ms, 90000);
    ck_assert_int_eq(config.log_level, BASE_LOG_WARN);
    ck_assert_uint_eq(config.retry_join.targets.count, 2);
    ck_assert_str_eq(config.retry_join.targets.items[1], "b:8301");
    ck_assert_str_eq(config.node_meta.pairs[0].value, "r1");
    ck_assert_uint_eq(config.rpc_handshakes_max, 8);
}
END_TEST

START_TEST(the_tls_block_is_another_spelling)
{
    ck_assert_int_eq(load("{\"tls\": {\"defaults\": {\"ca_file\": \"c\","
                          " \"verify_incoming\": true}, \"internal_rpc\":"
                          " {\"verify_server_hostname\": true}}}"),
                     0);
    ck_assert_str_eq(config.ca_file, "c");
    ck_assert(config.verify_incoming && config.verify_server_hostname);
    ck_assert(config_is_set(&config, "ca_file"));
}
END_TEST

START_TEST(later_files_replace_scalars_and_lengthen_lists)
{
    ck_assert_int_eq(load("{\"node_name\": \"a\", \"start_join\": [\"x\"],"
                          " \"node_meta\": {\"k\": \"1\", \"l\": \"1\"}}"),
                     0);
    ck_assert_int_eq(load("{\"node_name\": \"b\", \"start_join\": [\"y\"],"
                          " \"node_meta\": {\"k\": \"2\"}}"),
                     0);
    ck_assert_str_eq(config.node_name, "b");
    ck_assert_uint_eq(config.start_join.count, 2);
    ck_assert_str_eq(config.start_join.items[0], "x");
    ck_assert_uint_eq(config.node_meta.count, 2);
    ck_assert_str_eq(config.node_meta.pairs[0].value, "2");
}
END_TEST

/* Each refused, with a text that has both parts in it. */
static const struct {
    const char *text, *has, *has_too;
} refused[] = {
    {"{\"node_nam\": \"a\"}", "node_nam (from a.json)", "unknown key"},
    {"{\"acl\": {\"enable\": true}}", "acl.enable", "unknown key"},
    {"{\"ports\": {\"htp\": 1}}", "ports.htp (from a.json)", "unknown key"},
    {"{\"ports.http\": 1}", "ports.http", "unknown key"},
    {"{\"ports\": 8500}", "ports (from a.json)",
     "wanted an object, found an "
     "integer"},
    {"{\"server\": \"yes\"}", "server (from a.json)",
     "wanted true or false, found a string"},
    {"{\"server\": null}", "server", "found null"},
    {"{\"node_name\": 5}", "node_name", "wanted a string, found an integer"},
    {"{\"node_name\": 0.5}", "node_name", "a number with a fraction"},
    {"{\"bootstrap_expect\": \"3\"}", "bootstrap_expect",
     "wanted an integer, found a string"},
    {"{\"bootstrap_expect\": -1}", "bootstrap_expect", "-1 is outside 0 to"},
    {"{\"ports\": {\"server\": 0}}", "ports.server", "0 is outside 1 to 65535"},
    {"{\"ports\": {\"server\": 65536}}", "ports.server", "65536 is outside"},
    {"{\"retry_join\": \"a\"}", "retry_join", "wanted a list of strings"},
    {"{\"retry_join\": [1]}", "retry_join", "found an integer"},
    {"{\"node_meta\": []}", "node_meta", "wanted an object of strings"},
    {"{\"node_meta\": {\"a\": 1}}", "node_meta", "found an integer"},
    {"{\"retry_interval\": 30}", "retry_interval", "found an integer"},
    {"{\"retry_interval\": \"soon\"}", "retry_interval",
     "wanted a duration such as \"30s\", found \"soon\""},
    {"{\"retry_interval\": \"1ms\"}", "retry_interval", "outside 10 to"},
    {"{\"bind_addr\": \"here\"}", "bind_addr", "wanted an IP address"},
    {"{\"bind_addr\": \"1.2.3.4:5\"}", "bind_addr", "found \"1.2.3.4:5\""},
    {"{\"log_level\": \"loud\"}", "log_level", "found \"loud\""},
    {"{\"performance\": {\"raft_multiplier\": 11}}",
     "performance.raft_multiplier", "11 is outside 1 to 10"},
    {"{\"server\": true, \"server\": true}", "a.json:1:", "duplicate"},
    {"{\"server\": true", "a.json:1:", "expected"},
    {"{\n\n  \"server\" true}", "a.json:3:", "':' expected"},
    {"[]", "a.json", "wanted an object, found a list"},
    {"", "a.json", ""},
};

START_TEST(bad_files_are_refused_with_their_key)
{
    ck_assert_int_eq(load(refused[_i].text), BASE_EPARSE);
    ck_assert_ptr_nonnull(why);
    ck_assert_msg(strstr(why, refused[_i].has) != NULL &&
                      strstr(why, refused[_i].has_too) != NULL,
                  "\"%s\" for %s", why, refused[_i].text);
}
END_TEST

START_TEST(a_folder_is_read_by_name)
{
    base_free(write_file("20.json", "{\"node_name\": \"late\"}"));
    base_free(write_file("10.json", "{\"node_name\": \"early\","
                                    " \"datacenter\": \"dc9\"}"));
    base_free(write_file("30.txt", "not read"));
    base_free(write_file(".40.json", "not read"));
    ck_assert_int_eq(config_load_path(&config, folder, &why), 0);
    ck_assert_str_eq(config.node_name, "late");
    ck_assert_str_eq(config.datacenter, "dc9");
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
    ck_assert_int_eq(config_load_path(&config, "/nowhere/x.json", &why),
                     BASE_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(why, "/nowhere/x.json"));
}
END_TEST

START_TEST(a_huge_file_is_refused)
{
    char *path = write_file("big.json", "{}");

    ck_assert_int_eq(truncate(path, 8 << 20), 0);
    ck_assert_int_eq(config_load_path(&config, path, &why), BASE_ETOOBIG);
    ck_assert_ptr_nonnull(strstr(why, "big.json"));
    base_free(path);
}
END_TEST

START_TEST(flags_win_over_files_wherever_they_stand)
{
    char *path = write_file("a.conf", "{\"node_name\": \"file\","
                                      " \"retry_join\": [\"f\"]}");
    char *argv[] = {"agent",          "-node",           "flag",
                    "-retry-join=g",  "--config-file",   path,
                    "-server",        "-http-port",      "-1",
                    "-node-meta=a=b", "-retry-interval", "2s"};

    ck_assert_int_eq(config_apply_flags(&config, 12, argv, &why), 0);
    ck_assert_str_eq(config.node_name, "flag");
    ck_assert_uint_eq(config.retry_join.targets.count, 2);
    ck_assert_str_eq(config.retry_join.targets.items[1], "g");
    ck_assert(config.server);
    ck_assert_uint_eq(config.ports.http, 0);
    ck_assert_str_eq(config.node_meta.pairs[0].key, "a");
    ck_assert_uint_eq(config.retry_join.interval_ms, 2000);
    base_free(path);
}
END_TEST

static const struct {
    const char *flag, *has;
} refused_flags[] = {
    {"-nope", "unknown flag -nope"},
    {"-server=maybe", "-server: wanted true or false, found \"maybe\""},
    {"-http-port=x", "-http-port: wanted a port number, found \"x\""},
    {"-http-port=70000", "-http-port: 70000 is outside"},
    {"-bind=here", "-bind: wanted an IP address"},
    {"-node-meta=a", "-node-meta: wanted key=value"},
    {"-node", "-node needs a value"},
    {"stray", "unexpected word \"stray\""},
};

START_TEST(bad_flags_are_usage_errors)
{
    char *argv[] = {"agent", (char *)(uintptr_t)refused_flags[_i].flag};

    ck_assert_int_eq(config_apply_flags(&config, 2, argv, &why), BASE_EINVAL);
    ck_assert_msg(strstr(why, refused_flags[_i].has) != NULL, "%s", why);
}
END_TEST

START_TEST(where_names_file_or_flag)
{
    char *argv[] = {"agent", "-node=x"};
    char *where = config_where(&config, "node_name");

    ck_assert_str_eq(where, "node_name");
    base_free(where);
    ck_assert_int_eq(load("{\"node_name\": \"a\"}"), 0);
    where = config_where(&config, "node_name");
    ck_assert_str_eq(where, "node_name (from a.json)");
    base_free(where);
    ck_assert_int_eq(config_apply_flags(&config, 2, argv, &why), 0);
    where = config_where(&config, "node_name");
    ck_assert_str_eq(where, "-node");
    base_free(where);
}
END_TEST

static const struct {
    const char *text;
    int64_t want_ms; /* -1: refused */
} durations[] = {
    {"30s", 30000},  {"1m30s", 90000},
    {"1.5s", 1500},  {"250ms", 250},
    {"2h", 7200000}, {"0", 0},
    {"0s", 0},       {"1500us", 1},
    {"", -1},        {"30", -1},
    {"-1s", -1},     {"s", -1},
    {"1e3s", -1},    {"0x1s", -1},
    {"1d", -1},      {"inf", -1},
    {"1.2.3s", -1},  {" 1s", -1},
    {"1s ", -1},     {"999999999999999999999h", -1},
};

START_TEST(durations_are_read)
{
    int64_t got = -1;
    int rv = config_parse_duration(durations[_i].text, &got);

    ck_assert_int_eq(rv, durations[_i].want_ms < 0 ? BASE_EPARSE : 0);
    ck_assert_int_eq(got, durations[_i].want_ms);
}
END_TEST

/* The choice among the host's addresses: space-separated, then what is wanted;
 * NULL if it must not be guessed. */
static const struct {
    const char *addrs[4];
    const char *want;
} choices[] = {
    {{"127.0.0.1", "10.0.0.5"}, "10.0.0.5"},
    {{"10.0.0.5", "203.0.113.9"}, "10.0.0.5"},
    {{"127.0.0.1", "203.0.113.9"}, "203.0.113.9"},
    {{"127.0.0.1", "127.0.0.2"}, "127.0.0.1"},
    {{"10.0.0.5", "192.168.0.5"}, NULL},
    {{"203.0.113.9", "203.0.113.8"}, NULL},
    {{"fd00::1", "10.0.0.5"}, "10.0.0.5"},
    {{"fd00::1"}, NULL},
};

START_TEST(the_address_to_advertise_is_never_guessed)
{
    struct base_addr candidates[4], got;
    char text[BASE_ADDR_TEXT_MAX];
    size_t count = 0;
    int rv;

    while (count < 4 && choices[_i].addrs[count] != NULL) {
        ck_assert_int_eq(
            base_addr_parse_ip(&candidates[count], choices[_i].addrs[count]),
            0);
        count++;
    }
    rv = config_choose_address(candidates, count, 4, &got);
    ck_assert_int_eq(rv == 0, choices[_i].want != NULL);
    if (rv == 0)
        ck_assert_str_eq(base_addr_format_ip(&got, text), choices[_i].want);
}
END_TEST

START_TEST(completion_fills_what_follows)
{
    ck_assert_int_eq(load("{\"bind_addr\": \"127.0.0.9\", \"bootstrap\": true,"
                          " \"server\": true,"
                          " \"verify_server_hostname\": true}"),
                     0);
    ck_assert_int_eq(config_complete(&config, &why), 0);
    ck_assert_ptr_nonnull(config.node_name);
    ck_assert_str_eq(config.primary_datacenter, "dc1");
    ck_assert(base_addr_equal(&config.advertise_addr, &config.bind_addr));
    ck_assert(base_addr_equal(&config.advertise_addr_wan, &config.bind_addr));
    ck_assert_uint_eq(config.bootstrap_expect, 1);
    ck_assert(config.verify_outgoing);
    ck_assert(!config.leave_on_terminate && config.skip_leave_on_interrupt);
}
END_TEST

START_TEST(a_data_folder_is_made_and_tried)
{
    char *path = base_asprintf("{\"data_dir\": \"%s/a/b\"}", folder);
    struct stat info;

    ck_assert_int_eq(load(path), 0);
    base_free(path);
    ck_assert_int_eq(config_prepare_data_dir(&config, &why), 0);
    ck_assert_int_eq(stat(config.data_dir, &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0700);
}
END_TEST

START_TEST(a_data_folder_below_a_file_is_refused)
{
    char *path;

    base_free(write_file("plain", "x"));
    path = base_asprintf("{\"data_dir\": \"%s/plain/b\"}", folder);
    ck_assert_int_eq(load(path), 0);
    base_free(path);
    ck_assert_int_lt(config_prepare_data_dir(&config, &why), 0);
    ck_assert_ptr_nonnull(strstr(why, "data_dir (from a.json)"));
}
END_TEST

static char *read_manual(void)
{
    /* TEST_DATA is tests/daemon/data below the project's folder. */
    char *path = base_asprintf(
        "%.*s/docs/configuration.md",
        (int)(strstr(TEST_DATA, "/tests/daemon/") - TEST_DATA), TEST_DATA);
    FILE *file = fopen(path, "r");
    char *text = base_calloc(1, 65536);

    base_free(path);
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(text, 1, 65535, file), 0);
    fclose(file);
    return text;
}

START_TEST(the_manual_has_every_key_and_flag)
{
    char *manual = read_manual();
    size_t i;

    for (i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        char *row = base_asprintf("| `%s` | %s%s", key->path,
                                  key->flag != NULL ? "`-" : "",
                                  key->flag != NULL ? key->flag : "");

        ck_assert_msg(key->same_as != NULL || strstr(manual, row) != NULL,
                      "docs/configuration.md lacks %s", row);
        base_free(row);
    }
    base_free(manual);
}
END_TEST

START_TEST(the_example_of_the_manual_is_accepted)
{
    char *manual = read_manual();
    char *from = strstr(manual, "```json\n");
    char *to = strstr(from + 8, "```");

    ck_assert_ptr_nonnull(to);
    ck_assert_msg(config_load_text(&config, "manual", from + 8,
                                   (size_t)(to - from - 8), &why) == 0,
                  "%s", why);
    ck_assert_msg(config_complete(&config, &why) == 0, "%s", why);
    ck_assert_msg(config_check(&config, &why) == 0, "%s", why);
    ck_assert_msg(config_check_first_start(&config, &why) == 0, "%s", why);
    base_free(manual);
}
END_TEST

Suite *config_suite(void);
Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *tcase = tcase_create("config");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, defaults_are_those_of_the_specification);
    tcase_add_test(tcase, every_type_is_read);
    tcase_add_test(tcase, the_tls_block_is_another_spelling);
    tcase_add_test(tcase, later_files_replace_scalars_and_lengthen_lists);
    tcase_add_loop_test(tcase, bad_files_are_refused_with_their_key, 0,
                        (int)BASE_COUNT_OF(refused));
    tcase_add_test(tcase, a_folder_is_read_by_name);
    tcase_add_test(tcase, a_file_that_is_not_there_is_named);
    tcase_add_test(tcase, a_huge_file_is_refused);
    tcase_add_test(tcase, flags_win_over_files_wherever_they_stand);
    tcase_add_loop_test(tcase, bad_flags_are_usage_errors, 0,
                        (int)BASE_COUNT_OF(refused_flags));
    tcase_add_test(tcase, where_names_file_or_flag);
    tcase_add_loop_test(tcase, durations_are_read, 0,
                        (int)BASE_COUNT_OF(durations));
    tcase_add_loop_test(tcase, the_address_to_advertise_is_never_guessed, 0,
                        (int)BASE_COUNT_OF(choices));
    tcase_add_test(tcase, completion_fills_what_follows);
    tcase_add_test(tcase, a_data_folder_is_made_and_tried);
    tcase_add_test(tcase, a_data_folder_below_a_file_is_refused);
    tcase_add_test(tcase, the_manual_has_every_key_and_flag);
    tcase_add_test(tcase, the_example_of_the_manual_is_accepted);
    suite_add_tcase(suite, tcase);
    return suite;
}
