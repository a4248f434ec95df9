/*
 * Fields of the agent's answers. What is missing or of another type reads as
 * empty: a command shows what is there.
 */
#ifndef CLI_JSON_GET_H
#define CLI_JSON_GET_H

#include <jansson.h>

/** Borrowed from object; "" if it is no string. */
const char *json_get_text(const json_t *object, const char *key);
/** 0 if it is no integer. */
json_int_t json_get_int(const json_t *object, const char *key);
/** An object of texts as "key=value,key=value", in its order; "" if it is none.
 * The caller's (base_free). */
char *json_join_pairs(json_t *object);
/** A list of texts with commas between; the same. */
char *json_join(const json_t *list);
/** A value below nested objects, "Node.Address"; NULL if there is none. */
json_t *json_get_path(const json_t *object, const char *path);

#endif
