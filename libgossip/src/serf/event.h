/*
 * An event on its way to the user: a copy of all that it shows, since members
 * change and go while it waits.
 */
#ifndef SERF_EVENT_H
#define SERF_EVENT_H

#include "serf/core.h"

struct serf_event {
    struct serf_event *next;
    struct gossip_event event;    /* its pointers point below */
    struct serf_member **members; /* copies */
    size_t member_count;
    size_t member_cap;
    char *name;
    char *query_source;
    void *payload;
};

struct serf_event *serf_event_new(const struct gossip_event *event);
void serf_event_free(struct serf_event *event);
/** The copy is the event's afterwards. */
void serf_event_add_member(struct serf_event *event,
                           struct serf_member *member);

/** Puts it at the end of the way; frees it if there are too many. */
void serf_event_path_push(struct serf_event_path *path,
                          struct serf_event *event);

/* coalesce.c */

struct serf_coalescer;

/** member: for member events, else for user events. */
struct serf_coalescer *serf_coalescer_new(struct base_env *env, bool member,
                                          uint32_t period_ms,
                                          uint32_t quiescent_ms,
                                          struct serf_event_path *path);
void serf_coalescer_free(struct serf_coalescer *coalescer);
/** Takes a member event with one member, or a user event. */
void serf_coalescer_add(struct serf_coalescer *coalescer,
                        struct serf_event *event);

#endif
