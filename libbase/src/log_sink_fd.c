/*
 * The log sink on a file descriptor: each record is one line and one write(2),
 * so that lines of several threads do not mix. A line that the kernel does not
 * take is lost: logging never stops the program.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"

struct sink_fd {
    struct base_log_sink base; /* first: the public face */
    int fd;
    bool json;
};

static int64_t wall_ns(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void write_line(void *ctx, const struct base_log_record *record)
{
    const struct sink_fd *sink = ctx;
    char *line = sink->json ? base_log_render_json(record)
                            : base_log_render_text(record);
    size_t len = strlen(line);
    ssize_t written;

    line[len] = '\n'; /* in place of the NUL */
    do {
        written = write(sink->fd, line, len + 1);
    } while (written < 0 && errno == EINTR);
    base_free(line);
}

struct base_log_sink *base_log_sink_fd(int fd, bool json)
{
    struct sink_fd *sink;

    BASE_NEW(sink);
    sink->fd = fd;
    sink->json = json;
    sink->base = (struct base_log_sink){
        .write = write_line, .wall_ns = wall_ns, .ctx = sink};
    return &sink->base;
}

void base_log_sink_free(struct base_log_sink *sink)
{
    base_free(sink == NULL ? NULL : sink->ctx);
}
