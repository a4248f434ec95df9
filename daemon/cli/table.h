/*
 * Rows of text under headings, each column as wide as its widest cell, two
 * spaces apart. Cells may come from other machines: what could drive a terminal
 * is shown as "?", and an empty cell as "-", so that words can be counted.
 * Threads: one at a time per object.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

struct table;

/** headings are constants. */
struct table *table_new(const char *const *headings, size_t count);
void table_free(struct table *table);
/** One cell a column, copied; NULL is empty. */
void table_add(struct table *table, const char *const *cells);
void table_print(const struct table *table, FILE *to);
/** One cell as a line of its own, for lists that want no heading. */
void table_print_word(const char *word, FILE *to);
/** How many columns text takes in a terminal, as UTF-8. */
size_t table_width(const char *text);

#endif
