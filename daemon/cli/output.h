/*
 * What commands print: a table with aligned columns, or JSON.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/** The value of -format; false for anything but "table" and "json". */
bool output_format(const char *text, bool *is_json);
/** Indented, keys as they came, with a newline. */
void output_json(const json_t *value);

#endif
