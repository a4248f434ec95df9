/*
 * The state machine of the simulated cluster: a sum over everything applied,
 * which tells whether two servers applied the same, and a few registers for
 * clients. Its image has ballast, so that it takes more than one chunk.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "cluster_internal.h"

#define BALLAST_BYTES (300u << 10)

/* ---- applying ---- */

static void remember(struct cluster *cluster, const struct raft_entry *entry,
                     unsigned number)
{
    struct cluster_fact *fact;

    while (cluster->fact_cap <= entry->index) {
        raft_index cap = cluster->fact_cap == 0 ? 1024 : cluster->fact_cap * 2;

        cluster->facts = base_reallocarray(cluster->facts, (size_t)cap,
                                           sizeof(*cluster->facts));
        memset(cluster->facts + cluster->fact_cap, 0,
               (size_t)(cap - cluster->fact_cap) * sizeof(*cluster->facts));
        cluster->fact_cap = cap;
    }
    fact = &cluster->facts[entry->index];
    if (fact->term == 0)
        *fact = (struct cluster_fact){entry->term, entry->checksum};
    /* State Machine Safety. */
    MUST(fact->term == entry->term && fact->checksum == entry->checksum,
         "server %u applies another entry at %" PRIu64, number, entry->index);
    if (entry->index > cluster->fact_count)
        cluster->fact_count = entry->index;
}

/* A client's command: 'K', kind, key, expected, value (cluster_clients.c). It
 * gets what was there before. */
static void *apply_client(struct cluster_state *state,
                          const struct raft_entry *entry)
{
    struct base_cursor cursor = base_cursor_of(entry->data, entry->len);
    uint8_t mark = base_cursor_u8(&cursor);
    uint8_t kind = base_cursor_u8(&cursor);
    uint32_t key = base_cursor_u32be(&cursor);
    uint64_t expected = base_cursor_u64be(&cursor);
    uint64_t value = base_cursor_u64be(&cursor);
    uint64_t *at, seen;

    if (cursor.failed || mark != 'K' || key >= CLUSTER_KEYS)
        return NULL;
    at = &state->registers[key];
    seen = *at;
    if (kind == HISTORY_WRITE || seen == expected)
        *at = value;
    return (void *)(uintptr_t)seen;
}

static int fsm_apply(void *ctx, const struct raft_entry *entries, size_t count,
                     void **results)
{
    struct cluster_server *server = ctx;
    struct cluster *cluster = server->cluster;
    struct cluster_state *state = &server->state;
    size_t i;

    for (i = 0; i < count; i++) {
        MUST(entries[i].index > state->applied,
             "server %u applies %" PRIu64 " again", server->number,
             entries[i].index);
        remember(cluster, &entries[i], server->number);
        state->applied = entries[i].index;
        state->count++;
        state->sum = state->sum * 0x100000001b3ull + entries[i].checksum;
        results[i] = apply_client(state, &entries[i]);
    }
    return 0;
}

/* ---- images ---- */

struct image {
    struct cluster_state state;
    size_t ballast;
    size_t at;
};

static size_t ballast_of(const struct cluster *cluster)
{
    return cluster->config.ballast_bytes != 0 ? cluster->config.ballast_bytes
                                              : BALLAST_BYTES;
}

static int fsm_snapshot(void *ctx, void **image)
{
    struct cluster_server *server = ctx;
    struct image *new_image;

    BASE_NEW(new_image);
    new_image->state = server->state;
    new_image->ballast = ballast_of(server->cluster);
    server->snapshot_seen = server->state.applied;
    server->cluster->counts.snapshots++;
    *image = new_image;
    return 0;
}

/* The state, then ballast that depends on it. */
static uint8_t image_byte(const struct cluster_state *state, size_t at)
{
    if (at < sizeof(*state))
        return ((const uint8_t *)state)[at];
    return (uint8_t)(state->sum >> (at % 8 * 8));
}

static int fsm_snapshot_read(void *ctx, void *arg, size_t limit,
                             struct base_buf *out)
{
    struct image *image = arg;
    size_t total = sizeof(image->state) + image->ballast;

    (void)ctx;
    while (limit-- > 0 && image->at < total)
        base_buf_append_u8(out, image_byte(&image->state, image->at++));
    return image->at == total;
}

static void fsm_snapshot_free(void *ctx, void *image)
{
    (void)ctx;
    base_free(image);
}

void cluster_fsm_image(struct cluster *cluster,
                       const struct cluster_state *state, struct base_buf *out)
{
    struct image image = {.state = *state, .ballast = ballast_of(cluster)};

    fsm_snapshot_read(NULL, &image, SIZE_MAX, out);
}

struct restoring {
    struct cluster_state state;
    raft_index as; /* 0: of this log itself */
    size_t at;
    bool bad;
};

static int fsm_restore_begin(void *ctx)
{
    struct cluster_server *server = ctx;

    base_free(server->restoring);
    BASE_NEW(server->restoring);
    return 0;
}

static void fsm_restore_as(void *ctx, raft_index index)
{
    struct cluster_server *server = ctx;

    server->restoring->as = index;
}

static int fsm_restore_write(void *ctx, const void *data, size_t len)
{
    struct cluster_server *server = ctx;
    struct restoring *restoring = server->restoring;
    const uint8_t *bytes = data;
    size_t i;

    for (i = 0; i < len; i++, restoring->at++) {
        if (restoring->at < sizeof(restoring->state))
            ((uint8_t *)&restoring->state)[restoring->at] = bytes[i];
        else if (bytes[i] != image_byte(&restoring->state, restoring->at))
            restoring->bad = true;
    }
    return 0;
}

static int fsm_restore_end(void *ctx, bool ok)
{
    struct cluster_server *server = ctx;
    struct cluster *cluster = server->cluster;
    struct restoring *restoring = server->restoring;

    if (ok) {
        MUST(!restoring->bad &&
                 restoring->at == sizeof(restoring->state) + ballast_of(cluster),
             "server %u restores a damaged snapshot", server->number);
        server->state = restoring->state;
        if (restoring->as != 0)
            server->state.applied = restoring->as;
        else if (server->state.applied > server->snapshot_seen) {
            /* At a start it restores its own. */
            server->snapshot_seen = server->state.applied;
            cluster->counts.installs++;
        }
    }
    cluster_fsm_reset(server);
    return 0;
}

void cluster_fsm_reset(struct cluster_server *server)
{
    base_free(server->restoring);
    server->restoring = NULL;
}

const struct raft_fsm_ops cluster_fsm_ops = {
    .version = 3,
    .apply = fsm_apply,
    .snapshot = fsm_snapshot,
    .snapshot_read = fsm_snapshot_read,
    .snapshot_free = fsm_snapshot_free,
    .restore_begin = fsm_restore_begin,
    .restore_write = fsm_restore_write,
    .restore_end = fsm_restore_end,
    .restore_as = fsm_restore_as};
