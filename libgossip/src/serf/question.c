/*
 * Queries that others ask us (and we ourselves, since the asker is asked too):
 * seen before? for us? acknowledge, then hand it to the user, who may answer
 * once before the deadline (gossip.md 3.7). What the user holds is a number,
 * not a pointer: a question ends by itself.
 */
#include "serf/core.h"

#include "base/alloc.h"
#include "serf/query_filter.h"
#include "serf/snapshot.h"

#define QUESTIONS_MAX 1024u
#define TIMEOUT_NS_MAX (10ll * 60 * 1000000000)

struct serf_question {
    struct serf_question *next;
    uint64_t handle;
    uint64_t ltime;
    uint64_t deadline_ms;
    uint32_t id;
    uint8_t relay_factor;
    struct base_addr addr;
    char source[];
};

struct serf_question *serf_question_find(struct gossip_serf *serf,
                                         uint64_t handle)
{
    struct serf_question *question = serf->questions;

    while (question != NULL && question->handle != handle)
        question = question->next;
    return question;
}

static void free_question(struct gossip_serf *serf,
                          struct serf_question *question)
{
    struct serf_question **at = &serf->questions;

    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    serf->question_count--;
    base_free(question);
}

void serf_questions_reap(struct gossip_serf *serf)
{
    uint64_t now_ms = base_env_now_ms(serf->env);
    struct serf_question *question = serf->questions;

    while (question != NULL) {
        struct serf_question *next = question->next;

        if (question->deadline_ms < now_ms)
            free_question(serf, question);
        question = next;
    }
}

void serf_questions_close(struct gossip_serf *serf)
{
    while (serf->questions != NULL)
        free_question(serf, serf->questions);
}

/* A forged address must not make us send elsewhere (gossip.md 6.3 rule 8). */
bool serf_may_answer(const struct gossip_serf *serf,
                     const struct base_addr *addr)
{
    size_t i;

    for (i = 0; i < serf->cfg.cidrs_allowed_count; i++)
        if (base_cidr_contains(&serf->cfg.cidrs_allowed[i], addr))
            return true;
    return serf->cfg.cidrs_allowed_count == 0;
}

static int send_answer(struct gossip_serf *serf,
                       const struct serf_question *question, uint32_t flags,
                       struct mp_bytes payload)
{
    struct serf_msg_response msg = {.ltime = question->ltime,
                                    .id = question->id,
                                    .from = mp_str_of(serf->cfg.name),
                                    .flags = flags,
                                    .payload = payload};
    struct gossip_peer to = {question->source, question->addr};
    struct base_buf out = BASE_BUF_INIT;
    int rv = 0;

    serf_put_response(&out, &msg);
    if (base_buf_len(&out) > serf->cfg.query_response_bytes_max) {
        rv = GOSSIP_ETOOBIG;
    } else {
        rv = serf_send(serf, &to, base_buf_data(&out), base_buf_len(&out));
        if (rv < 0)
            serf_refuse(serf, serf->counters.unroutable, "query answer",
                        gossip_strerror(rv));
        serf_relay_out(serf, question->relay_factor, &to, base_buf_data(&out),
                       base_buf_len(&out));
    }
    base_buf_close(&out);
    return rv;
}

int serf_question_answer(struct gossip_serf *serf, uint64_t handle,
                         const void *payload, size_t len)
{
    struct serf_question *question = serf_question_find(serf, handle);
    int rv;

    if (question == NULL)
        return GOSSIP_ENONODE;
    if (base_env_now_ms(serf->env) > question->deadline_ms) {
        free_question(serf, question);
        return GOSSIP_ETIMEOUT;
    }
    rv = send_answer(serf, question, 0,
                     mp_bytes_of(len > 0 ? payload : NULL, len));
    /* Too big may be said shorter; anything else was the one answer, even if
     * the network refused it, as relays may have taken it (gossip.md 9.34). */
    if (rv != GOSSIP_ETOOBIG)
        free_question(serf, question);
    return rv;
}

int gossip_query_respond(struct gossip_serf *serf, uint64_t query,
                         const void *payload, size_t payload_len)
{
    return serf_question_answer(serf, query, payload, payload_len);
}

static struct serf_question *new_question(struct gossip_serf *serf,
                                          const struct serf_msg_query *msg,
                                          const char *source,
                                          const struct base_addr *addr)
{
    int64_t timeout_ns = msg->timeout_ns;
    size_t source_bytes = strlen(source) + 1;
    struct serf_question *question;

    if (timeout_ns < 0)
        timeout_ns = 0;
    if (timeout_ns > TIMEOUT_NS_MAX)
        timeout_ns = TIMEOUT_NS_MAX;
    if (serf->question_count >= QUESTIONS_MAX)
        serf_questions_reap(serf);
    if (serf->question_count >= QUESTIONS_MAX)
        return NULL;
    question = base_calloc(1, sizeof(*question) + source_bytes);
    memcpy(question->source, source, source_bytes);
    question->handle = ++serf->question_next;
    question->ltime = msg->ltime;
    question->id = msg->id;
    question->relay_factor = msg->relay_factor;
    question->addr = *addr;
    question->deadline_ms =
        base_env_now_ms(serf->env) + (uint64_t)timeout_ns / 1000000u;
    question->next = serf->questions;
    serf->questions = question;
    serf->question_count++;
    return question;
}

/* To the user, or to ourselves where the name is reserved. */
static void deliver(struct gossip_serf *serf, const struct serf_msg_query *msg,
                    const struct serf_question *question)
{
    char *name = base_strndup((const char *)msg->name.data, msg->name.len);

    if (serf_is_internal(msg->name))
        serf_internal_query(serf, name, question->handle, msg->payload.data,
                            msg->payload.len);
    else
        serf_emit(serf, &(struct gossip_event){
                            .kind = GOSSIP_EVENT_QUERY,
                            .name = name,
                            .payload = msg->payload.data,
                            .payload_len = msg->payload.len,
                            .ltime = msg->ltime,
                            .query = question->handle,
                            .query_source = question->source,
                            .query_deadline_ms = question->deadline_ms});
    base_free(name);
}

static void answer(struct gossip_serf *serf, const struct serf_msg_query *msg,
                   const char *source, const struct base_addr *addr)
{
    struct serf_question *question;

    if (!serf_may_answer(serf, addr)) {
        serf_refuse(serf, serf->counters.unroutable, "query",
                    "address is not allowed");
        return;
    }
    question = new_question(serf, msg, source, addr);
    if (question == NULL) {
        serf_refuse(serf, serf->counters.full, "query", source);
        return;
    }
    if (msg->flags & SERF_FLAG_ACK)
        (void)send_answer(serf, question, SERF_FLAG_ACK,
                          mp_bytes_of(NULL, 0));
    deliver(serf, msg, question);
}

static bool is_well_formed(const struct serf_msg_query *msg,
                           char source[GOSSIP_NAME_MAX + 1],
                           struct base_addr *addr)
{
    source[0] = '\0';
    if (msg->source.len > 0 && !serf_name_copy(source, msg->source))
        return false;
    if (msg->name.len > 0 &&
        memchr(msg->name.data, '\0', msg->name.len) != NULL)
        return false;
    return base_addr_from_ip(addr, msg->addr.data, msg->addr.len,
                             msg->port) == 0;
}

/* Agents of the original crash on a filter without bytes, and on a key
 * operation without a message (gossip.md 9.26). What we survive must not reach
 * them through us. */
static bool may_pass_on(const struct serf_msg_query *msg)
{
    uint32_t i;

    for (i = 0; i < msg->filter_count; i++)
        if (msg->filters[i].len == 0)
            return false;
    if (serf_is_internal(msg->name) && msg->payload.len == 0 &&
        !mp_is(msg->name, SERF_INTERNAL_PREFIX "ping"))
        return false;
    return (msg->flags & SERF_FLAG_NO_BROADCAST) == 0;
}

bool serf_query_in(struct gossip_serf *serf, const struct serf_msg_query *msg)
{
    char source[GOSSIP_NAME_MAX + 1];
    struct base_addr addr;

    if (!serf_ltime_ok(msg->ltime)) {
        serf_refuse(serf, serf->counters.ltime, "query", "");
        return false;
    }
    if (!is_well_formed(msg, source, &addr)) {
        serf_refuse(serf, serf->counters.malformed, "query", "");
        return false;
    }
    serf_lamport_witness(&serf->query_clock, msg->ltime);
    switch (serf_ring_see(&serf->queries, msg->ltime, serf->query_clock.time,
                          msg->id, NULL, 0, NULL, 0)) {
    case SERF_RING_NEW:
        break;
    case SERF_RING_FULL:
        serf_refuse(serf, serf->counters.full, "query", source);
        return false;
    default:
        return false;
    }
    serf_snapshot_query(serf->snapshot, msg->ltime);
    if (serf_filters_match(serf, msg))
        answer(serf, msg, source, &addr);
    /* Others may be meant even if we are not. */
    return may_pass_on(msg);
}
