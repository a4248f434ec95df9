/*
 * Log commands in, tables out. Commands come from our own log, but a log
 * outlives the program that wrote it: what does not parse stops the server,
 * since skipping it would make this server's state differ from the others'.
 */
#include "server/fsm.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pb.h"
#include "raft/error.h"

#define SNAPSHOT_VERSION 1u

void fsm_init(struct fsm *fsm, struct base_env *env)
{
    memset(fsm, 0, sizeof(*fsm));
    fsm->env = env;
    fsm->log = base_log_named(&env->log, "server.fsm");
    catalog_init(&fsm->catalog, env);
    fsm->store = fedstate_store_new(env);
}

void fsm_close(struct fsm *fsm)
{
    base_buf_close(&fsm->restoring);
    fedstate_store_free(fsm->store);
    catalog_close(&fsm->catalog);
}

void fsm_encode(struct base_buf *out, enum fsm_command command,
                const void *message)
{
    base_buf_append_u8(out, (uint8_t)command);
    base_pb_pack(message, out);
}

/* What a command's body is. */
static const ProtobufCMessageDescriptor *body_of(unsigned command)
{
    switch (command) {
    case FSM_REGISTER:
        return &server__register__descriptor;
    case FSM_DEREGISTER:
        return &server__deregister__descriptor;
    case FSM_FEDERATION_STATE:
        return &fedstate__change__descriptor;
    }
    return NULL;
}

static int run(struct fsm *fsm, unsigned command, uint64_t index,
               const void *body)
{
    switch (command) {
    case FSM_REGISTER:
        return catalog_register(&fsm->catalog, index, body);
    case FSM_DEREGISTER:
        return catalog_deregister(&fsm->catalog, index, body);
    default:
        return fedstate_store_apply(fsm->store, index, body);
    }
}

/* 0 and a result, or what stops the server. */
static int apply_one(struct fsm *fsm, const struct raft_entry *entry,
                     struct fsm_result *result)
{
    const uint8_t *bytes = entry->data;
    const ProtobufCMessageDescriptor *descriptor;
    void *body;

    if (entry->len == 0)
        return RAFT_EDECODE;
    descriptor = body_of(bytes[0]);
    if (descriptor == NULL) {
        if (bytes[0] & FSM_IGNORABLE)
            return 0;
        base_log(&fsm->log, BASE_LOG_ERROR,
                 "log command of unknown type: this server is too old for its "
                 "log, upgrade it",
                 kv_uint("type", bytes[0]), kv_uint("index", entry->index));
        return RAFT_EFORMAT;
    }
    body = base_pb_unpack(descriptor, bytes + 1, entry->len - 1,
                          base_pb_budget(entry->len));
    if (body == NULL) {
        base_log(&fsm->log, BASE_LOG_ERROR, "log command does not parse",
                 kv_uint("type", bytes[0]), kv_uint("index", entry->index));
        return RAFT_EDECODE;
    }
    result->status = run(fsm, bytes[0], entry->index, body);
    base_pb_free(body);
    return 0;
}

static int fsm_apply(void *ctx, const struct raft_entry *entries, size_t count,
                     void **results)
{
    struct fsm *fsm = ctx;
    size_t i;

    for (i = 0; i < count; i++) {
        struct fsm_result *result;
        int rv;

        BASE_NEW(result);
        result->index = entries[i].index;
        rv = apply_one(fsm, &entries[i], result);
        results[i] = result;
        if (rv != 0)
            return rv;
        fsm->applied = entries[i].index;
    }
    return 0;
}

static void fsm_drop_result(void *ctx, void *result)
{
    (void)ctx;
    base_free(result);
}

/* ---- snapshots ------------------------------------------------------------ */

/* An image is the packed snapshot, and how far it has been read. */
struct image {
    struct base_buf bytes;
};

static Server__SnapshotNode *snapshot_node(const struct catalog_node *node)
{
    Server__SnapshotNode *out = base_alloc(sizeof(*out));

    server__snapshot_node__init(out);
    out->node = node->node;
    out->services = node->services;
    out->n_services = node->service_count;
    out->checks = node->checks;
    out->n_checks = node->check_count;
    return out;
}

static int fsm_snapshot(void *ctx, void **out)
{
    struct fsm *fsm = ctx;
    Server__Snapshot snapshot = SERVER__SNAPSHOT__INIT;
    struct base_buf table = BASE_BUF_INIT;
    struct image *image;
    size_t i;

    BASE_NEW(image);
    fedstate_store_snapshot(fsm->store, &table);
    snapshot.version = SNAPSHOT_VERSION;
    snapshot.catalog_index = fsm->catalog.index;
    snapshot.federation.data = table.bytes + table.start;
    snapshot.federation.len = base_buf_len(&table);
    snapshot.n_nodes = fsm->catalog.node_count;
    snapshot.nodes = base_calloc(snapshot.n_nodes + 1, sizeof(*snapshot.nodes));
    for (i = 0; i < snapshot.n_nodes; i++)
        snapshot.nodes[i] = snapshot_node(fsm->catalog.nodes[i]);
    base_pb_pack(&snapshot, &image->bytes);
    for (i = 0; i < snapshot.n_nodes; i++)
        base_free(snapshot.nodes[i]);
    base_free(snapshot.nodes);
    base_buf_close(&table);
    *out = image;
    return 0;
}

static int fsm_snapshot_read(void *ctx, void *arg, size_t limit,
                             struct base_buf *out)
{
    struct image *image = arg;
    size_t len = base_buf_len(&image->bytes);

    (void)ctx;
    if (len > limit)
        len = limit;
    base_buf_append(out, base_buf_data(&image->bytes), len);
    base_buf_consume(&image->bytes, len);
    return base_buf_len(&image->bytes) == 0;
}

static void fsm_snapshot_free(void *ctx, void *arg)
{
    struct image *image = arg;

    (void)ctx;
    base_buf_close(&image->bytes);
    base_free(image);
}

static int fsm_restore_begin(void *ctx)
{
    struct fsm *fsm = ctx;

    base_buf_reset(&fsm->restoring);
    fsm->restoring_as = 0;
    fsm->restoring_too_big = false;
    return 0;
}

static void fsm_restore_as(void *ctx, raft_index index)
{
    ((struct fsm *)ctx)->restoring_as = index;
}

static int fsm_restore_write(void *ctx, const void *data, size_t len)
{
    struct fsm *fsm = ctx;

    if (base_buf_len(&fsm->restoring) + len > FSM_STATE_BYTES_MAX)
        fsm->restoring_too_big = true;
    if (!fsm->restoring_too_big)
        base_buf_append(&fsm->restoring, data, len);
    return 0;
}

static int fill_catalog(struct catalog *catalog,
                        const Server__Snapshot *snapshot)
{
    size_t i;
    int rv = 0;

    catalog_clear(catalog);
    for (i = 0; i < snapshot->n_nodes && rv == 0; i++) {
        const Server__SnapshotNode *node = snapshot->nodes[i];
        Server__Register record = SERVER__REGISTER__INIT;

        record.node = node->node;
        record.services = node->services;
        record.n_services = node->n_services;
        record.checks = node->checks;
        record.n_checks = node->n_checks;
        rv = catalog_restore(catalog, &record);
    }
    catalog->index = snapshot->catalog_index;
    catalog->gateway_index = snapshot->catalog_index;
    return rv == 0 ? 0 : RAFT_EDECODE;
}

static Server__Snapshot *unpack(const void *data, size_t len)
{
    Server__Snapshot *snapshot = base_pb_unpack(
        &server__snapshot__descriptor, data, len, base_pb_budget(len));

    if (snapshot != NULL && snapshot->version != SNAPSHOT_VERSION) {
        base_pb_free(snapshot);
        snapshot = NULL;
    }
    return snapshot;
}

static int replace(struct fsm *fsm, const Server__Snapshot *snapshot)
{
    int rv = fedstate_store_restore(fsm->store, snapshot->federation.data,
                                    snapshot->federation.len);

    if (rv == 0)
        rv = fill_catalog(&fsm->catalog, snapshot);
    if (rv == 0)
        watch_list_wake(&fsm->catalog.watches);
    return rv;
}

/* Tried on tables of its own: nothing is changed by what cannot be used. */
static int check(const struct fsm *fsm, const Server__Snapshot *snapshot)
{
    struct fsm trial;
    int rv;

    fsm_init(&trial, fsm->env);
    rv = replace(&trial, snapshot) == 0 ? 0 : BASE_EPARSE;
    fsm_close(&trial);
    return rv;
}

/* Indexes only ever grow, for readers wait on them: what is restored counts as
 * changed now. */
static int replace_at(struct fsm *fsm, uint64_t index,
                      Server__Snapshot *snapshot)
{
    Fedstate__Table *table =
        base_pb_unpack(&fedstate__table__descriptor, snapshot->federation.data,
                       snapshot->federation.len,
                       base_pb_budget(snapshot->federation.len));
    struct base_buf packed = BASE_BUF_INIT;
    ProtobufCBinaryData before = snapshot->federation;
    int rv;

    if (table == NULL)
        return BASE_EPARSE;
    table->index = index;
    table->delete_index = index;
    base_pb_pack(table, &packed);
    base_pb_free(table);
    snapshot->catalog_index = index;
    snapshot->federation.data = packed.bytes + packed.start;
    snapshot->federation.len = base_buf_len(&packed);
    rv = check(fsm, snapshot);
    if (rv == 0)
        rv = replace(fsm, snapshot);
    snapshot->federation = before;
    base_buf_close(&packed);
    return rv;
}

/* What an operator restores may be anything; what cannot be used changes
 * nothing, here as on every other server. */
static int end_operators(struct fsm *fsm, Server__Snapshot *snapshot)
{
    int rv = snapshot != NULL
                 ? replace_at(fsm, fsm->restoring_as, snapshot)
                 : BASE_EPARSE;

    return rv == 0 ? 0 : 1;
}

static int fsm_restore_end(void *ctx, bool ok)
{
    struct fsm *fsm = ctx;
    Server__Snapshot *snapshot = NULL;
    int rv = 0;

    if (ok && !fsm->restoring_too_big)
        snapshot = unpack(base_buf_data(&fsm->restoring),
                          base_buf_len(&fsm->restoring));
    if (ok && fsm->restoring_as != 0)
        rv = end_operators(fsm, snapshot);
    else if (ok)
        rv = snapshot ? replace(fsm, snapshot) : RAFT_EDECODE;
    base_pb_free(snapshot);
    base_buf_close(&fsm->restoring);
    fsm->restoring = (struct base_buf)BASE_BUF_INIT;
    return rv;
}

struct raft_fsm fsm_ops(struct fsm *fsm)
{
    static const struct raft_fsm_ops ops = {
        .version = 3,
        .apply = fsm_apply,
        .drop_result = fsm_drop_result,
        .snapshot = fsm_snapshot,
        .snapshot_read = fsm_snapshot_read,
        .snapshot_free = fsm_snapshot_free,
        .restore_begin = fsm_restore_begin,
        .restore_write = fsm_restore_write,
        .restore_end = fsm_restore_end,
        .restore_as = fsm_restore_as,
    };

    return (struct raft_fsm){&ops, fsm};
}
