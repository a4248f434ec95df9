/*
 * The log, to the host's syslog: one line a record, without the time and the
 * level, which syslog has of its own.
 * Threads: write from any; the rest from one.
 */
#ifndef AGENT_SYSLOG_SINK_H
#define AGENT_SYSLOG_SINK_H

#include "base/log.h"

/** "LOCAL0" and its kin, in either case; BASE_EPARSE for none. */
int syslog_facility_parse(const char *text, int *out);
/** One at a time in a process. */
struct base_log_sink *syslog_sink_new(int facility);
void syslog_sink_free(struct base_log_sink *sink);

#endif
