/*
 * Members, from the API's list to what `isthmus members` prints.
 */
#ifndef CLI_MEMBERS_VIEW_H
#define CLI_MEMBERS_VIEW_H

#include <jansson.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>

/** Serf's number as a word. */
const char *members_status(json_int_t status);
/** The members whose status matches (NULL: all), in the order of their names;
 * the caller's (json_decref). list is borrowed. */
json_t *members_select(const json_t *list, const regex_t *status);
void members_print(const json_t *list, bool detailed, FILE *to);

#endif
