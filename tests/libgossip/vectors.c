/* See vectors.h. */
#include "vectors.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static json_t *document;
static json_t *list;
static void **owned; /* everything that was given out */
static size_t owned_count;
/* Which vectors were read, by index: one page for the processes of all tests. */
static uint8_t *was_read;

static void *own(void *ptr)
{
    owned = base_reallocarray(owned, owned_count + 1, sizeof(*owned));
    owned[owned_count++] = ptr;
    return ptr;
}

json_t *vectors_json(const char *file)
{
    char path[512];
    json_error_t error;
    json_t *json;

    snprintf(path, sizeof(path), "%s/%s", TEST_DATA, file);
    json = json_load_file(path, 0, &error);
    ck_assert_msg(json != NULL, "%s: %s", path, error.text);
    return json;
}

void vectors_share(void)
{
    was_read = mmap(NULL, VECTORS, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (was_read == MAP_FAILED)
        abort();
}

bool vector_was_read(size_t index)
{
    return was_read[index] != 0;
}

static void note_read(const json_t *vector)
{
    for (size_t i = 0; i < vectors_count(); i++)
        if (vectors_at(i) == vector)
            was_read[i] = 1;
}

void vectors_open(void)
{
    document = vectors_json("index.json");
    list = json_object_get(document, "vectors");
    ck_assert_uint_eq(json_array_size(list), VECTORS);
}

void vectors_close(void)
{
    while (owned_count > 0)
        base_free(owned[--owned_count]);
    base_free(owned);
    owned = NULL;
    json_decref(document);
    document = NULL;
}

size_t vectors_count(void)
{
    return json_array_size(list);
}

const json_t *vectors_at(size_t index)
{
    return json_array_get(list, index);
}

const char *vector_name(const json_t *vector)
{
    return json_string_value(json_object_get(vector, "name"));
}

const json_t *vectors_named(const char *name)
{
    size_t i;

    for (i = 0; i < vectors_count(); i++)
        if (strcmp(vector_name(vectors_at(i)), name) == 0)
            return vectors_at(i);
    ck_abort_msg("no vector %s", name);
    return NULL;
}

bool vector_is(const json_t *vector, const char *group)
{
    return strcmp(json_string_value(json_object_get(vector, "group")),
                  group) == 0;
}

const json_t *vector_fields(const json_t *vector)
{
    const json_t *fields = json_object_get(vector, "fields");
    const json_t *other = json_object_get(fields, "same_as");

    return other == NULL
               ? fields
               : vector_fields(vectors_named(json_string_value(other)));
}

static unsigned nibble(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a' + 10);
}

struct mp_bytes hex_bytes(const char *hex)
{
    size_t len = strspn(hex, "0123456789abcdef") / 2, i;
    uint8_t *bytes = own(base_alloc(len + 1));

    for (i = 0; i < len; i++)
        bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    return mp_bytes_of(bytes, len);
}

struct mp_bytes vector_bytes(const json_t *vector)
{
    char path[512];
    char *text = base_alloc(256 * 1024);
    FILE *file;
    size_t len;
    struct mp_bytes bytes;

    snprintf(path, sizeof(path), "%s/%s", TEST_DATA,
             json_string_value(json_object_get(vector, "file")));
    file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    len = fread(text, 1, 256 * 1024 - 1, file);
    fclose(file);
    text[len] = '\0';
    bytes = hex_bytes(text);
    base_free(text);
    ck_assert_uint_eq(bytes.len, field_uint(vector, "bytes"));
    note_read(vector);
    return bytes;
}

struct mp_bytes field_bytes(const json_t *fields, const char *key)
{
    const json_t *value = json_object_get(fields, key);

    if (value == NULL || json_is_null(value))
        return (struct mp_bytes){NULL, 0};
    return hex_bytes(json_string_value(value));
}

struct mp_bytes field_text(const json_t *fields, const char *key)
{
    const json_t *value = json_object_get(fields, key);

    return value == NULL ? mp_bytes_of("", 0)
                         : mp_str_of(json_string_value(value));
}

uint64_t field_uint(const json_t *fields, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(fields, key));
}

bool field_bool(const json_t *fields, const char *key)
{
    return json_is_true(json_object_get(fields, key));
}

void assert_bytes_eq(struct mp_bytes got, struct mp_bytes want,
                     const char *what)
{
    ck_assert_msg(got.len == want.len, "%s: %zu bytes, want %zu", what,
                  got.len, want.len);
    ck_assert_msg((got.data == NULL) == (want.data == NULL), "%s: nil", what);
    ck_assert_msg(got.len == 0 || memcmp(got.data, want.data, got.len) == 0,
                  "%s: other bytes", what);
}
