/* The stream transport in the simulator: a cluster on it, and what is not a
 * peer. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sim.h"
#include "raft/storage_memory.h"
#include "raft/transport_stream.h"
#include "suite.h"

#define SERVERS 3

struct world {
    struct base_sim *sim;
    struct base_sim_host *hosts[SERVERS];
    struct base_env *envs[SERVERS];
    struct base_addr addrs[SERVERS];
    struct raft_memory_disk *disks[SERVERS];
    struct raft_transport_stream *transports[SERVERS];
    struct raft_node *nodes[SERVERS];
    uint64_t applied[SERVERS];
};

static int apply(void *ctx, const struct raft_entry *entries, size_t count,
                 void **results)
{
    (void)entries;
    (void)results;
    *(uint64_t *)ctx += count;
    return 0;
}

static void setup_world(struct world *world)
{
    static const struct raft_fsm_ops fsm_ops = {.version = 1, .apply = apply};
    struct raft_configuration configuration = {.server_count = SERVERS};
    unsigned i;

    memset(world, 0, sizeof(*world));
    world->sim = base_sim_new(5);
    for (i = 0; i < SERVERS; i++) {
        struct raft_server *server = &configuration.servers[i];
        struct raft_node_config config = {0};
        char text[BASE_ADDR_TEXT_MAX];

        snprintf(server->id, sizeof(server->id), "s%u", i);
        snprintf(text, sizeof(text), "10.0.0.%u:7000", i + 1);
        snprintf(server->address, sizeof(server->address), "%s", text);
        base_addr_parse(&world->addrs[i], text, 0);
        world->hosts[i] =
            base_sim_host_new(world->sim, server->id, &world->addrs[i], 1);
        world->envs[i] = base_sim_host_env(world->hosts[i], "main");
        world->disks[i] = raft_memory_disk_new();
        ck_assert_int_eq(
            raft_transport_stream_new(
                base_sim_host_net(world->hosts[i], world->envs[i]), server->id,
                &world->addrs[i], &world->transports[i]),
            0);
        config.id = server->id;
        config.storage =
            raft_storage_memory_open(world->envs[i], world->disks[i]);
        config.transport = raft_transport_stream_table(world->transports[i]);
        config.fsm = (struct raft_fsm){&fsm_ops, &world->applied[i]};
        ck_assert_int_eq(
            raft_node_new(world->envs[i], &config, &world->nodes[i]), 0);
        raft_transport_stream_set_node(world->transports[i], world->nodes[i]);
    }
    base_sim_run_for_ms(world->sim, 100);
    for (i = 0; i < SERVERS; i++)
        ck_assert_int_eq(raft_node_bootstrap(world->nodes[i], &configuration,
                                             NULL, NULL),
                         0);
    base_sim_run_for_ms(world->sim, 8000);
}

static void teardown_world(struct world *world)
{
    unsigned i;

    for (i = 0; i < SERVERS; i++) {
        base_sim_host_crash(world->hosts[i]);
        raft_node_free(world->nodes[i]);
        raft_transport_stream_free(world->transports[i]);
        raft_memory_disk_free(world->disks[i]);
    }
    base_sim_free(world->sim);
}

static int leader_of(const struct world *world)
{
    struct raft_status status;
    unsigned i;

    for (i = 0; i < SERVERS; i++) {
        raft_node_status(world->nodes[i], &status);
        if (status.role == RAFT_LEADER)
            return (int)i;
    }
    return -1;
}

static void commit_some(struct world *world, uint64_t more)
{
    int leader = leader_of(world);
    uint64_t want[SERVERS];
    unsigned i;

    ck_assert_int_ge(leader, 0);
    for (i = 0; i < SERVERS; i++)
        want[i] = world->applied[i] + more;
    for (i = 0; i < more; i++)
        ck_assert_int_eq(raft_node_propose(world->nodes[leader], "x", 1, NULL,
                                           NULL),
                         0);
    base_sim_run_for_ms(world->sim, 2000);
    for (i = 0; i < SERVERS; i++)
        ck_assert_uint_eq(world->applied[i], want[i]);
}

START_TEST(a_cluster_works_on_streams)
{
    struct world world;

    setup_world(&world);
    commit_some(&world, 500);
    teardown_world(&world);
}
END_TEST

/* What a stranger writes, and that the connection ends by it. */
static const struct {
    const char *bytes;
    size_t len;
} strangers[] = {
    {"GET / HTTP/1.1\r\n\r\n", 18},
    {"isthrft1\x00\x00", 10},                    /* nobody */
    {"isthrft1\xff\xff", 10},                    /* an id that is too long */
    {"isthrft1\x00\x02s9\xff\xff\xff\xff", 16},  /* a frame of 4 GiB */
};

struct stranger {
    size_t which;
    struct base_stream *stream;
    bool closed;
};

static void on_closed(void *arg, int err)
{
    (void)err;
    ((struct stranger *)arg)->closed = true;
}

static void on_dialled(void *arg, int status, struct base_stream *stream)
{
    static const struct base_stream_events events = {.on_closed = on_closed};
    struct stranger *stranger = arg;

    ck_assert_int_eq(status, 0);
    stranger->stream = stream;
    base_stream_set_events(stream, &events, stranger);
    base_stream_write(stream, strangers[stranger->which].bytes,
                      strangers[stranger->which].len);
}

START_TEST(who_is_no_peer_is_hung_up_on)
{
    struct stranger stranger = {.which = (size_t)_i};
    struct base_sim_host *host;
    struct base_net *net;
    struct base_addr addr;
    struct world world;

    setup_world(&world);
    base_addr_parse(&addr, "10.0.0.9:1", 0);
    host = base_sim_host_new(world.sim, "stranger", &addr, 1);
    net = base_sim_host_net(host, base_sim_host_env(host, "main"));
    ck_assert_int_eq(base_net_dial(net, &world.addrs[0], NULL, 1000,
                                   on_dialled, &stranger, NULL),
                     0);
    base_sim_run_for_ms(world.sim, 500);
    ck_assert(stranger.closed);
    base_stream_close(stranger.stream);
    commit_some(&world, 5);
    teardown_world(&world);
}
END_TEST

Suite *transport_stream_suite(void)
{
    Suite *suite = suite_create("transport_stream");
    TCase *tcase = tcase_create("transport_stream");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_cluster_works_on_streams);
    tcase_add_loop_test(tcase, who_is_no_peer_is_hung_up_on, 0,
                        (int)BASE_COUNT_OF(strangers));
    suite_add_tcase(suite, tcase);
    return suite;
}
