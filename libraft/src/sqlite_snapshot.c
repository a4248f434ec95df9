/* Blocks with checksums in a file. */
#include "sqlite_snapshot.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "crc32c.h"
#include "raft/error.h"

#define BLOCK_BYTES (64u << 10)
#define SUM_BYTES 4u
#define MAGIC_BYTES 8u

static const char magic[MAGIC_BYTES] = {'i', 's', 't', 'h', 's', 'n', 'p', '1'};

static int write_all(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len > 0) {
        ssize_t done = write(fd, at, len);

        if (done <= 0)
            return RAFT_ESTORAGE;
        at += done;
        len -= (size_t)done;
    }
    return 0;
}

int snapshot_writer_open(struct snapshot_writer *writer, const char *path)
{
    writer->path = base_strdup(path);
    writer->fd =
        open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (writer->fd < 0 || write_all(writer->fd, magic, MAGIC_BYTES) < 0) {
        snapshot_writer_abort(writer);
        return RAFT_ESTORAGE;
    }
    return 0;
}

static int flush_block(struct snapshot_writer *writer, size_t len)
{
    uint32_t sum = crc32c(0, base_buf_data(&writer->block), len);
    uint8_t tail[SUM_BYTES] = {(uint8_t)(sum >> 24), (uint8_t)(sum >> 16),
                               (uint8_t)(sum >> 8), (uint8_t)sum};
    int rv = write_all(writer->fd, base_buf_data(&writer->block), len);

    if (rv == 0)
        rv = write_all(writer->fd, tail, sizeof(tail));
    base_buf_consume(&writer->block, len);
    return rv;
}

int snapshot_writer_add(struct snapshot_writer *writer, const void *data,
                        size_t len)
{
    int rv = 0;

    base_buf_append(&writer->block, data, len);
    while (rv == 0 && base_buf_len(&writer->block) >= BLOCK_BYTES)
        rv = flush_block(writer, BLOCK_BYTES);
    return rv;
}

static int sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rv = fd >= 0 && fsync(fd) == 0 ? 0 : RAFT_ESTORAGE;

    if (fd >= 0)
        close(fd);
    return rv;
}

int snapshot_writer_finish(struct snapshot_writer *writer,
                           const char *final_path, const char *folder)
{
    int rv = 0;

    if (base_buf_len(&writer->block) > 0)
        rv = flush_block(writer, base_buf_len(&writer->block));
    if (rv == 0 && fsync(writer->fd) < 0)
        rv = RAFT_ESTORAGE;
    if (rv == 0 && rename(writer->path, final_path) < 0)
        rv = RAFT_ESTORAGE;
    if (rv == 0)
        rv = sync_folder(folder);
    if (rv < 0) {
        snapshot_writer_abort(writer);
        return rv;
    }
    close(writer->fd);
    writer->fd = -1;
    base_buf_close(&writer->block);
    base_free(writer->path);
    writer->path = NULL;
    return 0;
}

void snapshot_writer_abort(struct snapshot_writer *writer)
{
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->path != NULL)
        unlink(writer->path);
    base_free(writer->path);
    base_buf_close(&writer->block);
    *writer = (struct snapshot_writer){.fd = -1};
}

/* ---- reading ---- */

/* One block with its sum; its content is in block[0..*len). */
static int read_block(int fd, uint64_t number, uint64_t file_bytes,
                      uint8_t *block, size_t *len)
{
    uint64_t at = MAGIC_BYTES + number * (BLOCK_BYTES + SUM_BYTES);
    uint64_t left = file_bytes - at;
    size_t want = left < BLOCK_BYTES + SUM_BYTES
                      ? (size_t)left
                      : (size_t)(BLOCK_BYTES + SUM_BYTES);
    uint32_t sum;

    if (want <= SUM_BYTES)
        return RAFT_ECORRUPT;
    if (pread(fd, block, want, (off_t)at) != (ssize_t)want)
        return RAFT_ESTORAGE;
    *len = want - SUM_BYTES;
    sum = (uint32_t)block[*len] << 24 | (uint32_t)block[*len + 1] << 16 |
          (uint32_t)block[*len + 2] << 8 | (uint32_t)block[*len + 3];
    return crc32c(0, block, *len) == sum ? 0 : RAFT_ECORRUPT;
}

static uint64_t content_bytes(uint64_t file_bytes)
{
    uint64_t body = file_bytes - MAGIC_BYTES;
    uint64_t rest = body % (BLOCK_BYTES + SUM_BYTES);

    return body / (BLOCK_BYTES + SUM_BYTES) * BLOCK_BYTES +
           (rest > SUM_BYTES ? rest - SUM_BYTES : 0);
}

static int read_blocks(int fd, uint64_t file_bytes, uint64_t offset,
                       size_t limit, struct base_buf *out)
{
    uint64_t total = content_bytes(file_bytes);
    uint8_t *block = base_alloc(BLOCK_BYTES + SUM_BYTES);
    int rv = 0;

    while (rv == 0 && limit > 0 && offset < total) {
        size_t skip = (size_t)(offset % BLOCK_BYTES);
        size_t len = 0;

        rv = read_block(fd, offset / BLOCK_BYTES, file_bytes, block, &len);
        if (rv < 0 || len <= skip)
            break;
        len -= skip;
        if (len > limit)
            len = limit;
        base_buf_append(out, block + skip, len);
        offset += len;
        limit -= len;
    }
    base_free(block);
    return rv;
}

int snapshot_file_read(const char *path, uint64_t offset, size_t limit,
                       struct base_buf *out, bool *last)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char head[MAGIC_BYTES];
    struct stat info;
    int rv;

    if (fd < 0)
        return RAFT_ESTORAGE;
    if (fstat(fd, &info) < 0 ||
        pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        memcmp(head, magic, sizeof(head)) != 0) {
        close(fd);
        return RAFT_ECORRUPT;
    }
    if (offset > content_bytes((uint64_t)info.st_size))
        rv = RAFT_EINVAL;
    else
        rv = read_blocks(fd, (uint64_t)info.st_size, offset, limit, out);
    *last = offset + base_buf_len(out) ==
            content_bytes((uint64_t)info.st_size);
    close(fd);
    return rv;
}

int snapshot_file_check(const char *path)
{
    struct base_buf piece = BASE_BUF_INIT;
    uint64_t offset = 0;
    bool last = false;
    int rv = access(path, F_OK) == 0 ? 0 : RAFT_ECORRUPT;

    while (rv == 0 && !last) {
        base_buf_reset(&piece);
        rv = snapshot_file_read(path, offset, 4 * BLOCK_BYTES, &piece, &last);
        offset += base_buf_len(&piece);
        if (rv == 0 && !last && base_buf_len(&piece) == 0)
            rv = RAFT_ECORRUPT;
    }
    base_buf_close(&piece);
    return rv;
}
