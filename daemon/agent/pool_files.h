/*
 * What a pool keeps in the data folder, below serf/: its keyring and serf's
 * snapshot, with Consul's names. A keyring file wins over `encrypt`, which only
 * begins one: keys that were rotated in stay.
 * Threads: start and end only.
 */
#ifndef AGENT_POOL_FILES_H
#define AGENT_POOL_FILES_H

#include "base/log.h"
#include "gossip/keyring.h"

/** Zero-initialise it. */
struct pool_files {
    char *snapshot;
    char *keyring_path;
    struct gossip_keyring *keyring; /* NULL: gossip in the clear */
};

/** name is "local" or "remote"; encrypt is base64 or NULL. Waits for the disk.
 * An error with *why, the caller's; the files may be half open then. */
int pool_files_open(struct pool_files *files, const struct base_log *log,
                    const char *data_dir, const char *name,
                    const char *encrypt, char **why);
void pool_files_close(struct pool_files *files);

#endif
