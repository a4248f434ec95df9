/*
 * Connections. evhttp keeps them to itself, and that is not enough here: their
 * number must have a limit, a request must arrive in a bounded time however
 * slowly its bytes drip, and a client that goes away while its blocking query
 * waits must be noticed at once (evhttp does not read then).
 *
 * evhttp lets us make the bufferevent of each connection. It then makes itself
 * the callbacks' argument of it; so, right after, that argument is the
 * evhttp_connection, and from there on all is public: a callback for its end,
 * its buffers, its socket.
 */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "http/internal.h"

void http_count_refused(struct http *http, const char *reason)
{
    base_counter_add(base_metrics_counter(http->env->metrics,
                                          "isthmus.http.refused", "reason",
                                          reason),
                     1);
}

static void show_count(struct http *http)
{
    base_gauge_set(http->gauge_connections, (int64_t)http->conn_count);
}

/* ---- the end of one ------------------------------------------------------- */

static void stop_watching(struct http_conn *conn)
{
    if (conn->watched)
        event_del(&conn->gone);
    conn->watched = false;
}

static void conn_free(struct http_conn *conn)
{
    struct http *http = conn->http;

    stop_watching(conn);
    base_timer_stop(&conn->deadline);
    if (conn->request)
        web_request_drop(conn->request);
    if (conn->on_input)
        evbuffer_remove_cb_entry(bufferevent_get_input(conn->bev),
                                 conn->on_input);
    http_page_unwatch(conn);
    if (conn->fd >= 0)
        http->by_fd[conn->fd] = NULL;
    LIST_REMOVE(conn, link);
    http->conn_count--;
    http->uploads -= conn->upload;
    show_count(http);
    base_free(conn);
}

static void on_close(struct evhttp_connection *evcon, void *arg)
{
    (void)evcon;
    conn_free(arg);
}

/* ---- time ----------------------------------------------------------------- */

static void on_deadline(void *arg)
{
    struct http_conn *conn = arg;

    http_count_refused(conn->http, conn->too_many ? "connections" : "slow");
    evhttp_connection_free(conn->evcon); /* comes back in on_close() */
}

/* ---- snapshots ------------------------------------------------------------ */

static void allow_body(struct http_conn *conn, size_t limit)
{
    evhttp_connection_set_max_body_size(conn->evcon, (ev_ssize_t)limit);
    bufferevent_setwatermark(conn->bev, EV_READ, 0,
                             limit + 2u * HTTP_HEADER_BYTES_MAX);
}

size_t http_conn_body_limit(const struct http_conn *conn)
{
    return conn->upload ? conn->http->config.config->snapshot_bytes_max
                        : WEB_BODY_BYTES_MAX;
}

/* Only a snapshot may be long, and evhttp wants to know before it has read who
 * is meant: so we read the beginning of a request, too. */
static void look(struct http_conn *conn, struct evbuffer *input)
{
    static const char begin[] = "PUT /v1/snapshot";
    char got[sizeof(begin) - 1];

    if (conn->looked || evbuffer_get_length(input) < sizeof(got))
        return;
    conn->looked = true;
    evbuffer_copyout(input, got, sizeof(got));
    if (memcmp(got, begin, sizeof(got)) != 0 ||
        conn->http->uploads >= HTTP_UPLOADS_MAX)
        return;
    conn->upload = true;
    conn->http->uploads++;
    allow_body(conn, http_conn_body_limit(conn));
    base_timer_start_ms(&conn->deadline, HTTP_UPLOAD_TIMEOUT_MS);
}

static void look_anew(struct http_conn *conn)
{
    conn->looked = false;
    if (!conn->upload)
        return;
    conn->upload = false;
    conn->http->uploads--;
    allow_body(conn, HTTP_BODY_BYTES_HARD_MAX);
}

/* The first byte of a request: the rest has its time from now on. */
static void on_input(struct evbuffer *buffer,
                     const struct evbuffer_cb_info *info, void *arg)
{
    struct http_conn *conn = arg;

    if (info->n_added == 0 || conn->request != NULL)
        return;
    if (!base_timer_is_running(&conn->deadline))
        base_timer_start_ms(&conn->deadline, HTTP_REQUEST_TIMEOUT_MS);
    look(conn, buffer);
}

static void on_sent(struct evhttp_request *raw, void *arg)
{
    struct http_conn *conn = arg;

    (void)raw;
    conn->ours = false;
    base_timer_stop(&conn->deadline);
    look_anew(conn);
    /* What it sent ahead is the next request's beginning. */
    if (evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0) {
        base_timer_start_ms(&conn->deadline, HTTP_REQUEST_TIMEOUT_MS);
        look(conn, bufferevent_get_input(conn->bev));
    }
}

void http_conn_answered(struct http_conn *conn)
{
    stop_watching(conn);
    conn->request = NULL;
    base_timer_start_ms(&conn->deadline, HTTP_ANSWER_TIMEOUT_MS);
}

void http_conn_streams(struct http_conn *conn)
{
    /* libevent reads while it writes, and takes no edge beside its own event. */
    stop_watching(conn);
}

/* ---- the client that goes away -------------------------------------------- */

static void on_gone(evutil_socket_t fd, short events, void *arg)
{
    struct http_conn *conn = arg;
    struct pollfd state = {.fd = fd, .events = POLLRDHUP};

    (void)events;
    /* Bytes of a next request wake us too; they wait their turn. */
    if (poll(&state, 1, 0) > 0)
        evhttp_connection_free(conn->evcon);
}

void http_conn_busy(struct http_conn *conn, struct web_request *request)
{
    base_timer_stop(&conn->deadline);
    conn->request = request;
    conn->ours = true;
    evhttp_request_set_on_complete_cb(request->raw, on_sent, conn);
    /* Edges: a reset or bytes sent ahead would else wake us for ever. evhttp
     * has no event on this socket until we answer. */
    event_assign(&conn->gone, evhttp_connection_get_base(conn->evcon),
                 conn->fd, EV_READ | EV_CLOSED | EV_ET | EV_PERSIST, on_gone,
                 conn);
    conn->watched = event_add(&conn->gone, NULL) == 0;
}

/* ---- the beginning -------------------------------------------------------- */

static void remember_fd(struct http *http, struct http_conn *conn)
{
    size_t needed = (size_t)conn->fd + 1;

    if (needed > http->by_fd_count) {
        size_t count = http->by_fd_count * 2 > needed ? http->by_fd_count * 2
                                                      : needed + 64;

        http->by_fd =
            base_reallocarray(http->by_fd, count, sizeof(*http->by_fd));
        memset(http->by_fd + http->by_fd_count, 0,
               (count - http->by_fd_count) * sizeof(*http->by_fd));
        http->by_fd_count = count;
    }
    http->by_fd[conn->fd] = conn;
}

static void log_too_many(struct http *http)
{
    if (base_log_limit_pass(&http->log_limit, base_env_now_ns(http->env)))
        base_log(&http->log, BASE_LOG_WARN, "too many connections",
                 kv_uint("limit", http->conns_max));
}

/* An answer that takes several writes must not wait for a late acknowledgement
 * of the first (Nagle); and it takes few. No TCP on a Unix socket: no matter. */
static void send_at_once(struct http_conn *conn)
{
    int on = 1;

    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)bufferevent_set_max_single_write(conn->bev, HTTP_WRITE_BYTES_MAX);
}

static void adopt(struct http_conn *conn)
{
    struct http *http = conn->http;
    struct bufferevent *bev = conn->bev;
    void *evcon = NULL;

    bufferevent_getcb(bev, NULL, NULL, NULL, &evcon);
    LIST_REMOVE(conn, link);
    LIST_INSERT_HEAD(&http->conns, conn, link);
    if (evcon == NULL) { /* evhttp could not use it */
        conn_free(conn);
        bufferevent_decref(bev);
        return;
    }
    conn->evcon = evcon;
    assert(evhttp_connection_get_bufferevent(conn->evcon) == bev);
    bufferevent_decref(bev);
    conn->fd = bufferevent_getfd(bev);
    send_at_once(conn);
    remember_fd(http, conn);
    conn->on_input =
        evbuffer_add_cb(bufferevent_get_input(bev), on_input, conn);
    http_page_watch(conn);
    evhttp_connection_set_closecb(conn->evcon, on_close, conn);
    if (conn->too_many) {
        log_too_many(http);
        base_timer_start_ms(&conn->deadline, 0);
    } else if (conn->handshakes) {
        base_timer_start_ms(&conn->deadline, HTTP_REQUEST_TIMEOUT_MS);
    }
}

static void adopt_all(struct http *http)
{
    while (!LIST_EMPTY(&http->fresh))
        adopt(LIST_FIRST(&http->fresh));
}

static void on_adopt(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    adopt_all(arg);
}

void http_conn_new(struct http *http, struct bufferevent *bev, bool handshakes)
{
    struct http_conn *conn;

    bufferevent_setwatermark(bev, EV_READ, 0, HTTP_INPUT_BYTES_MAX);
    bufferevent_incref(bev); /* until it is adopted */
    BASE_NEW(conn);
    conn->http = http;
    conn->bev = bev;
    conn->fd = -1;
    conn->handshakes = handshakes;
    base_timer_init(&conn->deadline, http->env, "http", on_deadline, conn);
    LIST_INSERT_HEAD(&http->fresh, conn, link);
    conn->too_many = ++http->conn_count > http->conns_max;
    show_count(http);
    event_active(http->adopt, EV_TIMEOUT, 0);
}

struct http_conn *http_conn_of(struct http *http, struct evhttp_request *raw)
{
    struct evhttp_connection *evcon = evhttp_request_get_connection(raw);
    int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));

    adopt_all(http);
    assert(fd >= 0 && (size_t)fd < http->by_fd_count && http->by_fd[fd]);
    assert(http->by_fd[fd]->evcon == evcon);
    return http->by_fd[fd];
}

/* ---- all of them ---------------------------------------------------------- */

int http_conns_init(struct http *http)
{
    struct event_base *base = base_loop_event_base(http->config.loop);
    struct rlimit files;

    LIST_INIT(&http->fresh);
    LIST_INIT(&http->conns);
    http->conns_max = HTTP_CONNECTIONS_MAX;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
        files.rlim_cur / 2 < http->conns_max)
        http->conns_max = (size_t)files.rlim_cur / 2;
    http->adopt = event_new(base, -1, 0, on_adopt, http);
    return http->adopt ? http_pages_init(http) : -1;
}

void http_conns_settle(struct http *http)
{
    adopt_all(http);
}

void http_conns_close(struct http *http)
{
    assert(LIST_EMPTY(&http->conns) && LIST_EMPTY(&http->fresh));
    http_pages_close(http);
    if (http->adopt)
        event_free(http->adopt);
    base_free(http->by_fd);
}
