/*
 * How the status of a check comes about: somebody says it in time (TTL), or the
 * agent tries a TCP connection or an HTTP request at intervals.
 * Threads: one at a time per object.
 */
#ifndef AGENT_CHECK_SPEC_H
#define AGENT_CHECK_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_TIMEOUT_DEFAULT_MS 10000u
#define CHECK_INTERVAL_MIN_MS 1000u
#define CHECK_DEREGISTER_MIN_MS 60000u /* as in Consul */

/** All zero: a check that only users set, and that never runs out. Texts are
 * never NULL in one that check_spec_copy() made. */
struct check_spec {
    uint32_t ttl_ms;
    char *tcp;       /* host:port */
    char *http;      /* URL */
    char *method;    /* of HTTP; "" is GET */
    char *headers;   /* of HTTP: whole lines, each with its CR LF */
    bool skip_verify; /* https: any certificate will do */
    uint32_t interval_ms, timeout_ms;
    uint32_t passing_after;  /* successes in a row that it takes; 0: 1 */
    uint32_t critical_after; /* failures likewise */
    uint32_t deregister_ms;  /* critical for so long: the service goes; 0: no */
};

/** A URL taken apart; borrowed from its text, but for the host. */
struct check_url {
    bool https;
    char host[256];      /* without brackets */
    uint16_t port;
    const char *authority; /* as it was written, for the Host header */
    size_t authority_len;
    const char *path;    /* begins with "/", or is "" */
};

void check_spec_copy(struct check_spec *to, const struct check_spec *from);
void check_spec_close(struct check_spec *spec);
/** "ttl", "tcp", "http", or "". */
const char *check_spec_kind(const struct check_spec *spec);
/** False unless it is http:// or https:// with a host and a good port, of
 * visible ASCII. */
bool check_url_parse(const char *text, struct check_url *out);

#endif
