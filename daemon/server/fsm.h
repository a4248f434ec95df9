/*
 * The state machine of a server: the catalog and the federation states,
 * driven by Raft. A log command is one type byte and a body; a
 * type with the high bit set may be skipped by a server that does not know it,
 * any other unknown type stops the server (federation.md section 6).
 */
#ifndef SERVER_FSM_H
#define SERVER_FSM_H

#include "fedstate/store.h"
#include "raft/fsm.h"
#include "server/catalog.h"

#define FSM_STATE_BYTES_MAX (1u << 30) /* packed */

enum fsm_command {
    FSM_REGISTER = 1,
    FSM_DEREGISTER = 2,
    FSM_FEDERATION_STATE = 3,
    FSM_IGNORABLE = 0x80
};

struct fsm {
    struct base_env *env;
    struct base_log log;
    struct catalog catalog;
    struct fedstate_store *store;
    uint64_t applied;
    struct base_buf restoring;
    uint64_t restoring_as; /* an operator's, at this index; 0: Raft's own */
    bool restoring_too_big;
};

/** What a proposer gets; free it with base_free. */
struct fsm_result {
    int status;
    uint64_t index;
};

void fsm_init(struct fsm *fsm, struct base_env *env);
void fsm_close(struct fsm *fsm);
/** The table for raft_node_config. */
struct raft_fsm fsm_ops(struct fsm *fsm);
/** Appends a command ready to propose. message is protobuf-c's. */
void fsm_encode(struct base_buf *out, enum fsm_command command,
                const void *message);

#endif
