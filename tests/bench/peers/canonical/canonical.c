/*
 * The same load on canonical/raft (Debian's libraft-dev): its libuv I/O, its
 * TCP transport, proposals of one turn of the loop in one raft_apply(). A
 * command's first bytes name its proposer, so that each is answered when its
 * own command is applied. No snapshots, as in our own run.
 */
#include <raft.h>
#include <raft/uv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../raft_load.h"

struct server {
    const struct load_options *options;
    uv_loop_t loop;
    uv_prepare_t prepare; /* runs before the loop waits: one batch a turn */
    uv_timer_t timer;
    struct raft_uv_transport transport;
    struct raft_io io;
    struct raft_fsm fsm;
    struct raft raft;
    struct load *load; /* while it leads */
    uint64_t *since_ns;
    uint32_t *ready; /* proposers that propose in this turn */
    unsigned ready_count;
    int fd;
};

static void must(int rv)
{
    if (rv != 0)
        _exit(1);
}

/* ---- the state machine: answers ---- */

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf,
                     void **result)
{
    struct server *server = fsm->data;
    uint32_t proposer;

    *result = NULL;
    if (server->load == NULL)
        return 0;
    memcpy(&proposer, buf->base, sizeof(proposer));
    load_committed(server->load, server->since_ns[proposer]);
    server->ready[server->ready_count++] = proposer;
    return 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[],
                        unsigned *count)
{
    (void)fsm;
    (void)bufs;
    (void)count;
    return RAFT_BUSY;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    (void)fsm;
    (void)buf;
    return RAFT_INVALID;
}

/* ---- proposing ---- */

static void on_applied(struct raft_apply *request, int status, void *result)
{
    (void)result;
    must(status);
    free(request);
}

static void propose_all(struct server *server)
{
    unsigned count = server->ready_count;
    struct raft_apply *request = malloc(sizeof(*request));
    struct raft_buffer *bufs = calloc(count, sizeof(*bufs));
    uint64_t now = load_now_ns();
    unsigned i;

    must(request == NULL || bufs == NULL);
    for (i = 0; i < count; i++) {
        uint32_t proposer = server->ready[i];

        bufs[i].len = (server->options->size + 7u) & ~7u; /* its rule */
        bufs[i].base = raft_calloc(1, bufs[i].len);
        memcpy(bufs[i].base, &proposer, sizeof(proposer));
        server->since_ns[proposer] = now;
    }
    server->ready_count = 0;
    must(raft_apply(&server->raft, request, bufs, count, on_applied));
    free(bufs);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct server *server = prepare->data;
    unsigned i;

    if (server->load == NULL && raft_state(&server->raft) == RAFT_LEADER) {
        server->load = load_begin(server->options, server->fd);
        for (i = 0; i < server->options->proposers; i++)
            server->ready[server->ready_count++] = i;
    }
    if (server->ready_count > 0)
        propose_all(server);
}

/* So that the loop comes round while it waits to become the leader. */
static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

/* ---- life ---- */

static void bootstrap(struct server *server)
{
    struct raft_configuration configuration;
    char address[32];
    unsigned i;

    raft_configuration_init(&configuration);
    for (i = 0; i < server->options->servers; i++) {
        load_address(i, address);
        must(raft_configuration_add(&configuration, i + 1, address,
                                    RAFT_VOTER));
    }
    must(raft_bootstrap(&server->raft, &configuration));
    raft_configuration_close(&configuration);
}

static void run_server(const struct load_options *options, unsigned number,
                       int fd)
{
    static struct server server;
    char address[32];

    server.options = options;
    server.fd = fd;
    server.since_ns = calloc(options->proposers, sizeof(*server.since_ns));
    server.ready = calloc(options->proposers, sizeof(*server.ready));
    server.fsm = (struct raft_fsm){.version = 1,
                                   .data = &server,
                                   .apply = fsm_apply,
                                   .snapshot = fsm_snapshot,
                                   .restore = fsm_restore};
    load_address(number, address);
    must(uv_loop_init(&server.loop));
    must(raft_uv_tcp_init(&server.transport, &server.loop));
    must(raft_uv_init(&server.io, &server.loop, options->folder,
                      &server.transport));
    must(raft_init(&server.raft, &server.io, &server.fsm, number + 1,
                   address));
    raft_uv_set_connect_retry_delay(&server.io, 50);
    raft_set_snapshot_threshold(&server.raft, 1u << 30);
    raft_set_pre_vote(&server.raft, true);
    bootstrap(&server);
    must(raft_start(&server.raft));
    uv_prepare_init(&server.loop, &server.prepare);
    server.prepare.data = &server;
    uv_prepare_start(&server.prepare, on_prepare);
    uv_timer_init(&server.loop, &server.timer);
    uv_timer_start(&server.timer, on_timer, 50, 50);
    uv_run(&server.loop, UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    struct load_options options;
    struct load_result result;

    if (!load_parse(argc, argv, &options))
        return 2;
    if (!load_run(&options, run_server, &result)) {
        fprintf(stderr, "%s: no server reported\n", argv[0]);
        return 1;
    }
    printf("{");
    load_print_json("canonical", &options, &result);
    printf("}\n");
    return 0;
}
