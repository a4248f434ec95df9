/*
 * Dialling: a non-blocking connect(2) with a deadline. However soon the kernel
 * knows the outcome, the user hears it from the loop.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "net_event.h"
#include "socket.h"
#include "stream_tcp.h"

struct base_dial {
    struct base_loop *loop;
    int fd; /* -1 once it failed */
    int status;
    struct base_addr to;
    struct event event;
    struct base_timer deadline;
    base_dial_fn done;
    void *arg;
};

static void close_socket(struct base_dial *dial)
{
    if (dial->fd < 0)
        return;
    event_del(&dial->event);
    close(dial->fd);
    dial->fd = -1;
}

void dial_tcp_cancel(struct base_dial *dial)
{
    base_timer_stop(&dial->deadline);
    close_socket(dial);
    base_free(dial);
}

struct given {
    base_dial_fn done;
    void *arg;
};

static void give(void *arg, struct base_stream *stream)
{
    struct given *given = arg;

    given->done(given->arg, 0, stream);
}

static void finish(struct base_dial *dial, int status)
{
    base_dial_fn done = dial->done;
    void *arg = dial->arg;
    struct base_stream *stream = NULL;

    if (status == 0) {
        struct base_addr local;

        event_del(&dial->event);
        socket_local_addr(dial->fd, &local);
        /* A dial of a free port of our own may meet itself: TCP's
         * simultaneous open. Nobody listens there. */
        if (base_addr_equal(&local, &dial->to)) {
            status = BASE_EREFUSED;
        } else {
            stream = stream_tcp_new(dial->loop, dial->fd, &local, &dial->to);
            dial->fd = -1;
        }
    }
    dial_tcp_cancel(dial);
    if (stream != NULL)
        stream_tcp_give(stream, give, &(struct given){done, arg});
    else
        done(arg, status, NULL);
}

static void on_deadline(void *arg)
{
    struct base_dial *dial = arg;

    finish(dial, dial->status);
}

static void on_connected(evutil_socket_t fd, short what, void *arg)
{
    struct base_dial *dial = arg;
    int err = 0;
    socklen_t len = sizeof(err);

    (void)what;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    finish(dial, base_error_from_errno(err));
}

static int bind_source(int fd, const struct base_addr *from)
{
    struct base_addr source = *from;
    int on = 1;

    /* The port is chosen at connect(2), where it need be unique only per
     * destination: else a busy server runs out of ports. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    source.port = 0;
    return socket_bind(fd, &source);
}

/* Begins to connect; a failure is told by the timer, which runs out at once. */
static void start(struct base_dial *dial, const struct base_addr *to,
                  uint32_t timeout_ms)
{
    struct sockaddr_storage sa;
    unsigned len = base_addr_to_sockaddr(to, &sa);

    dial->status = BASE_ETIMEOUT;
    base_timer_init(&dial->deadline, &dial->loop->env, "dial", on_deadline,
                    dial);
    event_assign(&dial->event, dial->loop->base, dial->fd, EV_WRITE,
                 on_connected, dial);
    if (connect(dial->fd, (struct sockaddr *)&sa, len) < 0 &&
        errno != EINPROGRESS) {
        dial->status = base_error_from_errno(errno);
        close_socket(dial);
        timeout_ms = 0;
    } else {
        event_add(&dial->event, NULL);
    }
    base_timer_start_ms(&dial->deadline, timeout_ms);
}

int dial_tcp(void *ctx, const struct base_addr *to,
             const struct base_addr *from, uint32_t timeout_ms,
             base_dial_fn done, void *arg, struct base_dial **out)
{
    struct base_dial *dial;
    int fd;
    int rv;

    if (from != NULL && from->family != to->family)
        return BASE_EINVAL;
    fd = socket_open(to, SOCK_STREAM);
    if (fd < 0)
        return fd;
    if (from != NULL && (rv = bind_source(fd, from)) < 0) {
        close(fd);
        return rv;
    }
    BASE_NEW(dial);
    *dial = (struct base_dial){
        .loop = ctx, .fd = fd, .to = *to, .done = done, .arg = arg};
    socket_set_stream(fd);
    start(dial, to, timeout_ms);
    if (out != NULL)
        *out = dial;
    return 0;
}
