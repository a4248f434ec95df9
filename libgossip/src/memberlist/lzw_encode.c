/* The compressing half of memberlist's LZW (gossip.md 1.8). */
#include "memberlist/lzw.h"

#include <string.h>

#include "base/alloc.h"

#define CLEAR 256u
#define END 257u
#define LAST_CODE 4095u /* reaching it clears the table instead */

/* (prefix << 8 | byte) to code. At most 3,837 entries before a clear, so an
 * open table of 8,192 stays less than half full. A slot is key << 12 | code;
 * 0 is empty, since no code is 0. */
#define SLOTS 8192u

struct lzw_encoder {
    uint32_t slots[SLOTS];
    uint32_t current; /* code of what was matched so far */
    bool started;     /* there is a current */
    uint32_t width;
    uint32_t high;
    uint32_t limit;
    uint64_t bits; /* not yet written, low first */
    uint32_t bit_count;
    uint8_t *at; /* where output goes, in room that a step reserved */
};

/* A step of input: each byte makes a code of 12 bits at most, and there is at
 * most one clear for so many. */
#define STEP_BYTES 2048u
#define STEP_OUT_BYTES (2u * STEP_BYTES)

struct lzw_encoder *lzw_encoder_new(void)
{
    struct lzw_encoder *encoder;

    return BASE_NEW(encoder);
}

void lzw_encoder_free(struct lzw_encoder *encoder)
{
    base_free(encoder);
}

static void open_step(struct lzw_encoder *encoder, struct base_buf *out)
{
    encoder->at = base_buf_reserve(out, STEP_OUT_BYTES);
}

static void close_step(struct lzw_encoder *encoder, struct base_buf *out)
{
    base_buf_commit(out, (size_t)(encoder->at - (out->bytes + out->end)));
    encoder->at = NULL;
}

static void put(struct lzw_encoder *encoder, uint32_t code)
{
    encoder->bits |= (uint64_t)code << encoder->bit_count;
    encoder->bit_count += encoder->width;
    for (; encoder->bit_count >= 8; encoder->bit_count -= 8) {
        *encoder->at++ = (uint8_t)encoder->bits;
        encoder->bits >>= 8;
    }
}

static void clear_table(struct lzw_encoder *encoder)
{
    memset(encoder->slots, 0, sizeof(encoder->slots));
    encoder->width = 9;
    encoder->high = END;
    encoder->limit = 512;
}

/* After each code; true if the table was cleared. */
static bool bump(struct lzw_encoder *encoder)
{
    encoder->high++;
    if (encoder->high == encoder->limit) {
        encoder->width++;
        encoder->limit *= 2;
    }
    if (encoder->high != LAST_CODE)
        return false;
    put(encoder, CLEAR);
    clear_table(encoder);
    return true;
}

/* The slot of the key, or the empty one where it would go. */
static uint32_t *slot_of(struct lzw_encoder *encoder, uint32_t key)
{
    uint32_t at = (key * 2654435761u) >> 19;

    while (encoder->slots[at] != 0 && encoder->slots[at] >> 12 != key)
        at = (at + 1) % SLOTS;
    return &encoder->slots[at];
}

void lzw_encoder_begin(struct lzw_encoder *encoder, struct base_buf *out)
{
    clear_table(encoder);
    encoder->started = false;
    encoder->bits = 0;
    encoder->bit_count = 0;
    open_step(encoder, out);
    put(encoder, CLEAR);
    close_step(encoder, out);
}

static void feed_byte(struct lzw_encoder *encoder, uint8_t byte)
{
    uint32_t key = encoder->current << 8 | byte;
    uint32_t *slot = slot_of(encoder, key);

    if (*slot != 0) {
        encoder->current = *slot & 0xfff;
        return;
    }
    put(encoder, encoder->current);
    if (!bump(encoder))
        *slot = key << 12 | encoder->high;
    encoder->current = byte;
}

void lzw_encoder_feed(struct lzw_encoder *encoder, const void *data,
                      size_t len, struct base_buf *out)
{
    const uint8_t *at = data, *end = at + len;

    if (len == 0)
        return;
    if (!encoder->started)
        encoder->current = *at++;
    encoder->started = true;
    while (at < end) {
        const uint8_t *step_end =
            (size_t)(end - at) > STEP_BYTES ? at + STEP_BYTES : end;

        open_step(encoder, out);
        while (at < step_end)
            feed_byte(encoder, *at++);
        close_step(encoder, out);
    }
}

void lzw_encoder_end(struct lzw_encoder *encoder, struct base_buf *out)
{
    open_step(encoder, out);
    if (encoder->started) {
        put(encoder, encoder->current);
        bump(encoder); /* may emit one more clear, as peers do */
    }
    put(encoder, END);
    if (encoder->bit_count > 0)
        *encoder->at++ = (uint8_t)encoder->bits;
    close_step(encoder, out);
}
