/*
 * A replicated counter: libraft (and libbase below it) alone. Three processes,
 * started in any order, each with its own number and folder, and one list:
 *
 *   counter 0 /tmp/c0 127.0.0.1:7001 127.0.0.2:7001 127.0.0.3:7001
 *
 * The leader adds one every second, and prints the count once a majority has
 * it on disk. Kill any one: the others go on. Kill all and start them again:
 * the count goes on where it was.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/loop.h"
#include "raft/node.h"
#include "raft/storage_sqlite.h"
#include "raft/transport_stream.h"

struct counter {
    struct raft_node *node;
    struct raft_configuration cluster;
    struct base_timer second;
    uint64_t count; /* the state machine */
    bool leads;
};

/* ---- the state machine: a number ---- */

static int apply(void *ctx, const struct raft_entry *entries, size_t count,
                 void **results)
{
    struct counter *counter = ctx;

    (void)entries; /* every command means "one more" */
    (void)results;
    counter->count += count;
    return 0;
}

static int snapshot(void *ctx, void **image)
{
    uint64_t *copy = malloc(sizeof(*copy));

    if (copy == NULL)
        return -1;
    *copy = ((struct counter *)ctx)->count;
    *image = copy;
    return 0;
}

static int snapshot_read(void *ctx, void *image, size_t limit,
                         struct base_buf *out)
{
    (void)ctx;
    (void)limit;
    base_buf_append_u64be(out, *(uint64_t *)image);
    return 1; /* that was all */
}

static void snapshot_free(void *ctx, void *image)
{
    (void)ctx;
    free(image);
}

static int restore_begin(void *ctx)
{
    (void)ctx;
    return 0;
}

static int restore_write(void *ctx, const void *data, size_t len)
{
    struct base_cursor cursor = base_cursor_of(data, len);

    if (len > 0)
        ((struct counter *)ctx)->count = base_cursor_u64be(&cursor);
    return cursor.failed ? -1 : 0;
}

static int restore_end(void *ctx, bool ok)
{
    (void)ctx;
    return ok ? 0 : -1;
}

static const struct raft_fsm_ops fsm_ops = {.version = 1,
                                            .apply = apply,
                                            .snapshot = snapshot,
                                            .snapshot_read = snapshot_read,
                                            .snapshot_free = snapshot_free,
                                            .restore_begin = restore_begin,
                                            .restore_write = restore_write,
                                            .restore_end = restore_end};

/* ---- what the leader does ---- */

static void on_counted(void *arg, int status, raft_index index, void *result)
{
    struct counter *counter = arg;

    (void)result;
    if (status == 0)
        printf("count %" PRIu64 " (entry %" PRIu64 ")\n", counter->count,
               index);
    else
        printf("not counted: %s\n", raft_strerror(status));
}

static void on_second(void *arg)
{
    struct counter *counter = arg;

    if (counter->leads)
        (void)raft_node_propose(counter->node, "+", 1, on_counted, counter);
    base_timer_start_ms(&counter->second, 1000);
}

static void on_state(void *ctx, enum raft_role role, raft_term term,
                     const char *leader_id)
{
    struct counter *counter = ctx;

    counter->leads = role == RAFT_LEADER;
    printf("%s in term %" PRIu64 ", leader %s\n", raft_role_name(role), term,
           leader_id[0] != '\0' ? leader_id : "unknown");
    /* The first time, each server writes down who is in the cluster. */
    if (!raft_node_is_bootstrapped(counter->node))
        (void)raft_node_bootstrap(counter->node, &counter->cluster, NULL,
                                  NULL);
}

static void on_fatal(void *ctx, int err, const char *why)
{
    (void)ctx;
    fprintf(stderr, "stopped: %s (%s)\n", why, raft_strerror(err));
    exit(1);
}

/* ---- putting it together ---- */

static void must(const char *what, int err)
{
    if (err == 0)
        return;
    fprintf(stderr, "counter: %s: %s\n", what, raft_strerror(err));
    exit(1);
}

int main(int argc, char **argv)
{
    struct raft_transport_stream *transport;
    struct raft_node_config config = {0};
    struct counter counter = {0};
    struct base_loop *loop;
    struct base_addr at;
    unsigned self, i;

    setvbuf(stdout, NULL, _IOLBF, 0);
    self = argc >= 4 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    if (argc < 4 || argc > 3 + RAFT_SERVERS_MAX ||
        self >= (unsigned)argc - 3 ||
        base_addr_parse(&at, argv[3 + self], 0) < 0) {
        fprintf(stderr, "usage: counter <number> <folder> <ip:port>...\n");
        return 2;
    }
    for (i = 0; i < (unsigned)argc - 3; i++) {
        struct raft_server *server = &counter.cluster.servers[i];

        snprintf(server->id, sizeof(server->id), "c%u", i);
        snprintf(server->address, sizeof(server->address), "%s", argv[3 + i]);
    }
    counter.cluster.server_count = i;
    mkdir(argv[2], 0700);
    loop = base_loop_new("main", NULL, NULL, base_workers_new());
    config.id = counter.cluster.servers[self].id;
    must(argv[2], raft_storage_sqlite_open(base_loop_env(loop), argv[2],
                                           config.id, &config.storage, NULL));
    must(argv[3 + self], raft_transport_stream_new(base_loop_net(loop),
                                                   config.id, &at, &transport));
    config.transport = raft_transport_stream_table(transport);
    config.fsm = (struct raft_fsm){&fsm_ops, &counter};
    config.on_state = on_state;
    config.on_fatal = on_fatal;
    config.ctx = &counter;
    must("node",
         raft_node_new(base_loop_env(loop), &config, &counter.node));
    raft_transport_stream_set_node(transport, counter.node);
    base_timer_init(&counter.second, base_loop_env(loop), "second", on_second,
                    &counter);
    base_timer_start_ms(&counter.second, 1000);
    base_loop_run(loop);
    return 0;
}
