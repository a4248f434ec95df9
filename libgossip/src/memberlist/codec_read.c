/*
 * The reading half of the codec: a bounded reader over bytes that a peer
 * wrote. Own code, since what is accepted field by field is the point: integer
 * forms are free but must fit, strings may be bin, byte strings may be arrays,
 * nil is zero (gossip.md 1.2, "Accept"). A length or count that cannot fit
 * into what is left fails before anything of that size is touched.
 */
#include "memberlist/codec.h"

struct mp_chunk {
    struct mp_chunk *next;
    uint8_t bytes[];
};

/* One decoded header. For RAW, ARRAY and MAP, bits is the length or count. */
enum token_kind { NIL, BOOL, UINT, NEGATIVE, FLOAT32, FLOAT64, RAW, ARRAY,
                  MAP, EXT, BAD };
struct token {
    enum token_kind kind;
    uint64_t bits;
};

static struct token token_of(enum token_kind kind, uint64_t bits)
{
    return (struct token){kind, bits};
}

/* Sign-extends a value of the given width; non-negative ones are UINT. */
static struct token signed_token(uint64_t bits, unsigned width)
{
    uint64_t sign = UINT64_C(1) << (width - 1);

    if ((bits & sign) == 0)
        return token_of(UINT, bits);
    return token_of(NEGATIVE, width == 64 ? bits : bits | ~(2 * sign - 1));
}

static struct token wide_token(struct base_cursor *in, uint8_t byte)
{
    switch (byte) {
    case 0xc0: return token_of(NIL, 0);
    case 0xc2: return token_of(BOOL, 0);
    case 0xc3: return token_of(BOOL, 1);
    case 0xc4: case 0xd9: return token_of(RAW, base_cursor_u8(in));
    case 0xc5: case 0xda: return token_of(RAW, base_cursor_u16be(in));
    case 0xc6: case 0xdb: return token_of(RAW, base_cursor_u32be(in));
    case 0xc7: return token_of(EXT, base_cursor_u8(in) + UINT64_C(1));
    case 0xc8: return token_of(EXT, base_cursor_u16be(in) + UINT64_C(1));
    case 0xc9: return token_of(EXT, base_cursor_u32be(in) + UINT64_C(1));
    case 0xca: return token_of(FLOAT32, base_cursor_u32be(in));
    case 0xcb: return token_of(FLOAT64, base_cursor_u64be(in));
    case 0xcc: return token_of(UINT, base_cursor_u8(in));
    case 0xcd: return token_of(UINT, base_cursor_u16be(in));
    case 0xce: return token_of(UINT, base_cursor_u32be(in));
    case 0xcf: return token_of(UINT, base_cursor_u64be(in));
    case 0xd0: return signed_token(base_cursor_u8(in), 8);
    case 0xd1: return signed_token(base_cursor_u16be(in), 16);
    case 0xd2: return signed_token(base_cursor_u32be(in), 32);
    case 0xd3: return signed_token(base_cursor_u64be(in), 64);
    case 0xd4: return token_of(EXT, 2);
    case 0xd5: return token_of(EXT, 3);
    case 0xd6: return token_of(EXT, 5);
    case 0xd7: return token_of(EXT, 9);
    case 0xd8: return token_of(EXT, 17);
    case 0xdc: return token_of(ARRAY, base_cursor_u16be(in));
    case 0xdd: return token_of(ARRAY, base_cursor_u32be(in));
    case 0xde: return token_of(MAP, base_cursor_u16be(in));
    case 0xdf: return token_of(MAP, base_cursor_u32be(in));
    default: return token_of(BAD, 0); /* c1 is never used */
    }
}

/* Reads a header; BAD and a failed cursor if there is none. */
static struct token next_token(struct base_cursor *in)
{
    struct token token;
    uint8_t byte;

    if (in->failed || in->at == in->end) {
        in->failed = true;
        return token_of(BAD, 0);
    }
    byte = *in->at++;
    if (byte < 0x80)
        return token_of(UINT, byte);
    if (byte >= 0xe0)
        return signed_token(byte, 8);
    if (byte < 0x90)
        return token_of(MAP, byte & 0x0f);
    if (byte < 0xa0)
        return token_of(ARRAY, byte & 0x0f);
    if (byte < 0xc0)
        return token_of(RAW, byte & 0x1f);
    token = wide_token(in, byte);
    if (in->failed || token.kind == BAD) {
        in->failed = true;
        return token_of(BAD, 0);
    }
    return token;
}

static uint64_t fail(struct base_cursor *in)
{
    in->failed = true;
    return 0;
}

static uint32_t counted(struct base_cursor *in, enum token_kind kind,
                        size_t bytes_each)
{
    struct token token = next_token(in);

    if (token.kind == NIL)
        return 0;
    if (token.kind != kind ||
        token.bits > base_cursor_left(in) / bytes_each)
        return (uint32_t)fail(in);
    return (uint32_t)token.bits;
}

uint32_t mp_get_map(struct base_cursor *in)
{
    return counted(in, MAP, 2);
}

uint32_t mp_get_array(struct base_cursor *in)
{
    return counted(in, ARRAY, 1);
}

static struct mp_bytes raw_body(struct base_cursor *in, uint64_t len)
{
    struct mp_bytes bytes = {NULL, 0};

    if (len > base_cursor_left(in)) {
        fail(in);
        return bytes;
    }
    bytes = mp_bytes_of(in->at, (size_t)len);
    in->at += len;
    return bytes;
}

struct mp_bytes mp_get_str(struct base_cursor *in)
{
    struct token token = next_token(in);

    if (token.kind == NIL)
        return mp_bytes_of("", 0);
    if (token.kind == RAW)
        return raw_body(in, token.bits);
    fail(in);
    return mp_bytes_of("", 0);
}

uint64_t mp_get_raw_header(struct base_cursor *in)
{
    struct token token = next_token(in);

    if (token.kind == NIL)
        return 0;
    return token.kind == RAW ? token.bits : fail(in);
}

struct mp_bytes mp_get_key(struct base_cursor *in)
{
    struct token token = next_token(in);

    if (token.kind == RAW)
        return raw_body(in, token.bits);
    fail(in);
    return mp_bytes_of("", 0);
}

static struct mp_bytes bytes_from_array(struct base_cursor *in, uint64_t count,
                                        struct mp_scratch *scratch)
{
    struct mp_bytes bytes = {NULL, 0};
    struct mp_chunk *chunk;

    /* Each element takes a byte at least, so this allocates what has come. */
    if (scratch == NULL || count > base_cursor_left(in)) {
        fail(in);
        return bytes;
    }
    chunk = base_alloc(sizeof(*chunk) + (size_t)count + 1);
    chunk->next = scratch->first;
    scratch->first = chunk;
    while (bytes.len < count && !in->failed)
        chunk->bytes[bytes.len++] = (uint8_t)mp_get_uint(in, UINT8_MAX);
    bytes.data = chunk->bytes;
    return bytes;
}

struct mp_bytes mp_get_bytes(struct base_cursor *in,
                             struct mp_scratch *scratch)
{
    struct token token = next_token(in);
    struct mp_bytes none = {NULL, 0};

    switch (token.kind) {
    case NIL: return none;
    case RAW: return raw_body(in, token.bits);
    case ARRAY: return bytes_from_array(in, token.bits, scratch);
    default: fail(in); return none;
    }
}

void mp_scratch_close(struct mp_scratch *scratch)
{
    while (scratch->first != NULL) {
        struct mp_chunk *chunk = scratch->first;

        scratch->first = chunk->next;
        base_free(chunk);
    }
}

uint64_t mp_get_uint(struct base_cursor *in, uint64_t max)
{
    struct token token = next_token(in);

    if (token.kind == NIL)
        return 0;
    if (token.kind != UINT || token.bits > max)
        return fail(in);
    return token.bits;
}

int64_t mp_get_int(struct base_cursor *in)
{
    struct token token = next_token(in);

    if (token.kind == NIL)
        return 0;
    if (token.kind == NEGATIVE ||
        (token.kind == UINT && token.bits <= INT64_MAX))
        return (int64_t)token.bits;
    return (int64_t)fail(in);
}

bool mp_get_bool(struct base_cursor *in)
{
    struct token token = next_token(in);

    if (token.kind == NIL)
        return false;
    if ((token.kind == BOOL || token.kind == UINT) && token.bits <= 1)
        return token.bits == 1;
    return fail(in) != 0;
}

double mp_get_double(struct base_cursor *in)
{
    struct token token = next_token(in);
    uint32_t narrow;
    float single;
    double value;

    switch (token.kind) {
    case NIL: return 0;
    case UINT: return (double)token.bits;
    case NEGATIVE: return (double)(int64_t)token.bits;
    case FLOAT32:
        narrow = (uint32_t)token.bits;
        memcpy(&single, &narrow, sizeof(single));
        return (double)single;
    case FLOAT64:
        memcpy(&value, &token.bits, sizeof(value));
        return value;
    default: return (double)fail(in);
    }
}

bool mp_get_nil(struct base_cursor *in)
{
    if (in->failed || base_cursor_left(in) == 0 || *in->at != 0xc0)
        return false;
    (void)base_cursor_u8(in);
    return true;
}

/* Steps over one header and its direct bytes; adds the values that it
 * contains to *values. */
static void skip_one(struct base_cursor *in, uint64_t *values)
{
    struct token token = next_token(in);

    switch (token.kind) {
    case RAW: case EXT: raw_body(in, token.bits); break;
    case ARRAY: *values += token.bits; break;
    case MAP: *values += 2 * token.bits; break;
    default: break;
    }
}

void mp_skip(struct base_cursor *in)
{
    uint64_t values = 1;

    while (values > 0 && !in->failed) {
        /* Every value takes a byte: refuse early what cannot be there. */
        if (values > base_cursor_left(in)) {
            fail(in);
            return;
        }
        values--;
        skip_one(in, &values);
    }
}
