/*
 * Gossip encryption: AES-GCM blocks, version 0 (padded) and 1.
 * Source: gossip.md 1.9. Threads: the loop of the keyring's pools.
 */
#ifndef MEMBERLIST_CRYPT_H
#define MEMBERLIST_CRYPT_H

#include <openssl/evp.h>

#include "base/buf.h"
#include "gossip/keyring.h"
#include "memberlist/chunks.h"

#define ML_NONCE_BYTES 12
#define ML_TAG_BYTES 16
/* Version byte, nonce and tag. */
#define ML_CRYPT_OVERHEAD (1 + ML_NONCE_BYTES + ML_TAG_BYTES)
#define ML_CRYPT_PAD 16 /* version 0 adds 1 to 16 bytes */

/** Overhead to budget for; the padding of version 0 at its largest. */
size_t ml_crypt_overhead(unsigned version);
/** Length of the block for a plaintext of len bytes. */
size_t ml_crypt_block_len(unsigned version, size_t len);
/** Appends a block. 0 or GOSSIP_ECRYPT (the cipher library refused). */
int ml_encrypt(struct gossip_keyring *keyring, unsigned version,
               const uint8_t nonce[ML_NONCE_BYTES], const void *plain,
               size_t len, const void *aad, size_t aad_len,
               struct base_buf *out);
/** Tries each key; appends the plaintext. GOSSIP_ECRYPT if none fits, or if
 * what it protects is empty or badly padded. */
int ml_decrypt(struct gossip_keyring *keyring, const void *block, size_t len,
               const void *aad, size_t aad_len, struct base_buf *out);

/** The same in place, for a block that gathered in chunks: they hold the
 * plaintext afterwards, or after an error nothing of use. */
int ml_decrypt_chunks(struct gossip_keyring *keyring, struct ml_chunks *block,
                      const void *aad, size_t aad_len);

/* Of keyring.c: contexts with the key set, made at first use. */
EVP_CIPHER_CTX *ml_keyring_seal(struct gossip_keyring *keyring, size_t index);
EVP_CIPHER_CTX *ml_keyring_open(struct gossip_keyring *keyring, size_t index);

#endif
