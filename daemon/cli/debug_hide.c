/* Hiding what could be a secret before it leaves the machine. */
#include <string.h>

#include "base/alloc.h"
#include "cli/debug_bundle.h"

#define HIDDEN "(hidden)"

static bool sounds_secret(const char *key)
{
    static const char *const words[] = {"token",   "secret",  "password",
                                        "passwd",  "private", "credential",
                                        "authorization"};
    size_t i;

    if (strcasecmp(key, "encrypt") == 0 || strcasecmp(key, "key") == 0)
        return true;
    for (i = 0; i < BASE_COUNT_OF(words); i++)
        if (strcasestr(key, words[i]))
            return true;
    return false;
}

char *debug_hide_text(const char *text, const char *token)
{
    struct base_buf out = BASE_BUF_INIT;
    size_t len = strlen(token);
    const char *at;

    while (len > 0 && (at = strstr(text, token)) != NULL) {
        base_buf_append(&out, text, (size_t)(at - text));
        base_buf_append(&out, HIDDEN, strlen(HIDDEN));
        text = at + len;
    }
    base_buf_append(&out, text, strlen(text));
    return base_buf_take_string(&out);
}

/* What stands in value's place; NULL: value itself. */
static json_t *instead(json_t *value, bool secret, const char *token)
{
    const char *text = json_string_value(value);
    json_t *other = NULL;
    char *shown;

    if (text == NULL)
        return NULL;
    shown = debug_hide_text(text, token);
    if (secret && *text != '\0')
        other = json_string(HIDDEN);
    else if (strcmp(shown, text) != 0)
        other = json_string(shown);
    base_free(shown);
    return other;
}

void debug_hide(json_t *value, const char *token)
{
    json_t *item, *other;
    const char *key;
    size_t i;
    void *next;

    json_object_foreach_safe(value, next, key, item)
    {
        other = instead(item, sounds_secret(key), token);
        if (other)
            json_object_set_new(value, key, other);
        else
            debug_hide(item, token);
    }
    json_array_foreach(value, i, item)
    {
        other = instead(item, false, token);
        if (other)
            json_array_set_new(value, i, other);
        else
            debug_hide(item, token);
    }
}
