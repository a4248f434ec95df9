/*
 * A whole serf node, told things by its pool: the input is a row of messages,
 * each a byte that says what it is, two bytes of length, and the bytes: a
 * gossiped user message or the body of a push/pull.
 * Property: the node stays a healthy member, and its own state can be merged.
 * needs: gossip base
 * covers: libgossip/src/serf/push_pull.c
 */
#include "fuzz.h"

#include "base/sim.h"
#include "memberlist/node.h"
#include "serf/core.h"

static int on_send(void *ctx, const struct gossip_peer *to, const void *data,
                   size_t len)
{
    (void)ctx;
    (void)to;
    (void)data;
    (void)len;
    return 0;
}

static int on_dial(void *ctx, const struct gossip_peer *to,
                   uint32_t timeout_ms, gossip_stream_fn done, void *arg,
                   struct gossip_dial **out)
{
    (void)ctx;
    (void)to;
    (void)timeout_ms;
    (void)done;
    (void)arg;
    (void)out;
    return GOSSIP_EROUTE;
}

static const struct gossip_transport_ops wire = {
    .version = 1, .send_packet = on_send, .dial_stream = on_dial};

static void on_event(void *ctx, const struct gossip_event *event)
{
    (void)ctx;
    FUZZ_REQUIRE(event->kind <= GOSSIP_EVENT_QUERY);
}

static void add_member(struct gossip_memberlist *ml,
                       const struct base_addr *from, const char *name,
                       uint8_t last)
{
    static const uint8_t vsn[] = {1, 5, 2, 2, 5, 5};
    const uint8_t ip[] = {10, 0, 0, last};
    struct base_buf packet = BASE_BUF_INIT;
    struct ml_alive alive = {0};

    alive.incarnation = 1;
    alive.node = mp_str_of(name);
    alive.addr = mp_bytes_of(ip, 4);
    alive.port = 7946;
    alive.meta = mp_bytes_of("\xff\x81\xa4role\xa3web", 11);
    alive.vsn = mp_bytes_of(vsn, 6);
    ml_put(&packet, ML_ALIVE, &alive);
    gossip_packet_in(ml, from, base_buf_data(&packet), base_buf_len(&packet));
    base_buf_close(&packet);
}

static void tell(struct gossip_serf *serf, unsigned what, const uint8_t *data,
                 size_t len)
{
    if (what % 4 == 0)
        serf_merge_state(serf, data, len, false);
    else if (what % 4 == 1)
        serf_merge_state(serf, data, len, true);
    else if (len > 0)
        serf_take_message(serf, data, len);
}

/* Our own state must be good for others. */
static void merge_own(struct gossip_serf *serf)
{
    struct base_buf state = BASE_BUF_INIT;

    serf_local_state(serf, &state);
    FUZZ_REQUIRE(base_buf_len(&state) > 0);
    serf_merge_state(serf, base_buf_data(&state), base_buf_len(&state), true);
    base_buf_close(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct gossip_tag tags[] = {{"dc", "eu"}, {"role", "web"}};
    struct base_cursor in = base_cursor_of(data, len);
    struct gossip_serf_config config = {0};
    struct base_sim *sim = base_sim_new(1);
    struct gossip_serf *serf;
    struct base_env *env;
    struct base_addr from;

    base_sim_set_digest(sim, false);
    base_addr_parse(&config.advertise, "10.0.0.1:7946", 0);
    base_addr_parse(&from, "10.0.0.2:7946", 0);
    env = base_sim_host_env(
        base_sim_host_new(sim, "h", &config.advertise, 1), "gossip");
    config.name = "node-a";
    config.tags = tags;
    config.tag_count = 2;
    config.params = gossip_params_lan;
    config.transport.ops = &wire;
    config.on_event = on_event;
    FUZZ_REQUIRE(gossip_serf_new(env, &config, &serf) == 0);
    add_member(gossip_serf_memberlist(serf), &from, "node-b", 2);
    add_member(gossip_serf_memberlist(serf), &from, "node-c", 3);
    base_sim_run_for_ms(sim, 5);
    while (base_cursor_left(&in) >= 3) {
        unsigned what = base_cursor_u8(&in);
        size_t part = base_cursor_u16be(&in);

        if (part > base_cursor_left(&in))
            part = base_cursor_left(&in);
        tell(serf, what, base_cursor_bytes(&in, part), part);
        base_sim_run_for_ms(sim, what % 64);
    }
    merge_own(serf);
    FUZZ_REQUIRE(gossip_serf_member_count(serf) >= 1);
    gossip_serf_free(serf);
    base_sim_free(sim);
    return 0;
}
