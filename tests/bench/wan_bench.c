/*
 * WAN packets of 512 B between two servers in one process, each with a loop and
 * a thread of its own, over real TLS on loopback: on one reused connection,
 * directly and through two gateways (each a thread too), against a new TLS
 * connection for every packet; and how long a lone packet takes. Processor time
 * counts both ends and, where there are any, the gateways.
 *
 *   wan-bench [-seconds 3]      prints a markdown table
 *
 * tests/bench/peers/wanfed measures the same with Go's standard library.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "gateway/proxy.h"
#include "gossip/net_transport.h"
#include "rpc/listener.h"
#include "rpc/tls.h"
#include "wanfed/transport.h"

#define PACKET_BYTES 512
#define USER_MESSAGE 8    /* memberlist's type byte */
#define WAITING_MAX 1024u /* packets that the sender lets wait */
#define BURST 128
#define LONE_EVERY_US 2000
#define LONE_MAX 20000

/* ---- a loop in a thread --------------------------------------------------- */

struct place {
    struct base_metrics *metrics;
    struct base_workers *workers;
    struct base_loop *loop;
    struct base_env *env;
    struct base_net *net;
    pthread_t thread;
};

static const struct base_log silent;

static void die(const char *what)
{
    fprintf(stderr, "wan-bench: %s\n", what);
    exit(1);
}

static void place_open(struct place *place, const char *name)
{
    place->metrics = base_metrics_new();
    place->workers = base_workers_new();
    place->loop = base_loop_new(name, &silent, place->metrics, place->workers);
    if (place->loop == NULL)
        die("no loop");
    place->env = base_loop_env(place->loop);
    place->net = base_loop_net(place->loop);
}

static void *place_run(void *arg)
{
    base_loop_run(((struct place *)arg)->loop);
    return NULL;
}

static void place_start(struct place *place)
{
    if (pthread_create(&place->thread, NULL, place_run, place) != 0)
        die("no thread");
}

static void place_stop(struct place *place)
{
    base_loop_stop(place->loop);
    pthread_join(place->thread, NULL);
    base_loop_drain(place->loop);
}

static void place_close(struct place *place)
{
    base_loop_free(place->loop);
    base_workers_free(place->workers);
    base_metrics_free(place->metrics);
}

/* ---- a server ------------------------------------------------------------- */

struct server {
    struct place place;
    const char *dc;
    struct rpc_tls *tls;
    struct rpc_secure secure;
    struct rpc_listener *listener;
    struct base_addr at;
    struct rpc_dialer *dialer;
    struct gossip_net_transport *inner;
    struct wanfed_transport *wan;
    struct gossip_memberlist *memberlist;
    struct base_addr gateway; /* where it dials other datacenters */
};

static char folder[] = "/tmp/isthmus-wan-bench-XXXXXX";

/* What lone packets took, as the receiver sees. */
static double lone_us[LONE_MAX];
static atomic_size_t lone_count;
static atomic_bool lone;

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void on_message(void *ctx, const void *data, size_t len)
{
    uint64_t sent_ns;
    size_t at = atomic_load(&lone_count);

    (void)ctx;
    if (!atomic_load(&lone) || at == LONE_MAX || len < sizeof(sent_ns))
        return;
    memcpy(&sent_ns, data, sizeof(sent_ns));
    lone_us[at] = (double)(now_ns() - sent_ns) / 1e3;
    atomic_store(&lone_count, at + 1);
}

static const struct gossip_delegate delegate = {.version = 1,
                                                .on_message = on_message};

static int pick(void *ctx, const char *dc, const struct base_addr *avoid,
                struct base_addr *gateway)
{
    (void)dc;
    (void)avoid;
    *gateway = ((struct server *)ctx)->gateway;
    return 0;
}

static void report(void *ctx, const char *dc, const struct base_addr *gateway,
                   int status)
{
    (void)ctx;
    (void)dc;
    (void)gateway;
    if (status < 0)
        fprintf(stderr, "wan-bench: dial: %d\n", status);
}

static const struct rpc_gateway_ops gateway_ops = {
    .version = 2, .pick = pick, .report = report};

static void accept_packets(void *arg, struct base_stream *stream,
                           const struct rpc_peer *peer)
{
    wanfed_accept_packets(((struct server *)arg)->wan, stream, peer);
}

static struct base_addr loopback(void)
{
    struct base_addr addr;

    base_addr_parse_ip(&addr, "127.0.0.1");
    addr.port = 0;
    return addr;
}

static void open_tls(struct server *server)
{
    char *ca = base_asprintf("%s/consul-agent-ca.pem", folder);
    char *cert = base_asprintf("%s/%s-server-consul-0.pem", folder, server->dc);
    char *key =
        base_asprintf("%s/%s-server-consul-0-key.pem", folder, server->dc);
    struct rpc_tls_config tls = {ca, cert, key, true, true};
    char *why = NULL;

    if (rpc_tls_new(&tls, server->place.env, &server->tls, &why) != 0)
        die(why);
    server->secure = rpc_tls_secure(server->tls);
    base_free(ca);
    base_free(cert);
    base_free(key);
}

static void open_port(struct server *server)
{
    struct rpc_listener_config listener = {.addr = loopback(),
                                           .datacenter = server->dc,
                                           .domain = "consul",
                                           .secure = &server->secure,
                                           .verify_incoming = true,
                                           .federation = true,
                                           .connections_per_name = 100000,
                                           .accepts_per_second = 1000000};
    struct rpc_dialer_config dialer = {.datacenter = server->dc,
                                       .domain = "consul",
                                       .secure = &server->secure,
                                       .federation = true,
                                       .verify_server_hostname = true,
                                       .gateways = &gateway_ops,
                                       .gateways_ctx = server};

    if (rpc_listener_new(server->place.env, server->place.net, &listener,
                         &server->listener) != 0 ||
        rpc_dialer_new(server->place.env, server->place.net, &dialer,
                       &server->dialer) != 0)
        die("no server port");
    rpc_listener_addr(server->listener, &server->at);
    rpc_listener_handle(server->listener, RPC_PROTOCOL_GOSSIP_PACKET,
                        accept_packets, server);
}

static void open_gossip(struct server *server)
{
    struct base_addr bind = loopback();
    char *name = base_asprintf("s1.%s", server->dc);
    struct wanfed_config wan = {.datacenter = server->dc,
                                .dialer = server->dialer,
                                .queue_packets_max = 2 * WAITING_MAX,
                                .queue_bytes_max = 4u << 20};
    struct gossip_memberlist_config config = {
        .name = name,
        .params = gossip_params_wan,
        .advertise = bind,
        .require_node_names = true,
        .delegate = &delegate,
        .subsystem = "gossip.wan"};

    config.advertise.port = 8302;
    if (gossip_net_transport_new(server->place.net, &bind, &server->inner))
        die("no gossip port");
    wan.inner = gossip_net_transport_ops(server->inner);
    if (wanfed_transport_new(server->place.env, &wan, &server->wan) != 0)
        die("no transport");
    config.transport = wanfed_transport_ops(server->wan);
    if (gossip_memberlist_new(server->place.env, &config, &server->memberlist))
        die("no memberlist");
    wanfed_transport_attach(server->wan, server->memberlist);
    gossip_net_transport_attach(server->inner, server->memberlist);
    base_free(name);
}

static void server_open(struct server *server, const char *dc)
{
    memset(server, 0, sizeof(*server));
    server->dc = dc;
    place_open(&server->place, dc);
    open_tls(server);
    open_port(server);
    open_gossip(server);
}

static void server_close(struct server *server)
{
    place_stop(&server->place);
    gossip_memberlist_free(server->memberlist);
    wanfed_transport_free(server->wan);
    rpc_dialer_free(server->dialer);
    rpc_listener_free(server->listener);
    gossip_net_transport_free(server->inner);
    rpc_tls_free(server->tls);
    place_close(&server->place);
}

/* ---- gateways ------------------------------------------------------------- */

struct gateway {
    struct place place;
    struct proxy *proxy;
    struct base_addr at;
};

/* dc's gateway: to its server, and to other datacenters' gateways. */
static void gateway_open(struct gateway *gateway, const char *dc,
                         const struct base_addr *server,
                         const struct routes_site *site)
{
    struct proxy_config config = {.listen = {loopback()}};
    struct routes_server local = {"s1", {0}};
    struct routes_input input = {.datacenter = dc,
                                 .domain = "consul",
                                 .expose_servers = true,
                                 .servers = &local,
                                 .server_count = server != NULL,
                                 .sites = site,
                                 .site_count = site != NULL};

    if (server != NULL)
        local.addr = *server;
    place_open(&gateway->place, "gateway");
    config.env = gateway->place.env;
    config.net = gateway->place.net;
    if (proxy_new(&config, &gateway->proxy, NULL) != 0)
        die("no gateway");
    proxy_addr(gateway->proxy, 0, &gateway->at);
    proxy_set_routes(gateway->proxy, routes_new(&input));
    place_start(&gateway->place);
}

static void gateway_close(struct gateway *gateway)
{
    place_stop(&gateway->place);
    proxy_free(gateway->proxy);
    place_close(&gateway->place);
}

/* ---- loads ---------------------------------------------------------------- */

struct load {
    struct server *from;
    struct base_timer timer;
    struct base_counter *sent, *lost, *dropped; /* what was asked ends so */
    uint64_t asked;
    struct base_stream *fresh;
    uint8_t packet[1 + PACKET_BYTES];
    struct rpc_dial *dial;
};

static void send_one(struct load *load)
{
    static const struct gossip_peer to = {.name = "s1.dc1"};
    struct gossip_transport transport = wanfed_transport_ops(load->from->wan);
    uint64_t now = atomic_load(&lone) ? now_ns() : 0;

    load->packet[0] = USER_MESSAGE;
    memcpy(load->packet + 1, &now, sizeof(now));
    load->asked += transport.ops->send_packet(transport.ctx, &to, load->packet,
                                              PACKET_BYTES) == 0;
}

static uint64_t waiting(const struct load *load)
{
    return load->asked - base_counter_value(load->sent) -
           base_counter_value(load->lost) - base_counter_value(load->dropped);
}

static void stream_packets(void *arg)
{
    struct load *load = arg;
    unsigned i = 0;

    while (i < BURST && waiting(load) < WAITING_MAX) {
        send_one(load);
        i++;
    }
    base_timer_start_ns(&load->timer, i > 0 ? 0 : 200000);
}

static void lone_packets(void *arg)
{
    struct load *load = arg;

    send_one(load);
    base_timer_start_ns(&load->timer, LONE_EVERY_US * 1000u);
}

static void end_fresh(struct load *load)
{
    if (load->fresh)
        base_stream_close(load->fresh);
    load->fresh = NULL;
    base_timer_start_ns(&load->timer, 0);
}

static void on_fresh_drained(void *arg)
{
    end_fresh(arg);
}

static void on_fresh_closed(void *arg, int err)
{
    (void)err;
    end_fresh(arg);
}

static const struct base_stream_events fresh_events = {
    .on_drained = on_fresh_drained, .on_closed = on_fresh_closed};

static void on_fresh(void *arg, int status, struct base_stream *stream,
                     const struct rpc_peer *peer)
{
    struct load *load = arg;
    uint8_t frame[4 + PACKET_BYTES] = {0, 0, PACKET_BYTES >> 8,
                                       PACKET_BYTES & 255, USER_MESSAGE};

    (void)peer;
    load->dial = NULL;
    if (status != 0) {
        end_fresh(load);
        return;
    }
    load->fresh = stream;
    base_stream_set_events(stream, &fresh_events, load);
    base_stream_write(stream, frame, sizeof(frame));
    if (base_stream_pending(stream) == 0)
        end_fresh(load);
}

static void dial_again(void *arg)
{
    struct load *load = arg;
    struct rpc_target target = {.dc = "dc1", .node = "s1"};

    if (rpc_dialer_dial(load->from->dialer, &target, RPC_PROTOCOL_GOSSIP_PACKET,
                        5000, on_fresh, load, &load->dial) != 0)
        die("cannot dial");
}

/* ---- one row -------------------------------------------------------------- */

struct row {
    double per_second, cpu_us, p50_us, p99_us;
};

static double cpu_s(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static void measure(struct load *load, const struct server *to,
                    void (*run)(void *arg), double seconds, struct row *row)
{
    struct base_counter *in = base_metrics_counter(
        to->place.metrics, "isthmus.wanfed.packets.received", NULL, NULL);
    struct base_metrics *metrics = load->from->place.metrics;
    static const char dropped[] = "isthmus.wanfed.packets.dropped";
    uint64_t from, began_ns;
    double took_s, cpu;
    size_t count;

    base_timer_init(&load->timer, load->from->place.env, "load", run, load);
    load->sent = base_metrics_counter(metrics, "isthmus.wanfed.packets.sent",
                                      NULL, NULL);
    load->lost = base_metrics_counter(metrics, dropped, "reason", "failed");
    load->dropped = base_metrics_counter(metrics, dropped, "reason", "queue");
    atomic_store(&lone, run == lone_packets);
    atomic_store(&lone_count, 0);
    base_timer_start_ns(&load->timer, 0); /* its thread does not run yet */
    place_start(&load->from->place);
    usleep(300000); /* the first handshake, and all caches warm */
    from = base_counter_value(in);
    began_ns = now_ns();
    cpu = cpu_s();
    usleep((useconds_t)(seconds * 1e6));
    cpu = cpu_s() - cpu;
    took_s = (double)(now_ns() - began_ns) / 1e9;
    row->per_second = (double)(base_counter_value(in) - from) / took_s;
    row->cpu_us = cpu * 1e6 / (row->per_second * took_s + 1);
    base_loop_stop(load->from->place.loop);
    count = atomic_load(&lone_count);
    qsort(lone_us, count, sizeof(*lone_us), compare);
    row->p50_us = count ? lone_us[count / 2] : 0;
    row->p99_us = count ? lone_us[count * 99 / 100] : 0;
}

static void run_row(void (*load_of)(void *arg), bool gateways, double seconds,
                    struct row *row)
{
    struct server to, from;
    struct gateway near, far;
    struct routes_site site = {.datacenter = "dc1", .gateway_count = 1};
    struct load load = {.from = &from};

    server_open(&to, "dc1");
    place_start(&to.place);
    server_open(&from, "dc2");
    from.gateway = to.at;
    if (gateways) {
        gateway_open(&far, "dc1", &to.at, NULL);
        site.gateways = &far.at;
        gateway_open(&near, "dc2", NULL, &site);
        from.gateway = near.at;
    }
    measure(&load, &to, load_of, seconds, row);
    pthread_join(from.place.thread, NULL);
    base_timer_stop(&load.timer);
    if (load.dial)
        rpc_dial_cancel(load.dial);
    if (load.fresh)
        base_stream_close(load.fresh);
    from.place.thread = 0;
    place_start(&from.place); /* server_close() stops and joins it */
    server_close(&from);
    if (gateways) {
        gateway_close(&near);
        gateway_close(&far);
    }
    server_close(&to);
}

static void make_certificates(void)
{
    char *command;

    if (mkdtemp(folder) == NULL)
        die("no folder");
    command = base_asprintf(
        "cd %s && %s tls ca create >/dev/null && "
        "for dc in dc1 dc2; do %s tls cert create -server -dc $dc -node s1 "
        ">/dev/null || exit 1; done",
        folder, ISTHMUS_BIN, ISTHMUS_BIN);
    if (system(command) != 0)
        die("no certificates");
    base_free(command);
}

int main(int argc, char **argv)
{
    double seconds = 3;
    struct row reused, gated, fresh, alone, gated_alone;
    char *command;

    if (argc == 3 && strcmp(argv[1], "-seconds") == 0)
        seconds = strtod(argv[2], NULL);
    make_certificates();
    run_row(stream_packets, false, seconds, &reused);
    run_row(stream_packets, true, seconds, &gated);
    run_row(dial_again, false, seconds, &fresh);
    run_row(lone_packets, false, seconds, &alone);
    run_row(lone_packets, true, seconds, &gated_alone);
    printf("| packets of 512 B | a second | to new connections | us of "
           "processor each |\n| --- | --: | --: | --: |\n");
    printf("| one reused connection | %.0f | %.0fx | %.2f |\n",
           reused.per_second, reused.per_second / fresh.per_second,
           reused.cpu_us);
    printf("| the same through two gateways | %.0f | %.0fx | %.2f |\n",
           gated.per_second, gated.per_second / fresh.per_second,
           gated.cpu_us);
    printf("| a new TLS connection each | %.0f | 1x | %.0f |\n",
           fresh.per_second, fresh.cpu_us);
    printf("\n| a lone packet | p50 us | p99 us |\n| --- | --: | --: |\n");
    printf("| direct | %.0f | %.0f |\n", alone.p50_us, alone.p99_us);
    printf("| through two gateways | %.0f | %.0f |\n", gated_alone.p50_us,
           gated_alone.p99_us);
    printf("| what a gateway adds | %.0f | |\n",
           (gated_alone.p50_us - alone.p50_us) / 2);
    command = base_asprintf("rm -r %s", folder);
    if (system(command) != 0)
        die("the folder stays");
    base_free(command);
    return 0;
}
