/*
 * Storing one value of one key, whatever its type, and remembering where it
 * came from, so that a rule broken later can still name the file or the flag.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/config_keys.h"
#include "base/alloc.h"
#include "base/error.h"

/* Where each key came from, by the row of its canonical spelling. NULL: the
 * default. flag_origin: its flag. */
struct config_origins {
    char **of;
};

static char flag_origin[] = "flag";

struct config_origins *config_origins_new(void)
{
    struct config_origins *origins;

    BASE_NEW(origins);
    origins->of = base_calloc(config_key_count(), sizeof(*origins->of));
    return origins;
}

void config_origins_free(struct config_origins *origins)
{
    size_t i;

    if (origins == NULL)
        return;
    for (i = 0; i < config_key_count(); i++) {
        if (origins->of[i] != flag_origin)
            base_free(origins->of[i]);
    }
    base_free(origins->of);
    base_free(origins);
}

static char **origin_slot(const struct config *config, const char *path)
{
    const struct config_key *key = config_key_find(path);

    if (key->same_as != NULL)
        key = config_key_find(key->same_as);
    return &config->origins->of[key - config_key_at(0)];
}

void config_remember(struct config *config, const struct config_key *key,
                     const char *origin)
{
    char **slot = origin_slot(config, key->path);

    if (*slot != flag_origin)
        base_free(*slot);
    *slot = origin == NULL ? flag_origin : base_strdup(origin);
}

char *config_key_where(const struct config_key *key, const char *origin)
{
    if (origin == NULL)
        return base_asprintf("-%s", key->flag);
    return base_asprintf("%s (from %s)", key->path, origin);
}

char *config_where(const struct config *config, const char *path)
{
    const char *origin = *origin_slot(config, path);

    if (origin == NULL)
        return base_strdup(path);
    return config_key_where(config_key_find(path),
                            origin == flag_origin ? NULL : origin);
}

bool config_is_set(const struct config *config, const char *path)
{
    return *origin_slot(config, path) != NULL;
}

const char *config_type_words(enum config_type type)
{
    static const char *const words[] = {
        [CONFIG_TEXT] = "a string",
        [CONFIG_BOOL] = "true or false",
        [CONFIG_UINT] = "an integer",
        [CONFIG_PORT] = "a port number",
        [CONFIG_DURATION] = "a duration such as \"30s\"",
        [CONFIG_IP] = "an IP address such as \"10.0.0.1\"",
        [CONFIG_LEVEL] = "a level: trace, debug, info, warn or error",
        [CONFIG_LIST] = "a list of strings",
        [CONFIG_MAP] = "an object of strings",
        [CONFIG_GRANTS] = "a list of objects",
    };

    return words[type];
}

static int refuse(const struct config_key *key, const char *origin,
                  const char *value, char **why)
{
    char *where = config_key_where(key, origin);

    *why = base_asprintf("%s: wanted %s, found \"%s\"", where,
                         config_type_words(key->type), value);
    base_free(where);
    return BASE_EPARSE;
}

static int refuse_range(const struct config_key *key, const char *origin,
                        const char *value, char **why)
{
    char *where = config_key_where(key, origin);
    const char *unit = key->type == CONFIG_DURATION ? " milliseconds" : "";

    *why = base_asprintf("%s: %s is outside %lld to %lld%s", where, value,
                         (long long)key->min, (long long)key->max, unit);
    base_free(where);
    return BASE_EPARSE;
}

/* One number and its unit; the rest of the text stays. */
static int parse_term(const char **text, double *out_ms)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"ns", 1e-6}, {"us", 1e-3},  {"ms", 1},
                 {"s", 1e3},   {"m", 60.0e3}, {"h", 3600.0e3}};
    size_t digits = strspn(*text, "0123456789.");
    char *end;
    double value = strtod(*text, &end);
    size_t i, len;

    /* strtod also knows signs, exponents, hex and "inf": digits alone count. */
    if (digits == 0 || end != *text + digits)
        return BASE_EPARSE;
    len = strcspn(end, "0123456789.");
    for (i = 0; i < BASE_COUNT_OF(units); i++) {
        if (strlen(units[i].name) == len &&
            strncmp(end, units[i].name, len) == 0) {
            *out_ms += value * units[i].ms;
            *text = end + len;
            return 0;
        }
    }
    return BASE_EPARSE;
}

int config_parse_duration(const char *text, int64_t *out_ms)
{
    double ms = 0;

    if (strcmp(text, "0") == 0) {
        *out_ms = 0;
        return 0;
    }
    if (*text == '\0')
        return BASE_EPARSE;
    while (*text != '\0') {
        if (parse_term(&text, &ms) < 0 || ms > 1e15)
            return BASE_EPARSE;
    }
    *out_ms = (int64_t)ms;
    return 0;
}

static int set_duration(const struct config_key *key, const char *origin,
                        const char *value, uint32_t *field, char **why)
{
    int64_t ms;

    if (config_parse_duration(value, &ms) < 0)
        return refuse(key, origin, value, why);
    if (ms < key->min || ms > key->max)
        return refuse_range(key, origin, value, why);
    *field = (uint32_t)ms;
    return 0;
}

static void set_string(char **field, const char *value)
{
    if (*field != NULL)
        base_free_secret(*field, strlen(*field));
    *field = *value == '\0' ? NULL : base_strdup(value);
}

static void append(struct config_list *list, const char *value)
{
    list->items =
        base_reallocarray(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = base_strdup(value);
}

/* Consul's manuals write levels in capitals. */
static int parse_level(const char *value, enum base_log_level *out)
{
    char lower[16];
    size_t i;

    for (i = 0; value[i] != '\0' && i < sizeof(lower) - 1; i++)
        lower[i] = (char)tolower((unsigned char)value[i]);
    lower[i] = '\0';
    return value[i] != '\0' ? BASE_EPARSE : base_log_level_parse(lower, out);
}

int config_set_text(struct config *config, const struct config_key *key,
                    const char *origin, const char *value, char **why)
{
    void *field = (char *)config + key->offset;
    int rv = 0;

    switch (key->type) {
    case CONFIG_TEXT:
        set_string(field, value);
        break;
    case CONFIG_DURATION:
        rv = set_duration(key, origin, value, field, why);
        break;
    case CONFIG_IP:
        if (base_addr_parse_ip(field, value) < 0)
            rv = refuse(key, origin, value, why);
        break;
    case CONFIG_LEVEL:
        if (parse_level(value, field) < 0)
            rv = refuse(key, origin, value, why);
        break;
    case CONFIG_LIST:
        append(field, value);
        break;
    default:
        rv = refuse(key, origin, value, why);
        break;
    }
    if (rv == 0)
        config_remember(config, key, origin);
    return rv;
}

int config_set_bool(struct config *config, const struct config_key *key,
                    const char *origin, bool value)
{
    *(bool *)((char *)config + key->offset) = value;
    config_remember(config, key, origin);
    return 0;
}

int config_set_int(struct config *config, const struct config_key *key,
                   const char *origin, int64_t value, char **why)
{
    void *field = (char *)config + key->offset;

    if (value < key->min || value > key->max) {
        char text[24];

        snprintf(text, sizeof(text), "%lld", (long long)value);
        return refuse_range(key, origin, text, why);
    }
    /* -1 turns a port off, as in Consul. */
    if (key->type == CONFIG_PORT)
        *(uint16_t *)field = (uint16_t)(value < 0 ? 0 : value);
    else
        *(uint32_t *)field = (uint32_t)value;
    config_remember(config, key, origin);
    return 0;
}

int config_set_pair(struct config *config, const struct config_key *key,
                    const char *origin, const char *name, const char *value)
{
    struct config_map *map = (void *)((char *)config + key->offset);
    size_t i;

    config_remember(config, key, origin);
    for (i = 0; i < map->count; i++) {
        if (strcmp(map->pairs[i].key, name) == 0) {
            base_free(map->pairs[i].value);
            map->pairs[i].value = base_strdup(value);
            return 0;
        }
    }
    map->pairs =
        base_reallocarray(map->pairs, map->count + 1, sizeof(*map->pairs));
    map->pairs[map->count].key = base_strdup(name);
    map->pairs[map->count++].value = base_strdup(value);
    return 0;
}
