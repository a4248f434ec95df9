/*
 * The header of the PROXY protocol, version 2, by which a proxy tells the next
 * one whose connection it passes on. Pure: bytes in, addresses out.
 * Source: haproxy.org/download/2.6/doc/proxy-protocol.txt, section 2.2.
 * Threads: any.
 */
#ifndef GATEWAY_PROXY_PROTOCOL_H
#define GATEWAY_PROXY_PROTOCOL_H

#include <stddef.h>

#include "base/addr.h"

#define PROXY_HEADER_BYTES_MAX 52u   /* of those that we write */
#define PROXY_HEADER_INPUT_MAX 1024u /* of those that we take */

enum proxy_header {
    PROXY_HEADER_MORE,  /* give all bytes again, with more at their end */
    PROXY_HEADER_FOUND, /* *len bytes; then the connection's own follow */
    PROXY_HEADER_BAD    /* none, of another version, broken or too long */
};

/** Reads the header at the start of data. Where it names no TCP connection (the
 * proxy's own health checks) *from and *to stay as they are. */
enum proxy_header proxy_header_read(const void *data, size_t data_len,
                                    size_t *len, struct base_addr *from,
                                    struct base_addr *to);
/** Writes one; returns its length. */
size_t proxy_header_write(const struct base_addr *from,
                          const struct base_addr *to,
                          unsigned char out[PROXY_HEADER_BYTES_MAX]);

#endif
