/*
 * Commits a second through a Raft cluster of ours: three processes on loopback,
 * SQLite storage, fsync on. The leader's proposers each wait for one command
 * and propose the next. Beside it, in the same run, the floors of this disk.
 *
 *   raft-bench                     every row of docs/performance.md, a table
 *   raft-bench -proposers 64 -size 128 -seconds 5 -json
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "raft/node.h"
#include "raft/storage_sqlite.h"
#include "raft/transport_stream.h"
#include "raft_floors.h"
#include "raft_load.h"

struct server {
    const struct load_options *options;
    struct base_loop *loop;
    struct raft_node *node;
    struct load *load; /* while it leads */
    uint8_t *data;
    int fd;
};

struct proposer {
    struct server *server;
    uint64_t since_ns;
};

/* The state machine: counts. */
static int fsm_apply(void *ctx, const struct raft_entry *entries, size_t count,
                     void **results)
{
    (void)entries;
    (void)results;
    *(uint64_t *)ctx += count;
    return 0;
}

static void propose(struct proposer *proposer);

static void on_proposed(void *arg, int status, raft_index index, void *result)
{
    struct proposer *proposer = arg;

    (void)index;
    (void)result;
    if (status < 0)
        _exit(1);
    load_committed(proposer->server->load, proposer->since_ns);
    propose(proposer);
}

static void propose(struct proposer *proposer)
{
    struct server *server = proposer->server;

    proposer->since_ns = load_now_ns();
    if (raft_node_propose(server->node, server->data, server->options->size,
                          on_proposed, proposer) < 0)
        _exit(1);
}

static void on_state(void *ctx, enum raft_role role, raft_term term,
                     const char *leader_id)
{
    struct server *server = ctx;
    unsigned i;

    (void)term;
    (void)leader_id;
    if (role != RAFT_LEADER || server->load != NULL)
        return;
    server->load = load_begin(server->options, server->fd);
    for (i = 0; i < server->options->proposers; i++) {
        struct proposer *proposer;

        BASE_NEW(proposer);
        proposer->server = server;
        propose(proposer);
    }
}

static void on_bootstrapped(void *arg, int status)
{
    (void)arg;
    (void)status;
}

static bool is_ready(void *arg)
{
    return raft_node_is_ready(arg);
}

static void bootstrap(struct server *server)
{
    struct raft_configuration configuration = {
        .server_count = server->options->servers};
    unsigned i;

    for (i = 0; i < configuration.server_count; i++) {
        snprintf(configuration.servers[i].id, RAFT_ID_MAX, "s%u", i);
        load_address(i, configuration.servers[i].address);
    }
    if (raft_node_bootstrap(server->node, &configuration, on_bootstrapped,
                            NULL) < 0)
        _exit(1);
}

static void run_server(const struct load_options *options, unsigned number,
                       int fd)
{
    static const struct raft_fsm_ops fsm_ops = {.version = 1,
                                                .apply = fsm_apply};
    struct server server = {.options = options, .fd = fd};
    struct raft_transport_stream *transport;
    struct raft_node_config config = {0};
    struct base_env *env;
    struct base_addr addr;
    char id[16], text[32];
    uint64_t applied = 0;

    server.loop = base_loop_new("main", NULL, NULL, base_workers_new());
    server.data = base_calloc(1, options->size);
    env = base_loop_env(server.loop);
    snprintf(id, sizeof(id), "s%u", number);
    load_address(number, text);
    base_addr_parse(&addr, text, 0);
    if (raft_transport_stream_new(base_loop_net(server.loop), id, &addr,
                                  &transport) < 0 ||
        raft_storage_sqlite_open(env, options->folder, id, &config.storage,
                                 NULL) < 0)
        _exit(1);
    config.id = id;
    config.transport = raft_transport_stream_table(transport);
    config.fsm = (struct raft_fsm){&fsm_ops, &applied};
    config.on_state = on_state;
    config.ctx = &server;
    config.snapshot_threshold = UINT32_MAX;
    if (raft_node_new(env, &config, &server.node) < 0)
        _exit(1);
    raft_transport_stream_set_node(transport, server.node);
    base_loop_run_until(server.loop, is_ready, server.node, 5000);
    bootstrap(&server);
    base_loop_run(server.loop);
}

/* ---- what is printed ---- */

struct row {
    struct load_result raft, sqlite;
    double syncs;
};

static bool measure(const struct load_options *options, struct row *row)
{
    row->syncs = floor_fdatasync(options);
    if (floor_sqlite(options, &row->sqlite) &&
        load_run(options, run_server, &row->raft))
        return true;
    fprintf(stderr, "raft-bench: no server reported\n");
    return false;
}

static double rate(const struct load_result *result)
{
    return (double)result->commits / result->seconds;
}

static bool print_json(const struct load_options *options)
{
    struct row row;

    if (!measure(options, &row))
        return false;
    printf("{");
    load_print_json("isthmus", options, &row.raft);
    printf(",\"fdatasync_per_s\":%.0f,\"sqlite_rows_per_s\":%.0f,"
           "\"sqlite_p50_us\":%u,\"sqlite_p99_us\":%u}\n",
           row.syncs, rate(&row.sqlite), row.sqlite.p50_us,
           row.sqlite.p99_us);
    return true;
}

static bool print_row(const struct load_options *options)
{
    struct row row;

    if (!measure(options, &row))
        return false;
    printf("| %u | %u | %.0f | %u | %u | %.1f | %.1f | %.0f | %.0f | %.0f |"
           " %u | %.2f | %+d |\n",
           options->size, options->proposers, rate(&row.raft),
           row.raft.p50_us, row.raft.p99_us,
           row.raft.p50_us == 0 ? 0
                                : (double)row.raft.p99_us / row.raft.p50_us,
           (double)row.raft.resident_kib / 1024,
           row.raft.commits == 0 ? 0
                                 : (double)row.raft.written_bytes /
                                       (double)row.raft.commits,
           row.syncs, rate(&row.sqlite), row.sqlite.p50_us,
           rate(&row.raft) / rate(&row.sqlite),
           (int)row.raft.p50_us - (int)row.sqlite.p50_us);
    fflush(stdout);
    return true;
}

static bool print_table(struct load_options *options)
{
    static const struct {
        unsigned size, proposers;
    } rows[] = {{128, 1},   {128, 16}, {128, 64},
                {128, 256}, {4096, 1}, {4096, 64}};
    size_t i;

    printf("| B | proposers | commits/s | p50 us | p99 us | p99/p50 |"
           " leader MiB | B written | fdatasync/s | sqlite rows/s |"
           " sqlite p50 us | of sqlite | p50 over |\n"
           "| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |"
           " --: | --: | --: |\n");
    if (!options->all)
        return print_row(options);
    for (i = 0; i < BASE_COUNT_OF(rows); i++) {
        options->size = rows[i].size;
        options->proposers = rows[i].proposers;
        if (!print_row(options))
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct load_options options;

    if (!load_parse(argc, argv, &options))
        return 2;
    return (options.json ? print_json(&options) : print_table(&options)) ? 0
                                                                         : 1;
}
