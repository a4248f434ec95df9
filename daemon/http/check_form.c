#include "http/check_form.h"

#include <string.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "http/duration.h"
#include "http/service_form.h"

#define HEADER_BYTES_MAX 4096u

static const char *const other_kinds[] = {
    "H2PING",     "UDP",    "GRPC",      "Args",      "ScriptArgs",
    "Script",     "Shell",  "AliasNode", "OSService", "AliasService",
    "DockerContainerID"};

static uint32_t read_duration(struct json_reader *reader, const json_t *json,
                              const char *where, const char *name)
{
    const char *text = json_read_text(reader, json, where, name);
    uint64_t ms = 0;

    if (*text != '\0' &&
        (duration_parse_ms(text, &ms) != 0 || ms > UINT32_MAX))
        json_reader_fail(reader, "%s%s: \"%.64s\" is no duration such as "
                                 "\"30s\"",
                         where, name, text);
    return (uint32_t)ms;
}

/* ---- the parts of HTTP ---------------------------------------------------- */

static bool is_line(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            return false;
    return true;
}

static bool is_word(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789-_") == strlen(text);
}

static void add_header(struct json_reader *reader, const char *where,
                       const char *name, const json_t *value,
                       struct base_buf *lines)
{
    const char *text = json_string_value(value);

    if (*name == '\0' || !is_word(name) || text == NULL || !is_line(text))
        json_reader_fail(reader, "%sHeader: wanted names with lists of text",
                         where);
    else
        base_buf_printf(lines, "%s: %s\r\n", name, text);
}

/* {"Name": ["value", ...], ...} as lines. */
static char *read_headers(struct json_reader *reader, const json_t *json,
                          const char *where)
{
    json_t *map = json_read_object(reader, json, where, "Header"), *list;
    struct base_buf lines = BASE_BUF_INIT;
    const char *name;
    char *out;
    size_t i;

    json_object_foreach(map, name, list)
    {
        if (!json_is_array(list))
            add_header(reader, where, name, list, &lines);
        for (i = 0; i < json_array_size(list); i++)
            add_header(reader, where, name, json_array_get(list, i), &lines);
    }
    if (base_buf_len(&lines) > HEADER_BYTES_MAX) {
        json_reader_fail(reader, "%sHeader: over the limit of %u bytes", where,
                         HEADER_BYTES_MAX);
        base_buf_consume(&lines, base_buf_len(&lines));
    }
    out = json_reader_alloc(reader, base_buf_len(&lines) + 1, 1);
    if (base_buf_len(&lines) > 0)
        memcpy(out, base_buf_data(&lines), base_buf_len(&lines));
    base_buf_close(&lines);
    return out;
}

/* ---- the whole ------------------------------------------------------------ */

static void refuse_other_kinds(struct json_reader *reader, const json_t *json,
                               const char *where)
{
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(other_kinds); i++) {
        const json_t *value = json_field(json, other_kinds[i]);

        if (value && (!json_is_string(value) ||
                      *json_string_value(value) != '\0'))
            json_reader_fail(reader, "%s%s: this agent runs TTL, TCP and HTTP "
                                     "checks only",
                             where, other_kinds[i]);
    }
}

static void check_kinds(struct json_reader *reader, const char *where,
                        const struct check_spec *spec)
{
    int kinds = (spec->ttl_ms > 0) + (*spec->tcp != '\0') +
                (*spec->http != '\0');
    struct base_target target;
    struct check_url url;

    if (kinds != 1)
        json_reader_fail(reader, "%sTTL: a check needs one of TTL, TCP and "
                                 "HTTP",
                         where);
    if (*spec->tcp != '\0' && (base_target_parse(&target, spec->tcp, 0) != 0 ||
                               target.port == 0 || *target.name != '\0'))
        json_reader_fail(reader, "%sTCP: \"%.64s\" is not host:port", where,
                         spec->tcp);
    if (*spec->http != '\0' && !check_url_parse(spec->http, &url))
        json_reader_fail(reader, "%sHTTP: \"%.64s\" is no http:// or https:// "
                                 "URL",
                         where, spec->http);
    if (!is_word(spec->method))
        json_reader_fail(reader, "%sMethod: \"%.64s\" is no method", where,
                         spec->method);
    if (kinds == 1 && spec->ttl_ms == 0 && spec->interval_ms == 0)
        json_reader_fail(reader, "%sInterval: must be > 0 for HTTP and TCP "
                                 "checks",
                         where);
}

void check_spec_from_json(struct json_reader *reader, const json_t *json,
                          const char *where, struct check_spec *out)
{
    memset(out, 0, sizeof(*out));
    refuse_other_kinds(reader, json, where);
    out->ttl_ms = read_duration(reader, json, where, "TTL");
    out->tcp = json_read_text(reader, json, where, "TCP");
    out->http = json_read_text(reader, json, where, "HTTP");
    out->method = json_read_text(reader, json, where, "Method");
    out->headers = read_headers(reader, json, where);
    out->skip_verify = json_read_bool(reader, json, where, "TLSSkipVerify");
    out->interval_ms = read_duration(reader, json, where, "Interval");
    out->timeout_ms = read_duration(reader, json, where, "Timeout");
    out->deregister_ms = read_duration(reader, json, where,
                                       "DeregisterCriticalServiceAfter");
    out->passing_after = (uint32_t)json_read_uint(
        reader, json, where, "SuccessBeforePassing", 1000);
    out->critical_after = (uint32_t)json_read_uint(
        reader, json, where, "FailuresBeforeCritical", 1000);
    check_kinds(reader, where, out);
    if (out->interval_ms > 0 && out->interval_ms < CHECK_INTERVAL_MIN_MS)
        out->interval_ms = CHECK_INTERVAL_MIN_MS;
    if (out->deregister_ms > 0 && out->deregister_ms < CHECK_DEREGISTER_MIN_MS)
        out->deregister_ms = CHECK_DEREGISTER_MIN_MS;
}

Fedstate__Check *check_form_read(struct json_reader *reader,
                                 const json_t *json, struct check_spec *spec)
{
    Fedstate__Check *check = check_from_json(reader, json, "");
    char *id = json_read_text(reader, json, "", "ID");

    check_spec_from_json(reader, json, "", spec);
    check->type = (char *)(uintptr_t)check_spec_kind(spec);
    if (json_field(json, "CheckID") == NULL && *id != '\0')
        check->check_id = id;
    if (*check->name == '\0')
        json_reader_fail(reader, "Missing check name");
    return check;
}
