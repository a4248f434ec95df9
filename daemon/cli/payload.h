/*
 * Bytes that others sent, on the screen: what could drive a terminal is "?".
 * Threads: any.
 */
#ifndef CLI_PAYLOAD_H
#define CLI_PAYLOAD_H

#include <jansson.h>

/** A field of base64 as text that is safe to print, the caller's; "" if there
 * is none. */
char *payload_text(const json_t *object, const char *key);
/** The same of plain text. */
char *payload_clean(const char *text, size_t len);

#endif
