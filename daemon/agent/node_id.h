/* A node's UUID: given by the configuration, or made once and kept. */
#ifndef AGENT_NODE_ID_H
#define AGENT_NODE_ID_H

#include "server/uuid.h"

#define NODE_ID_TEXT UUID_TEXT

/** The id of the agent whose data folder this is: wanted if it is not NULL
 * (and then kept), else what the file node-id holds, else a new one. A file
 * that says something else than wanted is an error: it names both. */
int node_id_load(const char *data_dir, const char *wanted,
                 char out[NODE_ID_TEXT], char **why);

#endif
