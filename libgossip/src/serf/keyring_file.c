/*
 * The keyring file. It is replaced as a whole, by way of a new file beside it,
 * so that a crash leaves the old keys or the new ones.
 */
#include "serf/keyring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/error.h"
#include "gossip/serf.h"
#include "serf/file.h"

/* 64 keys of 44 characters, and room for how people lay out JSON. */
#define FILE_BYTES_MAX (64u * 1024u)

void serf_keyring_format(struct base_buf *out,
                         const struct gossip_keyring *keyring)
{
    size_t count = gossip_keyring_count(keyring);
    size_t i;

    base_buf_append(out, "[", 1);
    for (i = 0; i < count; i++) {
        char *key = gossip_key_format(gossip_keyring_at(keyring, i));

        base_buf_printf(out, "%s\n  \"%s\"", i > 0 ? "," : "", key);
        base_free_secret(key, strlen(key));
    }
    base_buf_append(out, count > 0 ? "\n]" : "]", count > 0 ? 2 : 1);
}

struct reader {
    const char *at;
    const char *end;
};

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->end &&
           (*reader->at == ' ' || *reader->at == '\t' ||
            *reader->at == '\r' || *reader->at == '\n'))
        reader->at++;
}

static bool take(struct reader *reader, char wanted)
{
    skip_space(reader);
    if (reader->at == reader->end || *reader->at != wanted)
        return false;
    reader->at++;
    return true;
}

/* Base64 text has one escape that a JSON writer may make of it: "\/". */
static int take_key(struct reader *reader, struct gossip_keyring *keyring)
{
    struct gossip_key key;
    char text[64];
    size_t len = 0;
    int rv = BASE_EPARSE;

    if (!take(reader, '"'))
        return BASE_EPARSE;
    while (reader->at < reader->end && *reader->at != '"' &&
           len < sizeof(text) - 1) {
        if (reader->at[0] == '\\' && reader->end - reader->at > 1 &&
            reader->at[1] == '/')
            reader->at++;
        text[len++] = *reader->at++;
    }
    text[len] = '\0';
    if (reader->at < reader->end && *reader->at == '"') {
        reader->at++;
        rv = gossip_key_parse(&key, text);
        if (rv == 0)
            rv = gossip_keyring_add(keyring, key.bytes, key.len);
    }
    explicit_bzero(&key, sizeof(key));
    explicit_bzero(text, sizeof(text));
    return rv;
}

int serf_keyring_parse(struct gossip_keyring *keyring, const char *text,
                       size_t len)
{
    struct reader reader = {text, text + len};
    size_t count = 0;

    if (!take(&reader, '['))
        return BASE_EPARSE;
    if (take(&reader, ']'))
        return GOSSIP_EINVAL;
    do {
        int rv = take_key(&reader, keyring);

        if (rv < 0)
            return rv;
        if (++count > GOSSIP_KEYS_MAX)
            return BASE_ETOOBIG;
    } while (take(&reader, ','));
    if (!take(&reader, ']'))
        return BASE_EPARSE;
    skip_space(&reader);
    return reader.at == reader.end ? 0 : BASE_EPARSE;
}

int gossip_keyring_load(struct gossip_keyring *keyring, const char *path)
{
    struct base_buf text = BASE_BUF_INIT;
    int rv = serf_file_read(path, FILE_BYTES_MAX, &text);

    if (rv == 0)
        rv = serf_keyring_parse(keyring, (const char *)base_buf_data(&text),
                                base_buf_len(&text));
    if (text.bytes != NULL)
        explicit_bzero(text.bytes, text.cap);
    base_buf_close(&text);
    return rv;
}

int serf_keyring_write(const char *path, const void *text, size_t len)
{
    struct stat old;
    mode_t mode = 0600;

    if (stat(path, &old) == 0)
        mode = old.st_mode & 0777;
    return serf_file_replace(path, ".tmp", mode, text, len);
}

int gossip_keyring_save(const struct gossip_keyring *keyring, const char *path)
{
    struct base_buf text = BASE_BUF_INIT;
    int rv;

    serf_keyring_format(&text, keyring);
    rv = serf_keyring_write(path, base_buf_data(&text), base_buf_len(&text));
    if (text.bytes != NULL)
        explicit_bzero(text.bytes, text.cap);
    base_buf_close(&text);
    return rv;
}
