/*
 * What the parts of http-bench share: a live agent of its own process, and
 * connections to it that do no more than the measurement needs.
 */
#ifndef TESTS_BENCH_HTTP_BENCH_H
#define TESTS_BENCH_HTTP_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http_agent {
    pid_t pid;
    uint16_t port;
    char folder[64];
};

uint64_t http_now_us(void);

/** One server with a leader; ends this process if there is none in time. */
void http_agent_start(struct http_agent *agent);
void http_agent_stop(struct http_agent *agent);
/** Its resident memory, in KiB. */
uint64_t http_agent_resident_kib(const struct http_agent *agent);
/** One request on one connection; the answer as it came, in a buffer that the
 * next call reuses. Ends this process unless the status is 200. */
const char *http_ask(const struct http_agent *agent, const char *method,
                     const char *path, const char *body);
/** A gauge of its metrics page, by its name there. */
int64_t http_gauge(const struct http_agent *agent, const char *name);
/** Waits until that gauge has that value. */
void http_until_gauge(const struct http_agent *agent, const char *name,
                      int64_t value);

/** A non-blocking connection and the answer that it is reading. */
struct http_peer {
    int fd;
    uint64_t began_us; /* the caller's */
    size_t head_len;
    size_t left; /* of the body */
    bool in_body;
    char head[1024];
};
void http_peer_open(struct http_peer *peer, const struct http_agent *agent);
void http_peer_send(struct http_peer *peer, const char *bytes, size_t len);
/** Reads what is there; true once an answer is whole, which must be a 200. */
bool http_peer_read(struct http_peer *peer);

/** Blocking queries that wait at once: what one costs, how they wake and how
 * they go. */
void http_waiters(const struct http_agent *agent, size_t count);
/** Reads of path on that many connections for that time. */
void http_reads(const struct http_agent *agent, const char *path,
                size_t connections, unsigned seconds);

#endif
