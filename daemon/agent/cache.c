/*
 * Entries by their key, who reads them, and how long they stay. Each reader
 * has a timer, at which it looks at its entry and is told; news only start the
 * timers of those that they concern, so that no reader is ever told inside a
 * call of another's.
 */
#include "agent/cache_private.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "rpc/error.h"

#define WAIT_DEFAULT_MS 300000u
#define FIRST_ANSWER_MS 40000u /* what the query behind takes is less */

static void count(const struct cache *cache, const char *name, const char *key,
                  const char *value)
{
    base_counter_add(
        base_metrics_counter(cache->config.env->metrics, name, key, value), 1);
}

bool cache_takes(const char *method)
{
    /* clang-format off */
    static const char *const methods[] = {
        "Catalog.Node", "Catalog.Nodes", "Catalog.Services",
        "FederationState.Get", "FederationState.List",
        "FederationState.ListMeshGateways",
        "Health.Checks", "Health.Service", "Health.State",
    };
    /* clang-format on */
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(methods); i++)
        if (strcmp(methods[i], method) == 0)
            return true;
    return false;
}

void cache_count_bytes(struct cache *cache, size_t before, size_t now)
{
    cache->bytes += now - before;
    base_gauge_set(cache->bytes_gauge, (int64_t)cache->bytes);
}

/* ---- entries -------------------------------------------------------------- */

static void entry_free(struct cache_entry *entry)
{
    struct cache *cache = entry->cache;

    if (base_timer_is_running(&entry->expiry))
        TAILQ_REMOVE(&cache->idle, entry, idle);
    base_timer_stop(&entry->expiry);
    cache_fetch_stop(entry);
    HASH_DEL(cache->entries, entry);
    base_gauge_set(cache->entries_gauge, HASH_COUNT(cache->entries));
    base_pb_free(entry->query);
    base_free_secret(entry->token, strlen(entry->token));
    base_free_secret(entry->key, entry->key_len);
    base_free(entry->method);
    base_free(entry);
}

static void on_expiry(void *arg)
{
    struct cache_entry *entry = arg;

    TAILQ_REMOVE(&entry->cache->idle, entry, idle); /* its timer is over */
    entry_free(entry);
}

static void hold(struct cache_entry *entry)
{
    if (base_timer_is_running(&entry->expiry)) {
        base_timer_stop(&entry->expiry);
        TAILQ_REMOVE(&entry->cache->idle, entry, idle);
    }
    entry->refs++;
}

static void release(struct cache_entry *entry)
{
    struct cache *cache = entry->cache;

    if (--entry->refs > 0)
        return;
    if (entry->fetch.reply == NULL) {
        entry_free(entry); /* it never served anybody, and may never do */
        return;
    }
    base_timer_start_ms(&entry->expiry, cache->config.ttl_ms);
    TAILQ_INSERT_TAIL(&cache->idle, entry, idle);
}

static void evict_one(struct cache *cache)
{
    count(cache, "isthmus.cache.evicted", NULL, NULL);
    entry_free(TAILQ_FIRST(&cache->idle));
}

/* What nobody reads makes room for what is read. */
static bool make_room(struct cache *cache)
{
    while ((HASH_COUNT(cache->entries) >= cache->config.entries_max ||
            cache->bytes > cache->config.bytes_max) &&
           !TAILQ_EMPTY(&cache->idle))
        evict_one(cache);
    return HASH_COUNT(cache->entries) < cache->config.entries_max &&
           cache->bytes <= cache->config.bytes_max;
}

/* Takes key and query over. */
static struct cache_entry *entry_new(struct cache *cache,
                                     const struct cache_ask *ask,
                                     struct base_buf *key,
                                     Server__Query *query)
{
    struct cache_entry *entry;

    BASE_NEW(entry);
    entry->cache = cache;
    entry->key_len = base_buf_len(key);
    entry->key = base_memdup(base_buf_data(key), entry->key_len);
    entry->method = base_strdup(ask->method);
    entry->token = base_strdup(ask->token);
    entry->query = query;
    LIST_INIT(&entry->readers);
    base_timer_init(&entry->expiry, cache->config.env, "cache-expiry",
                    on_expiry, entry);
    HASH_ADD_KEYPTR(hh, cache->entries, entry->key, entry->key_len, entry);
    base_gauge_set(cache->entries_gauge, HASH_COUNT(cache->entries));
    cache_fetch_start(entry);
    return entry;
}

/* ---- readers -------------------------------------------------------------- */

static bool is_satisfied(const struct cache_read *read)
{
    const struct cache_fetch *fetch = &read->entry->fetch;

    if (fetch->reply == NULL)
        return fetch->failures > 0;
    return fetch->reply->index > read->min_index;
}

void cache_entry_moved(struct cache_entry *entry)
{
    struct cache_read *read;

    LIST_FOREACH(read, &entry->readers, link)
        if (is_satisfied(read) || read->round != entry->fetch.round)
            base_timer_start_ns(&read->due, 0);
}

static void read_free(struct cache_read *read)
{
    base_timer_stop(&read->due);
    LIST_REMOVE(read, link);
    base_free(read);
}

static void on_due(void *arg)
{
    struct cache_read *read = arg;
    struct cache_entry *entry = read->entry;
    const struct cache_fetch *fetch = &entry->fetch;
    struct cache_answer answer = {.reply = fetch->reply,
                                  .hit = read->hit,
                                  .age_ms = cache_fetch_age_ms(entry)};
    cache_done_fn done = read->done;
    void *done_arg = read->arg;

    if (fetch->reply == NULL || answer.age_ms > read->max_age_ms) {
        answer.reply = NULL;
        answer.status = fetch->failures ? fetch->status : RPC_EDEADLINE;
        answer.text = fetch->failures ? fetch->text
                                      : rpc_strerror(RPC_EDEADLINE);
    }
    read_free(read); /* its reference goes below: the answer is in the entry */
    done(done_arg, &answer);
    release(entry);
}

static uint64_t wait_of(const struct cache_read *read,
                        const Server__Query *query)
{
    uint64_t wait_ms = query->max_wait_ms ? query->max_wait_ms
                                          : WAIT_DEFAULT_MS;

    if (is_satisfied(read))
        return 0;
    if (read->min_index == 0)
        return FIRST_ANSWER_MS;
    /* Federation.md section 6: jitter, so that readers do not come in step. */
    return wait_ms +
           base_env_random_below(read->entry->cache->config.env,
                                 wait_ms / 16 + 1);
}

static void read_start(struct cache_read *read, const Server__Query *query)
{
    uint64_t wait_ms = wait_of(read, query);

    if (wait_ms == 0)
        base_timer_start_ns(&read->due, 0);
    else
        base_timer_start_ms(&read->due, wait_ms);
}

/* The same for all that may share an answer. The texts end with a NUL, so no
 * two pairs of them make the same key. */
static Server__Query *make_key(const struct cache_ask *ask,
                               struct base_buf *key)
{
    Server__Query *query = base_pb_dup(ask->query);

    query->min_index = 0;
    query->max_wait_ms = 0;
    query->mode = SERVER__QUERY__MODE__DEFAULT;
    base_buf_append(key, ask->method, strlen(ask->method) + 1);
    base_buf_append(key, ask->token, strlen(ask->token) + 1);
    base_pb_pack(query, key);
    return query;
}

/* NULL if there is no room for another. */
static struct cache_entry *find_or_make(struct cache *cache,
                                        const struct cache_ask *ask)
{
    struct base_buf key = BASE_BUF_INIT;
    Server__Query *query = make_key(ask, &key);
    struct cache_entry *entry;

    HASH_FIND(hh, cache->entries, base_buf_data(&key), base_buf_len(&key),
              entry);
    if (entry == NULL && make_room(cache))
        entry = entry_new(cache, ask, &key, query);
    else
        base_pb_free(query);
    base_buf_close(&key);
    return entry;
}

int cache_read(struct cache *cache, const struct cache_ask *ask,
               cache_done_fn done, void *arg, struct cache_read **out)
{
    struct cache_entry *entry = find_or_make(cache, ask);
    struct cache_read *read;

    if (entry == NULL) {
        count(cache, "isthmus.cache.read", "result", "full");
        return BASE_EFULL;
    }
    hold(entry);
    BASE_NEW(read);
    read->entry = entry;
    read->min_index = ask->query->min_index;
    read->max_age_ms = ask->max_age_ms;
    read->round = entry->fetch.round;
    read->hit = entry->fetch.reply != NULL;
    read->done = done;
    read->arg = arg;
    base_timer_init(&read->due, cache->config.env, "cache-read", on_due, read);
    LIST_INSERT_HEAD(&entry->readers, read, link);
    count(cache, "isthmus.cache.read", "result", read->hit ? "hit" : "miss");
    read_start(read, ask->query);
    *out = read;
    return 0;
}

void cache_read_cancel(struct cache_read *read)
{
    struct cache_entry *entry;

    if (read == NULL)
        return;
    entry = read->entry;
    read_free(read);
    release(entry);
}

/* ---- life ----------------------------------------------------------------- */

struct cache *cache_new(const struct cache_config *config)
{
    struct base_metrics *metrics = config->env->metrics;
    struct cache *cache;

    BASE_NEW(cache);
    cache->config = *config;
    if (config->entries_max == 0)
        cache->config.entries_max = CACHE_ENTRIES_MAX;
    if (config->bytes_max == 0)
        cache->config.bytes_max = CACHE_BYTES_MAX;
    if (config->ttl_ms == 0)
        cache->config.ttl_ms = CACHE_TTL_MS;
    TAILQ_INIT(&cache->idle);
    cache->entries_gauge =
        base_metrics_gauge(metrics, "isthmus.cache.entries", NULL, NULL);
    cache->bytes_gauge =
        base_metrics_gauge(metrics, "isthmus.cache.bytes", NULL, NULL);
    return cache;
}

void cache_renew(struct cache *cache)
{
    struct cache_entry *entry, *next;

    while (!TAILQ_EMPTY(&cache->idle))
        entry_free(TAILQ_FIRST(&cache->idle));
    HASH_ITER(hh, cache->entries, entry, next)
        cache_fetch_renew(entry);
}

void cache_free(struct cache *cache)
{
    struct cache_entry *entry, *next;

    if (cache == NULL)
        return;
    HASH_ITER(hh, cache->entries, entry, next)
    {
        while (!LIST_EMPTY(&entry->readers))
            read_free(LIST_FIRST(&entry->readers));
        entry_free(entry);
    }
    base_free(cache);
}
