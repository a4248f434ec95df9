/*
 * The writing half of the codec. msgpack-c packs; this file chooses the forms
 * that the oldest peer understands: the raw family of the old specification
 * for strings and byte strings alike, unsigned forms for every non-negative
 * integer, 64-bit floats only (gossip.md 1.2, "Emit").
 */
#include "memberlist/codec.h"

#include <assert.h>
#include <msgpack.h>

static int append(void *data, const char *bytes, size_t len)
{
    base_buf_append(data, bytes, len);
    return 0;
}

static msgpack_packer packer_on(struct base_buf *out)
{
    msgpack_packer packer;

    msgpack_packer_init(&packer, out, append);
    return packer;
}

/* What most values are, one byte says; here, since it is said so often. */
#define SMALL_MAP 0x80u    /* and up to 15 pairs */
#define SMALL_RAW 0xa0u    /* and up to 31 bytes */
#define SMALL_MAP_MAX 15u
#define SMALL_RAW_MAX 31u
#define SMALL_UINT_MAX 127u

void mp_put_map(struct base_buf *out, uint32_t pairs)
{
    msgpack_packer packer;

    if (pairs <= SMALL_MAP_MAX) {
        base_buf_append_u8(out, (uint8_t)(SMALL_MAP | pairs));
        return;
    }
    packer = packer_on(out);
    msgpack_pack_map(&packer, pairs);
}

void mp_put_array(struct base_buf *out, uint32_t count)
{
    msgpack_packer packer = packer_on(out);

    msgpack_pack_array(&packer, count);
}

void mp_put_raw_header(struct base_buf *out, uint32_t len)
{
    msgpack_packer packer = packer_on(out);

    msgpack_pack_v4raw(&packer, len);
}

void mp_put_str(struct base_buf *out, struct mp_bytes text)
{
    assert(text.len <= UINT32_MAX);
    if (text.len <= SMALL_RAW_MAX) {
        uint8_t *at = base_buf_reserve(out, text.len + 1);

        at[0] = (uint8_t)(SMALL_RAW | text.len);
        if (text.len > 0)
            memcpy(at + 1, text.data, text.len);
        base_buf_commit(out, text.len + 1);
        return;
    }
    mp_put_raw_header(out, (uint32_t)text.len);
    base_buf_append(out, text.data, text.len);
}

void mp_put_text(struct base_buf *out, const char *text)
{
    mp_put_str(out, mp_str_of(text));
}

void mp_put_bytes(struct base_buf *out, struct mp_bytes bytes)
{
    if (bytes.data == NULL)
        mp_put_nil(out);
    else
        mp_put_str(out, bytes);
}

void mp_put_nil(struct base_buf *out)
{
    msgpack_packer packer = packer_on(out);

    msgpack_pack_nil(&packer);
}

void mp_put_uint(struct base_buf *out, uint64_t value)
{
    msgpack_packer packer;

    if (value <= SMALL_UINT_MAX) {
        base_buf_append_u8(out, (uint8_t)value);
        return;
    }
    packer = packer_on(out);
    msgpack_pack_uint64(&packer, value);
}

void mp_put_int(struct base_buf *out, int64_t value)
{
    msgpack_packer packer = packer_on(out);

    msgpack_pack_int64(&packer, value);
}

void mp_put_bool(struct base_buf *out, bool value)
{
    base_buf_append_u8(out, value ? 0xc3 : 0xc2);
}

void mp_put_double(struct base_buf *out, double value)
{
    msgpack_packer packer = packer_on(out);

    msgpack_pack_double(&packer, value);
}
