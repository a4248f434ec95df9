/*
 * Walking a command line: which word is a flag, which its value. What a word
 * means to a command is in args_parse.c.
 */
#include "cli/args.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

struct args_scan args_scan_of(int argc, char **argv,
                              const struct args_flag *flags, size_t count)
{
    return (struct args_scan){.argc = argc,
                              .argv = argv,
                              .at = 1,
                              .flags = flags,
                              .flag_count = count};
}

static const struct args_flag *find(const struct args_scan *scan,
                                    const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < scan->flag_count; i++) {
        if (strlen(scan->flags[i].name) == len &&
            strncmp(scan->flags[i].name, name, len) == 0)
            return &scan->flags[i];
    }
    return NULL;
}

static bool is_help(const char *name, size_t len)
{
    return (len == 4 && strncmp(name, "help", 4) == 0) ||
           (len == 1 && *name == 'h');
}

int args_next(struct args_scan *scan, const struct args_flag **flag,
              const char **value, char **why)
{
    const char *word, *name;
    size_t len;

    if (scan->at >= scan->argc)
        return ARGS_END;
    word = scan->argv[scan->at++];
    if (!scan->no_more_flags && strcmp(word, "--") == 0) {
        scan->no_more_flags = true;
        return args_next(scan, flag, value, why);
    }
    *value = word;
    /* "-" alone is a word: standard input, by custom. */
    if (scan->no_more_flags || word[0] != '-' || word[1] == '\0')
        return ARGS_WORD;
    name = word + (word[1] == '-' ? 2 : 1);
    len = strcspn(name, "=");
    *flag = find(scan, name, len);
    if (*flag == NULL) {
        if (is_help(name, len))
            return ARGS_HELP;
        *why = base_asprintf("unknown flag -%.*s", (int)len, name);
        return BASE_EINVAL;
    }
    if (name[len] == '=') {
        *value = name + len + 1;
    } else if ((*flag)->type == ARGS_BOOL) {
        *value = "true";
    } else if (scan->at < scan->argc) {
        *value = scan->argv[scan->at++];
    } else {
        *why = base_asprintf("-%s needs a value", (*flag)->name);
        return BASE_EINVAL;
    }
    return ARGS_FLAG;
}

int args_parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"true", "1", "t", "TRUE", "True"};
    static const char *const no[] = {"false", "0", "f", "FALSE", "False"};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(yes); i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *out = strcmp(text, yes[i]) == 0;
            return 0;
        }
    }
    return BASE_EINVAL;
}

int args_parse_int(const char *text, int64_t *out)
{
    size_t sign = *text == '-' ? 1 : 0;
    size_t digits = strspn(text + sign, "0123456789");

    /* 18 digits always fit. */
    if (digits == 0 || digits > 18 || text[sign + digits] != '\0')
        return BASE_EINVAL;
    *out = strtoll(text, NULL, 10);
    return 0;
}

void args_list_close(struct args_list *list)
{
    base_free(list->items);
    *list = (struct args_list){NULL, 0};
}
