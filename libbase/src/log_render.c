/*
 * A log record as a line, as text for people or JSON for machines. Values come
 * from peers: control characters are escaped, invalid UTF-8 is replaced, long
 * text is cut. So no input forges a second line or drives a terminal.
 */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"

static const char *const level_tags[] = {"[TRACE]", "[DEBUG]", "[INFO] ",
                                         "[WARN] ", "[ERROR]", "[OFF]  "};

/* Bytes of the UTF-8 character at text, 0 if it is not valid (RFC 3629: no
 * overlong forms, no surrogates, nothing past U+10FFFF). text ends with NUL,
 * which is no continuation byte, so no read passes it. */
static size_t utf8_len(const uint8_t *text, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len;
    size_t i;

    if (text[0] < 0x80) {
        *code = text[0];
        return 1;
    }
    len = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4)
        return 0;
    *code = text[0] & (0x7fu >> len);
    for (i = 1; i < len; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (text[i] & 0x3fu);
    }
    if (*code < least[len] || *code > 0x10ffff ||
        (*code >= 0xd800 && *code <= 0xdfff))
        return 0;
    return len;
}

static bool is_control(uint32_t code)
{
    /* C0, DEL and C1, and the two separators that some readers break at. */
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 ||
           code == 0x2029;
}

static void append_text(struct base_buf *out, const char *text)
{
    base_buf_append(out, text, strlen(text));
}

/* The inside of a quoted string. JSON's escapes serve for the text form too. */
static void append_escaped(struct base_buf *out, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    const uint8_t *start = at;
    uint32_t code = 0;

    while (*at != '\0') {
        size_t len = utf8_len(at, &code);

        if ((size_t)(at - start) + len > BASE_LOG_VALUE_BYTES_MAX) {
            append_text(out, "...");
            return;
        }
        if (len == 0)
            append_text(out, "\\ufffd");
        else if (*at == '"' || *at == '\\')
            base_buf_printf(out, "\\%c", *at);
        else if (*at == '\n')
            append_text(out, "\\n");
        else if (*at == '\t')
            append_text(out, "\\t");
        else if (*at == '\r')
            append_text(out, "\\r");
        else if (is_control(code))
            base_buf_printf(out, "\\u%04" PRIx32, code);
        else
            base_buf_append(out, at, len);
        at += len != 0 ? len : 1;
    }
}

static void append_quoted(struct base_buf *out, const char *text)
{
    base_buf_append_u8(out, '"');
    append_escaped(out, text != NULL ? text : "");
    base_buf_append_u8(out, '"');
}

static bool needs_quotes(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;

    if (*at == '\0')
        return true;
    for (; *at != '\0'; at++)
        if (*at <= ' ' || *at >= 0x7f || strchr("\"\\=", *at) != NULL)
            return true;
    return false;
}

static void append_time(struct base_buf *out, int64_t wall_ns)
{
    int64_t ms = wall_ns / 1000000 - (wall_ns % 1000000 < 0);
    int64_t within = ms % 1000 < 0 ? ms % 1000 + 1000 : ms % 1000;
    time_t seconds = (time_t)((ms - within) / 1000);
    struct tm tm;
    char text[32];

    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    base_buf_printf(out, "%s.%03dZ", text, (int)within);
}

/* Numbers and booleans look the same in both forms. */
static bool append_bare(struct base_buf *out, const struct base_kv *pair)
{
    switch (pair->type) {
    case BASE_KV_INT:
        base_buf_printf(out, "%" PRId64, pair->value.i);
        return true;
    case BASE_KV_UINT:
        base_buf_printf(out, "%" PRIu64, pair->value.u);
        return true;
    case BASE_KV_BOOL:
        append_text(out, pair->value.b ? "true" : "false");
        return true;
    case BASE_KV_STR:
    case BASE_KV_ADDR:
    case BASE_KV_NONE:
        break;
    }
    return false;
}

static const char *pair_text(const struct base_kv *pair,
                             char addr[BASE_ADDR_TEXT_MAX])
{
    if (pair->type == BASE_KV_ADDR && pair->value.addr != NULL)
        return base_addr_format(pair->value.addr, addr);
    if (pair->type == BASE_KV_STR && pair->value.str != NULL)
        return pair->value.str;
    return "";
}

char *base_log_render_text(const struct base_log_record *record)
{
    struct base_buf out = BASE_BUF_INIT;
    char addr[BASE_ADDR_TEXT_MAX];
    unsigned i;

    append_time(&out, record->wall_ns);
    base_buf_printf(&out, " %s ", level_tags[record->level]);
    if (record->subsystem != NULL)
        base_buf_printf(&out, "%s: ", record->subsystem);
    append_escaped(&out, record->text);
    for (i = 0; i < record->pair_count; i++) {
        const struct base_kv *pair = &record->pairs[i];
        const char *text = pair_text(pair, addr);

        base_buf_printf(&out, "%s%s=", i == 0 ? ": " : " ", pair->key);
        if (append_bare(&out, pair))
            continue;
        if (needs_quotes(text))
            append_quoted(&out, text);
        else
            append_escaped(&out, text); /* cuts it, nothing to escape */
    }
    return base_buf_take_string(&out);
}

char *base_log_render_json(const struct base_log_record *record)
{
    struct base_buf out = BASE_BUF_INIT;
    char addr[BASE_ADDR_TEXT_MAX];
    unsigned i;

    base_buf_printf(&out, "{\"@level\":\"%s\",\"@message\":",
                    base_log_level_name(record->level));
    append_quoted(&out, record->text);
    if (record->subsystem != NULL) {
        append_text(&out, ",\"@module\":");
        append_quoted(&out, record->subsystem);
    }
    append_text(&out, ",\"@timestamp\":\"");
    append_time(&out, record->wall_ns);
    append_text(&out, "\"");
    for (i = 0; i < record->pair_count; i++) {
        const struct base_kv *pair = &record->pairs[i];

        append_text(&out, ",");
        append_quoted(&out, pair->key);
        append_text(&out, ":");
        if (!append_bare(&out, pair))
            append_quoted(&out, pair_text(pair, addr));
    }
    append_text(&out, "}");
    return base_buf_take_string(&out);
}
