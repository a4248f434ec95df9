/*
 * Decryption in place of a block that gathered in chunks, so that megabytes
 * are never there twice. With several keys a first pass finds the one that
 * fits: a failed try in place would destroy the text for the next.
 */
#include "memberlist/crypt.h"

#include <string.h>

#include "base/alloc.h"
#include "gossip/error.h"

#define PREFIX_BYTES (1 + ML_NONCE_BYTES)

struct pass {
    EVP_CIPHER_CTX *cipher;
    uint8_t *scratch; /* NULL: in place */
};

static int update(void *arg, uint8_t *data, size_t len)
{
    struct pass *pass = arg;
    int done;

    if (len == 0)
        return 0;
    return EVP_DecryptUpdate(pass->cipher,
                             pass->scratch == NULL ? data : pass->scratch,
                             &done, data, (int)len) == 1
               ? 0
               : GOSSIP_ECRYPT;
}

static int run(struct pass *pass, const struct ml_chunks *text,
               const uint8_t *nonce, const void *aad, size_t aad_len,
               uint8_t tag[ML_TAG_BYTES])
{
    uint8_t end[16];
    int done;

    if (EVP_DecryptInit_ex(pass->cipher, NULL, NULL, NULL, nonce) != 1 ||
        (aad_len > 0 && EVP_DecryptUpdate(pass->cipher, NULL, &done, aad,
                                          (int)aad_len) != 1) ||
        ml_chunks_each(text, update, pass) != 0 ||
        EVP_CIPHER_CTX_ctrl(pass->cipher, EVP_CTRL_GCM_SET_TAG, ML_TAG_BYTES,
                            tag) != 1)
        return GOSSIP_ECRYPT;
    return EVP_DecryptFinal_ex(pass->cipher, end, &done) == 1 ? 0
                                                              : GOSSIP_ECRYPT;
}

/* The index of the key that opens it, or the count of keys. */
static size_t find_key(struct gossip_keyring *keyring,
                       const struct ml_chunks *text, const uint8_t *nonce,
                       const void *aad, size_t aad_len,
                       uint8_t tag[ML_TAG_BYTES])
{
    size_t count = gossip_keyring_count(keyring), i;
    uint8_t *scratch;

    if (count == 1)
        return 0; /* the pass in place will tell */
    scratch = base_alloc(ML_CHUNK_BYTES);
    for (i = 0; i < count; i++) {
        struct pass pass = {ml_keyring_open(keyring, i), scratch};

        if (run(&pass, text, nonce, aad, aad_len, tag) == 0)
            break;
    }
    base_free(scratch);
    return i;
}

static int strip(struct ml_chunks *text, unsigned version)
{
    uint8_t last;

    if (version == 0) {
        ml_chunks_tail(text, &last, 1);
        if (last < 1 || last > ML_CRYPT_PAD || last > text->len)
            return GOSSIP_ECRYPT; /* gossip.md 9.8 */
        ml_chunks_trim(text, last);
    }
    return text->len > 0 ? 0 : GOSSIP_ECRYPT;
}

int ml_decrypt_chunks(struct gossip_keyring *keyring, struct ml_chunks *block,
                      const void *aad, size_t aad_len)
{
    uint8_t prefix[PREFIX_BYTES], tag[ML_TAG_BYTES];
    struct pass pass = {NULL, NULL};
    size_t front_len, key;
    const uint8_t *front = ml_chunks_front(block, &front_len);
    int rv;

    /* The smallest possible block lies within the first chunk. */
    if (front_len < ML_CRYPT_OVERHEAD || front[0] > 1 ||
        (front[0] == 0 && front_len < ML_CRYPT_OVERHEAD + ML_CRYPT_PAD))
        return GOSSIP_ECRYPT;
    memcpy(prefix, front, sizeof(prefix));
    ml_chunks_tail(block, tag, sizeof(tag));
    ml_chunks_trim(block, sizeof(tag));
    ml_chunks_consume(block, sizeof(prefix));
    key = find_key(keyring, block, prefix + 1, aad, aad_len, tag);
    if (key == gossip_keyring_count(keyring))
        return GOSSIP_ECRYPT;
    pass.cipher = ml_keyring_open(keyring, key);
    rv = run(&pass, block, prefix + 1, aad, aad_len, tag);
    return rv == 0 ? strip(block, prefix[0]) : rv;
}
