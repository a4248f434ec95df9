/* The API's other doors: TLS, as the commands use it, and a Unix socket. */
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "suite.h"

static struct api_bed bed;

static void teardown(void)
{
    api_bed_close(&bed);
}

/* ---- TLS ------------------------------------------------------------------ */

static void setup_https(void)
{
    char *command;

    memset(&bed, 0, sizeof(bed));
    bed.federation = bed.https = true;
    api_bed_start(&bed);
    command = base_asprintf("cd %s && %s tls cert create -cli >>log",
                            bed.folder, ISTHMUS_BIN);
    ck_assert_int_eq(system(command), 0);
    base_free(command);
}

/* Runs `isthmus members` with flags, in the bed's folder; its exit code, and
 * all that it printed, the caller's. */
static int members(const char *flags, char **out)
{
    char *command = base_asprintf(
        "cd %s && %s members -http-addr=https://127.0.0.1:%u %s 2>&1",
        bed.folder, ISTHMUS_BIN, bed.https_port, flags);
    FILE *pipe = popen(command, "r");
    int status;

    *out = base_calloc(1, 4096);
    ck_assert_ptr_nonnull(pipe);
    ck_assert_uint_lt(fread(*out, 1, 4095, pipe), 4095);
    status = pclose(pipe);
    base_free(command);
    return WEXITSTATUS(status);
}

#define CA "-ca-file=consul-agent-ca.pem "
#define CERT                                \
    "-client-cert=dc1-cli-consul-0.pem "    \
    "-client-key=dc1-cli-consul-0-key.pem "
#define NAME "-tls-server-name=server.dc1.consul"

static const struct {
    const char *flags;
    int code;
    const char *says;
} asked[] = {
    {CA CERT NAME, 0, "alive"},
    {CA CERT, 0, "alive"}, /* 127.0.0.1 is in the certificate */
    {CA CERT "-tls-server-name=server.dc2.consul", 1, "mismatch"},
    {CERT NAME, 1, "self-signed certificate"},
    {CA NAME, 1, "certificate required"}, /* shows none: verify_incoming */
    {CA "-client-cert=nowhere.pem " NAME, 1, "nowhere.pem"},
};

START_TEST(commands_speak_tls)
{
    char *out;
    int code = members(asked[_i].flags, &out);

    ck_assert_msg(code == asked[_i].code && strstr(out, asked[_i].says),
                  "%s: %d: %s", asked[_i].flags, code, out);
    base_free(out);
}
END_TEST

START_TEST(a_reload_changes_the_certificate_and_a_broken_one_does_not)
{
    char *out, *command = base_asprintf(
                   "cd %s && mv dc1-server-consul-0.pem kept && "
                   "cp dc1-cli-consul-0.pem dc1-server-consul-0.pem",
                   bed.folder);
    struct api_answer answer;

    ck_assert_int_eq(system(command), 0);
    base_free(command);
    answer = api_call(&bed, "PUT", "/v1/agent/reload", "");
    ck_assert_int_ne(answer.status, 200); /* it does not fit the key */
    api_answer_close(&answer);
    ck_assert_int_eq(members(CA CERT NAME, &out), 0);
    base_free(out);
    command = base_asprintf("cd %s && mv kept dc1-server-consul-0.pem",
                            bed.folder);
    ck_assert_int_eq(system(command), 0);
    base_free(command);
    api_put(&bed, "/v1/agent/reload", "");
    ck_assert_int_eq(members(CA CERT NAME, &out), 0);
    base_free(out);
}
END_TEST

/* A connection of the test's own, with the command line's certificate. */
struct line {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static void line_open(struct line *line)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(bed.https_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char *cert = base_asprintf("%s/dc1-cli-consul-0.pem", bed.folder);
    char *key = base_asprintf("%s/dc1-cli-consul-0-key.pem", bed.folder);

    line->ctx = SSL_CTX_new(TLS_client_method());
    ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(line->ctx, cert), 1);
    ck_assert_int_eq(
        SSL_CTX_use_PrivateKey_file(line->ctx, key, SSL_FILETYPE_PEM), 1);
    line->fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(line->fd, (struct sockaddr *)&to, sizeof(to)), 0);
    line->ssl = SSL_new(line->ctx);
    SSL_set_fd(line->ssl, line->fd);
    ck_assert_int_eq(SSL_connect(line->ssl), 1);
    base_free(cert);
    base_free(key);
}

static void line_close(struct line *line)
{
    SSL_free(line->ssl);
    SSL_CTX_free(line->ctx);
    close(line->fd);
}

static long serial_of(const struct line *line)
{
    X509 *cert = SSL_get1_peer_certificate(line->ssl);
    unsigned long hash = X509_issuer_and_serial_hash(cert);

    X509_free(cert);
    return (long)hash;
}

static void line_ask(struct line *line)
{
    static const char request[] =
        "GET /v1/status/leader HTTP/1.1\r\nHost: a\r\n\r\n";
    char answer[2048] = "";
    size_t len = 0;

    ck_assert_int_gt(SSL_write(line->ssl, request, sizeof(request) - 1), 0);
    while (strstr(answer, "\r\n\r\n\"") == NULL) {
        int got = SSL_read(line->ssl, answer + len,
                           (int)(sizeof(answer) - 1 - len));

        ck_assert_msg(got > 0, "the connection ended: %s", answer);
        len += (size_t)got;
        answer[len] = '\0';
    }
    ck_assert_ptr_nonnull(strstr(answer, "200 OK"));
}

static bool shows_another(void *arg)
{
    struct line fresh;
    bool another;

    line_open(&fresh);
    another = serial_of(&fresh) != serial_of(arg);
    line_close(&fresh);
    return another;
}

START_TEST(a_connection_outlives_the_certificate_that_it_began_with)
{
    char *command = base_asprintf(
        "cd %s && rm dc1-server-consul-0.pem dc1-server-consul-0-key.pem && "
        "%s tls cert create -server -dc dc1 -node s1 >>log 2>&1",
        bed.folder, ISTHMUS_BIN);
    struct line line;

    line_open(&line);
    line_ask(&line);
    ck_assert_int_eq(system(command), 0);
    base_free(command);
    kill(bed.pid, SIGHUP);
    api_until(shows_another, &line, "the new certificate");
    line_ask(&line);
    line_close(&line);
}
END_TEST

/* ---- a Unix socket -------------------------------------------------------- */

static void setup_unix(void)
{
    memset(&bed, 0, sizeof(bed));
    bed.unix_socket = true;
    bed.keys = "\"unix_sockets\":{\"mode\":\"0660\"},";
    api_bed_start(&bed);
}

static bool has_socket(mode_t *mode)
{
    char *path = base_asprintf("%s/api.sock", bed.folder);
    struct stat info;
    bool has = stat(path, &info) == 0;

    base_free(path);
    if (has)
        *mode = info.st_mode & 0777;
    return has;
}

START_TEST(a_unix_socket_serves_those_who_may_open_it)
{
    mode_t mode = 0;

    json_decref(api_json(&bed, "/v1/agent/self"));
    ck_assert(has_socket(&mode));
    ck_assert_uint_eq(mode, 0660);
    /* What a killed agent leaves behind is no obstacle. */
    kill(bed.pid, SIGKILL);
    api_bed_wait(&bed);
    ck_assert(has_socket(&mode));
    api_bed_start(&bed);
    json_decref(api_json(&bed, "/v1/agent/self"));
    api_bed_stop(&bed);
    ck_assert(!has_socket(&mode));
}
END_TEST

static int run(const char *address, const char *command)
{
    char *line = base_asprintf("CONSUL_HTTP_ADDR=unix://%s%s %s %s >%s/out 2>&1",
                               bed.folder, address, ISTHMUS_BIN, command,
                               bed.folder);
    int status = system(line);

    base_free(line);
    return WEXITSTATUS(status);
}

/* Answers that are whole, that stream, and requests with a body. */
START_TEST(commands_go_through_it)
{
    char *saved = base_asprintf("snapshot save %s/s.snap", bed.folder);

    ck_assert_int_eq(run("/api.sock", "members"), 0);
    ck_assert_int_eq(run("/api.sock", "query isthmus:version"), 0);
    ck_assert_int_eq(run("/api.sock", "event -name=e payload"), 0);
    ck_assert_int_eq(run("/api.sock", saved), 0);
    ck_assert_int_eq(run("/nowhere.sock", "members"), 1);
    base_free(saved);
}
END_TEST

Suite *https_suite(void)
{
    Suite *suite = suite_create("https");
    TCase *tls = tcase_create("tls"), *path = tcase_create("unix");

    tcase_add_unchecked_fixture(tls, setup_https, teardown);
    tcase_set_timeout(tls, 60);
    tcase_add_loop_test(tls, commands_speak_tls, 0, BASE_COUNT_OF(asked));
    tcase_add_test(tls,
                   a_reload_changes_the_certificate_and_a_broken_one_does_not);
    tcase_add_test(tls,
                   a_connection_outlives_the_certificate_that_it_began_with);
    suite_add_tcase(suite, tls);
    tcase_add_checked_fixture(path, setup_unix, teardown);
    tcase_set_timeout(path, 60);
    tcase_add_test(path, a_unix_socket_serves_those_who_may_open_it);
    tcase_add_test(path, commands_go_through_it);
    suite_add_tcase(suite, path);
    return suite;
}
