/*
 * Queries. The two loops know one by a number, so that neither ever holds a
 * pointer into the other: an answer to a query that was called off finds
 * nobody, and a word that got lost (a full queue) costs no more than the wait
 * until its deadline, which the main loop keeps too.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "gossip/error.h"
#include "server/pool_private.h"

/* The gossip loop's last word has that long to arrive. */
#define GRACE_MS 2000u

/* ---- main loop ------------------------------------------------------------ */

struct pool_query {
    struct pool *pool;
    uint64_t id;
    struct pool_query_events events;
    void *arg;
    struct base_timer timer;
    struct pool_query *next;
};

static struct pool_query **place(struct pool *pool, uint64_t id)
{
    struct pool_query **at = &pool->queries;

    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static void forget(struct pool_query *query)
{
    struct pool_query **at = place(query->pool, query->id);

    assert(*at == query);
    *at = query->next;
    base_timer_stop(&query->timer);
    base_free(query);
}

static void end(struct pool_query *query, int status)
{
    struct pool_query_events events = query->events;
    void *arg = query->arg;

    forget(query);
    if (events.on_done)
        events.on_done(arg, status);
}

static void on_silence(void *arg)
{
    end(arg, GOSSIP_ETIMEOUT);
}

/* ---- answers, gossip loop to main loop ------------------------------------ */

enum word { WORD_TIME, WORD_ACK, WORD_RESPONSE, WORD_DONE };

struct answer {
    struct mail mail;
    struct pool *pool;
    uint64_t id;
    enum word word;
    char *from;
    void *payload;
    size_t len;
    int status;
    uint32_t timeout_ms;
};

static void answer_free(struct mail *mail)
{
    struct answer *answer = (struct answer *)mail;

    base_free(answer->from);
    base_free(answer->payload);
    base_free(answer);
}

static void take(struct pool_query *query, const struct answer *answer)
{
    switch (answer->word) {
    case WORD_TIME:
        base_timer_start_ms(&query->timer, answer->timeout_ms + GRACE_MS);
        break;
    case WORD_ACK:
        if (query->events.on_ack)
            query->events.on_ack(query->arg, answer->from);
        break;
    case WORD_RESPONSE:
        if (query->events.on_response)
            query->events.on_response(query->arg, answer->from,
                                      answer->payload, answer->len);
        break;
    case WORD_DONE:
        end(query, answer->status);
        break;
    }
}

static void on_answer(struct mail *mail)
{
    struct answer *answer = (struct answer *)mail;
    struct pool_query *query;

    mail_end(mail);
    query = *place(answer->pool, answer->id);
    if (query)
        take(query, answer);
    answer_free(mail);
}

static struct answer *answer_new(struct pool *pool, uint64_t id, enum word word)
{
    struct answer *answer;

    BASE_NEW(answer);
    answer->pool = pool;
    answer->id = id;
    answer->word = word;
    mail_open(&pool->mail, &answer->mail, answer_free);
    return answer;
}

static void answer_send(struct answer *answer)
{
    if (mail_send(&answer->mail, answer->pool->main, on_answer) == 0)
        return;
    base_counter_add(base_metrics_counter(answer->pool->gossip->metrics,
                                          "isthmus.pool.answers_dropped", NULL,
                                          NULL),
                     1);
    mail_end(&answer->mail);
    answer_free(&answer->mail);
}

/* ---- gossip loop ---------------------------------------------------------- */

struct asked {
    struct pool *pool;
    uint64_t id;
    struct gossip_query *query;
    struct asked *next;
};

static struct asked **asked_place(struct pool *pool, uint64_t id)
{
    struct asked **at = &pool->asked;

    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static void on_ack(void *arg, const char *from)
{
    const struct asked *asked = arg;
    struct answer *answer = answer_new(asked->pool, asked->id, WORD_ACK);

    answer->from = base_strdup(from);
    answer_send(answer);
}

static void on_response(void *arg, const char *from, const void *payload,
                        size_t len)
{
    const struct asked *asked = arg;
    struct answer *answer = answer_new(asked->pool, asked->id, WORD_RESPONSE);

    answer->from = base_strdup(from);
    answer->payload = len > 0 ? base_memdup(payload, len) : NULL;
    answer->len = len;
    answer_send(answer);
}

static void asked_end(struct asked *asked, int status)
{
    struct answer *answer = answer_new(asked->pool, asked->id, WORD_DONE);

    *asked_place(asked->pool, asked->id) = asked->next;
    answer->status = status;
    answer_send(answer);
    base_free(asked);
}

static void on_done(void *arg)
{
    asked_end(arg, 0);
}

/* ---- asking: main loop to gossip loop ------------------------------------- */

struct asking {
    struct errand errand;
    uint64_t id;
    char *name;
    void *payload;
    size_t payload_len;
    struct gossip_query_params params; /* its strings are ours */
    bool stop; /* or: it was called off */
};

static void asking_free(struct errand *errand)
{
    struct asking *asking = (struct asking *)errand;
    struct gossip_query_params *params = &asking->params;
    size_t i;

    for (i = 0; i < params->node_count; i++)
        base_free((char *)(uintptr_t)params->nodes[i]);
    for (i = 0; i < params->tag_count; i++) {
        base_free((char *)(uintptr_t)params->tags[i].key);
        base_free((char *)(uintptr_t)params->tags[i].value);
    }
    base_free((void *)(uintptr_t)params->nodes);
    base_free((void *)(uintptr_t)params->tags);
    base_free(asking->name);
    base_free(asking->payload);
    base_free(asking);
}

static void asking_home(struct errand *errand)
{
    (void)errand; /* answers go their own way */
}

static void ask(const struct asking *asking)
{
    static const struct gossip_query_events events = {on_ack, on_response,
                                                      on_done};
    struct pool *pool = asking->errand.pool;
    struct asked *asked;
    struct answer *answer;
    int rv;

    BASE_NEW(asked);
    asked->pool = pool;
    asked->id = asking->id;
    asked->next = pool->asked;
    pool->asked = asked;
    rv = gossip_serf_query(pool->serf, asking->name, asking->payload,
                           asking->payload_len, &asking->params, &events,
                           asked, &asked->query);
    if (rv != 0) {
        asked_end(asked, rv);
        return;
    }
    answer = answer_new(pool, asking->id, WORD_TIME);
    answer->timeout_ms = asking->params.timeout_ms
                             ? asking->params.timeout_ms
                             : gossip_serf_query_timeout_ms(pool->serf);
    answer_send(answer);
}

static void run_asking(struct errand *errand)
{
    const struct asking *asking = (const struct asking *)errand;
    struct asked *asked = *asked_place(errand->pool, asking->id);

    if (!asking->stop)
        ask(asking);
    else if (asked)
        gossip_query_finish(asked->query);
    errand_over(errand, 0);
}

static struct asking *asking_new(uint64_t id)
{
    struct asking *asking;

    BASE_NEW(asking);
    asking->errand.run = run_asking;
    asking->errand.home = asking_home;
    asking->errand.drop = asking_free;
    asking->id = id;
    return asking;
}

static void copy_params(struct gossip_query_params *to,
                        const struct gossip_query_params *from)
{
    const char **nodes = base_calloc(from->node_count + 1, sizeof(*nodes));
    struct gossip_tag *tags = base_calloc(from->tag_count + 1, sizeof(*tags));
    size_t i;

    *to = *from;
    for (i = 0; i < from->node_count; i++)
        nodes[i] = base_strdup(from->nodes[i]);
    for (i = 0; i < from->tag_count; i++) {
        tags[i].key = base_strdup(from->tags[i].key);
        tags[i].value = base_strdup(from->tags[i].value);
    }
    to->nodes = nodes;
    to->tags = tags;
}

int pool_query(struct pool *pool, const char *name, const void *payload,
               size_t len, const struct gossip_query_params *params,
               const struct pool_query_events *events, void *arg,
               struct pool_query **out)
{
    struct asking *asking = asking_new(++pool->last_query);
    struct pool_query *query;
    int rv;

    asking->name = base_strdup(name);
    asking->payload = len > 0 ? base_memdup(payload, len) : NULL;
    asking->payload_len = len;
    copy_params(&asking->params, params);
    rv = errand_send(pool, &asking->errand);
    if (rv != 0)
        return rv;
    BASE_NEW(query);
    query->pool = pool;
    query->id = pool->last_query;
    query->events = *events;
    query->arg = arg;
    query->next = pool->queries;
    pool->queries = query;
    base_timer_init(&query->timer, pool->main, "query", on_silence, query);
    base_timer_start_ms(&query->timer, params->timeout_ms
                                           ? params->timeout_ms + GRACE_MS
                                           : POOL_QUERY_TIMEOUT_MAX_MS);
    *out = query;
    return 0;
}

void pool_query_cancel(struct pool_query *query)
{
    struct pool *pool = query->pool;
    struct asking *asking = asking_new(query->id);

    forget(query);
    asking->stop = true;
    /* If it cannot be told, its own deadline ends it there. */
    (void)errand_send(pool, &asking->errand);
}

void pool_queries_close(struct pool *pool)
{
    while (pool->queries)
        forget(pool->queries);
    while (pool->asked) {
        struct asked *asked = pool->asked;

        pool->asked = asked->next;
        base_free(asked);
    }
}

/* ---- what others ask ------------------------------------------------------ */

void pool_answer(struct pool *pool, const struct gossip_event *event)
{
    /* The one question that every agent answers; other names are for serf
     * agents with handlers of their own. */
    if (strcmp(event->name, POOL_QUERY_VERSION) == 0)
        (void)gossip_query_respond(pool->serf, event->query, pool->build,
                                   strlen(pool->build));
}
