/*
 * The server behind the API: its listener, its connections, and what they are
 * allowed. Handlers need only web.h.
 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/buf.h"
#include "http/web.h"

struct evhttp;
struct ssl_ctx_st;
struct evhttp_connection;
struct evconnlistener;
struct bufferevent;
struct evbuffer_cb_entry;

#define HTTP_HEADER_BYTES_MAX (64u * 1024u)
/* evhttp answers larger bodies itself, with 413; up to there our own words. */
#define HTTP_BODY_BYTES_HARD_MAX (2u * WEB_BODY_BYTES_MAX)
/* What a client may send ahead while we are writing to it. */
#define HTTP_INPUT_BYTES_MAX \
    (HTTP_BODY_BYTES_HARD_MAX + 2u * HTTP_HEADER_BYTES_MAX)
#define HTTP_WRITE_BYTES_MAX (128u * 1024u) /* in one turn of the loop */
#define HTTP_CONNECTIONS_MAX 16384u /* or half the descriptors, if less */
#define HTTP_IDLE_TIMEOUT_S 120
#define HTTP_REQUEST_TIMEOUT_MS 30000u /* first byte to last */
#define HTTP_UPLOAD_TIMEOUT_MS 900000u /* of a snapshot */
#define HTTP_UPLOADS_MAX 2u /* they are in memory while they come */
#define HTTP_ANSWER_TIMEOUT_MS 300000u /* a client that reads it slowly */

struct http_conn {
    LIST_ENTRY(http_conn) link;
    struct http *http;
    struct bufferevent *bev;
    struct evhttp_connection *evcon; /* NULL until it is known */
    int fd;
    struct evbuffer_cb_entry *on_input, *on_output;
    LIST_ENTRY(http_conn) page; /* while evhttp's own page waits in it */
    bool has_page;
    bool ours; /* from a request that reached us to its answer's last byte */
    struct base_timer deadline; /* of a request's arrival, or its answer's
                                   departure */
    struct web_request *request;
    struct event gone; /* watches the socket while a request waits */
    bool watched;
    bool handshakes; /* TLS comes first, and counts as a request's time */
    bool too_many; /* over the limit: its deadline is now */
    bool looked;   /* at how its request begins */
    bool upload;   /* it may bring a snapshot */
};
LIST_HEAD(http_conns, http_conn);

struct web_ticket {
    LIST_ENTRY(web_ticket) link;
    struct web_request *request; /* NULL: gone */
};
LIST_HEAD(web_tickets, web_ticket);

/** Where to listen: at path (which outlives the door) if that is set, else at
 * addr. */
struct http_place {
    struct base_addr addr;
    const char *path;
    mode_t mode; /* of path */
    bool tls;
};

/** A listener with its evhttp. Zero-initialise it. */
struct http_door {
    LIST_ENTRY(http_door) link;
    struct http *http;
    struct evhttp *server;
    struct evconnlistener *listener;
    struct ssl_ctx_st *tls; /* NULL: plain */
    const char *path;       /* of a Unix socket; borrowed; NULL: none */
    struct base_timer accept_again;
};
#define HTTP_DOORS_MAX 2 /* http and https */

struct http {
    struct http_config config;
    struct base_env *env;
    struct base_log log;
    struct rpc_server *rpc;
    struct http_door doors[HTTP_DOORS_MAX];
    struct base_log_limit log_limit;

    struct event *pages;       /* evhttp's own pages are replaced */
    struct http_conns paged;   /* those that have one */
    struct event *adopt;       /* new connections are made known */
    struct http_conns fresh;   /* those */
    struct http_conns conns;   /* the others */
    size_t conn_count, conns_max;
    unsigned uploads;
    struct http_conn **by_fd;
    size_t by_fd_count;

    struct base_buf text; /* JSON on its way out; empty in between */
    struct web_tickets tickets;
    LIST_HEAD(, event_wait) event_waits;
    size_t waiting;
    struct base_gauge *gauge_waiting, *gauge_connections;
};

/* door.c */
/** On error *why is the caller's; close it then, too. */
int http_door_open(struct http_door *door, struct http *http,
                   const struct http_place *place, char **why);
/** Certificates anew; connections that are there keep theirs. */
int http_door_reload(struct http_door *door, char **why);
/** Does nothing to one that was never opened. */
void http_door_close(struct http_door *door);

/* tls.c */
/** What HTTPS shows and asks for. */
int http_tls_new(const struct config *config, struct ssl_ctx_st **out,
                 char **why);

/* conn.c */
int http_conns_init(struct http *http);
/** Of an evhttp that is about to make a connection of bev. */
void http_conn_new(struct http *http, struct bufferevent *bev, bool handshakes);
/** Before the doors close, which ends those that they know; and after it. */
void http_conns_settle(struct http *http);
void http_conns_close(struct http *http);
/** The connection that a request came on. */
struct http_conn *http_conn_of(struct http *http, struct evhttp_request *raw);
/** How long the body of its request may be. */
size_t http_conn_body_limit(const struct http_conn *conn);
/** A request is under way: its client is watched from now on. */
void http_conn_busy(struct http_conn *conn, struct web_request *request);
/** Its answer begins and goes on: libevent watches the client from now on. */
void http_conn_streams(struct http_conn *conn);
/** The answer is on its way out. */
void http_conn_answered(struct http_conn *conn);

/* event_api.c */
void event_heard(void *ctx);

/* page.c */
int http_pages_init(struct http *http);
void http_pages_close(struct http *http);
/** From now on until http_page_unwatch() what evhttp says by itself on this
 * connection is replaced by words of ours. */
void http_page_watch(struct http_conn *conn);
void http_page_unwatch(struct http_conn *conn);

/** Moves isthmus.http.refused. */
void http_count_refused(struct http *http, const char *reason);

#endif
