/* UUIDs of RFC 9562, version 4: ids of nodes and clusters. */
#ifndef SERVER_UUID_H
#define SERVER_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT 37 /* with its NUL */

/** The text of 16 random bytes. */
void uuid_format(const uint8_t random[16], char out[UUID_TEXT]);
bool uuid_is_valid(const char *text);

#endif
