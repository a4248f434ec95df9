/*
 * protobuf-c for untrusted input: a few bytes can ask protobuf-c for gigabytes
 * (empty sub-messages in a repeated field), so unpacking runs under a budget.
 * Threads: any.
 */
#ifndef BASE_PB_H
#define BASE_PB_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/buf.h"

/** The message in data[0..len), the caller's (base_pb_free), or NULL if it is
 * malformed or wants more than budget_bytes of memory. */
void *base_pb_unpack(const ProtobufCMessageDescriptor *descriptor,
                     const void *data, size_t len, size_t budget_bytes);
/** A budget that fits honest messages of len bytes: 64 KiB and 32 x len. */
size_t base_pb_budget(size_t len);
/** Any unpacked or copied message; NULL is fine. */
void base_pb_free(void *message);
/** Appends the packed message. */
void base_pb_pack(const void *message, struct base_buf *out);
/** A deep copy, the caller's (base_pb_free). */
void *base_pb_dup(const void *message);

#endif
