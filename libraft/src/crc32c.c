/*
 * CRC-32C, reflected polynomial 0x82f63b78 (RFC 3720 appendix B.4), eight
 * bytes a round from eight tables. The tables are made at the first use, once,
 * whatever thread comes first. Where the processor has the instruction for
 * this very polynomial, it is used: a log entry passes here on every server.
 */
#include "crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u

static uint32_t tables[8][256];
static bool has_instruction;
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void tables_make(void)
{
    uint32_t byte;
    unsigned bit, slice;

    for (byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;

        for (bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ ((crc & 1u) != 0 ? POLYNOMIAL : 0);
        tables[0][byte] = crc;
    }
    for (slice = 1; slice < 8; slice++) {
        for (byte = 0; byte < 256; byte++) {
            uint32_t before = tables[slice - 1][byte];

            tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xffu];
        }
    }
#if defined(__x86_64__)
    has_instruction = __builtin_cpu_supports("sse4.2") != 0;
#endif
}

static uint32_t load_u32le(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

static uint32_t by_tables(uint32_t crc, const uint8_t *at, size_t len)
{
    for (; len >= 8; at += 8, len -= 8) {
        uint32_t low = crc ^ load_u32le(at);
        uint32_t high = load_u32le(at + 4);

        crc = tables[7][low & 0xffu] ^ tables[6][(low >> 8) & 0xffu] ^
              tables[5][(low >> 16) & 0xffu] ^ tables[4][low >> 24] ^
              tables[3][high & 0xffu] ^ tables[2][(high >> 8) & 0xffu] ^
              tables[1][(high >> 16) & 0xffu] ^ tables[0][high >> 24];
    }
    for (; len > 0; at++, len--)
        crc = (crc >> 8) ^ tables[0][(crc ^ *at) & 0xffu];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const uint8_t *at, size_t len)
{
    uint64_t wide = crc;

    for (; len >= 8; at += 8, len -= 8) {
        uint64_t word;

        memcpy(&word, at, sizeof(word));
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; len > 0; at++, len--)
        crc = __builtin_ia32_crc32qi(crc, *at);
    return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    pthread_once(&tables_once, tables_make);
#if defined(__x86_64__)
    if (has_instruction)
        return ~by_instruction(~crc, data, len);
#endif
    return ~by_tables(~crc, data, len);
}
