/*
 * Messages between simulated servers. A datagram is message(4) pieces(2)
 * piece(2) sender(1) and bytes. Pieces may overtake each other; a later long
 * message drops an earlier one that is not complete.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "cluster_internal.h"

#define PIECE_MAX 60000u

static const struct cluster_server *find_server(const struct cluster *cluster,
                                                const char *id)
{
    unsigned i;

    for (i = 0; i < cluster->count; i++) {
        if (strcmp(cluster->servers[i].id, id) == 0)
            return &cluster->servers[i];
    }
    return NULL;
}

static int transport_send(void *ctx, const struct raft_server *to,
                          const void *data, size_t len)
{
    struct cluster_server *server = ctx;
    struct base_addr addr;
    size_t count = (len + PIECE_MAX - 1) / PIECE_MAX;
    size_t i;

    if (server->packets == NULL)
        return BASE_EUNREACH;
    /* One who has no configuration yet knows its leader's id only. */
    if (base_addr_parse(&addr, to->address, 0) < 0) {
        const struct cluster_server *known = find_server(server->cluster,
                                                         to->id);

        if (known == NULL)
            return BASE_EUNREACH;
        addr = known->addr;
    }
    server->message_number++;
    for (i = 0; i < count; i++) {
        size_t at = i * PIECE_MAX;
        size_t bytes = len - at < PIECE_MAX ? len - at : PIECE_MAX;
        struct base_buf packet = BASE_BUF_INIT;

        base_buf_append_u32be(&packet, server->message_number);
        base_buf_append_u16be(&packet, (uint16_t)count);
        base_buf_append_u16be(&packet, (uint16_t)i);
        base_buf_append_u8(&packet, (uint8_t)server->number);
        base_buf_append(&packet, (const uint8_t *)data + at, bytes);
        base_net_packets_send(server->net, server->packets, &addr,
                              base_buf_data(&packet), base_buf_len(&packet));
        base_buf_close(&packet);
    }
    return 0;
}

/* All pieces are of the full size but the last. */
static void gather_piece(struct cluster_server *server, unsigned sender,
                         uint32_t message, uint16_t count, uint16_t piece,
                         const struct base_cursor *rest)
{
    struct gathering *gathering = &server->gathering[sender];
    size_t len = base_cursor_left(rest);

    if (piece >= count || count > PIECES_MAX || len > PIECE_MAX ||
        (len < PIECE_MAX && piece + 1 < count))
        return;
    if (gathering->message != message) {
        base_free(gathering->bytes);
        *gathering = (struct gathering){.message = message};
        gathering->bytes = base_alloc((size_t)count * PIECE_MAX);
    }
    if (gathering->bytes == NULL || gathering->have[piece])
        return;
    gathering->have[piece] = true;
    gathering->count++;
    memcpy(gathering->bytes + (size_t)piece * PIECE_MAX, rest->at, len);
    if (piece + 1 == count)
        gathering->len = (size_t)piece * PIECE_MAX + len;
    if (gathering->count == count) {
        uint8_t *bytes = gathering->bytes;

        gathering->bytes = NULL;
        raft_node_receive(server->node, bytes, gathering->len);
        base_free(bytes);
    }
}

void cluster_on_packet(void *arg, const struct base_addr *from,
                       const void *data, size_t len)
{
    struct cluster_server *server = arg;
    struct base_cursor cursor = base_cursor_of(data, len);
    uint32_t message = base_cursor_u32be(&cursor);
    uint16_t count = base_cursor_u16be(&cursor);
    uint16_t piece = base_cursor_u16be(&cursor);
    uint8_t sender = base_cursor_u8(&cursor);

    (void)from;
    if (cursor.failed || sender >= CLUSTER_MAX || server->node == NULL)
        return;
    if (count == 1)
        raft_node_receive(server->node, cursor.at, base_cursor_left(&cursor));
    else
        gather_piece(server, sender, message, count, piece, &cursor);
}

const struct raft_transport_ops cluster_transport_ops = {
    .version = 1, .send = transport_send};

void cluster_wire_reset(struct cluster_server *server)
{
    unsigned i;

    for (i = 0; i < CLUSTER_MAX; i++) {
        base_free(server->gathering[i].bytes);
        server->gathering[i] = (struct gathering){0};
    }
}
