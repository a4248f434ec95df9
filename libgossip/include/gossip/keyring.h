/*
 * The keys of a pool: the first encrypts, all decrypt. Empty: no encryption.
 * Source: gossip.md 1.9. Threads: the loop of the pools that use it.
 */
#ifndef GOSSIP_KEYRING_H
#define GOSSIP_KEYRING_H

#include <stddef.h>
#include <stdint.h>

#define GOSSIP_KEYS_MAX 64

struct gossip_keyring;

struct gossip_key {
    uint8_t bytes[32];
    size_t len; /* 16, 24 or 32 */
};

struct gossip_keyring *gossip_keyring_new(void);
/** Wipes the keys. */
void gossip_keyring_free(struct gossip_keyring *keyring);
/** Appends; a key that is there already is a success. The first becomes
 * primary. GOSSIP_EKEY for another length. */
int gossip_keyring_add(struct gossip_keyring *keyring, const void *key,
                       size_t len);
/** Makes a key of the ring primary; GOSSIP_ENOKEY if it is not there. */
int gossip_keyring_use(struct gossip_keyring *keyring, const void *key,
                       size_t len);
/** GOSSIP_EPRIMARY for the primary; an unknown key is a success. */
int gossip_keyring_remove(struct gossip_keyring *keyring, const void *key,
                          size_t len);
size_t gossip_keyring_count(const struct gossip_keyring *keyring);
const struct gossip_key *gossip_keyring_at(const struct gossip_keyring *keyring,
                                           size_t index);
/** Standard base64 of 16, 24 or 32 bytes. GOSSIP_EKEY otherwise. */
int gossip_key_parse(struct gossip_key *out, const char *base64);
/** The caller's string (base_free_secret). */
char *gossip_key_format(const struct gossip_key *key);

#endif
