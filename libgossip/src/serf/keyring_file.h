/*
 * The keyring file: a JSON array of base64 keys, primary first (gossip.md 3.7).
 * Reading and writing touch the disk; text is made and parsed apart from that.
 */
#ifndef SERF_KEYRING_FILE_H
#define SERF_KEYRING_FILE_H

#include "base/buf.h"
#include "gossip/keyring.h"

void serf_keyring_format(struct base_buf *out,
                         const struct gossip_keyring *keyring);
/** Adds what text lists. BASE_EPARSE, GOSSIP_EKEY; GOSSIP_EINVAL if it lists
 * none, BASE_ETOOBIG past GOSSIP_KEYS_MAX. */
int serf_keyring_parse(struct gossip_keyring *keyring, const char *text,
                       size_t len);
/** Replaces the file by text. Any thread. */
int serf_keyring_write(const char *path, const void *text, size_t len);

#endif
