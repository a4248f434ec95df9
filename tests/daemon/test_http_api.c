/*
 * Every path of the API against a real agent: what it answers, and what it says
 * to those who ask wrongly. One agent serves all tests but the last few.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api_bed.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "suite.h"

static struct api_bed bed;

static void setup(void)
{
    memset(&bed, 0, sizeof(bed));
    bed.federation = true;
    api_bed_start(&bed);
}

static void teardown(void)
{
    api_bed_close(&bed);
}

/* ---- JSON by path: "0.Service.ID" ----------------------------------------- */

static const json_t *at(const json_t *json, const char *path)
{
    char *copy = base_strdup(path), *rest = copy, *key;

    while (json && (key = strsep(&rest, ".")) != NULL)
        json = json_is_array(json)
                   ? json_array_get(json, (size_t)atoi(key))
                   : json_object_get(json, key);
    base_free(copy);
    return json;
}

static const char *text_at(const json_t *json, const char *path)
{
    const char *text = json_string_value(at(json, path));

    return text ? text : "(none)";
}

static void assert_text(const char *url, const char *path, const char *text)
{
    json_t *json = api_json(&bed, url);

    ck_assert_str_eq(text_at(json, path), text);
    json_decref(json);
}

struct sought {
    const char *url, *path, *text;
};

static bool is_there(void *arg)
{
    const struct sought *sought = arg;
    json_t *json = api_json(&bed, sought->url);
    bool is = strcmp(text_at(json, sought->path), sought->text) == 0;

    json_decref(json);
    return is;
}

static void until_text(const char *url, const char *path, const char *text)
{
    struct sought sought = {url, path, text};

    api_until(is_there, &sought, url);
}

static bool is_empty(void *arg)
{
    json_t *json = api_json(&bed, arg);
    bool is = json_array_size(json) == 0;

    json_decref(json);
    return is;
}

/* ---- status, agent -------------------------------------------------------- */

START_TEST(leader_and_peers)
{
    json_t *leader = api_json(&bed, "/v1/status/leader");
    json_t *peers = api_json(&bed, "/v1/status/peers");

    ck_assert(strncmp(json_string_value(leader), "127.0.0.1:", 10) == 0);
    ck_assert_uint_eq(json_array_size(peers), 1);
    ck_assert_str_eq(text_at(peers, "0"), json_string_value(leader));
    json_decref(leader);
    json_decref(peers);
}
END_TEST

START_TEST(who_it_is)
{
    json_t *self = api_json(&bed, "/v1/agent/self");

    ck_assert_str_eq(text_at(self, "Config.Datacenter"), "dc1");
    ck_assert_str_eq(text_at(self, "Config.PrimaryDatacenter"), "dc1");
    ck_assert_str_eq(text_at(self, "Config.NodeName"), "s1");
    ck_assert_str_eq(text_at(self, "Config.Domain"), "consul");
    ck_assert_uint_eq(strlen(text_at(self, "Config.NodeID")), 36);
    ck_assert(json_is_true(at(self, "Config.Server")));
    ck_assert_str_eq(text_at(self, "Member.Name"), "s1");
    ck_assert_str_eq(text_at(self, "Stats.raft.state"), "Leader");
    ck_assert_str_eq(text_at(self, "Stats.serf_lan.members"), "1");
    ck_assert_str_eq(text_at(self, "Stats.consul.leader"), "true");
    ck_assert(json_is_true(at(self, "xIsthmus.Federation.Enabled")));
    ck_assert(json_is_array(at(self, "xIsthmus.RetryJoin")));
    ck_assert_str_ne(text_at(self, "xIsthmus.ClusterID"), "");
    json_decref(self);
}
END_TEST

START_TEST(members_of_both_pools)
{
    json_t *lan = api_json(&bed, "/v1/agent/members");
    json_t *wan = api_json(&bed, "/v1/agent/members?wan=1");

    ck_assert_uint_eq(json_array_size(lan), 1);
    ck_assert_str_eq(text_at(lan, "0.Name"), "s1");
    ck_assert_str_eq(text_at(lan, "0.Addr"), "127.0.0.1");
    ck_assert_str_eq(text_at(lan, "0.Tags.role"), "isthmus");
    ck_assert_str_eq(text_at(lan, "0.Tags.dc"), "dc1");
    ck_assert_int_eq(json_integer_value(at(lan, "0.Status")), 1);
    ck_assert_int_eq(json_integer_value(at(lan, "0.ProtocolMin")), 1);
    ck_assert_int_eq(json_integer_value(at(lan, "0.ProtocolMax")), 5);
    ck_assert_str_eq(text_at(wan, "0.Name"), "s1.dc1");
    json_decref(lan);
    json_decref(wan);
}
END_TEST

START_TEST(metrics)
{
    struct api_answer answer =
        api_call(&bed, "GET", "/v1/agent/metrics?format=prometheus", NULL);

    ck_assert_int_eq(answer.status, 200);
    ck_assert_ptr_nonnull(strstr(api_header(&answer, "Content-Type"),
                                 "text/plain; version=0.0.4"));
    ck_assert_ptr_nonnull(
        strstr(answer.body, "# TYPE isthmus_http_connections gauge\n"));
    api_answer_close(&answer);
    ck_assert_int_ge(api_gauge(&bed, "isthmus.http.connections"), 1);
    ck_assert_int_ge(api_counter(&bed, "isthmus.http.answer", "200"), 1);
}
END_TEST

START_TEST(reload)
{
    api_put(&bed, "/v1/agent/reload", NULL);
}
END_TEST

/* ---- services and checks -------------------------------------------------- */

START_TEST(services_are_listed_once_with_all_tags)
{
    static const char want[] = "\"db\":[\"a\",\"b\",\"c\"]";
    struct api_answer answer;
    char *twice;

    api_put(&bed, "/v1/catalog/register",
            "{\"Node\":\"n2\",\"Address\":\"10.0.0.2\","
            "\"Service\":{\"Service\":\"db\",\"Tags\":[\"c\",\"b\"]}}");
    api_put(&bed, "/v1/catalog/register",
            "{\"Node\":\"n1\",\"Address\":\"10.0.0.1\","
            "\"Service\":{\"Service\":\"db\",\"Tags\":[\"a\",\"b\"]}}");
    answer = api_call(&bed, "GET", "/v1/catalog/services", NULL);
    ck_assert_int_eq(answer.status, 200);
    twice = strstr(answer.body, want);
    ck_assert_msg(twice != NULL, "%s", answer.body);
    ck_assert_ptr_null(strstr(twice + 1, "\"db\""));
    api_answer_close(&answer);
    api_put(&bed, "/v1/catalog/deregister", "{\"Node\":\"n1\"}");
    api_put(&bed, "/v1/catalog/deregister", "{\"Node\":\"n2\"}");
}
END_TEST

START_TEST(a_service_from_birth_to_death)
{
    static const char row[] = "/v1/catalog/service/web?tag=b";
    static const char health[] = "/v1/health/service/web?passing&tag=A";

    api_put(&bed, "/v1/agent/service/register",
            "{\"ID\":\"web-1\",\"Name\":\"web\",\"Tags\":[\"a\",\"b\"],"
            "\"Port\":80,\"Address\":\"10.0.0.1\",\"Meta\":{\"k\":\"v\"},"
            "\"TaggedAddresses\":{\"wan\":{\"Address\":\"9.9.9.9\","
            "\"Port\":81}},\"Check\":{\"TTL\":\"1h\",\"Name\":\"up\","
            "\"Notes\":\"n\"}}");
    assert_text("/v1/agent/services", "web-1.Service", "web");
    assert_text("/v1/agent/services", "web-1.Datacenter", "dc1");
    assert_text("/v1/agent/checks", "service:web-1.Status", "critical");
    assert_text("/v1/agent/checks", "service:web-1.Notes", "n");
    until_text(row, "0.ServiceID", "web-1");
    assert_text(row, "0.ServiceTaggedAddresses.wan.Address", "9.9.9.9");
    assert_text("/v1/catalog/services", "web.1", "b");
    assert_text("/v1/catalog/node/s1", "Services.web-1.Meta.k", "v");
    assert_text("/v1/health/service/web", "0.Service.Address", "10.0.0.1");
    ck_assert(is_empty((char *)(uintptr_t)health));

    api_put(&bed, "/v1/agent/check/pass/service:web-1?note=all%20well", NULL);
    until_text(health, "0.Checks.1.Status", "passing");
    assert_text(health, "0.Checks.1.Output", "all well");
    api_put(&bed, "/v1/agent/check/warn/service%3Aweb-1", NULL);
    until_text("/v1/health/node/s1", "1.Status", "warning");
    assert_text("/v1/health/node/s1", "1.ServiceTags.0", "a");
    api_put(&bed, "/v1/agent/check/fail/service:web-1", NULL);
    until_text("/v1/health/node/s1", "1.Status", "critical");
    api_put(&bed, "/v1/agent/check/update/service:web-1",
            "{\"Status\":\"passing\",\"Output\":\"o\"}");
    until_text(health, "0.Checks.1.Output", "o");

    api_put(&bed, "/v1/agent/service/deregister/web-1", NULL);
    api_until(is_empty, (char *)(uintptr_t) "/v1/catalog/service/web",
              "the service to be gone");
}
END_TEST

START_TEST(a_ttl_that_runs_out)
{
    api_put(&bed, "/v1/agent/service/register",
            "{\"Name\":\"short\",\"Check\":{\"TTL\":\"50ms\","
            "\"Status\":\"passing\"}}");
    until_text("/v1/health/service/short", "0.Checks.1.Status", "critical");
    api_put(&bed, "/v1/agent/service/deregister/short", NULL);
}
END_TEST

START_TEST(services_outlive_a_restart)
{
    struct api_bed own = {0};
    json_t *services;

    api_bed_start(&own);
    api_put(&own, "/v1/agent/service/register",
            "{\"ID\":\"a/b\",\"Name\":\"web\",\"Check\":{\"TTL\":\"1h\"}}");
    api_bed_stop(&own);
    api_bed_start(&own);
    services = api_json(&own, "/v1/agent/services");
    ck_assert_str_eq(text_at(services, "a/b.Service"), "web");
    json_decref(services);
    api_put(&own, "/v1/agent/check/pass/service:a%2Fb", NULL);
    api_bed_close(&own);
}
END_TEST

/* ---- the catalog ---------------------------------------------------------- */

START_TEST(the_catalog_by_hand)
{
    json_t *node;

    api_put(&bed, "/v1/catalog/register",
            "{\"Node\":\"ext\",\"Address\":\"10.1.1.1\",\"ID\":\"u\","
            "\"TaggedAddresses\":{\"lan\":\"10.1.1.2\"},"
            "\"NodeMeta\":{\"m\":\"1\"},"
            "\"Service\":{\"Service\":\"db\",\"Port\":5432},"
            "\"Check\":{\"Name\":\"alive\",\"Status\":\"passing\","
            "\"ServiceID\":\"db\"}}");
    assert_text("/v1/catalog/nodes", "0.Node", "ext");
    node = api_json(&bed, "/v1/catalog/node/ext");
    ck_assert_str_eq(text_at(node, "Node.TaggedAddresses.lan"), "10.1.1.2");
    ck_assert_str_eq(text_at(node, "Node.Meta.m"), "1");
    ck_assert_str_eq(text_at(node, "Node.Datacenter"), "dc1");
    ck_assert_int_eq(json_integer_value(at(node, "Services.db.Port")), 5432);
    json_decref(node);
    assert_text("/v1/health/service/db?passing", "0.Checks.0.ServiceName",
                "db");
    api_put(&bed, "/v1/catalog/deregister",
            "{\"Node\":\"ext\",\"CheckID\":\"alive\"}");
    ck_assert(is_empty((char *)(uintptr_t) "/v1/health/node/ext"));
    api_put(&bed, "/v1/catalog/deregister",
            "{\"Node\":\"ext\",\"ServiceID\":\"db\"}");
    ck_assert(is_empty((char *)(uintptr_t) "/v1/catalog/service/db"));
    api_put(&bed, "/v1/catalog/deregister", "{\"Node\":\"ext\"}");
    node = api_json(&bed, "/v1/catalog/node/ext");
    ck_assert(json_is_null(node));
    json_decref(node);
}
END_TEST

START_TEST(datacenters)
{
    assert_text("/v1/catalog/datacenters", "0", "dc1");
    assert_text("/v1/catalog/nodes?dc=DC1", "0.Node", "s1");
}
END_TEST

/* ---- federation ----------------------------------------------------------- */

START_TEST(federation_states)
{
    static const char one[] = "/v1/internal/federation-state/dc1";
    static const char gateways[] =
        "/v1/internal/federation-states/mesh-gateways";
    json_t *map = api_json(&bed, gateways);

    /* Datacenters without gateways are left out. */
    ck_assert_ptr_null(at(map, "dc1"));
    json_decref(map);
    api_put(&bed, "/v1/agent/service/register",
            "{\"Name\":\"gw\",\"Kind\":\"mesh-gateway\",\"Port\":8443,"
            "\"Meta\":{\"consul-wan-federation\":\"1\"}}");
    until_text("/v1/internal/federation-states",
               "0.MeshGateways.0.Service.ID", "gw");
    assert_text(gateways, "dc1.0.Service.Kind", "mesh-gateway");
    assert_text(one, "Datacenter", "dc1");
    assert_text(one, "MeshGateways.0.Node.Node", "s1");
    map = api_json(&bed, one);
    ck_assert(json_is_integer(at(map, "ModifyIndex")));
    ck_assert_int_eq(strlen(text_at(map, "UpdatedAt")) > 19, 1);
    json_decref(map);
    api_put(&bed, "/v1/agent/service/deregister/gw", NULL);
    until_text("/v1/internal/federation-states", "0.MeshGateways.0.Service.ID",
               "(none)");
}
END_TEST

static struct api_answer put_gateways(const char *path, unsigned count)
{
    struct base_buf body = BASE_BUF_INIT;
    struct api_answer answer;
    char *text;
    unsigned i;

    base_buf_printf(&body, "{\"Gateways\":[");
    for (i = 0; i < count; i++)
        base_buf_printf(&body, "%s\"10.9.%u.%u\"", i > 0 ? "," : "", i / 250,
                        i % 250 + 1);
    base_buf_printf(&body, "]}");
    text = base_buf_take_string(&body);
    answer = api_call(&bed, "PUT", path, text);
    base_free(text);
    return answer;
}

/* A datacenter without servers of ours: its record is an operator's. */
START_TEST(an_operators_federation_state)
{
    static const char path[] = "/v1/internal/federation-state/dc9";
    static const struct {
        const char *path, *body, *says;
    } refused[] = {
        {path, "{}", "Gateways: at least one WAN address"},
        {path, "{\"Gateways\":[\"nowhere\"]}",
         "Gateways: \"nowhere\" is no IP[:PORT]"},
        {path, "{\"Gateways\":[\"0.0.0.0:1\"]}",
         "Gateways: \"0.0.0.0:1\" is no IP[:PORT]"},
        {"/v1/internal/federation-state/-dc9",
         "{\"Gateways\":[\"203.0.113.7\"]}", "a datacenter's name is 1 to 63"},
        {"/v1/internal/federation-state/"
         "a123456789a123456789a123456789a123456789a123456789a123456789abcd",
         "{\"Gateways\":[\"203.0.113.7\"]}", "a datacenter's name is 1 to 63"},
        {"/v1/internal/federation-state/",
         "{\"Gateways\":[\"203.0.113.7\"]}", "datacenter name"},
        {"/v1/internal/federation-state/dc1",
         "{\"Gateways\":[\"203.0.113.7\"]}", "has servers of its own"},
    };
    struct api_answer answer;
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(refused); i++) {
        answer = api_call(&bed, "PUT", refused[i].path, refused[i].body);
        ck_assert_int_eq(answer.status, 400);
        ck_assert_msg(strstr(answer.body, refused[i].says), "%s", answer.body);
        api_answer_close(&answer);
    }
    answer = put_gateways(path, 5000);
    ck_assert_int_eq(answer.status, 400);
    ck_assert_ptr_nonnull(strstr(answer.body, "more than 1,024"));
    api_answer_close(&answer);
    answer = put_gateways(path, 1024);
    ck_assert_int_eq(answer.status, 200);
    api_answer_close(&answer);
    api_put(&bed, path,
            "{\"Gateways\":[\"203.0.113.7\",\"[2001:db8::7]:443\"]}");
    assert_text(path, "MeshGateways.0.Service.Address", "203.0.113.7");
    assert_text(path, "MeshGateways.1.Service.ID", "mesh-gateway-443");
    assert_text("/v1/internal/federation-status", "Datacenters.0.Path", "own");
    assert_text("/v1/internal/federation-status", "Datacenters.1.Name", "dc9");
    answer = api_call(&bed, "DELETE", path, NULL);
    ck_assert_int_eq(answer.status, 200);
    api_answer_close(&answer);
    answer = api_call(&bed, "GET", path, NULL);
    ck_assert_int_eq(answer.status, 404);
    api_answer_close(&answer);
}
END_TEST

/* ---- headers and forms ---------------------------------------------------- */

START_TEST(reads_tell_their_index)
{
    static const char *const urls[] = {
        "/v1/catalog/nodes", "/v1/catalog/nodes?stale",
        "/v1/catalog/nodes?consistent", "/v1/internal/federation-states",
        "/v1/health/service/none"};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(urls); i++) {
        struct api_answer answer = api_call(&bed, "GET", urls[i], NULL);

        ck_assert_int_eq(answer.status, 200);
        ck_assert_int_ge(atoi(api_header(&answer, "X-Consul-Index")), 1);
        ck_assert_str_eq(api_header(&answer, "X-Consul-KnownLeader"), "true");
        ck_assert_str_eq(api_header(&answer, "X-Consul-LastContact"), "0");
        api_answer_close(&answer);
    }
}
END_TEST

START_TEST(pretty_is_indented)
{
    struct api_answer plain = api_call(&bed, "GET", "/v1/status/peers", NULL);
    struct api_answer pretty =
        api_call(&bed, "GET", "/v1/status/peers?pretty", NULL);

    ck_assert_ptr_null(strchr(plain.body, '\n'));
    ck_assert(strncmp(pretty.body, "[\n    \"127", 10) == 0);
    ck_assert_int_eq(pretty.body[strlen(pretty.body) - 1], '\n');
    api_answer_close(&plain);
    api_answer_close(&pretty);
}
END_TEST

START_TEST(a_head_has_no_body)
{
    int fd = api_connect(&bed);
    char byte;

    api_send(fd, "HEAD /v1/status/leader HTTP/1.1\r\nConnection: close\r\n\r\n");
    {
        struct api_answer answer;

        ck_assert(api_read(fd, &answer));
        ck_assert_int_eq(answer.status, 405);
        ck_assert_str_eq(api_header(&answer, "Allow"), "GET");
        api_answer_close(&answer);
    }
    ck_assert_int_eq(recv(fd, &byte, 1, 0), 0);
    close(fd);
}
END_TEST

/* ---- asking wrongly ------------------------------------------------------- */

#define REGISTER "/v1/agent/service/register"

static const struct {
    const char *method, *path, *body;
    int status;
    const char *said;
} wrong[] = {
    {"GET", "/", NULL, 404, "no such path"},
    {"GET", "/v1/nope", NULL, 404, "no such path"},
    {"GET", "/v1/agent/members/", NULL, 404, "no such path"},
    {"PUT", "/v1/status/leader", NULL, 405, "GET"},
    {"PUT", "/v1/catalog/nodes", "{}", 405, "GET"},
    {"GET", REGISTER, NULL, 405, "PUT"},
    {"DELETE", "/v1/agent/leave", NULL, 405, "PUT"},
    {"BREW", "/v1/agent/self", NULL, 405, "GET"},
    {"GET", "/v1/catalog/nodes?index=x", NULL, 400, "index"},
    {"GET", "/v1/catalog/nodes?wait=10", NULL, 400, "wait"},
    {"GET", "/v1/catalog/nodes?stale&consistent", NULL, 400, "exclude"},
    {"GET", "/v1/agent/self?pretty=maybe", NULL, 400, "pretty"},
    {"GET", "/v1/agent/members?wan=perhaps", NULL, 400, "wan"},
    {"GET", "/v1/health/service/web?passing=9", NULL, 400, "passing"},
    {"GET", "/v1/agent/metrics?format=xml", NULL, 400, "prometheus"},
    {"GET", "/v1/catalog/nodes?a=%zz", NULL, 400, "escape"},
    {"GET", "/v1/catalog/node/%f", NULL, 400, "escape"},
    {"GET", "/v1/catalog/node/a%00b", NULL, 400, "escape"},
    {"GET", "/v1/catalog/node/", NULL, 400, "node name"},
    {"GET", "/v1/catalog/service", NULL, 400, "service name"},
    {"GET", "/v1/health/service/", NULL, 400, "service name"},
    {"GET", "/v1/health/node/", NULL, 400, "node name"},
    {"GET", "/v1/internal/federation-state/", NULL, 400, "datacenter"},
    {"GET", "/v1/internal/federation-state/dc9", NULL, 404, "dc9"},
    {"GET", "/v1/status/leader?token=a%20b", NULL, 400, "token"},
    {"PUT", REGISTER, NULL, 400, "empty"},
    {"PUT", REGISTER, "{\n \"Name\": }", 400, "line 2, column 10"},
    {"PUT", REGISTER, "[]", 400, "object"},
    {"PUT", REGISTER, "{\"Port\":1}", 400, "Missing service name"},
    {"PUT", REGISTER, "{\"Name\":\"w\",\"Port\":\"1\"}", 400, "Port"},
    {"PUT", REGISTER, "{\"Name\":\"consul\"}", 400, "reserved"},
    {"PUT", REGISTER, "{\"Name\":\"w\",\"Check\":{\"HTTP\":\"u\"}}", 400,
     "Check.HTTP"},
    {"PUT", "/v1/agent/service/deregister/none", NULL, 404, "none"},
    {"PUT", "/v1/agent/service/deregister/", NULL, 400, "service id"},
    {"PUT", "/v1/agent/check/pass/none", NULL, 404, "none"},
    {"PUT", "/v1/agent/check/warn/none", NULL, 404, "none"},
    {"PUT", "/v1/agent/check/fail/none", NULL, 404, "none"},
    {"PUT", "/v1/agent/check/update/none", "{\"Status\":\"passing\"}", 404,
     "none"},
    {"PUT", "/v1/agent/check/update/none", "{\"Status\":\"good\"}", 400,
     "Status"},
    {"PUT", "/v1/agent/join/a:b:c", NULL, 400, "no address"},
    {"PUT", "/v1/agent/join/127.0.0.1:1", NULL, 500, "127.0.0.1:1"},
    {"PUT", "/v1/agent/join/", NULL, 400, "address"},
    {"PUT", "/v1/agent/force-leave/nobody", NULL, 404, "nobody"},
    {"PUT", "/v1/catalog/register", "{\"Node\":\"n\"}", 400, "address"},
    {"PUT", "/v1/catalog/register",
     "{\"Node\":\"n\",\"Address\":\"a\",\"Service\":{}}", 400,
     "Missing service name"},
    {"PUT", "/v1/catalog/register",
     "{\"Node\":\"n\",\"Address\":\"a\",\"Check\":{\"Status\":\"x\"}}", 400,
     "Check.Status"},
    {"PUT", "/v1/catalog/register",
     "{\"Node\":\"n\",\"Address\":\"a\",\"Check\":{\"Name\":\"c\","
     "\"Node\":\"m\"}}",
     400, "Check.Node"},
    {"PUT", "/v1/catalog/deregister", "{}", 400, "Must provide node"},
};

START_TEST(asked_wrongly)
{
    struct api_answer answer = api_call(&bed, wrong[_i].method, wrong[_i].path,
                                        wrong[_i].body);

    ck_assert_msg(answer.status == wrong[_i].status, "%s %s: %d %s",
                  wrong[_i].method, wrong[_i].path, answer.status,
                  answer.body);
    if (answer.status == 405)
        ck_assert_str_eq(api_header(&answer, "Allow"), wrong[_i].said);
    ck_assert_msg(strstr(answer.body, wrong[_i].said) != NULL, "%s %s: %s",
                  wrong[_i].method, wrong[_i].path, answer.body);
    ck_assert_str_eq(api_header(&answer, "Content-Type"),
                     "text/plain; charset=utf-8");
    api_answer_close(&answer);
}
END_TEST

START_TEST(a_body_over_the_limit)
{
    static const size_t sizes[] = {600000, 3000000};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(sizes); i++) {
        char *body = base_alloc(sizes[i] + 1);
        struct api_answer answer;

        memset(body, ' ', sizes[i]);
        body[sizes[i]] = '\0';
        answer = api_call(&bed, "PUT", REGISTER, body);
        ck_assert_int_eq(answer.status, 413);
        api_answer_close(&answer);
        base_free(body);
    }
}
END_TEST

/* ---- cases with an agent of their own ------------------------------------- */

/* Both take the 7 s for which a call is held, at the same time. */
START_TEST(no_leader_and_no_path)
{
    struct api_bed own = {.expect = 3};
    struct api_answer answer;
    int leader, path;

    api_bed_start(&own);
    leader = api_connect(&own);
    path = api_connect(&own);
    api_send(leader, "GET /v1/catalog/nodes HTTP/1.1\r\n\r\n");
    api_send(path, "GET /v1/catalog/nodes?dc=dc9 HTTP/1.1\r\n\r\n");
    answer = api_call(&own, "GET", "/v1/catalog/nodes?stale", NULL);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_str_eq(answer.body, "[]");
    ck_assert_str_eq(api_header(&answer, "X-Consul-KnownLeader"), "false");
    api_answer_close(&answer);
    answer = api_call(&own, "GET", "/v1/status/leader", NULL);
    ck_assert_str_eq(answer.body, "\"\"");
    api_answer_close(&answer);
    ck_assert(api_read(leader, &answer));
    ck_assert_int_eq(answer.status, 500);
    ck_assert_str_eq(answer.body, "No cluster leader");
    api_answer_close(&answer);
    ck_assert(api_read(path, &answer));
    ck_assert_int_eq(answer.status, 500);
    ck_assert_str_eq(answer.body, "No path to datacenter");
    api_answer_close(&answer);
    close(leader);
    close(path);
    api_bed_close(&own);
}
END_TEST

START_TEST(leaving_ends_the_agent)
{
    struct api_bed own = {0};
    char body[8];
    int fd;

    api_bed_start(&own);
    fd = api_connect(&own);
    api_send(fd, "GET /v1/catalog/nodes?index=1000 HTTP/1.1\r\n\r\n");
    api_put(&own, "/v1/agent/leave", NULL);
    ck_assert_int_eq(api_bed_wait(&own), 0);
    /* Who waits is not left hanging. */
    ck_assert_int_le(recv(fd, body, sizeof(body), 0), 0);
    close(fd);
    api_bed_close(&own);
}
END_TEST

Suite *http_api_suite(void);
Suite *http_api_suite(void)
{
    Suite *suite = suite_create("http: the API of an agent");
    TCase *tcase = tcase_create("one agent");
    TCase *own = tcase_create("an agent each");

    tcase_add_unchecked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, leader_and_peers);
    tcase_add_test(tcase, who_it_is);
    tcase_add_test(tcase, members_of_both_pools);
    tcase_add_test(tcase, metrics);
    tcase_add_test(tcase, reload);
    tcase_add_test(tcase, services_are_listed_once_with_all_tags);
    tcase_add_test(tcase, a_service_from_birth_to_death);
    tcase_add_test(tcase, a_ttl_that_runs_out);
    tcase_add_test(tcase, the_catalog_by_hand);
    tcase_add_test(tcase, datacenters);
    tcase_add_test(tcase, federation_states);
    tcase_add_test(tcase, an_operators_federation_state);
    tcase_add_test(tcase, reads_tell_their_index);
    tcase_add_test(tcase, pretty_is_indented);
    tcase_add_test(tcase, a_head_has_no_body);
    tcase_add_loop_test(tcase, asked_wrongly, 0, BASE_COUNT_OF(wrong));
    tcase_add_test(tcase, a_body_over_the_limit);
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(own, 60);
    tcase_add_test(own, services_outlive_a_restart);
    tcase_add_test(own, no_leader_and_no_path);
    tcase_add_test(own, leaving_ends_the_agent);
    suite_add_tcase(suite, own);
    return suite;
}
