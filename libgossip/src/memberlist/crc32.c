/* CRC-32 by table, four bytes a step: every gossip packet is checked. */
#include "memberlist/crc32.h"

#include "memberlist/crc32_table.h"

uint32_t ml_crc32(const void *data, size_t len)
{
    const uint8_t *at = data;
    uint32_t crc = UINT32_MAX;

    for (; len >= 4; len -= 4, at += 4) {
        crc ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 |
               (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = crc32_table[3][crc & 0xff] ^ crc32_table[2][crc >> 8 & 0xff] ^
              crc32_table[1][crc >> 16 & 0xff] ^ crc32_table[0][crc >> 24];
    }
    while (len-- > 0)
        crc = crc >> 8 ^ crc32_table[0][(crc ^ *at++) & 0xff];
    return ~crc;
}
