#include "server/uuid.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_dash_place(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

bool uuid_is_valid(const char *text)
{
    size_t i;

    if (strlen(text) != UUID_TEXT - 1)
        return false;
    for (i = 0; i < UUID_TEXT - 1; i++)
        if (is_dash_place(i) ? text[i] != '-'
                             : !isxdigit((unsigned char)text[i]))
            return false;
    return true;
}

void uuid_format(const uint8_t random[16], char out[UUID_TEXT])
{
    char *at = out;
    size_t i;

    for (i = 0; i < 16; i++) {
        uint8_t byte = random[i];

        if (i == 6)
            byte = (uint8_t)((byte & 0x0f) | 0x40); /* version 4 */
        if (i == 8)
            byte = (uint8_t)((byte & 0x3f) | 0x80); /* the RFC's variant */
        if (is_dash_place((size_t)(at - out)))
            *at++ = '-';
        at += snprintf(at, 3, "%02x", byte);
    }
}
