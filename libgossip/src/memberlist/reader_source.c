/* Label, encryption and compression of a stream; see reader.h. */
#include "memberlist/reader_source.h"

#include "gossip/error.h"
#include "memberlist/crypt.h"

#define PIECE_BYTES (16u * 1024) /* of plaintext at a time */
/* Of one key or value in the head of a compress message. */
#define WRAPPER_BYTES_MAX 64u
#define SEALED_HEAD_BYTES 5u

struct input {
    const uint8_t *data;
    size_t len;
};

/* Where the layers above encryption read from. */
static struct input input_of(const struct ml_reader *reader,
                             const uint8_t *data, size_t len)
{
    struct input input = {data, len};

    if (reader->is_opened)
        input.data = ml_chunks_front(&reader->sealed, &input.len);
    return input;
}

static void take(struct ml_reader *reader, size_t len, size_t *used)
{
    size_t freed;

    if (!reader->is_opened) {
        *used += len;
        return;
    }
    freed = ml_chunks_consume(&reader->sealed, len);
    if (freed > 0)
        reader->config.ops->release(reader->config.arg,
                                    freed * ML_CHUNK_BYTES);
}

/* No more input: wait for it, unless all of it is here already. */
static int starved(const struct ml_reader *reader)
{
    return reader->is_opened ? GOSSIP_EDECODE : ML_READER_MORE;
}

static int take_label(struct ml_reader *reader, const uint8_t *data,
                      size_t len, size_t *used)
{
    const struct ml_reader_config *config = &reader->config;
    size_t label_len = 0;

    if (len == 0)
        return ML_READER_MORE;
    if (data[0] == ML_LABEL) {
        if (len < 2 || len < 2 + (size_t)data[1])
            return ML_READER_MORE;
        label_len = data[1];
        if (label_len == 0 || config->skip_label)
            return GOSSIP_ELABEL;
    }
    if (!config->skip_label &&
        (label_len != config->label_len ||
         (label_len > 0 && memcmp(data + 2, config->label, label_len) != 0)))
        return GOSSIP_ELABEL;
    *used += label_len > 0 ? 2 + label_len : 0;
    reader->source = ML_SRC_OUTER;
    return 0;
}

static bool has_keys(const struct ml_reader *reader)
{
    return reader->config.keyring != NULL &&
           gossip_keyring_count(reader->config.keyring) > 0;
}

static int see_outer(struct ml_reader *reader, const uint8_t *data, size_t len)
{
    if (len == 0)
        return ML_READER_MORE;
    if (data[0] == ML_ENCRYPT) {
        reader->source = ML_SRC_SEALED_HEAD;
        return has_keys(reader) ? 0 : GOSSIP_ECRYPT;
    }
    reader->source = ML_SRC_TYPE;
    return has_keys(reader) && reader->config.verify_incoming ? GOSSIP_ECRYPT
                                                              : 0;
}

static int take_sealed_head(struct ml_reader *reader, const uint8_t *data,
                            size_t len, size_t *used)
{
    struct base_cursor in = base_cursor_of(data, len);

    if (len < SEALED_HEAD_BYTES)
        return ML_READER_MORE;
    base_cursor_u8(&in);
    reader->sealed_len = base_cursor_u32be(&in);
    if (reader->sealed_len > ML_SEALED_BYTES_MAX)
        return GOSSIP_ETOOBIG;
    if (reader->sealed_len < ML_CRYPT_OVERHEAD)
        return GOSSIP_ECRYPT;
    *used += SEALED_HEAD_BYTES;
    reader->source = ML_SRC_SEALED;
    return 0;
}

static int unseal(struct ml_reader *reader)
{
    uint8_t aad[SEALED_HEAD_BYTES + 255];
    size_t label_len = reader->config.label_len;

    aad[0] = ML_ENCRYPT;
    aad[1] = (uint8_t)(reader->sealed_len >> 24);
    aad[2] = (uint8_t)(reader->sealed_len >> 16);
    aad[3] = (uint8_t)(reader->sealed_len >> 8);
    aad[4] = (uint8_t)reader->sealed_len;
    if (label_len > 0)
        memcpy(aad + SEALED_HEAD_BYTES, reader->config.label, label_len);
    reader->is_opened = true;
    reader->source = ML_SRC_TYPE;
    return ml_decrypt_chunks(reader->config.keyring, &reader->sealed, aad,
                             SEALED_HEAD_BYTES + label_len);
}

static int take_sealed(struct ml_reader *reader, const uint8_t *data,
                       size_t len, size_t *used)
{
    size_t want = reader->sealed_len - reader->sealed.len;
    size_t room = ml_chunks_room(&reader->sealed);
    int rv;

    if (want == 0)
        return unseal(reader);
    if (len == 0)
        return ML_READER_MORE;
    if (room == 0) {
        rv = reader->config.ops->reserve(reader->config.arg, ML_CHUNK_BYTES);
        if (rv != 0)
            return rv;
        ml_chunks_grow(&reader->sealed);
        room = ML_CHUNK_BYTES;
    }
    if (len > want)
        len = want;
    if (len > room)
        len = room;
    ml_chunks_append(&reader->sealed, data, len);
    *used += len;
    return 0;
}

static int see_type(struct ml_reader *reader, struct input input)
{
    if (input.len == 0)
        return starved(reader);
    reader->source =
        input.data[0] == ML_COMPRESS ? ML_SRC_WRAPPER : ML_SRC_PLAIN;
    return 0;
}

/* How many bytes the header of a string takes; 0 if that is none. */
static size_t raw_header_len(uint8_t byte)
{
    switch (byte) {
    case 0xc0: return 1;
    case 0xc4: case 0xd9: return 2;
    case 0xc5: case 0xda: return 3;
    case 0xc6: case 0xdb: return 5;
    default: return byte >= 0xa0 && byte < 0xc0;
    }
}

/* 0 if at least want bytes are left. want 0: what is there makes no sense. */
static int has(const struct ml_reader *reader, const struct base_cursor *in,
               size_t want)
{
    if (want == 0 || want > WRAPPER_BYTES_MAX)
        return GOSSIP_EDECODE;
    return want <= base_cursor_left(in) ? 0 : starved(reader);
}

/* One key, and its value unless that is Buf: then *found, the cursor at the
 * bytes of it. */
static int read_wrapper_pair(struct ml_reader *reader, struct base_cursor *in,
                             bool *found)
{
    int rv = has(reader, in, mp_value_len(in->at, base_cursor_left(in)));
    struct mp_bytes key;

    if (rv != 0)
        return rv;
    key = mp_get_key(in);
    if (in->failed)
        return GOSSIP_EDECODE;
    *found = mp_is(key, "Buf");
    if (base_cursor_left(in) == 0)
        return starved(reader);
    rv = has(reader, in,
             *found ? raw_header_len(*in->at)
                    : mp_value_len(in->at, base_cursor_left(in)));
    if (rv != 0)
        return rv;
    if (*found)
        reader->packed_left = mp_get_raw_header(in);
    else if (!mp_is(key, "Algo"))
        mp_skip(in);
    else if (mp_get_uint(in, UINT8_MAX) != 0)
        return GOSSIP_EDECODE;
    return in->failed ? GOSSIP_EDECODE : 0;
}

/* The keys of a compress message, up to the bytes of Buf. */
static int take_wrapper(struct ml_reader *reader, struct input input,
                        size_t *used)
{
    struct base_cursor in = base_cursor_of(input.data, input.len);
    bool found = false;
    uint32_t pairs;
    int rv;

    if (input.len < 2)
        return starved(reader);
    base_cursor_u8(&in);
    /* Not mp_get_map(), for which all pairs would have to be here. */
    pairs = base_cursor_u8(&in);
    if ((pairs & 0xf0) != 0x80)
        return GOSSIP_EDECODE;
    for (pairs &= 0x0f; pairs > 0 && !found; pairs--) {
        rv = read_wrapper_pair(reader, &in, &found);
        if (rv != 0)
            return rv;
    }
    if (!found)
        return GOSSIP_EDECODE;
    take(reader, input.len - base_cursor_left(&in), used);
    reader->lzw = lzw_decoder_new();
    reader->source = ML_SRC_LZW;
    return 0;
}

static int take_lzw(struct ml_reader *reader, struct input input, size_t *used)
{
    uint8_t *room = base_buf_reserve(&reader->plain, PIECE_BYTES);
    size_t got, left, len = input.len;
    const uint8_t *at = input.data;
    enum lzw_status status;

    if (len > reader->packed_left)
        len = (size_t)reader->packed_left;
    left = len;
    status = lzw_decode(reader->lzw, &at, &left, room, PIECE_BYTES, &got);
    base_buf_commit(&reader->plain, got);
    reader->plain_total += got;
    reader->packed_left -= len - left;
    take(reader, len - left, used);
    if (reader->plain_total > ML_STREAM_PLAIN_MAX)
        return GOSSIP_ETOOBIG;
    if (status == LZW_END || status == LZW_BAD) {
        /* What came before may be a whole message; only more is an error. */
        reader->source = ML_SRC_END;
        return got > 0 ? 0 : GOSSIP_EDECODE;
    }
    if (got > 0 || left < len || status == LZW_OUT_FULL)
        return 0; /* the next piece may be there already */
    return reader->packed_left == 0 ? GOSSIP_EDECODE : starved(reader);
}

static int take_plain(struct ml_reader *reader, struct input input,
                      size_t *used)
{
    size_t len = input.len < PIECE_BYTES ? input.len : PIECE_BYTES;

    if (len == 0)
        return starved(reader);
    base_buf_append(&reader->plain, input.data, len);
    reader->plain_total += len;
    take(reader, len, used);
    return 0;
}

int ml_reader_refill(struct ml_reader *reader, const uint8_t *data, size_t len,
                     size_t *used)
{
    switch (reader->source) {
    case ML_SRC_LABEL: return take_label(reader, data, len, used);
    case ML_SRC_OUTER: return see_outer(reader, data, len);
    case ML_SRC_SEALED_HEAD: return take_sealed_head(reader, data, len, used);
    case ML_SRC_SEALED: return take_sealed(reader, data, len, used);
    case ML_SRC_TYPE: return see_type(reader, input_of(reader, data, len));
    case ML_SRC_WRAPPER:
        return take_wrapper(reader, input_of(reader, data, len), used);
    case ML_SRC_LZW:
        return take_lzw(reader, input_of(reader, data, len), used);
    case ML_SRC_PLAIN:
        return take_plain(reader, input_of(reader, data, len), used);
    case ML_SRC_END: return GOSSIP_EDECODE; /* the message wants more */
    }
    return GOSSIP_EDECODE;
}
