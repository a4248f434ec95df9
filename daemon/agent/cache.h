/*
 * Reads that many ask for and one answers: for each (method, datacenter, token,
 * and what else the query says) one blocking query runs in the background, and
 * its last answer serves every reader, the gateways' watches, xDS and HTTP with
 * ?cached. An answer stays through failures of the query behind it, which is
 * tried again with growing pauses; it is dropped some minutes after its last
 * reader, or earlier, the longest unread first, when room is wanted.
 *
 * The token is part of the key, so nobody reads what only another may see.
 *
 * Metrics: isthmus.cache.entries, isthmus.cache.bytes;
 * isthmus.cache.read{result}: hit, miss, full;
 * isthmus.cache.fetch{result}: ok, failed; isthmus.cache.evicted.
 * Threads: the loop of env.
 */
#ifndef AGENT_CACHE_H
#define AGENT_CACHE_H

#include "base/env.h"
#include "daemon/server.pb-c.h"
#include "rpc/server.h"

struct cache;
struct cache_read; /* a reader that waits */

#define CACHE_ENTRIES_MAX 1024u
#define CACHE_BYTES_MAX (64u * 1024u * 1024u) /* of packed answers */
#define CACHE_TTL_MS 600000u                  /* after the last reader */

/** 0 stands for the limit above. env and rpc are borrowed. */
struct cache_config {
    struct base_env *env;
    struct rpc_server *rpc; /* queries go in here */
    size_t entries_max;
    size_t bytes_max;
    uint32_t ttl_ms;
};

struct cache *cache_new(const struct cache_config *config);
/** Readers that wait hear nothing. */
void cache_free(struct cache *cache);
/** Who may read what has changed: every query is asked anew, and whoever is
 * denied now loses the answer that was there. */
void cache_renew(struct cache *cache);

/** A read; all borrowed for the call. */
struct cache_ask {
    const char *method; /* one that cache_takes() */
    const char *token;
    /** min_index 0: the answer that is there, or the first that comes. Else an
     * answer past it, or whatever there is after max_wait_ms (0: 300 s). The
     * mode is not looked at: behind a cache it is always the default one. */
    const Server__Query *query;
    /** An older answer than that is none: the reader hears how the query behind
     * it fails. UINT64_MAX: any. */
    uint64_t max_age_ms;
};

/** Borrowed for the call. */
struct cache_answer {
    int status;       /* 0, or how the query fails that has no answer */
    const char *text; /* of a failure */
    const Server__QueryReply *reply; /* NULL on failure */
    bool hit;        /* it was there when it was asked for */
    uint64_t age_ms; /* since the query behind it failed; 0: it is current */
};
typedef void (*cache_done_fn)(void *arg, const struct cache_answer *answer);

/** Whether it is a blocking query whose answer may be shared. */
bool cache_takes(const char *method);
/** done comes once, later, unless cancelled. *out lives until then. BASE_EFULL
 * if there is no room for one more query: ask directly. */
int cache_read(struct cache *cache, const struct cache_ask *ask,
               cache_done_fn done, void *arg, struct cache_read **out);
/** done does not come. NULL is fine. */
void cache_read_cancel(struct cache_read *read);

#endif
