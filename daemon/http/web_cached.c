/*
 * ?cached: reads that are answered from the agent's cache, with the headers
 * that Consul gives them: X-Cache, and Age for how long the query behind the
 * answer has been failing. Cache-Control of the request says what is too old;
 * without it any answer is good.
 */
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/pb.h"
#include "http/near.h"
#include "http/web.h"

/* The seconds of "name=N" among the directives; -1 if it is not there. */
static int64_t directive(const char *text, const char *name)
{
    size_t len = strlen(name);

    while (*text != '\0') {
        text += strspn(text, ", \t");
        if (strncasecmp(text, name, len) == 0 && text[len] == '=' &&
            strspn(text + len + 1, "0123456789") > 0)
            return (int64_t)strtoul(text + len + 1, NULL, 10);
        text += strcspn(text, ",");
    }
    return -1;
}

/* An answer has an age only while the query behind it fails, so both
 * directives speak of the same: RFC 9111 5.2.1.1, RFC 5861 4. */
static uint64_t max_age_ms(const struct web_request *request)
{
    const char *text =
        evhttp_find_header(evhttp_request_get_input_headers(request->raw),
                           "Cache-Control");
    int64_t age = text ? directive(text, "max-age") : -1;
    int64_t on_error = text ? directive(text, "stale-if-error") : -1;

    if (text && age < 0 && strcasestr(text, "must-revalidate"))
        age = 0;
    if (age < 0)
        return UINT64_MAX;
    if (on_error > age)
        age = on_error;
    return age > INT32_MAX ? UINT64_MAX : (uint64_t)age * 1000;
}

static void on_answer(void *arg, const struct cache_answer *answer)
{
    struct web_request *request = arg;
    Server__QueryReply *copy;
    char seconds[24];

    request->read = NULL;
    if (answer->status != 0) {
        web_reply_failure(request, answer->status, answer->text);
        return;
    }
    snprintf(seconds, sizeof(seconds), "%" PRIu64, answer->age_ms / 1000);
    web_put_header(request, "X-Cache", answer->hit ? "HIT" : "MISS");
    web_put_header(request, "Age", seconds);
    web_put_meta(request, answer->reply);
    if (web_param(&request->params, "near") == NULL) {
        request->on_query(request, answer->reply);
        return;
    }
    copy = base_pb_dup(answer->reply); /* it is sorted in place */
    if (near_takes(request, copy))
        return;
    request->on_query(request, copy);
    base_pb_free(copy);
}

bool web_cached(struct web_request *request, const char *method,
                const Server__Query *query)
{
    struct cache_ask ask = {.method = method,
                            .token = request->token,
                            .query = query,
                            .max_age_ms = max_age_ms(request)};

    /* A cache that is full is no reason to know nothing. */
    if (!request->options.cached || request->agent->cache == NULL ||
        !cache_takes(method) ||
        cache_read(request->agent->cache, &ask, on_answer, request,
                   &request->read) != 0)
        return false;
    if (query->min_index > 0)
        web_count_wait(request);
    return true;
}
