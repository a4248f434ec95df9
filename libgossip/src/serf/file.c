/* Files of serf: the keyring and the snapshot. */
#include "serf/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

#define CHUNK_BYTES 65536u

static int read_all(int fd, size_t bytes_max, struct base_buf *out)
{
    for (;;) {
        ssize_t got = read(fd, base_buf_reserve(out, CHUNK_BYTES), CHUNK_BYTES);

        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return base_error_from_errno(errno);
        if (got > 0)
            base_buf_commit(out, (size_t)got);
        if (base_buf_len(out) > bytes_max)
            return BASE_ETOOBIG;
    }
}

int serf_file_read(const char *path, size_t bytes_max, struct base_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rv;

    if (fd < 0)
        return base_error_from_errno(errno);
    rv = read_all(fd, bytes_max, out);
    (void)close(fd);
    return rv;
}

int serf_file_write(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len > 0) {
        ssize_t put = write(fd, at, len);

        if (put < 0 && errno != EINTR)
            return base_error_from_errno(errno);
        if (put > 0) {
            at += put;
            len -= (size_t)put;
        }
    }
    return 0;
}

/* The name of a new file is durable once its folder is. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? base_strdup(".")
                   : slash == path ? base_strdup("/")
                                   : base_strndup(path, (size_t)(slash - path));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rv = 0;

    base_free(folder);
    if (fd < 0)
        return base_error_from_errno(errno);
    if (fsync(fd) < 0)
        rv = base_error_from_errno(errno);
    (void)close(fd);
    return rv;
}

static int write_new(const char *path, mode_t mode, const void *data,
                     size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    int rv;

    if (fd < 0)
        return base_error_from_errno(errno);
    /* The mode of a leftover, and the umask, do not count. */
    rv = fchmod(fd, mode) < 0 ? base_error_from_errno(errno)
                              : serf_file_write(fd, data, len);
    if (rv == 0 && fsync(fd) < 0)
        rv = base_error_from_errno(errno);
    if (close(fd) < 0 && rv == 0)
        rv = base_error_from_errno(errno);
    return rv;
}

int serf_file_replace(const char *path, const char *suffix, mode_t mode,
                      const void *data, size_t len)
{
    char *beside = base_asprintf("%s%s", path, suffix);
    int rv = write_new(beside, mode, data, len);

    if (rv == 0 && rename(beside, path) < 0)
        rv = base_error_from_errno(errno);
    if (rv < 0)
        (void)unlink(beside);
    else
        rv = sync_folder(path);
    base_free(beside);
    return rv;
}
