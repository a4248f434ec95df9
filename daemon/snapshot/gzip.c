/* gzip by zlib, in memory: what it unpacks to is bounded by the caller. */
#include <assert.h>
#include <string.h>
#include <zlib.h>

#include "base/error.h"
#include "snapshot/archive.h"

#define WINDOW_GZIP (15 + 16)
#define STEP_BYTES (64u << 10)

void gzip_pack(const void *data, size_t len, struct base_buf *out)
{
    z_stream stream;
    size_t room;
    int rv;

    memset(&stream, 0, sizeof(stream));
    rv = deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_GZIP,
                      8, Z_DEFAULT_STRATEGY);
    assert(rv == Z_OK);
    room = deflateBound(&stream, len);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)len;
    stream.next_out = base_buf_reserve(out, room);
    stream.avail_out = (uInt)room;
    rv = deflate(&stream, Z_FINISH);
    assert(rv == Z_STREAM_END);
    base_buf_commit(out, room - stream.avail_out);
    deflateEnd(&stream);
}

int gzip_unpack(const void *data, size_t len, size_t limit,
                struct base_buf *out)
{
    size_t before = base_buf_len(out);
    z_stream stream;
    int rv = Z_OK;

    memset(&stream, 0, sizeof(stream));
    if (len > UINT32_MAX || inflateInit2(&stream, WINDOW_GZIP) != Z_OK)
        return BASE_EPARSE;
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)len;
    while (rv == Z_OK && base_buf_len(out) - before <= limit) {
        stream.next_out = base_buf_reserve(out, STEP_BYTES);
        stream.avail_out = STEP_BYTES;
        rv = inflate(&stream, Z_NO_FLUSH);
        base_buf_commit(out, STEP_BYTES - stream.avail_out);
    }
    inflateEnd(&stream);
    if (base_buf_len(out) - before > limit)
        return BASE_ETOOBIG;
    return rv == Z_STREAM_END && stream.avail_in == 0 ? 0 : BASE_EPARSE;
}
