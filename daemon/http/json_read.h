/*
 * Reading what clients send, with the rules that Consul's clients rely on: the
 * case of a field's name and underscores in it do not matter, null is as good
 * as absent, fields that nobody asks for are ignored, and a value of the wrong
 * type is refused by its full name.
 *
 * The reader keeps the first complaint and what it allocated; texts are
 * borrowed from the JSON. Threads: one at a time per object.
 */
#ifndef HTTP_JSON_READ_H
#define HTTP_JSON_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fedstate/fedstate.pb-c.h"

/** Zero-initialise it; json_reader_close() when the JSON goes. */
struct json_reader {
    char *why; /* NULL while all is well */
    void **blocks;
    size_t block_count;
};
void json_reader_close(struct json_reader *reader);
/** Zeroed memory that lives as long as the reader. */
void *json_reader_alloc(struct json_reader *reader, size_t count, size_t size);
/** Keeps the first complaint. */
void json_reader_fail(struct json_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Parses a body. NULL with a complaint that has line and column. */
json_t *json_read_body(struct json_reader *reader, const void *data,
                       size_t len);

/** A field by its name; NULL if it is absent or null. */
json_t *json_field(const json_t *object, const char *name);

/* Each: where ("" or "Service.") stands before the name in complaints. */

/** "" if absent. */
char *json_read_text(struct json_reader *reader, const json_t *object,
                     const char *where, const char *name);
/** 0 if absent. */
uint64_t json_read_uint(struct json_reader *reader, const json_t *object,
                        const char *where, const char *name, uint64_t max);
bool json_read_bool(struct json_reader *reader, const json_t *object,
                    const char *where, const char *name);
/** An object; NULL if absent or none. */
json_t *json_read_object(struct json_reader *reader, const json_t *object,
                         const char *where, const char *name);
/** An array; NULL if absent or none. */
json_t *json_read_array(struct json_reader *reader, const json_t *object,
                        const char *where, const char *name);
char **json_read_texts(struct json_reader *reader, const json_t *object,
                       const char *where, const char *name, size_t *count);
Fedstate__Pair **json_read_pairs(struct json_reader *reader,
                                 const json_t *object, const char *where,
                                 const char *name, size_t *count);
/** {"lan": {"Address": ..., "Port": ...}, ...} */
Fedstate__TaggedAddress **json_read_tagged(struct json_reader *reader,
                                           const json_t *object,
                                           const char *where,
                                           const char *name, size_t *count);

#endif
