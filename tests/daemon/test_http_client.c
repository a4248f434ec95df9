/*
 * The API client and the commands on it, against a server of this test that
 * answers what the path asks for. The server runs in a process of its own, so
 * the blocking client is tested as it is used.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/http_client.h"
#include "quiet.h"
#include "suite.h"

static pid_t server;
static char http_addr[64];

static void answer(struct evhttp_request *request, int status, const char *body)
{
    struct evbuffer *out = evbuffer_new();

    evbuffer_add(out, body, strlen(body));
    evhttp_send_reply(request, status, NULL, out);
    evbuffer_free(out);
}

/* A small agent: what it cannot do is an error, so that the commands' requests
 * are tested too. */
static void on_request(struct evhttp_request *request, void *arg)
{
    const char *uri = evhttp_request_get_uri(request);
    bool put = evhttp_request_get_command(request) == EVHTTP_REQ_PUT;
    const char *token = evhttp_find_header(
        evhttp_request_get_input_headers(request), "X-Consul-Token");

    (void)arg;
    if (strcmp(uri, "/token") == 0)
        answer(request, 200, token != NULL ? token : "none");
    else if (strcmp(uri, "/garbage") == 0)
        answer(request, 200, "<html>");
    else if (strcmp(uri, "/denied") == 0)
        answer(request, 403, "Permission denied\r\nsecond line");
    else if (strcmp(uri, "/v1/agent/members?wan=1") == 0)
        answer(request, 200, "[{\"Name\":\"n1.dc1\",\"Status\":1}]");
    else if (put && strcmp(uri, "/v1/agent/leave") == 0)
        answer(request, 200, "");
    else if (put && strcmp(uri, "/v1/agent/join/10.0.0.1%3A8301") == 0)
        answer(request, 200, "");
    else if (put && strcmp(uri, "/v1/agent/join/n.dc1%2F10.0.0.1?wan=1") == 0)
        answer(request, 200, "");
    else if (strcmp(uri, "/v1/internal/federation-states?dc=dc2&stale=1") == 0)
        answer(request, 200, "[]");
    else if (strcmp(uri, "/v1/internal/federation-state/dc2") == 0)
        answer(request, 200, "{\"Datacenter\":\"dc2\",\"MeshGateways\":[]}");
    else if (strcmp(uri, "/v1/internal/federation-states/mesh-gateways") == 0)
        answer(request, 200, "{}");
    else
        answer(request, 404, "no such path");
}

static void serve(int ready)
{
    struct event_base *loop = event_base_new();
    struct evhttp *http = evhttp_new(loop);
    struct evhttp_bound_socket *bound =
        evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
    struct sockaddr_in addr;
    socklen_t len = sizeof(addr);
    uint16_t port;

    getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&addr,
                &len);
    port = ntohs(addr.sin_port);
    evhttp_set_gencb(http, on_request, NULL);
    if (write(ready, &port, sizeof(port)) == sizeof(port))
        event_base_dispatch(loop);
    _exit(0);
}

static void setup(void)
{
    uint16_t port = 0;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    server = fork();
    if (server == 0)
        serve(ends[1]);
    ck_assert_int_eq(read(ends[0], &port, sizeof(port)), sizeof(port));
    close(ends[0]);
    close(ends[1]);
    snprintf(http_addr, sizeof(http_addr), "127.0.0.1:%u", port);
    unsetenv("ISTHMUS_HTTP_TOKEN");
    unsetenv("CONSUL_HTTP_TOKEN");
    unsetenv("CONSUL_HTTP_ADDR");
    setenv("ISTHMUS_HTTP_ADDR", http_addr, 1);
}

static void teardown(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

static struct http_target target_of(struct http_options options)
{
    struct http_target target;
    char *why = NULL;
    int rv = http_target_init(&target, &options, &why);

    ck_assert_msg(rv == 0, "%s", why);
    return target;
}

START_TEST(targets_come_from_flags_then_our_then_their_variables)
{
    struct http_target target;

    unsetenv("ISTHMUS_HTTP_ADDR");
    target = target_of((struct http_options){0});
    ck_assert_str_eq(target.host, "127.0.0.1");
    ck_assert_uint_eq(target.port, 8500);
    http_target_close(&target);
    setenv("CONSUL_HTTP_ADDR", "http://theirs:1/", 1);
    target = target_of((struct http_options){0});
    ck_assert_str_eq(target.host, "theirs");
    http_target_close(&target);
    setenv("ISTHMUS_HTTP_ADDR", "ours", 1);
    target = target_of((struct http_options){0});
    ck_assert_str_eq(target.host, "ours");
    ck_assert_uint_eq(target.port, 8500);
    http_target_close(&target);
    target = target_of((struct http_options){.addr = "[::1]:9"});
    ck_assert_str_eq(target.host, "::1");
    ck_assert_uint_eq(target.port, 9);
    http_target_close(&target);
}
END_TEST

static const char *const bad_targets[] = {"ftp://a:1", "unix://", "a:b",
                                          "http://a/path", ":80"};

START_TEST(a_wrong_target_is_named)
{
    struct http_options options = {.addr = bad_targets[_i]};
    struct http_target target;
    char *why = NULL;

    ck_assert_int_eq(http_target_init(&target, &options, &why), BASE_EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "-http-addr"));
    ck_assert_ptr_nonnull(strstr(why, bad_targets[_i]));
    base_free(why);
}
END_TEST

START_TEST(the_token_goes_along)
{
    struct http_target target =
        target_of((struct http_options){.token = "secret"});
    struct http_reply reply;
    char *why = NULL;

    ck_assert_int_eq(http_call(&target, "GET", "/token", &reply, &why), 0);
    ck_assert_str_eq(reply.body, "secret");
    http_reply_close(&reply);
    http_target_close(&target);
}
END_TEST

START_TEST(a_token_file_is_read_to_its_first_line)
{
    char path[] = "/tmp/isthmus-test-XXXXXX";
    struct http_target target;
    int fd = mkstemp(path);

    ck_assert_int_eq(write(fd, "t0ken\nx", 7), 7);
    close(fd);
    target = target_of((struct http_options){.token_file = path});
    ck_assert_str_eq(target.token, "t0ken");
    http_target_close(&target);
    unlink(path);
}
END_TEST

START_TEST(failures_say_what_the_agent_said)
{
    struct http_target target = target_of((struct http_options){0});
    json_t *out;
    char *why = NULL;

    ck_assert_int_eq(http_json(&target, "GET", "/denied", &out, &why),
                     BASE_EACCESS);
    ck_assert_str_eq(why, "the agent answered 403: Permission denied");
    base_free(why);
    ck_assert_int_eq(http_json(&target, "GET", "/nowhere", &out, &why),
                     BASE_ENOTFOUND);
    base_free(why);
    ck_assert_int_eq(http_json(&target, "GET", "/garbage", &out, &why),
                     BASE_EPARSE);
    base_free(why);
    http_target_close(&target);
}
END_TEST

START_TEST(an_agent_that_is_not_there_is_named)
{
    struct http_target target =
        target_of((struct http_options){.addr = "127.0.0.1:1"});
    struct http_reply reply;
    char *why = NULL;

    ck_assert_int_lt(http_call(&target, "GET", "/", &reply, &why), 0);
    ck_assert_ptr_nonnull(strstr(why, "127.0.0.1 port 1"));
    base_free(why);
    http_target_close(&target);
}
END_TEST

START_TEST(segments_are_escaped)
{
    char *text = http_escape("n.dc1/[::1]:8301 \303\244?&");

    ck_assert_str_eq(text, "n.dc1%2F%5B%3A%3A1%5D%3A8301%20%C3%A4%3F%26");
    base_free(text);
}
END_TEST

/* Commands against the small agent: only the right requests succeed. */
static const struct {
    int (*run)(int argc, char **argv);
    char *argv[6];
    int want;
} commands[] = {
    {cmd_members, {"members", "-wan"}, 0},
    {cmd_members, {"members", "-wan", "-format=json"}, 0},
    {cmd_members, {"members"}, 1},
    {cmd_members, {"members", "-format=xml"}, 2},
    {cmd_members, {"members", "-status=("}, 2},
    {cmd_leave, {"leave"}, 0},
    {cmd_leave, {"leave", "now"}, 2},
    {cmd_join, {"join", "10.0.0.1:8301"}, 0},
    {cmd_join, {"join", "-wan", "n.dc1/10.0.0.1"}, 0},
    {cmd_join, {"join", "10.0.0.1:8301", "10.0.0.2"}, 1},
    {cmd_join, {"join"}, 2},
    {cmd_federation_list, {"list", "-dc=dc2", "-stale"}, 0},
    {cmd_federation_list, {"list", "-dc=dc3"}, 1},
    {cmd_federation_get, {"get", "dc2"}, 0},
    {cmd_federation_get, {"get", "dc2", "-format", "json"}, 0},
    {cmd_federation_get, {"get", "dc9"}, 1},
    {cmd_federation_get, {"get"}, 2},
    {cmd_federation_gateways, {"gateways"}, 0},
    {cmd_federation_gateways, {"gateways", "-format=xml"}, 2},
};

START_TEST(commands_ask_for_the_right_paths)
{
    char *argv[7] = {NULL};
    struct quiet quiet;
    int argc = 0, code;

    while (argc < 6 && commands[_i].argv[argc] != NULL) {
        argv[argc] = commands[_i].argv[argc];
        argc++;
    }
    quiet = quiet_begin();
    code = commands[_i].run(argc, argv);
    quiet_end(quiet);
    ck_assert_int_eq(code, commands[_i].want);
}
END_TEST

Suite *http_client_suite(void);
Suite *http_client_suite(void)
{
    Suite *suite = suite_create("http client");
    TCase *tcase = tcase_create("client");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase,
                   targets_come_from_flags_then_our_then_their_variables);
    tcase_add_loop_test(tcase, a_wrong_target_is_named, 0,
                        (int)BASE_COUNT_OF(bad_targets));
    tcase_add_test(tcase, the_token_goes_along);
    tcase_add_test(tcase, a_token_file_is_read_to_its_first_line);
    tcase_add_test(tcase, failures_say_what_the_agent_said);
    tcase_add_test(tcase, an_agent_that_is_not_there_is_named);
    tcase_add_test(tcase, segments_are_escaped);
    tcase_add_loop_test(tcase, commands_ask_for_the_right_paths, 0,
                        (int)BASE_COUNT_OF(commands));
    suite_add_tcase(suite, tcase);
    return suite;
}
