/*
 * Who a query is for: names, or a regular expression on a tag. All filters must
 * pass; one that cannot be read does not (gossip.md 3.7, 6.3 rule 7).
 */
#ifndef SERF_QUERY_FILTER_H
#define SERF_QUERY_FILTER_H

#include "serf/core.h"

/** True if our node is meant. */
bool serf_filters_match(const struct gossip_serf *serf,
                        const struct serf_msg_query *msg);
/** One filter against a name and tags; budget as regex.h has it. */
bool serf_filter_match(struct mp_bytes filter, const char *name,
                       const struct serf_tags *tags, uint32_t *budget);
/** Appends the filter's bytes. */
void serf_filter_put_nodes(struct base_buf *out, const char *const *nodes,
                           size_t count);
void serf_filter_put_tag(struct base_buf *out, const struct gossip_tag *tag);

#endif
