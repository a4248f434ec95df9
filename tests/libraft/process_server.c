/* The server of process_server.h: a thread reads requests, the loop answers. */
#include "process_server.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "raft/node.h"
#include "raft/storage_sqlite.h"
#include "raft/transport_stream.h"

#define PORT 18400
#define ELECTION_MS 200
#define SNAPSHOT_ENTRIES 3000

struct server {
    struct base_env *env;
    struct raft_node *node;
    struct raft_configuration cluster;
    int fd;
    uint64_t registers[PROCESS_KEYS];
    size_t restored; /* bytes */
};

/* ---- the state machine ---- */

static void *apply_one(struct server *server, const struct raft_entry *entry)
{
    struct process_request request;
    uint64_t seen;

    if (entry->len != sizeof(request))
        return NULL;
    memcpy(&request, entry->data, sizeof(request));
    seen = server->registers[request.key % PROCESS_KEYS];
    if (request.kind == HISTORY_WRITE || seen == request.expected)
        server->registers[request.key % PROCESS_KEYS] = request.value;
    return (void *)(uintptr_t)seen;
}

static int apply(void *ctx, const struct raft_entry *entries, size_t count,
                 void **results)
{
    size_t i;

    for (i = 0; i < count; i++)
        results[i] = apply_one(ctx, &entries[i]);
    return 0;
}

static int snapshot(void *ctx, void **image)
{
    struct server *server = ctx;

    *image = base_memdup(server->registers, sizeof(server->registers));
    return 0;
}

static int snapshot_read(void *ctx, void *image, size_t limit,
                         struct base_buf *out)
{
    (void)ctx;
    (void)limit;
    base_buf_append(out, image, sizeof(((struct server *)NULL)->registers));
    return 1;
}

static void snapshot_free(void *ctx, void *image)
{
    (void)ctx;
    base_free(image);
}

static int restore_begin(void *ctx)
{
    ((struct server *)ctx)->restored = 0;
    return 0;
}

static int restore_write(void *ctx, const void *data, size_t len)
{
    struct server *server = ctx;

    if (len > sizeof(server->registers) - server->restored)
        return -1;
    memcpy((uint8_t *)server->registers + server->restored, data, len);
    server->restored += len;
    return 0;
}

static int restore_end(void *ctx, bool ok)
{
    return ok && ((struct server *)ctx)->restored ==
                     sizeof(((struct server *)ctx)->registers)
               ? 0
               : -1;
}

static const struct raft_fsm_ops fsm_ops = {.version = 1,
                                            .apply = apply,
                                            .snapshot = snapshot,
                                            .snapshot_read = snapshot_read,
                                            .snapshot_free = snapshot_free,
                                            .restore_begin = restore_begin,
                                            .restore_write = restore_write,
                                            .restore_end = restore_end};

/* ---- requests ---- */

struct asked {
    struct server *server;
    struct process_request request;
};

static void answer(struct asked *asked, int status, uint64_t seen)
{
    struct process_reply reply = {.op = asked->request.op, .seen = seen};

    if (status == 0)
        reply.status = PROCESS_DONE;
    else if (status == RAFT_ENOTLEADER || status == RAFT_EBUSY)
        reply.status = PROCESS_REFUSED;
    else
        reply.status = PROCESS_UNKNOWN;
    (void)!send(asked->server->fd, &reply, sizeof(reply), 0);
    base_free(asked);
}

static void on_proposed(void *arg, int status, raft_index index, void *result)
{
    (void)index;
    answer(arg, status, (uint64_t)(uintptr_t)result);
}

static void on_confirmed(void *arg, int status)
{
    struct asked *asked = arg;

    answer(asked, status, asked->server->registers[asked->request.key]);
}

static void on_request(void *arg)
{
    struct asked *asked = arg;
    struct raft_node *node = asked->server->node;
    int rv;

    if (asked->request.kind == HISTORY_READ)
        rv = raft_node_read_barrier(node, on_confirmed, asked);
    else
        rv = raft_node_propose(node, &asked->request, sizeof(asked->request),
                               on_proposed, asked);
    if (rv < 0)
        answer(asked, RAFT_ENOTLEADER, 0); /* at once: nothing has happened */
}

static void *read_requests(void *arg)
{
    struct server *server = arg;

    for (;;) {
        struct asked *asked;

        BASE_NEW(asked);
        asked->server = server;
        if (recv(server->fd, &asked->request, sizeof(asked->request), 0) !=
            (ssize_t)sizeof(asked->request))
            _exit(0); /* the test is over */
        if (base_env_post(server->env, on_request, asked) < 0)
            _exit(4);
    }
    return NULL;
}

/* ---- life ---- */

static void on_state(void *ctx, enum raft_role role, raft_term term,
                     const char *leader_id)
{
    struct server *server = ctx;

    (void)role;
    (void)term;
    (void)leader_id;
    if (!raft_node_is_bootstrapped(server->node))
        (void)raft_node_bootstrap(server->node, &server->cluster, NULL, NULL);
}

static void on_fatal(void *ctx, int err, const char *why)
{
    (void)ctx;
    fprintf(stderr, "server stopped: %s (%s)\n", why, raft_strerror(err));
    _exit(3);
}

static void must(const char *what, int err)
{
    if (err == 0)
        return;
    fprintf(stderr, "server: %s: %s\n", what, raft_strerror(err));
    _exit(3);
}

/* Addresses that no other run of this test uses at the same time: they come
 * from the test's process number. */
static void describe(struct server *server, unsigned count, pid_t test)
{
    unsigned i;

    server->cluster.server_count = count;
    for (i = 0; i < count; i++) {
        struct raft_server *one = &server->cluster.servers[i];

        snprintf(one->id, sizeof(one->id), "s%u", i);
        snprintf(one->address, sizeof(one->address), "127.%u.%u.%u:%u",
                 1 + (unsigned)test / 250 % 250, 1 + (unsigned)test % 250,
                 i + 1, PORT);
    }
}

static void run(const char *folder, unsigned number, unsigned count, int fd,
                pid_t test, uint32_t election_ms)
{
    static struct server server;
    struct raft_transport_stream *transport;
    struct raft_node_config config = {0};
    struct base_loop *loop;
    struct base_addr at;
    pthread_t reader;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    describe(&server, count, test);
    server.fd = fd;
    mkdir(folder, 0700);
    loop = base_loop_new("main", NULL, NULL, base_workers_new());
    server.env = base_loop_env(loop);
    config.id = server.cluster.servers[number].id;
    base_addr_parse(&at, server.cluster.servers[number].address, 0);
    must("storage", raft_storage_sqlite_open(server.env, folder, config.id,
                                             &config.storage, NULL));
    must("transport", raft_transport_stream_new(base_loop_net(loop), config.id,
                                                &at, &transport));
    config.transport = raft_transport_stream_table(transport);
    config.fsm = (struct raft_fsm){&fsm_ops, &server};
    config.on_state = on_state;
    config.on_fatal = on_fatal;
    config.ctx = &server;
    config.election_timeout_ms = election_ms;
    config.heartbeat_interval_ms = election_ms / 5;
    config.snapshot_threshold = SNAPSHOT_ENTRIES;
    config.snapshot_trailing = SNAPSHOT_ENTRIES / 4;
    must("node", raft_node_new(server.env, &config, &server.node));
    raft_transport_stream_set_node(transport, server.node);
    pthread_create(&reader, NULL, read_requests, &server);
    base_loop_run(loop);
    _exit(0);
}

void process_server_start(struct process_server *server, const char *folder,
                          unsigned number, unsigned count)
{
    pid_t test = getpid();
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    server->pid = fork();
    if (server->pid == 0) {
        char *own = base_asprintf("%s/s%u", folder, number);
        int fd;

        /* Nothing of the other servers' stays open here. */
        for (fd = 3; fd < 1024; fd++) {
            if (fd != pair[1])
                close(fd);
        }
        run(own, number, count, pair[1], test,
            server->election_timeout_ms != 0 ? server->election_timeout_ms
                                             : ELECTION_MS);
    }
    close(pair[1]);
    server->fd = pair[0];
}

void process_server_kill(struct process_server *server)
{
    int status = 0;

    if (server->pid == 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, &status, 0);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fprintf(stderr, "a server had ended by itself: %x\n", status);
        abort();
    }
    close(server->fd);
    server->pid = 0;
    server->fd = -1;
}
