/* CRC-32 as in IEEE 802.3 and zlib, for the CRC wrapper (gossip.md 1.7).
 * Threads: any. */
#ifndef MEMBERLIST_CRC32_H
#define MEMBERLIST_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t ml_crc32(const void *data, size_t len);

#endif
