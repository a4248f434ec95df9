/*
 * A gateway as a process: one loop, and on it the source of its routes, its
 * registration with the probe that feeds its check, and its window; and the
 * built-in proxy with threads of its own, or the feeder of another proxy. They
 * are wired here.
 *
 *   source       -> on_routes -> proxy, feeder  (a new table)
 *   feeder       -> on_placed -> probe          (not before the proxy is fed)
 *   probe        -> on_probed -> registration   (does the proxy work?)
 *   source       -> on_exposes, on_doubt -> registration
 *                                (the meta changed; is it still known?)
 *   SIGTERM      -> registration -> drain       (goodbye, then the last)
 *   drained      -> stop
 */
#include "gateway/gateway.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gateway/admin.h"
#include "gateway/api.h"
#include "gateway/built_in.h"
#include "gateway/feeder.h"
#include "gateway/probe.h"
#include "gateway/register.h"
#include "gateway/source_http.h"

#define LEAVE_TIMEOUT_MS 3000u
#define ONCE_TIMEOUT_MS 60000u

struct gateway {
    const struct gateway_options *options;
    struct base_log_sink *sink;
    struct base_log log;
    struct base_metrics *metrics;
    struct base_workers *workers;
    struct base_loop *loop;
    struct event *signals[3];
    struct base_timer leave_timer;
    struct base_timer once_timer; /* without -watch */
    bool leaving, draining;
    struct built_in *built_in; /* one of these: */
    struct feeder *feeder;
    struct routes *routes; /* Envoy's, for the probe; it has its own way */
    struct api *api;
    struct source *source;
    struct registration *registration;
    struct probe *probe; /* of what is registered, once it can work */
    struct admin *admin;
    int code; /* the process's */
};

/* ---- the end --------------------------------------------------------------
 */

static void stop(void *arg)
{
    struct gateway *gateway = arg;

    base_loop_stop(gateway->loop);
}

/* Nobody is sent here any more; those who came before may finish. */
static void drain(void *arg)
{
    struct gateway *gateway = arg;

    base_timer_stop(&gateway->leave_timer);
    if (gateway->draining)
        return;
    gateway->draining = true;
    if (gateway->built_in != NULL)
        built_in_drain(gateway->built_in, stop, gateway);
    else
        stop(gateway);
}

static void on_hangup(struct gateway *gateway)
{
    base_log(&gateway->log, BASE_LOG_INFO, "opening files anew");
    if (gateway->built_in != NULL)
        built_in_reopen(gateway->built_in);
}

static void on_signal(evutil_socket_t number, short events, void *arg)
{
    struct gateway *gateway = arg;

    (void)events;
    if (number == SIGHUP) {
        on_hangup(gateway);
        return;
    }
    base_log(&gateway->log, BASE_LOG_INFO, "stopping",
             kv_str("signal", strsignal(number)));
    if (gateway->leaving) {
        stop(gateway); /* asked twice */
        return;
    }
    gateway->leaving = true;
    if (gateway->registration == NULL) {
        drain(gateway); /* nothing to say */
        return;
    }
    base_timer_start_ms(&gateway->leave_timer, LEAVE_TIMEOUT_MS);
    registration_leave(gateway->registration, drain, gateway);
}

static void watch_signals(struct gateway *gateway)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    size_t i;

    base_timer_init(&gateway->leave_timer, base_loop_env(gateway->loop),
                    "leave", drain, gateway);
    for (i = 0; i < BASE_COUNT_OF(numbers); i++) {
        gateway->signals[i] = evsignal_new(base_loop_event_base(gateway->loop),
                                           numbers[i], on_signal, gateway);
        event_add(gateway->signals[i], NULL);
    }
}

/* ---- the wires ------------------------------------------------------------
 */

static const struct routes *routes_now(void *ctx)
{
    const struct gateway *gateway = ctx;

    if (gateway->feeder != NULL)
        return feeder_routes(gateway->feeder);
    return gateway->built_in != NULL ? built_in_routes(gateway->built_in)
                                     : gateway->routes;
}

static const char *probed_name(void *ctx)
{
    const struct gateway *gateway = ctx;

    return source_server_name(gateway->source);
}

static void on_probed(void *ctx, bool passing, const char *words)
{
    struct gateway *gateway = ctx;

    if (gateway->registration != NULL)
        registration_set_health(gateway->registration, passing, words);
    else if (!gateway->leaving)
        gateway->registration = registration_new(
            gateway->api, gateway->options, passing, words);
}

/* The first result brings the registration. Before there are routes, or a proxy
 * that has them, there is nothing to ask for. */
static void start_probe(struct gateway *gateway)
{
    const struct gateway_options *options = gateway->options;
    struct probe_config config = {
        .env = base_loop_env(gateway->loop),
        .net = base_loop_net(gateway->loop),
        .through = {options->address, gateway_has_wan_bind(options)
                                          ? options->wan_bind
                                          : (struct base_addr){0}},
        .from = options->address,
        .name = probed_name,
        .routes = routes_now,
        .on_result = on_probed,
        .ctx = gateway};

    if (gateway->probe != NULL)
        probe_refresh(gateway->probe);
    else if (options->do_register && source_is_ready(gateway->source))
        gateway->probe = probe_new(&config);
}

static void on_routes(void *arg, struct routes *routes)
{
    struct gateway *gateway = arg;

    /* Half a table is worth having only where it can be changed for nothing. */
    if (gateway->feeder != NULL && !source_is_ready(gateway->source)) {
        routes_free(routes);
        return;
    }
    routes_log_changes(routes_now(gateway), routes, &gateway->log);
    if (gateway->feeder != NULL) {
        feeder_set_routes(gateway->feeder, routes);
        return;
    }
    if (gateway->built_in != NULL) {
        built_in_set_routes(gateway->built_in, routes);
    } else {
        routes_free(gateway->routes);
        gateway->routes = routes;
    }
    start_probe(gateway);
}

static void on_placed(void *arg)
{
    start_probe(arg);
}

static void on_too_late(void *arg)
{
    struct gateway *gateway = arg;

    base_log(&gateway->log, BASE_LOG_ERROR, "no configuration in time");
    gateway->code = 1;
    stop(gateway);
}

static void on_exposes(void *arg, bool exposes)
{
    struct gateway *gateway = arg;

    if (gateway->registration != NULL)
        registration_set_exposes(gateway->registration, exposes);
}

static void on_doubt(void *arg)
{
    struct gateway *gateway = arg;

    if (gateway->registration != NULL)
        registration_refresh(gateway->registration);
}

static bool is_ready(void *ctx)
{
    const struct gateway *gateway = ctx;

    return !gateway->leaving && source_is_ready(gateway->source) &&
           (!gateway->options->do_register ||
            (gateway->registration != NULL &&
             registration_is_passing(gateway->registration)));
}

/* ---- the beginning --------------------------------------------------------
 */

static int fail(const char *what, const struct base_addr *at, int rv)
{
    char text[BASE_ADDR_TEXT_MAX];

    fprintf(stderr, "isthmus gateway: -%s: cannot listen on %s: %s\n", what,
            base_addr_format(at, text), base_strerror(rv));
    return 1;
}

static void make_feeder(struct gateway *gateway)
{
    struct feeder_config config = {.loop = gateway->loop,
                                   .options = gateway->options,
                                   .on_placed = on_placed,
                                   .on_over = stop,
                                   .arg = gateway};

    gateway->feeder = feeder_new(&config);
    base_timer_init(&gateway->once_timer, base_loop_env(gateway->loop), "once",
                    on_too_late, gateway);
    if (!gateway->options->watch)
        base_timer_start_ms(&gateway->once_timer, ONCE_TIMEOUT_MS);
}

static int make_admin(struct gateway *gateway)
{
    const struct base_addr *at = &gateway->options->admin_addr;
    struct admin_config config = {.loop = gateway->loop,
                                  .routes = routes_now,
                                  .is_ready = is_ready,
                                  .ctx = gateway};
    int rv = 0;

    if (at->family != 0)
        rv = admin_new(&config, at, &gateway->admin);
    return rv < 0 ? fail("admin-addr", at, rv) : 0;
}

static void make_source(struct gateway *gateway)
{
    const struct gateway_options *options = gateway->options;
    struct source_config config = {
        .expose_servers = options->expose_servers,
        .service = options->service,
        .registers = options->do_register,
        .self = {options->address, options->wan_address},
        .on_routes = on_routes,
        .on_exposes = on_exposes,
        .on_doubt = on_doubt,
        .arg = gateway,
    };
    struct base_addr from = options->address;

    /* The agent on this very machine is asked over the loopback. */
    if (base_addr_is_loopback(&options->http_addr) &&
        !base_addr_is_loopback(&from))
        from.family = 0;
    gateway->api = api_new(gateway->loop, &options->http_addr, &from,
                           options->token, options->https);
    config.api = gateway->api;
    if (gateway->feeder == NULL || options->watch)
        config.service_id = options->service_id;
    gateway->source = source_new(&config);
}

static int open_all(struct gateway *gateway)
{
    const struct gateway_options *options = gateway->options;

    gateway->sink = base_log_sink_fd(STDERR_FILENO, options->log_json);
    gateway->log =
        (struct base_log){gateway->sink, "gateway", options->log_level};
    gateway->metrics = base_metrics_new();
    gateway->workers = base_workers_new();
    gateway->loop = base_loop_new("gateway", &gateway->log, gateway->metrics,
                                  gateway->workers);
    if (gateway->loop == NULL) {
        fprintf(stderr, "isthmus gateway: cannot make an event loop\n");
        return 1;
    }
    watch_signals(gateway);
    if (options->kind == GATEWAY_BUILT_IN &&
        (gateway->built_in = built_in_new(options, gateway->loop,
                                          gateway->workers)) == NULL)
        return 1;
    if (options->kind == GATEWAY_HAPROXY || options->kind == GATEWAY_NGINX)
        make_feeder(gateway);
    if (make_admin(gateway) != 0)
        return 1;
    make_source(gateway);
    base_log(&gateway->log, BASE_LOG_INFO, "gateway is up",
             kv_addr("address", &options->address),
             kv_addr("wan", &options->wan_address),
             kv_bool("expose_servers", options->expose_servers));
    return 0;
}

static void close_all(struct gateway *gateway)
{
    size_t i;

    probe_free(gateway->probe);
    registration_free(gateway->registration);
    source_free(gateway->source);
    api_free(gateway->api);
    admin_free(gateway->admin);
    built_in_free(gateway->built_in);
    feeder_free(gateway->feeder);
    routes_free(gateway->routes);
    if (gateway->loop != NULL) {
        base_timer_stop(&gateway->leave_timer);
        if (gateway->once_timer.env != NULL)
            base_timer_stop(&gateway->once_timer);
        for (i = 0; i < BASE_COUNT_OF(gateway->signals); i++)
            event_free(gateway->signals[i]);
        base_loop_free(gateway->loop);
    }
    base_workers_free(gateway->workers);
    base_metrics_free(gateway->metrics);
    base_log_sink_free(gateway->sink);
}

int gateway_run(const struct gateway_options *options)
{
    struct gateway gateway = {.options = options};
    int code = open_all(&gateway);

    if (code == 0)
        base_loop_run(gateway.loop);
    close_all(&gateway);
    return code != 0 ? code : gateway.code;
}
