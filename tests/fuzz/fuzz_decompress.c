/*
 * LZW.
 * Property: what expands, compresses and expands to itself; in pieces as at
 * once; and never past its limit.
 * needs: gossip base
 * covers: libgossip/src/memberlist/lzw_decode.c
 * covers: libgossip/src/memberlist/lzw_encode.c
 */
#include "fuzz.h"

#include "memberlist/lzw.h"

#define MAX_BYTES (1u << 18)

static void round_trip(const struct base_buf *plain)
{
    struct lzw_encoder *encoder = lzw_encoder_new();
    struct lzw_decoder *decoder = lzw_decoder_new();
    struct base_buf packed = BASE_BUF_INIT, again = BASE_BUF_INIT;

    lzw_encoder_begin(encoder, &packed);
    lzw_encoder_feed(encoder, base_buf_data(plain), base_buf_len(plain),
                     &packed);
    lzw_encoder_end(encoder, &packed);
    FUZZ_REQUIRE(lzw_decode_all(decoder, base_buf_data(&packed),
                                base_buf_len(&packed), MAX_BYTES, &again) ==
                 0);
    FUZZ_REQUIRE(base_buf_len(&again) == base_buf_len(plain));
    FUZZ_REQUIRE(base_buf_len(plain) == 0 ||
                 memcmp(base_buf_data(&again), base_buf_data(plain),
                        base_buf_len(plain)) == 0);
    base_buf_close(&packed);
    base_buf_close(&again);
    lzw_encoder_free(encoder);
    lzw_decoder_free(decoder);
}

/* Byte by byte, into a small output. */
static size_t in_pieces(struct lzw_decoder *decoder, const uint8_t *data,
                        size_t len, const struct base_buf *want)
{
    enum lzw_status status = LZW_NEED_INPUT;
    uint8_t out[7];
    size_t total = 0, at = 0;

    lzw_decoder_begin(decoder);
    while (status == LZW_OUT_FULL || (status == LZW_NEED_INPUT && at < len)) {
        const uint8_t *in = data + at;
        size_t left = status == LZW_OUT_FULL ? 0 : 1, step = left, got;

        status = lzw_decode(decoder, &in, &left, out, sizeof(out), &got);
        at += step - left;
        if (total + got <= base_buf_len(want))
            FUZZ_REQUIRE(got == 0 || memcmp(base_buf_data(want) + total, out,
                                            got) == 0);
        total += got;
        if (total > MAX_BYTES)
            break;
    }
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct lzw_decoder *decoder = lzw_decoder_new();
    struct base_buf plain = BASE_BUF_INIT, direct = BASE_BUF_INIT;
    int rv = lzw_decode_all(decoder, data, len, MAX_BYTES, &plain);
    size_t total = in_pieces(decoder, data, len, &plain);

    if (rv == 0) {
        FUZZ_REQUIRE(total == base_buf_len(&plain));
        round_trip(&plain);
    }
    base_buf_append(&direct, data, len);
    round_trip(&direct);
    base_buf_close(&plain);
    base_buf_close(&direct);
    lzw_decoder_free(decoder);
    return 0;
}
