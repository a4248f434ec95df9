/*
 * The tar (POSIX ustar: blocks of 512 bytes, a header block before each file)
 * and the sums in it. Only what archive_pack() writes, and what Consul's writer
 * does, is read: plain files of known names, each once.
 */
#include "snapshot/archive.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "snapshot/tar.h"

#define SUM_TEXT 65u /* SHA-256 in hexadecimal */

void archive_close(struct archive *archive)
{
    base_buf_close(&archive->state);
    memset(archive, 0, sizeof(*archive));
}

static void sum_of(const void *data, size_t len, char out[SUM_TEXT])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned i, size = 0;

    EVP_Digest(data, len, digest, &size, EVP_sha256(), NULL);
    assert(size == 32);
    for (i = 0; i < size; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* ---- writing -------------------------------------------------------------- */

static char *meta_text(const struct archive *archive)
{
    return base_asprintf("{\"Version\":1,\"ID\":\"%s\",\"Index\":%" PRIu64
                         ",\"Term\":%" PRIu64 ",\"Size\":%zu}\n",
                         archive->id, archive->index, archive->term,
                         base_buf_len(&archive->state));
}

void archive_pack(const struct archive *archive, struct base_buf *out)
{
    struct base_buf tar = BASE_BUF_INIT;
    char *meta = meta_text(archive);
    const void *state = archive->state.bytes + archive->state.start;
    size_t len = base_buf_len(&archive->state);
    char meta_sum[SUM_TEXT], state_sum[SUM_TEXT];
    char *sums;

    sum_of(meta, strlen(meta), meta_sum);
    sum_of(state, len, state_sum);
    sums = base_asprintf("%s  meta.json\n%s  state.bin\n", meta_sum, state_sum);
    tar_add(&tar, "meta.json", meta, strlen(meta));
    tar_add(&tar, "state.bin", state, len);
    tar_add(&tar, "SHA256SUMS", sums, strlen(sums));
    tar_end(&tar);
    gzip_pack(base_buf_data(&tar), base_buf_len(&tar), out);
    base_buf_close(&tar);
    base_free(sums);
    base_free(meta);
}

/* ---- reading -------------------------------------------------------------- */

struct part {
    const uint8_t *data; /* NULL: not there */
    size_t len;
};

struct parts {
    struct part meta, state, sums;
};

static struct part *part_named(struct parts *parts, const char *name)
{
    if (strcmp(name, "meta.json") == 0)
        return &parts->meta;
    if (strcmp(name, "state.bin") == 0)
        return &parts->state;
    return strcmp(name, "SHA256SUMS") == 0 ? &parts->sums : NULL;
}

static bool read_octal(const uint8_t *at, size_t len, uint64_t *out)
{
    size_t i;

    *out = 0;
    for (i = 0; i < len && at[i] >= '0' && at[i] <= '7'; i++)
        *out = *out * 8 + (uint64_t)(at[i] - '0');
    return i > 0 && (i == len || at[i] == '\0' || at[i] == ' ');
}

static const char *read_parts(struct base_buf *tar, struct parts *parts)
{
    struct base_cursor cursor =
        base_cursor_of(base_buf_data(tar), base_buf_len(tar));
    const uint8_t *header;

    while ((header = base_cursor_bytes(&cursor, TAR_BLOCK)) != NULL &&
           header[0] != '\0') {
        struct part *part;
        char name[101] = {0};
        uint64_t len;

        memcpy(name, header, 100);
        if (!read_octal(header + 124, 12, &len) || len > base_buf_len(tar))
            return "the tar inside is malformed";
        part = part_named(parts, name);
        if (part == NULL || part->data != NULL ||
            (header[156] != '0' && header[156] != '\0'))
            return "there is a file in it that does not belong there";
        part->data = base_cursor_bytes(&cursor, (size_t)len);
        part->len = (size_t)len;
        base_cursor_bytes(&cursor, (size_t)(TAR_BLOCK - len % TAR_BLOCK) % TAR_BLOCK);
        if (cursor.failed)
            return "the tar inside is cut short";
    }
    if (!parts->meta.data || !parts->state.data || !parts->sums.data)
        return "it lacks meta.json, state.bin or SHA256SUMS";
    return NULL;
}

/* True if a line of the sums names the part with its sum. */
static bool sum_matches(const struct parts *parts, const struct part *part,
                        const char *name)
{
    char sum[SUM_TEXT];
    char *line;
    bool found;

    sum_of(part->data, part->len, sum);
    line = base_asprintf("%s  %s\n", sum, name);
    found = memmem(parts->sums.data, parts->sums.len, line, strlen(line)) !=
            NULL;
    base_free(line);
    return found;
}

static const char *read_meta(const struct part *meta, struct archive *out)
{
    json_t *object = json_loadb((const char *)meta->data, meta->len, 0, NULL);
    json_int_t version = 0, index = 0, term = 0;
    const char *id = "";
    int rv = object == NULL
                 ? -1
                 : json_unpack(object, "{s:I, s:s, s:I, s:I}", "Version",
                               &version, "ID", &id, "Index", &index, "Term",
                               &term);

    if (rv == 0 && strlen(id) < sizeof(out->id))
        strcpy(out->id, id);
    out->index = (uint64_t)index;
    out->term = (uint64_t)term;
    json_decref(object);
    if (rv != 0 || index < 0 || term < 0)
        return "meta.json is malformed";
    return version == 1 ? NULL : "meta.json is of a version that is not known";
}

static const char *read_all(struct base_buf *tar, struct archive *out)
{
    struct parts parts;
    const char *why;

    memset(&parts, 0, sizeof(parts));
    why = read_parts(tar, &parts);

    if (why == NULL && (!sum_matches(&parts, &parts.meta, "meta.json") ||
                        !sum_matches(&parts, &parts.state, "state.bin")))
        why = "a checksum does not match: the file is damaged";
    if (why == NULL)
        why = read_meta(&parts.meta, out);
    if (why == NULL)
        base_buf_append(&out->state, parts.state.data, parts.state.len);
    return why;
}

int archive_unpack(const void *data, size_t len, size_t limit,
                   struct archive *out, const char **why)
{
    struct base_buf tar = BASE_BUF_INIT;
    int rv = gzip_unpack(data, len, limit + 64u * TAR_BLOCK, &tar);

    memset(out, 0, sizeof(*out));
    *why = NULL;
    if (rv == BASE_ETOOBIG)
        *why = "it unpacks to more than the limit";
    else if (rv < 0)
        *why = "it is no gzip file, or cut short";
    else
        *why = read_all(&tar, out);
    base_buf_close(&tar);
    if (*why == NULL)
        return 0;
    archive_close(out);
    return rv < 0 ? rv : BASE_EPARSE;
}
