/*
 * The flags of `isthmus agent` as a table for its command line and its help:
 * those of config_keys.c, and the two that name files.
 */
#ifndef AGENT_CONFIG_FLAGS_H
#define AGENT_CONFIG_FLAGS_H

#include "cli/args.h"

/** The caller's array (base_free); its strings are constants. */
struct args_flag *config_flags_new(size_t *count);

#endif
