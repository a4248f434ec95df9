/*
 * The servers of a HAProxy as two sorted lists, wanted and running, and the
 * commands that lead from one to the other.
 * Threads: any; pure values.
 */
#ifndef GATEWAY_HAPROXY_STATE_H
#define GATEWAY_HAPROXY_STATE_H

#include <stdbool.h>

#include "base/buf.h"

struct haproxy_server {
    char *name;  /* "backend/server" */
    char *words; /* wanted: what follows its name in the configuration */
    bool ready;  /* running: not in maintenance */
};

struct haproxy_state {
    char *description; /* NULL: it has none */
    struct haproxy_server *servers; /* sorted by name */
    size_t count;
};

/** Out of a configuration as render_haproxy() writes it. */
void haproxy_state_wanted(struct haproxy_state *out, const char *text);
/** Out of the answer to "show info;show servers state". False if that is not
 * what it is. */
bool haproxy_state_running(struct haproxy_state *out, const char *answer);
void haproxy_state_close(struct haproxy_state *state);

/** Appends the commands, each ended by "\n"; none if there is nothing to do. */
void haproxy_state_diff(const struct haproxy_state *running,
                        const struct haproxy_state *wanted,
                        struct base_buf *commands);
/** Whether every wanted server takes connections, and no other one. */
bool haproxy_state_same(const struct haproxy_state *running,
                        const struct haproxy_state *wanted);

#endif
