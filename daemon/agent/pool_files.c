/* The folder serf/ of the data folder. */
#include "agent/pool_files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/error.h"
#include "gossip/serf.h"

static int make_folder(const char *data_dir, char **why)
{
    char *folder = base_asprintf("%s/serf", data_dir);
    int rv = 0;

    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        rv = base_error_from_errno(errno);
        *why = base_asprintf("data_dir: cannot make the folder %s: %s", folder,
                             strerror(errno));
    }
    base_free(folder);
    return rv;
}

static bool holds(const struct gossip_keyring *keyring,
                  const struct gossip_key *key)
{
    size_t i;

    for (i = 0; i < gossip_keyring_count(keyring); i++) {
        const struct gossip_key *at = gossip_keyring_at(keyring, i);

        if (at->len == key->len &&
            memcmp(at->bytes, key->bytes, key->len) == 0)
            return true;
    }
    return false;
}

/* The file is there: encrypt has no say any more. */
static void compare(const struct pool_files *files, const struct base_log *log,
                    const char *encrypt)
{
    struct gossip_key key;

    if (encrypt && gossip_key_parse(&key, encrypt) == 0 &&
        !holds(files->keyring, &key))
        base_log(log, BASE_LOG_WARN,
                 "the key of encrypt is not in the keyring file, which wins",
                 kv_str("file", files->keyring_path));
}

static int begin(struct pool_files *files, const char *encrypt, char **why)
{
    struct gossip_key key;
    int rv = gossip_key_parse(&key, encrypt);

    if (rv != 0) {
        *why = base_strdup("encrypt: the key must be base64 of 16, 24 or 32 "
                           "bytes (isthmus keygen makes one)");
        return rv;
    }
    files->keyring = gossip_keyring_new();
    gossip_keyring_add(files->keyring, key.bytes, key.len);
    explicit_bzero(&key, sizeof(key));
    rv = gossip_keyring_save(files->keyring, files->keyring_path);
    if (rv != 0)
        *why = base_asprintf("keyring file %s: %s", files->keyring_path,
                             gossip_strerror(rv));
    return rv;
}

static int load(struct pool_files *files, const struct base_log *log,
                const char *encrypt, char **why)
{
    int rv;

    files->keyring = gossip_keyring_new();
    rv = gossip_keyring_load(files->keyring, files->keyring_path);
    if (rv == 0) {
        compare(files, log, encrypt);
        return 0;
    }
    gossip_keyring_free(files->keyring);
    files->keyring = NULL;
    if (rv == BASE_ENOTFOUND)
        return encrypt ? begin(files, encrypt, why) : 0;
    *why = base_asprintf("keyring file %s: %s", files->keyring_path,
                         gossip_strerror(rv));
    return rv;
}

int pool_files_open(struct pool_files *files, const struct base_log *log,
                    const char *data_dir, const char *name,
                    const char *encrypt, char **why)
{
    int rv = make_folder(data_dir, why);

    if (rv != 0)
        return rv;
    files->snapshot = base_asprintf("%s/serf/%s.snapshot", data_dir, name);
    files->keyring_path = base_asprintf("%s/serf/%s.keyring", data_dir, name);
    return load(files, log, encrypt, why);
}

void pool_files_close(struct pool_files *files)
{
    if (files->keyring)
        gossip_keyring_free(files->keyring);
    base_free(files->snapshot);
    base_free(files->keyring_path);
}
