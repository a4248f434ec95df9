/* The virtual world of the proxy's tests, as gateway_world.h tells. */
#include "gateway_world.h"

#include <string.h>

#include "base/alloc.h"
#include "suite.h"

static const char *const target_addrs[GW_TARGETS] = {
    "10.0.0.11:8300", "10.0.0.12:8300", "10.0.0.13:8300", "198.51.100.1:8443",
    "198.51.100.2:8443"};
static const char *const target_names[GW_TARGETS] = {"s1", "s2", "s3", "g1",
                                                     "g2"};

struct base_addr gw_addr(const char *text)
{
    struct base_addr addr;

    ck_assert_int_eq(base_addr_parse(&addr, text, 1), 0);
    return addr;
}

/* ---- ends -----------------------------------------------------------------
 */

static void end_readable(void *arg)
{
    struct gw_end *end = arg;

    if (end->deaf)
        return;
    base_buf_append(&end->got, base_stream_data(end->stream),
                    base_stream_len(end->stream));
    base_stream_consume(end->stream, base_stream_len(end->stream));
}

static void end_drained(void *arg)
{
    ((struct gw_end *)arg)->drained = true;
}

static void end_closed(void *arg, int err)
{
    struct gw_end *end = arg;

    ck_assert(!end->closed);
    end->closed = true;
    end->close_err = err;
}

static const struct base_stream_events end_events = {end_readable, end_drained,
                                                     end_closed};

static void end_take(struct gw_end *end, struct base_stream *stream)
{
    end->stream = stream;
    base_stream_set_events(stream, &end_events, end);
}

void gw_end_send(struct gw_end *end, const void *data, size_t len)
{
    ck_assert_int_eq(base_stream_write(end->stream, data, len), 0);
}

void gw_end_listen(struct gw_end *end)
{
    end->deaf = false;
    end_readable(end);
}

void gw_end_close(struct gw_end *end)
{
    if (end->stream != NULL)
        base_stream_close(end->stream);
    end->stream = NULL;
}

/* ---- targets --------------------------------------------------------------
 */

static void on_accept(void *arg, struct base_stream *stream)
{
    struct gw_target *target = arg;
    struct gw_end *end;

    ck_assert_uint_lt(target->count, GW_ENDS_MAX);
    end = &target->ends[target->count++];
    end->deaf = target->deaf;
    end_take(end, stream);
}

static void open_target(struct gw_world *world, enum gw_host which)
{
    struct gw_target *target = &world->targets[which];

    target->addr = gw_addr(target_addrs[which]);
    target->host =
        base_sim_host_new(world->sim, target_names[which], &target->addr, 1);
    target->net = base_sim_host_net(target->host,
                                    base_sim_host_env(target->host, "main"));
    ck_assert_int_eq(base_net_listen(target->net, &target->addr, on_accept,
                                     target, &target->listener),
                     0);
}

void gw_kill(struct gw_world *world, enum gw_host host)
{
    struct gw_target *target = &world->targets[host];

    base_net_listener_close(target->net, target->listener);
    target->listener = NULL;
}

/* ---- the world ------------------------------------------------------------
 */

static void link_of(void *arg, const struct base_sim_host *from,
                    const struct base_sim_host *to, struct base_sim_link *link)
{
    const struct gw_world *world = arg;
    size_t i;

    (void)from;
    link->delay_min_us = link->delay_max_us = 500;
    for (i = 0; i < GW_TARGETS; i++)
        if (world->cut[i] && to == world->targets[i].host)
            link->up = false;
}

struct routes *gw_routes(const struct gw_world *world)
{
    const struct gw_target *t = world->targets;
    struct base_addr gateways[2] = {t[GW_G1].addr, t[GW_G2].addr};
    struct routes_server servers[] = {{"s1", t[GW_S1].addr},
                                      {"s2", t[GW_S2].addr}};
    struct routes_site sites[] = {{"dc2", gateways, 2}, {"dc3", NULL, 0}};
    struct routes_input input = {.datacenter = "dc1",
                                 .domain = "consul",
                                 .expose_servers = true,
                                 .servers = servers,
                                 .server_count = 2,
                                 .sites = sites,
                                 .site_count = 2};

    return routes_new(&input);
}

struct routes *gw_routes_one(const struct gw_world *world, enum gw_host host)
{
    struct routes_server server = {target_names[host],
                                   world->targets[host].addr};
    struct routes_input input = {.datacenter = "dc1",
                                 .domain = "consul",
                                 .expose_servers = true,
                                 .servers = &server,
                                 .server_count = 1};

    return routes_new(&input);
}

static void open_gateway(struct gw_world *world, struct proxy_config config)
{
    struct base_addr own[2] = {gw_addr("10.0.0.9"), gw_addr("192.0.2.9")};
    struct base_sim_host *host =
        base_sim_host_new(world->sim, "gateway", own, 2);

    world->metrics = base_metrics_new();
    world->env = base_sim_host_env(host, "main");
    world->env->metrics = world->metrics;
    config.env = world->env;
    config.net = world->net = base_sim_host_net(host, world->env);
    config.listen[0] = gw_addr("10.0.0.9:8443");
    config.listen[1] = gw_addr("192.0.2.9:8443");
    config.from_lan = own[0];
    config.from_wan = own[1];
    ck_assert_int_eq(proxy_new(&config, &world->proxy, NULL), 0);
    proxy_set_routes(world->proxy, gw_routes(world));
}

void gw_open(struct gw_world *world, const struct proxy_config *config)
{
    struct base_addr addr = gw_addr("10.0.0.1");
    struct base_sim_host *host;
    int i;

    memset(world, 0, sizeof(*world));
    world->sim = base_sim_new(7);
    base_sim_set_link(world->sim, link_of, world);
    host = base_sim_host_new(world->sim, "client", &addr, 1);
    world->client_env = base_sim_host_env(host, "main");
    world->client_net = base_sim_host_net(host, world->client_env);
    for (i = 0; i < GW_TARGETS; i++)
        open_target(world, (enum gw_host)i);
    open_gateway(world, config != NULL ? *config : (struct proxy_config){0});
}

void gw_close(struct gw_world *world)
{
    size_t i, j;

    proxy_free(world->proxy);
    for (i = 0; i < world->client_count; i++) {
        gw_end_close(&world->clients[i]);
        base_buf_close(&world->clients[i].got);
    }
    for (i = 0; i < GW_TARGETS; i++) {
        struct gw_target *target = &world->targets[i];

        if (target->listener != NULL)
            base_net_listener_close(target->net, target->listener);
        for (j = 0; j < target->count; j++) {
            gw_end_close(&target->ends[j]);
            base_buf_close(&target->ends[j].got);
        }
    }
    ck_assert_uint_eq(base_sim_stats(world->sim).streams_open, 0);
    base_sim_free(world->sim);
    base_metrics_free(world->metrics);
}

/* ---- clients --------------------------------------------------------------
 */

static void on_dialled(void *arg, int status, struct base_stream *stream)
{
    ck_assert_int_eq(status, 0);
    end_take(arg, stream);
}

static bool is_connected(void *arg)
{
    return ((struct gw_end *)arg)->stream != NULL;
}

struct gw_end *gw_dial(struct gw_world *world)
{
    struct base_addr to = gw_addr("10.0.0.9:8443");
    struct gw_end *end;

    ck_assert_uint_lt(world->client_count, GW_ENDS_MAX);
    end = &world->clients[world->client_count++];
    ck_assert_int_eq(base_net_dial(world->client_net, &to, NULL, 1000,
                                   on_dialled, end, NULL),
                     0);
    ck_assert(base_sim_run_until_true(world->sim, is_connected, end, 1000));
    return end;
}

struct gw_end *gw_dial_name(struct gw_world *world, const char *name)
{
    struct gw_end *end = gw_dial(world);
    uint8_t hello[512];

    gw_end_send(end, hello, gw_hello(name, hello));
    return end;
}

void gw_run_ms(struct gw_world *world, uint64_t ms)
{
    base_sim_run_for_ms(world->sim, ms);
}

/* ---- a hello, by RFC 8446 4.1.2 and RFC 6066 3 ----------------------------
 */

static uint8_t *put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

size_t gw_hello(const char *name, uint8_t *out)
{
    size_t name_len = name != NULL ? strlen(name) : 0;
    size_t extension = name != NULL ? 9 + name_len : 0;
    size_t body = 2 + 32 + 1 + 4 + 2 + 2 + extension;
    uint8_t *at = out;

    *at++ = 0x16; /* record: handshake, TLS 1.0 for old ears */
    at = put16(at, 0x0301);
    at = put16(at, body + 4);
    *at++ = 1; /* ClientHello */
    *at++ = 0;
    at = put16(at, body);
    at = put16(at, 0x0303);
    memset(at, 'r', 32);
    at += 32;
    *at++ = 0; /* session */
    at = put16(at, 2);
    at = put16(at, 0x1301);
    *at++ = 1; /* compression: none */
    *at++ = 0;
    at = put16(at, extension);
    if (name != NULL) {
        at = put16(at, 0); /* server_name */
        at = put16(at, 5 + name_len);
        at = put16(at, 3 + name_len);
        *at++ = 0;
        at = put16(at, name_len);
        memcpy(at, name, name_len);
        at += name_len;
    }
    return (size_t)(at - out);
}

uint64_t gw_counter(const struct gw_world *world, const char *name,
                    const char *key, const char *value)
{
    return base_counter_value(
        base_metrics_counter(world->metrics, name, key, value));
}

uint64_t gw_refused(const struct gw_world *world, const char *reason)
{
    return gw_counter(world, "isthmus.gateway.refused", "reason", reason);
}
