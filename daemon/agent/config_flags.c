/*
 * The agent's command line onto the configuration. Files are read first,
 * wherever they stand among the flags: flags always win, as in Consul.
 */
#include "agent/config_flags.h"

#include <string.h>

#include "agent/config_keys.h"
#include "base/alloc.h"
#include "base/error.h"

static bool is_file_flag(const char *name)
{
    return strcmp(name, "config-file") == 0 || strcmp(name, "config-dir") == 0;
}

struct args_flag *config_flags_new(size_t *count)
{
    struct args_flag *flags =
        base_calloc(config_key_count() + 2, sizeof(*flags));
    size_t i, at = 0;

    flags[at++] =
        (struct args_flag){"config-file", ARGS_LIST, NULL, "FILE",
                           "a configuration file in JSON; repeatable"};
    flags[at++] = (struct args_flag){
        "config-dir", ARGS_LIST, NULL, "FOLDER",
        "a folder of *.json files, read by name; repeatable"};
    for (i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);

        if (key->flag == NULL)
            continue;
        flags[at++] = (struct args_flag){
            key->flag, key->type == CONFIG_BOOL ? ARGS_BOOL : ARGS_TEXT, NULL,
            key->argument, key->help};
    }
    *count = at;
    return flags;
}

static const struct config_key *key_of_flag(const char *name)
{
    size_t i;

    for (i = 0; i < config_key_count(); i++) {
        const struct config_key *key = config_key_at(i);

        if (key->flag != NULL && strcmp(key->flag, name) == 0)
            return key;
    }
    return NULL;
}

static int refuse(const struct config_key *key, const char *value, char **why)
{
    *why = base_asprintf("-%s: wanted %s, found \"%s\"", key->flag,
                         key->type == CONFIG_MAP ? "key=value"
                                                 : config_type_words(key->type),
                         value);
    return BASE_EINVAL;
}

static int set_pair(struct config *config, const struct config_key *key,
                    const char *value, char **why)
{
    const char *equals = strchr(value, '=');
    char *name;

    if (equals == NULL || equals == value)
        return refuse(key, value, why);
    name = base_strndup(value, (size_t)(equals - value));
    config_set_pair(config, key, NULL, name, equals + 1);
    base_free(name);
    return 0;
}

static int set_flag(struct config *config, const struct config_key *key,
                    const char *value, char **why)
{
    int64_t number;
    bool on;

    switch (key->type) {
    case CONFIG_BOOL:
        if (args_parse_bool(value, &on) < 0)
            return refuse(key, value, why);
        return config_set_bool(config, key, NULL, on);
    case CONFIG_UINT:
    case CONFIG_PORT:
        if (args_parse_int(value, &number) < 0)
            return refuse(key, value, why);
        return config_set_int(config, key, NULL, number, why);
    case CONFIG_MAP:
        return set_pair(config, key, value, why);
    default:
        return config_set_text(config, key, NULL, value, why);
    }
}

/* One pass over the line: files, or everything else. */
static int pass(struct config *config, struct args_scan scan, bool files,
                char **why)
{
    const struct args_flag *flag;
    const char *value;
    int rv;

    for (;;) {
        rv = args_next(&scan, &flag, &value, why);
        if (rv == ARGS_END || rv < 0)
            return rv;
        if (rv != ARGS_FLAG) {
            *why = rv == ARGS_HELP
                       ? base_strdup("-help stands alone")
                       : base_asprintf("unexpected word \"%s\"", value);
            return BASE_EINVAL;
        }
        rv = 0;
        if (is_file_flag(flag->name) != files)
            continue;
        if (files)
            rv = config_load_path(config, value, why);
        else if (set_flag(config, key_of_flag(flag->name), value, why) < 0)
            rv = BASE_EINVAL;
        if (rv < 0)
            return rv;
    }
}

int config_apply_flags(struct config *config, int argc, char **argv, char **why)
{
    size_t count;
    struct args_flag *flags = config_flags_new(&count);
    struct args_scan scan = args_scan_of(argc, argv, flags, count);
    int rv = pass(config, scan, true, why);

    if (rv == 0)
        rv = pass(config, scan, false, why);
    base_free(flags);
    return rv;
}
