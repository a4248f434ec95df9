#include "agent/syslog_sink.h"

#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"

static const struct {
    const char *name;
    int number;
} facilities[] = {
    {"AUTH", LOG_AUTH},     {"DAEMON", LOG_DAEMON}, {"LOCAL0", LOG_LOCAL0},
    {"LOCAL1", LOG_LOCAL1}, {"LOCAL2", LOG_LOCAL2}, {"LOCAL3", LOG_LOCAL3},
    {"LOCAL4", LOG_LOCAL4}, {"LOCAL5", LOG_LOCAL5}, {"LOCAL6", LOG_LOCAL6},
    {"LOCAL7", LOG_LOCAL7}, {"SYSLOG", LOG_SYSLOG}, {"USER", LOG_USER},
};

int syslog_facility_parse(const char *text, int *out)
{
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(facilities); i++) {
        if (strcasecmp(text, facilities[i].name) == 0) {
            *out = facilities[i].number;
            return 0;
        }
    }
    return BASE_EPARSE;
}

static int priority_of(enum base_log_level level)
{
    switch (level) {
    case BASE_LOG_ERROR:
        return LOG_ERR;
    case BASE_LOG_WARN:
        return LOG_WARNING;
    case BASE_LOG_INFO:
        return LOG_INFO;
    default:
        return LOG_DEBUG;
    }
}

static void on_record(void *ctx, const struct base_log_record *record)
{
    char *line = base_log_render_text(record);
    const char *said = strchr(line, ']'); /* of the level */

    (void)ctx;
    said = said ? said + 1 + strspn(said + 1, " ") : line;
    syslog(priority_of(record->level), "%s", said);
    base_free(line);
}

static int64_t wall_ns(void *ctx)
{
    struct timespec now;

    (void)ctx;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct base_log_sink *syslog_sink_new(int facility)
{
    struct base_log_sink *sink;

    BASE_NEW(sink);
    sink->write = on_record;
    sink->wall_ns = wall_ns;
    openlog("isthmus", LOG_PID | LOG_NDELAY, facility);
    return sink;
}

void syslog_sink_free(struct base_log_sink *sink)
{
    closelog();
    base_free(sink);
}
