/*
 * A node at rest in a large pool, live: what it costs its machine when nothing
 * happens. The node is this process; all others are another one, real nodes
 * each, on loopback addresses of their own, with LAN parameters. The same in
 * virtual time: tests/sim/gossip_calm_sim.c.
 *
 *   rest-bench [-nodes N] [-seconds S]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "gossip/memberlist.h"
#include "gossip/net_transport.h"

#define PORT 17946
#define WARM_MS 30000u /* all announce themselves; the news runs out */
#define META "role=server,dc=eu1,build=1.2.3:0123abcd,id=7e9b1f2c-4d5a"

static const uint8_t vsn[6] = {1, 5, 2, 0, 0, 0};

/* Everybody, as everybody knows them from the start. */
static struct gossip_node *pool_of(size_t count)
{
    struct gossip_node *known = base_calloc(count, sizeof(*known));
    size_t i;

    for (i = 0; i < count; i++) {
        const uint8_t ip[4] = {127, 9, (uint8_t)(i >> 8), (uint8_t)i};

        known[i].name = base_asprintf("node-%zu.eu1", i);
        base_addr_from_ip(&known[i].addr, ip, 4, PORT);
        known[i].meta = (const uint8_t *)META;
        known[i].meta_len = strlen(META);
        known[i].incarnation = 1;
        memcpy(known[i].vsn, vsn, sizeof(vsn));
    }
    return known;
}

static struct gossip_memberlist *start(struct base_loop *loop,
                                       struct gossip_records *records,
                                       const struct gossip_node *known,
                                       size_t count, size_t index)
{
    const struct gossip_node *self = &known[index];
    struct gossip_memberlist_config config = {0};
    struct gossip_net_transport *transport;
    struct gossip_memberlist *ml;

    if (gossip_net_transport_new(base_loop_net(loop), &self->addr, &transport) <
        0) {
        fprintf(stderr, "rest-bench: no socket for %s (ulimit -n)\n",
                self->name);
        exit(1);
    }
    config.name = self->name;
    config.advertise = self->addr;
    config.meta = self->meta;
    config.meta_len = self->meta_len;
    config.params = gossip_params_lan;
    config.transport = gossip_net_transport_ops(transport);
    config.records = records;
    if (gossip_memberlist_new(base_loop_env(loop), &config, &ml) < 0)
        exit(1);
    gossip_net_transport_attach(transport, ml);
    (void)gossip_memberlist_restore(ml, known, count);
    return ml;
}

static struct base_loop *new_loop(const char *name)
{
    return base_loop_new(name, NULL, NULL, base_workers_new());
}

/* All but the first, until this process is killed. */
static void be_the_others(const struct gossip_node *known, size_t count,
                          int ready)
{
    struct base_loop *loop = new_loop("others");
    struct gossip_records *records = gossip_records_new(1);
    size_t i;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (i = 1; i < count; i++)
        (void)start(loop, records, known, count, i);
    if (write(ready, "", 1) == 1)
        base_loop_run(loop);
    exit(0);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static double cpu_us(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1e6 +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void measure(const struct gossip_node *known, size_t count,
                    unsigned seconds)
{
    struct base_loop *loop = new_loop("node");
    struct base_metrics *metrics = base_metrics_new();
    struct base_counter *sent, *got;
    struct gossip_memberlist *ml;
    struct rusage before, after;
    uint64_t packets;

    base_loop_env(loop)->metrics = metrics;
    ml = start(loop, NULL, known, count, 0);
    sent = base_metrics_counter(metrics, "isthmus.memberlist.packets_sent",
                                NULL, NULL);
    got = base_metrics_counter(metrics, "isthmus.memberlist.packets_received",
                               NULL, NULL);
    base_loop_run_until(loop, never, NULL, WARM_MS);
    packets = base_counter_value(sent) + base_counter_value(got);
    getrusage(RUSAGE_SELF, &before);
    base_loop_run_until(loop, never, NULL, seconds * 1000);
    getrusage(RUSAGE_SELF, &after);
    packets = base_counter_value(sent) + base_counter_value(got) - packets;
    printf("members  alive  packets/s  CPU us/s  %% of a core  RSS MiB\n"
           "%7zu %6zu %10.1f %9.0f %12.3f %8.1f\n",
           count, gossip_memberlist_alive_count(ml), (double)packets / seconds,
           (cpu_us(&after) - cpu_us(&before)) / seconds,
           (cpu_us(&after) - cpu_us(&before)) / seconds / 1e4,
           (double)after.ru_maxrss / 1024);
}

int main(int argc, char **argv)
{
    size_t count = 2500;
    unsigned seconds = 30;
    struct gossip_node *known;
    struct rlimit files;
    int pipes[2], i;
    pid_t others;
    char byte;

    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "-nodes") == 0)
            count = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "-seconds") == 0)
            seconds = (unsigned)strtoul(argv[i + 1], NULL, 10);
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max; /* two sockets a node */
    setrlimit(RLIMIT_NOFILE, &files);
    known = pool_of(count);
    if (pipe(pipes) < 0 || (others = fork()) < 0)
        return 1;
    if (others == 0)
        be_the_others(known, count, pipes[1]);
    close(pipes[1]);
    if (read(pipes[0], &byte, 1) != 1)
        return 1;
    measure(known, count, seconds);
    kill(others, SIGKILL);
    return 0;
}
