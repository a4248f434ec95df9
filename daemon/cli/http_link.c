#include "cli/http_link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

uint64_t http_link_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- connecting ----------------------------------------------------------- */

/* One address; an errno value. */
static int connect_to(struct http_link *link, const struct sockaddr *at,
                      socklen_t len, int timeout_s)
{
    struct timeval time = {timeout_s, 0};
    int error;

    link->fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (link->fd < 0)
        return errno;
    /* The first bounds connect(2) too. */
    setsockopt(link->fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
    setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
    if (connect(link->fd, at, len) == 0)
        return 0;
    error = errno == EINPROGRESS ? ETIMEDOUT : errno;
    close(link->fd);
    link->fd = -1;
    return error;
}

static int connect_path(struct http_link *link, const char *path,
                        int timeout_s, char **why)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int error;

    strncpy(at.sun_path, path, sizeof(at.sun_path) - 1); /* http_target.c */
    error = connect_to(link, (struct sockaddr *)&at, sizeof(at), timeout_s);
    if (error == 0)
        return 0;
    *why = base_asprintf("cannot reach the agent at unix://%s: %s", path,
                         strerror(error));
    return base_error_from_errno(error);
}

/* Each address of the host in turn; the last one's error is told. */
static int connect_host(struct http_link *link,
                        const struct http_target *target, int timeout_s,
                        char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL, *at;
    char port[8];
    int error = 0, rv;

    snprintf(port, sizeof(port), "%u", target->port);
    rv = getaddrinfo(target->host, port, &hints, &list);
    for (at = list; rv == 0 && at && link->fd < 0; at = at->ai_next)
        error = connect_to(link, at->ai_addr, at->ai_addrlen, timeout_s);
    if (list)
        freeaddrinfo(list);
    if (link->fd >= 0)
        return 0;
    *why = base_asprintf("cannot reach the agent at %s port %u: %s",
                         target->host, target->port,
                         rv != 0 ? gai_strerror(rv) : strerror(error));
    return rv != 0 ? BASE_ENOTFOUND : base_error_from_errno(error);
}

static int shake_hands(struct http_link *link,
                       const struct http_target *target, char **why)
{
    long verdict;
    const char *words;

    link->ssl = https_session(target->https, target->host);
    if (link->ssl && SSL_set_fd(link->ssl, link->fd) == 1 &&
        SSL_connect(link->ssl) == 1)
        return 0;
    verdict = link->ssl ? SSL_get_verify_result(link->ssl) : X509_V_OK;
    words = verdict != X509_V_OK
                ? X509_verify_cert_error_string(verdict)
                : ERR_reason_error_string(ERR_peek_last_error());
    *why = base_asprintf("cannot reach the agent at %s port %u: %s",
                         target->host, target->port,
                         words ? words : "the TLS handshake failed");
    ERR_clear_error();
    return BASE_EREFUSED;
}

int http_link_open(struct http_link *link, const struct http_target *target,
                   int timeout_s, char **why)
{
    int rv;

    *link = (struct http_link){.fd = -1, .silence_ms = timeout_s * 1000};
    rv = target->path ? connect_path(link, target->path, timeout_s, why)
                      : connect_host(link, target, timeout_s, why);
    if (rv == 0 && target->https)
        rv = shake_hands(link, target, why);
    if (rv < 0)
        http_link_close(link);
    return rv;
}

void http_link_close(struct http_link *link)
{
    SSL_free(link->ssl);
    if (link->fd >= 0)
        close(link->fd);
    *link = (struct http_link){.fd = -1};
}

/* ---- bytes ---------------------------------------------------------------- */

int http_link_send(struct http_link *link, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t sent = link->ssl
                           ? SSL_write(link->ssl, at,
                                       len < 65536 ? (int)len : 65536)
                           : send(link->fd, at, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return BASE_ERESET;
        at += sent;
        len -= (size_t)sent;
    }
    return 0;
}

/* Until there is something to read; 0, or why there will be nothing. */
static int await(const struct http_link *link)
{
    struct pollfd state = {.fd = link->fd, .events = POLLIN};
    int wait_ms = link->silence_ms;
    uint64_t now_ms = http_link_now_ms();
    bool is_last = false;

    if (link->deadline_ms > 0) {
        uint64_t left_ms =
            link->deadline_ms > now_ms ? link->deadline_ms - now_ms : 0;

        is_last = wait_ms < 0 || left_ms < (uint64_t)wait_ms;
        if (is_last)
            wait_ms = (int)left_ms;
        if (left_ms == 0)
            return BASE_ECLOSED;
    }
    if (link->ssl && SSL_pending(link->ssl) > 0)
        return 0;
    if (poll(&state, 1, wait_ms) > 0)
        return 0;
    return is_last ? BASE_ECLOSED : BASE_ETIMEOUT;
}

ssize_t http_link_recv(struct http_link *link, void *data, size_t len)
{
    int rv = await(link), code;
    ssize_t got;

    if (rv < 0)
        return rv;
    if (link->ssl == NULL) {
        got = recv(link->fd, data, len, 0);
        return got >= 0 ? got : BASE_ERESET;
    }
    got = SSL_read(link->ssl, data, len < 65536 ? (int)len : 65536);
    if (got > 0)
        return got;
    code = SSL_get_error(link->ssl, (int)got);
    if (code == SSL_ERROR_WANT_READ)
        return BASE_ETIMEOUT;
    /* An agent may close without a TLS goodbye; HTTP says how long it is. */
    if (code == SSL_ERROR_ZERO_RETURN ||
        (code == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) ==
                                      SSL_R_UNEXPECTED_EOF_WHILE_READING))
        rv = 0;
    else
        rv = BASE_ERESET;
    if (code == SSL_ERROR_SSL && rv < 0) /* an alert: of our certificate */
        link->refusal = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return rv;
}
