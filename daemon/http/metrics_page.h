/*
 * The registry of metrics as pages: Consul's JSON, and Prometheus's text format
 * 0.0.4. Threads: any.
 */
#ifndef HTTP_METRICS_PAGE_H
#define HTTP_METRICS_PAGE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/metrics.h"

/** {"Timestamp", "Gauges", "Points", "Counters", "Samples"} */
json_t *metrics_page_json(struct base_metrics *metrics, int64_t wall_ns);
/** Dots become "_"; counters end in "_total"; what is measured in "_us" or
 * "_ms" is told in "_seconds". */
void metrics_page_prometheus(struct base_metrics *metrics,
                             struct base_buf *out);

#endif
