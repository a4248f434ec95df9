/*
 * Configuration files: JSON by jansson, strict. A key that is not known, a key
 * given twice and a value of another type are errors, since a misspelt key that
 * is silently dropped costs an operator more than a refused start.
 */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/config_acl.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

#define FILE_BYTES_MAX (1u << 20) /* no configuration comes near it */

static int apply_object(struct config *config, const char *file,
                        const char *prefix, json_t *object, char **why);

static const char *json_type_words(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "a list";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a number with a fraction";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    default:
        return "null";
    }
}

static int refuse_type(const struct config_key *key, const char *file,
                       const json_t *found, char **why)
{
    char *where = config_key_where(key, file);

    *why = base_asprintf("%s: wanted %s, found %s", where,
                         config_type_words(key->type), json_type_words(found));
    base_free(where);
    return BASE_EPARSE;
}

static int apply_list(struct config *config, const struct config_key *key,
                      const char *file, json_t *value, char **why)
{
    json_t *item;
    size_t i;
    int rv = 0;

    if (!json_is_array(value))
        return refuse_type(key, file, value, why);
    json_array_foreach(value, i, item)
    {
        if (!json_is_string(item))
            return refuse_type(key, file, item, why);
        rv = config_set_text(config, key, file, json_string_value(item), why);
        if (rv < 0)
            return rv;
    }
    return 0;
}

static int apply_map(struct config *config, const struct config_key *key,
                     const char *file, json_t *value, char **why)
{
    const char *name;
    json_t *item;

    if (!json_is_object(value))
        return refuse_type(key, file, value, why);
    json_object_foreach(value, name, item)
    {
        if (!json_is_string(item))
            return refuse_type(key, file, item, why);
        config_set_pair(config, key, file, name, json_string_value(item));
    }
    return 0;
}

static int apply_value(struct config *config, const struct config_key *key,
                       const char *file, json_t *value, char **why)
{
    switch (key->type) {
    case CONFIG_LIST:
        return apply_list(config, key, file, value, why);
    case CONFIG_MAP:
        return apply_map(config, key, file, value, why);
    case CONFIG_GRANTS:
        if (!json_is_array(value))
            return refuse_type(key, file, value, why);
        return config_add_grants(config, key, file, value, why);
    case CONFIG_BOOL:
        if (!json_is_boolean(value))
            return refuse_type(key, file, value, why);
        return config_set_bool(config, key, file, json_is_true(value));
    case CONFIG_UINT:
    case CONFIG_PORT:
        if (!json_is_integer(value))
            return refuse_type(key, file, value, why);
        return config_set_int(config, key, file, json_integer_value(value),
                              why);
    default:
        if (!json_is_string(value))
            return refuse_type(key, file, value, why);
        return config_set_text(config, key, file, json_string_value(value),
                               why);
    }
}

static int apply_path(struct config *config, const char *file, const char *path,
                      json_t *value, char **why)
{
    const struct config_key *key = config_key_find(path);

    if (key != NULL)
        return apply_value(config, key, file, value, why);
    if (!config_key_is_object(path)) {
        *why = base_asprintf("%s (from %s): unknown key", path, file);
        return BASE_EPARSE;
    }
    if (!json_is_object(value)) {
        *why = base_asprintf("%s (from %s): wanted an object, found %s", path,
                             file, json_type_words(value));
        return BASE_EPARSE;
    }
    return apply_object(config, file, path, value, why);
}

static int apply_object(struct config *config, const char *file,
                        const char *prefix, json_t *object, char **why)
{
    const char *name;
    json_t *value;
    int rv = 0;

    json_object_foreach(object, name, value)
    {
        char *path = base_asprintf("%s%s%s", prefix, *prefix ? "." : "", name);

        /* "ports.http" as one name would reach a key by a spelling that is
         * none of ours. */
        if (strchr(name, '.') != NULL) {
            *why = base_asprintf("%s (from %s): unknown key", path, file);
            rv = BASE_EPARSE;
        } else {
            rv = apply_path(config, file, path, value, why);
        }
        base_free(path);
        if (rv < 0)
            break;
    }
    return rv;
}

int config_load_text(struct config *config, const char *name, const char *text,
                     size_t len, char **why)
{
    json_error_t error;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    int rv;

    if (root == NULL) {
        *why = base_asprintf("%s:%d:%d: %s", name, error.line, error.column,
                             error.text);
        return BASE_EPARSE;
    }
    if (!json_is_object(root)) {
        *why = base_asprintf("%s: wanted an object, found %s", name,
                             json_type_words(root));
        rv = BASE_EPARSE;
    } else {
        rv = apply_object(config, name, "", root, why);
    }
    json_decref(root);
    return rv;
}

static int fail_errno(const char *path, const char *doing, char **why)
{
    int err = errno;

    *why = base_asprintf("%s: cannot %s: %s", path, doing, strerror(err));
    return base_error_from_errno(err);
}

static int load_file(struct config *config, const char *path, char **why)
{
    struct base_buf buf = BASE_BUF_INIT;
    FILE *file = fopen(path, "re");
    size_t got;
    int rv = 0;

    if (file == NULL)
        return fail_errno(path, "open", why);
    do {
        got = fread(base_buf_reserve(&buf, 4096), 1, 4096, file);
        base_buf_commit(&buf, got);
    } while (got > 0 && base_buf_len(&buf) <= FILE_BYTES_MAX);
    if (ferror(file)) {
        rv = fail_errno(path, "read", why);
    } else if (base_buf_len(&buf) > FILE_BYTES_MAX) {
        *why = base_asprintf("%s: larger than %u bytes", path, FILE_BYTES_MAX);
        rv = BASE_ETOOBIG;
    } else {
        rv = config_load_text(config, path, (const char *)base_buf_data(&buf),
                              base_buf_len(&buf), why);
    }
    fclose(file);
    base_buf_close(&buf);
    return rv;
}

static int is_json(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > 5 &&
           strcmp(entry->d_name + len - 5, ".json") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_entry(struct config *config, const char *folder,
                      const char *name, char **why)
{
    char *path = base_asprintf("%s/%s", folder, name);
    struct stat info;
    int rv = 0;

    if (stat(path, &info) < 0)
        rv = fail_errno(path, "open", why);
    else if (!S_ISDIR(info.st_mode))
        rv = load_file(config, path, why);
    base_free(path);
    return rv;
}

static int load_folder(struct config *config, const char *path, char **why)
{
    struct dirent **entries;
    int count = scandir(path, &entries, is_json, by_name);
    int rv = 0;
    int i;

    if (count < 0)
        return fail_errno(path, "open", why);
    for (i = 0; i < count; i++) {
        if (rv == 0)
            rv = load_entry(config, path, entries[i]->d_name, why);
        free(entries[i]); /* scandir's, from malloc */
    }
    free(entries);
    return rv;
}

int config_load_path(struct config *config, const char *path, char **why)
{
    struct stat info;

    if (stat(path, &info) < 0)
        return fail_errno(path, "open", why);
    if (S_ISDIR(info.st_mode))
        return load_folder(config, path, why);
    return load_file(config, path, why);
}
