/* /v1/agent/metrics */
#include <string.h>

#include "http/internal.h"
#include "http/metrics_page.h"

void agent_metrics(struct web_request *request)
{
    const char *format = web_param(&request->params, "format");
    struct base_env *env = request->http->env;
    struct base_buf page = BASE_BUF_INIT;

    if (format == NULL || *format == '\0' || strcmp(format, "json") == 0) {
        web_reply_json(request, metrics_page_json(env->metrics,
                                                  base_env_wall_ns(env)));
        return;
    }
    if (strcmp(format, "prometheus") != 0) {
        web_reply_text(request, 400, "format: wanted json or prometheus");
        return;
    }
    metrics_page_prometheus(env->metrics, &page);
    web_reply_bytes(request, "text/plain; version=0.0.4; charset=utf-8",
                    base_buf_data(&page), base_buf_len(&page));
    base_buf_close(&page);
}
