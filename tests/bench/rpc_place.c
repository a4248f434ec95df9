/*
 * The server of rpc-bench, and what it has in common with the caller. Its one
 * method unpacks a small message and packs its answer: a call is measured with
 * what any call needs.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "fedstate/fedstate.pb-c.h"
#include "rpc/listener.h"
#include "rpc/server.h"
#include "rpc/tls.h"
#include "rpc_load.h"

void rpc_bench_die(const char *what)
{
    fprintf(stderr, "rpc-bench: %s\n", what);
    exit(1);
}

void rpc_place_open(struct rpc_place *place, const char *folder)
{
    static const struct base_log silent;
    char *ca = base_asprintf("%s/consul-agent-ca.pem", folder);
    char *cert = base_asprintf("%s/dc1-server-consul-0.pem", folder);
    char *key = base_asprintf("%s/dc1-server-consul-0-key.pem", folder);
    struct rpc_tls_config config = {ca, cert, key, true, true};
    char *why = NULL;

    place->metrics = base_metrics_new();
    place->loop = base_loop_new("rpc-bench", &silent, place->metrics, NULL);
    if (place->loop == NULL)
        rpc_bench_die("no loop");
    place->env = base_loop_env(place->loop);
    place->net = base_loop_net(place->loop);
    if (rpc_tls_new(&config, place->env, &place->tls, &why) != 0)
        rpc_bench_die(why);
    base_free(ca);
    base_free(cert);
    base_free(key);
}

void rpc_place_close(struct rpc_place *place)
{
    rpc_tls_free(place->tls);
    base_loop_free(place->loop);
    base_metrics_free(place->metrics);
}

static void on_echo(void *arg, struct rpc_call *call)
{
    size_t len;
    const void *body = rpc_call_body(call, &len);
    Fedstate__Pair *pair = fedstate__pair__unpack(NULL, len, body);
    uint8_t out[512];

    (void)arg;
    if (pair == NULL || fedstate__pair__get_packed_size(pair) > sizeof(out)) {
        rpc_call_fail(call, RPC_EINVAL, "no pair");
        return;
    }
    len = fedstate__pair__pack(pair, out);
    fedstate__pair__free_unpacked(pair, NULL);
    rpc_call_reply(call, out, len);
}

static void on_accept(void *arg, struct base_stream *stream,
                      const struct rpc_peer *peer)
{
    rpc_server_accept_multi(arg, stream, peer);
}

static void on_life_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    base_loop_stop(arg);
}

static void tell_address(struct rpc_listener *listener, int fd)
{
    struct base_addr addr;

    rpc_listener_addr(listener, &addr);
    if (write(fd, &addr, sizeof(addr)) != (ssize_t)sizeof(addr))
        rpc_bench_die("nobody hears the address");
    close(fd);
}

static void serve(const char *folder, unsigned flight, int tell, int life)
{
    struct rpc_place place;
    struct rpc_server_config serving = {.datacenter = "dc1",
                                        .domain = "consul",
                                        .check_names = true,
                                        .streams_max = flight};
    struct rpc_listener_config port = {.datacenter = "dc1",
                                       .domain = "consul",
                                       .verify_incoming = true,
                                       .accepts_per_second =
                                           flight > 0 ? 1000000 : 0};
    struct rpc_secure secure;
    struct rpc_server *server = NULL;
    struct rpc_listener *listener = NULL;
    struct event *over;

    rpc_place_open(&place, folder);
    secure = rpc_tls_secure(place.tls);
    port.secure = &secure;
    base_addr_parse_ip(&port.addr, "127.0.0.1");
    if (rpc_server_new(place.env, &serving, &server) != 0 ||
        rpc_listener_new(place.env, place.net, &port, &listener) != 0)
        rpc_bench_die("no server");
    rpc_server_method(server, "Test.Echo", 0, on_echo, NULL);
    rpc_listener_handle(listener, RPC_PROTOCOL_MULTI, on_accept, server);
    tell_address(listener, tell);
    over = event_new(base_loop_event_base(place.loop), life, EV_READ,
                     on_life_over, place.loop);
    event_add(over, NULL);
    base_loop_run(place.loop);
    event_free(over);
    rpc_listener_free(listener);
    rpc_server_free(server);
    rpc_place_close(&place);
    exit(0);
}

int rpc_place_start(const char *folder, unsigned flight, struct base_addr *addr,
                    int *life)
{
    int told[2], living[2];
    pid_t pid;

    if (pipe(told) != 0 || pipe(living) != 0)
        rpc_bench_die("no pipe");
    pid = fork();
    if (pid < 0)
        rpc_bench_die("no process for the server");
    if (pid == 0) {
        close(living[1]);
        serve(folder, flight, told[1], living[0]);
    }
    close(told[1]);
    close(living[0]);
    if (read(told[0], addr, sizeof(*addr)) != (ssize_t)sizeof(*addr))
        rpc_bench_die("no server");
    close(told[0]);
    *life = living[1];
    return pid;
}
