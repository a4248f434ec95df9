/*
 * A check as clients give it to an agent: its record and how it is run.
 * Everything lives as long as the reader. Threads: one at a time per reader.
 */
#ifndef HTTP_CHECK_FORM_H
#define HTTP_CHECK_FORM_H

#include "agent/check_spec.h"
#include "http/json_read.h"

/** TTL, TCP or HTTP with Interval, and what goes with them. Kinds that this
 * agent has not are refused: ignoring them would leave a service that is never
 * found healthy or never found sick. */
void check_spec_from_json(struct json_reader *reader, const json_t *json,
                          const char *where, struct check_spec *out);
/** What /v1/agent/check/register takes; its service_id is "" for the node's. */
Fedstate__Check *check_form_read(struct json_reader *reader,
                                 const json_t *json, struct check_spec *spec);

#endif
