/*
 * Whole messages made ready for a stream: compressed, encrypted, labelled
 * (gossip.md 1.1, outbound stream stack); and our own state as one of them.
 */
#ifndef MEMBERLIST_STREAM_OUT_H
#define MEMBERLIST_STREAM_OUT_H

#include "memberlist/node.h"

/** Appends the stream form of message to out. dialling: with a label header.
 * 0, GOSSIP_ETOOBIG or GOSSIP_ECRYPT. */
int ml_stream_wrap(struct gossip_memberlist *ml, const struct base_buf *message,
                   bool dialling, struct base_buf *out);
/** Appends a push/pull message with all members and the user state. */
void ml_put_state(struct gossip_memberlist *ml, bool join,
                  struct base_buf *out);

#endif
