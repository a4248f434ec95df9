/* Bytes of any kind in JSON, as Go's programs write them. Threads: any. */
#ifndef HTTP_JSON_BASE64_H
#define HTTP_JSON_BASE64_H

#include <jansson.h>
#include <stddef.h>

/** Standard base64; null for no bytes. */
json_t *json_base64(const void *data, size_t len);

#endif
