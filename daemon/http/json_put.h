/*
 * Making JSON out of text from anywhere. jansson refuses what is not UTF-8, and
 * records come from the network: such bytes become U+FFFD, so that an answer is
 * never short of a field.
 * Threads: any; pure.
 */
#ifndef HTTP_JSON_PUT_H
#define HTTP_JSON_PUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/** A string; NULL is "". */
json_t *json_text(const char *text);
/** Sets a key of any bytes; value is given. */
void json_put(json_t *object, const char *key, json_t *value);
void json_put_text(json_t *object, const char *key, const char *text);
/** Above 2^63-1 it is cut to that: JSON's readers are signed. */
void json_put_uint(json_t *object, const char *key, uint64_t value);
void json_put_bool(json_t *object, const char *key, bool value);

#endif
