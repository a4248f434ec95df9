/* /v1/snapshot: the state of a datacenter as a file, and back. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "http/internal.h"
#include "snapshot/archive.h"

static void show_saved(struct web_request *request,
                       const Server__QueryReply *reply)
{
    struct archive archive = {.state = BASE_BUF_INIT};
    struct base_buf file = BASE_BUF_INIT;
    const Server__SavedState *saved = reply->saved;

    if (saved == NULL || saved->state.len > ARCHIVE_STATE_BYTES_MAX) {
        web_reply_text(request, 500, "the state is over the limit of %u bytes",
                       ARCHIVE_STATE_BYTES_MAX);
        return;
    }
    archive.index = saved->index;
    archive.term = saved->term;
    snprintf(archive.id, sizeof(archive.id), "%" PRIu64 "-%" PRIu64 "-%" PRId64,
             saved->term, saved->index,
             base_env_wall_ns(request->http->env) / 1000000);
    base_buf_append(&archive.state, saved->state.data, saved->state.len);
    archive_pack(&archive, &file);
    web_reply_bytes(request, "application/gzip", base_buf_data(&file),
                    base_buf_len(&file));
    base_buf_close(&file);
    archive_close(&archive);
}

/* By default a leader that has just been confirmed; with stale, any server. */
void snapshot_get(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    if (request->options.mode != SERVER__QUERY__MODE__STALE)
        request->options.mode = SERVER__QUERY__MODE__CONSISTENT;
    web_query(request, "Snapshot.Save", &query, show_saved);
}

void snapshot_put(struct web_request *request)
{
    Server__Write write = SERVER__WRITE__INIT;
    struct archive archive;
    const char *why;
    size_t len;
    const void *body = web_body_bytes(request, &len);

    if (archive_unpack(body, len, &archive, &why) != 0) {
        web_reply_text(request, 400, "this is not a snapshot: %s", why);
        return;
    }
    write.datacenter = (char *)(uintptr_t)request->options.dc;
    write.restore.data = archive.state.bytes + archive.state.start;
    write.restore.len = base_buf_len(&archive.state);
    web_write(request, "Snapshot.Restore", &write, web_reply_done);
    archive_close(&archive);
}
