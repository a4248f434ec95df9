/*
 * Where a value ends, for input that arrives in pieces: the stream decoder
 * waits until one member is whole and decodes it then, so that a push/pull of
 * any size needs room for one member only.
 */
#include "memberlist/codec.h"

/* Bytes of header by first byte, and what they say. */
struct header {
    size_t bytes;    /* of the header itself; 0: not msgpack */
    size_t body;     /* bytes after it */
    uint64_t values; /* values after it */
};

static uint64_t big_endian(const uint8_t *at, size_t width)
{
    uint64_t value = 0;
    size_t i;

    for (i = 0; i < width; i++)
        value = value << 8 | at[i];
    return value;
}

/* Width of the length field of the forms that have one; 0 for others. */
static size_t length_width(uint8_t byte)
{
    switch (byte) {
    case 0xc4: case 0xc7: case 0xd9: return 1;
    case 0xc5: case 0xc8: case 0xda: case 0xdc: case 0xde: return 2;
    case 0xc6: case 0xc9: case 0xdb: case 0xdd: case 0xdf: return 4;
    default: return 0;
    }
}

static size_t fixed_body(uint8_t byte)
{
    switch (byte) {
    case 0xcc: case 0xd0: return 1;
    case 0xcd: case 0xd1: case 0xd4: return 2;
    case 0xd5: return 3;
    case 0xca: case 0xce: case 0xd2: return 4;
    case 0xd6: return 5;
    case 0xcb: case 0xcf: case 0xd3: return 8;
    case 0xd7: return 9;
    case 0xd8: return 17;
    default: return 0; /* nil, booleans */
    }
}

static struct header short_header(uint8_t byte)
{
    if (byte < 0x80 || byte >= 0xe0)
        return (struct header){1, 0, 0};
    if (byte < 0x90)
        return (struct header){1, 0, 2 * (uint64_t)(byte & 0x0f)};
    if (byte < 0xa0)
        return (struct header){1, 0, byte & 0x0f};
    return (struct header){1, byte & 0x1f, 0};
}

/* needs at most len bytes to be readable: bytes > len says wait. */
static struct header read_header(const uint8_t *at, size_t len)
{
    uint8_t byte = at[0];
    size_t width = length_width(byte);
    uint64_t count;

    if (byte < 0xc0 || byte >= 0xe0)
        return short_header(byte);
    if (byte == 0xc1)
        return (struct header){0, 0, 0};
    if (width == 0)
        return (struct header){1, fixed_body(byte), 0};
    if (len < 1 + width)
        return (struct header){1 + width, 0, 0};
    count = big_endian(at + 1, width);
    if (byte == 0xdc || byte == 0xdd)
        return (struct header){1 + width, 0, count};
    if (byte == 0xde || byte == 0xdf)
        return (struct header){1 + width, 0, 2 * count};
    if (byte >= 0xc7 && byte <= 0xc9)
        count++; /* the type of an ext */
    return (struct header){1 + width, (size_t)count, 0};
}

size_t mp_value_len(const void *data, size_t len)
{
    const uint8_t *at = data;
    uint64_t values = 1;
    size_t used = 0;

    for (; values > 0; values--) {
        struct header header;

        if (used >= len)
            return used + (size_t)values;
        header = read_header(at + used, len - used);
        if (header.bytes == 0)
            return 0;
        values += header.values;
        used += header.bytes + header.body;
    }
    return used;
}
