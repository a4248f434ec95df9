/* CRC-32C (Castagnoli): the checksum of entries, snapshots and side record. */
#ifndef LIBRAFT_CRC32C_H
#define LIBRAFT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** The checksum of what crc covered so far (0 at the start) and len bytes
 * more. Pure; any thread. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
