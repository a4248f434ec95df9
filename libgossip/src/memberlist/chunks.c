/* See chunks.h. */
#include "memberlist/chunks.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

struct ml_chunk_block {
    struct ml_chunk_block *next;
    size_t start;
    size_t end;
    uint8_t bytes[ML_CHUNK_BYTES];
};

void ml_chunks_close(struct ml_chunks *chunks)
{
    while (chunks->first != NULL) {
        struct ml_chunk_block *block = chunks->first;

        chunks->first = block->next;
        base_free(block);
    }
    memset(chunks, 0, sizeof(*chunks));
}

size_t ml_chunks_room(const struct ml_chunks *chunks)
{
    return chunks->last == NULL ? 0 : ML_CHUNK_BYTES - chunks->last->end;
}

void ml_chunks_grow(struct ml_chunks *chunks)
{
    struct ml_chunk_block *block = base_alloc(sizeof(*block));

    block->next = NULL;
    block->start = 0;
    block->end = 0;
    if (chunks->last == NULL)
        chunks->first = block;
    else
        chunks->last->next = block;
    chunks->last = block;
}

void ml_chunks_append(struct ml_chunks *chunks, const void *data, size_t len)
{
    struct ml_chunk_block *block = chunks->last;

    assert(len <= ml_chunks_room(chunks));
    if (len == 0)
        return;
    memcpy(block->bytes + block->end, data, len);
    block->end += len;
    chunks->len += len;
}

uint8_t *ml_chunks_front(const struct ml_chunks *chunks, size_t *len)
{
    struct ml_chunk_block *block = chunks->first;

    *len = block == NULL ? 0 : block->end - block->start;
    return block == NULL ? NULL : block->bytes + block->start;
}

size_t ml_chunks_consume(struct ml_chunks *chunks, size_t len)
{
    struct ml_chunk_block *block = chunks->first;
    size_t freed = 0;

    if (block == NULL)
        return 0;
    assert(len <= block->end - block->start);
    block->start += len;
    chunks->len -= len;
    while (block != NULL && block->start == block->end) {
        chunks->first = block->next;
        base_free(block);
        freed++;
        block = chunks->first;
    }
    if (chunks->first == NULL)
        chunks->last = NULL;
    return freed;
}

void ml_chunks_tail(const struct ml_chunks *chunks, void *out, size_t len)
{
    const struct ml_chunk_block *block = chunks->first;
    uint8_t *to = out;
    size_t skip;

    assert(len <= chunks->len);
    skip = chunks->len - len;
    for (; block != NULL; block = block->next) {
        size_t have = block->end - block->start;
        size_t at = skip < have ? skip : have;

        memcpy(to, block->bytes + block->start + at, have - at);
        to += have - at;
        skip -= at;
    }
}

void ml_chunks_trim(struct ml_chunks *chunks, size_t len)
{
    size_t keep;
    struct ml_chunk_block *block = chunks->first;

    assert(len <= chunks->len);
    keep = chunks->len - len;
    chunks->len = keep;
    for (; block != NULL; block = block->next) {
        if (block->end - block->start > keep)
            block->end = block->start + keep;
        keep -= block->end - block->start;
    }
}

int ml_chunks_each(const struct ml_chunks *chunks,
                   int (*each)(void *arg, uint8_t *data, size_t len),
                   void *arg)
{
    struct ml_chunk_block *block;
    int rv = 0;

    for (block = chunks->first; block != NULL && rv == 0; block = block->next)
        rv = each(arg, block->bytes + block->start, block->end - block->start);
    return rv;
}
