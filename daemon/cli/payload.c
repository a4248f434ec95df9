#include "cli/payload.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/json_get.h"

/* Bytes from 0x80 on are UTF-8 or harmless: C1 controls come as two bytes. */
static bool is_safe(const char *text, size_t at)
{
    unsigned char c = (unsigned char)text[at];

    if (c < 0x20 || c == 0x7f)
        return false;
    return !(c >= 0x80 && c <= 0x9f && at > 0 &&
             (unsigned char)text[at - 1] == 0xc2);
}

char *payload_clean(const char *text, size_t len)
{
    char *out = base_alloc(len + 1);
    size_t i;

    for (i = 0; i < len; i++)
        out[i] = is_safe(text, i) ? text[i] : '?';
    out[len] = '\0';
    return out;
}

char *payload_text(const json_t *object, const char *key)
{
    const char *text = json_get_text(object, key);
    size_t len = strlen(text);
    unsigned char *bytes = base_alloc(len + 1);
    int got = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)len);
    char *out;

    if (got < 0)
        got = 0;
    /* EVP_DecodeBlock() counts the padding too. */
    while (got > 0 && len > 0 && text[len - 1] == '=') {
        got--;
        len--;
    }
    out = payload_clean((const char *)bytes, (size_t)got);
    base_free(bytes);
    return out;
}
