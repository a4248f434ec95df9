/*
 * The whole state out of a datacenter and into it again, for operators, in
 * pieces: states are larger than calls.
 *
 * Out: an image is taken once and lent piece by piece; one at a time, and not
 * for long. In: pieces go straight into Raft's log (raft/node.h), and are the
 * state once the last one says so, on all servers at the same place. A leader
 * that goes takes the restore with it; the old state stays.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "raft/core.h"
#include "server/access.h"
#include "server/internal.h"
#include "server/strerror.h"
#include "server/views.h"

#define IDLE_MS 30000u /* who asks or sends no further has gone */
#define BEGIN_ANEW "the restore has ended; nothing was changed, begin anew"

/* ---- out ------------------------------------------------------------------ */

static void saving_close(struct saving *saving)
{
    base_timer_stop(&saving->idle);
    base_buf_close(&saving->image);
    saving->id = 0;
}

static void on_saving_idle(void *arg)
{
    saving_close(arg);
}

static bool saving_begin(struct server *server)
{
    struct raft_fsm fsm = fsm_ops(&server->fsm);
    struct saving *saving = &server->saving;
    struct raft_status status;
    void *image;

    if (saving->id != 0 || fsm.ops->snapshot(fsm.ctx, &image) != 0)
        return false;
    saving->image = (struct base_buf)BASE_BUF_INIT;
    fsm.ops->snapshot_read(fsm.ctx, image, SIZE_MAX, &saving->image);
    fsm.ops->snapshot_free(fsm.ctx, image);
    raft_node_status(server->raft, &status);
    saving->index = status.applied_index;
    saving->term = raft_term_at(raft_node_core(server->raft),
                                status.applied_index);
    saving->id = base_env_random_u64(server->env) | 1;
    return true;
}

/* Nothing: another one is being saved, or this one is not known here. */
void fill_saved_state(struct server *server, const Server__Query *query,
                      Server__QueryReply *reply, struct view_arena *arena)
{
    struct saving *saving = &server->saving;
    Server__SavedState *saved;
    uint64_t total;
    size_t len;

    if (query->save_id == 0 ? !saving_begin(server)
                            : query->save_id != saving->id)
        return;
    total = base_buf_len(&saving->image);
    if (query->save_offset > total)
        return;
    len = (size_t)(total - query->save_offset);
    if (len > SERVER_STATE_PIECE_BYTES)
        len = SERVER_STATE_PIECE_BYTES;
    saved = view_block(arena, 1, sizeof(*saved));
    server__saved_state__init(saved);
    saved->index = saving->index;
    saved->term = saving->term;
    saved->id = saving->id;
    saved->total = total;
    saved->state.len = len;
    saved->state.data = view_block(arena, len, 1);
    memcpy(saved->state.data, saving->image.bytes + saving->image.start +
                                  query->save_offset, len);
    reply->saved = saved;
    if (query->save_offset + len == total)
        saving_close(saving);
    else
        base_timer_start_ms(&saving->idle, IDLE_MS);
}

/* ---- in ------------------------------------------------------------------- */

/* A call that waits for Raft. */
struct restore_call {
    struct server *server;
    struct rpc_call *call;
    uint64_t id;
    bool ended; /* the caller went away */
    bool last;
};

static void on_cancel(void *arg)
{
    struct restore_call *waiting = arg;

    waiting->ended = true;
    rpc_call_fail(waiting->call, RPC_ECANCELLED, "cancelled");
}

static void reply_id(struct rpc_call *call, uint64_t id)
{
    Server__WriteReply reply = SERVER__WRITE_REPLY__INIT;
    struct base_buf body = BASE_BUF_INIT;

    reply.restore = id;
    base_pb_pack(&reply, &body);
    rpc_call_reply(call, base_buf_data(&body), base_buf_len(&body));
    base_buf_close(&body);
}

static void fail(struct rpc_call *call, int rv)
{
    if (rv == RAFT_ENOTLEADER || rv == RAFT_EINVAL)
        rpc_call_fail(call, RPC_EREMOTE, BEGIN_ANEW);
    else if (rv == RAFT_EREFUSED)
        rpc_call_fail(call, RPC_EINVAL,
                      "the snapshot's state cannot be read by this version");
    else
        rpc_call_fail(call, rv == RAFT_EBUSY || rv == RAFT_ERESTORE
                                ? RPC_EBUSY
                                : RPC_EREMOTE,
                      server_strerror(rv));
}

static void on_answer(void *arg, int status)
{
    struct restore_call waiting = *(struct restore_call *)arg;
    struct receiving *receiving = &waiting.server->receiving;

    base_free(arg);
    if (status != 0 && receiving->id == waiting.id)
        receiving->id = 0;
    if (status == 0 && waiting.last) {
        receiving->done = waiting.id;
        receiving->id = 0;
    }
    if (waiting.ended)
        return;
    rpc_call_on_cancel(waiting.call, NULL, NULL);
    if (status == 0)
        reply_id(waiting.call, waiting.id);
    else
        fail(waiting.call, status);
}

static int take(struct server *server, struct rpc_call *call,
                const Server__RestorePiece *piece)
{
    struct receiving *receiving = &server->receiving;
    struct restore_call *waiting;
    int rv;

    BASE_NEW(waiting);
    *waiting = (struct restore_call){.server = server,
                                     .call = call,
                                     .id = receiving->id,
                                     .last = piece->last};
    rv = piece->last
             ? raft_node_restore_end(server->raft, receiving->id, on_answer,
                                     waiting)
             : raft_node_restore_piece(server->raft, receiving->id,
                                       piece->data.data, piece->data.len,
                                       on_answer, waiting);
    if (rv < 0) {
        base_free(waiting);
        return rv;
    }
    rpc_call_on_cancel(call, on_cancel, waiting);
    receiving->offset += piece->data.len;
    base_timer_start_ms(&receiving->idle, IDLE_MS);
    return 0;
}

static void on_receiving_idle(void *arg)
{
    struct server *server = arg;

    raft_node_restore_abort(server->raft, server->receiving.id);
    server->receiving.id = 0;
}

static void on_piece(struct server *server, struct rpc_call *call,
                     const Server__RestorePiece *piece)
{
    struct receiving *receiving = &server->receiving;
    uint64_t id = piece->id;
    int rv = 0;

    if (id == 0 && piece->offset == 0 && !piece->last) {
        rv = raft_node_restore_begin(server->raft, &id);
        if (rv == 0) {
            receiving->id = id;
            receiving->offset = 0;
        }
    } else if (id == 0 || (id != receiving->id && id != receiving->done)) {
        rv = RAFT_EINVAL;
    }
    /* Calls may come twice, if the way of the answer broke. */
    if (rv == 0 && (id == receiving->done ||
                    (!piece->last && piece->data.len > 0 &&
                     piece->offset + piece->data.len <= receiving->offset))) {
        reply_id(call, id);
        return;
    }
    if (rv == 0 && piece->offset != receiving->offset)
        rv = RAFT_EINVAL;
    if (rv == 0 && piece->offset + piece->data.len > FSM_STATE_BYTES_MAX)
        rv = RAFT_ETOOBIG;
    if (rv == 0)
        rv = take(server, call, piece);
    if (rv < 0)
        fail(call, rv);
}

static void on_restore(void *arg, struct rpc_call *call)
{
    struct server *server = arg;
    Server__Write *write = write_unpack(call);

    if (write == NULL)
        return;
    if (write->restore == NULL)
        rpc_call_fail(call, RPC_EINVAL, "malformed request");
    else if (!write_went_elsewhere(server, call, write->datacenter,
                                   on_restore) &&
             access_allows(server, call, ACL_OPERATOR, ACL_WRITE))
        on_piece(server, call, write->restore);
    base_pb_free(write);
}

void operate_state_methods(struct server *server)
{
    base_timer_init(&server->saving.idle, server->env, "saving",
                    on_saving_idle, &server->saving);
    base_timer_init(&server->receiving.idle, server->env, "restoring",
                    on_receiving_idle, server);
    rpc_server_method(server->rpc, "Snapshot.Restore", 0, on_restore, server);
}

void operate_state_close(struct server *server)
{
    base_timer_stop(&server->receiving.idle);
    saving_close(&server->saving);
}
