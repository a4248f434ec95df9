/* Reading JSON that another program wrote, without trusting its shape. */
#include "cli/json_get.h"

#include <string.h>

#include "base/alloc.h"

json_t *json_get_path(const json_t *object, const char *path)
{
    json_t *value = NULL;

    for (;;) {
        size_t len = strcspn(path, ".");
        char *name = base_strndup(path, len);

        value = json_object_get(object, name);
        base_free(name);
        if (path[len] == '\0' || value == NULL)
            return value;
        object = value;
        path += len + 1;
    }
}

const char *json_get_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_get_path(object, key));

    return text == NULL ? "" : text;
}

json_int_t json_get_int(const json_t *object, const char *key)
{
    return json_integer_value(json_get_path(object, key));
}
