/*
 * Where clients come in: plain TCP, TLS, a Unix socket. Each door is an evhttp
 * of its own, since evhttp makes all its connections in one way.
 */
#include <assert.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "http/internal.h"

#define BACKLOG 1024
#define ACCEPT_AGAIN_MS 100u
#define LISTENER_FLAGS (LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC)

static void on_request(struct evhttp_request *raw, void *arg)
{
    struct http_door *door = arg;

    web_request_start(door->http, http_conn_of(door->http, raw), raw);
}

/* ---- accepting ------------------------------------------------------------ */

/* evhttp takes the argument of a listener for itself, also that of its errors:
 * so a door is found by its listener. Main loop only. */
static LIST_HEAD(, http_door) doors = LIST_HEAD_INITIALIZER(doors);

static void on_accept_again(void *arg)
{
    struct http_door *door = arg;

    evconnlistener_enable(door->listener);
}

/* Out of descriptors, most likely: asking again at once would only burn. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    int reason = EVUTIL_SOCKET_ERROR();
    struct http_door *door;
    struct http *http;

    (void)arg;
    LIST_FOREACH(door, &doors, link)
        if (door->listener == listener)
            break;
    assert(door);
    http = door->http;
    http_count_refused(http, "accept");
    if (base_log_limit_pass(&http->log_limit, base_env_now_ns(http->env)))
        base_log(&http->log, BASE_LOG_ERROR, "cannot accept",
                 kv_str("error", strerror(reason)));
    evconnlistener_disable(listener);
    base_timer_start_ms(&door->accept_again, ACCEPT_AGAIN_MS);
}

static struct bufferevent *plain_or_tls(struct http_door *door,
                                        struct event_base *base)
{
    struct bufferevent *bev;
    SSL *ssl;

    if (door->tls == NULL)
        return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    ssl = SSL_new(door->tls);
    if (ssl == NULL)
        return NULL;
    bev = bufferevent_openssl_socket_new(
        base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL)
        SSL_free(ssl);
    else /* a client that just hangs up ends its request, no more */
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    return bev;
}

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
    struct http_door *door = arg;
    struct bufferevent *bev = plain_or_tls(door, base);

    if (bev)
        http_conn_new(door->http, bev, door->tls != NULL);
    return bev;
}

/* ---- opening -------------------------------------------------------------- */

static int open_evhttp(struct http_door *door)
{
    struct event_base *base = base_loop_event_base(door->http->config.loop);

    door->server = evhttp_new(base);
    if (door->server == NULL)
        return BASE_EIO;
    evhttp_set_max_headers_size(door->server, HTTP_HEADER_BYTES_MAX);
    evhttp_set_max_body_size(door->server, HTTP_BODY_BYTES_HARD_MAX);
    evhttp_set_timeout(door->server, HTTP_IDLE_TIMEOUT_S);
    /* Our router says 405, and which method it would be. */
    evhttp_set_allowed_methods(door->server, UINT16_MAX);
    /* Else a client that still sends would see a reset instead of the 413. */
    evhttp_set_flags(door->server, EVHTTP_SERVER_LINGERING_CLOSE);
    evhttp_set_default_content_type(door->server, NULL);
    evhttp_set_bevcb(door->server, on_connection, door);
    evhttp_set_gencb(door->server, on_request, door);
    evconnlistener_set_error_cb(door->listener, on_accept_error);
    evhttp_bind_listener(door->server, door->listener);
    return 0;
}

static int fail(char **why, const char *at)
{
    int rv = base_error_from_errno(errno);

    *why = base_asprintf("HTTP API at %s: %s", at, base_strerror(rv));
    return rv;
}

static int listen_tcp(struct http_door *door, const struct base_addr *at,
                      char **why)
{
    struct sockaddr_storage storage;
    unsigned len = base_addr_to_sockaddr(at, &storage);
    unsigned flags = LISTENER_FLAGS | LEV_OPT_REUSEABLE;
    char text[BASE_ADDR_TEXT_MAX];

    if (at->family == 6)
        flags |= LEV_OPT_BIND_IPV6ONLY;
    door->listener = evconnlistener_new_bind(
        base_loop_event_base(door->http->config.loop), NULL, NULL, flags,
        BACKLOG, (struct sockaddr *)&storage, (int)len);
    return door->listener ? 0 : fail(why, base_addr_format(at, text));
}

/* Left behind by an agent that was killed; one that lives answers. */
static bool is_stale(const struct sockaddr_un *at)
{
    struct stat info;
    bool stale;
    int fd;

    if (lstat(at->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    stale = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0;
    if (fd >= 0)
        close(fd);
    return stale;
}

static int listen_unix(struct http_door *door, const char *path, mode_t mode,
                       char **why)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    mode_t before;

    strncpy(at.sun_path, path, sizeof(at.sun_path) - 1); /* config_check.c */
    if (is_stale(&at))
        unlink(path);
    /* No moment in which it is open to more users than it ought to be. */
    before = umask(0777 & ~mode);
    door->listener = evconnlistener_new_bind(
        base_loop_event_base(door->http->config.loop), NULL, NULL,
        LISTENER_FLAGS, BACKLOG, (struct sockaddr *)&at, (int)sizeof(at));
    umask(before);
    return door->listener ? 0 : fail(why, path);
}

int http_door_open(struct http_door *door, struct http *http,
                   const struct http_place *place, char **why)
{
    int rv;

    door->http = http;
    door->path = place->path;
    LIST_INSERT_HEAD(&doors, door, link);
    base_timer_init(&door->accept_again, http->env, "http-accept",
                    on_accept_again, door);
    if (place->tls && http_tls_new(http->config.config, &door->tls, why) != 0)
        return BASE_EINVAL;
    rv = place->path ? listen_unix(door, place->path, place->mode, why)
                     : listen_tcp(door, &place->addr, why);
    if (rv != 0)
        return rv;
    if (open_evhttp(door) != 0) {
        *why = base_strdup("HTTP API: libevent has no memory");
        return BASE_EIO;
    }
    if (place->path)
        base_log(&http->log, BASE_LOG_INFO, "HTTP API listens",
                 kv_str("path", place->path));
    else
        base_log(&http->log, BASE_LOG_INFO, "HTTP API listens",
                 kv_addr("address", &place->addr), kv_bool("tls", place->tls));
    return 0;
}

int http_door_reload(struct http_door *door, char **why)
{
    SSL_CTX *fresh;

    if (door->tls == NULL)
        return 0;
    if (http_tls_new(door->http->config.config, &fresh, why) != 0)
        return BASE_EINVAL;
    SSL_CTX_free(door->tls); /* connections hold it as long as they need it */
    door->tls = fresh;
    return 0;
}

void http_door_close(struct http_door *door)
{
    if (door->http == NULL)
        return;
    LIST_REMOVE(door, link);
    base_timer_stop(&door->accept_again);
    if (door->path && door->listener)
        unlink(door->path);
    if (door->server)
        evhttp_free(door->server); /* ends listener, connections, requests */
    else if (door->listener)
        evconnlistener_free(door->listener);
    SSL_CTX_free(door->tls);
}
