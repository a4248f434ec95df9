/* Write aside, sync, rename, sync the folder: the order that survives power. */
#include "agent/stable_files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

#define BLOB_BYTES_MAX (1u << 20)

struct stable_files {
    struct base_env *env;
    char *folder;
};

static int write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return base_error_from_errno(errno);
        data += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0 ? 0 : base_error_from_errno(errno);
}

static int sync_folder_of(const char *path)
{
    char *copy = base_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rv = 0;

    base_free(copy);
    if (fd < 0)
        return base_error_from_errno(errno);
    if (fsync(fd) != 0)
        rv = base_error_from_errno(errno);
    close(fd);
    return rv;
}

int stable_write_file(const char *path, const void *data, size_t len)
{
    char *aside = base_asprintf("%s.tmp", path);
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int rv;

    if (fd < 0) {
        rv = base_error_from_errno(errno);
    } else {
        rv = write_all(fd, data, len);
        close(fd);
        if (rv == 0 && rename(aside, path) != 0)
            rv = base_error_from_errno(errno);
        if (rv == 0)
            rv = sync_folder_of(path);
        else
            unlink(aside);
    }
    base_free(aside);
    return rv;
}

int stable_read_file(const char *path, size_t limit, struct base_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rv = 0;

    if (fd < 0)
        return base_error_from_errno(errno);
    for (;;) {
        ssize_t n = read(fd, base_buf_reserve(out, 4096), 4096);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rv = base_error_from_errno(errno);
        if (n <= 0)
            break;
        base_buf_commit(out, (size_t)n);
        if (base_buf_len(out) > limit) {
            rv = BASE_ETOOBIG;
            break;
        }
    }
    close(fd);
    return rv;
}

static int load(void *ctx, const char *name, struct base_buf *out)
{
    struct stable_files *files = ctx;
    char *path = base_asprintf("%s/%s", files->folder, name);
    int rv = stable_read_file(path, BLOB_BYTES_MAX, out);

    base_free(path);
    return rv;
}

struct saving {
    char *path;
    void *data;
    size_t len;
    int status;
    void (*done)(void *arg, int status);
    void *arg;
};

static void save_job(void *arg)
{
    struct saving *saving = arg;

    saving->status = stable_write_file(saving->path, saving->data, saving->len);
}

static void saving_free(struct saving *saving)
{
    base_free(saving->path);
    base_free(saving->data);
    base_free(saving);
}

static void save_done(void *arg)
{
    struct saving *saving = arg;
    void (*done)(void *, int) = saving->done;
    void *done_arg = saving->arg;
    int status = saving->status;

    saving_free(saving);
    done(done_arg, status);
}

static int save(void *ctx, const char *name, const void *data, size_t len,
                void (*done)(void *arg, int status), void *arg)
{
    struct stable_files *files = ctx;
    struct saving *saving;
    int rv;

    BASE_NEW(saving);
    saving->path = base_asprintf("%s/%s", files->folder, name);
    saving->data = base_memdup(data, len);
    saving->len = len;
    saving->done = done;
    saving->arg = arg;
    rv = base_env_submit(files->env, BASE_WORKER_BULK, save_job, save_done,
                         saving);
    if (rv != 0)
        saving_free(saving);
    return rv;
}

struct stable_files *stable_files_new(struct base_env *env, const char *folder)
{
    struct stable_files *files;

    BASE_NEW(files);
    files->env = env;
    files->folder = base_strdup(folder);
    return files;
}

void stable_files_free(struct stable_files *files)
{
    if (files == NULL)
        return;
    base_free(files->folder);
    base_free(files);
}

struct server_stable stable_files_ops(struct stable_files *files)
{
    static const struct server_stable_ops ops = {.version = 1,
                                                 .load = load,
                                                 .save = save};

    return (struct server_stable){&ops, files};
}
