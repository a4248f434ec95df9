/* GET /v1/agent/monitor: the log as it is written, at a level of one's own. */
#include <string.h>

#include "agent/monitor.h"
#include "base/alloc.h"
#include "http/web.h"

struct watching {
    struct web_request *request;
    struct monitor *monitor;
};

static bool on_line(void *ctx, const char *line)
{
    const struct watching *watching = ctx;
    char *whole = base_asprintf("%s\n", line);
    bool sent = web_stream_write(watching->request, whole, strlen(whole));

    base_free(whole);
    return sent;
}

static void on_gone(void *arg)
{
    struct watching *watching = arg;

    monitor_close(watching->monitor);
    base_free(watching);
}

void agent_monitor(struct web_request *request)
{
    const char *text = web_param(&request->params, "loglevel");
    enum base_log_level level = BASE_LOG_INFO;
    struct watching *watching;
    bool json;

    if (!web_bool(request, "logjson", &json))
        return;
    if (text && base_log_level_parse(text, &level) != 0) {
        web_reply_text(request, 400,
                       "loglevel: wanted trace, debug, info, warn or error");
        return;
    }
    BASE_NEW(watching);
    watching->request = request;
    if (monitor_open(request->agent->monitors, level, json, on_line, watching,
                     &watching->monitor) != 0) {
        base_free(watching);
        web_reply_text(request, 429, "%u monitors watch this agent already",
                       MONITORS_MAX);
        return;
    }
    web_on_gone(request, on_gone, watching);
    web_stream_begin(request,
                     json ? "application/x-ndjson" : "text/plain; charset=utf-8");
}
