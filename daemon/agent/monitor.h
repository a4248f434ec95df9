/*
 * The log, for those who want to watch it: a sink before the agent's own one,
 * which copies records to monitors. A monitor that does not keep up loses
 * lines, and is told how many; the log never waits for it.
 *
 * Threads: the sink's write from any; the rest on the main loop.
 */
#ifndef AGENT_MONITOR_H
#define AGENT_MONITOR_H

#include "base/env.h"

#define MONITORS_MAX 16u
#define MONITOR_LINES_MAX 512u /* that wait for the main loop, each monitor */

struct monitor_hub;
struct monitor;

/** Records from level on go to below, which is borrowed. */
struct monitor_hub *monitor_hub_new(const struct base_log_sink *below,
                                    enum base_log_level level);
/** The level from which records go on to below; from any thread. */
void monitor_hub_set_level(struct monitor_hub *hub, enum base_log_level level);
/** After the loops and the monitors. */
void monitor_hub_free(struct monitor_hub *hub);
/** Lives as long as the hub. */
const struct base_log_sink *monitor_hub_sink(const struct monitor_hub *hub);
/** Lines are handed out on that loop; there are no monitors before. */
void monitor_hub_attach(struct monitor_hub *hub, struct base_env *main);

/** A line without newline, borrowed; false if it could not be taken. It must
 * not open or close a monitor. */
typedef bool (*monitor_line_fn)(void *ctx, const char *line);
/** BASE_EFULL past MONITORS_MAX. Lines are JSON, or text. */
int monitor_open(struct monitor_hub *hub, enum base_log_level level, bool json,
                 monitor_line_fn on_line, void *ctx, struct monitor **out);
void monitor_close(struct monitor *monitor);

#endif
