/*
 * The whole state out of a datacenter and into it again, for operators. It goes
 * in as one command of the log, so that all servers take it at the same place
 * and no server can miss it; the leader first tries it on tables of its own.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "raft/core.h"
#include "server/access.h"
#include "server/internal.h"
#include "server/views.h"
#include "snapshot/archive.h"

void fill_saved_state(struct server *server, const Server__Query *query,
                      Server__QueryReply *reply, struct view_arena *arena)
{
    struct raft_fsm fsm = fsm_ops(&server->fsm);
    Server__SavedState *saved = view_block(arena, 1, sizeof(*saved));
    struct base_buf state = BASE_BUF_INIT;
    struct raft_status status;
    void *image;

    (void)query;
    raft_node_status(server->raft, &status);
    server__saved_state__init(saved);
    saved->index = status.applied_index;
    saved->term = raft_term_at(raft_node_core(server->raft),
                               status.applied_index);
    if (fsm.ops->snapshot(fsm.ctx, &image) == 0) {
        fsm.ops->snapshot_read(fsm.ctx, image, SIZE_MAX, &state);
        fsm.ops->snapshot_free(fsm.ctx, image);
    }
    saved->state.len = base_buf_len(&state);
    saved->state.data = view_block(arena, saved->state.len, 1);
    memcpy(saved->state.data, base_buf_data(&state), saved->state.len);
    base_buf_close(&state);
    reply->saved = saved;
}

static void on_restore(void *arg, struct rpc_call *call)
{
    struct server *server = arg;
    Server__Write *write = write_unpack(call);
    Server__Restore restore = SERVER__RESTORE__INIT;
    struct base_buf packed = BASE_BUF_INIT;

    if (write == NULL)
        return;
    if (write_went_elsewhere(server, call, write->datacenter, on_restore) ||
        !access_allows(server, call, ACL_OPERATOR, ACL_WRITE)) {
        base_pb_free(write);
        return;
    }
    if (fsm_check(&server->fsm, write->restore.data, write->restore.len) != 0) {
        rpc_call_fail(call, RPC_EINVAL,
                      "the snapshot's state cannot be read by this version");
    } else {
        gzip_pack(write->restore.data, write->restore.len, &packed);
        restore.state.data = packed.bytes + packed.start;
        restore.state.len = base_buf_len(&packed);
        write_propose(server, call, on_restore, FSM_RESTORE, &restore);
        base_buf_close(&packed);
    }
    base_pb_free(write);
}

void operate_state_methods(struct server *server)
{
    rpc_server_method(server->rpc, "Snapshot.Restore", 0, on_restore, server);
}
