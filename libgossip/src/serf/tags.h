/*
 * Tags and their encoded form, a node's meta data: 0xff and a map, or the bare
 * role of a node that speaks serf protocol 2 (gossip.md 3.2).
 */
#ifndef SERF_TAGS_H
#define SERF_TAGS_H

#include "base/buf.h"
#include "gossip/serf.h"

/** Decoded: sorted by key, keys unique, all text in one block. */
struct serf_tags {
    struct gossip_tag *tags;
    size_t count;
    char *text;
};

/** Appends the meta for tags in any order; below protocol 3 that is the role
 * alone. GOSSIP_EMETA over 512 bytes; GOSSIP_EINVAL for a key that comes twice
 * (out is then unchanged). */
int serf_tags_encode(struct base_buf *out, const struct gossip_tag *tags,
                     size_t count, uint8_t protocol);
/** What is malformed gives no tags and GOSSIP_EDECODE. Close it either way. */
int serf_tags_decode(struct serf_tags *out, const void *meta, size_t len);
void serf_tags_close(struct serf_tags *tags);

#endif
