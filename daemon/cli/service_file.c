/* Services from files. */
#include "cli/service_file.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/json_get.h"

static json_t *refuse(json_t *file, const char *path, char **why)
{
    *why = base_asprintf("%s: wanted {\"service\": {...}} or "
                         "{\"services\": [{...}, ...]}",
                         path);
    json_decref(file);
    return NULL;
}

static json_t *list_of(json_t *file)
{
    json_t *one = json_object_get(file, "service");
    json_t *many = json_object_get(file, "services");
    json_t *list, *item;
    size_t i;

    if (json_object_size(file) != 1)
        return NULL;
    list = json_is_object(one) ? json_pack("[O]", one) : json_incref(many);
    if (!json_is_array(list)) {
        json_decref(list);
        return NULL;
    }
    json_array_foreach (list, i, item)
        if (!json_is_object(item)) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *service_file_read(const char *path, char **why)
{
    json_error_t error;
    json_t *file = strcmp(path, "-") == 0
                       ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &error)
                       : json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    json_t *list;

    if (file == NULL) {
        *why = error.line < 0
                   ? base_asprintf("%s", error.text) /* names the file */
                   : base_asprintf("%s:%d:%d: %s", path, error.line,
                                   error.column, error.text);
        return NULL;
    }
    list = list_of(file);
    if (list == NULL)
        return refuse(file, path, why);
    json_decref(file);
    return list;
}

const char *service_file_id(const json_t *service)
{
    const char *id = json_get_text(service, "ID");

    return *id ? id : json_get_text(service, "Name");
}
