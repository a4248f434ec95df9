/*
 * Whole packets into a whole node. The first byte chooses what the node is set
 * to and what the packet is wrapped in, so that the fuzzer also gets behind
 * checksums and encryption, which it could not guess.
 * Property: the node stays a healthy member, and answers a ping.
 * needs: gossip base
 * covers: libgossip/src/memberlist/packet_in.c
 * covers: libgossip/src/memberlist/serve.c
 * covers: libgossip/src/memberlist/facts.c
 * covers: libgossip/src/memberlist/inbox.c
 */
#include "fuzz.h"

#include "base/sim.h"
#include "memberlist/crc32.h"
#include "memberlist/crypt.h"
#include "memberlist/node.h"

enum { SET_KEY = 1, SET_LABEL = 2, OPEN = 4, WRAP_SEAL = 8, WRAP_LABEL = 16,
       WRAP_CRC = 32, SET_CIDR = 64, SKIP_LABEL = 128 };

static unsigned sent;

static int on_send(void *ctx, const struct gossip_peer *to, const void *data,
                   size_t len)
{
    (void)ctx;
    (void)to;
    (void)data;
    FUZZ_REQUIRE(len > 0);
    sent++;
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

static void wrap(unsigned how, struct gossip_keyring *keyring,
                 const uint8_t *data, size_t len, struct base_buf *out)
{
    static const uint8_t nonce[ML_NONCE_BYTES] = {1};
    struct base_buf plain = BASE_BUF_INIT;
    const char *label = how & SET_LABEL ? "blue" : "";

    if (how & WRAP_CRC) {
        base_buf_append_u8(&plain, ML_CRC);
        base_buf_append_u32be(&plain, ml_crc32(data, len));
    }
    base_buf_append(&plain, data, len);
    if (how & WRAP_LABEL)
        base_buf_append(out, "\xf4\x04""blue", 6);
    if (how & WRAP_SEAL)
        (void)ml_encrypt(keyring, len % 2, nonce, base_buf_data(&plain),
                         base_buf_len(&plain), label, strlen(label), out);
    else
        base_buf_append(out, base_buf_data(&plain), base_buf_len(&plain));
    base_buf_close(&plain);
}

static void assert_well(struct gossip_memberlist *ml,
                        const struct base_addr *from)
{
    struct ml_ping ping = {0};
    unsigned before = sent;

    ml_on_ping(ml, from, &ping);
    FUZZ_REQUIRE(sent == before + 1);
    FUZZ_REQUIRE(ml->self->state == GOSSIP_ALIVE);
    ml_members_check(&ml->members);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct gossip_memberlist_config config = {0};
    struct gossip_keyring *keyring = gossip_keyring_new();
    struct base_sim *sim = base_sim_new(1);
    struct base_buf packet = BASE_BUF_INIT;
    struct gossip_memberlist *ml;
    struct base_cidr cidr;
    struct base_addr from;
    struct base_env *env;
    unsigned how = len > 0 ? data[0] : 0;

    base_sim_set_digest(sim, false);
    base_addr_parse(&config.advertise, "10.0.0.1:7946", 0);
    base_addr_parse(&from, "10.0.0.2:7946", 0);
    base_cidr_parse(&cidr, "10.0.0.0/8");
    env = base_sim_host_env(
        base_sim_host_new(sim, "h", &config.advertise, 1), "gossip");
    gossip_keyring_add(keyring, "0123456789abcdef", 16);
    config.name = "node-b";
    config.params = gossip_params_lan;
    config.params.verify_incoming = !(how & OPEN);
    if (how & SET_KEY)
        config.keyring = keyring;
    config.label = how & SET_LABEL ? "blue" : NULL;
    config.skip_inbound_label_check = how & SKIP_LABEL;
    config.cidrs_allowed = &cidr;
    config.cidrs_allowed_count = how & SET_CIDR ? 1 : 0;
    config.delegate_vsn[0] = 2;
    config.delegate_vsn[1] = 5;
    config.delegate_vsn[2] = 4;
    config.transport.ops = &wire;
    FUZZ_REQUIRE(gossip_memberlist_new(env, &config, &ml) == 0);
    if (len > 0)
        wrap(how, keyring, data + 1, len - 1, &packet);
    gossip_packet_in(ml, &from, base_buf_data(&packet),
                     base_buf_len(&packet));
    base_sim_run_for_ms(sim, 700);
    assert_well(ml, &from);
    gossip_memberlist_free(ml);
    gossip_keyring_free(keyring);
    base_buf_close(&packet);
    base_sim_free(sim);
    return 0;
}
