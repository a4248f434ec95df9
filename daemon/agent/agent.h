/*
 * The agent: where the libraries meet. It makes every object, gives each the
 * callbacks that let it ask upwards, and takes them apart at the end.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/config.h"

/** Reads the configuration once more, from where it came the first time, into
 * out: initialised by the callee, completed and checked. On an error *why says
 * what, the caller's; out is to be closed (config_close) in either case. */
typedef int (*agent_reread_fn)(void *ctx, struct config *out, char **why);

/** Runs an agent until a signal or a leave ends it. config is completed and
 * checked, borrowed for the call; a reload changes what can be changed in it
 * (config_reload). Returns the process's exit code; what went wrong is on
 * standard error. */
int agent_run(struct config *config, agent_reread_fn reread, void *ctx);

#endif
