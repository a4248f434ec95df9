/*
 * Two streams joined: what one says the other hears, both ways, until both have
 * said all. The bytes are not looked at. A reader that is slow slows its writer
 * down: at most RELAY_OUT_BYTES_MAX wait for it. An end of one direction is
 * passed on while the other goes on.
 * Threads: the loop of the streams.
 */
#ifndef GATEWAY_RELAY_H
#define GATEWAY_RELAY_H

#include "base/env.h"
#include "base/stream.h"

/* With the input buffers, what a connection can make us hold: 384 KiB. */
#define RELAY_OUT_BYTES_MAX (128u * 1024u)
#define RELAY_IN_BYTES_MAX (64u * 1024u)

struct relay;

enum relay_end_reason {
    RELAY_FINISHED, /* both sides ended in order */
    RELAY_BROKEN,   /* a side was reset; what it had sent was passed on */
    RELAY_IDLE,     /* nothing moved for too long */
    RELAY_SILENT,   /* b never said a byte, and its time ran out */
    RELAY_DRAINED,  /* the gateway ends */
    RELAY_REASONS
};

/** How it went, lent for the call of done. */
struct relay_end {
    enum relay_end_reason reason;
    uint64_t a_bytes, b_bytes; /* what each said, and was passed on */
    bool b_gave_up;            /* b ended or broke without a byte, a had not */
};

struct relay_config {
    struct base_env *env;
    struct base_stream *a, *b; /* given: the relay closes them */
    uint32_t idle_ms;          /* without a byte either way */
    uint32_t half_idle_ms;     /* the same, once a side has ended */
    uint32_t answer_ms;        /* for b's first byte; 0: no limit */
    const void *prefix;        /* b hears this first; borrowed for the call */
    size_t prefix_len;
    struct base_counter *a_bytes[2], *b_bytes[2]; /* what each said; live */
    /** Comes once, from the loop, when all is over and closed. */
    void (*done)(void *arg, const struct relay_end *end);
    void *arg;
};

/** Input that waits in the streams is passed on first. */
struct relay *relay_new(const struct relay_config *config);
/** How it went so far, but for the reason. */
struct relay_end relay_so_far(const struct relay *relay);
/** Ends it; done will not come. Not after done has. */
void relay_free(struct relay *relay);

#endif
