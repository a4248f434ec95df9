/*
 * What touches the disk. The original deletes the old snapshot and renames the
 * new one, and leaves it executable; here one rename does it, and the mode
 * stays 0644 (gossip.md 4.2, 9.37).
 */
#include "serf/snapshot_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "serf/core.h"
#include "serf/file.h"

#define FILE_MODE 0644
/* A million members fit several times; more is not a snapshot of ours. */
#define FILE_BYTES_MAX (1024u * 1024u * 1024u)

struct serf_snapshot_file {
    struct base_env *env;
    char *path;
    int fd; /* -1: it could not be opened again after it was replaced */
    size_t bytes;

    /* The job; the worker's while busy. */
    struct base_buf data;
    bool replace;
    bool sync;
    int status;

    bool busy;
    bool finishing; /* free it after the last job */
    struct base_buf last_data;
    serf_snapshot_file_fn done;
    void *arg;
};

static int open_for_append(const char *path, int *fd)
{
    *fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, FILE_MODE);
    return *fd < 0 ? base_error_from_errno(errno) : 0;
}

int serf_snapshot_file_open(struct base_env *env, const char *path,
                            struct base_buf *content,
                            struct serf_snapshot_file **out)
{
    struct serf_snapshot_file *file;
    int fd;
    int rv = serf_file_read(path, FILE_BYTES_MAX, content);

    if (rv < 0 && rv != BASE_ENOTFOUND)
        return rv;
    rv = open_for_append(path, &fd);
    if (rv < 0)
        return rv;
    BASE_NEW(file);
    file->env = env;
    file->path = base_strdup(path);
    file->fd = fd;
    file->bytes = base_buf_len(content);
    *out = file;
    return 0;
}

int serf_snapshot_file_cut(struct serf_snapshot_file *file, size_t len)
{
    if (ftruncate(file->fd, (off_t)len) < 0)
        return base_error_from_errno(errno);
    file->bytes = len;
    return 0;
}

bool serf_snapshot_file_is_busy(const struct serf_snapshot_file *file)
{
    return file->busy;
}

size_t serf_snapshot_file_bytes(const struct serf_snapshot_file *file)
{
    return file->bytes;
}

static void close_fd(struct serf_snapshot_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}

static void free_file(struct serf_snapshot_file *file)
{
    close_fd(file);
    base_buf_close(&file->data);
    base_buf_close(&file->last_data);
    base_free(file->path);
    base_free(file);
}

/* The old file stays open, and in place, until the new one has its name. */
static int replace(struct serf_snapshot_file *file)
{
    size_t len = base_buf_len(&file->data);
    int rv = serf_file_replace(file->path, ".compact", FILE_MODE,
                               base_buf_data(&file->data), len);

    if (rv < 0)
        return rv;
    close_fd(file);
    file->bytes = len;
    return open_for_append(file->path, &file->fd);
}

static int append(struct serf_snapshot_file *file)
{
    size_t len = base_buf_len(&file->data);
    int rv;

    if (file->fd < 0)
        return BASE_ECLOSED;
    rv = serf_file_write(file->fd, base_buf_data(&file->data), len);
    if (rv < 0) {
        /* Half a line must not be glued to the next one. */
        if (ftruncate(file->fd, (off_t)file->bytes) < 0)
            close_fd(file);
        return rv;
    }
    file->bytes += len;
    return 0;
}

static void on_job(void *arg)
{
    struct serf_snapshot_file *file = arg;

    file->status = file->replace ? replace(file) : append(file);
    if (file->status == 0 && file->sync && fsync(file->fd) < 0)
        file->status = base_error_from_errno(errno);
}

static void last_job(struct serf_snapshot_file *file);

static void on_job_done(void *arg)
{
    struct serf_snapshot_file *file = arg;

    file->busy = false;
    base_buf_reset(&file->data);
    if (file->finishing)
        last_job(file);
    else
        file->done(file->arg, file->status);
}

static void on_last_done(void *arg)
{
    free_file(arg);
}

static void take_data(struct base_buf *to, struct base_buf *from)
{
    base_buf_close(to);
    *to = *from;
    *from = (struct base_buf)BASE_BUF_INIT;
}

static void last_job(struct serf_snapshot_file *file)
{
    int rv;

    take_data(&file->data, &file->last_data);
    file->replace = false;
    file->sync = true;
    rv = base_env_submit(file->env, BASE_WORKER_BULK, on_job, on_last_done,
                         file);
    if (rv == 0)
        return;
    /* No worker takes it any more. A machine without power writes nothing;
     * otherwise this once the writing is done here. */
    if (rv != BASE_ECLOSED)
        on_job(file);
    free_file(file);
}

int serf_snapshot_file_submit(struct serf_snapshot_file *file,
                              struct base_buf *data, bool whole, bool sync,
                              serf_snapshot_file_fn done, void *arg)
{
    int rv;

    assert(!file->busy);
    take_data(&file->data, data);
    file->replace = whole;
    file->sync = sync;
    file->done = done;
    file->arg = arg;
    rv = base_env_submit(file->env, BASE_WORKER_BULK, on_job, on_job_done,
                         file);
    file->busy = rv == 0;
    return rv;
}

void serf_snapshot_file_finish(struct serf_snapshot_file *file,
                               struct base_buf *data)
{
    take_data(&file->last_data, data);
    if (!file->busy)
        last_job(file);
    else if (serf_env_has_ended(file->env))
        free_file(file);
    else
        file->finishing = true;
}
