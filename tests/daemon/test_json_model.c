/* Records as JSON and back, and what is said of JSON that does not fit. */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/pb.h"
#include "http/json_model.h"
#include "http/json_put.h"
#include "http/service_form.h"
#include "suite.h"

#define REPLACED "\xef\xbf\xbd"

/* ---- text from anywhere --------------------------------------------------- */

static const struct {
    const char *in, *out;
} texts[] = {
    {"plain", "plain"},
    {"", ""},
    {"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"a\xff" "b", "a" REPLACED "b"},
    {"\xc0\xaf", REPLACED REPLACED},             /* overlong */
    {"\xed\xa0\x80", REPLACED REPLACED REPLACED}, /* a surrogate */
    {"\xe2\x82", REPLACED REPLACED},             /* cut off */
    {"\xf4\x90\x80\x80", REPLACED REPLACED REPLACED REPLACED},
};

START_TEST(no_byte_breaks_an_answer)
{
    json_t *object = json_object();

    json_put_text(object, texts[_i].in, texts[_i].in);
    ck_assert_uint_eq(json_object_size(object), 1);
    ck_assert_str_eq(
        json_string_value(json_object_get(object, texts[_i].out)),
        texts[_i].out);
    json_decref(object);
}
END_TEST

static const struct {
    int64_t wall_ns;
    const char *text;
} times[] = {
    {0, "1970-01-01T00:00:00Z"},
    {1767225600123456789, "2026-01-01T00:00:00.123456789Z"},
    {1767225600120000000, "2026-01-01T00:00:00.12Z"},
    {-1, "1969-12-31T23:59:59.999999999Z"},
};

START_TEST(times_are_rfc_3339)
{
    json_t *time = json_from_time(times[_i].wall_ns);

    ck_assert_str_eq(json_string_value(time), times[_i].text);
    json_decref(time);
}
END_TEST

/* ---- records -------------------------------------------------------------- */

/* A gateway with everything that a record can have. */
struct sample {
    Fedstate__Node node;
    Fedstate__Service service;
    Fedstate__Check check, *checks[1];
    Fedstate__Pair lan, *node_tagged[1], meta, *metas[1];
    Fedstate__ServiceAddress address;
    Fedstate__TaggedAddress wan, *tagged[1];
    char *tags[2];
    Fedstate__CheckServiceNode instance, *instances[1];
    Fedstate__FederationState state;
};

#define T(text) ((char *)(uintptr_t)(text))

static void sample_init(struct sample *sample)
{
    fedstate__node__init(&sample->node);
    fedstate__service__init(&sample->service);
    fedstate__check__init(&sample->check);
    fedstate__pair__init(&sample->lan);
    fedstate__pair__init(&sample->meta);
    fedstate__service_address__init(&sample->address);
    fedstate__tagged_address__init(&sample->wan);
    fedstate__check_service_node__init(&sample->instance);
    fedstate__federation_state__init(&sample->state);
    sample->lan.key = T("lan");
    sample->lan.value = T("10.0.0.1");
    sample->node_tagged[0] = &sample->lan;
    sample->node.id = T("uuid");
    sample->node.node = T("n1");
    sample->node.address = T("10.0.0.1");
    sample->node.datacenter = T("dc2");
    sample->node.tagged_addresses = sample->node_tagged;
    sample->node.n_tagged_addresses = 1;
    sample->node.create_index = 5;
    sample->node.modify_index = 6;
    sample->meta.key = T("consul-wan-federation");
    sample->meta.value = T("1");
    sample->metas[0] = &sample->meta;
    sample->address.address = T("203.0.113.1");
    sample->address.port = 8443;
    sample->wan.tag = T("wan");
    sample->wan.address = &sample->address;
    sample->tagged[0] = &sample->wan;
    sample->tags[0] = T("a");
    sample->tags[1] = T("b");
    sample->service.kind = T("mesh-gateway");
    sample->service.id = T("gw-1");
    sample->service.service = T("gw");
    sample->service.tags = sample->tags;
    sample->service.n_tags = 2;
    sample->service.address = T("10.0.0.9");
    sample->service.port = 443;
    sample->service.tagged_addresses = sample->tagged;
    sample->service.n_tagged_addresses = 1;
    sample->service.meta = sample->metas;
    sample->service.n_meta = 1;
    sample->check.node = T("n1");
    sample->check.check_id = T("service:gw-1");
    sample->check.name = T("alive");
    sample->check.status = T("warning");
    sample->check.notes = T("note");
    sample->check.output = T("out");
    sample->check.service_id = T("gw-1");
    sample->check.service_name = T("gw");
    sample->check.type = T("ttl");
    sample->checks[0] = &sample->check;
    sample->instance.node = &sample->node;
    sample->instance.service = &sample->service;
    sample->instance.checks = sample->checks;
    sample->instance.n_checks = 1;
    sample->instances[0] = &sample->instance;
    sample->state.datacenter = T("dc2");
    sample->state.mesh_gateways = sample->instances;
    sample->state.n_mesh_gateways = 1;
    sample->state.updated_at_ns = 1767225600000000000;
    sample->state.primary_modify_index = 9;
    sample->state.create_index = 3;
    sample->state.modify_index = 4;
}

static const char expected_state[] =
    "{\"Datacenter\":\"dc2\",\"MeshGateways\":[{"
    "\"Node\":{\"ID\":\"uuid\",\"Node\":\"n1\",\"Address\":\"10.0.0.1\","
    "\"Datacenter\":\"dc2\",\"TaggedAddresses\":{\"lan\":\"10.0.0.1\"},"
    "\"Meta\":{},\"CreateIndex\":5,\"ModifyIndex\":6},"
    "\"Service\":{\"Kind\":\"mesh-gateway\",\"ID\":\"gw-1\","
    "\"Service\":\"gw\",\"Tags\":[\"a\",\"b\"],\"Address\":\"10.0.0.9\","
    "\"TaggedAddresses\":{\"wan\":{\"Address\":\"203.0.113.1\","
    "\"Port\":8443}},\"Meta\":{\"consul-wan-federation\":\"1\"},"
    "\"Port\":443,\"Weights\":{\"Passing\":1,\"Warning\":1},"
    "\"EnableTagOverride\":false,\"CreateIndex\":0,\"ModifyIndex\":0},"
    "\"Checks\":[{\"Node\":\"n1\",\"CheckID\":\"service:gw-1\","
    "\"Name\":\"alive\",\"Status\":\"warning\",\"Notes\":\"note\","
    "\"Output\":\"out\",\"ServiceID\":\"gw-1\",\"ServiceName\":\"gw\","
    "\"ServiceTags\":[\"a\",\"b\"],\"Type\":\"ttl\",\"Definition\":{},"
    "\"CreateIndex\":0,\"ModifyIndex\":0}]}],"
    "\"UpdatedAt\":\"2026-01-01T00:00:00Z\",\"PrimaryModifyIndex\":9,"
    "\"CreateIndex\":3,\"ModifyIndex\":4}";

START_TEST(a_state_has_consul_s_names)
{
    struct sample sample;
    json_t *json;
    char *text;

    sample_init(&sample);
    json = json_from_state(&sample.state);
    text = json_dumps(json, JSON_COMPACT);
    ck_assert_str_eq(text, expected_state);
    free(text);
    json_decref(json);
}
END_TEST

START_TEST(a_row_of_the_catalog_is_flat)
{
    struct sample sample;
    json_t *row;

    sample_init(&sample);
    row = json_from_catalog_row(&sample.instance);
    ck_assert_str_eq(json_string_value(json_object_get(row, "Node")), "n1");
    ck_assert_str_eq(json_string_value(json_object_get(row, "ServiceID")),
                     "gw-1");
    ck_assert_int_eq(json_integer_value(json_object_get(row, "ServicePort")),
                     443);
    ck_assert_ptr_nonnull(json_object_get(
        json_object_get(row, "ServiceTaggedAddresses"), "wan"));
    json_decref(row);
}
END_TEST

/* A peer may leave out parts that ours never would. */
START_TEST(missing_parts_are_null_or_empty)
{
    Fedstate__CheckServiceNode bare = FEDSTATE__CHECK_SERVICE_NODE__INIT;
    Fedstate__TaggedAddress tag = FEDSTATE__TAGGED_ADDRESS__INIT;
    Fedstate__TaggedAddress *tags[] = {&tag};
    json_t *json = json_from_instance(&bare);

    ck_assert(json_is_null(json_object_get(json, "Node")));
    ck_assert(json_is_null(json_object_get(json, "Service")));
    ck_assert_uint_eq(json_array_size(json_object_get(json, "Checks")), 0);
    json_decref(json);
    json = json_from_catalog_row(&bare);
    ck_assert_str_eq(json_string_value(json_object_get(json, "Node")), "");
    json_decref(json);
    json = json_from_tagged(tags, 1);
    ck_assert_uint_eq(json_object_size(json), 1);
    json_decref(json);
}
END_TEST

static void assert_same(const void *a, const void *b)
{
    struct base_buf x = BASE_BUF_INIT, y = BASE_BUF_INIT;

    base_pb_pack(a, &x);
    base_pb_pack(b, &y);
    ck_assert_uint_eq(base_buf_len(&x), base_buf_len(&y));
    ck_assert_mem_eq(base_buf_data(&x), base_buf_data(&y), base_buf_len(&x));
    base_buf_close(&x);
    base_buf_close(&y);
}

START_TEST(services_and_checks_come_back_equal)
{
    struct json_reader reader = {0};
    struct sample sample;
    json_t *json;

    sample_init(&sample);
    json = json_from_service(&sample.service);
    assert_same(service_from_json(&reader, json, ""), &sample.service);
    json_decref(json);
    json = json_from_check(&sample.check, NULL);
    assert_same(check_from_json(&reader, json, ""), &sample.check);
    ck_assert_ptr_null(reader.why);
    json_reader_close(&reader);
    json_decref(json);
}
END_TEST

/* ---- what clients send ---------------------------------------------------- */

static json_t *read_form(struct json_reader *reader, const char *text,
                         struct service_form *form)
{
    json_t *json = json_read_body(reader, text, strlen(text));

    if (json)
        service_form_read(reader, json, form);
    return json;
}

START_TEST(the_agent_s_form)
{
    struct json_reader reader = {0};
    struct service_form form;
    json_t *json = read_form(
        &reader,
        "{\"Name\":\"web\",\"ID\":\"web-1\",\"kind\":\"mesh-gateway\","
        "\"TAGS\":[\"x\"],\"Port\":80,\"Address\":\"10.1.1.1\","
        "\"tagged_addresses\":{\"wan\":{\"address\":\"9.9.9.9\",\"port\":1}},"
        "\"Meta\":{\"k\":\"v\"},\"EnableTagOverride\":false,\"Unknown\":[1],"
        "\"Checks\":[{\"TTL\":\"10s\"},{\"Name\":\"n\",\"CheckID\":\"c\","
        "\"TTL\":\"1m\",\"Status\":\"passing\",\"Notes\":\"hm\"}],"
        "\"Check\":{\"ttl\":\"500ms\"}}",
        &form);

    ck_assert_msg(reader.why == NULL, "%s", reader.why);
    ck_assert_str_eq(form.service->service, "web");
    ck_assert_str_eq(form.service->id, "web-1");
    ck_assert_str_eq(form.service->kind, "mesh-gateway");
    ck_assert_str_eq(form.service->tags[0], "x");
    ck_assert_uint_eq(form.service->tagged_addresses[0]->address->port, 1);
    ck_assert_str_eq(form.service->meta[0]->value, "v");
    ck_assert_uint_eq(form.check_count, 3);
    ck_assert_str_eq(form.checks[0]->check_id, "service:web-1:1");
    ck_assert_str_eq(form.checks[0]->status, "critical");
    ck_assert_str_ne(form.checks[0]->name, "");
    ck_assert_str_eq(form.checks[1]->check_id, "c");
    ck_assert_str_eq(form.checks[1]->name, "n");
    ck_assert_str_eq(form.checks[1]->notes, "hm");
    ck_assert_str_eq(form.checks[1]->status, "passing");
    ck_assert_str_eq(form.checks[2]->check_id, "service:web-1:3");
    ck_assert_uint_eq(form.specs[0].ttl_ms, 10000);
    ck_assert_uint_eq(form.specs[1].ttl_ms, 60000);
    ck_assert_uint_eq(form.specs[2].ttl_ms, 500);
    ck_assert_str_eq(form.checks[2]->service_name, "web");
    json_reader_close(&reader);
    json_decref(json);
}
END_TEST

START_TEST(the_smallest_form)
{
    struct json_reader reader = {0};
    struct service_form form;
    json_t *json = read_form(
        &reader, "{\"name\":\"web\",\"Check\":{\"TTL\":\"1s\"},\"Tags\":null}",
        &form);

    ck_assert_msg(reader.why == NULL, "%s", reader.why);
    ck_assert_str_eq(form.service->id, "web");
    ck_assert_uint_eq(form.check_count, 1);
    ck_assert_str_eq(form.checks[0]->check_id, "service:web");
    json_reader_close(&reader);
    json_decref(json);
}
END_TEST

static const struct {
    const char *body;
    const char *said;
} complaints[] = {
    {"", "empty"},
    {"{", "line 1, column 1"},
    {"{\n\"Name\":\n}", "line 3, column 1"},
    {"[]", "object"},
    {"{}", "Missing service name"},
    {"{\"Name\":7}", "Name: wanted a string"},
    {"{\"Name\":\"w\",\"Port\":\"80\"}", "Port: wanted a whole number"},
    {"{\"Name\":\"w\",\"Port\":65536}", "Port"},
    {"{\"Name\":\"w\",\"Port\":-1}", "Port"},
    {"{\"Name\":\"w\",\"Port\":1.5}", "Port"},
    {"{\"Name\":\"w\",\"Tags\":\"a\"}", "Tags: wanted a list"},
    {"{\"Name\":\"w\",\"Tags\":[1]}", "Tags[0]: wanted a string"},
    {"{\"Name\":\"w\",\"Meta\":[]}", "Meta: wanted an object"},
    {"{\"Name\":\"w\",\"Meta\":{\"k\":1}}", "Meta.k: wanted a string"},
    {"{\"Name\":\"w\",\"TaggedAddresses\":{\"lan\":\"x\"}}",
     "TaggedAddresses.lan: wanted an object"},
    {"{\"Name\":\"w\",\"TaggedAddresses\":{\"lan\":{\"Port\":70000}}}",
     "TaggedAddresses.lan.Port"},
    {"{\"Name\":\"w\",\"Kind\":\"connect-proxy\"}", "Kind"},
    {"{\"Name\":\"w\",\"Kind\":\"mesh-gateway\"}", "Port"},
    {"{\"Name\":\"w\",\"Check\":[]}", "Check: wanted an object"},
    {"{\"Name\":\"w\",\"Check\":{}}", "Check.TTL"},
    {"{\"Name\":\"w\",\"Check\":{\"TTL\":\"soon\"}}", "Check.TTL"},
    {"{\"Name\":\"w\",\"Check\":{\"TTL\":\"0s\"}}", "Check.TTL"},
    {"{\"Name\":\"w\",\"Check\":{\"TTL\":\"1s\",\"Status\":\"fine\"}}",
     "Check.Status"},
    {"{\"Name\":\"w\",\"Check\":{\"Args\":[\"a\"],\"Interval\":\"1s\"}}",
     "Check.Args: this agent runs TTL, TCP and HTTP checks only"},
    {"{\"Name\":\"w\",\"Check\":{\"TCP\":\"h:1\"}}", "Check.Interval"},
    {"{\"Name\":\"w\",\"Check\":{\"TCP\":\"h\",\"Interval\":\"1s\"}}",
     "Check.TCP: \"h\" is not host:port"},
    {"{\"Name\":\"w\",\"Check\":{\"HTTP\":\"ftp://h\",\"Interval\":\"1s\"}}",
     "Check.HTTP"},
    {"{\"Name\":\"w\",\"Check\":{\"HTTP\":\"http://h/a b\","
     "\"Interval\":\"1s\"}}",
     "Check.HTTP"},
    {"{\"Name\":\"w\",\"Check\":{\"HTTP\":\"http://h\",\"TTL\":\"1s\","
     "\"Interval\":\"1s\"}}",
     "a check needs one of TTL, TCP and HTTP"},
    {"{\"Name\":\"w\",\"Check\":{\"HTTP\":\"http://h\",\"Interval\":\"1s\","
     "\"Header\":{\"A\":[\"b\\r\\nC: d\"]}}}",
     "Check.Header"},
    {"{\"Name\":\"w\",\"Check\":{\"HTTP\":\"http://h\",\"Interval\":\"1s\","
     "\"Method\":\"GET /\"}}",
     "Check.Method"},
    {"{\"Name\":\"w\",\"Checks\":[{\"TTL\":\"1s\"},{\"TTL\":\"\"}]}",
     "Checks[1].TTL"},
    {"{\"Name\":\"a\\u0000b\"}", "line 1"},
    {"{\"Name\":\"\xff\"}", "line 1"},
};

START_TEST(complaints_name_the_place)
{
    struct json_reader reader = {0};
    struct service_form form;
    json_t *json = read_form(&reader, complaints[_i].body, &form);

    ck_assert_msg(reader.why != NULL, "%s", complaints[_i].body);
    ck_assert_msg(strstr(reader.why, complaints[_i].said) != NULL, "%s: %s",
                  complaints[_i].body, reader.why);
    json_reader_close(&reader);
    json_decref(json);
}
END_TEST

/* Depth is bounded by the parser, not by our stack. */
START_TEST(deep_nesting_is_refused)
{
    struct json_reader reader = {0};
    char *text = base_alloc(100001);
    json_t *json;

    memset(text, '[', 100000);
    text[100000] = '\0';
    json = json_read_body(&reader, text, 100000);
    ck_assert_ptr_null(json);
    ck_assert_ptr_nonnull(reader.why);
    json_reader_close(&reader);
    base_free(text);
}
END_TEST

Suite *json_model_suite(void);
Suite *json_model_suite(void)
{
    Suite *suite = suite_create("http: records as JSON");
    TCase *tcase = tcase_create("all");

    tcase_add_loop_test(tcase, no_byte_breaks_an_answer, 0,
                        BASE_COUNT_OF(texts));
    tcase_add_loop_test(tcase, times_are_rfc_3339, 0, BASE_COUNT_OF(times));
    tcase_add_test(tcase, a_state_has_consul_s_names);
    tcase_add_test(tcase, a_row_of_the_catalog_is_flat);
    tcase_add_test(tcase, missing_parts_are_null_or_empty);
    tcase_add_test(tcase, services_and_checks_come_back_equal);
    tcase_add_test(tcase, the_agent_s_form);
    tcase_add_test(tcase, the_smallest_form);
    tcase_add_loop_test(tcase, complaints_name_the_place, 0,
                        BASE_COUNT_OF(complaints));
    tcase_add_test(tcase, deep_nesting_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
