/*
 * The agent: where the libraries meet. agent.c makes every object, gives each
 * the callbacks that let it ask upwards, and takes them apart at the end.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/config.h"

/** Runs an agent until a signal or a leave ends it. config is completed and
 * checked, borrowed for the call. Returns the process's exit code; what went
 * wrong is on standard error. */
int agent_run(const struct config *config);

#endif
