/*
 * Packets on their way in: label, encryption, checksum come off in that order,
 * then each message goes by its type, compounds and compressed ones opened, to
 * a bounded depth and size (gossip.md 1.1, 6.2, 6.3.2). Nothing here answers
 * to bad input; it is dropped and counted.
 */
#include "memberlist/node.h"

#include "memberlist/crc32.h"
#include "memberlist/crypt.h"

/* One packet while it is being opened. */
struct opening {
    struct gossip_memberlist *ml;
    const struct base_addr *from;
    size_t expanded; /* bytes that came out of compression so far */
    unsigned depth;
};

static void dispatch(struct opening *opening, const uint8_t *data, size_t len);

static void drop(struct opening *opening, enum ml_drop reason,
                 const char *what)
{
    ml_drop(opening->ml, reason, opening->from, what);
}

static void open_compound(struct opening *opening, struct base_cursor in)
{
    size_t parts = base_cursor_u8(&in), i;
    struct base_cursor lens = in;

    base_cursor_bytes(&in, 2 * parts);
    if (in.failed) {
        drop(opening, ML_DROP_TRUNCATED, "compound");
        return;
    }
    for (i = 0; i < parts; i++) {
        size_t len = base_cursor_u16be(&lens);
        const uint8_t *part = base_cursor_bytes(&in, len);

        if (in.failed) {
            drop(opening, ML_DROP_TRUNCATED, "compound part");
            return;
        }
        dispatch(opening, part, len);
    }
}

static void open_compressed(struct opening *opening, struct base_cursor in)
{
    struct mp_scratch scratch = {NULL};
    struct base_buf plain = BASE_BUF_INIT;
    struct ml_compress wrapper;
    size_t room = ML_PACKET_PLAIN_MAX - opening->expanded;
    int rv = GOSSIP_EDECODE;

    if (ml_get(&in, ML_COMPRESS, &wrapper, &scratch) && wrapper.algo == 0)
        rv = lzw_decode_all(ml_records_decoder(opening->ml->members.records),
                            wrapper.buf.data, wrapper.buf.len, room, &plain);
    if (rv == 0) {
        opening->expanded += base_buf_len(&plain);
        dispatch(opening, base_buf_data(&plain), base_buf_len(&plain));
    } else {
        drop(opening, rv == GOSSIP_ETOOBIG ? ML_DROP_BOMB : ML_DROP_DECODE,
             "compress");
    }
    base_buf_close(&plain);
    mp_scratch_close(&scratch);
}

static void on_probe_message(struct opening *opening, enum ml_type type,
                             struct base_cursor *in)
{
    struct mp_scratch scratch = {NULL};
    union {
        struct ml_ping ping;
        struct ml_indirect_ping indirect;
        struct ml_ack ack;
        struct ml_nack nack;
    } message;

    if (!ml_get(in, type, &message, &scratch))
        drop(opening, ML_DROP_DECODE, ml_type_name(type));
    else if (type == ML_PING)
        ml_on_ping(opening->ml, opening->from, &message.ping);
    else if (type == ML_INDIRECT_PING)
        ml_on_indirect_ping(opening->ml, opening->from, &message.indirect);
    else if (type == ML_ACK)
        ml_on_ack(opening->ml, &message.ack);
    else
        ml_on_nack(opening->ml, &message.nack);
    mp_scratch_close(&scratch);
}

/* What is not answered at once waits for the loop's next turn. */
static void put_aside(struct opening *opening, enum ml_type type,
                      const struct base_cursor *in)
{
    struct gossip_memberlist *ml = opening->ml;
    size_t len = base_cursor_left(in);
    uint32_t hash = 0;

    if (type == ML_SUSPECT || type == ML_DEAD) /* the type byte is before it */
        hash = ml_records_name_hash(ml->members.records,
                                    mp_bytes_of(in->at - 1, len + 1));
    if (ml_heard_has(&ml->heard, hash))
        return;
    if (!ml_inbox_put(&ml->inbox, opening->from, type, hash, in->at, len))
        drop(opening, ML_DROP_INBOX_FULL, ml_type_name(type));
    ml_inbox_wake(ml);
}

static void dispatch_type(struct opening *opening, unsigned type,
                          struct base_cursor in)
{
    switch (type) {
    case ML_COMPOUND:
        open_compound(opening, in);
        break;
    case ML_COMPRESS:
        open_compressed(opening, in);
        break;
    case ML_PING:
    case ML_INDIRECT_PING:
    case ML_ACK:
    case ML_NACK:
        on_probe_message(opening, (enum ml_type)type, &in);
        break;
    case ML_SUSPECT:
    case ML_ALIVE:
    case ML_DEAD:
    case ML_USER:
        put_aside(opening, (enum ml_type)type, &in);
        break;
    default:
        drop(opening, ML_DROP_TYPE, "unknown message type");
    }
}

static void dispatch(struct opening *opening, const uint8_t *data, size_t len)
{
    struct base_cursor in = base_cursor_of(data, len);
    unsigned type = base_cursor_u8(&in);

    if (in.failed) {
        drop(opening, ML_DROP_TRUNCATED, "empty message");
        return;
    }
    if (opening->depth == ML_PACKET_DEPTH_MAX) {
        drop(opening, ML_DROP_DEPTH, ml_type_name(type));
        return;
    }
    opening->depth++;
    dispatch_type(opening, type, in);
    opening->depth--;
}

/* Takes the label header off; false if it is not ours (gossip.md 1.10). */
static bool take_label(const struct gossip_memberlist *ml,
                       struct base_cursor *in)
{
    const uint8_t *label = NULL;
    size_t len = 0;

    if (base_cursor_left(in) > 0 && *in->at == ML_LABEL) {
        base_cursor_u8(in);
        len = base_cursor_u8(in);
        label = base_cursor_bytes(in, len);
        if (in->failed || len == 0)
            return false;
    }
    if (ml->skip_inbound_label_check)
        return len == 0;
    return len == ml->label_len &&
           (len == 0 || memcmp(label, ml->label, len) == 0);
}

/* The plaintext, in *in or in *plain; false if it is to be dropped. */
static bool take_crypt(struct opening *opening, struct base_cursor *in,
                       struct base_buf *plain)
{
    struct gossip_memberlist *ml = opening->ml;

    if (ml->keyring == NULL || gossip_keyring_count(ml->keyring) == 0)
        return true;
    if (ml_decrypt(ml->keyring, in->at, base_cursor_left(in), ml->label,
                   ml->label_len, plain) == 0) {
        *in = base_cursor_of(base_buf_data(plain), base_buf_len(plain));
        return true;
    }
    if (!ml->params.verify_incoming)
        return true; /* a pool on its way to encryption: plaintext */
    drop(opening, ML_DROP_CRYPT, "packet");
    return false;
}

static bool take_crc(struct opening *opening, struct base_cursor *in)
{
    uint32_t crc;

    if (base_cursor_left(in) < ML_CRC_BYTES || *in->at != ML_CRC)
        return true;
    base_cursor_u8(in);
    crc = base_cursor_u32be(in);
    if (crc == ml_crc32(in->at, base_cursor_left(in)))
        return true;
    drop(opening, ML_DROP_CRC, "packet");
    return false;
}

void gossip_packet_in(struct gossip_memberlist *memberlist,
                      const struct base_addr *from, const void *data,
                      size_t len)
{
    struct opening opening = {memberlist, from, 0, 0};
    struct base_cursor in = base_cursor_of(data, len);
    struct base_buf plain = BASE_BUF_INIT;

    base_counter_add(memberlist->packets_in, 1);
    if (len == 0 || len > ML_PACKET_BYTES_MAX) {
        drop(&opening, ML_DROP_LIMIT, "packet");
    } else if (!take_label(memberlist, &in)) {
        drop(&opening, ML_DROP_LABEL, "packet");
    } else if (take_crypt(&opening, &in, &plain) && take_crc(&opening, &in)) {
        ml_trace_packet(memberlist, '<', NULL, from, in.at,
                        base_cursor_left(&in));
        dispatch(&opening, in.at, base_cursor_left(&in));
    }
    base_buf_close(&plain);
}
