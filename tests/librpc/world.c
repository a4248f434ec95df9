#include "world.h"

#include <string.h>

#define WITHIN_MS 20000u

static struct machine sim_machine(struct base_sim *sim, const char *name,
                                  const char *ip,
                                  struct base_metrics *metrics)
{
    struct machine machine;
    struct base_sim_host *host;

    ck_assert_int_eq(base_addr_parse_ip(&machine.addr, ip), 0);
    host = base_sim_host_new(sim, name, &machine.addr, 1);
    machine.env = base_sim_host_env(host, "main");
    machine.env->metrics = metrics;
    machine.net = base_sim_host_net(host, machine.env);
    return machine;
}

static struct machine real_machine(struct base_loop *loop, const char *ip)
{
    struct machine machine = {.env = base_loop_env(loop),
                              .net = base_loop_net(loop)};

    ck_assert_int_eq(base_addr_parse_ip(&machine.addr, ip), 0);
    return machine;
}

struct world *world_new(int kind)
{
    struct world *world;

    BASE_NEW(world);
    world->kind = kind;
    world->metrics = base_metrics_new();
    if (kind == SIM) {
        world->sim = base_sim_new(1);
        world->client = sim_machine(world->sim, "client", "10.0.0.1",
                                    world->metrics);
        world->gateway = sim_machine(world->sim, "gateway", "10.0.0.2",
                                     world->metrics);
        world->server = sim_machine(world->sim, "server", "10.0.0.3",
                                    world->metrics);
        return world;
    }
    world->workers = base_workers_new();
    world->loop =
        base_loop_new("test", NULL, world->metrics, world->workers);
    ck_assert_ptr_nonnull(world->loop);
    world->client = real_machine(world->loop, "127.0.0.1");
    world->gateway = real_machine(world->loop, "127.0.0.2");
    world->server = real_machine(world->loop, "127.0.0.3");
    world->certs = certs_new();
    world->ca = certs_ca_new(world->certs, "Test CA");
    world->other_ca = certs_ca_new(world->certs, "Other CA");
    return world;
}

void world_free(struct world *world)
{
    if (world->kind == SIM) {
        base_sim_free(world->sim);
    } else {
        base_loop_free(world->loop);
        base_workers_free(world->workers);
        certs_free(world->certs);
    }
    base_metrics_free(world->metrics);
    base_free(world);
}

void world_await(struct world *world, bool (*condition)(void *arg), void *arg)
{
    bool done = world->kind == SIM
                    ? base_sim_run_until_true(world->sim, condition, arg,
                                              600000)
                    : base_loop_run_until(world->loop, condition, arg,
                                          WITHIN_MS);

    ck_assert_msg(done, "waited in vain");
}

static bool is_set(void *arg)
{
    return *(bool *)arg;
}

void world_await_flag(struct world *world, bool *flag)
{
    world_await(world, is_set, flag);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

void world_pass_ms(struct world *world, uint32_t ms)
{
    if (world->kind == SIM)
        base_sim_run_for_ms(world->sim, ms);
    else
        base_loop_run_until(world->loop, never, NULL, ms);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

void world_settle(struct world *world)
{
    int turns;

    if (world->kind == SIM) {
        base_sim_run_for_ms(world->sim, 20);
        return;
    }
    for (turns = 0; turns < 20; turns++) {
        bool turned = false;

        ck_assert_int_eq(
            base_env_post(world->client.env, set_flag, &turned), 0);
        world_await_flag(world, &turned);
    }
}

uint64_t world_refused(struct world *world, const char *reason)
{
    return base_counter_value(base_metrics_counter(
        world->metrics, "isthmus.rpc.refused", "reason", reason));
}

struct refused_wait {
    struct world *world;
    const char *reason;
    uint64_t count;
};

static bool is_refused(void *arg)
{
    struct refused_wait *wait = arg;

    return world_refused(wait->world, wait->reason) >= wait->count;
}

void world_await_refused(struct world *world, const char *reason,
                         uint64_t count)
{
    struct refused_wait wait = {world, reason, count};

    world_await(world, is_refused, &wait);
    ck_assert_uint_eq(world_refused(world, reason), count);
}

/* ---- identities ---- */

static void open_tls(struct world *world, struct machine *machine,
                     const char *const *names, unsigned flags,
                     struct identity *identity)
{
    struct certs_ca *ca =
        flags & ID_OTHER_CA ? world->other_ca : world->ca;
    struct rpc_tls_config config = {
        .ca_file = certs_ca_file(ca),
        .verify_incoming = !(flags & ID_NOT_VERIFYING),
        .verify_outgoing = !(flags & ID_NOT_VERIFYING),
    };
    char *why = NULL;

    if (!(flags & ID_NO_CERT)) {
        struct certs_pair pair =
            certs_leaf(ca, names, flags & ID_EXPIRED ? -1 : 30);

        config.cert_file = pair.cert_file;
        config.key_file = pair.key_file;
    }
    ck_assert_msg(rpc_tls_new(&config, machine->env, &identity->tls, &why) ==
                      0,
                  "%s", why);
    identity->secure = rpc_tls_secure(identity->tls);
}

static void open_sim(struct machine *machine, const char *const *names,
                     unsigned flags, struct identity *identity)
{
    struct rpc_sim_secure_config config = {
        .ca = flags & ID_OTHER_CA ? "other" : "test",
        .names = flags & ID_NO_CERT ? NULL : names,
        .verify_incoming = !(flags & ID_NOT_VERIFYING),
        .verify_outgoing = !(flags & ID_NOT_VERIFYING),
    };

    ck_assert(!(flags & ID_EXPIRED));
    ck_assert_int_eq(rpc_sim_secure_new(machine->env, &config, &identity->sim),
                     0);
    identity->secure = rpc_sim_secure_table(identity->sim);
}

struct identity *identity_new(struct world *world, struct machine *machine,
                              const char *const *names, unsigned flags)
{
    struct identity *identity;

    BASE_NEW(identity);
    if (world->kind == SIM)
        open_sim(machine, names, flags, identity);
    else
        open_tls(world, machine, names, flags, identity);
    return identity;
}

void identity_free(struct identity *identity)
{
    rpc_tls_free(identity->tls);
    rpc_sim_secure_free(identity->sim);
    base_free(identity);
}

/* ---- raw connections ---- */

static void on_raw_closed(void *arg, int err)
{
    struct raw *raw = arg;

    raw->closed = true;
    raw->close_err = err;
}

static const struct base_stream_events raw_events = {
    .on_closed = on_raw_closed,
};

static void on_raw_dialled(void *arg, int status, struct base_stream *stream)
{
    struct raw *raw = arg;

    ck_assert_int_eq(status, 0);
    raw->stream = stream;
    raw->connected = true;
    base_stream_set_events(stream, &raw_events, raw);
}

struct raw *raw_dial(struct world *world, const struct base_addr *to)
{
    struct raw *raw;

    BASE_NEW(raw);
    ck_assert_int_eq(base_net_dial(world->client.net, to, &world->client.addr,
                                   5000, on_raw_dialled, raw, NULL),
                     0);
    world_await_flag(world, &raw->connected);
    return raw;
}

void raw_write(struct raw *raw, const void *data, size_t len)
{
    ck_assert_int_eq(base_stream_write(raw->stream, data, len), 0);
}

void raw_free(struct raw *raw)
{
    if (raw->stream != NULL)
        base_stream_close(raw->stream);
    base_free(raw);
}
