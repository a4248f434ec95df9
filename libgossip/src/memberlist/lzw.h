/*
 * The LZW of memberlist's compress message: least significant bit first,
 * 8-bit literals, clear 256, end 257, codes of 9 to 12 bits, 4095 never
 * assigned. Both directions work in pieces, so that neither a push/pull nor a
 * bomb has to be in memory whole. Source: gossip.md 1.8.
 * Threads: one at a time per object.
 */
#ifndef MEMBERLIST_LZW_H
#define MEMBERLIST_LZW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct lzw_encoder;

struct lzw_encoder *lzw_encoder_new(void);
void lzw_encoder_free(struct lzw_encoder *encoder);
/** Starts a new stream; feed it, then end it. The output is appended. */
void lzw_encoder_begin(struct lzw_encoder *encoder, struct base_buf *out);
void lzw_encoder_feed(struct lzw_encoder *encoder, const void *data,
                      size_t len, struct base_buf *out);
void lzw_encoder_end(struct lzw_encoder *encoder, struct base_buf *out);

enum lzw_status {
    LZW_NEED_INPUT, /* all input is used */
    LZW_OUT_FULL,   /* the output is full: take it and call again */
    LZW_END,        /* the end code came; later input is ignored */
    LZW_BAD         /* a code that means nothing here */
};

struct lzw_decoder;

struct lzw_decoder *lzw_decoder_new(void);
void lzw_decoder_free(struct lzw_decoder *decoder);
void lzw_decoder_begin(struct lzw_decoder *decoder);
/** Takes bytes from *in (moved past what was used, at most *in_len, lowered)
 * and writes at most out_cap bytes; *out_len says how many. */
enum lzw_status lzw_decode(struct lzw_decoder *decoder, const uint8_t **in,
                           size_t *in_len, uint8_t *out, size_t out_cap,
                           size_t *out_len);

/** A whole message at once, appended to out. 0; GOSSIP_EDECODE for input that
 * is bad or does not end; GOSSIP_ETOOBIG past max bytes of output. */
int lzw_decode_all(struct lzw_decoder *decoder, const void *data, size_t len,
                   size_t max, struct base_buf *out);

#endif
