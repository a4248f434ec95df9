/*
 * What survives a restart: serf's snapshot file. The loop only notes lines;
 * the bulk worker does all that touches the disk, so that no message waits for
 * it (gossip.md 4). What the lines mean is in snapshot_lines.h.
 */
#ifndef SERF_SNAPSHOT_H
#define SERF_SNAPSHOT_H

#include "serf/core.h"

/** Reads path and opens it for appending; blocks, once, at start. */
int serf_snapshot_new(struct gossip_serf *serf, const char *path,
                      bool rejoin_after_leave, struct serf_snapshot **out);
/** Leaves the last lines and the file to the worker; NULL is fine. */
void serf_snapshot_free(struct serf_snapshot *snapshot);

/* What happened; a NULL snapshot takes no note. */
void serf_snapshot_member(struct serf_snapshot *snapshot,
                          enum gossip_event_kind kind,
                          const struct serf_member *member);
void serf_snapshot_user_event(struct serf_snapshot *snapshot, uint64_t ltime);
void serf_snapshot_query(struct serf_snapshot *snapshot, uint64_t ltime);
void serf_snapshot_leave(struct serf_snapshot *snapshot);
/** Tries the members of the last run, one after another, until one answers. */
void serf_snapshot_rejoin(struct serf_snapshot *snapshot);
uint64_t serf_snapshot_dropped(const struct serf_snapshot *snapshot);

#endif
