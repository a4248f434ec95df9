/*
 *   12 bytes  signature
 *    1        version 2 (high half), command: 0 LOCAL, 1 PROXY
 *    1        family: 1 IPv4, 2 IPv6 (high half), 1 stream
 *    2        length of what follows
 *   12 or 36  source and destination IP, source and destination port
 *   ...       type-length-value triples, which are passed over
 */
#include "gateway/proxy_protocol.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"

#define HEADER_BYTES 16u
#define COMMAND_LOCAL 0x20
#define COMMAND_PROXY 0x21
#define FAMILY_MAX 3    /* Unix sockets */
#define TRANSPORT_MAX 2 /* datagrams */
#define FAMILY_NONE 0x00
#define FAMILY_TCP4 0x11
#define FAMILY_TCP6 0x21

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* False if the addresses do not fit into what was announced. */
static bool read_addresses(struct base_cursor *cursor, size_t ip_len,
                           struct base_addr *from, struct base_addr *to)
{
    const uint8_t *source = base_cursor_bytes(cursor, ip_len);
    const uint8_t *target = base_cursor_bytes(cursor, ip_len);
    uint16_t source_port = base_cursor_u16be(cursor);
    uint16_t target_port = base_cursor_u16be(cursor);

    return !cursor->failed &&
           base_addr_from_ip(from, source, ip_len, source_port) == 0 &&
           base_addr_from_ip(to, target, ip_len, target_port) == 0;
}

enum proxy_header proxy_header_read(const void *data, size_t data_len,
                                    size_t *len, struct base_addr *from,
                                    struct base_addr *to)
{
    struct base_cursor cursor = base_cursor_of(data, data_len);
    size_t seen = data_len < sizeof(signature) ? data_len : sizeof(signature);
    uint8_t command, family;
    bool fits = true;
    size_t rest;

    if (memcmp(data, signature, seen) != 0)
        return PROXY_HEADER_BAD;
    if (data_len < HEADER_BYTES)
        return PROXY_HEADER_MORE;
    base_cursor_bytes(&cursor, sizeof(signature));
    command = base_cursor_u8(&cursor);
    family = base_cursor_u8(&cursor);
    rest = base_cursor_u16be(&cursor);
    if ((command != COMMAND_LOCAL && command != COMMAND_PROXY) ||
        family >> 4 > FAMILY_MAX || (family & 0x0f) > TRANSPORT_MAX ||
        HEADER_BYTES + rest > PROXY_HEADER_INPUT_MAX)
        return PROXY_HEADER_BAD;
    if (base_cursor_left(&cursor) < rest)
        return PROXY_HEADER_MORE;
    *len = HEADER_BYTES + rest;
    cursor = base_cursor_of((const uint8_t *)data + HEADER_BYTES, rest);
    if (command == COMMAND_PROXY && family == FAMILY_TCP4)
        fits = read_addresses(&cursor, 4, from, to);
    else if (command == COMMAND_PROXY && family == FAMILY_TCP6)
        fits = read_addresses(&cursor, 16, from, to);
    return fits ? PROXY_HEADER_FOUND : PROXY_HEADER_BAD;
}

size_t proxy_header_write(const struct base_addr *from,
                          const struct base_addr *to,
                          unsigned char out[PROXY_HEADER_BYTES_MAX])
{
    size_t ip_len = base_addr_ip_len(from);
    size_t rest = 2 * ip_len + 4;
    unsigned char *at = out + HEADER_BYTES;

    memcpy(out, signature, sizeof(signature));
    out[12] = COMMAND_PROXY;
    out[13] = ip_len == 4 ? FAMILY_TCP4 : FAMILY_TCP6;
    if (from->family != to->family || ip_len == 0) {
        out[13] = FAMILY_NONE;
        rest = 0;
    }
    out[14] = 0;
    out[15] = (unsigned char)rest;
    if (rest == 0)
        return HEADER_BYTES;
    memcpy(at, from->ip, ip_len);
    memcpy(at + ip_len, to->ip, ip_len);
    at += 2 * ip_len;
    *at++ = (unsigned char)(from->port >> 8);
    *at++ = (unsigned char)from->port;
    *at++ = (unsigned char)(to->port >> 8);
    *at = (unsigned char)to->port;
    return HEADER_BYTES + rest;
}
