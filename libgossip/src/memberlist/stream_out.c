/* See stream_out.h. */
#include "memberlist/stream_out.h"

#include "memberlist/crypt.h"
#include "memberlist/reader.h"

/* Streams are compressed even where that makes them longer (gossip.md 1.8). */
static void compress(struct gossip_memberlist *ml,
                     const struct base_buf *message, struct base_buf *out)
{
    struct lzw_encoder *encoder = ml_records_encoder(ml->members.records);
    struct base_buf packed = BASE_BUF_INIT;

    lzw_encoder_begin(encoder, &packed);
    lzw_encoder_feed(encoder, base_buf_data(message), base_buf_len(message),
                     &packed);
    lzw_encoder_end(encoder, &packed);
    ml_put_compress_head(out, (uint32_t)base_buf_len(&packed));
    base_buf_append(out, base_buf_data(&packed), base_buf_len(&packed));
    base_buf_close(&packed);
}

int ml_stream_seal(struct gossip_memberlist *ml, const struct base_buf *plain,
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

void ml_put_label(struct gossip_memberlist *ml, struct base_buf *out)
{
    if (ml->label_len == 0)
        return;
    base_buf_append_u8(out, ML_LABEL);
    base_buf_append_u8(out, (uint8_t)ml->label_len);
    base_buf_append(out, ml->label, ml->label_len);
}

void ml_put_compress_head(struct base_buf *out, uint32_t len)
{
    base_buf_append_u8(out, ML_COMPRESS);
    mp_put_map(out, 2);
    mp_put_text(out, "Algo");
    mp_put_uint(out, 0);
    mp_put_text(out, "Buf");
    mp_put_raw_header(out, len);
}

int ml_stream_wrap(struct gossip_memberlist *ml, const struct base_buf *message,
                   bool dialling, struct base_buf *out)
{
    struct base_buf packed = BASE_BUF_INIT;
    const struct base_buf *plain = message;
    int rv = 0;

    if (dialling)
        ml_put_label(ml, out);
    if (ml->params.compression) {
        compress(ml, message, &packed);
        plain = &packed;
    }
    if (ml_is_encrypting(ml))
        rv = ml_stream_seal(ml, plain, out);
    else
        base_buf_append(out, base_buf_data(plain), base_buf_len(plain));
    base_buf_close(&packed);
    return rv;
}
