/*
 * A ClientHello, read with a bounded cursor: records are joined first, then the
 * hello is walked once. Nothing is kept between calls, so a caller simply asks
 * again with more bytes; an answer that can be known early is given early.
 */
#include "rpc/sni.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"

#define RECORD_HANDSHAKE 0x16
#define RECORD_HEADER_BYTES 5u
#define RECORD_BYTES_MAX 16384u
#define HANDSHAKE_CLIENT_HELLO 1
#define HANDSHAKE_HEADER_BYTES 4u
#define EXTENSION_SERVER_NAME 0
#define EXTENSION_ALPN 16

/* The handshake's bytes out of their records. */
struct joined {
    uint8_t bytes[RPC_SNI_HELLO_BYTES_MAX];
    size_t len;    /* so far */
    size_t wanted; /* header and body; 0 until the header is complete */
};

/* ---- records ---- */

/* The length of the whole handshake message, once its header is there. */
static enum rpc_sni read_length(struct joined *joined)
{
    size_t body_len;

    if (joined->len > 0 && joined->bytes[0] != HANDSHAKE_CLIENT_HELLO)
        return RPC_SNI_MALFORMED;
    if (joined->len < HANDSHAKE_HEADER_BYTES)
        return RPC_SNI_MORE;
    body_len = (size_t)joined->bytes[1] << 16 | (size_t)joined->bytes[2] << 8 |
               joined->bytes[3];
    if (body_len > sizeof(joined->bytes) - HANDSHAKE_HEADER_BYTES)
        return RPC_SNI_MALFORMED;
    joined->wanted = HANDSHAKE_HEADER_BYTES + body_len;
    return RPC_SNI_MORE;
}

static enum rpc_sni add_fragment(struct joined *joined, const uint8_t *bytes,
                                 size_t len)
{
    size_t room = sizeof(joined->bytes) - joined->len;

    memcpy(joined->bytes + joined->len, bytes, len < room ? len : room);
    joined->len += len < room ? len : room;
    if (joined->wanted == 0 && read_length(joined) != RPC_SNI_MORE)
        return RPC_SNI_MALFORMED;
    return joined->wanted != 0 && joined->len >= joined->wanted
               ? RPC_SNI_FOUND
               : RPC_SNI_MORE;
}

/* One record header; *len gets the length of what follows. */
static enum rpc_sni read_record_header(struct base_cursor *cursor, bool first,
                                       size_t *len)
{
    enum rpc_sni wrong = first ? RPC_SNI_NOT_TLS : RPC_SNI_MALFORMED;
    size_t left = base_cursor_left(cursor);

    if (left >= 1 && cursor->at[0] != RECORD_HANDSHAKE)
        return wrong;
    if (left >= 2 && cursor->at[1] != 3) /* SSL 3.0 to TLS 1.3 all say 3 */
        return wrong;
    if (left < RECORD_HEADER_BYTES)
        return RPC_SNI_MORE;
    base_cursor_bytes(cursor, 3);
    *len = base_cursor_u16be(cursor);
    return *len == 0 || *len > RECORD_BYTES_MAX ? RPC_SNI_MALFORMED
                                                : RPC_SNI_FOUND;
}

/* Joins fragments until the hello is complete. */
static enum rpc_sni join(struct base_cursor *cursor, struct joined *joined)
{
    const uint8_t *start = cursor->at;
    enum rpc_sni rv;
    size_t len;

    for (;;) {
        size_t used = (size_t)(cursor->at - start);
        size_t here;

        rv = read_record_header(cursor, used == 0, &len);
        if (rv != RPC_SNI_FOUND)
            /* Headers of tiny records count too: they are not free. */
            return rv == RPC_SNI_MORE && used > RPC_SNI_INPUT_BYTES_MAX -
                                                    RECORD_HEADER_BYTES
                       ? RPC_SNI_MALFORMED
                       : rv;
        here = base_cursor_left(cursor) < len ? base_cursor_left(cursor) : len;
        rv = add_fragment(joined, cursor->at, here);
        if (rv != RPC_SNI_MORE) {
            base_cursor_bytes(cursor, here);
            return rv;
        }
        if (used + RECORD_HEADER_BYTES + len > RPC_SNI_INPUT_BYTES_MAX)
            return RPC_SNI_MALFORMED;
        if (here < len)
            return RPC_SNI_MORE;
        base_cursor_bytes(cursor, len);
    }
}

/* ---- the hello ---- */

/* A part with its length before it, as a cursor of its own. */
static struct base_cursor part_of(struct base_cursor *cursor, size_t len)
{
    const uint8_t *bytes = base_cursor_bytes(cursor, len);
    struct base_cursor part = base_cursor_of(bytes, bytes != NULL ? len : 0);

    part.failed = bytes == NULL;
    return part;
}

/* A DNS name in lower case, without a trailing dot (RFC 6066 section 3). */
static bool read_name(const uint8_t *bytes, size_t len, char out[254])
{
    size_t label_len = 0;
    size_t i;

    if (len == 0 || len > 253)
        return false;
    for (i = 0; i < len; i++) {
        bool dot = bytes[i] == '.';

        if (!dot && !isalnum(bytes[i]) && bytes[i] != '-' && bytes[i] != '_')
            return false;
        if (dot ? label_len == 0 : label_len >= 63)
            return false;
        label_len = dot ? 0 : label_len + 1;
        out[i] = (char)tolower(bytes[i]);
    }
    out[len] = '\0';
    return label_len > 0;
}

static bool read_server_name(struct base_cursor extension,
                             struct rpc_hello *out)
{
    struct base_cursor list =
        part_of(&extension, base_cursor_u16be(&extension));

    if (extension.failed || list.failed || base_cursor_left(&extension) > 0 ||
        base_cursor_left(&list) == 0 || out->server_name[0] != '\0')
        return false;
    while (base_cursor_left(&list) > 0) {
        uint8_t type = base_cursor_u8(&list);
        size_t len = base_cursor_u16be(&list);
        const uint8_t *name = base_cursor_bytes(&list, len);

        /* Host names are the only type, and only one may be given. */
        if (name == NULL || type != 0 || out->server_name[0] != '\0' ||
            !read_name(name, len, out->server_name)) {
            out->server_name[0] = '\0';
            return false;
        }
    }
    return true;
}

static bool read_alpns(struct base_cursor extension, struct rpc_hello *out)
{
    struct base_cursor list =
        part_of(&extension, base_cursor_u16be(&extension));

    if (extension.failed || list.failed || base_cursor_left(&extension) > 0)
        return false;
    while (base_cursor_left(&list) > 0) {
        size_t len = base_cursor_u8(&list);
        const uint8_t *name = base_cursor_bytes(&list, len);

        if (name == NULL || len == 0)
            return false;
        if (out->alpn_count >= RPC_HELLO_ALPNS_MAX ||
            len >= sizeof(out->alpns[0]) || memchr(name, 0, len) != NULL)
            continue;
        memcpy(out->alpns[out->alpn_count], name, len);
        out->alpns[out->alpn_count++][len] = '\0';
    }
    return true;
}

static bool read_extensions(struct base_cursor *cursor, struct rpc_hello *out)
{
    struct base_cursor list = part_of(cursor, base_cursor_u16be(cursor));

    if (list.failed || base_cursor_left(cursor) > 0)
        return false;
    while (base_cursor_left(&list) > 0) {
        uint16_t type = base_cursor_u16be(&list);
        struct base_cursor extension =
            part_of(&list, base_cursor_u16be(&list));

        if (extension.failed)
            return false;
        if (type == EXTENSION_SERVER_NAME && !read_server_name(extension, out))
            return false;
        if (type == EXTENSION_ALPN && !read_alpns(extension, out))
            return false;
    }
    return true;
}

static bool read_hello(struct base_cursor *cursor, struct rpc_hello *out)
{
    size_t suites_len;
    size_t session_id_len;

    base_cursor_bytes(cursor, 2 + 32); /* legacy version, random */
    session_id_len = base_cursor_u8(cursor);
    base_cursor_bytes(cursor, session_id_len);
    suites_len = base_cursor_u16be(cursor);
    base_cursor_bytes(cursor, suites_len);
    base_cursor_bytes(cursor, base_cursor_u8(cursor)); /* compression */
    if (cursor->failed || session_id_len > 32 || suites_len < 2 ||
        suites_len % 2 != 0)
        return false;
    /* TLS 1.2 allows a hello without extensions. */
    return base_cursor_left(cursor) == 0 || read_extensions(cursor, out);
}

enum rpc_sni rpc_hello_read(const void *data, size_t len,
                            struct rpc_hello *out)
{
    struct base_cursor cursor = base_cursor_of(data, len);
    struct joined joined;
    enum rpc_sni rv;

    memset(out, 0, sizeof(*out));
    joined.len = joined.wanted = 0;
    rv = join(&cursor, &joined);
    if (rv != RPC_SNI_FOUND)
        return rv;
    out->bytes = len - base_cursor_left(&cursor);
    cursor = base_cursor_of(joined.bytes + HANDSHAKE_HEADER_BYTES,
                            joined.wanted - HANDSHAKE_HEADER_BYTES);
    if (!read_hello(&cursor, out)) {
        memset(out, 0, sizeof(*out));
        return RPC_SNI_MALFORMED;
    }
    return out->server_name[0] != '\0' ? RPC_SNI_FOUND : RPC_SNI_NONE;
}

enum rpc_sni rpc_sni_read(const void *data, size_t len, char out[254])
{
    struct rpc_hello hello;
    enum rpc_sni rv = rpc_hello_read(data, len, &hello);

    memcpy(out, hello.server_name, sizeof(hello.server_name));
    return rv;
}
