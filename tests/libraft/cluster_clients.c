/*
 * Clients of the simulated cluster. Whom an answer reaches ended well; who is
 * refused at once, or told that its server does not lead, never began; of all
 * others nobody knows.
 */
#include "base/alloc.h"
#include "base/buf.h"
#include "cluster_internal.h"

struct cluster_client {
    LIST_ENTRY(cluster_client) link;
    struct cluster *cluster;
    unsigned server;
    uint32_t boot;
    uint32_t key;
    size_t op;
};

/* All registers at once. */
struct cluster_restorer {
    LIST_ENTRY(cluster_restorer) link;
    struct cluster *cluster;
    unsigned server;
    uint64_t id;
    struct base_buf image; /* what is left of it */
    unsigned waiting;
    bool ended;
    size_t ops[CLUSTER_KEYS];
    int *status;
};

static void restorer_free(struct cluster_restorer *restorer)
{
    LIST_REMOVE(restorer, link);
    base_buf_close(&restorer->image);
    base_free(restorer);
}

static void client_free(struct cluster_client *client)
{
    LIST_REMOVE(client, link);
    base_free(client);
}

void cluster_clients_close(struct cluster *cluster)
{
    while (!LIST_EMPTY(&cluster->clients))
        client_free(LIST_FIRST(&cluster->clients));
    while (!LIST_EMPTY(&cluster->restorers))
        restorer_free(LIST_FIRST(&cluster->restorers));
    history_close(&cluster->history);
}

static void on_proposed(void *arg, int status, raft_index index, void *result)
{
    struct cluster_client *client = arg;
    struct cluster *cluster = client->cluster;

    if (status == 0) {
        history_end(&cluster->history, client->op,
                    (uint64_t)(uintptr_t)result);
        cluster->counts.acked++;
        if (index > cluster->acked_max)
            cluster->acked_max = index;
    } else if (status == RAFT_ENOTLEADER) {
        history_drop(&cluster->history, client->op);
    }
    client_free(client);
}

static void on_confirmed(void *arg, int status)
{
    struct cluster_client *client = arg;
    struct cluster *cluster = client->cluster;
    const struct cluster_server *server = &cluster->servers[client->server];

    if (status == 0) {
        MUST(server->boots == client->boot, "a read outlives its server");
        history_end(&cluster->history, client->op,
                    server->state.registers[client->key]);
        cluster->counts.reads++;
    } else {
        history_drop(&cluster->history, client->op);
    }
    client_free(client);
}

static int propose(struct cluster_client *client, enum history_kind kind)
{
    struct cluster *cluster = client->cluster;
    const struct history_op *op = &cluster->history.ops[client->op];
    struct base_buf command = BASE_BUF_INIT;
    int rv;

    base_buf_append_u8(&command, 'K');
    base_buf_append_u8(&command, (uint8_t)kind);
    base_buf_append_u32be(&command, op->key);
    base_buf_append_u64be(&command, op->expected);
    base_buf_append_u64be(&command, op->value);
    rv = raft_node_propose(cluster->servers[client->server].node,
                           base_buf_data(&command), base_buf_len(&command),
                           on_proposed, client);
    base_buf_close(&command);
    return rv;
}

void cluster_client(struct cluster *cluster, unsigned server,
                    enum history_kind kind, uint32_t key)
{
    struct raft_node *node = cluster->servers[server].node;
    struct cluster_client *client;
    uint64_t expected = 0;
    int rv;

    if (node == NULL)
        return;
    /* What a client would have read a moment ago, so that some swaps win. */
    if (kind == HISTORY_SWAP)
        expected = cluster->servers[server].state.registers[key];
    BASE_NEW(client);
    LIST_INSERT_HEAD(&cluster->clients, client, link);
    client->cluster = cluster;
    client->server = server;
    client->boot = cluster->servers[server].boots;
    client->key = key;
    client->op = history_begin(&cluster->history, kind, key, expected);
    if (kind == HISTORY_READ)
        rv = raft_node_read_barrier(node, on_confirmed, client);
    else
        rv = propose(client, kind);
    if (rv < 0) {
        history_drop(&cluster->history, client->op);
        client_free(client);
    }
}

static void restore_over(struct cluster_restorer *restorer, int status)
{
    struct cluster *cluster = restorer->cluster;
    unsigned key;

    for (key = 0; key < CLUSTER_KEYS; key++) {
        if (status == 0)
            history_end(&cluster->history, restorer->ops[key], 0);
        else if (status != RAFT_ELOST && status != RAFT_ESTOPPED)
            history_drop(&cluster->history, restorer->ops[key]);
    }
    if (status == 0)
        cluster->counts.restores++;
    if (restorer->status != NULL)
        *restorer->status = status;
    restorer_free(restorer);
}

static void on_ended(void *arg, int status)
{
    restore_over(arg, status);
}

static void push(struct cluster_restorer *restorer);

static void on_piece(void *arg, int status)
{
    struct cluster_restorer *restorer = arg;

    restorer->waiting--;
    if (status == 0)
        push(restorer);
    else if (!restorer->ended) {
        base_buf_reset(&restorer->image);
        restorer->ended = true;
    }
    if (status != 0 && restorer->waiting == 0)
        restore_over(restorer, RAFT_ENOTLEADER); /* no end was written */
}

/* Two pieces on their way, and no end before they are there: then whatever
 * happens to a piece, there is none. */
static void push(struct cluster_restorer *restorer)
{
    struct raft_node *node =
        restorer->cluster->servers[restorer->server].node;
    size_t left;
    int rv = 0;

    while ((left = base_buf_len(&restorer->image)) > 0 &&
           restorer->waiting < 2) {
        size_t len = left < (256u << 10) ? left : 256u << 10;

        rv = raft_node_restore_piece(node, restorer->id,
                                     base_buf_data(&restorer->image), len,
                                     on_piece, restorer);
        if (rv < 0)
            break;
        base_buf_consume(&restorer->image, len);
        restorer->waiting++;
    }
    if (left == 0 && restorer->waiting == 0 && !restorer->ended) {
        restorer->ended = true;
        rv = raft_node_restore_end(node, restorer->id, on_ended, restorer);
    }
    if (rv < 0 && restorer->waiting == 0)
        restore_over(restorer, RAFT_ENOTLEADER);
    else if (rv < 0) {
        base_buf_reset(&restorer->image);
        restorer->ended = true;
    }
}

int cluster_restore(struct cluster *cluster, unsigned server, int *status)
{
    struct raft_node *node = cluster->servers[server].node;
    struct cluster_state state = {.applied = 1};
    struct cluster_restorer *restorer;
    uint64_t id;
    unsigned key;
    int rv = node == NULL ? RAFT_ESTOPPED : raft_node_restore_begin(node, &id);

    if (rv < 0)
        return rv;
    BASE_NEW(restorer);
    LIST_INSERT_HEAD(&cluster->restorers, restorer, link);
    restorer->cluster = cluster;
    restorer->server = server;
    restorer->id = id;
    restorer->status = status;
    for (key = 0; key < CLUSTER_KEYS; key++) {
        size_t op = history_begin(&cluster->history, HISTORY_WRITE, key, 0);

        restorer->ops[key] = op;
        state.registers[key] = cluster->history.ops[op].value;
    }
    state.sum = state.registers[0];
    cluster_fsm_image(cluster, &state, &restorer->image);
    push(restorer);
    return 0;
}

void cluster_check_history(struct cluster *cluster)
{
    uint32_t key = 0;
    bool ok = history_is_linearizable(&cluster->history, &key);

    if (!ok)
        history_print(&cluster->history, key);
    MUST(ok, "the history of register %u is not linearizable", key);
    cluster->counts.histories++;
    cluster->counts.operations += cluster->history.count;
}
