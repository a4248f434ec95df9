/* Reading JSON that another program wrote, without trusting its shape. */
#include "cli/json_get.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

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

char *json_join_pairs(json_t *object)
{
    struct base_buf buf = BASE_BUF_INIT;
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
        base_buf_printf(&buf, "%s%s=%s", base_buf_len(&buf) > 0 ? "," : "",
                        name,
                        json_is_string(value) ? json_string_value(value) : "");
    return base_buf_take_string(&buf);
}

char *json_join(const json_t *list)
{
    struct base_buf buf = BASE_BUF_INIT;
    const json_t *value;
    size_t i;

    json_array_foreach (list, i, value)
        base_buf_printf(&buf, "%s%s", i > 0 ? "," : "",
                        json_is_string(value) ? json_string_value(value) : "");
    return base_buf_take_string(&buf);
}
