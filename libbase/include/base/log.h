/*
 * Levelled, structured log. A line is a level, the subsystem, a constant text
 * and key-value pairs, written as text or as JSON:
 *
 *   2026-11-22T18:00:00.000Z [INFO]  raft: became leader: term=3
 *   {"@level":"info","@message":"became leader","@module":"raft",
 *    "@timestamp":"...","term":3}
 *
 * Threads: a base_log_sink is safe from any thread; a struct base_log is a
 * small value that its owner copies freely.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum base_log_level {
    BASE_LOG_TRACE,
    BASE_LOG_DEBUG,
    BASE_LOG_INFO,
    BASE_LOG_WARN,
    BASE_LOG_ERROR,
    BASE_LOG_OFF
};

enum base_kv_type { BASE_KV_NONE, BASE_KV_STR, BASE_KV_INT, BASE_KV_UINT,
                    BASE_KV_ADDR, BASE_KV_BOOL };

/** One key and its value. Keys are constants; values are borrowed for the call. */
struct base_kv {
    const char *key;
    enum base_kv_type type;
    union {
        const char *str; /* NULL prints as "" */
        int64_t i;
        uint64_t u;
        const struct base_addr *addr;
        bool b;
    } value;
};

static inline struct base_kv kv_str(const char *key, const char *value)
{
    return (struct base_kv){key, BASE_KV_STR, {.str = value}};
}
static inline struct base_kv kv_int(const char *key, int64_t value)
{
    return (struct base_kv){key, BASE_KV_INT, {.i = value}};
}
static inline struct base_kv kv_uint(const char *key, uint64_t value)
{
    return (struct base_kv){key, BASE_KV_UINT, {.u = value}};
}
static inline struct base_kv kv_addr(const char *key,
                                     const struct base_addr *value)
{
    return (struct base_kv){key, BASE_KV_ADDR, {.addr = value}};
}
static inline struct base_kv kv_bool(const char *key, bool value)
{
    return (struct base_kv){key, BASE_KV_BOOL, {.b = value}};
}

/** One record, as a sink gets it. All borrowed for the call. */
struct base_log_record {
    enum base_log_level level;
    int64_t wall_ns; /* nanoseconds since 1970, UTC */
    const char *subsystem;
    const char *text;
    const struct base_kv *pairs;
    unsigned pair_count;
};

/** Where records go. write() must be safe from any thread. */
struct base_log_sink {
    void (*write)(void *ctx, const struct base_log_record *record);
    int64_t (*wall_ns)(void *ctx);
    void *ctx;
};

/** A named, levelled handle on a sink. A NULL log or a NULL sink logs nothing. */
struct base_log {
    const struct base_log_sink *sink;
    const char *subsystem; /* a constant: "raft", "gossip.lan" */
    enum base_log_level level;
};

/** The same sink and level under another subsystem name. */
struct base_log base_log_named(const struct base_log *parent,
                               const char *subsystem);

/**
 * base_log(log, level, "text", kv_str("key", value), ...): writes a record if
 * the level is on. At most 16 pairs.
 */
#define base_log(log, level, ...)                                          \
    do {                                                                   \
        if (base_log_on((log), (level)))                                   \
            base_log_write((log), (level), __VA_ARGS__,                    \
                           (struct base_kv){NULL, BASE_KV_NONE, {0}});     \
    } while (0)

static inline bool base_log_on(const struct base_log *log,
                               enum base_log_level level)
{
    return log != 0 && log->sink != 0 && level >= log->level;
}
void base_log_write(const struct base_log *log, enum base_log_level level,
                    const char *text, ...);

/** "trace" ... "error", "warn" and "warning", "err"; BASE_EPARSE otherwise. */
int base_log_level_parse(const char *text, enum base_log_level *out);
const char *base_log_level_name(enum base_log_level level);

#define BASE_LOG_VALUE_BYTES_MAX 4096 /* longer text is cut and gets "..." */

/** A record as a line without newline, text or JSON; the caller's (base_free).
 * Control characters are escaped and bytes that are not UTF-8 replaced, so that
 * no peer's input can forge a line or drive a terminal. */
char *base_log_render_text(const struct base_log_record *record);
char *base_log_render_json(const struct base_log_record *record);

/** A sink that writes lines to a file descriptor (2 is usual), each with one
 * write(2). It never waits for a slow reader longer than the kernel does. */
struct base_log_sink *base_log_sink_fd(int fd, bool json);
void base_log_sink_free(struct base_log_sink *sink);

/** A bucket that lets burst lines through and then per_second a second, so that
 * hostile input cannot fill a disk. Zero-initialise it. */
struct base_log_limit {
    uint64_t last_ns;
    uint32_t tokens_milli;
    uint32_t suppressed; /* how many were refused before the last that passed */
    uint32_t refused;    /* since then */
    bool started;
};
/** True if a line may be written at now_ns: burst 10, then one a second. */
bool base_log_limit_pass(struct base_log_limit *limit, uint64_t now_ns);

#endif
