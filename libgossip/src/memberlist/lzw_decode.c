/*
 * The expanding half of memberlist's LZW (gossip.md 1.8). A table code is
 * taken only if it was defined since the last clear: original peers expand
 * what is left of an older table, which no honest encoder asks for.
 */
#include "memberlist/lzw.h"

#include <string.h>

#include "base/alloc.h"
#include "gossip/error.h"

#define CLEAR 256u
#define END 257u
#define NONE 0xffffu
#define CODES 4096u

struct lzw_decoder {
    uint16_t prefix[CODES];
    uint8_t suffix[CODES];
    uint8_t pending[CODES]; /* an expansion that the output had no room for */
    size_t pending_at;      /* pending[pending_at .. CODES) is to go out */
    uint32_t bits;
    uint32_t bit_count;
    uint32_t width;
    uint32_t high;
    uint32_t limit;
    uint32_t last;    /* code before this one, or NONE */
    uint32_t defined; /* codes 258 .. defined have entries */
    bool ended;
};

struct lzw_decoder *lzw_decoder_new(void)
{
    struct lzw_decoder *decoder;

    BASE_NEW(decoder);
    lzw_decoder_begin(decoder);
    return decoder;
}

void lzw_decoder_free(struct lzw_decoder *decoder)
{
    base_free(decoder);
}

static void clear_table(struct lzw_decoder *decoder)
{
    decoder->width = 9;
    decoder->high = END;
    decoder->limit = 512;
    decoder->last = NONE;
    decoder->defined = END;
}

void lzw_decoder_begin(struct lzw_decoder *decoder)
{
    clear_table(decoder);
    decoder->bits = 0;
    decoder->bit_count = 0;
    decoder->pending_at = CODES;
    decoder->ended = false;
}

static bool next_code(struct lzw_decoder *decoder, const uint8_t **in,
                      size_t *in_len, uint32_t *code)
{
    while (decoder->bit_count < decoder->width) {
        if (*in_len == 0)
            return false;
        decoder->bits |= (uint32_t)**in << decoder->bit_count;
        decoder->bit_count += 8;
        (*in)++;
        (*in_len)--;
    }
    *code = decoder->bits & ((1u << decoder->width) - 1);
    decoder->bits >>= decoder->width;
    decoder->bit_count -= decoder->width;
    return true;
}

/* Writes the string of code backwards, ending at pending[end). Chains are
 * acyclic: a prefix is always a smaller code. Returns its first byte. */
static uint8_t expand(struct lzw_decoder *decoder, uint32_t code, size_t end)
{
    size_t at = end;

    while (code > END) {
        decoder->pending[--at] = decoder->suffix[code];
        code = decoder->prefix[code];
    }
    decoder->pending[--at] = (uint8_t)code;
    decoder->pending_at = at;
    return (uint8_t)code;
}

/* Puts what the code stands for into pending; false for a bad code. */
static bool take_code(struct lzw_decoder *decoder, uint32_t code)
{
    uint8_t first;

    if (code == decoder->high && decoder->last != NONE && code > END) {
        /* The code that is being defined: its string ends as it begins. */
        first = expand(decoder, decoder->last, CODES - 1);
        decoder->pending[CODES - 1] = first;
    } else if (code < CLEAR || (code > END && code <= decoder->defined)) {
        first = expand(decoder, code, CODES);
    } else {
        return false;
    }
    if (decoder->last != NONE) {
        decoder->prefix[decoder->high] = (uint16_t)decoder->last;
        decoder->suffix[decoder->high] = first;
        decoder->defined = decoder->high;
    }
    decoder->last = code;
    decoder->high++;
    if (decoder->high < decoder->limit)
        return true;
    if (decoder->width == 12) {
        decoder->last = NONE;
        decoder->high--;
    } else {
        decoder->width++;
        decoder->limit *= 2;
    }
    return true;
}

static size_t drain(struct lzw_decoder *decoder, uint8_t *out, size_t room)
{
    size_t len = CODES - decoder->pending_at;

    if (len > room)
        len = room;
    memcpy(out, decoder->pending + decoder->pending_at, len);
    decoder->pending_at += len;
    return len;
}

enum lzw_status lzw_decode(struct lzw_decoder *decoder, const uint8_t **in,
                           size_t *in_len, uint8_t *out, size_t out_cap,
                           size_t *out_len)
{
    uint32_t code;

    *out_len = 0;
    for (;;) {
        if (decoder->pending_at < CODES)
            *out_len += drain(decoder, out + *out_len, out_cap - *out_len);
        if (decoder->pending_at < CODES)
            return LZW_OUT_FULL;
        if (decoder->ended)
            return LZW_END;
        if (!next_code(decoder, in, in_len, &code))
            return LZW_NEED_INPUT;
        if (code == CLEAR)
            clear_table(decoder);
        else if (code == END)
            decoder->ended = true;
        else if (!take_code(decoder, code))
            return LZW_BAD;
    }
}

int lzw_decode_all(struct lzw_decoder *decoder, const void *data, size_t len,
                   size_t max, struct base_buf *out)
{
    const uint8_t *in = data;
    enum lzw_status status = LZW_OUT_FULL;
    size_t total = 0;

    lzw_decoder_begin(decoder);
    while (status == LZW_OUT_FULL) {
        uint8_t *room = base_buf_reserve(out, CODES);
        size_t got;

        status = lzw_decode(decoder, &in, &len, room, CODES, &got);
        base_buf_commit(out, got);
        total += got;
        if (total > max)
            return GOSSIP_ETOOBIG;
    }
    return status == LZW_END ? 0 : GOSSIP_EDECODE;
}
