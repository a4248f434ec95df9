/*
 * What the catalog is to say of this node: its id, its addresses and its
 * metadata, as the configuration has them.
 * Threads: any; pure.
 */
#ifndef AGENT_NODE_RECORD_H
#define AGENT_NODE_RECORD_H

#include "agent/config.h"
#include "fedstate/fedstate.pb-c.h"

/** config is completed; the caller's (base_pb_free). */
Fedstate__Node *node_record_new(const struct config *config,
                                const char *node_id);

#endif
