/*
 * Queries that we ask: the open ones, keyed by Lamport time and ID, and who has
 * acknowledged and answered. As many answers are taken as members were alive at
 * the start, one each; at the deadline it is over (gossip.md 3.7).
 */
#include "serf/core.h"

#include <math.h>

#include "base/alloc.h"
#include "serf/query_filter.h"

#define OPEN_MAX 256u
#define TIMEOUT_MS_MAX (10u * 60 * 1000)
#define PROTOCOL_QUERY 4 /* the first that has queries */

/* A node that was heard of. */
struct responder {
    struct serf_named named; /* first */
    bool acked;
    bool responded;
    char name[];
};

struct gossip_query {
    struct gossip_serf *serf;
    struct gossip_query *next;
    uint64_t ltime;
    uint32_t id;
    bool want_acks;
    size_t capacity;
    struct serf_name_table responders;
    struct gossip_query_events events;
    void *arg;
    struct base_timer deadline;
    bool *gone; /* set when it ends during a callback */
};

uint32_t gossip_serf_query_timeout_ms(const struct gossip_serf *serf)
{
    double alive = (double)serf_alive_count(serf);
    double scale = ceil(log10(alive + 1));
    double timeout_ms = (double)serf->cfg.params.gossip_interval_ms *
                        serf->cfg.query_timeout_mult * fmax(scale, 1);

    return timeout_ms < TIMEOUT_MS_MAX ? (uint32_t)timeout_ms
                                       : TIMEOUT_MS_MAX;
}

static void free_query(struct gossip_query *query)
{
    struct gossip_serf *serf = query->serf;
    struct gossip_query **at = &serf->open_queries;
    size_t i;

    while (*at != query)
        at = &(*at)->next;
    *at = query->next;
    serf->open_query_count--;
    if (query->gone != NULL)
        *query->gone = true;
    base_timer_stop(&query->deadline);
    for (i = 0; i < query->responders.count; i++)
        base_free(query->responders.all[i]);
    serf_name_table_close(&query->responders);
    base_free(query);
}

void gossip_query_cancel(struct gossip_query *query)
{
    free_query(query);
}

void gossip_query_finish(struct gossip_query *query)
{
    base_timer_start_ns(&query->deadline, 0);
}

void serf_queries_close(struct gossip_serf *serf)
{
    while (serf->open_queries != NULL)
        free_query(serf->open_queries);
}

static void on_deadline(void *arg)
{
    struct gossip_query *query = arg;
    void (*on_done)(void *) = query->events.on_done;
    void *done_arg = query->arg;

    free_query(query);
    if (on_done != NULL)
        on_done(done_arg);
}

static struct responder *responder_of(struct gossip_query *query,
                                      const char *name)
{
    struct responder *found = (struct responder *)(void *)serf_name_table_find(
        &query->responders, name);
    size_t name_bytes = strlen(name) + 1;

    if (found != NULL || query->responders.count >= query->capacity)
        return found;
    found = base_calloc(1, sizeof(*found) + name_bytes);
    memcpy(found->name, name, name_bytes);
    found->named.name = found->name;
    serf_name_table_add(&query->responders, &found->named);
    return found;
}

static void tell(struct gossip_query *query, const char *from,
                 const struct serf_msg_response *msg)
{
    bool gone = false;

    query->gone = &gone;
    if (msg->flags & SERF_FLAG_ACK) {
        if (query->events.on_ack != NULL)
            query->events.on_ack(query->arg, from);
    } else if (query->events.on_response != NULL) {
        query->events.on_response(query->arg, from, msg->payload.data,
                                  msg->payload.len);
    }
    if (!gone)
        query->gone = NULL;
}

void serf_response_in(struct gossip_serf *serf,
                      const struct serf_msg_response *msg)
{
    struct gossip_query *query = serf->open_queries;
    bool ack = (msg->flags & SERF_FLAG_ACK) != 0;
    char from[GOSSIP_NAME_MAX + 1];
    struct responder *responder;

    /* Late answers find nothing, which is normal. */
    while (query != NULL &&
           (query->ltime != msg->ltime || query->id != msg->id))
        query = query->next;
    if (query == NULL)
        return;
    if (!serf_name_copy(from, msg->from) || (ack && !query->want_acks)) {
        serf_refuse(serf, serf->counters.malformed, "query response", "");
        return;
    }
    responder = responder_of(query, from);
    if (responder == NULL) {
        serf_refuse(serf, serf->counters.full, "query response", from);
        return;
    }
    /* By relays the same answer comes more than once. */
    if (ack ? responder->acked : responder->responded)
        return;
    *(ack ? &responder->acked : &responder->responded) = true;
    tell(query, from, msg);
}

/* The filters' bytes, until the query is written. */
struct filter_set {
    struct base_buf bufs[SERF_FILTERS_MAX];
    uint32_t count;
};

static int make_filters(struct filter_set *set,
                        const struct gossip_query_params *params)
{
    size_t i;

    memset(set, 0, sizeof(*set));
    if (params->tag_count + 1 > SERF_FILTERS_MAX)
        return GOSSIP_ETOOBIG;
    if (params->node_count > 0)
        serf_filter_put_nodes(&set->bufs[set->count++], params->nodes,
                              params->node_count);
    for (i = 0; i < params->tag_count; i++)
        serf_filter_put_tag(&set->bufs[set->count++], &params->tags[i]);
    return 0;
}

static void close_filters(struct filter_set *set)
{
    uint32_t i;

    for (i = 0; i < set->count; i++)
        base_buf_close(&set->bufs[i]);
}

static struct gossip_query *open_query(struct gossip_serf *serf,
                                       const struct serf_msg_query *msg,
                                       const struct gossip_query_events *events,
                                       void *arg)
{
    struct gossip_query *query = BASE_NEW(query);

    query->serf = serf;
    query->ltime = msg->ltime;
    query->id = msg->id;
    query->want_acks = (msg->flags & SERF_FLAG_ACK) != 0;
    query->capacity = serf_alive_count(serf);
    query->events = *events;
    query->arg = arg;
    serf_name_table_init(&query->responders, base_env_random_u64(serf->env));
    query->next = serf->open_queries;
    serf->open_queries = query;
    serf->open_query_count++;
    base_timer_init(&query->deadline, serf->env, "serf-query", on_deadline,
                    query);
    base_timer_start_ns(&query->deadline, (uint64_t)msg->timeout_ns);
    return query;
}

static void fill(struct gossip_serf *serf, struct serf_msg_query *msg,
                 const struct gossip_query_params *params,
                 const struct filter_set *filters)
{
    uint32_t timeout_ms = params->timeout_ms > 0
                              ? params->timeout_ms
                              : gossip_serf_query_timeout_ms(serf);
    uint32_t i;

    if (timeout_ms > TIMEOUT_MS_MAX)
        timeout_ms = TIMEOUT_MS_MAX;
    msg->ltime = serf->query_clock.time;
    msg->id = (uint32_t)(base_env_random_u64(serf->env) & 0x7fffffffu);
    msg->addr = mp_bytes_of(serf->cfg.advertise.ip,
                            base_addr_ip_len(&serf->cfg.advertise));
    msg->port = serf->cfg.advertise.port;
    msg->source = mp_str_of(serf->cfg.name);
    for (i = 0; i < filters->count; i++)
        msg->filters[i] = mp_bytes_of(base_buf_data(&filters->bufs[i]),
                                      base_buf_len(&filters->bufs[i]));
    msg->filter_count = filters->count;
    msg->flags = params->want_acks ? SERF_FLAG_ACK : 0;
    msg->relay_factor = params->relay_factor;
    msg->timeout_ns = (int64_t)timeout_ms * 1000000;
}

static int ask(struct gossip_serf *serf, const struct serf_msg_query *msg,
               const struct gossip_query_events *events, void *arg,
               struct gossip_query **out)
{
    struct base_buf bytes = BASE_BUF_INIT;
    struct gossip_query *query;
    int rv = GOSSIP_ETOOBIG;

    serf_put_query(&bytes, msg);
    if (base_buf_len(&bytes) <= serf->cfg.query_bytes_max &&
        base_buf_len(&bytes) <=
            gossip_memberlist_message_bytes_max(serf->memberlist)) {
        query = open_query(serf, msg, events, arg);
        (void)serf_query_in(serf, msg); /* it witnesses the time */
        serf_broadcast(serf, serf->query_queue, NULL, base_buf_data(&bytes),
                       base_buf_len(&bytes), NULL, NULL);
        if (out != NULL)
            *out = query;
        rv = 0;
    }
    base_buf_close(&bytes);
    return rv;
}

int gossip_serf_query(struct gossip_serf *serf, const char *name,
                      const void *payload, size_t payload_len,
                      const struct gossip_query_params *params,
                      const struct gossip_query_events *events, void *arg,
                      struct gossip_query **out)
{
    static const struct gossip_query_params everybody;
    struct serf_msg_query msg = {
        .name = mp_str_of(name),
        .payload = mp_bytes_of(payload_len > 0 ? payload : NULL, payload_len)};
    struct filter_set filters;
    int rv;

    if (params == NULL)
        params = &everybody;
    if (serf->cfg.protocol < PROTOCOL_QUERY)
        return GOSSIP_EVERSION;
    if (serf->open_query_count >= OPEN_MAX)
        return GOSSIP_EBUSY;
    rv = make_filters(&filters, params);
    if (rv == 0) {
        fill(serf, &msg, params, &filters);
        rv = ask(serf, &msg, events, arg, out);
    }
    close_filters(&filters);
    return rv;
}
