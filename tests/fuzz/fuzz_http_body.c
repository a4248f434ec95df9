/*
 * Bodies of the HTTP API: services and checks as agents and catalogs take them.
 * Property: a service or check that is taken is written as JSON, and read again
 * as the same record.
 * needs: daemon wanfed gossip raft rpc fedstate base
 * covers: daemon/http/json_read.c
 * covers: daemon/http/service_form.c
 * covers: daemon/http/check_form.c
 * covers: daemon/http/duration.c
 * covers: daemon/agent/check_spec.c
 */
#include "fuzz.h"

#include "base/alloc.h"
#include "base/pb.h"
#include "http/check_form.h"
#include "http/json_model.h"
#include "http/service_form.h"

static void same(const void *a, const void *b)
{
    struct base_buf x = BASE_BUF_INIT, y = BASE_BUF_INIT;

    base_pb_pack(a, &x);
    base_pb_pack(b, &y);
    FUZZ_REQUIRE(base_buf_len(&x) == base_buf_len(&y));
    FUZZ_REQUIRE(memcmp(base_buf_data(&x), base_buf_data(&y),
                        base_buf_len(&x)) == 0);
    base_buf_close(&x);
    base_buf_close(&y);
}

static void service_again(const Fedstate__Service *service)
{
    struct json_reader reader = {0};
    json_t *json = json_from_service(service);
    Fedstate__Service *again = service_from_json(&reader, json, "");

    FUZZ_REQUIRE(reader.why == NULL);
    same(service, again);
    json_reader_close(&reader);
    json_decref(json);
}

static void check_again(const Fedstate__Check *check)
{
    struct json_reader reader = {0};
    json_t *json = json_from_check(check, NULL);
    Fedstate__Check *again = check_from_json(&reader, json, "");

    FUZZ_REQUIRE(reader.why == NULL);
    same(check, again);
    json_reader_close(&reader);
    json_decref(json);
}

/* What an agent accepts, it can run. */
static void runs(const struct check_spec *spec)
{
    struct check_spec copy;
    struct check_url url;

    FUZZ_REQUIRE(*check_spec_kind(spec) != '\0');
    FUZZ_REQUIRE(*spec->http == '\0' || check_url_parse(spec->http, &url));
    FUZZ_REQUIRE(strstr(spec->headers, "\r\n\r\n") == NULL);
    check_spec_copy(&copy, spec);
    check_spec_close(&copy);
}

static void agents_service(struct json_reader *reader, const json_t *json)
{
    struct service_form form;
    size_t i;

    if (!service_form_read(reader, json, &form))
        return;
    service_again(form.service);
    for (i = 0; i < form.check_count; i++) {
        check_again(form.checks[i]);
        runs(&form.specs[i]);
    }
}

static void agents_check(struct json_reader *reader, const json_t *json)
{
    struct check_spec spec;
    const Fedstate__Check *check = check_form_read(reader, json, &spec);

    if (reader->why)
        return;
    check_again(check);
    runs(&spec);
}

static void catalogs_service(struct json_reader *reader, const json_t *json)
{
    const Fedstate__Service *service = service_from_json(reader, json, "");

    if (reader->why == NULL)
        service_again(service);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const forms[])(struct json_reader *, const json_t *) = {
        agents_service, agents_check, catalogs_service};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(forms); i++) {
        struct json_reader reader = {0};
        json_t *json = json_read_body(&reader, data, len);

        FUZZ_REQUIRE(json != NULL || reader.why != NULL);
        if (json)
            forms[i](&reader, json);
        json_decref(json);
        json_reader_close(&reader);
    }
    return 0;
}
