/*
 * Errors in our own form where evhttp answers alone: what is no HTTP, or too
 * long, never reaches a handler, and evhttp 2.1 sends a page of HTML for it. The
 * page is caught in the connection's output, before the loop writes any of it,
 * and replaced by the same status and a sentence.
 */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/internal.h"

static const struct {
    int status;
    const char *reason, *sentence;
    const char *counted; /* http_count_refused() */
} words[] = {
    {400, "Bad Request",
     "malformed request: wanted HTTP/1.1 with headers of at most 64 KiB",
     "malformed"},
    {413, "Request Entity Too Large",
     "the body is malformed, or over the limit of 524288 bytes", "body"},
    {417, "Expectation Failed", "Expect: wanted 100-continue", "malformed"},
    {501, "Not Implemented", "this API does not know that method",
     "malformed"},
};

/* The status of a page of evhttp's; 0 if it is none, such as "100 Continue". */
static int status_of(struct evbuffer *out)
{
    char head[13] = {0};
    int status;

    if (evbuffer_copyout(out, head, 12) < 12 ||
        strncmp(head, "HTTP/1.", 7) != 0)
        return 0;
    status = atoi(head + 9);
    return status >= 400 ? status : 0;
}

static void replace(struct http_conn *conn)
{
    struct evbuffer *out = bufferevent_get_output(conn->bev);
    int status = status_of(out);
    size_t i = 0;

    if (status == 0)
        return;
    while (i + 1 < BASE_COUNT_OF(words) && words[i].status != status)
        i++;
    if (words[i].status != status)
        i = 0;
    evbuffer_drain(out, evbuffer_get_length(out));
    evbuffer_add_printf(out,
                        "HTTP/1.1 %d %s\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n"
                        "X-Content-Type-Options: nosniff\r\n"
                        "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                        words[i].status, words[i].reason,
                        strlen(words[i].sentence), words[i].sentence);
    http_count_refused(conn->http, words[i].counted);
}

/* The bytes come in several pieces: all of them are there when the callback
 * that evhttp is in has ended, and the loop writes only after that. */
static void on_output(struct evbuffer *buffer,
                      const struct evbuffer_cb_info *info, void *arg)
{
    struct http_conn *conn = arg;

    (void)buffer;
    if (info->n_added == 0 || conn->ours || conn->has_page)
        return;
    conn->has_page = true;
    LIST_INSERT_HEAD(&conn->http->paged, conn, page);
    event_active(conn->http->pages, EV_TIMEOUT, 0);
}

static void forget(struct http_conn *conn)
{
    if (conn->has_page)
        LIST_REMOVE(conn, page);
    conn->has_page = false;
}

static void on_pages(evutil_socket_t fd, short events, void *arg)
{
    struct http *http = arg;

    (void)fd;
    (void)events;
    while (!LIST_EMPTY(&http->paged)) {
        struct http_conn *conn = LIST_FIRST(&http->paged);

        conn->ours = true; /* what we add now */
        replace(conn);
        conn->ours = false;
        forget(conn);
    }
}

void http_page_watch(struct http_conn *conn)
{
    conn->on_output = evbuffer_add_cb(bufferevent_get_output(conn->bev),
                                      on_output, conn);
}

void http_page_unwatch(struct http_conn *conn)
{
    forget(conn);
    if (conn->on_output)
        evbuffer_remove_cb_entry(bufferevent_get_output(conn->bev),
                                 conn->on_output);
}

int http_pages_init(struct http *http)
{
    LIST_INIT(&http->paged);
    http->pages = event_new(base_loop_event_base(http->config.loop), -1, 0,
                            on_pages, http);
    return http->pages ? 0 : -1;
}

void http_pages_close(struct http *http)
{
    assert(LIST_EMPTY(&http->paged));
    if (http->pages)
        event_free(http->pages);
}
