/*
 * The query behind an entry: asked again as soon as it is answered, with the
 * index of that answer; an index that went backwards means another state, so
 * it begins anew. Failures wait 250 ms, doubling to 4 s, and leave the answer
 * that was there.
 */
#include "agent/cache_private.h"
#include "base/alloc.h"
#include "base/pb.h"
#include "rpc/error.h"

#define WAIT_MS 300000u
/* Past the longest wait that the method may take, as HTTP's own reads. */
#define CALL_TIMEOUT_MS 30000u
#define AGAIN_FIRST_MS 250u
#define AGAIN_LAST_MS 4000u
/* Changes that come faster than this are taken together; and a server that
 * answers at once without news is not asked in a hot loop. */
#define GAP_MS 20u
#define NO_NEWS_GAP_MS 1000u

static void count(const struct cache_entry *entry, const char *result)
{
    base_counter_add(base_metrics_counter(entry->cache->config.env->metrics,
                                          "isthmus.cache.fetch", "result",
                                          result),
                     1);
}

static void ask_again(struct cache_entry *entry, uint64_t delay_ms)
{
    base_timer_start_ms(&entry->fetch.again, delay_ms);
}

static void drop_reply(struct cache_entry *entry)
{
    struct cache_fetch *fetch = &entry->fetch;

    cache_count_bytes(entry->cache, fetch->reply_len, 0);
    base_pb_free(fetch->reply);
    fetch->reply = NULL;
    fetch->reply_len = 0;
}

static void on_failure(struct cache_entry *entry, int status, const char *text)
{
    struct base_env *env = entry->cache->config.env;
    struct cache_fetch *fetch = &entry->fetch;
    uint64_t delay_ms = AGAIN_FIRST_MS;
    unsigned i;

    if (fetch->failures++ == 0)
        fetch->failed_ms = base_env_now_ms(env);
    for (i = 1; i < fetch->failures && delay_ms < AGAIN_LAST_MS; i++)
        delay_ms *= 2;
    fetch->status = status;
    base_free(fetch->text);
    fetch->text = base_strdup(text ? text : rpc_strerror(status));
    if (status == RPC_EDENIED)
        drop_reply(entry); /* it is not theirs any more */
    count(entry, "failed");
    ask_again(entry, delay_ms + base_env_random_below(env, delay_ms / 10 + 1));
    cache_entry_moved(entry);
}

static void on_success(struct cache_entry *entry, Server__QueryReply *reply,
                       size_t len)
{
    struct cache_fetch *fetch = &entry->fetch;
    uint64_t before = fetch->reply ? fetch->reply->index : 0;
    uint64_t took_ms =
        base_env_now_ms(entry->cache->config.env) - fetch->asked_ms;
    bool news = fetch->reply == NULL || reply->index != before;
    bool waited = !fetch->anew && fetch->failures == 0;

    fetch->failures = 0;
    fetch->anew = false;
    count(entry, "ok");
    cache_count_bytes(entry->cache, fetch->reply_len, len);
    base_pb_free(fetch->reply);
    fetch->reply = reply;
    fetch->reply_len = len;
    if (reply->index < before)
        fetch->round++; /* those that wait for a higher one wait in vain */
    ask_again(entry, news || !waited              ? GAP_MS
                     : took_ms < NO_NEWS_GAP_MS ? NO_NEWS_GAP_MS
                                                : 0);
    if (news)
        cache_entry_moved(entry);
}

static void on_answer(void *arg, int status, const char *text,
                      const void *body, size_t len)
{
    struct cache_entry *entry = arg;
    Server__QueryReply *reply;

    entry->fetch.pending = NULL;
    if (status != 0) {
        on_failure(entry, status, text);
        return;
    }
    reply = base_pb_unpack(&server__query_reply__descriptor, body, len,
                           base_pb_budget(len));
    if (reply == NULL)
        on_failure(entry, RPC_EREMOTE, "malformed answer");
    else
        on_success(entry, reply, len);
}

static void ask(void *arg)
{
    struct cache_entry *entry = arg;
    struct cache_fetch *fetch = &entry->fetch;
    struct base_buf body = BASE_BUF_INIT;
    struct rpc_request what = {.method = entry->method, .token = entry->token};
    int rv;

    /* After a failure the first answer comes at once, and says that all is
     * well again. */
    entry->query->min_index =
        fetch->reply && fetch->failures == 0 && !fetch->anew
            ? fetch->reply->index
            : 0;
    entry->query->max_wait_ms = WAIT_MS;
    what.timeout_ms = CALL_TIMEOUT_MS +
                      (entry->query->min_index ? WAIT_MS + WAIT_MS / 16 : 0);
    base_pb_pack(entry->query, &body);
    what.body = base_buf_data(&body);
    what.body_len = base_buf_len(&body);
    fetch->asked_ms = base_env_now_ms(entry->cache->config.env);
    rv = rpc_server_call_local(entry->cache->config.rpc, &what, on_answer,
                               entry, &fetch->pending);
    base_buf_close(&body);
    if (rv != 0) {
        fetch->pending = NULL;
        on_failure(entry, rv, NULL);
    }
}

void cache_fetch_start(struct cache_entry *entry)
{
    base_timer_init(&entry->fetch.again, entry->cache->config.env, "cache", ask,
                    entry);
    base_timer_start_ns(&entry->fetch.again, 0);
}

void cache_fetch_stop(struct cache_entry *entry)
{
    struct cache_fetch *fetch = &entry->fetch;

    base_timer_stop(&fetch->again);
    if (fetch->pending)
        rpc_pending_cancel(fetch->pending);
    drop_reply(entry);
    base_free(fetch->text);
}

void cache_fetch_renew(struct cache_entry *entry)
{
    struct cache_fetch *fetch = &entry->fetch;

    if (fetch->pending)
        rpc_pending_cancel(fetch->pending);
    fetch->pending = NULL;
    fetch->anew = true;
    base_timer_start_ns(&fetch->again, 0);
}

uint64_t cache_fetch_age_ms(const struct cache_entry *entry)
{
    const struct cache_fetch *fetch = &entry->fetch;

    return fetch->failures == 0 ? 0
                                : base_env_now_ms(entry->cache->config.env) -
                                      fetch->failed_ms;
}
