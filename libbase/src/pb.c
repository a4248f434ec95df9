/*
 * protobuf-c under a budget. The budgeted allocator hands out malloc(3) blocks,
 * so that a message can be freed later without knowing its budget.
 */
#include "base/pb.h"

#include <assert.h>
#include <stdlib.h>

#define BUDGET_FIXED_BYTES (64u * 1024u)
#define BUDGET_FACTOR 32u

static void *budget_alloc(void *arg, size_t size)
{
    size_t *left = arg;

    if (size > *left)
        return NULL;
    *left -= size;
    return malloc(size != 0 ? size : 1);
}

static void budget_free(void *arg, void *ptr)
{
    (void)arg; /* what was freed again still counts: it bounds work too */
    free(ptr);
}

void *base_pb_unpack(const ProtobufCMessageDescriptor *descriptor,
                     const void *data, size_t len, size_t budget_bytes)
{
    size_t left = budget_bytes;
    ProtobufCAllocator allocator = {
        .alloc = budget_alloc, .free = budget_free, .allocator_data = &left};

    return protobuf_c_message_unpack(descriptor, &allocator, len, data);
}

size_t base_pb_budget(size_t len)
{
    if (len > (SIZE_MAX - BUDGET_FIXED_BYTES) / BUDGET_FACTOR)
        return SIZE_MAX;
    return BUDGET_FIXED_BYTES + BUDGET_FACTOR * len;
}

void base_pb_free(void *message)
{
    protobuf_c_message_free_unpacked(message, NULL);
}

void base_pb_pack(const void *message, struct base_buf *out)
{
    size_t len = protobuf_c_message_get_packed_size(message);

    base_buf_commit(
        out, protobuf_c_message_pack(message, base_buf_reserve(out, len)));
}

void *base_pb_dup(const void *message)
{
    const ProtobufCMessage *original = message;
    struct base_buf packed = BASE_BUF_INIT;
    void *copy;

    base_pb_pack(message, &packed);
    copy = base_pb_unpack(original->descriptor, base_buf_data(&packed),
                          base_buf_len(&packed), SIZE_MAX);
    base_buf_close(&packed);
    assert(copy != NULL); /* what packs, unpacks */
    return copy;
}
