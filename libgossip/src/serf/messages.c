/*
 * Gossiped messages: intents, user events, queries. Field tables in ascending
 * order of keys, as the codec wants them. Payloads of internal queries are in
 * message_internal.c, the push/pull body in push_pull.c.
 */
#include "serf/messages.h"

#include <string.h>

static const struct mp_field leave_fields[] = {
    MP_FIELD(struct serf_msg_intent, ltime, "LTime", MP_U64),
    MP_FIELD(struct serf_msg_intent, node, "Node", MP_STR),
    MP_FIELD(struct serf_msg_intent, prune, "Prune", MP_BOOL),
};
#define JOIN_FIELDS 2u /* the same without Prune */

static const struct mp_field event_fields[] = {
    MP_FIELD(struct serf_msg_event, coalesce, "CC", MP_BOOL),
    MP_FIELD(struct serf_msg_event, ltime, "LTime", MP_U64),
    MP_FIELD(struct serf_msg_event, name, "Name", MP_STR),
    MP_FIELD(struct serf_msg_event, payload, "Payload", MP_BYTES),
};

static const struct mp_field response_fields[] = {
    MP_FIELD(struct serf_msg_response, flags, "Flags", MP_U32),
    MP_FIELD(struct serf_msg_response, from, "From", MP_STR),
    MP_FIELD(struct serf_msg_response, id, "ID", MP_U32),
    MP_FIELD(struct serf_msg_response, ltime, "LTime", MP_U64),
    MP_FIELD(struct serf_msg_response, payload, "Payload", MP_BYTES),
};

/* Filters stand between Addr and Flags: the list splits the table. */
static const struct mp_field query_fields[] = {
    MP_FIELD(struct serf_msg_query, addr, "Addr", MP_BYTES),
    MP_FIELD(struct serf_msg_query, flags, "Flags", MP_U32),
    MP_FIELD(struct serf_msg_query, id, "ID", MP_U32),
    MP_FIELD(struct serf_msg_query, ltime, "LTime", MP_U64),
    MP_FIELD(struct serf_msg_query, name, "Name", MP_STR),
    MP_FIELD(struct serf_msg_query, payload, "Payload", MP_BYTES),
    MP_FIELD(struct serf_msg_query, port, "Port", MP_U16),
    MP_FIELD(struct serf_msg_query, relay_factor, "RelayFactor", MP_U8),
    MP_FIELD(struct serf_msg_query, source, "SourceNode", MP_STR),
    MP_FIELD(struct serf_msg_query, timeout_ns, "Timeout", MP_I64),
};

void serf_put_intent(struct base_buf *out, enum serf_message_type type,
                     const struct serf_msg_intent *msg)
{
    base_buf_append_u8(out, (uint8_t)type);
    mp_put_struct(out, leave_fields,
                  type == SERF_JOIN ? JOIN_FIELDS
                                    : BASE_COUNT_OF(leave_fields),
                  msg);
}

int serf_get_intent(struct serf_msg_intent *msg, const void *data, size_t len)
{
    struct base_cursor in = base_cursor_of(data, len);

    memset(msg, 0, sizeof(*msg));
    msg->node = mp_bytes_of("", 0);
    return mp_get_struct(&in, leave_fields, BASE_COUNT_OF(leave_fields), msg,
                         NULL)
               ? 0
               : GOSSIP_EDECODE;
}

void serf_put_event(struct base_buf *out, const struct serf_msg_event *msg)
{
    base_buf_append_u8(out, SERF_USER_EVENT);
    mp_put_struct(out, event_fields, BASE_COUNT_OF(event_fields), msg);
}

int serf_get_event(struct serf_msg_event *msg, const void *data, size_t len,
                   struct mp_scratch *scratch)
{
    struct base_cursor in = base_cursor_of(data, len);

    memset(msg, 0, sizeof(*msg));
    msg->name = mp_bytes_of("", 0);
    return mp_get_struct(&in, event_fields, BASE_COUNT_OF(event_fields), msg,
                         scratch)
               ? 0
               : GOSSIP_EDECODE;
}

void serf_put_response(struct base_buf *out,
                       const struct serf_msg_response *msg)
{
    base_buf_append_u8(out, SERF_QUERY_RESPONSE);
    mp_put_struct(out, response_fields, BASE_COUNT_OF(response_fields), msg);
}

int serf_get_response(struct serf_msg_response *msg, const void *data,
                      size_t len, struct mp_scratch *scratch)
{
    struct base_cursor in = base_cursor_of(data, len);

    memset(msg, 0, sizeof(*msg));
    msg->from = mp_bytes_of("", 0);
    return mp_get_struct(&in, response_fields, BASE_COUNT_OF(response_fields),
                         msg, scratch)
               ? 0
               : GOSSIP_EDECODE;
}

static void put_filters(struct base_buf *out, const struct serf_msg_query *msg)
{
    uint32_t i;

    if (msg->filter_count == 0) {
        mp_put_nil(out);
        return;
    }
    mp_put_array(out, msg->filter_count);
    for (i = 0; i < msg->filter_count; i++)
        mp_put_bytes(out, msg->filters[i]);
}

/* mp_put_struct() writes a map of its own; the query's map has the list in it,
 * so the pairs are taken over without that header. */
static void put_pairs(struct base_buf *out, const struct mp_field *fields,
                      size_t count, const void *value)
{
    struct base_buf pairs = BASE_BUF_INIT;

    mp_put_struct(&pairs, fields, count, value);
    base_buf_append(out, base_buf_data(&pairs) + 1, base_buf_len(&pairs) - 1);
    base_buf_close(&pairs);
}

void serf_put_query(struct base_buf *out, const struct serf_msg_query *msg)
{
    _Static_assert(BASE_COUNT_OF(query_fields) + 1 <= 15,
                   "the map header stays one byte");

    base_buf_append_u8(out, SERF_QUERY);
    mp_put_map(out, BASE_COUNT_OF(query_fields) + 1);
    put_pairs(out, query_fields, 1, msg);
    mp_put_text(out, "Filters");
    put_filters(out, msg);
    put_pairs(out, query_fields + 1, BASE_COUNT_OF(query_fields) - 1, msg);
}

static void get_filters(struct serf_msg_query *msg, struct base_cursor *in,
                        struct mp_scratch *scratch)
{
    uint32_t count = mp_get_array(in);
    uint32_t i;

    if (count > SERF_FILTERS_MAX) {
        in->failed = true;
        return;
    }
    for (i = 0; i < count && !in->failed; i++)
        msg->filters[i] = mp_get_bytes(in, scratch);
    msg->filter_count = count;
}

/* The list is read where it stands; the rest goes by the table. A message is
 * small, so the second pass over it costs nothing. */
int serf_get_query(struct serf_msg_query *msg, const void *data, size_t len,
                   struct mp_scratch *scratch)
{
    struct base_cursor in = base_cursor_of(data, len);
    struct base_cursor again = in;
    uint32_t pairs;

    memset(msg, 0, sizeof(*msg));
    msg->name = mp_bytes_of("", 0);
    msg->source = mp_bytes_of("", 0);
    if (!mp_get_struct(&in, query_fields, BASE_COUNT_OF(query_fields), msg,
                       scratch))
        return GOSSIP_EDECODE;
    for (pairs = mp_get_map(&again); pairs > 0 && !again.failed; pairs--) {
        struct mp_bytes key = mp_get_key(&again);

        if (!again.failed && mp_is(key, "Filters"))
            get_filters(msg, &again, scratch);
        else
            mp_skip(&again);
    }
    return again.failed ? GOSSIP_EDECODE : 0;
}

bool serf_name_copy(char out[GOSSIP_NAME_MAX + 1], struct mp_bytes name)
{
    if (name.len == 0 || name.len > GOSSIP_NAME_MAX ||
        memchr(name.data, '\0', name.len) != NULL ||
        memchr(name.data, '\n', name.len) != NULL)
        return false;
    memcpy(out, name.data, name.len);
    out[name.len] = '\0';
    return true;
}
