/*
 * A command line into variables, and a command's help out of the same table.
 */
#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/args.h"

static void append(struct args_list *list, const char *word)
{
    list->items =
        base_reallocarray(list->items, list->count + 1, sizeof(*list->items));
    list->items[list->count++] = word;
}

static int set_uint(const char *text, uint32_t *out)
{
    int64_t value;

    if (args_parse_int(text, &value) < 0 || value < 0 || value > UINT32_MAX)
        return -1;
    *out = (uint32_t)value;
    return 0;
}

/* NULL, or what was wanted instead. */
static const char *store(const struct args_flag *flag, const char *value)
{
    switch (flag->type) {
    case ARGS_BOOL:
        return args_parse_bool(value, flag->out) < 0 ? "true or false" : NULL;
    case ARGS_UINT:
        return set_uint(value, flag->out) < 0 ? "a number" : NULL;
    case ARGS_LIST:
        append(flag->out, value);
        return NULL;
    default:
        *(const char **)flag->out = value;
        return NULL;
    }
}

int args_parse(const struct args_command *command, int argc, char **argv,
               struct args_list *words, int *exit_code)
{
    struct args_scan scan =
        args_scan_of(argc, argv, command->flags, command->flag_count);
    const struct args_flag *flag;
    const char *value, *wanted;
    char *why = NULL;

    for (;;) {
        switch (args_next(&scan, &flag, &value, &why)) {
        case ARGS_END:
            return 0;
        case ARGS_HELP:
            args_print_help(command, stdout);
            *exit_code = 0;
            return 1;
        case ARGS_WORD:
            if (words == NULL) {
                *exit_code =
                    args_usage_error(command, "unexpected word \"%s\"", value);
                return 1;
            }
            append(words, value);
            break;
        case ARGS_FLAG:
            wanted = store(flag, value);
            if (wanted != NULL) {
                *exit_code =
                    args_usage_error(command, "-%s: wanted %s, found \"%s\"",
                                     flag->name, wanted, value);
                return 1;
            }
            break;
        default:
            *exit_code = args_usage_error(command, "%s", why);
            base_free(why);
            return 1;
        }
    }
}

/* "isthmus members", the words of the usage line before its first "[" or "<"
 * or word in capitals. */
static int name_length(const char *usage)
{
    size_t len = strcspn(usage, "[<ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    while (len > 0 && usage[len - 1] == ' ')
        len--;
    return (int)len;
}

int args_usage_error(const struct args_command *command, const char *format,
                     ...)
{
    int len = name_length(command->usage);
    va_list args;

    fprintf(stderr, "%.*s: ", len, command->usage);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry: %.*s -help\n", len, command->usage);
    return ARGS_EXIT_USAGE;
}

static void print_indented(const char *text, FILE *to)
{
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        fprintf(to, "  %.*s\n", (int)len, text);
        text += len + (text[len] == '\n' ? 1 : 0);
    }
}

void args_print_help(const struct args_command *command, FILE *to)
{
    size_t i;

    fprintf(to, "Usage: %s\n\n%s\n", command->usage, command->about);
    if (command->flag_count > 0)
        fprintf(to, "\nFlags:\n");
    for (i = 0; i < command->flag_count; i++) {
        const struct args_flag *flag = &command->flags[i];

        fprintf(to, "  -%s%s%s\n      %s\n", flag->name,
                flag->argument == NULL ? "" : "=",
                flag->argument == NULL ? "" : flag->argument, flag->help);
    }
    fprintf(to, "\nExample:\n");
    print_indented(command->example, to);
}
