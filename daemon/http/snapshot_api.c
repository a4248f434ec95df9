/*
 * /v1/snapshot: the state of a datacenter as a file, and back. Between the
 * servers it goes in pieces; packing and verifying are the bulk worker's.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "http/internal.h"
#include "snapshot/archive.h"

/* A file on its way, one way or the other. */
struct transfer {
    struct web_request *request; /* NULL: gone */
    struct base_env *env;
    size_t limit;
    struct archive archive;
    struct base_buf file;
    uint64_t id, offset;
    bool job_out;
    const char *why;
    void (*job_done)(struct transfer *transfer);
};

static void transfer_free(struct transfer *transfer)
{
    archive_close(&transfer->archive);
    base_buf_close(&transfer->file);
    base_free(transfer);
}

/* Its request ends, answered or not. */
static void on_gone(void *arg)
{
    struct transfer *transfer = arg;

    transfer->request = NULL;
    if (!transfer->job_out)
        transfer_free(transfer);
}

static struct transfer *transfer_new(struct web_request *request)
{
    struct transfer *transfer;

    BASE_NEW(transfer);
    transfer->request = request;
    transfer->env = request->http->env;
    transfer->limit = request->agent->config->snapshot_bytes_max;
    web_on_gone(request, on_gone, transfer);
    return transfer;
}

static struct transfer *transfer_of(struct web_request *request)
{
    return request->gone_arg;
}

static void on_job_done(void *arg)
{
    struct transfer *transfer = arg;

    transfer->job_out = false;
    if (transfer->request == NULL)
        transfer_free(transfer);
    else
        transfer->job_done(transfer);
}

static void run_job(struct transfer *transfer, base_job_fn job,
                    void (*done)(struct transfer *transfer))
{
    transfer->job_done = done;
    transfer->job_out = true;
    if (base_env_submit(transfer->env, BASE_WORKER_BULK, job, on_job_done,
                        transfer) == 0)
        return;
    transfer->job_out = false;
    web_reply_text(transfer->request, 503, "too busy, try again");
}

/* ---- saving --------------------------------------------------------------- */

static void pack_job(void *arg)
{
    struct transfer *transfer = arg;

    archive_pack(&transfer->archive, &transfer->file);
}

static void show_file(struct transfer *transfer)
{
    web_reply_bytes(transfer->request, "application/gzip",
                    base_buf_data(&transfer->file),
                    base_buf_len(&transfer->file));
}

static void ask_for_more(struct web_request *request);

static void take_saved(struct web_request *request,
                       const Server__QueryReply *reply)
{
    struct transfer *transfer = transfer_of(request);
    struct archive *archive = &transfer->archive;
    const Server__SavedState *saved = reply->saved;

    if (saved == NULL || (transfer->id != 0 && saved->id != transfer->id) ||
        (saved->state.len == 0 && saved->total > transfer->offset)) {
        web_reply_text(request, 503, "another snapshot is being saved, or the "
                                     "leader has changed: try again");
        return;
    }
    if (saved->total > transfer->limit) {
        web_reply_text(request, 500,
                       "the state of %" PRIu64 " bytes is over "
                       "limits.snapshot_bytes_max, %zu bytes",
                       saved->total, transfer->limit);
        return;
    }
    archive->index = saved->index;
    archive->term = saved->term;
    base_buf_append(&archive->state, saved->state.data, saved->state.len);
    transfer->id = saved->id;
    transfer->offset += saved->state.len;
    if (transfer->offset < saved->total) {
        ask_for_more(request);
        return;
    }
    snprintf(archive->id, sizeof(archive->id),
             "%" PRIu64 "-%" PRIu64 "-%" PRId64, saved->term, saved->index,
             base_env_wall_ns(transfer->env) / 1000000);
    run_job(transfer, pack_job, show_file);
}

static void ask_for_more(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    query.save_id = transfer_of(request)->id;
    query.save_offset = transfer_of(request)->offset;
    web_query(request, "Snapshot.Save", &query, take_saved);
}

/* By default a leader that has just been confirmed; with stale, any server. */
void snapshot_get(struct web_request *request)
{
    if (request->options.mode != SERVER__QUERY__MODE__STALE)
        request->options.mode = SERVER__QUERY__MODE__CONSISTENT;
    transfer_new(request);
    ask_for_more(request);
}

/* ---- restoring ------------------------------------------------------------ */

static void unpack_job(void *arg)
{
    struct transfer *transfer = arg;

    (void)archive_unpack(base_buf_data(&transfer->file),
                         base_buf_len(&transfer->file), transfer->limit,
                         &transfer->archive, &transfer->why);
}

static void send_next(struct web_request *request);

static void on_sent(struct web_request *request)
{
    transfer_of(request)->id = request->restore_id;
    send_next(request);
}

static void send_next(struct web_request *request)
{
    struct transfer *transfer = transfer_of(request);
    const struct base_buf *state = &transfer->archive.state;
    size_t left = base_buf_len(state) - (size_t)transfer->offset;
    Server__Write write = SERVER__WRITE__INIT;
    Server__RestorePiece piece = SERVER__RESTORE_PIECE__INIT;
    bool last = left == 0;

    write.datacenter = (char *)(uintptr_t)request->options.dc;
    write.restore = &piece;
    piece.id = transfer->id;
    piece.offset = transfer->offset;
    piece.last = last;
    piece.data.data = state->bytes + state->start + transfer->offset;
    piece.data.len =
        left < SERVER_STATE_PIECE_BYTES ? left : SERVER_STATE_PIECE_BYTES;
    transfer->offset += piece.data.len;
    /* A failure ends the request, and with it the transfer. */
    web_write(request, "Snapshot.Restore", &write,
              last ? web_reply_done : on_sent);
}

static void send_state(struct transfer *transfer)
{
    base_buf_close(&transfer->file);
    transfer->file = (struct base_buf)BASE_BUF_INIT;
    if (transfer->why == NULL && base_buf_len(&transfer->archive.state) == 0)
        transfer->why = "its state is empty";
    if (transfer->why != NULL)
        web_reply_text(transfer->request, 400, "this is not a snapshot: %s",
                       transfer->why);
    else
        send_next(transfer->request);
}

void snapshot_put(struct web_request *request)
{
    struct transfer *transfer = transfer_new(request);
    size_t len;
    const void *body = web_body_bytes(request, &len);

    base_buf_append(&transfer->file, body, len);
    run_job(transfer, unpack_job, send_state);
}
