/*
 * What changed between two route tables, as lines for the operator: both are
 * sorted by pattern, so one walk along both finds it.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "gateway/routes.h"

static bool same_targets(const struct route *a, const struct route *b)
{
    size_t i;

    if (a->target_count != b->target_count || a->wan != b->wan)
        return false;
    for (i = 0; i < a->target_count; i++)
        if (!base_addr_equal(&a->targets[i], &b->targets[i]))
            return false;
    return true;
}

static char *targets_text(const struct route *row)
{
    struct base_buf text = BASE_BUF_INIT;
    char addr[BASE_ADDR_TEXT_MAX];
    size_t i;

    for (i = 0; i < row->target_count; i++)
        base_buf_printf(&text, "%s%s", i > 0 ? " " : "",
                        base_addr_format(&row->targets[i], addr));
    if (row->target_count == 0)
        base_buf_printf(&text, "nobody");
    return base_buf_take_string(&text);
}

static void log_row(const struct base_log *log, const char *what,
                    const struct route *row)
{
    char *targets = targets_text(row);

    base_log(log, BASE_LOG_INFO, what, kv_str("name", row->pattern),
             kv_str("to", targets));
    base_free(targets);
}

size_t routes_log_changes(const struct routes *before,
                          const struct routes *after,
                          const struct base_log *log)
{
    size_t old_count, new_count, i = 0, j = 0, changes = 0;
    const struct route *olds = routes_rows(before, &old_count);
    const struct route *news = routes_rows(after, &new_count);

    while (i < old_count || j < new_count) {
        int order = i == old_count   ? 1
                    : j == new_count ? -1
                                     : strcmp(olds[i].pattern, news[j].pattern);

        if (order < 0) {
            log_row(log, "route removed", &olds[i++]);
            changes++;
        } else if (order > 0) {
            log_row(log, "route added", &news[j++]);
            changes++;
        } else {
            if (!same_targets(&olds[i], &news[j])) {
                log_row(log, "route changed", &news[j]);
                changes++;
            }
            i++;
            j++;
        }
    }
    return changes;
}
