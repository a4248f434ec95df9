/*
 * Key operations that we start: a query to the whole pool, and a count of what
 * the nodes say. One node that does not answer makes it fail, since rotation
 * goes on only when all have the key (gossip.md 3.7).
 */
#include "serf/core.h"

#include "base/alloc.h"

#define DISTINCT_KEYS_MAX 1024u

struct count_list {
    struct gossip_key_count *list;
    size_t count;
};

struct serf_key_op {
    struct gossip_serf *serf;
    struct serf_key_op *next;
    struct gossip_query *query;
    struct gossip_key_result result;
    struct gossip_key_message *messages;
    struct count_list keys;
    struct count_list primaries;
    gossip_key_fn done;
    void *arg;
};

static void close_counts(struct count_list *counts)
{
    size_t i;

    for (i = 0; i < counts->count; i++) {
        char *key = (char *)(uintptr_t)counts->list[i].key;

        base_free_secret(key, strlen(key));
    }
    base_free(counts->list);
}

static void free_op(struct serf_key_op *op)
{
    struct serf_key_op **at = &op->serf->key_ops;
    size_t i;

    while (*at != op)
        at = &(*at)->next;
    *at = op->next;
    for (i = 0; i < op->result.message_count; i++) {
        base_free((char *)(uintptr_t)op->messages[i].node);
        base_free((char *)(uintptr_t)op->messages[i].text);
    }
    base_free(op->messages);
    close_counts(&op->keys);
    close_counts(&op->primaries);
    base_free(op);
}

void serf_key_ops_close(struct gossip_serf *serf)
{
    while (serf->key_ops != NULL)
        free_op(serf->key_ops);
}

static void count_key(struct count_list *counts, struct mp_bytes key)
{
    size_t i;

    for (i = 0; i < counts->count; i++) {
        if (mp_is(key, counts->list[i].key)) {
            counts->list[i].nodes++;
            return;
        }
    }
    if (counts->count >= DISTINCT_KEYS_MAX)
        return;
    counts->list = base_reallocarray(counts->list, counts->count + 1,
                                     sizeof(counts->list[0]));
    counts->list[counts->count++] = (struct gossip_key_count){
        base_strndup((const char *)key.data, key.len), 1};
}

static void note(struct serf_key_op *op, const char *node,
                 struct mp_bytes text, bool failed)
{
    if (text.len == 0 && !failed)
        return;
    op->messages =
        base_reallocarray(op->messages, op->result.message_count + 1,
                          sizeof(op->messages[0]));
    op->messages[op->result.message_count++] = (struct gossip_key_message){
        base_strdup(node), base_strndup((const char *)text.data, text.len),
        failed};
}

static void on_response(void *arg, const char *from, const void *payload,
                        size_t len)
{
    struct serf_key_op *op = arg;
    struct serf_msg_key_response msg;
    uint32_t i;

    op->result.response_count++;
    if (serf_get_key_response(&msg, payload, len) < 0) {
        op->result.error_count++;
        note(op, from, mp_str_of("malformed answer"), true);
    } else {
        op->result.error_count += !msg.result;
        note(op, from, msg.message, !msg.result);
        for (i = 0; i < msg.key_count; i++)
            count_key(&op->keys, msg.keys[i]);
        if (msg.primary.len > 0)
            count_key(&op->primaries, msg.primary);
    }
    if (op->result.response_count >= op->result.node_count)
        gossip_query_finish(op->query);
}

static void on_done(void *arg)
{
    struct serf_key_op *op = arg;
    struct gossip_key_result *result = &op->result;
    int status = 0;

    if (result->error_count > 0)
        status = GOSSIP_EREMOTE;
    else if (result->response_count < result->node_count)
        status = GOSSIP_ETIMEOUT;
    result->messages = op->messages;
    result->keys = op->keys.list;
    result->key_count = op->keys.count;
    result->primaries = op->primaries.list;
    result->primary_count = op->primaries.count;
    if (op->done != NULL)
        op->done(op->arg, status, result);
    free_op(op);
}

static int start(struct gossip_serf *serf, const char *name,
                 const struct base_buf *payload, uint8_t relay_factor,
                 gossip_key_fn done, void *arg)
{
    static const struct gossip_query_events events = {
        .on_response = on_response, .on_done = on_done};
    struct gossip_query_params params = {.relay_factor = relay_factor};
    struct serf_key_op *op = BASE_NEW(op);
    int rv;

    op->serf = serf;
    op->done = done;
    op->arg = arg;
    op->result.node_count = serf_alive_count(serf);
    op->next = serf->key_ops;
    serf->key_ops = op;
    rv = gossip_serf_query(serf, name, base_buf_data(payload),
                           base_buf_len(payload), &params, &events, op,
                           &op->query);
    if (rv < 0)
        free_op(op);
    return rv;
}

int gossip_serf_key(struct gossip_serf *serf,
                    enum gossip_key_operation operation, const char *key,
                    uint8_t relay_factor, gossip_key_fn done, void *arg)
{
    static const char *const names[] = {
        [GOSSIP_KEY_INSTALL] = SERF_INTERNAL_PREFIX "install-key",
        [GOSSIP_KEY_USE] = SERF_INTERNAL_PREFIX "use-key",
        [GOSSIP_KEY_REMOVE] = SERF_INTERNAL_PREFIX "remove-key",
        [GOSSIP_KEY_LIST] = SERF_INTERNAL_PREFIX "list-keys",
    };
    struct base_buf payload = BASE_BUF_INIT;
    struct gossip_key raw = {.len = 0};
    int rv = 0;

    if ((unsigned)operation >= BASE_COUNT_OF(names) ||
        (key == NULL) != (operation == GOSSIP_KEY_LIST))
        return GOSSIP_EINVAL;
    if (key != NULL)
        rv = gossip_key_parse(&raw, key);
    if (rv == 0) {
        serf_put_key_request(&payload, mp_bytes_of(raw.bytes, raw.len));
        rv = start(serf, names[operation], &payload, relay_factor, done, arg);
    }
    explicit_bzero(&raw, sizeof(raw));
    if (payload.bytes != NULL)
        explicit_bzero(payload.bytes, payload.cap);
    base_buf_close(&payload);
    return rv;
}
