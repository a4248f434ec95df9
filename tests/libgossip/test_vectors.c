/*
 * The golden vectors of memberlist, four ways: fields to bytes, bytes to
 * fields, decryption, LZW both ways (gossip.md 8). Packets and streams are
 * made by a whole node with its random numbers fixed.
 */
#include "suite.h"
#include "vectors.h"

#include "base/sim.h"
#include "gossip/error.h"
#include "memberlist/crc32.h"
#include "memberlist/crypt.h"
#include "memberlist/node.h"
#include "memberlist/reader.h"
#include "memberlist/stream_out.h"

union message {
    struct ml_ping ping;
    struct ml_indirect_ping indirect;
    struct ml_ack ack;
    struct ml_nack nack;
    struct ml_err err;
    struct ml_claim claim;
    struct ml_alive alive;
    struct ml_push_pull push_pull;
    struct ml_push_node node;
    struct ml_user_header user;
    struct ml_compress compress;
};

static void fill_ping(union message *m, const json_t *f)
{
    m->ping.seq_no = (uint32_t)field_uint(f, "SeqNo");
    m->ping.node = field_text(f, "Node");
    m->ping.source_addr = field_bytes(f, "SourceAddr");
    m->ping.source_port = (uint16_t)field_uint(f, "SourcePort");
    m->ping.source_node = field_text(f, "SourceNode");
}

static void fill_indirect(union message *m, const json_t *f)
{
    m->indirect.seq_no = (uint32_t)field_uint(f, "SeqNo");
    m->indirect.target = field_bytes(f, "Target");
    m->indirect.port = (uint16_t)field_uint(f, "Port");
    m->indirect.node = field_text(f, "Node");
    m->indirect.nack = field_bool(f, "Nack");
    m->indirect.source_addr = field_bytes(f, "SourceAddr");
    m->indirect.source_port = (uint16_t)field_uint(f, "SourcePort");
    m->indirect.source_node = field_text(f, "SourceNode");
}

static void fill_alive(union message *m, const json_t *f)
{
    m->alive.incarnation = (uint32_t)field_uint(f, "Incarnation");
    m->alive.node = field_text(f, "Node");
    m->alive.addr = field_bytes(f, "Addr");
    m->alive.port = (uint16_t)field_uint(f, "Port");
    m->alive.meta = field_bytes(f, "Meta");
    m->alive.vsn = field_bytes(f, "Vsn");
}

static void fill_node(union message *m, const json_t *f)
{
    m->node.name = field_text(f, "Name");
    m->node.addr = field_bytes(f, "Addr");
    m->node.port = (uint16_t)field_uint(f, "Port");
    m->node.meta = field_bytes(f, "Meta");
    m->node.incarnation = (uint32_t)field_uint(f, "Incarnation");
    m->node.state = (int64_t)field_uint(f, "State");
    m->node.vsn = field_bytes(f, "Vsn");
}

static void fill_err(union message *m, const json_t *f)
{
    static char text[65536];
    size_t len = (size_t)field_uint(f, "ErrorLen");

    /* The vector of which only the head is given says "y". */
    memset(text, json_object_get(f, "ErrorByte") != NULL ? 'x' : 'y',
           sizeof(text));
    m->err.error = json_object_get(f, "Error") != NULL
                       ? field_text(f, "Error")
                       : mp_bytes_of(text, len);
}

static void fill(union message *m, enum ml_type type, const json_t *f)
{
    memset(m, 0, sizeof(*m));
    switch (type) {
    case ML_PING: fill_ping(m, f); break;
    case ML_INDIRECT_PING: fill_indirect(m, f); break;
    case ML_ACK:
        m->ack.seq_no = (uint32_t)field_uint(f, "SeqNo");
        m->ack.payload = field_bytes(f, "Payload");
        break;
    case ML_NACK: m->nack.seq_no = (uint32_t)field_uint(f, "SeqNo"); break;
    case ML_ERR: fill_err(m, f); break;
    case ML_SUSPECT:
    case ML_DEAD:
        m->claim.incarnation = (uint32_t)field_uint(f, "Incarnation");
        m->claim.node = field_text(f, "Node");
        m->claim.from = field_text(f, "From");
        break;
    case ML_ALIVE: fill_alive(m, f); break;
    case ML_PUSH_PULL:
        m->push_pull.nodes = (int64_t)field_uint(f, "Nodes");
        m->push_pull.user_state_len = (int64_t)field_uint(f, "UserStateLen");
        m->push_pull.join = field_bool(f, "Join");
        break;
    case ML_PUSH_NODE: fill_node(m, f); break;
    case ML_USER: m->user.len = (int64_t)field_uint(f, "UserMsgLen"); break;
    case ML_COMPRESS:
        m->compress.algo = (uint8_t)field_uint(f, "Algo");
        m->compress.buf = field_bytes(f, "Buf");
        break;
    default: ck_abort_msg("type %d", (int)type);
    }
}

/* Is it one map of a type that has one? */
static bool is_map(const json_t *vector)
{
    const json_t *type = json_object_get(vector_fields(vector), "type");

    if (vector_is(vector, "serf") || vector_is(vector, "stream") ||
        vector_is(vector, "live") || vector_is(vector, "packet") ||
        strncmp(vector_name(vector), "v2_relay", 8) == 0 ||
        strncmp(vector_name(vector), "v2_query", 8) == 0 ||
        strncmp(vector_name(vector), "v2_serf", 7) == 0)
        return false;
    return type != NULL && json_integer_value(type) != ML_COMPOUND &&
           json_object_get(vector_fields(vector), "body") == NULL;
}

/* Signed fields of the newest codec come in other forms than ours. */
static bool is_signed_form(const json_t *vector)
{
    return vector_is(vector, "newest-codec") &&
           (strncmp(vector_name(vector), "v2_pushpull_header", 18) == 0 ||
            strcmp(vector_name(vector), "v2_user_header_200") == 0) &&
           strcmp(vector_name(vector), "v2_pushpull_header_127") != 0;
}

static struct mp_bytes bytes_of(const struct base_buf *buf)
{
    return mp_bytes_of(base_buf_data(buf), base_buf_len(buf));
}

START_TEST(fields_encode_to_golden_bytes)
{
    size_t i, checked = 0;

    vectors_open();
    for (i = 0; i < vectors_count(); i++) {
        const json_t *vector = vectors_at(i);
        struct mp_bytes want;
        struct base_buf out = BASE_BUF_INIT;
        union message message;
        enum ml_type type;

        if (!is_map(vector) || is_signed_form(vector))
            continue;
        want = vector_bytes(vector);
        type = (enum ml_type)field_uint(vector_fields(vector), "type");
        fill(&message, type, vector_fields(vector));
        ml_put(&out, type, &message);
        if (strcmp(vector_name(vector), "ml_err_len_65536_head") == 0)
            out.end = out.start + want.len; /* only its head is given */
        assert_bytes_eq(bytes_of(&out), want, vector_name(vector));
        base_buf_close(&out);
        checked++;
    }
    ck_assert_uint_eq(checked, 47);
    vectors_close();
}
END_TEST

/* Decodes, and encodes again: the fields are those that were meant if the two
 * messages made of them are equal. */
START_TEST(golden_bytes_decode_to_fields)
{
    size_t i, checked = 0;

    vectors_open();
    for (i = 0; i < vectors_count(); i++) {
        const json_t *vector = vectors_at(i);
        struct base_buf got = BASE_BUF_INIT, want = BASE_BUF_INIT;
        struct base_cursor in;
        struct mp_bytes bytes;
        union message message, meant;
        enum ml_type type;

        if (!is_map(vector) ||
            strcmp(vector_name(vector), "ml_err_len_65536_head") == 0)
            continue;
        bytes = vector_bytes(vector);
        type = (enum ml_type)field_uint(vector_fields(vector), "type");
        in = base_cursor_of(bytes.data, bytes.len);
        ck_assert_uint_eq(base_cursor_u8(&in), type);
        ck_assert_uint_eq(mp_value_len(in.at, base_cursor_left(&in)),
                          base_cursor_left(&in));
        ck_assert_msg(ml_get(&in, type, &message, NULL), "%s",
                      vector_name(vector));
        ck_assert_uint_eq(base_cursor_left(&in), 0);
        fill(&meant, type, vector_fields(vector));
        ml_put(&got, type, &message);
        ml_put(&want, type, &meant);
        assert_bytes_eq(bytes_of(&got), bytes_of(&want), vector_name(vector));
        base_buf_close(&got);
        base_buf_close(&want);
        checked++;
    }
    ck_assert_uint_eq(checked, 54);
    vectors_close();
}
END_TEST

/* A node whose nonces are those of the vectors, and a wire to look at. */
struct bench {
    struct base_sim *sim;
    struct base_env_ops ops;
    struct gossip_keyring *keyring;
    struct gossip_memberlist *ml;
    struct base_buf sent;
};

static void fixed_random(void *ctx, void *out, size_t len)
{
    uint8_t *bytes = out;
    size_t i;

    (void)ctx;
    for (i = 0; i < len; i++)
        bytes[i] = (uint8_t)(0xa0 + i);
}

static int keep_packet(void *ctx, const struct gossip_peer *to,
                       const void *data, size_t len)
{
    struct bench *bench = ctx;

    (void)to;
    base_buf_append(&bench->sent, data, len);
    return 0;
}

static const struct gossip_transport_ops wire = {
    .version = 1, .send_packet = keep_packet};

static struct bench *bench_new(const json_t *fields, bool compression)
{
    struct gossip_memberlist_config config = {0};
    struct mp_bytes key = field_bytes(fields, "key");
    struct base_sim_host *host;
    struct base_env *env;
    struct bench *bench;

    BASE_NEW(bench);
    bench->sim = base_sim_new(1);
    base_addr_parse(&config.advertise, "127.0.0.1:7946", 0);
    host = base_sim_host_new(bench->sim, "h", &config.advertise, 1);
    env = base_sim_host_env(host, "gossip");
    bench->ops = *env->ops;
    bench->ops.random = fixed_random;
    env->ops = &bench->ops;
    config.name = "node-a";
    config.params = gossip_params_lan;
    config.params.compression = compression;
    config.label = json_string_value(json_object_get(fields, "label"));
    if (json_object_get(fields, "enc_version") != NULL &&
        field_uint(fields, "enc_version") == 0)
        config.protocol_cur = 1;
    if (key.len > 0) {
        bench->keyring = gossip_keyring_new();
        ck_assert_int_eq(gossip_keyring_add(bench->keyring, key.data, key.len),
                         0);
        config.keyring = bench->keyring;
    }
    config.transport = (struct gossip_transport){&wire, bench};
    ck_assert_int_eq(gossip_memberlist_new(env, &config, &bench->ml), 0);
    return bench;
}

static void bench_free(struct bench *bench)
{
    gossip_memberlist_free(bench->ml);
    gossip_keyring_free(bench->keyring);
    base_buf_close(&bench->sent);
    base_sim_free(bench->sim);
    base_free(bench);
}

/* A peer that knows protocol 5, or only 4. */
static struct ml_record *peer_record(struct bench *bench, uint8_t pmax)
{
    const uint8_t vsn[ML_VSN_BYTES] = {1, pmax, 2, 0, 0, 0};
    struct ml_facts facts = {0};

    facts.name = mp_str_of("peer");
    base_addr_parse(&facts.addr, "127.0.0.2:7946", 0);
    facts.vsn = vsn;
    return ml_records_intern(bench->ml->members.records, &facts, NULL);
}

static struct mp_bytes inner_of(const json_t *fields)
{
    return json_object_get(fields, "inner") != NULL
               ? field_bytes(fields, "inner")
               : field_bytes(fields, "plaintext");
}

static const struct {
    const char *name;
    bool compression;
    uint8_t pmax; /* of the receiver; 0: unknown */
} packets[] = {
    {"ml_pkt_crc", false, 5},           {"ml_pkt_nocrc", false, 4},
    {"ml_pkt_nocrc", false, 0},         {"ml_pkt_compress_skipped", true, 5},
    {"ml_pkt_compress_crc", true, 5},   {"ml_pkt_compress", true, 0},
    {"ml_pkt_enc_v0_k16", false, 0},    {"ml_pkt_enc_v1_k16", false, 0},
    {"ml_pkt_enc_v0_k24", false, 0},    {"ml_pkt_enc_v1_k24", false, 0},
    {"ml_pkt_enc_v0_k32", false, 0},    {"ml_pkt_enc_v1_k32", false, 0},
    {"ml_pkt_enc_crc_compress", true, 5}, {"ml_label_pkt_plain", false, 0},
    {"ml_label_pkt_enc_v1", false, 0},
};

START_TEST(packets_leave_as_golden_bytes)
{
    const json_t *vector, *fields;
    struct gossip_peer peer = {"peer", {0}};
    struct ml_parts parts = {BASE_BUF_INIT, BASE_BUF_INIT, 0};
    struct ml_record *record = NULL;
    struct mp_bytes inner;
    struct bench *bench;

    vectors_open();
    vector = vectors_named(packets[_i].name);
    fields = vector_fields(vector);
    inner = inner_of(fields);
    bench = bench_new(fields, packets[_i].compression);
    if (packets[_i].pmax != 0)
        record = peer_record(bench, packets[_i].pmax);
    ml_parts_add(&parts, inner.data, inner.len);
    ck_assert_int_eq(ml_send_parts(bench->ml, &peer, record, &parts), 0);
    assert_bytes_eq(bytes_of(&bench->sent), vector_bytes(vector),
                    packets[_i].name);
    ml_parts_close(&parts);
    ml_record_unref(record);
    bench_free(bench);
    vectors_close();
}
END_TEST

START_TEST(packets_arrive_as_their_inner_message)
{
    const json_t *vector, *fields;
    const struct ml_inbox_entry *entry;
    struct base_addr from = {0};
    struct mp_bytes inner, bytes;
    struct bench *bench;

    vectors_open();
    vector = vectors_named(packets[_i].name);
    fields = vector_fields(vector);
    inner = inner_of(fields);
    bytes = vector_bytes(vector);
    bench = bench_new(fields, true);
    gossip_packet_in(bench->ml, &from, bytes.data, bytes.len);
    entry = bench->ml->inbox.low.newest;
    ck_assert_ptr_nonnull(entry);
    ck_assert_uint_eq(bench->ml->inbox.low.count, 1);
    ck_assert_uint_eq(entry->type, inner.data[0]);
    assert_bytes_eq(mp_bytes_of(entry->data, entry->len),
                    mp_bytes_of(inner.data + 1, inner.len - 1),
                    packets[_i].name);
    bench_free(bench);
    vectors_close();
}
END_TEST

START_TEST(compounds_go_and_come)
{
    struct gossip_peer peer = {"peer", {0}};
    struct ml_parts parts = {BASE_BUF_INIT, BASE_BUF_INIT, 0};
    const json_t *vector, *list;
    struct base_addr from = {0};
    struct bench *bench;
    struct mp_bytes zero;
    size_t i;

    vectors_open();
    vector = vectors_named("ml_compound3");
    list = json_object_get(vector_fields(vector), "parts");
    bench = bench_new(NULL, false);
    for (i = 0; i < json_array_size(list); i++) {
        struct mp_bytes part =
            hex_bytes(json_string_value(json_array_get(list, i)));

        ml_parts_add(&parts, part.data, part.len);
    }
    ml_send_parts(bench->ml, &peer, NULL, &parts);
    assert_bytes_eq(bytes_of(&bench->sent), vector_bytes(vector), "compound");
    gossip_packet_in(bench->ml, &from, base_buf_data(&bench->sent),
                     base_buf_len(&bench->sent));
    ck_assert_uint_eq(bench->ml->inbox.low.count, 3);
    zero = vector_bytes(vectors_named("ml_compound0"));
    gossip_packet_in(bench->ml, &from, zero.data, zero.len);
    ck_assert_uint_eq(bench->ml->inbox.low.count, 3);
    ml_parts_close(&parts);
    bench_free(bench);
    vectors_close();
}
END_TEST

/* Every vector with a key and AAD: what it says, and the bytes again. */
START_TEST(sealed_blocks_open_and_close)
{
    size_t i, checked = 0;

    vectors_open();
    for (i = 0; i < vectors_count(); i++) {
        const json_t *vector = vectors_at(i);
        const json_t *fields = vector_fields(vector);
        struct mp_bytes key = field_bytes(fields, "key");
        struct mp_bytes nonce = field_bytes(fields, "nonce");
        struct mp_bytes aad = field_bytes(fields, "aad");
        struct mp_bytes bytes, plain;
        struct gossip_keyring *keyring;
        struct base_buf got = BASE_BUF_INIT, again = BASE_BUF_INIT;
        size_t head;

        if (key.len == 0)
            continue;
        bytes = vector_bytes(vector);
        plain = field_bytes(fields, "plaintext");
        keyring = gossip_keyring_new();
        /* A key before it that does not fit. */
        gossip_keyring_add(keyring, "################", 16);
        gossip_keyring_add(keyring, key.data, key.len);
        head = bytes.data[0] == ML_LABEL ? 2 + (size_t)bytes.data[1] : 0;
        if (vector_is(vector, "stream") ||
            strcmp(vector_name(vector), "ml_label_stream_enc_v1") == 0)
            head += 5;
        if (strcmp(vector_name(vector), "ml_enc_v0_pad_0") == 0) {
            /* Empty: original nodes index past its end; we refuse it. */
            ck_assert_int_eq(ml_decrypt(keyring, bytes.data + head,
                                        bytes.len - head, aad.data, aad.len,
                                        &got), GOSSIP_ECRYPT);
        } else {
            ck_assert_int_eq(ml_decrypt(keyring, bytes.data + head,
                                        bytes.len - head, aad.data, aad.len,
                                        &got), 0);
            if (plain.data != NULL)
                assert_bytes_eq(bytes_of(&got), plain, vector_name(vector));
            else
                plain = bytes_of(&got);
        }
        gossip_keyring_use(keyring, key.data, key.len);
        ck_assert_int_eq(ml_encrypt(keyring, bytes.data[head], nonce.data,
                                    plain.data, plain.len, aad.data, aad.len,
                                    &again), 0);
        assert_bytes_eq(bytes_of(&again),
                        mp_bytes_of(bytes.data + head, bytes.len - head),
                        vector_name(vector));
        base_buf_close(&got);
        base_buf_close(&again);
        gossip_keyring_free(keyring);
        checked++;
    }
    ck_assert_uint_eq(checked, 17);
    vectors_close();
}
END_TEST

START_TEST(lzw_pairs_both_ways)
{
    struct lzw_encoder *encoder = lzw_encoder_new();
    struct lzw_decoder *decoder = lzw_decoder_new();
    size_t i, checked = 0;

    vectors_open();
    for (i = 0; i < vectors_count(); i++) {
        const json_t *vector = vectors_at(i);
        char out_name[64];
        struct mp_bytes plain, packed;
        struct base_buf got = BASE_BUF_INIT;
        size_t len = strlen(vector_name(vector)), at;

        if (!vector_is(vector, "lzw") ||
            strcmp(vector_name(vector) + len - 3, "_in") != 0)
            continue;
        snprintf(out_name, sizeof(out_name), "%.*s_out", (int)len - 3,
                 vector_name(vector));
        plain = vector_bytes(vector);
        packed = vector_bytes(vectors_named(out_name));
        lzw_encoder_begin(encoder, &got);
        for (at = 0; at < plain.len; at += 7) /* in pieces */
            lzw_encoder_feed(encoder, plain.data + at,
                             plain.len - at < 7 ? plain.len - at : 7, &got);
        lzw_encoder_end(encoder, &got);
        assert_bytes_eq(bytes_of(&got), packed, out_name);
        base_buf_reset(&got);
        ck_assert_int_eq(lzw_decode_all(decoder, packed.data, packed.len,
                                        1 << 20, &got), 0);
        ck_assert_uint_eq(base_buf_len(&got), plain.len);
        ck_assert(plain.len == 0 ||
                  memcmp(base_buf_data(&got), plain.data, plain.len) == 0);
        base_buf_close(&got);
        checked++;
    }
    ck_assert_uint_eq(checked, 14);
    lzw_encoder_free(encoder);
    lzw_decoder_free(decoder);
    vectors_close();
}
END_TEST

/* What a reader handed on, as a message to compare. */
struct heard {
    unsigned type;
    struct base_buf message;
    size_t nodes;
};

static int heard_reserve(void *arg, size_t bytes)
{
    (void)arg;
    (void)bytes;
    return 0;
}

static int heard_type(void *arg, unsigned type)
{
    ((struct heard *)arg)->type = type;
    return 0;
}

static int heard_push_pull(void *arg, const struct ml_push_pull *header)
{
    ml_put(&((struct heard *)arg)->message, ML_PUSH_PULL, header);
    return 0;
}

static int heard_push_node(void *arg, const struct ml_push_node *node)
{
    ml_put(&((struct heard *)arg)->message, ML_PUSH_NODE, node);
    ((struct heard *)arg)->nodes++;
    return 0;
}

static void heard_release(void *arg, size_t bytes)
{
    (void)arg;
    (void)bytes;
}

static const struct ml_reader_ops heard_ops = {
    heard_reserve, heard_release, heard_type, heard_push_pull,
    heard_push_node};

/* Feeds the bytes step by step; 0 when the message was whole at the end. */
static int read_in_steps(struct ml_reader *reader, struct mp_bytes bytes,
                         size_t step)
{
    size_t have = 0, at = 0;
    int rv = ML_READER_MORE;

    while (rv == ML_READER_MORE && have < bytes.len) {
        size_t used;

        have = have + step < bytes.len ? have + step : bytes.len;
        do {
            rv = ml_reader_feed(reader, bytes.data + at, have - at, &used);
            at += used;
        } while (rv == ML_READER_AGAIN ||
                 (rv == ML_READER_MORE && used > 0 && at < have));
    }
    return rv == ML_READER_DONE ? 0 : rv;
}

static struct mp_bytes state_of(const json_t *fields, struct base_buf *out)
{
    const json_t *nodes = json_object_get(fields, "nodes");
    struct mp_bytes user = field_bytes(fields, "user_state");
    union message message;
    size_t i;

    fill(&message, ML_PUSH_PULL, fields);
    ml_put(out, ML_PUSH_PULL, &message);
    for (i = 0; i < json_array_size(nodes); i++) {
        fill(&message, ML_PUSH_NODE, json_array_get(nodes, i));
        ml_put(out, ML_PUSH_NODE, &message);
    }
    base_buf_append(out, user.data, user.len);
    return bytes_of(out);
}

static const struct {
    const char *name;
    const char *like; /* the vector with the fields */
    bool compression;
} states[] = {
    {"ml_stream_pushpull_join", "ml_stream_pushpull_join", false},
    {"ml_stream_pushpull_nouser", "ml_stream_pushpull_nouser", false},
    {"ml_stream_pushpull_compressed", "ml_stream_pushpull_join", true},
    {"ml_stream_pushpull_enc_v1", "ml_stream_pushpull_join", false},
    {"ml_stream_pushpull_enc_v0", "ml_stream_pushpull_join", false},
    {"ml_stream_pushpull_enc_compressed", "ml_stream_pushpull_join", true},
    {"ml_label_stream_enc_v1", "ml_stream_pushpull_join", false},
};

START_TEST(states_leave_as_golden_bytes)
{
    struct base_buf message = BASE_BUF_INIT, out = BASE_BUF_INIT;
    const json_t *vector;
    struct bench *bench;

    vectors_open();
    vector = vectors_named(states[_i].name);
    bench = bench_new(vector_fields(vector), states[_i].compression);
    state_of(vector_fields(vectors_named(states[_i].like)), &message);
    ck_assert_int_eq(ml_stream_wrap(bench->ml, &message, true, &out), 0);
    assert_bytes_eq(bytes_of(&out), vector_bytes(vector), states[_i].name);
    base_buf_close(&message);
    base_buf_close(&out);
    bench_free(bench);
    vectors_close();
}
END_TEST

START_TEST(states_arrive_member_by_member)
{
    static const size_t steps[] = {1, 2, 3, 7, 64, 100000};
    struct base_buf message = BASE_BUF_INIT;
    const json_t *vector, *fields, *like;
    struct mp_bytes want, bytes, key;
    struct gossip_keyring *keyring = gossip_keyring_new();
    struct ml_reader_config config = {0};
    size_t i;

    vectors_open();
    vector = vectors_named(states[_i].name);
    fields = vector_fields(vector);
    like = vector_fields(vectors_named(states[_i].like));
    want = state_of(like, &message);
    bytes = vector_bytes(vector);
    key = field_bytes(fields, "key");
    if (key.len > 0)
        gossip_keyring_add(keyring, key.data, key.len);
    config.keyring = keyring;
    config.verify_incoming = true;
    config.accepting = true;
    config.label = json_string_value(json_object_get(fields, "label"));
    config.label_len = config.label == NULL ? 0 : strlen(config.label);
    config.ops = &heard_ops;
    for (i = 0; i < BASE_COUNT_OF(steps); i++) {
        struct heard heard = {0, BASE_BUF_INIT, 0};
        struct ml_reader reader;

        config.arg = &heard;
        ml_reader_init(&reader, &config);
        ck_assert_int_eq(read_in_steps(&reader, bytes, steps[i]), 0);
        ck_assert_uint_eq(heard.type, ML_PUSH_PULL);
        ck_assert_uint_eq(heard.nodes, 3);
        base_buf_append(&heard.message, base_buf_data(&reader.body),
                        base_buf_len(&reader.body));
        assert_bytes_eq(bytes_of(&heard.message), want, states[_i].name);
        base_buf_close(&heard.message);
        ml_reader_close(&reader);
    }
    base_buf_close(&message);
    gossip_keyring_free(keyring);
    vectors_close();
}
END_TEST

static void read_live(const char *name, struct heard *heard,
                      struct ml_reader *reader)
{
    struct ml_reader_config config = {0};

    memset(heard, 0, sizeof(*heard));
    config.ops = &heard_ops;
    config.arg = heard;
    ml_reader_init(reader, &config);
    ck_assert_int_eq(
        read_in_steps(reader, vector_bytes(vectors_named(name)), 5), 0);
}

/* Read from a running agent. */
START_TEST(live_streams_decode)
{
    struct heard heard;
    struct ml_reader reader;
    const json_t *fields;

    vectors_open();
    read_live("live_pushpull_reply", &heard, &reader);
    fields = vector_fields(vectors_named("live_pushpull_reply"));
    ck_assert_uint_eq(heard.nodes, 1);
    assert_bytes_eq(bytes_of(&reader.body), field_bytes(fields, "user_state"),
                    "user state");
    base_buf_close(&heard.message);
    ml_reader_close(&reader);
    read_live("live_pushpull_request_minimal", &heard, &reader);
    ck_assert_uint_eq(heard.nodes, 1);
    base_buf_close(&heard.message);
    ml_reader_close(&reader);
    read_live("live_stream_ping_reply", &heard, &reader);
    ck_assert_uint_eq(reader.header.ack.seq_no, 5);
    ck_assert_ptr_null(reader.header.ack.payload.data);
    ml_reader_close(&reader);
    read_live("live_stream_error_reply", &heard, &reader);
    ck_assert(mp_is(reader.header.err.error,
                    "Remote state is encrypted and encryption is not "
                    "configured"));
    ml_reader_close(&reader);
    read_live("ml_stream_ack", &heard, &reader);
    ck_assert_uint_eq(reader.header.ack.seq_no, 42);
    ml_reader_close(&reader);
    read_live("ml_stream_user", &heard, &reader);
    ck_assert_uint_eq(base_buf_len(&reader.body), 200);
    ck_assert_uint_eq(base_buf_data(&reader.body)[199], 0x5a);
    ml_reader_close(&reader);
    vectors_close();
}
END_TEST

START_TEST(a_live_ack_decodes)
{
    struct mp_bytes bytes, payload;
    struct base_buf plain = BASE_BUF_INIT;
    struct lzw_decoder *decoder = lzw_decoder_new();
    struct ml_compress wrapper;
    struct base_cursor in;
    struct ml_ack ack;
    const json_t *list;

    vectors_open();
    bytes = vector_bytes(vectors_named("live_ack_packet"));
    in = base_cursor_of(bytes.data, bytes.len);
    ck_assert_uint_eq(base_cursor_u8(&in), ML_COMPRESS);
    ck_assert(ml_get(&in, ML_COMPRESS, &wrapper, NULL));
    ck_assert_int_eq(lzw_decode_all(decoder, wrapper.buf.data, wrapper.buf.len,
                                    1 << 20, &plain), 0);
    in = base_cursor_of(base_buf_data(&plain), base_buf_len(&plain));
    ck_assert_uint_eq(base_cursor_u8(&in), ML_ACK);
    ck_assert(ml_get(&in, ML_ACK, &ack, NULL));
    list = json_object_get(vector_fields(vectors_named("live_ack_packet")),
                           "messages");
    payload = field_bytes(json_object_get(json_array_get(list, 0), "fields"),
                          "Payload");
    assert_bytes_eq(ack.payload, payload, "coordinate");
    ck_assert_uint_eq(ack.seq_no, 777);
    base_buf_close(&plain);
    lzw_decoder_free(decoder);
    vectors_close();
}
END_TEST

/* Runs after all others: a vector that no test has read would be one that is
 * left out without a word. Where only some suites run there is nothing to say. */
START_TEST(every_vector_was_read)
{
    size_t i;

    if (getenv("CK_RUN_SUITE") != NULL || getenv("CK_RUN_CASE") != NULL)
        return;
    vectors_open();
    for (i = 0; i < vectors_count(); i++)
        ck_assert_msg(vector_was_read(i), "no test has read %s",
                      vector_name(vectors_at(i)));
    vectors_close();
}
END_TEST

Suite *vectors_end_suite(void)
{
    Suite *suite = suite_create("vectors-all-read");
    TCase *tcase = tcase_create("vectors");

    tcase_add_test(tcase, every_vector_was_read);
    suite_add_tcase(suite, tcase);
    return suite;
}

Suite *vectors_suite(void)
{
    Suite *suite = suite_create("memberlist-vectors");
    TCase *tcase = tcase_create("vectors");

    vectors_share();
    tcase_add_test(tcase, fields_encode_to_golden_bytes);
    tcase_add_test(tcase, golden_bytes_decode_to_fields);
    tcase_add_loop_test(tcase, packets_leave_as_golden_bytes, 0,
                        BASE_COUNT_OF(packets));
    tcase_add_loop_test(tcase, packets_arrive_as_their_inner_message, 0,
                        BASE_COUNT_OF(packets));
    tcase_add_test(tcase, compounds_go_and_come);
    tcase_add_test(tcase, sealed_blocks_open_and_close);
    tcase_add_test(tcase, lzw_pairs_both_ways);
    tcase_add_loop_test(tcase, states_leave_as_golden_bytes, 0,
                        BASE_COUNT_OF(states));
    tcase_add_loop_test(tcase, states_arrive_member_by_member, 0,
                        BASE_COUNT_OF(states));
    tcase_add_test(tcase, live_streams_decode);
    tcase_add_test(tcase, a_live_ack_decodes);
    suite_add_tcase(suite, tcase);
    return suite;
}
