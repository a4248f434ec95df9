/*
 * The msgpack dialect of memberlist and serf: old spec on output (no str8, no
 * bin), every form on input, all input bounded. Structs travel as maps whose
 * keys are field names, so a message is a table of fields and one pair of
 * functions serves them all. Source: gossip.md 1.2.
 *
 * Writers append to a base_buf. Readers work on a base_cursor: after a value
 * that is malformed, of the wrong kind, out of range or truncated, the cursor
 * has failed, and every later read gives zeros. What they give is borrowed
 * from the input.
 * Threads: any; no state.
 */
#ifndef MEMBERLIST_CODEC_H
#define MEMBERLIST_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

/** A string or byte string. data NULL: nil (absent). Not NUL-terminated. */
struct mp_bytes {
    const uint8_t *data;
    size_t len;
};

static inline struct mp_bytes mp_bytes_of(const void *data, size_t len)
{
    return (struct mp_bytes){data, len};
}
static inline struct mp_bytes mp_str_of(const char *text)
{
    return (struct mp_bytes){(const uint8_t *)text, strlen(text)};
}
static inline bool mp_is(struct mp_bytes a, const char *text)
{
    return a.len == strlen(text) && memcmp(a.data, text, a.len) == 0;
}

/* Writing. */

void mp_put_map(struct base_buf *out, uint32_t pairs);
void mp_put_array(struct base_buf *out, uint32_t count);
void mp_put_str(struct base_buf *out, struct mp_bytes text); /* nil: empty */
void mp_put_text(struct base_buf *out, const char *text);
void mp_put_bytes(struct base_buf *out, struct mp_bytes bytes); /* nil: c0 */
void mp_put_nil(struct base_buf *out);
void mp_put_uint(struct base_buf *out, uint64_t value);
void mp_put_int(struct base_buf *out, int64_t value);
void mp_put_bool(struct base_buf *out, bool value);
void mp_put_double(struct base_buf *out, double value);
/** The header of a byte string of len bytes, which the caller appends. */
void mp_put_raw_header(struct base_buf *out, uint32_t len);

/* Reading. */

/** What byte strings that came as integer arrays are unpacked into: zero it,
 * keep it as long as the values, close it. NULL in its place refuses them. */
struct mp_scratch {
    struct mp_chunk *first;
};
void mp_scratch_close(struct mp_scratch *scratch);

/** Number of pairs, at most half of the bytes that are left; nil is 0. */
uint32_t mp_get_map(struct base_cursor *in);
/** Number of elements, at most the bytes that are left; nil is 0. */
uint32_t mp_get_array(struct base_cursor *in);
/** A string; nil reads as empty. */
struct mp_bytes mp_get_str(struct base_cursor *in);
/** The header of a string or byte string alone, for one that arrives in pieces:
 * its length, which may be more than what is left; nil reads as 0. */
uint64_t mp_get_raw_header(struct base_cursor *in);
/** A map key: like mp_get_str(), nil refused. */
struct mp_bytes mp_get_key(struct base_cursor *in);
/** A byte string; nil has data NULL, an empty one has not. */
struct mp_bytes mp_get_bytes(struct base_cursor *in,
                             struct mp_scratch *scratch);
/** An integer from 0 to max; nil reads as 0. */
uint64_t mp_get_uint(struct base_cursor *in, uint64_t max);
/** An integer from INT64_MIN to INT64_MAX; nil reads as 0. */
int64_t mp_get_int(struct base_cursor *in);
bool mp_get_bool(struct base_cursor *in);
double mp_get_double(struct base_cursor *in);
/** True, and the nil is taken, if the next value is nil. */
bool mp_get_nil(struct base_cursor *in);
/** Skips one value of any kind, however nested, without recursion. */
void mp_skip(struct base_cursor *in);

/** How many bytes the value at the start of data takes: more than len (the
 * least that is known to be needed) if it is not all there yet; 0 if it can
 * never be one. Looks at structure only. */
size_t mp_value_len(const void *data, size_t len);

/* Whole structs. */

enum mp_kind {
    MP_U8, MP_U16, MP_U32, MP_U64, /* uint8_t ... uint64_t */
    MP_I64,                        /* int64_t */
    MP_BOOL, MP_DOUBLE,
    MP_STR, MP_BYTES               /* struct mp_bytes */
};

/** One field. Tables list them in ascending order of names. */
struct mp_field {
    const char *name;
    uint8_t name_len;  /* less than 32 */
    uint8_t kind;      /* enum mp_kind */
    bool optional;     /* left out when zero or empty */
    uint16_t offset;
};
#define MP_FIELD(type, member, name, kind)                                   \
    {name, sizeof(name) - 1, kind, false, (uint16_t)offsetof(type, member)}
#define MP_OPTIONAL(type, member, name, kind)                                \
    {name, sizeof(name) - 1, kind, true, (uint16_t)offsetof(type, member)}

void mp_put_struct(struct base_buf *out, const struct mp_field *fields,
                   size_t count, const void *value);
/** Zeroes nothing: clear *value (value_len bytes) before, since a missing key
 * leaves its field. Unknown keys are skipped, the last of equal keys wins.
 * False if the cursor failed. */
bool mp_get_struct(struct base_cursor *in, const struct mp_field *fields,
                   size_t count, void *value, struct mp_scratch *scratch);

#endif
