/*
 * <data_dir>/raft/peers.json, by which an operator gives a server that has lost
 * its majority a new list of servers, in Consul's form:
 *
 *   [{"id": "<node id>", "address": "10.0.0.1:8300", "non_voter": false}, ...]
 *
 * Threads: one at a time; blocks.
 */
#ifndef AGENT_PEERS_FILE_H
#define AGENT_PEERS_FILE_H

#include "base/loop.h"
#include "raft/types.h"

#define PEERS_FILE "peers.json"

/** Reads a file of that form. BASE_EPARSE with a sentence in *why (the
 * caller's) if it is not one; BASE_ENOTFOUND if there is none. */
int peers_file_read(const char *path, struct raft_configuration *out,
                    char **why);

/** At the start, before the server opens its storage: if the folder has the
 * file, the Raft state there gets its list (raft/recover.h), and the file is
 * renamed to peers.json.used. Runs the loop until that is done. 0, also without
 * a file; or an error with *why, and the file stays. */
int peers_file_apply(struct base_loop *loop, const char *folder,
                     const char *node_id, char **why);

#endif
