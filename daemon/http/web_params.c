#include "http/web_params.h"

#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"
#include "http/duration.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

char *web_unescape(const char *text, size_t len, bool plus)
{
    char *out = base_alloc(len + 1), *to = out;
    size_t i;

    for (i = 0; i < len; i++) {
        int high, low;

        if (text[i] != '%') {
            *to++ = plus && text[i] == '+' ? ' ' : text[i];
            continue;
        }
        high = len - i > 2 ? hex(text[i + 1]) : -1;
        low = high >= 0 ? hex(text[i + 2]) : -1;
        if (low < 0 || (high == 0 && low == 0)) {
            base_free(out);
            return NULL;
        }
        *to++ = (char)(high * 16 + low);
        i += 2;
    }
    *to = '\0';
    return out;
}

/* One "key=value". */
static int add(struct web_params *params, const char *at, size_t len)
{
    const char *equals = memchr(at, '=', len);
    size_t key_len = equals ? (size_t)(equals - at) : len;
    struct web_param *param;

    if (params->count == WEB_PARAMS_MAX)
        return BASE_EFULL;
    params->items = base_reallocarray(params->items, params->count + 1,
                                      sizeof(*params->items));
    param = &params->items[params->count];
    param->key = web_unescape(at, key_len, true);
    param->value = equals ? web_unescape(equals + 1, len - key_len - 1, true)
                          : base_strdup("");
    if (param->key && param->value) {
        params->count++;
        return 0;
    }
    base_free(param->key);
    base_free(param->value);
    return BASE_EPARSE;
}

int web_params_parse(struct web_params *params, const char *query,
                     const char **why)
{
    while (query && *query != '\0') {
        size_t len = strcspn(query, "&");
        int rv = len > 0 ? add(params, query, len) : 0;

        if (rv != 0) {
            *why = rv == BASE_EFULL ? "too many parameters in the query"
                                    : "a broken escape in the query";
            return BASE_EPARSE;
        }
        query += len;
        query += *query == '&';
    }
    return 0;
}

void web_params_close(struct web_params *params)
{
    size_t i;

    for (i = 0; i < params->count; i++) {
        base_free(params->items[i].key);
        base_free(params->items[i].value);
    }
    base_free(params->items);
    params->items = NULL;
    params->count = 0;
}

const char *web_param(const struct web_params *params, const char *key)
{
    size_t i;

    for (i = 0; i < params->count; i++)
        if (strcmp(params->items[i].key, key) == 0)
            return params->items[i].value;
    return NULL;
}

int web_param_bool(const struct web_params *params, const char *key, bool *out)
{
    static const char *const yes[] = {"", "1", "true", "t"};
    static const char *const no[] = {"0", "false", "f"};
    const char *text = web_param(params, key);
    size_t i;

    *out = false;
    if (text == NULL)
        return 0;
    for (i = 0; i < BASE_COUNT_OF(no); i++)
        if (strcasecmp(text, no[i]) == 0)
            return 0;
    for (i = 0; i < BASE_COUNT_OF(yes); i++)
        if (strcasecmp(text, yes[i]) == 0) {
            *out = true;
            return 0;
        }
    return BASE_EPARSE;
}

static int parse_index(const char *text, uint64_t *out)
{
    uint64_t value = 0;

    if (*text == '\0')
        return BASE_EPARSE;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' ||
            value > (UINT64_MAX - (uint64_t)(*text - '0')) / 10)
            return BASE_EPARSE;
        value = value * 10 + (uint64_t)(*text - '0');
    }
    *out = value;
    return 0;
}

static int refuse(const char **why, const char *text)
{
    *why = text;
    return BASE_EPARSE;
}

int web_options_parse(struct web_options *options,
                      const struct web_params *params, const char **why)
{
    const char *dc = web_param(params, "dc");
    const char *index = web_param(params, "index");
    const char *wait = web_param(params, "wait");
    bool stale, consistent;
    uint64_t wait_ms = 0;

    memset(options, 0, sizeof(*options));
    options->dc = dc ? dc : "";
    if (index && parse_index(index, &options->index) != 0)
        return refuse(why, "Invalid index: wanted a whole number");
    if (wait && duration_parse_ms(wait, &wait_ms) != 0)
        return refuse(why, "Invalid wait time: wanted a duration such as 30s");
    options->wait_ms =
        wait_ms > WEB_WAIT_MAX_MS ? WEB_WAIT_MAX_MS : (uint32_t)wait_ms;
    if (web_param_bool(params, "stale", &stale) != 0)
        return refuse(why, "stale: wanted no value, true or false");
    if (web_param_bool(params, "consistent", &consistent) != 0)
        return refuse(why, "consistent: wanted no value, true or false");
    if (web_param_bool(params, "pretty", &options->pretty) != 0)
        return refuse(why, "pretty: wanted no value, true or false");
    if (web_param_bool(params, "cached", &options->cached) != 0)
        return refuse(why, "cached: wanted no value, true or false");
    if (options->cached && consistent)
        return refuse(why, "cached and consistent exclude each other");
    if (stale && consistent)
        return refuse(why, "stale and consistent exclude each other");
    options->mode = stale        ? SERVER__QUERY__MODE__STALE
                    : consistent ? SERVER__QUERY__MODE__CONSISTENT
                                 : SERVER__QUERY__MODE__DEFAULT;
    return 0;
}
