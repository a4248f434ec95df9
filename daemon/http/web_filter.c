/*
 * Filters of reads: tag and node-meta may be given many times, and all must
 * fit.
 */
#include <string.h>

#include "base/alloc.h"
#include "http/web.h"

struct web_filter {
    char *tags[WEB_PARAMS_MAX];
    Fedstate__Pair pairs[WEB_PARAMS_MAX];
    Fedstate__Pair *meta[WEB_PARAMS_MAX];
};

/* Splits "key:value" in place. */
static bool take_pair(Fedstate__Pair *pair, char *text)
{
    char *colon = strchr(text, ':');

    if (colon == NULL || colon == text)
        return false;
    *colon = '\0';
    fedstate__pair__init(pair);
    pair->key = text;
    pair->value = colon + 1;
    return true;
}

bool web_filters(struct web_request *request, Server__Query *query)
{
    struct web_filter *filter;
    size_t i;

    BASE_NEW(filter);
    request->filter = filter;
    query->tags = filter->tags;
    query->node_meta = filter->meta;
    for (i = 0; i < request->params.count; i++) {
        const struct web_param *param = &request->params.items[i];

        if (strcmp(param->key, "tag") == 0 && *param->value != '\0') {
            query->tags[query->n_tags++] = param->value;
        } else if (strcmp(param->key, "node-meta") == 0) {
            size_t at = query->n_node_meta++;

            query->node_meta[at] = &filter->pairs[at];
            if (!take_pair(&filter->pairs[at], param->value)) {
                web_reply_text(request, 400,
                               "node-meta: wanted key:value, found \"%s\"",
                               param->value);
                return false;
            }
        }
    }
    return true;
}
