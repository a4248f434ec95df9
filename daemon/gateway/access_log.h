/*
 * A line of a file for each connection that has ended, joined or refused:
 *
 *   2026-11-22T18:00:00.000Z from=198.51.100.7:40112 name=a1.server.dc1.consul
 *       to=10.1.0.11:8300 in=1542 out=2310 ms=20 end=finished      (one line)
 *
 * Lines gather in a buffer that a worker thread writes out, so that no loop
 * waits for the disk. A second has so many lines, and the buffer so many bytes;
 * what is more is dropped and counted (isthmus.gateway.access_log.dropped).
 * Threads: access_log_write() any; all else the loop that it was made on.
 */
#ifndef GATEWAY_ACCESS_LOG_H
#define GATEWAY_ACCESS_LOG_H

#include "base/env.h"

struct access_log;

struct access_line {
    const struct base_addr *from;
    const char *name;           /* "" if it asked for none */
    const struct base_addr *to; /* NULL if it was not joined */
    uint64_t bytes_in, bytes_out;
    uint64_t ms;     /* from accept to end */
    const char *end; /* finished, broken, ...; or why it was refused */
};

/** Appends to the file. per_second 0 takes 1,000. A base_error if it cannot be
 * opened. */
int access_log_open(struct base_env *env, const char *path, unsigned per_second,
                    struct access_log **out);
/** Before the loop is drained; what is still in its buffer is written first. */
void access_log_close(struct access_log *log);
/** Opens the file anew, after it was moved away. */
void access_log_reopen(struct access_log *log);
void access_log_write(struct access_log *log, const struct access_line *line);

#endif
