/*
 * Bytes that gather and are used up again, in blocks of one size: a body of
 * megabytes never has to be copied to grow, and gives its memory back block by
 * block while it is worked through.
 * Threads: one at a time per object.
 */
#ifndef MEMBERLIST_CHUNKS_H
#define MEMBERLIST_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#define ML_CHUNK_BYTES (64u * 1024)

struct ml_chunk_block;

/** Zero-initialise it. */
struct ml_chunks {
    struct ml_chunk_block *first;
    struct ml_chunk_block *last;
    size_t len; /* bytes that wait in all blocks */
};

void ml_chunks_close(struct ml_chunks *chunks);
/** Bytes that fit into the last block; 0: ml_chunks_grow() is next. */
size_t ml_chunks_room(const struct ml_chunks *chunks);
/** Adds a block of ML_CHUNK_BYTES. */
void ml_chunks_grow(struct ml_chunks *chunks);
/** Copies len bytes, at most ml_chunks_room(). */
void ml_chunks_append(struct ml_chunks *chunks, const void *data, size_t len);
/** The first bytes, all that one block has of them; len 0 if there are none. */
uint8_t *ml_chunks_front(const struct ml_chunks *chunks, size_t *len);
/** Drops len bytes of the front block; returns how many blocks that freed. */
size_t ml_chunks_consume(struct ml_chunks *chunks, size_t len);
/** Copies the last len bytes of those that wait. */
void ml_chunks_tail(const struct ml_chunks *chunks, void *out, size_t len);
/** Drops len bytes from the end. */
void ml_chunks_trim(struct ml_chunks *chunks, size_t len);
/** Calls each with every piece in order; stops where it returns nonzero. */
int ml_chunks_each(const struct ml_chunks *chunks,
                   int (*each)(void *arg, uint8_t *data, size_t len),
                   void *arg);

#endif
