/* Columns for people. */
#include "cli/table.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

struct table {
    const char *const *headings;
    size_t columns;
    char **cells; /* row after row */
    size_t rows;
};

struct table *table_new(const char *const *headings, size_t count)
{
    struct table *table;

    assert(count > 0 && count <= TABLE_COLUMNS_MAX);
    BASE_NEW(table);
    table->headings = headings;
    table->columns = count;
    return table;
}

void table_free(struct table *table)
{
    size_t i;

    if (table == NULL)
        return;
    for (i = 0; i < table->rows * table->columns; i++)
        base_free(table->cells[i]);
    base_free(table->cells);
    base_free(table);
}

/* C0 and DEL by their byte; C1 is c2 80 to c2 9f in UTF-8, and a terminal that
 * is not in UTF-8 takes its second byte for an escape too. */
static char *tame(const char *text)
{
    char *out = base_strdup(text == NULL || *text == '\0' ? "-" : text);
    unsigned char *at;

    for (at = (unsigned char *)out; *at != '\0'; at++) {
        if (*at < 0x20 || *at == 0x7f) {
            *at = '?';
        } else if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) {
            at[0] = '?';
            at[1] = '?';
        }
    }
    return out;
}

void table_add(struct table *table, const char *const *cells)
{
    size_t used = table->rows * table->columns;
    size_t i;

    table->cells = base_reallocarray(table->cells, used + table->columns,
                                     sizeof(*table->cells));
    for (i = 0; i < table->columns; i++)
        table->cells[used + i] = tame(cells[i]);
    table->rows++;
}

void table_print_word(const char *word, FILE *to)
{
    char *tamed = tame(word);

    fprintf(to, "%s\n", tamed);
    base_free(tamed);
}

size_t table_width(const char *text)
{
    size_t width = 0;

    /* Every byte but the later ones of a UTF-8 sequence. */
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_row(const struct table *table, const char *const *cells,
                      const size_t *widths, FILE *to)
{
    size_t i, pad;

    for (i = 0; i < table->columns; i++) {
        fputs(cells[i], to);
        if (i + 1 == table->columns)
            break; /* no blanks at the end of a line */
        for (pad = table_width(cells[i]); pad < widths[i] + 2; pad++)
            fputc(' ', to);
    }
    fputc('\n', to);
}

void table_print(const struct table *table, FILE *to)
{
    size_t widths[TABLE_COLUMNS_MAX];
    size_t i;

    for (i = 0; i < table->columns; i++)
        widths[i] = table_width(table->headings[i]);
    for (i = 0; i < table->rows * table->columns; i++) {
        size_t width = table_width(table->cells[i]);

        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    print_row(table, table->headings, widths, to);
    for (i = 0; i < table->rows; i++)
        print_row(table, (const char *const *)&table->cells[i * table->columns],
                  widths, to);
}
