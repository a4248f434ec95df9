/* A job that nobody waits for any more frees itself. */
#include "gateway/file_job.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

#define FILE_MODE 0644

struct file_job {
    char *path, *text; /* to write; or text is NULL: */
    char *to;          /* to rename to */
    int status;
    file_job_fn done; /* NULL: nobody waits */
    void *arg;
    struct base_timer refused; /* the worker takes no job */
};

/* ---- on the worker --------------------------------------------------------
 */

static int last_error(void)
{
    return base_error_from_errno(errno);
}

static int write_all(int fd, const char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        ssize_t sent = write(fd, text, left);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return last_error();
        text += sent;
        left -= (size_t)sent;
    }
    return fsync(fd) < 0 ? last_error() : 0;
}

static int write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                  FILE_MODE);
    int rv;

    if (fd < 0)
        return last_error();
    rv = write_all(fd, text);
    if (close(fd) < 0 && rv == 0)
        rv = last_error();
    return rv;
}

static int sync_folder_of(const char *path)
{
    char *copy = base_strdup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rv = fd < 0 || fsync(fd) < 0 ? last_error() : 0;

    if (fd >= 0)
        close(fd);
    base_free(copy);
    return rv;
}

static void work(void *arg)
{
    struct file_job *job = arg;

    if (job->text != NULL)
        job->status = write_file(job->path, job->text);
    else if (rename(job->path, job->to) < 0)
        job->status = last_error();
    else
        job->status = sync_folder_of(job->to);
}

/* ---- on the loop ----------------------------------------------------------
 */

static void over(void *arg)
{
    struct file_job *job = arg;

    if (job->done != NULL)
        job->done(job->arg, job->status);
    base_timer_stop(&job->refused);
    base_free(job->path);
    base_free(job->text);
    base_free(job->to);
    base_free(job);
}

static struct file_job *start(struct base_env *env, struct file_job job)
{
    struct file_job *kept;
    int rv;

    BASE_NEW(kept);
    *kept = job;
    base_timer_init(&kept->refused, env, "file-job", over, kept);
    rv = base_env_submit(env, BASE_WORKER_BULK, work, over, kept);
    if (rv < 0) {
        kept->status = rv;
        base_timer_start_ns(&kept->refused, 0);
    }
    return kept;
}

struct file_job *file_job_write(struct base_env *env, const char *path,
                                const char *text, file_job_fn done, void *arg)
{
    return start(env, (struct file_job){.path = base_strdup(path),
                                        .text = base_strdup(text),
                                        .done = done,
                                        .arg = arg});
}

struct file_job *file_job_rename(struct base_env *env, const char *from,
                                 const char *to, file_job_fn done, void *arg)
{
    return start(env, (struct file_job){.path = base_strdup(from),
                                        .to = base_strdup(to),
                                        .done = done,
                                        .arg = arg});
}

void file_job_forget(struct file_job *job)
{
    if (job == NULL)
        return;
    job->done = NULL;
    if (base_timer_is_running(&job->refused))
        over(job);
}
