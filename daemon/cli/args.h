/*
 * Command lines: flags with one or two dashes, "-flag=value" or "-flag value",
 * anywhere among the other words; "--" ends them. A command declares its flags
 * in a table, which is its help too.
 * Threads: one at a time per object; nothing here is global.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum args_type {
    ARGS_BOOL, /* bool; "-flag", "-flag=true", "-flag=false" */
    ARGS_TEXT, /* const char * */
    ARGS_LIST, /* struct args_list; each use appends */
    ARGS_UINT  /* uint32_t */
};

/** Words of argv, borrowed from it. */
struct args_list {
    const char **items;
    size_t count;
};
void args_list_close(struct args_list *list);

struct args_flag {
    const char *name; /* without dash */
    enum args_type type;
    void *out;            /* where args_parse() puts the value */
    const char *argument; /* what the value stands for: "ADDRESS" */
    const char *help;
};

/** What a command is: its help prints all of it. */
struct args_command {
    const char *usage; /* "isthmus members [flags]" */
    const char *about; /* a paragraph */
    const struct args_flag *flags;
    size_t flag_count;
    const char *example; /* lines that may be typed as they stand */
};

/** A walk over argv, argv[0] left out. */
struct args_scan {
    int argc;
    char **argv;
    int at;
    bool no_more_flags;
    const struct args_flag *flags;
    size_t flag_count;
};

enum args_item { ARGS_END, ARGS_FLAG, ARGS_WORD, ARGS_HELP };

struct args_scan args_scan_of(int argc, char **argv,
                              const struct args_flag *flags, size_t count);
/** What comes next: an args_item, or BASE_EINVAL with *why (the caller's). A
 * flag with its value ("true" for a bare boolean); a word as value. */
int args_next(struct args_scan *scan, const struct args_flag **flag,
              const char **value, char **why);
/** "true" and "false" with their usual kin; BASE_EINVAL otherwise. */
int args_parse_bool(const char *text, bool *out);
/** Decimal digits with an optional minus; BASE_EINVAL otherwise. */
int args_parse_int(const char *text, int64_t *out);

/**
 * Reads a whole command line into the flags' outs and words (which may be NULL
 * when the command takes none). Prints the help to standard output for -help,
 * or what is wrong to standard error. Returns 0 to go on; or 1, with *exit_code
 * set, when the command is over.
 */
int args_parse(const struct args_command *command, int argc, char **argv,
               struct args_list *words, int *exit_code);
void args_print_help(const struct args_command *command, FILE *to);
/** Says what is wrong and how to get help, on standard error; returns 2. */
int args_usage_error(const struct args_command *command, const char *format,
                     ...) __attribute__((format(printf, 2, 3)));

#define ARGS_EXIT_USAGE 2

#endif
