/*
 * A blocking connection to an agent, over TCP, TLS or a Unix socket: bytes out,
 * bytes in, each within a time. libevent's client knows no Unix sockets, and a
 * command has nothing else to do meanwhile.
 * Threads: one at a time per object.
 */
#ifndef CLI_HTTP_LINK_H
#define CLI_HTTP_LINK_H

#include <stdint.h>
#include <sys/types.h>

#include "cli/http_client.h"

struct ssl_st;

struct http_link {
    int fd;
    struct ssl_st *ssl;   /* NULL: plain */
    int silence_ms;       /* how long nothing may come; -1: for ever */
    uint64_t deadline_ms; /* monotonic; the answer ends here; 0: never */
    const char *refusal;  /* what TLS said as it ended; NULL: nothing */
};

/** Connects within timeout_s. A negative base_error with *why, the caller's. */
int http_link_open(struct http_link *link, const struct http_target *target,
                   int timeout_s, char **why);
void http_link_close(struct http_link *link);
/** All of it; a negative base_error if the other end took no more. */
int http_link_send(struct http_link *link, const void *data, size_t len);
/** At least a byte; 0 at the end, BASE_ETIMEOUT after the link's silence,
 * BASE_ECLOSED at its deadline, BASE_ERESET. */
ssize_t http_link_recv(struct http_link *link, void *data, size_t len);

uint64_t http_link_now_ms(void);

#endif
