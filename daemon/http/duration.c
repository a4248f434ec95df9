#include "http/duration.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

static const struct {
    const char *name;
    double ns;
} units[] = {
    /* The longer names first: "m" begins "ms". */
    {"ns", 1},          {"us", 1e3},
    {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3}, /* the two letters mu */
    {"ms", 1e6},        {"s", 1e9},
    {"m", 6e10},        {"h", 3.6e12},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A decimal number with a point at most; no sign, no exponent. */
static bool number(const char **at, double *out)
{
    double scale = 1;
    bool any = false;

    *out = 0;
    for (; is_digit(**at); (*at)++, any = true)
        *out = *out * 10 + (**at - '0');
    if (**at != '.')
        return any;
    for ((*at)++; is_digit(**at); (*at)++, any = true) {
        scale /= 10;
        *out += (**at - '0') * scale;
    }
    return any;
}

static bool unit(const char **at, double *ns)
{
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(units); i++) {
        size_t len = strlen(units[i].name);

        if (strncmp(*at, units[i].name, len) == 0) {
            *ns = units[i].ns;
            *at += len;
            return true;
        }
    }
    return false;
}

int duration_parse_ms(const char *text, uint64_t *out)
{
    double total_ns = 0, value, ns, ms;

    if (strcmp(text, "0") == 0) {
        *out = 0;
        return 0;
    }
    if (*text == '\0')
        return BASE_EPARSE;
    while (*text != '\0') {
        if (!number(&text, &value) || !unit(&text, &ns))
            return BASE_EPARSE;
        total_ns += value * ns;
    }
    ms = total_ns / 1e6;
    if (ms >= (double)(UINT64_MAX / 2))
        return BASE_EPARSE;
    *out = (uint64_t)ms;
    if ((double)*out < ms)
        (*out)++;
    return 0;
}
