/* JSON for scripts; the other form, tables, is in table.c. */
#include "cli/output.h"

#include <string.h>

bool output_format(const char *text, bool *is_json)
{
    *is_json = strcmp(text, "json") == 0;
    return *is_json || strcmp(text, "table") == 0;
}

void output_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
}
