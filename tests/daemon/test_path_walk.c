/*
 * `isthmus federation check` names the step that fails. The server port of a
 * real agent stands for gateway and server at once: it takes the same hello.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "cli/path_walk.h"
#include "suite.h"

static struct api_bed bed;
static char server[64]; /* "127.0.0.1:port" of the server port */

static void shell(const char *command)
{
    char *line = base_asprintf("cd %s && B=%s; %s", bed.folder, ISTHMUS_BIN,
                               command);

    ck_assert_int_eq(system(line), 0);
    base_free(line);
}

static void setup(void)
{
    json_t *leader;

    memset(&bed, 0, sizeof(bed));
    bed.federation = true;
    api_bed_start(&bed);
    leader = api_json(&bed, "/v1/status/leader");
    snprintf(server, sizeof(server), "%s", json_string_value(leader));
    json_decref(leader);
    shell("$B tls cert create -cli >>log; mkdir other; cd other; "
          "$B tls ca create >>log; $B tls cert create -cli >>log");
}

static void teardown(void)
{
    api_bed_close(&bed);
}

/* Walks with the bed's files, or those of another authority. */
static struct path_result walk(const char *gateway, const char *name,
                               const char *ca, const char *cert)
{
    char *ca_file = base_asprintf("%s/%s/consul-agent-ca.pem", bed.folder, ca);
    char *cert_file =
        base_asprintf("%s/%s/dc1-cli-consul-0.pem", bed.folder, cert);
    char *key_file =
        base_asprintf("%s/%s/dc1-cli-consul-0-key.pem", bed.folder, cert);
    struct path_config config = {.server_name = name,
                                 .ca_file = ca_file,
                                 .cert_file = cert_file,
                                 .key_file = key_file,
                                 .timeout_ms = API_DEADLINE_MS};
    struct path_result result;
    char *why = NULL;

    ck_assert_msg(path_walk(&config, gateway, &result, &why) == 0, "%s", why);
    base_free(ca_file);
    base_free(cert_file);
    base_free(key_file);
    return result;
}

static void assert_fails(struct path_result result, enum path_step step,
                         const char *words)
{
    ck_assert_msg(result.failed == step, "at %s: %s",
                  path_step_word(result.failed), result.why);
    ck_assert_msg(strstr(result.why, words) != NULL, "%s", result.why);
    base_free(result.why);
}

#define NAME "server.dc1.consul"

START_TEST(a_way_that_is_well_is_walked_to_its_end)
{
    struct path_result result = walk(server, NAME, ".", ".");

    ck_assert_msg(result.failed == PATH_STEPS, "at %s: %s",
                  path_step_word(result.failed), result.why);
    ck_assert_ptr_null(result.why);
}
END_TEST

START_TEST(each_step_has_its_failure)
{
    assert_fails(walk("nowhere.invalid", NAME, ".", "."), PATH_NAME, "");
    assert_fails(walk("127.0.0.1:1", NAME, ".", "."), PATH_TCP, "refused");
    assert_fails(walk(server, "server.dc2.consul", ".", "."), PATH_SNI,
                 "is not server.dc2.consul");
    assert_fails(walk(server, NAME, "other", "other"), PATH_CERTIFICATE,
                 "self-signed");
    assert_fails(walk(server, NAME, ".", "other"), PATH_CERTIFICATE,
                 "refuses ours");
}
END_TEST

/* One that accepts and hangs up, as a gateway without a route does. */
START_TEST(a_gateway_that_has_no_route_is_told_of)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char gateway[32];

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    getsockname(fd, (struct sockaddr *)&addr, &len);
    snprintf(gateway, sizeof(gateway), "127.0.0.1:%u", ntohs(addr.sin_port));
    if (fork() == 0) {
        char hello[4096];
        int peer = accept(fd, NULL, NULL);

        (void)!read(peer, hello, sizeof(hello));
        _exit(0);
    }
    close(fd);
    assert_fails(walk(gateway, NAME, ".", "."), PATH_SNI, "no route for");
}
END_TEST

Suite *path_walk_suite(void)
{
    Suite *suite = suite_create("path_walk");
    TCase *tcase = tcase_create("path_walk");

    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_way_that_is_well_is_walked_to_its_end);
    tcase_add_test(tcase, each_step_has_its_failure);
    tcase_add_test(tcase, a_gateway_that_has_no_route_is_told_of);
    suite_add_tcase(suite, tcase);
    return suite;
}
