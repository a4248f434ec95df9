/*
 * The two parts of the cache: entries and their readers (cache.c), and the
 * query behind each entry (cache_fetch.c).
 */
#ifndef AGENT_CACHE_PRIVATE_H
#define AGENT_CACHE_PRIVATE_H

#include <sys/queue.h>
#include <uthash.h>

#include "agent/cache.h"

/** The query behind an entry, and its last answer. */
struct cache_fetch {
    struct rpc_pending *pending;
    struct base_timer again;
    uint64_t asked_ms;
    unsigned failures; /* in a row */
    uint64_t failed_ms; /* since when */
    int status;         /* of the last failure */
    char *text;
    Server__QueryReply *reply; /* NULL before the first */
    size_t reply_len;          /* packed */
    bool anew;      /* the next one does not wait */
    uint64_t round; /* moves when an index goes backwards */
};

struct cache_entry {
    UT_hash_handle hh;
    struct cache *cache;
    uint8_t *key; /* a secret: the token is in it */
    size_t key_len;
    char *method;
    char *token;
    Server__Query *query;
    struct cache_fetch fetch;
    LIST_HEAD(, cache_read) readers;
    size_t refs; /* readers, and who holds it for a moment */
    struct base_timer expiry;         /* runs while nobody reads it */
    TAILQ_ENTRY(cache_entry) idle;    /* then, too */
};

struct cache_read {
    LIST_ENTRY(cache_read) link;
    struct cache_entry *entry;
    struct base_timer due;
    uint64_t min_index;
    uint64_t max_age_ms;
    uint64_t round; /* of the entry when it began to wait */
    bool hit;
    cache_done_fn done;
    void *arg;
};

struct cache {
    struct cache_config config;
    struct cache_entry *entries; /* by key */
    TAILQ_HEAD(, cache_entry) idle; /* the longest unread first */
    size_t bytes;
    struct base_gauge *entries_gauge, *bytes_gauge;
};

/* cache.c */
/** The query behind it has an answer or a failure: those that it concerns are
 * told. The entry may be gone after that. */
void cache_entry_moved(struct cache_entry *entry);
/** Its answer is of another size now. */
void cache_count_bytes(struct cache *cache, size_t before, size_t now);

/* cache_fetch.c */
void cache_fetch_start(struct cache_entry *entry);
void cache_fetch_stop(struct cache_entry *entry);
/** Asks at once, whatever is under way. */
void cache_fetch_renew(struct cache_entry *entry);
uint64_t cache_fetch_age_ms(const struct cache_entry *entry);

#endif
