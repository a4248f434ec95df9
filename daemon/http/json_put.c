#include "http/json_put.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

/* Length of the UTF-8 sequence at text, or 0 if it is none (RFC 3629). */
static size_t sequence_len(const unsigned char *text)
{
    static const struct {
        unsigned char first_low, first_high, second_low, second_high;
        size_t len;
    } rows[] = {
        {0x01, 0x7f, 0x00, 0xff, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    size_t i, at;

    for (i = 0; i < BASE_COUNT_OF(rows); i++) {
        if (text[0] < rows[i].first_low || text[0] > rows[i].first_high)
            continue;
        if (rows[i].len > 1 && (text[1] < rows[i].second_low ||
                                text[1] > rows[i].second_high))
            return 0;
        for (at = 2; at < rows[i].len; at++)
            if (text[at] < 0x80 || text[at] > 0xbf)
                return 0;
        return rows[i].len;
    }
    return 0;
}

static char *clean(const char *text)
{
    struct base_buf out = BASE_BUF_INIT;
    const unsigned char *at = (const unsigned char *)text;

    while (*at != '\0') {
        size_t len = sequence_len(at);

        if (len == 0)
            base_buf_append(&out, "\xef\xbf\xbd", 3);
        else
            base_buf_append(&out, at, len);
        at += len > 0 ? len : 1;
    }
    return base_buf_take_string(&out);
}

json_t *json_text(const char *text)
{
    json_t *string = json_string(text ? text : "");
    char *cleaned;

    if (string)
        return string;
    cleaned = clean(text);
    string = json_string(cleaned);
    base_free(cleaned);
    return string;
}

void json_put(json_t *object, const char *key, json_t *value)
{
    char *cleaned;

    json_incref(value); /* the first try takes it, whatever comes of it */
    if (json_object_set_new(object, key, value) != 0) {
        cleaned = clean(key);
        json_object_set(object, cleaned, value);
        base_free(cleaned);
    }
    json_decref(value);
}

void json_put_text(json_t *object, const char *key, const char *text)
{
    json_put(object, key, json_text(text));
}

void json_put_uint(json_t *object, const char *key, uint64_t value)
{
    json_put(object, key,
             json_integer(value < INT64_MAX ? (json_int_t)value : INT64_MAX));
}

void json_put_bool(json_t *object, const char *key, bool value)
{
    json_put(object, key, json_boolean(value));
}
