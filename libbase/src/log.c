/*
 * Levelled logging: gathering a line's pairs and handing the record to the
 * sink, and the bucket that keeps hostile input from filling a disk. How a
 * record looks is log_render.c's; where it goes, the sink's.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define PAIRS_MAX 16u
#define LIMIT_BURST_MILLI 10000u /* ten lines */
#define LIMIT_LINE_MILLI 1000u   /* refilled at one milli-line a millisecond */

static const char *const level_names[] = {"trace", "debug", "info",
                                          "warn",  "error", "off"};

struct base_log base_log_named(const struct base_log *parent,
                               const char *subsystem)
{
    struct base_log log = {NULL, subsystem, BASE_LOG_OFF};

    if (parent != NULL) {
        log.sink = parent->sink;
        log.level = parent->level;
    }
    return log;
}

void base_log_write(const struct base_log *log, enum base_log_level level,
                    const char *text, ...)
{
    const struct base_log_sink *sink = log->sink;
    struct base_kv pairs[PAIRS_MAX];
    struct base_log_record record = {.level = level,
                                     .wall_ns = sink->wall_ns(sink->ctx),
                                     .subsystem = log->subsystem,
                                     .text = text,
                                     .pairs = pairs};
    va_list args;

    va_start(args, text);
    while (record.pair_count < PAIRS_MAX) {
        struct base_kv pair = va_arg(args, struct base_kv);

        if (pair.type == BASE_KV_NONE)
            break;
        pairs[record.pair_count++] = pair;
    }
    va_end(args);
    sink->write(sink->ctx, &record);
}

int base_log_level_parse(const char *text, enum base_log_level *out)
{
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum base_log_level)i;
            return 0;
        }
    }
    if (strcmp(text, "warning") == 0)
        *out = BASE_LOG_WARN;
    else if (strcmp(text, "err") == 0)
        *out = BASE_LOG_ERROR;
    else
        return BASE_EPARSE;
    return 0;
}

const char *base_log_level_name(enum base_log_level level)
{
    return (unsigned)level < BASE_COUNT_OF(level_names) ? level_names[level]
                                                        : "off";
}

static void refill(struct base_log_limit *limit, uint64_t now_ns)
{
    uint64_t passed_ms;

    if (!limit->started) {
        limit->started = true;
        limit->last_ns = now_ns;
        limit->tokens_milli = LIMIT_BURST_MILLI;
    }
    if (now_ns < limit->last_ns)
        return;
    passed_ms = (now_ns - limit->last_ns) / 1000000u;
    limit->last_ns += passed_ms * 1000000u; /* the rest counts next time */
    if (passed_ms >= LIMIT_BURST_MILLI - limit->tokens_milli)
        limit->tokens_milli = LIMIT_BURST_MILLI;
    else
        limit->tokens_milli += (uint32_t)passed_ms;
}

bool base_log_limit_pass(struct base_log_limit *limit, uint64_t now_ns)
{
    refill(limit, now_ns);
    if (limit->tokens_milli < LIMIT_LINE_MILLI) {
        if (limit->refused < UINT32_MAX)
            limit->refused++;
        return false;
    }
    limit->tokens_milli -= LIMIT_LINE_MILLI;
    limit->suppressed = limit->refused;
    limit->refused = 0;
    return true;
}
