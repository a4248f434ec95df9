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
    size_t ops[CLUSTER_KEYS];
    int *status;
};

static void client_free(struct cluster_client *client)
{
    LIST_REMOVE(client, link);
    base_free(client);
}

void cluster_clients_close(struct cluster *cluster)
{
    while (!LIST_EMPTY(&cluster->clients))
        client_free(LIST_FIRST(&cluster->clients));
    while (!LIST_EMPTY(&cluster->restorers)) {
        struct cluster_restorer *restorer = LIST_FIRST(&cluster->restorers);

        LIST_REMOVE(restorer, link);
        base_free(restorer);
    }
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

static void on_restored(void *arg, int status)
{
    struct cluster_restorer *restorer = arg;
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
    LIST_REMOVE(restorer, link);
    base_free(restorer);
}

int cluster_restore(struct cluster *cluster, unsigned server, int *status)
{
    struct raft_node *node = cluster->servers[server].node;
    struct cluster_state state = {.applied = 1};
    struct raft_restore_source source;
    struct cluster_restorer *restorer;
    int rv;

    if (node == NULL)
        return RAFT_ESTOPPED;
    BASE_NEW(restorer);
    LIST_INSERT_HEAD(&cluster->restorers, restorer, link);
    restorer->cluster = cluster;
    restorer->status = status;
    for (unsigned key = 0; key < CLUSTER_KEYS; key++) {
        size_t op = history_begin(&cluster->history, HISTORY_WRITE, key, 0);

        restorer->ops[key] = op;
        state.registers[key] = cluster->history.ops[op].value;
    }
    state.sum = state.registers[0];
    source = cluster_fsm_source(cluster, &state);
    rv = raft_node_restore(node, &source, on_restored, restorer);
    if (rv < 0) {
        source.close(source.ctx);
        on_restored(restorer, rv == RAFT_ESTOPPED ? RAFT_ENOTLEADER : rv);
    }
    return rv;
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
