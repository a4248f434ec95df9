/*
 * The built-in gateway as a process: one loop, and on it the proxy, the source
 * of its routes, its registration and its window, wired here.
 *
 *   source       -> on_routes -> proxy          (a new table)
 *   source       -> on_recovered -> registration (the agent is back: known?)
 *   SIGTERM      -> registration -> stop        (goodbye)
 */
#include "gateway/gateway.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gateway/admin.h"
#include "gateway/api.h"
#include "gateway/proxy.h"
#include "gateway/register.h"
#include "gateway/source_http.h"

#define LEAVE_TIMEOUT_MS 3000u
#define CONNECTIONS_MAX 4096u
#define DESCRIPTORS_KEPT 128u /* for all but connections */

struct gateway {
    const struct gateway_options *options;
    struct base_log_sink *sink;
    struct base_log log;
    struct base_metrics *metrics;
    struct base_workers *workers;
    struct base_loop *loop;
    struct event *signals[2];
    struct base_timer leave_timer;
    bool leaving;
    struct proxy *proxy;
    struct api *api;
    struct source *source;
    struct registration *registration;
    struct admin *admin;
};

/* ---- the end --------------------------------------------------------------
 */

static void stop(void *arg)
{
    struct gateway *gateway = arg;

    base_loop_stop(gateway->loop);
}

static void on_signal(evutil_socket_t number, short events, void *arg)
{
    struct gateway *gateway = arg;

    (void)events;
    base_log(&gateway->log, BASE_LOG_INFO, "stopping",
             kv_str("signal", strsignal(number)));
    if (gateway->leaving || gateway->registration == NULL) {
        stop(gateway); /* nothing to say, or asked twice */
        return;
    }
    gateway->leaving = true;
    base_timer_start_ms(&gateway->leave_timer, LEAVE_TIMEOUT_MS);
    registration_leave(gateway->registration, stop, gateway);
}

static void watch_signals(struct gateway *gateway)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    size_t i;

    base_timer_init(&gateway->leave_timer, base_loop_env(gateway->loop),
                    "leave", stop, gateway);
    for (i = 0; i < BASE_COUNT_OF(numbers); i++) {
        gateway->signals[i] = evsignal_new(base_loop_event_base(gateway->loop),
                                           numbers[i], on_signal, gateway);
        event_add(gateway->signals[i], NULL);
    }
}

/* ---- the wires ------------------------------------------------------------
 */

static void on_routes(void *arg, struct routes *routes)
{
    struct gateway *gateway = arg;

    routes_log_changes(proxy_routes(gateway->proxy), routes, &gateway->log);
    proxy_set_routes(gateway->proxy, routes);
}

static void on_recovered(void *arg)
{
    struct gateway *gateway = arg;

    if (gateway->registration != NULL)
        registration_refresh(gateway->registration);
}

static bool is_ready(void *ctx)
{
    const struct gateway *gateway = ctx;

    return source_is_ready(gateway->source) &&
           (gateway->registration == NULL ||
            registration_is_made(gateway->registration));
}

/* ---- the beginning --------------------------------------------------------
 */

/* As many connections as the default, if there are two descriptors for each;
 * else as many as there are. */
static size_t connections_max(void)
{
    struct rlimit limit;
    rlim_t pairs;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return CONNECTIONS_MAX;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    pairs = limit.rlim_cur > 2 * DESCRIPTORS_KEPT
                ? (limit.rlim_cur - DESCRIPTORS_KEPT) / 2
                : limit.rlim_cur / 4;
    return pairs < CONNECTIONS_MAX ? (size_t)pairs : CONNECTIONS_MAX;
}

static bool has_wan_bind(const struct gateway_options *options)
{
    return options->wan_bind.family != 0 &&
           !base_addr_equal(&options->wan_bind, &options->address);
}

static int fail(const char *what, const struct base_addr *at, int rv)
{
    char text[BASE_ADDR_TEXT_MAX];

    fprintf(stderr, "isthmus gateway: -%s: cannot listen on %s: %s\n", what,
            base_addr_format(at, text), base_strerror(rv));
    return 1;
}

static int make_proxy(struct gateway *gateway)
{
    static const char *const flags[] = {"address", "wan-bind"};
    const struct gateway_options *options = gateway->options;
    bool both = has_wan_bind(options);
    struct proxy_config config = {
        .env = base_loop_env(gateway->loop),
        .net = base_loop_net(gateway->loop),
        .listen = {options->address,
                   both ? options->wan_bind : (struct base_addr){0}},
        .from_lan = options->address,
        .from_wan = both ? options->wan_bind : options->address,
        .connections_max = connections_max(),
    };
    size_t failed = 0;
    int rv = proxy_new(&config, &gateway->proxy, &failed);

    return rv < 0 ? fail(flags[failed], &config.listen[failed], rv) : 0;
}

static int make_admin(struct gateway *gateway)
{
    const struct base_addr *at = &gateway->options->admin_addr;
    struct admin_config config = {.loop = gateway->loop,
                                  .metrics = gateway->metrics,
                                  .proxy = gateway->proxy,
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
        .self = {options->address, options->wan_address},
        .on_routes = on_routes,
        .on_recovered = on_recovered,
        .arg = gateway,
    };
    struct base_addr from = options->address;

    /* The agent on this very machine is asked over the loopback. */
    if (base_addr_is_loopback(&options->http_addr) &&
        !base_addr_is_loopback(&from))
        from.family = 0;
    gateway->api = api_new(gateway->loop, &options->http_addr, &from,
                           options->token);
    config.api = gateway->api;
    gateway->source = source_new(&config);
    if (options->do_register)
        gateway->registration = registration_new(gateway->api, options);
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
    if (make_proxy(gateway) != 0 || make_admin(gateway) != 0)
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

    registration_free(gateway->registration);
    source_free(gateway->source);
    api_free(gateway->api);
    admin_free(gateway->admin);
    proxy_free(gateway->proxy);
    if (gateway->loop != NULL) {
        base_timer_stop(&gateway->leave_timer);
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
    return code;
}
