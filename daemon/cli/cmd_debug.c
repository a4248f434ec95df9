/* isthmus debug */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "cli/commands.h"
#include "cli/debug_bundle.h"
#include "cli/files.h"
#include "http/duration.h"
#include "snapshot/archive.h"

#define DURATION_MAX_MS 3600000u
#define TIME_MIN_MS 1000u

struct line {
    struct http_options options;
    struct args_list captures;
    const char *duration, *interval, *output;
};

static bool parse_time(const char *text, uint32_t *out)
{
    uint64_t ms;

    if (duration_parse_ms(text, &ms) != 0 || ms < TIME_MIN_MS ||
        ms > DURATION_MAX_MS)
        return false;
    *out = (uint32_t)ms;
    return true;
}

static bool parse_captures(const struct args_list *words, unsigned *out,
                           const char **wrong)
{
    static const char *const names[] = {
#define X(name, word) word,
        DEBUG_CAPTURES(X)
#undef X
    };
    size_t i, j;

    *out = words->count == 0 ? ~0u : 0;
    for (i = 0; i < words->count; i++) {
        for (j = 0; j < BASE_COUNT_OF(names); j++)
            if (strcmp(words->items[i], names[j]) == 0)
                break;
        *wrong = words->items[i];
        if (j == BASE_COUNT_OF(names))
            return false;
        *out |= 1u << j;
    }
    return true;
}

/* NULL, or what is wrong. */
static char *read_line(const struct line *line, struct debug_plan *plan)
{
    const char *wrong;

    if (!parse_time(line->duration, &plan->duration_ms))
        return base_asprintf("-duration: wanted 1s to 1h, found \"%s\"",
                             line->duration);
    if (!parse_time(line->interval, &plan->interval_ms))
        return base_asprintf("-interval: wanted 1s to 1h, found \"%s\"",
                             line->interval);
    if (!parse_captures(&line->captures, &plan->captures, &wrong))
        return base_asprintf("-capture: wanted agent, members, metrics, logs, "
                             "raft or federation, found \"%s\"",
                             wrong);
    return NULL;
}

/* The file's name, the caller's. */
static char *name_of(const struct line *line)
{
    char when[32];
    time_t now = time(NULL);
    struct tm utc;

    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
    return line->output
               ? base_asprintf("%s.tar.gz", line->output)
               : base_asprintf("isthmus-debug-%s.tar.gz", when);
}

static int run(const struct line *line, const struct debug_plan *plan)
{
    struct base_buf tar = BASE_BUF_INIT, file = BASE_BUF_INIT;
    char *name = name_of(line), *why = NULL;
    int rv = debug_gather(&line->options, plan, &tar, &why);

    if (rv == 0) {
        gzip_pack(base_buf_data(&tar), base_buf_len(&tar), &file);
        rv = file_write(name, base_buf_data(&file), base_buf_len(&file), &why);
    }
    if (rv == 0)
        printf("Saved debug archive: %s\n", name);
    base_buf_close(&tar);
    base_buf_close(&file);
    base_free(name);
    return rv == 0 ? 0 : cmd_fail("debug", why);
}

int cmd_debug(int argc, char **argv)
{
    struct line line = {.duration = "2m", .interval = "30s"};
    struct debug_plan plan;
    const struct args_flag flags[] = {
        {"duration", ARGS_TEXT, &line.duration, "TIME",
         "how long to follow the log and the metrics, 1s to 1h; default: 2m"},
        {"interval", ARGS_TEXT, &line.interval, "TIME",
         "between two looks at the metrics; default: 30s"},
        {"capture", ARGS_LIST, &line.captures, "WHAT",
         "agent, members, metrics, logs, raft or federation; repeatable; "
         "default: all of them"},
        {"output", ARGS_TEXT, &line.output, "NAME",
         "the file, without .tar.gz; default: isthmus-debug-TIME"},
        HTTP_FLAGS(line.options)};
    const struct args_command command = {
        "isthmus debug [flags]",
        "Gathers what somebody who helps wants to see: the agent, its pools, "
        "consensus, the\nfederation, metrics over a while, and the log of that "
        "while at level debug. The file\nis a gzipped tar, readable by its "
        "owner alone. Secrets are not in it; addresses and\nnames of nodes "
        "and services are.",
        flags, BASE_COUNT_OF(flags),
        "isthmus debug -duration=30s -interval=10s"};
    char *fault;
    int code;

    if (args_parse(&command, argc, argv, NULL, &code) == 0) {
        fault = read_line(&line, &plan);
        code = fault ? args_usage_error(&command, "%s", fault)
                     : run(&line, &plan);
        base_free(fault);
    }
    args_list_close(&line.captures);
    return code;
}
