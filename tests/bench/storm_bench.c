/*
 * A storm of push/pulls at one node: thousands of peers at once, each with the
 * state of a whole pool, plain, compressed and encrypted, fast and slow at both
 * ends. The node is a process of its own on loopback; told are its peak memory,
 * how long pings wait meanwhile, and whether an honest member still gets its
 * push/pull through and the node is well afterwards.
 *
 *   storm-bench [-exchanges N] [-members N] [-meta B] [-seconds S] [-case N]
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "gossip/memberlist.h"
#include "gossip/net_transport.h"

#define KEY "0123456789abcdef"
#define SAMPLES_MAX 100000u
#define PROBERS 50u     /* members that ping the node all the while, each */
#define PROBE_MS 2000u  /* so often, and waits as long for its ack */
#define RETRY_MS 1000u
#define SLOW_BYTES (64u * 1024) /* a slow peer moves so much ... */
#define SLOW_MS 100u            /* ... so often */

struct options {
    unsigned exchanges, members, meta, seconds;
    int only; /* a case, or -1 */
};

static const struct storm_case {
    const char *name;
    bool compressed, encrypted, slow;
} cases[] = {
    {"plain, fast", false, false, false},
    {"plain, slow", false, false, true},
    {"compressed, fast", true, false, false},
    {"compressed, slow", true, false, true},
    {"encrypted, fast", true, true, false},
    {"encrypted, slow", true, true, true},
};

struct storm;

/* One peer of the storm. */
struct peer {
    struct storm *storm;
    struct base_stream *stream;
    struct base_timer timer; /* the next slow step, or the next try */
    size_t written;
    size_t got;
    bool served;
};

/* A member that means well. */
struct honest {
    struct gossip_net_transport *transport;
    struct gossip_memberlist *memberlist;
    char name[24];
};

struct latencies {
    uint64_t ns[SAMPLES_MAX];
    size_t count;
};

/* What the pinging process says. */
struct pings {
    size_t count;
    double p50_ms, p99_ms, max_ms;
};

struct storm {
    const struct storm_case *what;
    struct options options;
    struct base_loop *loop;
    struct base_env *env;
    struct base_net *net;
    struct base_addr server;
    struct base_buf body; /* what a peer writes, as its stream carries it */
    struct peer *peers;
    unsigned served, refused;
    bool over;

    struct gossip_keyring *keyring;
    struct honest honest; /* wants a push/pull in the middle of it */
    uint64_t honest_since_ns, honest_ns;
    struct base_timer honest_timer;
};

static struct gossip_params params_of(const struct storm_case *what)
{
    struct gossip_params params = gossip_params_lan;

    params.compression = what->compressed;
    return params;
}

static struct gossip_keyring *keyring_of(const struct storm_case *what)
{
    struct gossip_keyring *keyring;

    if (!what->encrypted)
        return NULL;
    keyring = gossip_keyring_new();
    (void)gossip_keyring_add(keyring, KEY, 16);
    return keyring;
}

/* ---- the node under the storm: a process of its own ---- */

static void serve(const struct storm_case *what, int out)
{
    struct base_workers *workers = base_workers_new();
    struct base_loop *loop = base_loop_new("node", NULL, NULL, workers);
    struct gossip_memberlist_config config = {0};
    struct gossip_net_transport *transport;
    struct gossip_memberlist *memberlist;
    struct base_addr bind;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    base_addr_parse_ip(&bind, "127.0.0.1");
    if (gossip_net_transport_new(base_loop_net(loop), &bind, &transport) < 0)
        _exit(1);
    gossip_net_transport_addr(transport, &bind);
    config.name = "node";
    config.advertise = bind;
    config.params = params_of(what);
    config.keyring = keyring_of(what);
    config.transport = gossip_net_transport_ops(transport);
    if (gossip_memberlist_new(base_loop_env(loop), &config, &memberlist) < 0)
        _exit(1);
    gossip_net_transport_attach(transport, memberlist);
    if (write(out, &bind.port, sizeof(bind.port)) != sizeof(bind.port))
        _exit(1);
    base_loop_run(loop);
    _exit(0);
}

static double peak_mib(pid_t pid)
{
    char path[64], line[256];
    double kib = 0;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "VmHWM: %lf", &kib) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kib / 1024;
}

/* ---- the bytes of a peer: a member with a full list begins a push/pull, and
 *      its stream ends with us ---- */

struct capture {
    struct base_loop *loop;
    struct base_addr at;
    struct base_listener *listener;
    struct base_stream *stream;
    struct base_buf *body;
    uint64_t last_ns;
    bool connected;
};

static void on_captured(void *arg)
{
    struct capture *capture = arg;

    base_buf_append(capture->body, base_stream_data(capture->stream),
                    base_stream_len(capture->stream));
    base_stream_consume(capture->stream, base_stream_len(capture->stream));
    capture->last_ns = base_env_now_ns(base_loop_env(capture->loop));
}

static const struct base_stream_events capture_events = {on_captured, NULL,
                                                         NULL};

static void on_capture(void *arg, struct base_stream *stream)
{
    struct capture *capture = arg;

    capture->stream = stream;
    capture->connected = true;
    base_stream_set_events(stream, &capture_events, capture);
}

/* The peer writes all it has and then waits: half a second of silence. */
static bool is_captured(void *arg)
{
    const struct capture *capture = arg;
    uint64_t now_ns = base_env_now_ns(base_loop_env(capture->loop));

    return base_buf_len(capture->body) > 0 &&
           now_ns - capture->last_ns > 500000000u;
}

static void put_str(struct base_buf *out, const char *text)
{
    base_buf_append_u8(out, (uint8_t)(0xa0 + strlen(text)));
    base_buf_append(out, text, strlen(text));
}

/* An alive message, by hand: this program knows public headers only. */
static void put_alive(struct base_buf *out, unsigned number, unsigned meta)
{
    uint8_t ip[4] = {127, 200, (uint8_t)(number >> 8), (uint8_t)number};
    char name[32];
    unsigned i;

    snprintf(name, sizeof(name), "member-%u", number);
    base_buf_append(out, "\x04\x86", 2);
    put_str(out, "Addr");
    base_buf_append_u8(out, 0xa4);
    base_buf_append(out, ip, 4);
    put_str(out, "Incarnation");
    base_buf_append_u8(out, 1);
    put_str(out, "Meta");
    base_buf_append_u8(out, 0xda);
    base_buf_append_u16be(out, (uint16_t)meta);
    for (i = 0; i < meta; i++) /* tags differ from node to node */
        base_buf_append_u8(out, i % 4 == 0 ? (uint8_t)(number * (i + 7) >> 3)
                                           : (uint8_t)'r');
    put_str(out, "Node");
    put_str(out, name);
    put_str(out, "Port");
    base_buf_append(out, "\xcd\x1f\x0a", 3);
    put_str(out, "Vsn");
    base_buf_append(out, "\xa6\x01\x05\x02\x00\x00\x00", 7);
}

static int silent_send(void *ctx, const struct gossip_peer *to,
                       const void *data, size_t len)
{
    (void)ctx;
    (void)to;
    (void)data;
    (void)len;
    return 0;
}

static void make_body(struct storm *storm)
{
    struct gossip_memberlist_config config = {0};
    struct gossip_net_transport *transport;
    struct gossip_transport_ops ops;
    struct gossip_memberlist *memberlist;
    struct capture capture = {storm->loop, {0}, NULL, NULL, &storm->body,
                              0, false};
    struct gossip_peer peer = {"", {0}};
    struct base_addr bind;
    unsigned i;

    base_addr_parse_ip(&bind, "127.0.0.1");
    if (gossip_net_transport_new(storm->net, &bind, &transport) < 0 ||
        base_net_listen(storm->net, &bind, on_capture, &capture,
                        &capture.listener) < 0)
        exit(1);
    base_net_listener_addr(storm->net, capture.listener, &peer.addr);
    gossip_net_transport_addr(transport, &config.advertise);
    config.name = "storm";
    config.params = params_of(storm->what);
    config.params.probe_interval_ms = 0;
    config.params.gossip_interval_ms = 0;
    config.params.push_pull_interval_ms = 0;
    config.params.verify_incoming = false;
    config.params.handoff_queue_depth = storm->options.members + 1;
    config.keyring = storm->keyring;
    config.transport = gossip_net_transport_ops(transport);
    ops = *config.transport.ops;
    ops.send_packet = silent_send;
    config.transport.ops = &ops;
    if (gossip_memberlist_new(storm->env, &config, &memberlist) < 0)
        exit(1);
    for (i = 0; i < storm->options.members; i++) {
        struct base_buf packet = BASE_BUF_INIT;

        put_alive(&packet, i, storm->options.meta);
        gossip_packet_in(memberlist, &bind, base_buf_data(&packet),
                         base_buf_len(&packet));
        base_buf_close(&packet);
    }
    base_loop_run_until(storm->loop, is_captured, &capture, 300);
    if (gossip_memberlist_count(memberlist) != storm->options.members + 1)
        exit(1);
    (void)gossip_memberlist_join(memberlist, &peer, NULL, NULL);
    base_loop_run_until(storm->loop, is_captured, &capture, 20000);
    if (capture.stream != NULL)
        base_stream_close(capture.stream);
    base_net_listener_close(storm->net, capture.listener);
    gossip_memberlist_free(memberlist);
    gossip_net_transport_free(transport);
}

/* ---- the peers ---- */

static void peer_try(struct peer *peer);

static void peer_retry(struct peer *peer)
{
    if (peer->stream != NULL)
        base_stream_close(peer->stream);
    peer->stream = NULL;
    base_timer_start_ms(&peer->timer, RETRY_MS);
}

static void peer_write(struct peer *peer)
{
    const struct base_buf *body = &peer->storm->body;
    size_t left = base_buf_len(body) - peer->written;
    size_t len = left < SLOW_BYTES ? left : SLOW_BYTES;

    if (len == 0 || base_stream_pending(peer->stream) > 0)
        return;
    if (base_stream_write(peer->stream, base_buf_data(body) + peer->written,
                          len) == 0)
        peer->written += len;
}

static void peer_read(struct peer *peer)
{
    size_t len = base_stream_len(peer->stream);

    if (peer->storm->what->slow && len > SLOW_BYTES)
        len = SLOW_BYTES;
    /* An error message is short; a state is not. */
    peer->got += len;
    if (!peer->served && peer->got > 4096) {
        peer->served = true;
        peer->storm->served++;
    }
    base_stream_consume(peer->stream, len);
}

static void on_peer_timer(void *arg)
{
    struct peer *peer = arg;

    if (peer->stream == NULL) {
        peer_try(peer);
        return;
    }
    peer_write(peer);
    peer_read(peer);
    base_timer_start_ms(&peer->timer, SLOW_MS);
}

static void on_peer_readable(void *arg)
{
    struct peer *peer = arg;

    if (!peer->storm->what->slow)
        peer_read(peer);
}

static void on_peer_drained(void *arg)
{
    struct peer *peer = arg;

    if (!peer->storm->what->slow)
        peer_write(peer);
}

static void on_peer_closed(void *arg, int err)
{
    struct peer *peer = arg;

    (void)err;
    if (!peer->served) {
        peer->storm->refused++;
        peer_retry(peer);
        return;
    }
    base_timer_stop(&peer->timer);
    base_stream_close(peer->stream);
    peer->stream = NULL;
}

static const struct base_stream_events peer_events = {
    on_peer_readable, on_peer_drained, on_peer_closed};

static void on_peer_dialled(void *arg, int status, struct base_stream *stream)
{
    struct peer *peer = arg;

    if (status < 0) {
        peer_retry(peer);
        return;
    }
    peer->stream = stream;
    peer->written = 0;
    peer->got = 0;
    base_stream_set_in_limit(stream, SLOW_BYTES);
    base_stream_set_events(stream, &peer_events, peer);
    peer_write(peer);
    if (peer->storm->what->slow)
        base_timer_start_ms(&peer->timer, SLOW_MS);
}

static void peer_try(struct peer *peer)
{
    struct storm *storm = peer->storm;

    if (base_net_dial(storm->net, &storm->server, NULL, 10000,
                      on_peer_dialled, peer, NULL) < 0)
        base_timer_start_ms(&peer->timer, RETRY_MS);
}

/* ---- the honest member's push/pull ---- */

static void on_honest_done(void *arg, int status)
{
    struct storm *storm = arg;
    uint64_t now_ns = base_env_now_ns(storm->env);

    if (status == 0)
        storm->honest_ns = now_ns - storm->honest_since_ns;
    else
        base_timer_start_ms(&storm->honest_timer, 200);
}

static void on_honest_timer(void *arg)
{
    struct storm *storm = arg;
    struct gossip_peer peer = {"node", storm->server};

    if (storm->honest_since_ns == 0)
        storm->honest_since_ns = base_env_now_ns(storm->env);
    if (gossip_memberlist_join(storm->honest.memberlist, &peer,
                               on_honest_done, storm) < 0)
        base_timer_start_ms(&storm->honest_timer, 200);
}

static bool are_served(void *arg)
{
    const struct storm *storm = arg;

    return storm->served == storm->options.exchanges &&
           storm->honest_ns > 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static double percentile_ms(struct latencies *latencies, unsigned percent)
{
    if (latencies->count == 0)
        return -1;
    qsort(latencies->ns, latencies->count,
          sizeof(latencies->ns[0]), compare);
    return (double)latencies->ns[(latencies->count - 1) * percent /
                                       100] / 1e6;
}

/* ---- those who ping: a process of its own, so that they measure the node and
 *      not the storm's own work ---- */

static void on_ping_complete(void *ctx, const struct gossip_node *node,
                             uint64_t rtt_ns, const void *payload, size_t len)
{
    struct latencies *latencies = ctx;

    (void)payload;
    (void)len;
    if (latencies != NULL && strcmp(node->name, "node") == 0 &&
        latencies->count < SAMPLES_MAX)
        latencies->ns[latencies->count++] = rtt_ns;
}

static int on_alive(void *ctx, const struct gossip_node *node)
{
    (void)ctx;
    /* They care for the node alone, or they would probe each other, and the
     * storm's inventions. */
    return strcmp(node->name, "node") != 0;
}

static const struct gossip_delegate honest_hooks = {
    .version = 1, .on_ping_complete = on_ping_complete, .on_alive = on_alive};

static void start_honest(struct honest *honest, struct base_loop *loop,
                         const struct storm_case *what, unsigned number,
                         struct gossip_keyring *keyring,
                         struct latencies *latencies)
{
    struct gossip_memberlist_config config = {0};
    struct base_addr bind;

    base_addr_parse_ip(&bind, "127.0.0.1");
    if (gossip_net_transport_new(base_loop_net(loop), &bind,
                                 &honest->transport) < 0)
        exit(1);
    gossip_net_transport_addr(honest->transport, &config.advertise);
    snprintf(honest->name, sizeof(honest->name), "honest-%u", number);
    config.name = honest->name;
    config.params = params_of(what);
    config.params.probe_interval_ms = PROBE_MS;
    config.params.probe_timeout_ms = PROBE_MS;
    config.params.awareness_max_multiplier = 1;
    config.params.suspicion_mult = 1000;
    config.params.push_pull_interval_ms = 0;
    config.params.gossip_interval_ms = 0;
    config.params.stream_pings = false;
    config.keyring = keyring;
    config.transport = gossip_net_transport_ops(honest->transport);
    config.delegate = &honest_hooks;
    config.delegate_ctx = latencies;
    if (gossip_memberlist_new(base_loop_env(loop), &config,
                              &honest->memberlist) < 0)
        exit(1);
    gossip_net_transport_attach(honest->transport, honest->memberlist);
}

static void on_joined(void *arg, int status)
{
    *(unsigned *)arg += status == 0;
}

static bool all_joined(void *arg)
{
    return *(unsigned *)arg == PROBERS;
}

static bool is_told(void *arg)
{
    struct pollfd told = {*(int *)arg, POLLIN, 0};

    return poll(&told, 1, 0) != 0;
}

static void report(struct latencies *latencies, int out)
{
    struct pings pings = {0};

    pings.count = latencies->count;
    pings.p50_ms = percentile_ms(latencies, 50);
    pings.p99_ms = percentile_ms(latencies, 99);
    pings.max_ms = percentile_ms(latencies, 100);
    latencies->count = 0;
    if (write(out, &pings, sizeof(pings)) != sizeof(pings))
        _exit(1);
}

/* Pings until told once, and again: two reports, of the storm and of after. */
static void ping(const struct storm_case *what, const struct base_addr *node,
                 int in, int out)
{
    struct base_workers *workers = base_workers_new();
    struct base_loop *loop = base_loop_new("ping", NULL, NULL, workers);
    struct gossip_keyring *keyring = keyring_of(what);
    struct gossip_peer peer = {"node", *node};
    struct latencies *latencies;
    struct honest honest[PROBERS];
    unsigned joined = 0, i;
    char byte = 1;
    int round;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    BASE_NEW(latencies);
    for (i = 0; i < PROBERS; i++) {
        start_honest(&honest[i], loop, what, i, keyring, latencies);
        (void)gossip_memberlist_join(honest[i].memberlist, &peer, on_joined,
                                     &joined);
    }
    base_loop_run_until(loop, all_joined, &joined, 10000);
    latencies->count = 0;
    if (write(out, &byte, 1) != 1)
        _exit(1);
    for (round = 0; round < 2; round++) {
        /* Asked after each event; the probers see to it that there are some. */
        base_loop_run_until(loop, is_told, &in, 600000);
        if (read(in, &byte, 1) != 1)
            _exit(1);
        report(latencies, out);
    }
    _exit(0);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static struct pings ask_pings(int in, int out)
{
    struct pings pings = {0};

    if (write(out, "", 1) != 1 ||
        read(in, &pings, sizeof(pings)) != sizeof(pings))
        exit(1);
    return pings;
}

static void run_storm(struct storm *storm)
{
    unsigned i;

    start_honest(&storm->honest, storm->loop, storm->what, PROBERS,
                 storm->keyring, NULL);
    base_timer_init(&storm->honest_timer, storm->env, "honest",
                    on_honest_timer, storm);
    storm->peers = base_calloc(storm->options.exchanges,
                               sizeof(*storm->peers));
    for (i = 0; i < storm->options.exchanges; i++) {
        storm->peers[i].storm = storm;
        base_timer_init(&storm->peers[i].timer, storm->env, "peer",
                        on_peer_timer, &storm->peers[i]);
        peer_try(&storm->peers[i]);
    }
    base_timer_start_ms(&storm->honest_timer, 1000);
    base_loop_run_until(storm->loop, are_served, storm,
                        storm->options.seconds * 1000);
}

static void end_storm(struct storm *storm)
{
    unsigned i;

    for (i = 0; i < storm->options.exchanges; i++) {
        base_timer_stop(&storm->peers[i].timer);
        if (storm->peers[i].stream != NULL)
            base_stream_close(storm->peers[i].stream);
    }
    base_timer_stop(&storm->honest_timer);
    base_loop_run_until(storm->loop, never, NULL, 4000);
}

static double cpu_s(pid_t pid)
{
    unsigned long user = 0, system = 0;
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%*d %*s %*s %*d %*d %*d %*d %*d %*d %*d %*d %*d "
                         "%*d %lu %lu", &user, &system) != 2)
            user = 0;
        fclose(file);
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void print_case(const struct storm *storm, pid_t node,
                       double elapsed_s, const struct pings *during,
                       const struct pings *after)
{
    printf("| %s | %.1f | %zu | %.1f | %.1f | %.1f | %u | %u | %.1f | %.1f | "
           "%.1f | %.1f |\n",
           storm->what->name, peak_mib(node), during->count, during->p50_ms,
           during->p99_ms, during->max_ms, storm->served,
           storm->refused, elapsed_s, cpu_s(node),
           storm->honest_ns > 0 ? (double)storm->honest_ns / 1e9 : -1.0,
           after->p99_ms);
    fflush(stdout);
}

static pid_t start_node(const struct storm_case *what, struct base_addr *addr)
{
    int pipes[2];
    pid_t node;

    if (pipe(pipes) < 0)
        exit(1);
    node = fork();
    if (node == 0)
        serve(what, pipes[1]);
    base_addr_parse_ip(addr, "127.0.0.1");
    if (node < 0 ||
        read(pipes[0], &addr->port, sizeof(addr->port)) != sizeof(addr->port))
        exit(1);
    close(pipes[0]);
    close(pipes[1]);
    return node;
}

/* Both loops start after the forks: a loop has threads. */
static void run_case(const struct storm_case *what,
                     const struct options *options)
{
    struct pings during, after;
    struct storm storm = {0};
    int to[2], from[2];
    uint64_t start_ns;
    double elapsed_s;
    char byte;
    pid_t node, pinger;

    node = start_node(what, &storm.server);
    if (pipe(to) < 0 || pipe(from) < 0)
        exit(1);
    pinger = fork();
    if (pinger == 0)
        ping(what, &storm.server, to[0], from[1]);
    if (pinger < 0 || read(from[0], &byte, 1) != 1)
        exit(1);
    storm.what = what;
    storm.options = *options;
    storm.loop = base_loop_new("storm", NULL, NULL, base_workers_new());
    storm.env = base_loop_env(storm.loop);
    storm.net = base_loop_net(storm.loop);
    storm.keyring = keyring_of(what);
    make_body(&storm);
    start_ns = base_env_now_ns(storm.env);
    run_storm(&storm);
    elapsed_s = (double)(base_env_now_ns(storm.env) - start_ns) / 1e9;
    during = ask_pings(from[0], to[1]);
    end_storm(&storm);
    after = ask_pings(from[0], to[1]);
    print_case(&storm, node, elapsed_s, &during, &after);
    kill(node, SIGKILL);
    kill(pinger, SIGKILL);
    waitpid(node, NULL, 0);
    waitpid(pinger, NULL, 0);
}

static void parse(int argc, char **argv, struct options *options)
{
    int i;

    for (i = 1; i + 1 < argc; i += 2) {
        unsigned value = (unsigned)strtoul(argv[i + 1], NULL, 10);

        if (strcmp(argv[i], "-exchanges") == 0)
            options->exchanges = value;
        else if (strcmp(argv[i], "-members") == 0)
            options->members = value;
        else if (strcmp(argv[i], "-meta") == 0)
            options->meta = value;
        else if (strcmp(argv[i], "-seconds") == 0)
            options->seconds = value;
        else if (strcmp(argv[i], "-case") == 0)
            options->only = (int)value;
    }
}

int main(int argc, char **argv)
{
    struct options options = {3000, 10000, 200, 60, -1};
    struct rlimit files = {16384, 16384};
    size_t i;

    parse(argc, argv, &options);
    (void)setrlimit(RLIMIT_NOFILE, &files);
    printf("%u push/pulls of %u members with %u B of tags, at one node, for "
           "at most %u s.\n\n", options.exchanges, options.members,
           options.meta, options.seconds);
    printf("| storm | peak MiB | pings | p50, ms | p99, ms | max, ms | served "
           "| refused, to come again | s | CPU s | honest member through, s | "
           "p99 after, ms |\n"
           "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: "
           "| --: |\n");
    for (i = 0; i < BASE_COUNT_OF(cases); i++) {
        int status = 0;
        pid_t child;

        if (options.only >= 0 && (size_t)options.only != i)
            continue;
        fflush(stdout);
        child = fork(); /* each case starts with fresh memory and files */
        if (child == 0) {
            run_case(&cases[i], &options);
            _exit(0); /* loop and peers end with it */
        }
        waitpid(child, &status, 0);
        if (status != 0)
            return 1;
    }
    return 0;
}
