/*
 * Packets on their way out: messages, compound, compression, checksum,
 * encryption, label, in that order (gossip.md 1.1), and what else of the
 * broadcast queues rides along (2.5, 2.9).
 */
#include "memberlist/node.h"

#include "memberlist/crc32.h"
#include "memberlist/crypt.h"

void ml_parts_add(struct ml_parts *parts, const void *data, size_t len)
{
    base_buf_append_u16be(&parts->lens, (uint16_t)len);
    base_buf_append(&parts->data, data, len);
    parts->count++;
}

void ml_parts_close(struct ml_parts *parts)
{
    base_buf_close(&parts->lens);
    base_buf_close(&parts->data);
}

bool ml_is_encrypting(const struct gossip_memberlist *ml)
{
    return ml->keyring != NULL && gossip_keyring_count(ml->keyring) > 0 &&
           ml->params.verify_outgoing;
}

unsigned ml_crypt_version(const struct gossip_memberlist *ml)
{
    return ml->vsn[2] == 1 ? 0 : 1;
}

size_t ml_packet_overhead(const struct gossip_memberlist *ml)
{
    size_t bytes = ml->label_len > 0 ? 2 + ml->label_len : 0;

    if (ml_is_encrypting(ml))
        bytes += ml_crypt_overhead(ml_crypt_version(ml));
    return bytes;
}

/* What messages may take of a gossip packet; upstream forgets the checksum
 * (gossip.md 2.5). */
static size_t gossip_budget(const struct gossip_memberlist *ml)
{
    size_t used =
        ML_COMPOUND_HEAD_BYTES + ML_CRC_BYTES + ml_packet_overhead(ml);

    return ml->params.packet_bytes_max > used
               ? ml->params.packet_bytes_max - used
               : 0;
}

size_t ml_broadcast_bytes_max(const struct gossip_memberlist *ml)
{
    size_t budget = gossip_budget(ml);

    return budget > ML_COMPOUND_PART_BYTES ? budget - ML_COMPOUND_PART_BYTES
                                           : 0;
}

size_t gossip_memberlist_message_bytes_max(
    const struct gossip_memberlist *memberlist)
{
    size_t max = ml_broadcast_bytes_max(memberlist);

    return max > 1 ? max - 1 : 0; /* the type byte */
}

/* The compressed form replaces the message only if it is shorter. */
static void compress(struct gossip_memberlist *ml, struct base_buf *message)
{
    struct lzw_encoder *encoder = ml_records_encoder(ml->members.records);
    struct base_buf packed = BASE_BUF_INIT, coded = BASE_BUF_INIT;
    struct ml_compress wrapper = {0};

    lzw_encoder_begin(encoder, &packed);
    lzw_encoder_feed(encoder, base_buf_data(message), base_buf_len(message),
                     &packed);
    lzw_encoder_end(encoder, &packed);
    if (base_buf_len(&packed) < base_buf_len(message)) {
        wrapper.buf =
            mp_bytes_of(base_buf_data(&packed), base_buf_len(&packed));
        ml_put(&coded, ML_COMPRESS, &wrapper);
        if (base_buf_len(&coded) < base_buf_len(message)) {
            base_buf_reset(message);
            base_buf_append(message, base_buf_data(&coded),
                            base_buf_len(&coded));
        }
    }
    base_buf_close(&packed);
    base_buf_close(&coded);
}

static int seal(struct gossip_memberlist *ml, const struct base_buf *plain,
                struct base_buf *out)
{
    uint8_t nonce[ML_NONCE_BYTES];

    if (!ml_is_encrypting(ml)) {
        base_buf_append(out, base_buf_data(plain), base_buf_len(plain));
        return 0;
    }
    base_env_random(ml->env, nonce, sizeof(nonce));
    return ml_encrypt(ml->keyring, ml_crypt_version(ml), nonce,
                      base_buf_data(plain), base_buf_len(plain), ml->label,
                      ml->label_len, out);
}

/* Sends one whole message; empties it. */
static int send_whole(struct gossip_memberlist *ml,
                      const struct gossip_peer *to,
                      const struct ml_record *known, struct base_buf *message)
{
    struct base_buf plain = BASE_BUF_INIT, packet = BASE_BUF_INIT;
    int rv;

    ml_trace_packet(ml, '>', to->name, &to->addr, base_buf_data(message),
                    base_buf_len(message));
    if (ml->params.compression)
        compress(ml, message);
    if (known != NULL && known->vsn[1] >= ML_PMAX_CRC) {
        base_buf_append_u8(&plain, ML_CRC);
        base_buf_append_u32be(&plain, ml_crc32(base_buf_data(message),
                                               base_buf_len(message)));
    }
    base_buf_append(&plain, base_buf_data(message), base_buf_len(message));
    base_buf_reset(message);
    if (ml->label_len > 0) {
        base_buf_append_u8(&packet, ML_LABEL);
        base_buf_append_u8(&packet, (uint8_t)ml->label_len);
        base_buf_append(&packet, ml->label, ml->label_len);
    }
    rv = seal(ml, &plain, &packet);
    if (rv == 0)
        rv = ml->transport.ops->send_packet(ml->transport.ctx, to,
                                            base_buf_data(&packet),
                                            base_buf_len(&packet));
    base_counter_add(ml->packets_out, 1);
    if (rv < 0)
        ml_drop(ml, ML_DROP_SEND, &to->addr, gossip_strerror(rv));
    base_buf_close(&plain);
    base_buf_close(&packet);
    return rv;
}

/* The next compound of at most 127 parts. */
static void build(const struct ml_parts *parts, size_t from, size_t count,
                  size_t *data_at, struct base_buf *message)
{
    const uint8_t *lens = base_buf_data(&parts->lens) + 2 * from;
    size_t bytes = 0, i;

    for (i = 0; i < count; i++)
        bytes += (size_t)lens[2 * i] << 8 | lens[2 * i + 1];
    if (count > 1) {
        base_buf_append_u8(message, ML_COMPOUND);
        base_buf_append_u8(message, (uint8_t)count);
        base_buf_append(message, lens, 2 * count);
    }
    base_buf_append(message, base_buf_data(&parts->data) + *data_at, bytes);
    *data_at += bytes;
}

int ml_send_parts(struct gossip_memberlist *ml, const struct gossip_peer *to,
                  const struct ml_record *known, const struct ml_parts *parts)
{
    struct base_buf message = BASE_BUF_INIT;
    size_t at = 0, data_at = 0;
    int rv = 0;

    if (ml->require_node_names && to->name[0] == '\0') {
        ml_drop(ml, ML_DROP_UNNAMED, &to->addr, "no name to send to");
        return GOSSIP_ENAME;
    }
    while (at < parts->count) {
        size_t count = parts->count - at;
        int sent;

        if (count > ML_COMPOUND_PARTS_MAX)
            count = ML_COMPOUND_PARTS_MAX;
        build(parts, at, count, &data_at, &message);
        sent = send_whole(ml, to, known, &message);
        if (at == 0)
            rv = sent;
        at += count;
    }
    base_buf_close(&message);
    return rv;
}

static void emit_own(void *arg, const void *data, size_t len)
{
    ml_parts_add(arg, data, len);
}

static void emit_user(void *arg, const void *data, size_t len)
{
    struct ml_parts *parts = arg;

    if (len + 1 > UINT16_MAX)
        return; /* the delegate went past its limit */
    base_buf_append_u16be(&parts->lens, (uint16_t)(len + 1));
    base_buf_append_u8(&parts->data, ML_USER);
    base_buf_append(&parts->data, data, len);
    parts->count++;
}

void ml_take_broadcasts(struct gossip_memberlist *ml, size_t limit,
                        struct ml_parts *parts)
{
    size_t used =
        gossip_broadcasts_take(ml->broadcasts, ml->members.count,
                               ML_COMPOUND_PART_BYTES, limit, emit_own, parts);

    limit -= used;
    if (limit > ML_COMPOUND_PART_BYTES + 1 && ml->delegate != NULL &&
        ml->delegate->broadcasts != NULL)
        ml->delegate->broadcasts(ml->delegate_ctx, ML_COMPOUND_PART_BYTES + 1,
                                 limit, emit_user, parts);
}

void ml_broadcasts_sent(struct gossip_memberlist *ml, bool sent)
{
    gossip_broadcasts_sent(ml->broadcasts, sent);
    if (ml->delegate != NULL && ml->delegate->broadcasts_sent != NULL)
        ml->delegate->broadcasts_sent(ml->delegate_ctx, sent);
}

int ml_send_message(struct gossip_memberlist *ml, const struct gossip_peer *to,
                    const struct ml_record *known, enum ml_type type,
                    const void *message)
{
    struct ml_parts parts = {BASE_BUF_INIT, BASE_BUF_INIT, 0};
    size_t budget = gossip_budget(ml);
    size_t len;
    int rv;

    ml_put(&parts.data, type, message);
    len = base_buf_len(&parts.data);
    base_buf_append_u16be(&parts.lens, (uint16_t)len);
    parts.count = 1;
    if (budget > len + ML_COMPOUND_PART_BYTES)
        ml_take_broadcasts(ml, budget - len - ML_COMPOUND_PART_BYTES, &parts);
    rv = ml_send_parts(ml, to, known, &parts);
    ml_broadcasts_sent(ml, rv == 0);
    ml_parts_close(&parts);
    return rv;
}

int gossip_memberlist_send(struct gossip_memberlist *memberlist,
                           const struct gossip_peer *to, const void *data,
                           size_t len)
{
    struct ml_parts parts = {BASE_BUF_INIT, BASE_BUF_INIT, 0};
    struct ml_member *member =
        ml_members_find(&memberlist->members, mp_str_of(to->name));
    int rv;

    if (len + 1 > UINT16_MAX)
        return GOSSIP_ETOOBIG;
    emit_user(&parts, data, len);
    rv = ml_send_parts(memberlist, to, member == NULL ? NULL : member->record,
                       &parts);
    ml_parts_close(&parts);
    return rv;
}
