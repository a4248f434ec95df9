#include "cli/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t put = write(fd, data, len);

        if (put < 0)
            return false;
        data += put;
        len -= (size_t)put;
    }
    return true;
}

int file_write(const char *name, const void *data, size_t len, char **why)
{
    char *part = base_asprintf("%s.part", name);
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write_all(fd, data, len) && fsync(fd) == 0 &&
              rename(part, name) == 0;

    if (!ok)
        *why = base_asprintf("%s: %s", name, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !ok)
        unlink(part);
    base_free(part);
    return ok ? 0 : BASE_EIO;
}
