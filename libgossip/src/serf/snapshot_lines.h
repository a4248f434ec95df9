/*
 * The records of serf's snapshot file, one a line: what they say after being
 * applied in order, and how they are written (gossip.md 4.1). No file here.
 *
 * One record is ours: "# failed: NAME ADDR". To the original it is a comment.
 * It knows alive nodes only, and has nobody to ask after an outage in which all
 * others failed before it went (gossip.md 9.38).
 */
#ifndef SERF_SNAPSHOT_LINES_H
#define SERF_SNAPSHOT_LINES_H

#include "base/addr.h"
#include "base/buf.h"
#include "serf/name_table.h"

#include <stdbool.h>

/** A node that was there. */
struct serf_known {
    struct serf_named named; /* first */
    struct base_addr addr;
    char name[];
};

struct serf_snapshot_state {
    struct serf_name_table alive;  /* of struct serf_known */
    struct serf_name_table failed; /* may be back: whom to ask if none of the
                                      alive is there */
    uint64_t clock;
    uint64_t event_clock;
    uint64_t query_clock;
};

void serf_snapshot_state_init(struct serf_snapshot_state *state, uint64_t key);
void serf_snapshot_state_close(struct serf_snapshot_state *state);
void serf_snapshot_state_forget(struct serf_snapshot_state *state);
/** False if there is no room for one more. */
bool serf_snapshot_state_alive(struct serf_snapshot_state *state,
                               const char *name, const struct base_addr *addr);
void serf_snapshot_state_gone(struct serf_snapshot_state *state,
                              const char *name);
/** Gone, but not by its own will. */
bool serf_snapshot_state_failed(struct serf_snapshot_state *state,
                                const char *name, const struct base_addr *addr);

/** Applies a file's content. *bad counts lines that were skipped, *whole is
 * the length without a last line that has no newline. */
void serf_snapshot_read(struct serf_snapshot_state *state, const char *text,
                        size_t len, bool rejoin_after_leave, size_t *bad,
                        size_t *whole);

void serf_put_alive_line(struct base_buf *out, const char *name,
                         const struct base_addr *addr);
void serf_put_failed_line(struct base_buf *out, const char *name,
                          const struct base_addr *addr);
/** The whole state: alive and failed lines, then the three clocks. */
void serf_snapshot_write(struct base_buf *out,
                         const struct serf_snapshot_state *state);

#endif
