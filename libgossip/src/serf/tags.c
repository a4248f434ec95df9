/* Meta data and tags, both ways. */
#include "serf/tags.h"

#include <stdlib.h>
#include <string.h>

#include "memberlist/codec.h"

#define MAGIC 0xffu
#define PROTOCOL_TAGS 3 /* the first that has tags */

static int by_key(const void *a, const void *b)
{
    const struct gossip_tag *left = a;
    const struct gossip_tag *right = b;

    return strcmp(left->key, right->key);
}

static int check_unique(const struct gossip_tag *sorted, size_t count)
{
    size_t i;

    for (i = 1; i < count; i++)
        if (strcmp(sorted[i - 1].key, sorted[i].key) == 0)
            return GOSSIP_EINVAL;
    return 0;
}

static void put_sorted(struct base_buf *out, const struct gossip_tag *sorted,
                       size_t count)
{
    size_t i;

    base_buf_append_u8(out, MAGIC);
    mp_put_map(out, (uint32_t)count);
    for (i = 0; i < count; i++) {
        mp_put_text(out, sorted[i].key);
        mp_put_text(out, sorted[i].value);
    }
}

static void put_role(struct base_buf *out, const struct gossip_tag *sorted,
                     size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (strcmp(sorted[i].key, "role") == 0)
            base_buf_append(out, sorted[i].value, strlen(sorted[i].value));
}

int serf_tags_encode(struct base_buf *out, const struct gossip_tag *tags,
                     size_t count, uint8_t protocol)
{
    struct base_buf meta = BASE_BUF_INIT;
    struct gossip_tag *sorted;
    int rv;

    if (count > GOSSIP_META_BYTES_MAX)
        return GOSSIP_EMETA;
    sorted = base_memdup(tags, count * sizeof(tags[0]));
    if (count > 0)
        qsort(sorted, count, sizeof(sorted[0]), by_key);
    rv = check_unique(sorted, count);
    if (rv == 0) {
        if (protocol >= PROTOCOL_TAGS)
            put_sorted(&meta, sorted, count);
        else
            put_role(&meta, sorted, count);
        if (base_buf_len(&meta) > GOSSIP_META_BYTES_MAX)
            rv = GOSSIP_EMETA;
        else
            base_buf_append(out, base_buf_data(&meta), base_buf_len(&meta));
    }
    base_buf_close(&meta);
    base_free(sorted);
    return rv;
}

/* Copies a piece of input into the text block, which was made large enough. */
static const char *copy_text(char **at, struct mp_bytes piece)
{
    const char *start = *at;

    if (piece.len > 0)
        memcpy(*at, piece.data, piece.len);
    (*at)[piece.len] = '\0';
    *at += piece.len + 1;
    return start;
}

static bool has_nul(struct mp_bytes piece)
{
    return piece.len > 0 && memchr(piece.data, '\0', piece.len) != NULL;
}

/* The last of equal keys wins (gossip.md 1.2). */
static void put_tag(struct serf_tags *out, const char *key, const char *value)
{
    size_t i;

    for (i = 0; i < out->count; i++) {
        if (strcmp(out->tags[i].key, key) == 0) {
            out->tags[i].value = value;
            return;
        }
    }
    out->tags[out->count++] = (struct gossip_tag){key, value};
}

static int decode_map(struct serf_tags *out, const uint8_t *data, size_t len)
{
    struct base_cursor in = base_cursor_of(data, len);
    uint32_t pairs = mp_get_map(&in);
    char *at;

    if (in.failed)
        return GOSSIP_EDECODE;
    /* Each piece of input needs its bytes and a NUL, and has a header byte. */
    out->text = base_alloc(len + 1);
    out->tags = base_calloc(pairs + 1u, sizeof(out->tags[0]));
    for (at = out->text; pairs > 0; pairs--) {
        struct mp_bytes key = mp_get_key(&in);
        struct mp_bytes value = mp_get_str(&in);
        const char *key_text;

        if (in.failed || has_nul(key) || has_nul(value))
            return GOSSIP_EDECODE;
        key_text = copy_text(&at, key);
        put_tag(out, key_text, copy_text(&at, value));
    }
    qsort(out->tags, out->count, sizeof(out->tags[0]), by_key);
    return 0;
}

static int decode_role(struct serf_tags *out, const uint8_t *data, size_t len)
{
    struct mp_bytes role = mp_bytes_of(data, len);
    char *at;

    if (has_nul(role))
        return GOSSIP_EDECODE;
    at = out->text = base_alloc(len + 1);
    BASE_NEW(out->tags);
    put_tag(out, "role", copy_text(&at, role));
    return 0;
}

int serf_tags_decode(struct serf_tags *out, const void *meta, size_t len)
{
    const uint8_t *data = meta;
    int rv;

    memset(out, 0, sizeof(*out));
    if (len > 0 && data[0] == MAGIC)
        rv = decode_map(out, data + 1, len - 1);
    else
        rv = decode_role(out, data, len);
    if (rv < 0)
        serf_tags_close(out);
    return rv;
}

void serf_tags_close(struct serf_tags *tags)
{
    base_free(tags->tags);
    base_free(tags->text);
    memset(tags, 0, sizeof(*tags));
}
