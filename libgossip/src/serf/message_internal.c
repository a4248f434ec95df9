/*
 * Messages between two nodes rather than to all: relays, and what internal
 * queries carry as payload (keys, the record in a name conflict).
 */
#include <string.h>

#include "serf/messages.h"

/* The member record of a conflict response. */
struct conflict_record {
    struct mp_bytes addr;
    struct mp_bytes name;
    uint16_t port;
    int64_t status;
    uint8_t vsn[6];
};

static const struct mp_field conflict_head[] = {
    MP_FIELD(struct conflict_record, addr, "Addr", MP_BYTES),
    MP_FIELD(struct conflict_record, vsn[5], "DelegateCur", MP_U8),
    MP_FIELD(struct conflict_record, vsn[4], "DelegateMax", MP_U8),
    MP_FIELD(struct conflict_record, vsn[3], "DelegateMin", MP_U8),
    MP_FIELD(struct conflict_record, name, "Name", MP_STR),
    MP_FIELD(struct conflict_record, port, "Port", MP_U16),
    MP_FIELD(struct conflict_record, vsn[2], "ProtocolCur", MP_U8),
    MP_FIELD(struct conflict_record, vsn[1], "ProtocolMax", MP_U8),
    MP_FIELD(struct conflict_record, vsn[0], "ProtocolMin", MP_U8),
    MP_FIELD(struct conflict_record, status, "Status", MP_I64),
};

static void put_tags(struct base_buf *out, const struct gossip_member *member)
{
    size_t i;

    mp_put_map(out, (uint32_t)member->tag_count);
    for (i = 0; i < member->tag_count; i++) {
        mp_put_text(out, member->tags[i].key);
        mp_put_text(out, member->tags[i].value);
    }
}

void serf_put_conflict(struct base_buf *out,
                       const struct gossip_member *member)
{
    struct conflict_record record = {.name = {NULL, 0}};
    struct base_buf head = BASE_BUF_INIT;

    base_buf_append_u8(out, SERF_CONFLICT_RESPONSE);
    if (member == NULL) {
        mp_put_nil(out);
        return;
    }
    record.addr =
        mp_bytes_of(member->addr.ip, base_addr_ip_len(&member->addr));
    record.name = mp_str_of(member->name);
    record.port = member->addr.port;
    record.status = member->status;
    memcpy(record.vsn, member->vsn, sizeof(record.vsn));
    mp_put_struct(&head, conflict_head, BASE_COUNT_OF(conflict_head), &record);
    mp_put_map(out, BASE_COUNT_OF(conflict_head) + 1);
    /* Without the header of its own map: Tags comes last in it. */
    base_buf_append(out, base_buf_data(&head) + 1, base_buf_len(&head) - 1);
    mp_put_text(out, "Tags");
    put_tags(out, member);
    base_buf_close(&head);
}

int serf_get_conflict(bool *known, struct base_addr *addr, const void *data,
                      size_t len, struct mp_scratch *scratch)
{
    struct conflict_record record = {.name = {NULL, 0}};
    struct base_cursor in = base_cursor_of(data, len);

    memset(addr, 0, sizeof(*addr));
    *known = false;
    if (base_cursor_u8(&in) != SERF_CONFLICT_RESPONSE || in.failed)
        return GOSSIP_EDECODE;
    if (mp_get_nil(&in))
        return 0;
    if (!mp_get_struct(&in, conflict_head, BASE_COUNT_OF(conflict_head),
                       &record, scratch))
        return GOSSIP_EDECODE;
    *known = true;
    /* An address that is none counts as one that is not ours. */
    if (base_addr_from_ip(addr, record.addr.data, record.addr.len,
                          record.port) < 0)
        memset(addr, 0, sizeof(*addr));
    return 0;
}

struct key_request {
    struct mp_bytes key;
};
static const struct mp_field key_request_fields[] = {
    MP_FIELD(struct key_request, key, "Key", MP_BYTES),
};

void serf_put_key_request(struct base_buf *out, struct mp_bytes key)
{
    struct key_request request = {key};

    base_buf_append_u8(out, SERF_KEY_REQUEST);
    mp_put_struct(out, key_request_fields, BASE_COUNT_OF(key_request_fields),
                  &request);
}

int serf_get_key_request(struct mp_bytes *key, const void *data, size_t len,
                         struct mp_scratch *scratch)
{
    struct base_cursor in = base_cursor_of(data, len);
    struct key_request request = {{NULL, 0}};

    if (base_cursor_u8(&in) != SERF_KEY_REQUEST || in.failed ||
        !mp_get_struct(&in, key_request_fields,
                       BASE_COUNT_OF(key_request_fields), &request, scratch))
        return GOSSIP_EDECODE;
    *key = request.key;
    return 0;
}

static const struct mp_field key_response_fields[] = {
    MP_FIELD(struct serf_msg_key_response, message, "Message", MP_STR),
    MP_FIELD(struct serf_msg_key_response, primary, "PrimaryKey", MP_STR),
    MP_FIELD(struct serf_msg_key_response, result, "Result", MP_BOOL),
};

void serf_put_key_response(struct base_buf *out,
                           const struct serf_msg_key_response *msg)
{
    struct base_buf tail = BASE_BUF_INIT;
    uint32_t i;

    base_buf_append_u8(out, SERF_KEY_RESPONSE);
    mp_put_map(out, BASE_COUNT_OF(key_response_fields) + 1);
    mp_put_text(out, "Keys");
    if (msg->key_count == 0)
        mp_put_nil(out);
    else
        mp_put_array(out, msg->key_count);
    for (i = 0; i < msg->key_count; i++)
        mp_put_str(out, msg->keys[i]);
    mp_put_struct(&tail, key_response_fields,
                  BASE_COUNT_OF(key_response_fields), msg);
    base_buf_append(out, base_buf_data(&tail) + 1, base_buf_len(&tail) - 1);
    base_buf_close(&tail);
}

static void get_keys(struct serf_msg_key_response *msg, struct base_cursor *in)
{
    uint32_t i;

    msg->key_total = mp_get_array(in);
    msg->key_count = 0;
    for (i = 0; i < msg->key_total && !in->failed; i++) {
        struct mp_bytes key = mp_get_str(in);

        if (!in->failed && msg->key_count < GOSSIP_KEYS_MAX)
            msg->keys[msg->key_count++] = key;
    }
}

int serf_get_key_response(struct serf_msg_key_response *msg, const void *data,
                          size_t len)
{
    struct base_cursor in = base_cursor_of(data, len);
    struct base_cursor again;
    uint32_t pairs;

    memset(msg, 0, sizeof(*msg));
    msg->message = mp_bytes_of("", 0);
    msg->primary = mp_bytes_of("", 0);
    if (base_cursor_u8(&in) != SERF_KEY_RESPONSE || in.failed)
        return GOSSIP_EDECODE;
    again = in;
    if (!mp_get_struct(&in, key_response_fields,
                       BASE_COUNT_OF(key_response_fields), msg, NULL))
        return GOSSIP_EDECODE;
    for (pairs = mp_get_map(&again); pairs > 0 && !again.failed; pairs--) {
        struct mp_bytes key = mp_get_key(&again);

        if (!again.failed && mp_is(key, "Keys"))
            get_keys(msg, &again);
        else
            mp_skip(&again);
    }
    return again.failed ? GOSSIP_EDECODE : 0;
}

struct relay_addr {
    struct mp_bytes ip;
    uint16_t port;
    struct mp_bytes zone;
};
static const struct mp_field relay_addr_fields[] = {
    MP_FIELD(struct relay_addr, ip, "IP", MP_BYTES),
    MP_FIELD(struct relay_addr, port, "Port", MP_U16),
    MP_FIELD(struct relay_addr, zone, "Zone", MP_STR),
};

void serf_put_relay(struct base_buf *out, const struct serf_msg_relay *msg)
{
    struct relay_addr addr = {msg->ip, msg->port, mp_bytes_of("", 0)};

    base_buf_append_u8(out, SERF_RELAY);
    mp_put_map(out, 2);
    mp_put_text(out, "DestAddr");
    mp_put_struct(out, relay_addr_fields, BASE_COUNT_OF(relay_addr_fields),
                  &addr);
    mp_put_text(out, "DestName");
    mp_put_str(out, msg->node);
    base_buf_append(out, msg->inner.data, msg->inner.len);
}

static void get_relay_addr(struct serf_msg_relay *msg, struct base_cursor *in,
                           struct mp_scratch *scratch)
{
    struct relay_addr addr = {{NULL, 0}, 0, {NULL, 0}};

    (void)mp_get_struct(in, relay_addr_fields,
                        BASE_COUNT_OF(relay_addr_fields), &addr, scratch);
    msg->ip = addr.ip;
    msg->port = addr.port;
}

int serf_get_relay(struct serf_msg_relay *msg, const void *data, size_t len,
                   struct mp_scratch *scratch)
{
    struct base_cursor in = base_cursor_of(data, len);
    uint32_t pairs = mp_get_map(&in);

    memset(msg, 0, sizeof(*msg));
    msg->node = mp_bytes_of("", 0);
    for (; pairs > 0 && !in.failed; pairs--) {
        struct mp_bytes key = mp_get_key(&in);

        if (in.failed)
            break;
        if (mp_is(key, "DestAddr"))
            get_relay_addr(msg, &in, scratch);
        else if (mp_is(key, "DestName"))
            msg->node = mp_get_str(&in);
        else
            mp_skip(&in);
    }
    if (in.failed)
        return GOSSIP_EDECODE;
    msg->inner = mp_bytes_of(in.at, base_cursor_left(&in));
    return 0;
}
