#include "http/json_read.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define WHY_BYTES_MAX 512

void json_reader_close(struct json_reader *reader)
{
    size_t i;

    for (i = 0; i < reader->block_count; i++)
        base_free(reader->blocks[i]);
    base_free(reader->blocks);
    base_free(reader->why);
    memset(reader, 0, sizeof(*reader));
}

void *json_reader_alloc(struct json_reader *reader, size_t count, size_t size)
{
    void *block = base_calloc(count + 1, size);

    reader->blocks = base_reallocarray(
        reader->blocks, reader->block_count + 1, sizeof(*reader->blocks));
    reader->blocks[reader->block_count++] = block;
    return block;
}

void json_reader_fail(struct json_reader *reader, const char *format, ...)
{
    char text[WHY_BYTES_MAX];
    va_list args;

    if (reader->why)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    reader->why = base_strdup(text);
}

json_t *json_read_body(struct json_reader *reader, const void *data, size_t len)
{
    json_error_t error;
    json_t *json;

    if (len == 0) {
        json_reader_fail(reader, "the body is empty, JSON is wanted");
        return NULL;
    }
    json = json_loadb(data, len, 0, &error);
    if (json == NULL) {
        json_reader_fail(reader, "line %d, column %d: %s", error.line,
                         error.column, error.text);
        return NULL;
    }
    if (!json_is_object(json)) {
        json_reader_fail(reader, "wanted a JSON object");
        json_decref(json);
        return NULL;
    }
    return json;
}

static bool same_name(const char *a, const char *b)
{
    for (;;) {
        while (*a == '_')
            a++;
        while (*b == '_')
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (*a == '\0')
            return true;
        a++;
        b++;
    }
}

json_t *json_field(const json_t *object, const char *name)
{
    json_t *exact = json_object_get(object, name);
    const char *key;
    json_t *value;

    if (exact)
        return json_is_null(exact) ? NULL : exact;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (same_name(key, name))
            return json_is_null(value) ? NULL : value;
    }
    return NULL;
}

/* protobuf-c's strings are not const; nobody writes to them. */
static char *text_of(const json_t *string)
{
    return (char *)(uintptr_t)json_string_value(string);
}

char *json_read_text(struct json_reader *reader, const json_t *object,
                     const char *where, const char *name)
{
    const json_t *value = json_field(object, name);

    if (value == NULL)
        return (char *)(uintptr_t)"";
    if (json_is_string(value))
        return text_of(value);
    json_reader_fail(reader, "%s%s: wanted a string", where, name);
    return (char *)(uintptr_t)"";
}

uint64_t json_read_uint(struct json_reader *reader, const json_t *object,
                        const char *where, const char *name, uint64_t max)
{
    const json_t *value = json_field(object, name);
    json_int_t number = json_integer_value(value);

    if (value == NULL)
        return 0;
    if (json_is_integer(value) && number >= 0 && (uint64_t)number <= max)
        return (uint64_t)number;
    json_reader_fail(reader, "%s%s: wanted a whole number of 0 to %llu", where,
                     name, (unsigned long long)max);
    return 0;
}

bool json_read_bool(struct json_reader *reader, const json_t *object,
                    const char *where, const char *name)
{
    const json_t *value = json_field(object, name);

    if (value && !json_is_boolean(value))
        json_reader_fail(reader, "%s%s: wanted true or false", where, name);
    return json_is_true(value);
}

json_t *json_read_object(struct json_reader *reader, const json_t *object,
                         const char *where, const char *name)
{
    json_t *value = json_field(object, name);

    if (value == NULL || json_is_object(value))
        return value;
    json_reader_fail(reader, "%s%s: wanted an object", where, name);
    return NULL;
}

json_t *json_read_array(struct json_reader *reader, const json_t *object,
                        const char *where, const char *name)
{
    json_t *value = json_field(object, name);

    if (value == NULL || json_is_array(value))
        return value;
    json_reader_fail(reader, "%s%s: wanted a list", where, name);
    return NULL;
}

char **json_read_texts(struct json_reader *reader, const json_t *object,
                       const char *where, const char *name, size_t *count)
{
    const json_t *list = json_read_array(reader, object, where, name);
    size_t size = json_array_size(list), i;
    char **texts = json_reader_alloc(reader, size, sizeof(*texts));

    *count = 0;
    for (i = 0; i < size; i++) {
        const json_t *value = json_array_get(list, i);

        if (!json_is_string(value)) {
            json_reader_fail(reader, "%s%s[%zu]: wanted a string", where, name,
                             i);
            break;
        }
        texts[(*count)++] = text_of(value);
    }
    return texts;
}

Fedstate__Pair **json_read_pairs(struct json_reader *reader,
                                 const json_t *object, const char *where,
                                 const char *name, size_t *count)
{
    json_t *map = json_read_object(reader, object, where, name);
    Fedstate__Pair **pairs =
        json_reader_alloc(reader, json_object_size(map), sizeof(*pairs));
    const char *key;
    json_t *value;

    *count = 0;
    json_object_foreach(map, key, value)
    {
        Fedstate__Pair *pair = json_reader_alloc(reader, 1, sizeof(*pair));

        if (!json_is_string(value)) {
            json_reader_fail(reader, "%s%s.%.64s: wanted a string", where,
                             name, key);
            break;
        }
        fedstate__pair__init(pair);
        pair->key = (char *)(uintptr_t)key;
        pair->value = text_of(value);
        pairs[(*count)++] = pair;
    }
    return pairs;
}

Fedstate__TaggedAddress **json_read_tagged(struct json_reader *reader,
                                           const json_t *object,
                                           const char *where,
                                           const char *name, size_t *count)
{
    json_t *map = json_read_object(reader, object, where, name);
    Fedstate__TaggedAddress **list =
        json_reader_alloc(reader, json_object_size(map), sizeof(*list));
    const char *key;
    json_t *value;

    *count = 0;
    json_object_foreach(map, key, value)
    {
        Fedstate__TaggedAddress *tagged =
            json_reader_alloc(reader, 1, sizeof(*tagged));
        char at[160];

        if (!json_is_object(value)) {
            json_reader_fail(reader, "%s%s.%.64s: wanted an object with "
                                     "Address and Port",
                             where, name, key);
            break;
        }
        snprintf(at, sizeof(at), "%s%s.%.64s.", where, name, key);
        fedstate__tagged_address__init(tagged);
        tagged->tag = (char *)(uintptr_t)key;
        tagged->address =
            json_reader_alloc(reader, 1, sizeof(*tagged->address));
        fedstate__service_address__init(tagged->address);
        tagged->address->address =
            json_read_text(reader, value, at, "Address");
        tagged->address->port =
            (uint32_t)json_read_uint(reader, value, at, "Port", UINT16_MAX);
        list[(*count)++] = tagged;
    }
    return list;
}
