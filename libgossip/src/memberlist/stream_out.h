/*
 * Whole messages made ready for a stream: compressed, encrypted, labelled
 * (gossip.md 1.1, outbound stream stack).
 */
#ifndef MEMBERLIST_STREAM_OUT_H
#define MEMBERLIST_STREAM_OUT_H

#include "memberlist/node.h"

/** Appends the stream form of message to out. dialling: with a label header.
 * 0, GOSSIP_ETOOBIG or GOSSIP_ECRYPT. */
int ml_stream_wrap(struct gossip_memberlist *ml, const struct base_buf *message,
                   bool dialling, struct base_buf *out);
/** Appends an encrypted stream frame round the plaintext. */
int ml_stream_seal(struct gossip_memberlist *ml, const struct base_buf *plain,
                   struct base_buf *out);
/** Appends a label header, if there is a label. */
void ml_put_label(struct gossip_memberlist *ml, struct base_buf *out);
/** A compress message up to the bytes of Buf, len of which the caller adds. */
void ml_put_compress_head(struct base_buf *out, uint32_t len);

#endif
