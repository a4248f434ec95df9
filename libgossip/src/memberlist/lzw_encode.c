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
    uint32_t bits; /* not yet written, low first */
    uint32_t bit_count;
};

struct lzw_encoder *lzw_encoder_new(void)
{
    struct lzw_encoder *encoder;

    return BASE_NEW(encoder);
}

void lzw_encoder_free(struct lzw_encoder *encoder)
{
    base_free(encoder);
}

static void put(struct lzw_encoder *encoder, uint32_t code,
                struct base_buf *out)
{
    encoder->bits |= code << encoder->bit_count;
    encoder->bit_count += encoder->width;
    while (encoder->bit_count >= 8) {
        base_buf_append_u8(out, (uint8_t)encoder->bits);
        encoder->bits >>= 8;
        encoder->bit_count -= 8;
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
static bool bump(struct lzw_encoder *encoder, struct base_buf *out)
{
    encoder->high++;
    if (encoder->high == encoder->limit) {
        encoder->width++;
        encoder->limit *= 2;
    }
    if (encoder->high != LAST_CODE)
        return false;
    put(encoder, CLEAR, out);
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
    put(encoder, CLEAR, out);
}

static void feed_byte(struct lzw_encoder *encoder, uint8_t byte,
                      struct base_buf *out)
{
    uint32_t key = encoder->current << 8 | byte;
    uint32_t *slot = slot_of(encoder, key);

    if (*slot != 0) {
        encoder->current = *slot & 0xfff;
        return;
    }
    put(encoder, encoder->current, out);
    if (!bump(encoder, out))
        *slot = key << 12 | encoder->high;
    encoder->current = byte;
}

void lzw_encoder_feed(struct lzw_encoder *encoder, const void *data,
                      size_t len, struct base_buf *out)
{
    const uint8_t *bytes = data;
    size_t i = 0;

    if (len == 0)
        return;
    if (!encoder->started) {
        encoder->current = bytes[i++];
        encoder->started = true;
    }
    for (; i < len; i++)
        feed_byte(encoder, bytes[i], out);
}

void lzw_encoder_end(struct lzw_encoder *encoder, struct base_buf *out)
{
    if (encoder->started) {
        put(encoder, encoder->current, out);
        bump(encoder, out); /* may emit one more clear, as peers do */
    }
    put(encoder, END, out);
    if (encoder->bit_count > 0)
        base_buf_append_u8(out, (uint8_t)encoder->bits);
}
