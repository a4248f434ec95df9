#include "cli/snapshot_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define FILE_BYTES_MAX ARCHIVE_STATE_BYTES_MAX

int snapshot_verify(const void *data, size_t len, const char *name,
                    struct archive *out, char **why)
{
    const char *fault;
    int rv = archive_unpack(data, len, ARCHIVE_STATE_BYTES_MAX, out, &fault);

    if (rv < 0)
        *why = base_asprintf("%s is not a snapshot: %s", name, fault);
    return rv;
}

static int read_file(const char *name, struct base_buf *out, char **why)
{
    FILE *file = fopen(name, "re");
    size_t got;

    if (file == NULL) {
        *why = base_asprintf("%s: %s", name, strerror(errno));
        return BASE_EIO;
    }
    do {
        got = fread(base_buf_reserve(out, 65536), 1, 65536, file);
        base_buf_commit(out, got);
    } while (got > 0 && base_buf_len(out) <= FILE_BYTES_MAX);
    fclose(file);
    return 0;
}

int snapshot_read(const char *name, struct base_buf *file, struct archive *out,
                  char **why)
{
    int rv = read_file(name, file, why);

    return rv < 0 ? rv
                  : snapshot_verify(base_buf_data(file), base_buf_len(file),
                                    name, out, why);
}
