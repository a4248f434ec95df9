/*
 * Listening and accepting. A full descriptor table pauses accepting, 5 ms
 * doubling to 1 s: connections wait in the kernel's backlog meanwhile, and the
 * loop does not spin on a socket that stays readable.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "net_event.h"
#include "socket.h"
#include "stream_tcp.h"

#define ACCEPTS_PER_TURN 64
#define PAUSE_MIN_MS 5u
#define PAUSE_MAX_MS 1000u

struct base_listener {
    struct base_loop *loop;
    int fd;
    struct event event;
    struct base_timer pause;
    uint32_t pause_ms;
    struct base_addr addr;
    base_accept_fn accept;
    void *arg;
    bool is_any;    /* addr is not that of each connection */
    bool data_first;
    bool accepting; /* within the callback: close leaves freeing to us */
    bool closed;
    struct base_counter *pauses;
    struct base_log_limit log_limit;
};

static void pause_accepting(struct base_listener *listener, int err)
{
    struct base_env *env = &listener->loop->env;
    uint32_t ms = 2 * listener->pause_ms;

    if (ms < PAUSE_MIN_MS)
        ms = PAUSE_MIN_MS;
    if (ms > PAUSE_MAX_MS)
        ms = PAUSE_MAX_MS;
    listener->pause_ms = ms;
    event_del(&listener->event);
    base_timer_start_ms(&listener->pause, ms);
    base_counter_add(listener->pauses, 1);
    if (base_log_limit_pass(&listener->log_limit, base_env_now_ns(env)))
        base_log(&env->log, BASE_LOG_WARN, "accepting pauses",
                 kv_addr("address", &listener->addr),
                 kv_str("error", base_strerror(err)), kv_uint("ms", ms));
}

static void on_pause_over(void *arg)
{
    struct base_listener *listener = arg;

    event_add(&listener->event, NULL);
}

static struct base_stream *stream_of(const struct base_listener *listener,
                                     int fd, const struct sockaddr_storage *sa)
{
    struct base_addr local = listener->addr, peer = {0};
    struct base_stream *stream;

    if (listener->is_any)
        socket_local_addr(fd, &local);
    base_addr_from_sockaddr(&peer, (const struct sockaddr *)sa);
    stream = stream_tcp_new(listener->loop, fd, &local, &peer);
    if (listener->data_first)
        stream_tcp_read_early(stream);
    return stream;
}

/* False if accepting is over for this turn. */
static bool accept_one(struct base_listener *listener)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    int fd = accept4(listener->fd, (struct sockaddr *)&sa, &len,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno == EAGAIN)
            return false;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
            errno == ENOMEM) {
            pause_accepting(listener, base_error_from_errno(errno));
            return false;
        }
        return true; /* that one connection died in the backlog */
    }
    listener->pause_ms = 0;
    listener->accepting = true;
    stream_tcp_give(stream_of(listener, fd, &sa), listener->accept,
                    listener->arg);
    listener->accepting = false;
    if (!listener->closed)
        return true;
    base_free(listener);
    return false;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    int left = ACCEPTS_PER_TURN;

    (void)fd;
    (void)what;
    while (left-- > 0 && accept_one(arg))
        ;
}

static bool defers_accept(int fd)
{
    int seconds = 0;
    socklen_t len = sizeof(seconds);

    return getsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, &len) == 0 &&
           seconds > 0;
}

static int open_listening(const struct base_addr *at)
{
    int fd = socket_open(at, SOCK_STREAM);
    int on = 1;
    int rv;

    if (fd < 0)
        return fd;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    rv = socket_bind(fd, at);
    if (rv == 0 && listen(fd, SOMAXCONN) < 0)
        rv = base_error_from_errno(errno);
    if (rv < 0) {
        close(fd);
        return rv;
    }
    return fd;
}

struct base_listener *base_loop_listen_fd(struct base_loop *loop, int fd,
                                          base_accept_fn accept, void *arg)
{
    struct base_listener *listener;

    BASE_NEW(listener);
    *listener = (struct base_listener){
        .loop = loop, .fd = fd, .accept = accept, .arg = arg};
    socket_set_stream(fd);
    listener->pauses = base_metrics_counter(
        loop->env.metrics, "isthmus.net.accept_pauses", NULL, NULL);
    socket_local_addr(fd, &listener->addr);
    listener->is_any = base_addr_is_any(&listener->addr);
    listener->data_first = defers_accept(fd);
    base_timer_init(&listener->pause, &loop->env, "accept-pause", on_pause_over,
                    listener);
    event_assign(&listener->event, loop->base, fd, EV_READ | EV_PERSIST,
                 on_acceptable, listener);
    event_add(&listener->event, NULL);
    return listener;
}

int listen_tcp(void *ctx, const struct base_addr *at, base_accept_fn accept,
               void *arg, struct base_listener **out)
{
    int fd = open_listening(at);

    if (fd < 0)
        return fd;
    *out = base_loop_listen_fd(ctx, fd, accept, arg);
    return 0;
}

void listen_tcp_addr(const struct base_listener *listener,
                     struct base_addr *out)
{
    *out = listener->addr;
}

void base_loop_listener_empty(struct base_listener *listener)
{
    struct pollfd queue = {.fd = listener->fd, .events = POLLIN};

    while (poll(&queue, 1, 0) > 0 && accept_one(listener))
        ;
}

void listen_tcp_close(struct base_listener *listener)
{
    base_timer_stop(&listener->pause);
    event_del(&listener->event);
    close(listener->fd);
    listener->closed = true;
    if (!listener->accepting)
        base_free(listener);
}
