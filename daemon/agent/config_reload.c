/*
 * What a running agent takes from a configuration that was read again: a few
 * keys. That another one is different is said, since an operator who changed it
 * waits for something to happen.
 */
#include <string.h>

#include "agent/config_acl.h"
#include "base/alloc.h"
#include "base/buf.h"

static bool reloads(const char *path)
{
    static const char *const paths[] = {
        "acl.default_policy",
        "acl.grants",
        "acl.tokens.agent",
        "acl.tokens.default",
        "acl.tokens.initial_management",
        "acl.tokens.replication",
        "log_level",
    };
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(paths); i++)
        if (strcmp(paths[i], path) == 0)
            return true;
    return false;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_list(const struct config_list *a, const struct config_list *b)
{
    size_t i;

    for (i = 0; i < a->count && i < b->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return a->count == b->count;
}

static bool same_map(const struct config_map *a, const struct config_map *b)
{
    size_t i;

    for (i = 0; i < a->count && i < b->count; i++)
        if (strcmp(a->pairs[i].key, b->pairs[i].key) != 0 ||
            strcmp(a->pairs[i].value, b->pairs[i].value) != 0)
            return false;
    return a->count == b->count;
}

static size_t size_of(enum config_type type)
{
    switch (type) {
    case CONFIG_TEXT:
        return sizeof(char *);
    case CONFIG_BOOL:
        return sizeof(bool);
    case CONFIG_PORT:
        return sizeof(uint16_t);
    case CONFIG_UINT:
    case CONFIG_DURATION:
        return sizeof(uint32_t);
    case CONFIG_IP:
        return sizeof(struct base_addr);
    case CONFIG_LEVEL:
        return sizeof(enum base_log_level);
    case CONFIG_LIST:
        return sizeof(struct config_list);
    case CONFIG_MAP:
        return sizeof(struct config_map);
    default:
        return sizeof(struct config_grants);
    }
}

static bool same(const struct config_key *key, const void *a, const void *b)
{
    switch (key->type) {
    case CONFIG_TEXT:
        return same_text(*(char *const *)a, *(char *const *)b);
    case CONFIG_IP:
        return base_addr_equal(a, b);
    case CONFIG_LIST:
        return same_list(a, b);
    case CONFIG_MAP:
        return same_map(a, b);
    case CONFIG_GRANTS:
        return config_same_grants(a, b);
    default:
        return memcmp(a, b, size_of(key->type)) == 0;
    }
}

static void swap(void *a, void *b, size_t size)
{
    unsigned char held[sizeof(struct base_addr) + sizeof(struct config_list)];

    memcpy(held, a, size);
    memcpy(a, b, size);
    memcpy(b, held, size);
}

static void name(struct base_buf *buf, const char *path)
{
    base_buf_printf(buf, "%s%s", base_buf_len(buf) > 0 ? ", " : "", path);
}

static char *names(struct base_buf *buf)
{
    return base_buf_len(buf) > 0 ? base_buf_take_string(buf) : NULL;
}

/* What was completed follows from other keys, which are named. */
static bool was_given(const struct config *running, const struct config *newer,
                      const char *path)
{
    return config_is_set(running, path) || config_is_set(newer, path);
}

void config_reload(struct config *running, struct config *newer, char **changed,
                   char **kept)
{
    struct base_buf taken = BASE_BUF_INIT, left = BASE_BUF_INIT;
    size_t i;

    for (i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);
        void *ours = (char *)running + key->offset;
        void *theirs = (char *)newer + key->offset;

        if (key->same_as || same(key, ours, theirs) ||
            !was_given(running, newer, key->path))
            continue;
        name(reloads(key->path) ? &taken : &left, key->path);
        if (reloads(key->path))
            swap(ours, theirs, size_of(key->type));
    }
    *changed = names(&taken);
    *kept = names(&left);
}
