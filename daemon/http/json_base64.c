#include "http/json_base64.h"

#include <openssl/evp.h>

#include "base/alloc.h"

json_t *json_base64(const void *data, size_t len)
{
    unsigned char *text;
    json_t *string;

    if (len == 0)
        return json_null();
    text = base_alloc(4 * ((len + 2) / 3) + 1);
    EVP_EncodeBlock(text, data, (int)len); /* a body has 512 KiB at most */
    string = json_string((const char *)text);
    base_free(text);
    return string;
}
