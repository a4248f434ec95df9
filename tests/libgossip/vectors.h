/*
 * The golden vectors of tests/libgossip/data: index.json and the .hex files
 * that it names. What the functions give lives until vectors_close().
 */
#ifndef TESTS_LIBGOSSIP_VECTORS_H
#define TESTS_LIBGOSSIP_VECTORS_H

#include <jansson.h>

#include "memberlist/codec.h"

#define VECTORS 151

/** Before any test runs: from then on it is known which vectors were read. */
void vectors_share(void);
bool vector_was_read(size_t index);

void vectors_open(void);
void vectors_close(void);
size_t vectors_count(void);
/** One entry of the index. */
const json_t *vectors_at(size_t index);
const json_t *vectors_named(const char *name);
const char *vector_name(const json_t *vector);
bool vector_is(const json_t *vector, const char *group);
/** The golden bytes. */
struct mp_bytes vector_bytes(const json_t *vector);
/** fields, or those of the vector that "same_as" names. */
const json_t *vector_fields(const json_t *vector);
/** A file of data/ as JSON. */
json_t *vectors_json(const char *file);

struct mp_bytes hex_bytes(const char *hex);
/** A hex field; null or absent: nil. */
struct mp_bytes field_bytes(const json_t *fields, const char *key);
/** A text field as it is. */
struct mp_bytes field_text(const json_t *fields, const char *key);
uint64_t field_uint(const json_t *fields, const char *key);
bool field_bool(const json_t *fields, const char *key);

void assert_bytes_eq(struct mp_bytes got, struct mp_bytes want,
                     const char *what);

#endif
