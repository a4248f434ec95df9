/*
 * The keys of a pool, in order; the first is the primary (gossip.md 1.9).
 * Each keeps its two cipher contexts, since expanding a key costs more than
 * encrypting a packet.
 */
#include "gossip/keyring.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/error.h"
#include "memberlist/crypt.h"

struct slot {
    struct gossip_key key;
    EVP_CIPHER_CTX *seal; /* NULL until used */
    EVP_CIPHER_CTX *open;
};

struct gossip_keyring {
    struct slot slots[GOSSIP_KEYS_MAX];
    size_t count;
};

struct gossip_keyring *gossip_keyring_new(void)
{
    struct gossip_keyring *keyring;

    return BASE_NEW(keyring);
}

static void slot_close(struct slot *slot)
{
    EVP_CIPHER_CTX_free(slot->seal);
    EVP_CIPHER_CTX_free(slot->open);
    OPENSSL_cleanse(slot, sizeof(*slot));
}

void gossip_keyring_free(struct gossip_keyring *keyring)
{
    size_t i;

    if (keyring == NULL)
        return;
    for (i = 0; i < keyring->count; i++)
        slot_close(&keyring->slots[i]);
    base_free_secret(keyring, sizeof(*keyring));
}

static bool is_key_len(size_t len)
{
    return len == 16 || len == 24 || len == 32;
}

/* Index of the key, or the count if it is not there. */
static size_t find(const struct gossip_keyring *keyring, const void *key,
                   size_t len)
{
    size_t i;

    for (i = 0; i < keyring->count; i++)
        if (keyring->slots[i].key.len == len &&
            CRYPTO_memcmp(keyring->slots[i].key.bytes, key, len) == 0)
            break;
    return i;
}

int gossip_keyring_add(struct gossip_keyring *keyring, const void *key,
                       size_t len)
{
    struct slot *slot;

    if (!is_key_len(len))
        return GOSSIP_EKEY;
    if (find(keyring, key, len) < keyring->count)
        return 0;
    if (keyring->count == GOSSIP_KEYS_MAX)
        return BASE_EFULL;
    slot = &keyring->slots[keyring->count++];
    memset(slot, 0, sizeof(*slot));
    memcpy(slot->key.bytes, key, len);
    slot->key.len = len;
    return 0;
}

int gossip_keyring_use(struct gossip_keyring *keyring, const void *key,
                       size_t len)
{
    size_t at = find(keyring, key, len);
    struct slot chosen;

    if (at == keyring->count)
        return GOSSIP_ENOKEY;
    chosen = keyring->slots[at];
    memmove(&keyring->slots[1], &keyring->slots[0], at * sizeof(chosen));
    keyring->slots[0] = chosen;
    OPENSSL_cleanse(&chosen, sizeof(chosen));
    return 0;
}

int gossip_keyring_remove(struct gossip_keyring *keyring, const void *key,
                          size_t len)
{
    size_t at = find(keyring, key, len);

    if (at == keyring->count)
        return 0;
    if (at == 0)
        return GOSSIP_EPRIMARY;
    slot_close(&keyring->slots[at]);
    keyring->count--;
    memmove(&keyring->slots[at], &keyring->slots[at + 1],
            (keyring->count - at) * sizeof(struct slot));
    OPENSSL_cleanse(&keyring->slots[keyring->count], sizeof(struct slot));
    return 0;
}

size_t gossip_keyring_count(const struct gossip_keyring *keyring)
{
    return keyring->count;
}

const struct gossip_key *gossip_keyring_at(const struct gossip_keyring *keyring,
                                           size_t index)
{
    return index < keyring->count ? &keyring->slots[index].key : NULL;
}

static const EVP_CIPHER *cipher_of(size_t key_len)
{
    switch (key_len) {
    case 16: return EVP_aes_128_gcm();
    case 24: return EVP_aes_192_gcm();
    default: return EVP_aes_256_gcm();
    }
}

/* A context that cannot be made leaves a later init on NULL to fail: the
 * message is then refused, as any that does not decrypt. */
EVP_CIPHER_CTX *ml_keyring_seal(struct gossip_keyring *keyring, size_t index)
{
    struct slot *slot = &keyring->slots[index];

    if (slot->seal == NULL) {
        slot->seal = EVP_CIPHER_CTX_new();
        EVP_EncryptInit_ex(slot->seal, cipher_of(slot->key.len), NULL,
                           slot->key.bytes, NULL);
    }
    return slot->seal;
}

EVP_CIPHER_CTX *ml_keyring_open(struct gossip_keyring *keyring, size_t index)
{
    struct slot *slot = &keyring->slots[index];

    if (slot->open == NULL) {
        slot->open = EVP_CIPHER_CTX_new();
        EVP_DecryptInit_ex(slot->open, cipher_of(slot->key.len), NULL,
                           slot->key.bytes, NULL);
    }
    return slot->open;
}

/* EVP_DecodeBlock counts padding as data and takes white space: the text has
 * to be the very encoding of what it gives. */
int gossip_key_parse(struct gossip_key *out, const char *base64)
{
    size_t text_len = strlen(base64);
    uint8_t bytes[48];
    char again[64];
    size_t pads = 0;
    int len = -1;

    if (text_len >= 24 && text_len <= 44 && text_len % 4 == 0) {
        while (pads < 2 && base64[text_len - 1 - pads] == '=')
            pads++;
        len = EVP_DecodeBlock(bytes, (const unsigned char *)base64,
                              (int)text_len);
    }
    if (len < 0 || !is_key_len((size_t)len - pads))
        return GOSSIP_EKEY;
    EVP_EncodeBlock((unsigned char *)again, bytes, len - (int)pads);
    if (strcmp(again, base64) != 0) {
        OPENSSL_cleanse(bytes, sizeof(bytes));
        OPENSSL_cleanse(again, sizeof(again));
        return GOSSIP_EKEY;
    }
    memset(out, 0, sizeof(*out));
    out->len = (size_t)len - pads;
    memcpy(out->bytes, bytes, out->len);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    OPENSSL_cleanse(again, sizeof(again));
    return 0;
}

char *gossip_key_format(const struct gossip_key *key)
{
    char *text = base_alloc(64);

    EVP_EncodeBlock((unsigned char *)text, key->bytes, (int)key->len);
    return text;
}
