/* See stream_out.h. */
#include "memberlist/stream_out.h"

#include "memberlist/crypt.h"
#include "memberlist/reader.h"

/* Streams are compressed even where that makes them longer (gossip.md 1.8). */
static void compress(struct gossip_memberlist *ml,
                     const struct base_buf *message, struct base_buf *out)
{
    struct base_buf packed = BASE_BUF_INIT;
    struct ml_compress wrapper = {0};

    lzw_encoder_begin(ml->encoder, &packed);
    lzw_encoder_feed(ml->encoder, base_buf_data(message),
                     base_buf_len(message), &packed);
    lzw_encoder_end(ml->encoder, &packed);
    wrapper.buf = mp_bytes_of(base_buf_data(&packed), base_buf_len(&packed));
    ml_put(out, ML_COMPRESS, &wrapper);
    base_buf_close(&packed);
}

static int seal(struct gossip_memberlist *ml, const struct base_buf *plain,
                struct base_buf *out)
{
    unsigned version = ml_crypt_version(ml);
    size_t len = ml_crypt_block_len(version, base_buf_len(plain));
    struct base_buf aad = BASE_BUF_INIT;
    uint8_t nonce[ML_NONCE_BYTES];
    int rv;

    if (len > ML_SEALED_BYTES_MAX)
        return GOSSIP_ETOOBIG; /* no peer would take it */
    base_buf_append_u8(&aad, ML_ENCRYPT);
    base_buf_append_u32be(&aad, (uint32_t)len);
    base_buf_append(out, base_buf_data(&aad), base_buf_len(&aad));
    base_buf_append(&aad, ml->label, ml->label_len);
    base_env_random(ml->env, nonce, sizeof(nonce));
    rv = ml_encrypt(ml->keyring, version, nonce, base_buf_data(plain),
                    base_buf_len(plain), base_buf_data(&aad),
                    base_buf_len(&aad), out);
    base_buf_close(&aad);
    return rv;
}

int ml_stream_wrap(struct gossip_memberlist *ml, const struct base_buf *message,
                   bool dialling, struct base_buf *out)
{
    struct base_buf packed = BASE_BUF_INIT;
    const struct base_buf *plain = message;
    int rv = 0;

    if (dialling && ml->label_len > 0) {
        base_buf_append_u8(out, ML_LABEL);
        base_buf_append_u8(out, (uint8_t)ml->label_len);
        base_buf_append(out, ml->label, ml->label_len);
    }
    if (ml->params.compression) {
        compress(ml, message, &packed);
        plain = &packed;
    }
    if (ml_is_encrypting(ml))
        rv = seal(ml, plain, out);
    else
        base_buf_append(out, base_buf_data(plain), base_buf_len(plain));
    base_buf_close(&packed);
    return rv;
}

static void put_member(const struct ml_member *member, struct base_buf *out)
{
    const struct ml_record *record = member->record;
    struct ml_push_node node = {0};

    node.name = ml_record_name_bytes(record);
    node.addr = mp_bytes_of(record->addr.ip, base_addr_ip_len(&record->addr));
    node.port = record->addr.port;
    if (record->has_meta)
        node.meta = mp_bytes_of(ml_record_meta(record), record->meta_len);
    node.incarnation = member->incarnation;
    node.state = member->state;
    node.vsn = mp_bytes_of(record->vsn, ML_VSN_BYTES);
    ml_put(out, ML_PUSH_NODE, &node);
}

void ml_put_state(struct gossip_memberlist *ml, bool join,
                  struct base_buf *out)
{
    struct base_buf user = BASE_BUF_INIT;
    struct ml_push_pull header = {0};
    size_t i;

    if (ml->delegate != NULL && ml->delegate->local_state != NULL)
        ml->delegate->local_state(ml->delegate_ctx, join, &user);
    header.nodes = (int64_t)ml->members.count;
    header.user_state_len = (int64_t)base_buf_len(&user);
    header.join = join;
    ml_put(out, ML_PUSH_PULL, &header);
    for (i = 0; i < ml->members.count; i++)
        put_member(ml_members_at(&ml->members, i), out);
    base_buf_append(out, base_buf_data(&user), base_buf_len(&user));
    base_buf_close(&user);
}
