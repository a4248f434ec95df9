/*
 * The last user events of both pools, the oldest first: a ring of 256, as
 * Consul keeps. Each has an id that is made of what it is, so that every agent
 * shows one event under one id.
 * Threads: the main loop.
 */
#ifndef SERVER_EVENT_LOG_H
#define SERVER_EVENT_LOG_H

#include "gossip/serf.h"
#include "server/uuid.h"

#define EVENT_LOG_MAX 256u

struct event_entry {
    char id[UUID_TEXT];
    char *name;
    void *payload;
    size_t payload_len;
    uint64_t ltime;
};

/** Zero-initialise it. */
struct event_log {
    struct event_entry entries[EVENT_LOG_MAX];
    uint64_t seen; /* in all; the last is at (seen - 1) % EVENT_LOG_MAX */
    void (*heard)(void *ctx); /* told after each; NULL: nobody */
    void *heard_ctx;
};

void event_log_add(struct event_log *log, const struct gossip_event *event);
void event_log_close(struct event_log *log);
size_t event_log_count(const struct event_log *log);
/** 0 is the oldest that is still there. Borrowed until the next one comes. */
const struct event_entry *event_log_at(const struct event_log *log,
                                       size_t position);
/** The id of an event that has these properties. */
void event_id(const char *name, const void *payload, size_t len,
              uint64_t ltime, char out[UUID_TEXT]);

#endif
