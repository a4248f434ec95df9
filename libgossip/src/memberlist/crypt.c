/* AES-GCM blocks by OpenSSL; see crypt.h and gossip.md 1.9. */
#include "memberlist/crypt.h"

#include <assert.h>
#include <limits.h>
#include <string.h>

#include "gossip/error.h"

size_t ml_crypt_overhead(unsigned version)
{
    return ML_CRYPT_OVERHEAD + (version == 0 ? ML_CRYPT_PAD : 0);
}

static size_t padding(unsigned version, size_t len)
{
    return version == 0 ? ML_CRYPT_PAD - len % ML_CRYPT_PAD : 0;
}

size_t ml_crypt_block_len(unsigned version, size_t len)
{
    return ML_CRYPT_OVERHEAD + len + padding(version, len);
}

static bool seal(EVP_CIPHER_CTX *cipher, const uint8_t *nonce,
                 const void *plain, size_t len, size_t pad, const void *aad,
                 size_t aad_len, uint8_t *out)
{
    uint8_t tail[ML_CRYPT_PAD];
    int done;

    memset(tail, (int)pad, sizeof(tail));
    if (EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, nonce) != 1 ||
        (aad_len > 0 &&
         EVP_EncryptUpdate(cipher, NULL, &done, aad, (int)aad_len) != 1) ||
        (len > 0 &&
         EVP_EncryptUpdate(cipher, out, &done, plain, (int)len) != 1))
        return false;
    out += len;
    if (pad > 0 && EVP_EncryptUpdate(cipher, out, &done, tail, (int)pad) != 1)
        return false;
    out += pad;
    return EVP_EncryptFinal_ex(cipher, out, &done) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, ML_TAG_BYTES,
                               out) == 1;
}

int ml_encrypt(struct gossip_keyring *keyring, unsigned version,
               const uint8_t nonce[ML_NONCE_BYTES], const void *plain,
               size_t len, const void *aad, size_t aad_len,
               struct base_buf *out)
{
    size_t pad = padding(version, len);
    size_t block_len = ml_crypt_block_len(version, len);
    uint8_t *block;

    assert(gossip_keyring_count(keyring) > 0);
    assert(version <= 1);
    if (len > INT_MAX - 64)
        return GOSSIP_ETOOBIG;
    block = base_buf_reserve(out, block_len);
    block[0] = (uint8_t)version;
    memcpy(block + 1, nonce, ML_NONCE_BYTES);
    if (!seal(ml_keyring_seal(keyring, 0), nonce, plain, len, pad, aad,
              aad_len, block + 1 + ML_NONCE_BYTES))
        return GOSSIP_ECRYPT;
    base_buf_commit(out, block_len);
    return 0;
}

static bool open_with(EVP_CIPHER_CTX *cipher, const uint8_t *block,
                      size_t text_len, const void *aad, size_t aad_len,
                      uint8_t *out)
{
    const uint8_t *text = block + 1 + ML_NONCE_BYTES;
    uint8_t tag[ML_TAG_BYTES];
    int done;

    memcpy(tag, text + text_len, sizeof(tag));
    return EVP_DecryptInit_ex(cipher, NULL, NULL, NULL, block + 1) == 1 &&
           (aad_len == 0 || EVP_DecryptUpdate(cipher, NULL, &done, aad,
                                              (int)aad_len) == 1) &&
           (text_len == 0 || EVP_DecryptUpdate(cipher, out, &done, text,
                                               (int)text_len) == 1) &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, ML_TAG_BYTES,
                               tag) == 1 &&
           EVP_DecryptFinal_ex(cipher, out + text_len, &done) == 1;
}

/* The length of the padding whose last byte is given, or 0 if it lies: padding
 * longer than the data stopped original nodes (gossip.md 9.8). */
static size_t padding_at(uint8_t last, size_t len)
{
    return last >= 1 && last <= ML_CRYPT_PAD && last <= len ? last : 0;
}

static bool is_possible(unsigned version, size_t len)
{
    return len <= INT_MAX &&
           ((version == 1 && len >= ML_CRYPT_OVERHEAD) ||
            (version == 0 && len >= ML_CRYPT_OVERHEAD + ML_CRYPT_PAD));
}

/* 0 if plaintext is left when the padding is off. */
static int strip(unsigned version, const uint8_t *text, size_t *len)
{
    size_t pad = 0;

    if (version == 0) {
        pad = padding_at(*len > 0 ? text[*len - 1] : 0, *len);
        if (pad == 0)
            return GOSSIP_ECRYPT;
    }
    *len -= pad;
    return *len > 0 ? 0 : GOSSIP_ECRYPT;
}

int ml_decrypt(struct gossip_keyring *keyring, const void *block, size_t len,
               const void *aad, size_t aad_len, struct base_buf *out)
{
    const uint8_t *bytes = block;
    size_t text_len, i;
    uint8_t *room;
    int rv;

    if (len == 0 || !is_possible(bytes[0], len))
        return GOSSIP_ECRYPT;
    text_len = len - ML_CRYPT_OVERHEAD;
    room = base_buf_reserve(out, text_len + 1);
    for (i = 0; i < gossip_keyring_count(keyring); i++) {
        if (!open_with(ml_keyring_open(keyring, i), bytes, text_len, aad,
                       aad_len, room))
            continue;
        rv = strip(bytes[0], room, &text_len);
        if (rv == 0)
            base_buf_commit(out, text_len);
        return rv;
    }
    return GOSSIP_ECRYPT;
}
