/*
 * Structs by table: a message lists its fields once, and is written and read
 * from that list. Keys go out in ascending order, as both encoders of the
 * original do; they come in any order (gossip.md 1.2).
 */
#include "memberlist/codec.h"

static bool is_zero(const struct mp_field *field, const void *at)
{
    switch ((enum mp_kind)field->kind) {
    case MP_U8: return *(const uint8_t *)at == 0;
    case MP_U16: return *(const uint16_t *)at == 0;
    case MP_U32: return *(const uint32_t *)at == 0;
    case MP_U64: return *(const uint64_t *)at == 0;
    case MP_I64: return *(const int64_t *)at == 0;
    case MP_BOOL: return !*(const bool *)at;
    case MP_DOUBLE: return !(*(const double *)at > 0) &&
                           !(*(const double *)at < 0);
    case MP_STR: case MP_BYTES:
        return ((const struct mp_bytes *)at)->len == 0;
    }
    return false;
}

static void put_field(struct base_buf *out, const struct mp_field *field,
                      const void *at)
{
    switch ((enum mp_kind)field->kind) {
    case MP_U8: mp_put_uint(out, *(const uint8_t *)at); break;
    case MP_U16: mp_put_uint(out, *(const uint16_t *)at); break;
    case MP_U32: mp_put_uint(out, *(const uint32_t *)at); break;
    case MP_U64: mp_put_uint(out, *(const uint64_t *)at); break;
    case MP_I64: mp_put_int(out, *(const int64_t *)at); break;
    case MP_BOOL: mp_put_bool(out, *(const bool *)at); break;
    case MP_DOUBLE: mp_put_double(out, *(const double *)at); break;
    case MP_STR: mp_put_str(out, *(const struct mp_bytes *)at); break;
    case MP_BYTES: mp_put_bytes(out, *(const struct mp_bytes *)at); break;
    }
}

void mp_put_struct(struct base_buf *out, const struct mp_field *fields,
                   size_t count, const void *value)
{
    const uint8_t *base = value;
    uint32_t present = 0;
    size_t i;

    for (i = 0; i < count; i++)
        present += !(fields[i].optional &&
                     is_zero(&fields[i], base + fields[i].offset));
    mp_put_map(out, present);
    for (i = 0; i < count; i++) {
        const void *at = base + fields[i].offset;

        if (fields[i].optional && is_zero(&fields[i], at))
            continue;
        mp_put_str(out, mp_bytes_of(fields[i].name, fields[i].name_len));
        put_field(out, &fields[i], at);
    }
}

static void get_field(struct base_cursor *in, const struct mp_field *field,
                      void *at, struct mp_scratch *scratch)
{
    switch ((enum mp_kind)field->kind) {
    case MP_U8: *(uint8_t *)at = (uint8_t)mp_get_uint(in, UINT8_MAX); break;
    case MP_U16: *(uint16_t *)at = (uint16_t)mp_get_uint(in, UINT16_MAX); break;
    case MP_U32: *(uint32_t *)at = (uint32_t)mp_get_uint(in, UINT32_MAX); break;
    case MP_U64: *(uint64_t *)at = mp_get_uint(in, UINT64_MAX); break;
    case MP_I64: *(int64_t *)at = mp_get_int(in); break;
    case MP_BOOL: *(bool *)at = mp_get_bool(in); break;
    case MP_DOUBLE: *(double *)at = mp_get_double(in); break;
    case MP_STR: *(struct mp_bytes *)at = mp_get_str(in); break;
    case MP_BYTES: *(struct mp_bytes *)at = mp_get_bytes(in, scratch); break;
    }
}

/* Keys mostly come in the order of the table: look at the next one first. */
static size_t find_field(const struct mp_field *fields, size_t count,
                         size_t next, struct mp_bytes key)
{
    size_t tries;

    for (tries = 0; tries < count; tries++, next++) {
        if (next >= count)
            next = 0;
        if (key.len == fields[next].name_len &&
            memcmp(key.data, fields[next].name, key.len) == 0)
            return next;
    }
    return count;
}

bool mp_get_struct(struct base_cursor *in, const struct mp_field *fields,
                   size_t count, void *value, struct mp_scratch *scratch)
{
    uint32_t pairs = mp_get_map(in);
    size_t next = 0;

    for (; pairs > 0 && !in->failed; pairs--) {
        struct mp_bytes key = mp_get_key(in);
        size_t i;

        if (in->failed)
            break;
        i = find_field(fields, count, next, key);
        next = i + 1;
        if (i < count)
            get_field(in, &fields[i], (uint8_t *)value + fields[i].offset,
                      scratch);
        else
            mp_skip(in);
    }
    return !in->failed;
}
