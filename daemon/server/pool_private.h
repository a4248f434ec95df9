/*
 * A pool as its files see it: the mirror and the events (pool.c), commands
 * (pool_commands.c), queries (pool_query.c), keys (pool_keys.c).
 */
#ifndef SERVER_POOL_PRIVATE_H
#define SERVER_POOL_PRIVATE_H

#include "server/mail.h"
#include "server/pool.h"

struct asked;

struct pool {
    struct pool_config config;
    struct base_env *main;
    struct base_env *gossip;
    struct mailbox mail;
    char *build;

    /* gossip loop */
    struct gossip_serf *serf;
    bool resync; /* an event was lost: post the whole list */
    struct base_timer resync_timer;
    struct asked *asked; /* queries that are open there */

    /* main loop */
    struct member **members; /* sorted by name */
    size_t count;
    struct pool_query *queries;
    uint64_t last_query;
};

/** What goes to the gossip loop and comes home with its outcome. Embedded
 * first in what a command needs besides. */
struct errand {
    struct mail mail;
    struct pool *pool;
    int status;
    /** Gossip loop: do it, and say errand_over() in the end. */
    void (*run)(struct errand *errand);
    /** Main loop: tell whoever asked. */
    void (*home)(struct errand *errand);
    /** Frees it. */
    void (*drop)(struct errand *errand);
};

/** Main loop. BASE_EFULL, BASE_ECLOSED: it is gone, and home never comes. */
int errand_send(struct pool *pool, struct errand *errand);
/** Gossip loop: the outcome goes home. A full queue ends it unheard: whoever
 * asked has a deadline of its own. */
void errand_over(struct errand *errand, int status);

/** Gossip loop: a query that another node asked. */
void pool_answer(struct pool *pool, const struct gossip_event *event);
/** Neither loop runs, and serf is gone. */
void pool_queries_close(struct pool *pool);

#endif
