/*
 * Our own state as the bytes of a push/pull, made once and sent to many: it is
 * encoded and compressed in pieces between other work, and in large pools
 * exchanges that begin close together share one, so that neither time nor
 * memory grows with members x exchanges.
 * Threads: the loop of the node.
 */
#ifndef MEMBERLIST_FRAME_H
#define MEMBERLIST_FRAME_H

#include "memberlist/node.h"

struct ml_frame;

/** A frame of our state, with a reference. It may not be ready yet: then
 * ml_exchanges_frame_ready() is called when it is. */
struct ml_frame *ml_frame_get(struct gossip_memberlist *ml, bool join);
void ml_frame_unref(struct ml_frame *frame);
/** How many there are. */
size_t ml_frames_count(const struct gossip_memberlist *ml);
/** 0 and the bytes; ML_FRAME_BUSY while it is not ready; or an error. */
#define ML_FRAME_BUSY 1
int ml_frame_bytes(const struct ml_frame *frame, const uint8_t **data,
                   size_t *len);

/** Of exchange.c: those that wait for the frame go on. */
void ml_exchanges_frame_ready(struct gossip_memberlist *ml,
                              struct ml_frame *frame);

#endif
