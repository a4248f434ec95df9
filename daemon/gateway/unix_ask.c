/* libevent's buffers over one connection, which is closed with the answer. */
#include "gateway/unix_ask.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/error.h"

#define ANSWER_BYTES_MAX (8u << 20)

struct unix_ask {
    struct bufferevent *stream;
    struct base_timer end; /* its deadline, or what came is told soon */
    int status;
    unix_ask_fn done;
    void *arg;
};

static void on_end(void *arg)
{
    struct unix_ask *ask = arg;
    struct evbuffer *input = bufferevent_get_input(ask->stream);
    size_t len = ask->status == 0 ? evbuffer_get_length(input) : 0;
    char *answer = base_alloc(len + 1);
    unix_ask_fn done = ask->done;
    void *done_arg = ask->arg;
    int status = ask->status;

    evbuffer_remove(input, answer, len);
    answer[len] = '\0';
    unix_ask_free(ask);
    done(done_arg, status, answer);
    base_free(answer);
}

static void end(struct unix_ask *ask, int status)
{
    ask->status = status;
    bufferevent_disable(ask->stream, EV_READ | EV_WRITE);
    base_timer_start_ns(&ask->end, 0);
}

static void on_readable(struct bufferevent *stream, void *arg)
{
    if (evbuffer_get_length(bufferevent_get_input(stream)) > ANSWER_BYTES_MAX)
        end(arg, BASE_EFULL);
}

static void on_event(struct bufferevent *stream, short events, void *arg)
{
    (void)stream;
    if (events & BEV_EVENT_EOF)
        end(arg, 0);
    else if (events & BEV_EVENT_ERROR)
        end(arg, base_error_from_errno(EVUTIL_SOCKET_ERROR()));
}

static int connect_to(struct unix_ask *ask, const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(at.sun_path))
        return BASE_EINVAL;
    strcpy(at.sun_path, path);
    if (bufferevent_socket_connect(ask->stream, (struct sockaddr *)&at,
                                   sizeof(at)) != 0)
        return base_error_from_errno(errno);
    return 0;
}

struct unix_ask *unix_ask_start(struct base_loop *loop, const char *path,
                                const char *line, uint32_t timeout_ms,
                                unix_ask_fn done, void *arg)
{
    struct unix_ask *ask;
    int rv;

    BASE_NEW(ask);
    ask->status = BASE_ETIMEOUT;
    ask->done = done;
    ask->arg = arg;
    base_timer_init(&ask->end, base_loop_env(loop), "unix-ask", on_end, ask);
    base_timer_start_ms(&ask->end, timeout_ms);
    ask->stream = bufferevent_socket_new(base_loop_event_base(loop), -1,
                                         BEV_OPT_CLOSE_ON_FREE |
                                             BEV_OPT_DEFER_CALLBACKS);
    bufferevent_setcb(ask->stream, on_readable, NULL, on_event, ask);
    rv = connect_to(ask, path);
    if (rv < 0) {
        end(ask, rv);
        return ask;
    }
    evbuffer_add(bufferevent_get_output(ask->stream), line, strlen(line));
    bufferevent_enable(ask->stream, EV_READ | EV_WRITE);
    return ask;
}

void unix_ask_free(struct unix_ask *ask)
{
    if (ask == NULL)
        return;
    base_timer_stop(&ask->end);
    bufferevent_free(ask->stream);
    base_free(ask);
}
