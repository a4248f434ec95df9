/*
 * Who writes a line into an empty buffer rings the loop, which has a job write
 * the buffer out; lines that come meanwhile are the next job's. The file is
 * touched by the one job alone.
 */
#include "gateway/access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

#define PER_SECOND 1000u
#define BUFFER_BYTES_MAX (1u << 20)
#define MODE 0640

struct access_log {
    struct base_env *env;
    struct base_log log;
    char *path;
    unsigned per_second;
    struct base_counter *dropped;

    pthread_mutex_t lock; /* of these */
    struct base_buf lines;
    time_t second; /* that written counts for */
    unsigned written;
    bool rung; /* the loop will look */

    /* The loop's, lent to the job while it runs. */
    bool running;
    bool closed; /* freed when the job and the ring are over */
    struct base_buf batch;
    int fd;
    int failed; /* errno of the last job */
    atomic_bool reopen;
    struct base_log_limit limit;
};

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, MODE);
}

static void free_log(struct access_log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    pthread_mutex_destroy(&log->lock);
    base_buf_close(&log->lines);
    base_buf_close(&log->batch);
    base_free(log->path);
    base_free(log);
}

/* ---- the job --------------------------------------------------------------
 */

static void lose_batch(struct access_log *log, int error)
{
    const uint8_t *at = base_buf_data(&log->batch);
    size_t i, lines = 0;

    for (i = 0; i < base_buf_len(&log->batch); i++)
        lines += at[i] == '\n';
    base_counter_add(log->dropped, lines);
    base_buf_reset(&log->batch);
    log->failed = error;
}

static void write_batch(void *arg)
{
    struct access_log *log = arg;

    log->failed = 0;
    if (atomic_exchange(&log->reopen, false) || log->fd < 0) {
        if (log->fd >= 0)
            close(log->fd);
        log->fd = open_file(log->path);
        if (log->fd < 0) {
            lose_batch(log, errno);
            return;
        }
    }
    while (base_buf_len(&log->batch) > 0) {
        ssize_t sent = write(log->fd, base_buf_data(&log->batch),
                             base_buf_len(&log->batch));

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            lose_batch(log, errno);
            return;
        }
        base_buf_consume(&log->batch, (size_t)sent);
    }
}

static void unring(struct access_log *log)
{
    pthread_mutex_lock(&log->lock);
    log->rung = false;
    pthread_mutex_unlock(&log->lock);
}

static void run_job(struct access_log *log);

static void on_written(void *arg)
{
    struct access_log *log = arg;

    log->running = false;
    if (log->failed != 0 &&
        base_log_limit_pass(&log->limit, base_env_now_ns(log->env)))
        base_log(&log->log, BASE_LOG_WARN, "cannot write the access log",
                 kv_str("path", log->path),
                 kv_str("error",
                        base_strerror(base_error_from_errno(log->failed))));
    run_job(log);
}

/* Starts the job if there is something to write; else the ring is over. */
static void run_job(struct access_log *log)
{
    bool work;

    pthread_mutex_lock(&log->lock);
    work = base_buf_len(&log->lines) > 0 || atomic_load(&log->reopen);
    if (work) {
        struct base_buf empty = log->batch;

        log->batch = log->lines;
        log->lines = empty;
        base_buf_reset(&log->lines);
    }
    log->rung = work;
    pthread_mutex_unlock(&log->lock);
    log->running = work && base_env_submit(log->env, BASE_WORKER_BULK,
                                           write_batch, on_written, log) == 0;
    if (work && !log->running) { /* the loop ends: this is the last chance */
        write_batch(log);
        unring(log);
    }
    if (log->closed && !log->running)
        free_log(log);
}

static void on_ring(void *arg)
{
    run_job(arg);
}

/* With the lock held. */
static bool ring(struct access_log *log)
{
    bool ring = !log->rung;

    log->rung = true;
    return ring;
}

/* ---- lines ----------------------------------------------------------------
 */

static bool may_write(struct access_log *log, time_t second)
{
    if (second != log->second) {
        log->second = second;
        log->written = 0;
    }
    return base_buf_len(&log->lines) < BUFFER_BYTES_MAX &&
           log->written++ < log->per_second;
}

static void append(struct access_log *log, const struct timespec *now,
                   const struct access_line *line)
{
    char from[BASE_ADDR_TEXT_MAX], to[BASE_ADDR_TEXT_MAX] = "-";
    char when[32];
    struct tm utc;

    gmtime_r(&now->tv_sec, &utc);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
    if (line->to != NULL)
        base_addr_format(line->to, to);
    base_buf_printf(&log->lines,
                    "%s.%03ldZ from=%s name=%s to=%s in=%" PRIu64
                    " out=%" PRIu64 " ms=%" PRIu64 " end=%s\n",
                    when, now->tv_nsec / 1000000,
                    base_addr_format(line->from, from),
                    *line->name != '\0' ? line->name : "-", to, line->bytes_in,
                    line->bytes_out, line->ms, line->end);
}

void access_log_write(struct access_log *log, const struct access_line *line)
{
    struct timespec now;
    bool may, must_ring = false;

    clock_gettime(CLOCK_REALTIME, &now);
    pthread_mutex_lock(&log->lock);
    may = may_write(log, now.tv_sec);
    if (may) {
        append(log, &now, line);
        must_ring = ring(log);
    }
    pthread_mutex_unlock(&log->lock);
    if (!may)
        base_counter_add(log->dropped, 1);
    if (must_ring && base_env_post(log->env, on_ring, log) < 0)
        unring(log);
}

/* ---- life -----------------------------------------------------------------
 */

int access_log_open(struct base_env *env, const char *path, unsigned per_second,
                    struct access_log **out)
{
    struct access_log *log;
    int fd = open_file(path);

    if (fd < 0)
        return base_error_from_errno(errno);
    BASE_NEW(log);
    log->env = env;
    log->log = base_log_named(&env->log, "gateway");
    log->path = base_strdup(path);
    log->per_second = per_second > 0 ? per_second : PER_SECOND;
    log->fd = fd;
    log->dropped = base_metrics_counter(
        env->metrics, "isthmus.gateway.access_log.dropped", NULL, NULL);
    pthread_mutex_init(&log->lock, NULL);
    *out = log;
    return 0;
}

void access_log_reopen(struct access_log *log)
{
    bool must_ring;

    atomic_store(&log->reopen, true);
    pthread_mutex_lock(&log->lock);
    must_ring = ring(log);
    pthread_mutex_unlock(&log->lock);
    if (must_ring)
        run_job(log);
}

void access_log_close(struct access_log *log)
{
    bool must_ring;

    if (log == NULL)
        return;
    log->closed = true;
    pthread_mutex_lock(&log->lock);
    must_ring = ring(log);
    pthread_mutex_unlock(&log->lock);
    if (must_ring)
        run_job(log);
}
