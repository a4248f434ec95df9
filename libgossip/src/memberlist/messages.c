/* Field tables of the messages (gossip.md 1.3 to 1.8); see messages.h. */
#include "memberlist/messages.h"

#include <assert.h>

#include "base/alloc.h"

static const struct mp_field ping_fields[] = {
    MP_FIELD(struct ml_ping, node, "Node", MP_STR),
    MP_FIELD(struct ml_ping, seq_no, "SeqNo", MP_U32),
    MP_OPTIONAL(struct ml_ping, source_addr, "SourceAddr", MP_BYTES),
    MP_OPTIONAL(struct ml_ping, source_node, "SourceNode", MP_STR),
    MP_OPTIONAL(struct ml_ping, source_port, "SourcePort", MP_U16),
};
static const struct mp_field indirect_ping_fields[] = {
    MP_FIELD(struct ml_indirect_ping, nack, "Nack", MP_BOOL),
    MP_FIELD(struct ml_indirect_ping, node, "Node", MP_STR),
    MP_FIELD(struct ml_indirect_ping, port, "Port", MP_U16),
    MP_FIELD(struct ml_indirect_ping, seq_no, "SeqNo", MP_U32),
    MP_OPTIONAL(struct ml_indirect_ping, source_addr, "SourceAddr", MP_BYTES),
    MP_OPTIONAL(struct ml_indirect_ping, source_node, "SourceNode", MP_STR),
    MP_OPTIONAL(struct ml_indirect_ping, source_port, "SourcePort", MP_U16),
    MP_FIELD(struct ml_indirect_ping, target, "Target", MP_BYTES),
};
static const struct mp_field ack_fields[] = {
    MP_FIELD(struct ml_ack, payload, "Payload", MP_BYTES),
    MP_FIELD(struct ml_ack, seq_no, "SeqNo", MP_U32),
};
static const struct mp_field nack_fields[] = {
    MP_FIELD(struct ml_nack, seq_no, "SeqNo", MP_U32),
};
static const struct mp_field err_fields[] = {
    MP_FIELD(struct ml_err, error, "Error", MP_STR),
};
static const struct mp_field claim_fields[] = {
    MP_FIELD(struct ml_claim, from, "From", MP_STR),
    MP_FIELD(struct ml_claim, incarnation, "Incarnation", MP_U32),
    MP_FIELD(struct ml_claim, node, "Node", MP_STR),
};
static const struct mp_field alive_fields[] = {
    MP_FIELD(struct ml_alive, addr, "Addr", MP_BYTES),
    MP_FIELD(struct ml_alive, incarnation, "Incarnation", MP_U32),
    MP_FIELD(struct ml_alive, meta, "Meta", MP_BYTES),
    MP_FIELD(struct ml_alive, node, "Node", MP_STR),
    MP_FIELD(struct ml_alive, port, "Port", MP_U16),
    MP_FIELD(struct ml_alive, vsn, "Vsn", MP_BYTES),
};
static const struct mp_field push_pull_fields[] = {
    MP_FIELD(struct ml_push_pull, join, "Join", MP_BOOL),
    MP_FIELD(struct ml_push_pull, nodes, "Nodes", MP_I64),
    MP_FIELD(struct ml_push_pull, user_state_len, "UserStateLen", MP_I64),
};
static const struct mp_field user_fields[] = {
    MP_FIELD(struct ml_user_header, len, "UserMsgLen", MP_I64),
};
static const struct mp_field compress_fields[] = {
    MP_FIELD(struct ml_compress, algo, "Algo", MP_U8),
    MP_FIELD(struct ml_compress, buf, "Buf", MP_BYTES),
};
static const struct mp_field push_node_fields[] = {
    MP_FIELD(struct ml_push_node, addr, "Addr", MP_BYTES),
    MP_FIELD(struct ml_push_node, incarnation, "Incarnation", MP_U32),
    MP_FIELD(struct ml_push_node, meta, "Meta", MP_BYTES),
    MP_FIELD(struct ml_push_node, name, "Name", MP_STR),
    MP_FIELD(struct ml_push_node, port, "Port", MP_U16),
    MP_FIELD(struct ml_push_node, state, "State", MP_I64),
    MP_FIELD(struct ml_push_node, vsn, "Vsn", MP_BYTES),
};

struct layout {
    const char *name;
    const struct mp_field *fields; /* NULL: the body is not a map */
    size_t count;
    size_t size;
};
#define LAYOUT(name, fields, type)                                           \
    {name, fields, BASE_COUNT_OF(fields), sizeof(type)}

static const struct layout layouts[] = {
    [ML_PING] = LAYOUT("ping", ping_fields, struct ml_ping),
    [ML_INDIRECT_PING] = LAYOUT("indirect-ping", indirect_ping_fields,
                                struct ml_indirect_ping),
    [ML_ACK] = LAYOUT("ack", ack_fields, struct ml_ack),
    [ML_SUSPECT] = LAYOUT("suspect", claim_fields, struct ml_claim),
    [ML_ALIVE] = LAYOUT("alive", alive_fields, struct ml_alive),
    [ML_DEAD] = LAYOUT("dead", claim_fields, struct ml_claim),
    [ML_PUSH_PULL] = LAYOUT("push-pull", push_pull_fields,
                            struct ml_push_pull),
    [ML_COMPOUND] = {"compound", NULL, 0, 0},
    [ML_USER] = LAYOUT("user", user_fields, struct ml_user_header),
    [ML_COMPRESS] = LAYOUT("compress", compress_fields, struct ml_compress),
    [ML_ENCRYPT] = {"encrypt", NULL, 0, 0},
    [ML_NACK] = LAYOUT("nack", nack_fields, struct ml_nack),
    [ML_CRC] = {"crc", NULL, 0, 0},
    [ML_ERR] = LAYOUT("err", err_fields, struct ml_err),
    [ML_PUSH_NODE] = LAYOUT("push-node", push_node_fields,
                            struct ml_push_node),
};

const char *ml_type_name(unsigned type)
{
    if (type >= ML_PUSH_NODE)
        return type == ML_LABEL ? "label" : "unknown";
    return layouts[type].name;
}

void ml_put(struct base_buf *out, enum ml_type type, const void *message)
{
    assert(type <= ML_PUSH_NODE);
    assert(layouts[type].fields != NULL);
    if (type != ML_PUSH_NODE)
        base_buf_append_u8(out, (uint8_t)type);
    mp_put_struct(out, layouts[type].fields, layouts[type].count, message);
}

bool ml_get(struct base_cursor *in, enum ml_type type, void *message,
            struct mp_scratch *scratch)
{
    assert(type <= ML_PUSH_NODE);
    assert(layouts[type].fields != NULL);
    memset(message, 0, layouts[type].size);
    return mp_get_struct(in, layouts[type].fields, layouts[type].count,
                         message, scratch);
}
