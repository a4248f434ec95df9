/*
 * Bad input to a node: every malformed packet and stream of gossip.md 6.2,
 * 6.3 and 9 is dropped, counted, and leaves a healthy member behind.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "lone.h"
#include "memberlist/crc32.h"
#include "memberlist/crypt.h"
#include "memberlist/reader.h"
#include "pool.h"
#include "suite.h"
#include "vectors.h"

static const struct {
    const char *reason;
    const char *bytes;
    size_t len;
} packets[] = {
#define PACKET(reason, literal) {reason, literal, sizeof(literal) - 1}
    PACKET("type", "\x06\x80"),         /* push/pull is for streams */
    PACKET("type", "\x0a\x80"),
    PACKET("type", "\x0d\x80"),
    PACKET("type", "\x0e"),
    PACKET("type", "\xff"),
    PACKET("type", "\x0c\x01\x02"),     /* too short for a checksum */
    PACKET("crc", "\x0c\x01\x02\x03\x04\x08hi"),
    PACKET("label", "\xf4"),
    PACKET("label", "\xf4\x00"),
    PACKET("label", "\xf4\x05""blu"),
    PACKET("label", "\xf4\x04""blue\x08hi"), /* we have none */
    PACKET("truncated", "\x07"),
    PACKET("truncated", "\x07\x02\x00\x01\x00"),
    PACKET("truncated", "\x07\x80"),    /* 128 parts, no table: crashed */
    PACKET("truncated", "\x07\xff\x00\x01"),
    PACKET("truncated", "\x07\x01\x00\x09hi"),
    PACKET("truncated", "\x07\x01\x00\x00"), /* an empty part */
    PACKET("decode", "\x00"),
    PACKET("decode", "\x00\x81"),
    PACKET("decode", "\x00\x81\xa5SeqNo\xa1x"),
    PACKET("decode", "\x00\x81\xa5SeqNo\xff"),
    PACKET("decode", "\x00\xdf\xff\xff\xff\xff"),
    PACKET("decode", "\x02\x81\xa7Payload\xdb\xff\xff\xff\xff"),
    PACKET("decode", "\x02\x81\xa7Payload\xdd\xff\xff\xff\xff"),
    PACKET("decode", "\x03\x81\xa4Node\x07"),
    PACKET("decode", "\x04\xc1"),
    PACKET("decode", "\x05\x81\xabIncarnation\xcf\xff\xff\xff\xff\xff\xff\xff"
                     "\xff"),
    PACKET("decode", "\x09\x80"),
    PACKET("truncated", "\x09\x82\xa4""Algo\x00\xa3""Buf\xa3\x00\x03\x02"),
                                        /* an empty plaintext: crashed */
    PACKET("decode", "\x09\x82\xa4""Algo\x01\xa3""Buf\xa1x"),
    PACKET("decode", "\x09\x82\xa4""Algo\x00\xa3""Buf\xa0"),
    PACKET("decode", "\x09\x82\xa4""Algo\x00\xa3""Buf\xa4\xff\xff\xff\xff"),
    PACKET("name", "\x03\x81\xa4Node\xa0"),
    PACKET("name", "\x05\x80"),
    PACKET("vsn", "\x04\x84\xa4Node\xa1x\xa4""Addr\xa4\x01\x02\x03\x04\xa4Port"
                  "\x01\xabIncarnation\x01"),
    PACKET("addr", "\x01\x82\xa6Target\xa3\x01\x02\x03\xa5SeqNo\x01"),
    PACKET("addr", "\x01\x80"),
    PACKET("wrong_node", "\x00\x81\xa4Node\xa5other"),
#undef PACKET
};

START_TEST(malformed_packets_are_dropped)
{
    struct lone *lone = lone_new();

    lone_start(lone);
    lone_packet(lone, packets[_i].bytes, packets[_i].len);
    ck_assert_uint_eq(lone_dropped(lone, packets[_i].reason), 1);
    ck_assert_uint_eq(lone->packet_count, 0); /* no reply, ever */
    ck_assert_uint_eq(gossip_memberlist_count(lone->ml), 1);
    lone_assert_well(lone);
    lone_free(lone);
}
END_TEST

/* What the label test refuses is empty or too long as well. */
START_TEST(sizes_of_packets_are_bounded)
{
    struct lone *lone = lone_new();
    uint8_t *big = base_calloc(1, 70000);

    lone_start(lone);
    big[0] = ML_USER;
    lone_packet(lone, big, 0);
    lone_packet(lone, big, 65537);
    ck_assert_uint_eq(lone_dropped(lone, "limit"), 2);
    lone_packet(lone, big, 65536);
    ck_assert_uint_eq(lone->last_message_len, 65535);
    base_free(big);
    lone_free(lone);
}
END_TEST

static void wrap_compound(struct base_buf *message)
{
    struct base_buf out = BASE_BUF_INIT;

    base_buf_append_u8(&out, ML_COMPOUND);
    base_buf_append_u8(&out, 1);
    base_buf_append_u16be(&out, (uint16_t)base_buf_len(message));
    base_buf_append(&out, base_buf_data(message), base_buf_len(message));
    base_buf_close(message);
    *message = out;
}

static void wrap_compress(struct base_buf *message)
{
    struct lzw_encoder *encoder = lzw_encoder_new();
    struct base_buf packed = BASE_BUF_INIT, out = BASE_BUF_INIT;
    struct ml_compress wrapper = {0};

    lzw_encoder_begin(encoder, &packed);
    lzw_encoder_feed(encoder, base_buf_data(message), base_buf_len(message),
                     &packed);
    lzw_encoder_end(encoder, &packed);
    wrapper.buf = mp_bytes_of(base_buf_data(&packed), base_buf_len(&packed));
    ml_put(&out, ML_COMPRESS, &wrapper);
    base_buf_close(message);
    base_buf_close(&packed);
    lzw_encoder_free(encoder);
    *message = out;
}

/* gossip.md 6.3.2: eight deep, counting the message itself. */
START_TEST(nesting_is_bounded)
{
    struct lone *lone = lone_new();
    struct base_buf message = BASE_BUF_INIT;
    int depth;

    lone_start(lone);
    base_buf_append(&message, "\x08hi", 3);
    for (depth = 1; depth < 20; depth++) {
        lone_packet(lone, base_buf_data(&message), base_buf_len(&message));
        ck_assert_uint_eq(lone->messages, depth <= 8 ? (unsigned)depth : 8);
        if (depth % 2 == _i)
            wrap_compress(&message);
        else
            wrap_compound(&message);
    }
    ck_assert_uint_eq(lone_dropped(lone, "depth"), 11);
    base_buf_close(&message);
    lone_assert_well(lone);
    lone_free(lone);
}
END_TEST

START_TEST(packet_bombs_stop_at_a_mebibyte)
{
    struct lone *lone = lone_new();
    struct base_buf one = BASE_BUF_INIT, packet = BASE_BUF_INIT;
    uint8_t *zeros = base_calloc(1, 2u << 20);
    int i;

    lone_start(lone);
    zeros[0] = ML_USER;
    base_buf_append(&one, zeros, ML_PACKET_PLAIN_MAX + 1);
    wrap_compress(&one);
    lone_packet(lone, base_buf_data(&one), base_buf_len(&one));
    ck_assert_uint_eq(lone_dropped(lone, "bomb"), 1);
    base_buf_reset(&one);
    /* Many small ones count together. */
    base_buf_append(&one, zeros, 300 * 1024);
    wrap_compress(&one);
    base_buf_append_u8(&packet, ML_COMPOUND);
    base_buf_append_u8(&packet, 5);
    for (i = 0; i < 5; i++)
        base_buf_append_u16be(&packet, (uint16_t)base_buf_len(&one));
    for (i = 0; i < 5; i++)
        base_buf_append(&packet, base_buf_data(&one), base_buf_len(&one));
    lone_packet(lone, base_buf_data(&packet), base_buf_len(&packet));
    ck_assert_uint_eq(lone->messages, 3);
    ck_assert_uint_eq(lone_dropped(lone, "bomb"), 3);
    base_free(zeros);
    base_buf_close(&one);
    base_buf_close(&packet);
    lone_assert_well(lone);
    lone_free(lone);
}
END_TEST

/* A part that is broken does no harm to its siblings. */
/* The count times two does not fit 8 bits: the original lost track from 128
 * parts on (gossip.md 9.1). */
START_TEST(long_compounds_are_read_whole)
{
    static const uint8_t counts[] = {127, 128, 200, 255};
    struct lone *lone = lone_new();
    size_t i, part, total = 0;

    lone_start(lone);
    for (i = 0; i < sizeof(counts); i++) {
        struct base_buf packet = BASE_BUF_INIT;

        base_buf_append_u8(&packet, ML_COMPOUND);
        base_buf_append_u8(&packet, counts[i]);
        for (part = 0; part < counts[i]; part++)
            base_buf_append_u16be(&packet, 2);
        for (part = 0; part < counts[i]; part++) {
            base_buf_append_u8(&packet, ML_USER);
            base_buf_append_u8(&packet, (uint8_t)part);
        }
        lone_packet(lone, base_buf_data(&packet), base_buf_len(&packet));
        base_buf_close(&packet);
        total += counts[i];
        ck_assert_uint_eq(lone->messages, total);
    }
    ck_assert_uint_eq(lone_dropped(lone, "truncated"), 0);
    lone_free(lone);
}
END_TEST

START_TEST(siblings_in_a_compound_survive)
{
    struct lone *lone = lone_new();

    lone_start(lone);
    lone_packet(lone, "\x07\x03\x00\x03\x00\x02\x00\x03\x08hi\x04\xc1\x08yo",
                16);
    ck_assert_uint_eq(lone->messages, 2);
    ck_assert_uint_eq(lone_dropped(lone, "decode"), 1);
    lone_packet(lone, "\x07\x02\x00\x03\x00\x09\x08hi\x08yo", 12);
    ck_assert_uint_eq(lone->messages, 3); /* and the rest is truncated */
    lone_packet(lone, "\x07\x01\x00\x03\x08hi trailing", 16);
    ck_assert_uint_eq(lone->messages, 4);
    lone_free(lone);
}
END_TEST

START_TEST(plaintext_is_refused_where_a_key_is_set)
{
    struct lone *lone = lone_new();

    lone->keyring = gossip_keyring_new();
    gossip_keyring_add(lone->keyring, "0123456789abcdef", 16);
    lone->config.keyring = lone->keyring;
    lone->config.params.verify_incoming = _i == 0;
    lone_start(lone);
    lone_packet(lone, "\x08hi", 3);
    ck_assert_uint_eq(lone->messages, _i == 0 ? 0 : 1);
    ck_assert_uint_eq(lone_dropped(lone, "crypt"), _i == 0 ? 1 : 0);
    lone_free(lone);
}
END_TEST

/* The owner of the key sends nonsense inside (gossip.md 9.8). */
START_TEST(sealed_nonsense_is_refused)
{
    static const char *const inside[] = {"", "\x0c", "\x07\x80", "\xff",
                                         "\x09\x80", "\x0c\x01\x02\x03\x04"};
    static const size_t lens[] = {0, 1, 2, 1, 2, 5};
    const uint8_t nonce[ML_NONCE_BYTES] = {5};
    struct lone *lone = lone_new();
    struct base_buf packet = BASE_BUF_INIT;
    unsigned version;

    lone->keyring = gossip_keyring_new();
    gossip_keyring_add(lone->keyring, "0123456789abcdef", 16);
    lone->config.keyring = lone->keyring;
    lone_start(lone);
    for (version = 0; version < 2; version++) {
        base_buf_reset(&packet);
        ck_assert_int_eq(ml_encrypt(lone->keyring, version, nonce, inside[_i],
                                    lens[_i], NULL, 0, &packet), 0);
        lone_packet(lone, base_buf_data(&packet), base_buf_len(&packet));
        packet.bytes[packet.start] = 2; /* a version from the future */
        lone_packet(lone, base_buf_data(&packet), base_buf_len(&packet));
    }
    ck_assert_uint_eq(lone->messages, 0);
    ck_assert_uint_ge(lone_dropped(lone, "crypt"), 2);
    base_buf_close(&packet);
    lone_free(lone);
}
END_TEST

/* A pool of nodes that are not there cannot make us keep sending for them. */
START_TEST(relays_are_bounded)
{
    static const uint8_t ip[] = {10, 9, 9, 9};
    struct lone *lone = lone_new();
    struct ml_indirect_ping request = {0};
    uint32_t i;

    lone_start(lone);
    request.target = mp_bytes_of(ip, 4);
    request.port = 1;
    request.node = mp_str_of("nobody");
    for (i = 0; i < 200; i++) {
        request.seq_no = i;
        lone_tell(lone, ML_INDIRECT_PING, &request);
    }
    ck_assert_uint_eq(lone_sent_count(lone, ML_PING), 200);
    base_sim_run_for_ms(lone->sim, 1000);
    ck_assert_ptr_null(lone->ml->relays);
    ck_assert_uint_eq(lone_sent_count(lone, ML_NACK), 0); /* none asked for */
    lone_assert_well(lone);
    lone_free(lone);
}
END_TEST

/* Every vector with bytes changed, cut and doubled, many times over. */
START_TEST(mutilated_packets_do_no_harm)
{
    struct lone *lone = lone_new();
    uint8_t bytes[4096];
    size_t i, round;

    vectors_open();
    lone->config.params.compression = true;
    lone->config.params.probe_interval_ms = 1000;
    lone_start(lone);
    for (round = 0; round < 30; round++)
        for (i = 0; i < vectors_count(); i++) {
            struct mp_bytes golden = vector_bytes(vectors_at(i));
            size_t len = golden.len, changes;

            if (len == 0 || len > sizeof(bytes))
                continue;
            memcpy(bytes, golden.data, len);
            for (changes = 1 + round / 8; changes > 0; changes--)
                bytes[base_env_random_below(lone->env, len)] =
                    (uint8_t)base_env_random_below(lone->env, 256);
            if (round % 3 == 0)
                len = 1 + (size_t)base_env_random_below(lone->env, len);
            lone_packet(lone, bytes, len);
        }
    lone_assert_well(lone);
    vectors_close();
    lone_free(lone);
}
END_TEST

/* A raw peer: connects to node 0 of a pool, writes what a test says, and keeps
 * what comes back. */
struct raw {
    struct pool *pool;
    struct base_net *net;
    struct base_stream *stream;
    struct base_buf to_write; /* written when connected */
    struct base_buf got;
    bool shuts; /* ends its direction after writing */
    bool connected, closed;
    int close_err;
};

static void raw_readable(void *arg)
{
    struct raw *raw = arg;

    base_buf_append(&raw->got, base_stream_data(raw->stream),
                    base_stream_len(raw->stream));
    base_stream_consume(raw->stream, base_stream_len(raw->stream));
}

static void raw_closed(void *arg, int err)
{
    struct raw *raw = arg;

    raw->closed = true;
    raw->close_err = err;
}

static const struct base_stream_events raw_events = {raw_readable, NULL,
                                                     raw_closed};

static void raw_dialled(void *arg, int status, struct base_stream *stream)
{
    struct raw *raw = arg;

    ck_assert_int_eq(status, 0);
    raw->stream = stream;
    raw->connected = true;
    base_stream_set_events(stream, &raw_events, raw);
    if (base_buf_len(&raw->to_write) > 0)
        ck_assert_int_eq(base_stream_write(stream,
                                           base_buf_data(&raw->to_write),
                                           base_buf_len(&raw->to_write)), 0);
    if (raw->shuts)
        base_stream_shutdown(stream);
}

/* The last host of the pool is the raw one's. */
static void raw_open(struct raw *raw, struct pool *pool, const void *data,
                     size_t len)
{
    struct pool_node *me = &pool->nodes[pool->count - 1];

    memset(raw, 0, sizeof(*raw));
    raw->pool = pool;
    if (me->env == NULL)
        me->env = base_sim_host_env(me->host, "raw");
    raw->net = base_sim_host_net(me->host, me->env);
    if (len > 0)
        base_buf_append(&raw->to_write, data, len);
    ck_assert_int_eq(base_net_dial(raw->net, &pool->nodes[0].addr, NULL, 1000,
                                   raw_dialled, raw, NULL), 0);
}

static void raw_close(struct raw *raw)
{
    if (raw->stream != NULL)
        base_stream_close(raw->stream);
    base_buf_close(&raw->to_write);
    base_buf_close(&raw->got);
}

/* A node 0 and a raw host. */
static struct pool *raw_pool(void)
{
    struct pool *pool = pool_new(1, 3);

    pool->nodes[0].params.push_pull_interval_ms = 0;
    pool->nodes[0].params.compression = false;
    pool_start(pool, 0);
    pool_start(pool, 1);
    pool_join(pool, 1, 0);
    pool_run_ms(pool, 1000);
    return pool;
}

static void assert_well(struct pool *pool)
{
    pool_join(pool, 1, 0);
    pool_until(pool, pool_is_done, &pool->nodes[1], 3000);
    ck_assert_int_eq(pool->nodes[1].done_status, 0);
    ck_assert(pool_agrees(pool));
    ck_assert_uint_eq(pool->nodes[0].ml->exchange_bytes, 0);
}

enum answer { ERR, CLOSE };
static const struct {
    const char *reason; /* of the drop; NULL: none */
    enum answer answer;
    const char *bytes;
    size_t len;
} streams[] = {
#define STREAM(reason, answer, literal)                                      \
    {reason, answer, literal, sizeof(literal) - 1}
    STREAM(NULL, CLOSE, ""),
    STREAM("label", CLOSE, "\xf4\x04""blue\x06"),
    STREAM("label", CLOSE, "\xf4\x00\x06"),
    STREAM("crypt", ERR, "\x0a\x00\x00\x00\x1d"),
    STREAM("crypt", ERR, "\x0a\xff\xff\xff\xff"), /* we have no key */
    STREAM("decode", ERR, "\x09\x80"),
    STREAM("decode", ERR, "\x09\x82\xa4""Algo\x00\xa3""Buf\xa3\x00\x03\x02"),
    STREAM("decode", ERR, "\x09\x82\xa4""Algo\x07\xa3""Buf\xa1x"
                          "                                        "
                          "                                        "),
    STREAM("decode", ERR, "\x09\x82\xa4""Algo\x00\xa3""Buf\xa4\xff\xff\xff"
                          "\xff"),
    STREAM("decode", CLOSE, "\x07\x01"),
    STREAM("decode", CLOSE, "\x0c\x01"),
    STREAM("decode", CLOSE, "\x0d\x80"),
    STREAM("decode", CLOSE, "\x02\x80"),
    STREAM("decode", CLOSE, "\xff"),
    STREAM("decode", CLOSE, "\x06\xc1"),
    STREAM("limit", CLOSE, "\x06\x81\xa5Nodes\xff"), /* negative: crashed */
    STREAM("limit", CLOSE, "\x06\x81\xa5Nodes\xce\x00\x10\x00\x01"),
    STREAM("limit", CLOSE, "\x06\x81\xa5Nodes\xcf\x7f\xff\xff\xff\xff\xff\xff"
                           "\xff"),
    STREAM("limit", CLOSE, "\x06\x81\xacUserStateLen\xff"),
    STREAM("limit", CLOSE, "\x06\x81\xacUserStateLen\xce\x01\x40\x00\x01"),
    STREAM("limit", CLOSE, "\x08\x81\xaaUserMsgLen\xff"),
    STREAM("limit", CLOSE, "\x08\x81\xaaUserMsgLen\xce\x01\x40\x00\x01"),
    STREAM("decode", CLOSE, "\x06\x81\xa5Nodes\x01\x81\xa4Name\x05"),
    STREAM("decode", CLOSE, "\x06\x81\xa5Nodes\x01\xc1"),
    STREAM("decode", CLOSE, "\x06\x81\xa5Nodes\x01\x81\xa4Name\xdb\x00\x02"
                            "\x00\x00"),
    STREAM("wrong_node", CLOSE, "\x00\x81\xa4Node\xa5other"),
#undef STREAM
};

START_TEST(malformed_streams_end)
{
    struct pool *pool = raw_pool();
    struct raw raw;

    raw_open(&raw, pool, streams[_i].bytes, streams[_i].len);
    raw.shuts = streams[_i].len == 0;
    pool_run_ms(pool, 2000);
    ck_assert(raw.closed);
    if (streams[_i].answer == ERR)
        ck_assert_uint_eq(*base_buf_data(&raw.got), ML_ERR);
    else
        ck_assert_uint_eq(base_buf_len(&raw.got), 0);
    if (streams[_i].reason != NULL)
        ck_assert_uint_eq(pool_dropped(pool, 0, streams[_i].reason), 1);
    raw_close(&raw);
    ck_assert_uint_eq(pool->nodes[0].ml->streams_in, 0);
    assert_well(pool);
    pool_free(pool);
}
END_TEST

/* Cut off in the middle: nothing of it is applied. */
START_TEST(truncated_push_pulls_change_nothing)
{
    struct pool *pool = raw_pool();
    struct raw raw;
    struct mp_bytes bytes;

    vectors_open();
    bytes = vector_bytes(vectors_named("ml_stream_pushpull_join"));
    raw_open(&raw, pool, bytes.data, bytes.len - 1);
    raw.shuts = true;
    pool_run_ms(pool, 3000);
    ck_assert(raw.closed);
    ck_assert_uint_eq(base_buf_len(&raw.got), 0);
    raw_close(&raw);
    ck_assert_uint_eq(pool_dropped(pool, 0, "vsn"), 0);
    raw_open(&raw, pool, bytes.data, bytes.len);
    pool_run_ms(pool, 3000);
    /* Whole, it is answered, and then looked at: ours is no serf pool. */
    ck_assert_uint_gt(base_buf_len(&raw.got), 50);
    ck_assert_uint_eq(pool_dropped(pool, 0, "vsn"), 1);
    raw_close(&raw);
    vectors_close();
    pool_free(pool);
}
END_TEST

/* gossip.md 1.11: one node that cannot be spoken to refuses the whole pool;
 * but one that lies about itself is dropped alone. */
START_TEST(versions_must_overlap)
{
    static const uint8_t vsns[][6] = {
        {1, 5, 2, 2, 5, 4}, /* a delegate that ours (0 to 0) is not */
        {5, 5, 5, 0, 0, 0}, /* wants 5 of all */
        {1, 5, 9, 0, 0, 0}, /* a lie */
    };
    static const uint8_t ip[] = {10, 7, 7, 7};
    struct pool *pool = raw_pool();
    struct ml_push_pull header = {2, 0, true};
    struct ml_push_node node = {0};
    struct base_buf message = BASE_BUF_INIT;
    static const uint8_t good[] = {1, 5, 2, 0, 0, 0};
    struct raw raw;

    ml_put(&message, ML_PUSH_PULL, &header);
    node.name = mp_str_of("bad");
    node.addr = mp_bytes_of(ip, 4);
    node.port = 1;
    node.incarnation = 1;
    node.vsn = mp_bytes_of(vsns[_i], 6);
    ml_put(&message, ML_PUSH_NODE, &node);
    node.name = mp_str_of("good");
    node.vsn = mp_bytes_of(good, 6);
    ml_put(&message, ML_PUSH_NODE, &node);
    raw_open(&raw, pool, base_buf_data(&message), base_buf_len(&message));
    pool_run_ms(pool, 500);
    ck_assert_uint_eq(gossip_memberlist_count(pool->nodes[0].ml),
                      _i == 2 ? 3 : 2);
    ck_assert_uint_gt(pool_dropped(pool, 0, "vsn"), 0);
    raw_close(&raw);
    base_buf_close(&message);
    pool_free(pool);
}
END_TEST

/* What a peer says of the dead is a suspicion: the node gets to speak. */
START_TEST(remote_deaths_are_only_suspicions)
{
    static const uint8_t vsn[] = {1, 5, 2, 0, 0, 0};
    struct pool *pool = raw_pool();
    struct ml_push_pull header = {1, 0, false};
    struct ml_push_node node = {0};
    struct base_buf message = BASE_BUF_INIT;
    struct raw raw;

    ml_put(&message, ML_PUSH_PULL, &header);
    node.name = mp_str_of("n1");
    node.addr = mp_bytes_of(pool->nodes[1].addr.ip, 4);
    node.port = 7946;
    node.incarnation = 7;
    node.state = _i == 0 ? GOSSIP_DEAD : GOSSIP_LEFT;
    node.vsn = mp_bytes_of(vsn, 6);
    ml_put(&message, ML_PUSH_NODE, &node);
    raw_open(&raw, pool, base_buf_data(&message), base_buf_len(&message));
    pool_run_ms(pool, 15000);
    /* But who left has said so himself. */
    ck_assert_int_eq(pool->nodes[0].leaves, _i);
    ck_assert_int_eq(pool_state(pool, 0, 1), GOSSIP_ALIVE);
    ck_assert_uint_ge(pool_incarnation(pool, 0, 1), 8);
    raw_close(&raw);
    base_buf_close(&message);
    pool_free(pool);
}
END_TEST

/* One byte a second, or none: cut at the deadline of the first one. */
START_TEST(slow_streams_are_cut)
{
    struct pool *pool = raw_pool();
    struct raw raw;
    uint64_t start_ns;
    int i;

    raw_open(&raw, pool, "\x06", _i == 0 ? 0 : 1);
    pool_run_ms(pool, 100);
    start_ns = base_sim_now_ns(pool->sim);
    for (i = 0; i < 15 && !raw.closed; i++) {
        pool_run_ms(pool, 1000);
        if (_i == 1 && !raw.closed)
            base_stream_write(raw.stream, "\x81", 1);
        else if (_i == 2 && !raw.closed)
            base_stream_write(raw.stream, "\xda", 1);
    }
    ck_assert(raw.closed);
    ck_assert_uint_le((base_sim_now_ns(pool->sim) - start_ns) / 1000000,
                      11000);
    raw_close(&raw);
    assert_well(pool);
    pool_free(pool);
}
END_TEST

/* 256 streams (gossip.md 6.3.9), of them 128 push/pulls; the 129th
 * is told to come later. */
START_TEST(numbers_of_streams_are_bounded)
{
    struct pool *pool = raw_pool();
    struct raw *raws = base_calloc(300, sizeof(*raws));
    size_t told = 0, refused = 0, i;

    for (i = 0; i < 300; i++)
        raw_open(&raws[i], pool, "\x06\x81\xa5Nodes\x05", 8);
    pool_run_ms(pool, 5000);
    for (i = 0; i < 300; i++) {
        const struct base_buf *got = &raws[i].got;

        told += base_buf_len(got) > 0 && *base_buf_data(got) == ML_ERR;
        refused += raws[i].closed;
    }
    ck_assert_uint_eq(told, 128);
    ck_assert_uint_eq(refused, 300 - 128);
    ck_assert_uint_eq(pool->nodes[0].ml->push_pulls_in, 128);
    ck_assert_uint_eq(pool_dropped(pool, 0, "streams_full"), 44);
    ck_assert_uint_eq(pool_dropped(pool, 0, "push_pulls_full"), 128);
    pool_run_ms(pool, 6000); /* and after the deadline all is over */
    ck_assert_uint_eq(pool->nodes[0].ml->push_pulls_in, 0);
    ck_assert_uint_eq(pool->nodes[0].ml->streams_in, 0);
    for (i = 0; i < 300; i++)
        raw_close(&raws[i]);
    base_free(raws);
    assert_well(pool);
    pool_free(pool);
}
END_TEST

/* A bomb of 50 MiB in a stream stops at 40. */
START_TEST(stream_bombs_stop)
{
    struct pool *pool = raw_pool();
    struct lzw_encoder *encoder = lzw_encoder_new();
    struct base_buf packed = BASE_BUF_INIT, message = BASE_BUF_INIT;
    struct ml_compress wrapper = {0};
    uint8_t *zeros = base_calloc(1, 1 << 20);
    struct raw raw;
    int i;

    lzw_encoder_begin(encoder, &packed);
    /* A push/pull whose first member has a key of endless array. */
    lzw_encoder_feed(encoder, "\x06\x82\xa5Nodes\x00\xacUserStateLen\xce\x01"
                              "\x40\x00\x00", 27, &packed);
    for (i = 0; i < 50; i++)
        lzw_encoder_feed(encoder, zeros, 1 << 20, &packed);
    lzw_encoder_end(encoder, &packed);
    wrapper.buf = mp_bytes_of(base_buf_data(&packed), base_buf_len(&packed));
    ml_put(&message, ML_COMPRESS, &wrapper);
    raw_open(&raw, pool, base_buf_data(&message), base_buf_len(&message));
    pool_run_ms(pool, 3000);
    ck_assert_uint_eq(pool->nodes[0].ml->streams_in, 0);
    raw_close(&raw);
    base_free(zeros);
    base_buf_close(&packed);
    base_buf_close(&message);
    lzw_encoder_free(encoder);
    assert_well(pool);
    pool_free(pool);
}
END_TEST

/* What all exchanges hold stays under the budget; the oldest goes on, and what
 * waits is served when there is room. */
START_TEST(exchanges_share_a_budget)
{
    struct pool *pool = pool_new(1, 3);
    struct raw raws[6];
    struct ml_user_header header = {300 * 1024};
    struct base_buf message = BASE_BUF_INIT;
    uint8_t *zeros = base_calloc(1, 300 * 1024);
    size_t i;

    pool->nodes[0].params.exchange_bytes_max = 1 << 20;
    pool_start(pool, 0);
    pool_start(pool, 1);
    pool_join(pool, 1, 0);
    pool_run_ms(pool, 1000);
    ml_put(&message, ML_USER, &header);
    base_buf_append(&message, zeros, 300 * 1024 - 1); /* not whole */
    for (i = 0; i < 6; i++)
        raw_open(&raws[i], pool, base_buf_data(&message),
                 base_buf_len(&message));
    for (i = 0; i < 200; i++) {
        pool_run_ms(pool, 10);
        ck_assert_uint_le(pool->nodes[0].ml->exchange_bytes, 1 << 20);
    }
    ck_assert_uint_gt(pool->nodes[0].ml->exchange_bytes, 500 * 1024);
    for (i = 0; i < 6; i++)
        if (!raws[i].closed)
            base_stream_write(raws[i].stream, "x", 1);
    pool_run_ms(pool, 3000);
    ck_assert_uint_ge(pool->nodes[0].messages, 2);
    ck_assert_uint_eq(pool->nodes[0].last_message_len, 300 * 1024);
    for (i = 0; i < 6; i++)
        raw_close(&raws[i]);
    base_free(zeros);
    base_buf_close(&message);
    pool_run_ms(pool, 12000);
    assert_well(pool);
    pool_free(pool);
}
END_TEST

/* Every stream vector with bytes changed. */
START_TEST(mutilated_streams_do_no_harm)
{
    struct pool *pool = raw_pool();
    size_t i, round;

    vectors_open();
    for (i = 0; i < vectors_count(); i++) {
        const json_t *vector = vectors_at(i);
        struct mp_bytes golden = vector_bytes(vector);

        if (!vector_is(vector, "stream") && !vector_is(vector, "live"))
            continue;
        for (round = 0; round < 40; round++) {
            uint8_t *bytes = base_memdup(golden.data, golden.len);
            struct raw raw;

            bytes[base_sim_random_below(pool->sim, golden.len)] =
                (uint8_t)base_sim_random_below(pool->sim, 256);
            raw_open(&raw, pool, bytes, golden.len);
            raw.shuts = true;
            pool_run_ms(pool, 50);
            raw_close(&raw);
            base_free(bytes);
        }
    }
    pool_run_ms(pool, 15000);
    ck_assert_uint_eq(pool->nodes[0].ml->streams_in, 0);
    ml_members_check(&pool->nodes[0].ml->members);
    pool_join(pool, 1, 0);
    pool_until(pool, pool_is_done, &pool->nodes[1], 3000);
    vectors_close();
    pool_free(pool);
}
END_TEST

Suite *hostile_suite(void)
{
    Suite *suite = suite_create("memberlist-bad-input");
    TCase *tcase = tcase_create("bad input");

    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, malformed_packets_are_dropped, 0,
                        BASE_COUNT_OF(packets));
    tcase_add_test(tcase, sizes_of_packets_are_bounded);
    tcase_add_loop_test(tcase, nesting_is_bounded, 0, 2);
    tcase_add_test(tcase, packet_bombs_stop_at_a_mebibyte);
    tcase_add_test(tcase, long_compounds_are_read_whole);
    tcase_add_test(tcase, siblings_in_a_compound_survive);
    tcase_add_loop_test(tcase, plaintext_is_refused_where_a_key_is_set, 0, 2);
    tcase_add_loop_test(tcase, sealed_nonsense_is_refused, 0, 6);
    tcase_add_test(tcase, relays_are_bounded);
    tcase_add_test(tcase, mutilated_packets_do_no_harm);
    tcase_add_loop_test(tcase, malformed_streams_end, 0,
                        BASE_COUNT_OF(streams));
    tcase_add_test(tcase, truncated_push_pulls_change_nothing);
    tcase_add_loop_test(tcase, versions_must_overlap, 0, 3);
    tcase_add_loop_test(tcase, remote_deaths_are_only_suspicions, 0, 2);
    tcase_add_loop_test(tcase, slow_streams_are_cut, 0, 3);
    tcase_add_test(tcase, numbers_of_streams_are_bounded);
    tcase_add_test(tcase, stream_bombs_stop);
    tcase_add_test(tcase, exchanges_share_a_budget);
    tcase_add_test(tcase, mutilated_streams_do_no_harm);
    suite_add_tcase(suite, tcase);
    return suite;
}
