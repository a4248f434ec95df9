/*
 * How many messages a second are encoded and decoded, each kind; and whole
 * packets: compressed, checked, sealed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/keyring.h"
#include "gossip_bench.h"
#include "memberlist/crc32.h"
#include "memberlist/crypt.h"
#include "memberlist/lzw.h"
#include "memberlist/messages.h"
#include "serf/messages.h"

#define PACKET_BYTES 1400u

static const char tags[] = "\xff\x83\xa2" "dc\xa3" "eu1\xa4" "role\xa6" "server"
                           "\xa2" "id\xbf" "00000001-0000-4000-8000-0000001";
static const uint8_t ip[4] = {10, 0, 0, 1};
static const uint8_t vsn[ML_VSN_BYTES] = {1, 5, 2, 2, 5, 5};
static const char payload[] = "one hundred bytes, which is much for a user "
                              "event: most just name a thing that has happened"
                              " to ...";

static struct mp_bytes name_of_node(void)
{
    return mp_str_of("n00001.eu1.example");
}

static struct mp_bytes text(void)
{
    return mp_str_of(payload);
}

/* ---- each kind: how it is written, how it is read ---- */

static bool get_ml(enum ml_type type, const uint8_t *data, size_t len)
{
    struct mp_scratch scratch = {NULL};
    union {
        struct ml_ping ping;
        struct ml_indirect_ping indirect;
        struct ml_alive alive;
        struct ml_claim claim;
        struct ml_push_node node;
    } message;
    struct base_cursor in = base_cursor_of(data, len);
    bool good;

    if (type != ML_PUSH_NODE)
        base_cursor_u8(&in);
    good = ml_get(&in, type, &message, &scratch);
    mp_scratch_close(&scratch);
    return good;
}

static void put_ping(struct base_buf *out)
{
    struct ml_ping ping = {7, name_of_node(), mp_bytes_of(ip, 4), 7946,
                           name_of_node()};

    ml_put(out, ML_PING, &ping);
}

static void put_ack(struct base_buf *out)
{
    struct ml_ack ack = {7, mp_bytes_of(payload, 76)}; /* a coordinate */

    ml_put(out, ML_ACK, &ack);
}

static void put_suspect(struct base_buf *out)
{
    struct ml_claim claim = {3, name_of_node(), name_of_node()};

    ml_put(out, ML_SUSPECT, &claim);
}

static void put_alive(struct base_buf *out)
{
    struct ml_alive alive = {1, name_of_node(), mp_bytes_of(ip, 4), 7946,
                             mp_bytes_of(tags, sizeof(tags) - 1),
                             mp_bytes_of(vsn, ML_VSN_BYTES)};

    ml_put(out, ML_ALIVE, &alive);
}

static void put_push_node(struct base_buf *out)
{
    struct ml_push_node node = {name_of_node(), mp_bytes_of(ip, 4), 7946,
                                mp_bytes_of(tags, sizeof(tags) - 1), 1, 0,
                                mp_bytes_of(vsn, ML_VSN_BYTES)};

    ml_put(out, ML_PUSH_NODE, &node);
}

static bool get_ping(const uint8_t *data, size_t len)
{
    return get_ml(ML_PING, data, len);
}

static bool get_ack(const uint8_t *data, size_t len)
{
    return get_ml(ML_ACK, data, len);
}

static bool get_suspect(const uint8_t *data, size_t len)
{
    return get_ml(ML_SUSPECT, data, len);
}

static bool get_alive(const uint8_t *data, size_t len)
{
    return get_ml(ML_ALIVE, data, len);
}

static bool get_push_node(const uint8_t *data, size_t len)
{
    return get_ml(ML_PUSH_NODE, data, len);
}

static void put_join(struct base_buf *out)
{
    struct serf_msg_intent join = {1234, name_of_node(), false};

    serf_put_intent(out, SERF_JOIN, &join);
}

static bool get_join(const uint8_t *data, size_t len)
{
    struct serf_msg_intent join;

    return serf_get_intent(&join, data + 1, len - 1) == 0;
}

static void put_event(struct base_buf *out)
{
    struct serf_msg_event event = {1234, mp_str_of("deploy"), text(), true};

    serf_put_event(out, &event);
}

static bool get_event(const uint8_t *data, size_t len)
{
    struct mp_scratch scratch = {NULL};
    struct serf_msg_event event;
    bool good = serf_get_event(&event, data + 1, len - 1, &scratch) == 0;

    mp_scratch_close(&scratch);
    return good;
}

static void put_query(struct base_buf *out)
{
    struct serf_msg_query query = {0};

    query.ltime = 1234;
    query.id = 77;
    query.addr = mp_bytes_of(ip, 4);
    query.port = 7946;
    query.source = name_of_node();
    query.timeout_ns = 15000000000;
    query.name = mp_str_of("load");
    query.payload = text();
    serf_put_query(out, &query);
}

static bool get_query(const uint8_t *data, size_t len)
{
    struct mp_scratch scratch = {NULL};
    struct serf_msg_query query;
    bool good = serf_get_query(&query, data + 1, len - 1, &scratch) == 0;

    mp_scratch_close(&scratch);
    return good;
}

static void put_response(struct base_buf *out)
{
    struct serf_msg_response response = {1234, 77, name_of_node(), 0, text()};

    serf_put_response(out, &response);
}

static bool get_response(const uint8_t *data, size_t len)
{
    struct mp_scratch scratch = {NULL};
    struct serf_msg_response response;
    bool good = serf_get_response(&response, data + 1, len - 1, &scratch) == 0;

    mp_scratch_close(&scratch);
    return good;
}

/* ---- what is done to a whole packet ---- */

static struct gossip_keyring *keyring;
static struct lzw_encoder *encoder;
static struct lzw_decoder *decoder;

/* As many alive messages as fit: what gossip looks like. */
static void fill(struct base_buf *out)
{
    struct base_buf one = BASE_BUF_INIT;

    put_alive(&one);
    while (base_buf_len(out) + base_buf_len(&one) <= PACKET_BYTES)
        base_buf_append(out, base_buf_data(&one), base_buf_len(&one));
    base_buf_close(&one);
}

static const struct base_buf *packet(void)
{
    static struct base_buf plain = BASE_BUF_INIT;

    if (base_buf_len(&plain) == 0)
        fill(&plain);
    return &plain;
}

static void put_compressed(struct base_buf *out)
{
    lzw_encoder_begin(encoder, out);
    lzw_encoder_feed(encoder, base_buf_data(packet()),
                     base_buf_len(packet()), out);
    lzw_encoder_end(encoder, out);
}

static bool get_compressed(const uint8_t *data, size_t len)
{
    struct base_buf plain = BASE_BUF_INIT;
    int rv = lzw_decode_all(decoder, data, len, 65536, &plain);

    base_buf_close(&plain);
    return rv == 0;
}

static void put_checked(struct base_buf *out)
{
    base_buf_append_u32be(out, ml_crc32(base_buf_data(packet()),
                                        base_buf_len(packet())));
}

static bool get_checked(const uint8_t *data, size_t len)
{
    struct base_cursor in = base_cursor_of(data, len);

    return base_cursor_u32be(&in) ==
           ml_crc32(base_buf_data(packet()), base_buf_len(packet()));
}

static void put_sealed(struct base_buf *out)
{
    static const uint8_t nonce[ML_NONCE_BYTES] = {1};

    (void)ml_encrypt(keyring, 1, nonce, base_buf_data(packet()),
                     base_buf_len(packet()), "", 0, out);
}

static bool get_sealed(const uint8_t *data, size_t len)
{
    struct base_buf plain = BASE_BUF_INIT;
    int rv = ml_decrypt(keyring, data, len, "", 0, &plain);

    base_buf_close(&plain);
    return rv == 0;
}

/* ---- the table ---- */

static const struct kind {
    const char *name;
    void (*put)(struct base_buf *out);
    bool (*get)(const uint8_t *data, size_t len);
} kinds[] = {
    {"ping", put_ping, get_ping},
    {"ack with a coordinate", put_ack, get_ack},
    {"suspect, dead", put_suspect, get_suspect},
    {"alive, 67 B of tags", put_alive, get_alive},
    {"push/pull entry", put_push_node, get_push_node},
    {"serf join, leave", put_join, get_join},
    {"serf user event, 100 B", put_event, get_event},
    {"serf query, 100 B", put_query, get_query},
    {"serf response, 100 B", put_response, get_response},
    {"packet of 1,400 B: LZW", put_compressed, get_compressed},
    {"packet of 1,400 B: CRC-32", put_checked, get_checked},
    {"packet of 1,400 B: AES-GCM", put_sealed, get_sealed},
};

/* The best of a few: what disturbs only slows down. */
static double rate(const struct kind *kind, const struct base_buf *encoded,
                   double seconds)
{
    struct base_buf out = BASE_BUF_INIT;
    double best = 0;
    unsigned round, i;

    for (round = 0; round < 3; round++) {
        double began_s = bench_now_s(), took_s;
        size_t count = 0;

        do {
            for (i = 0; i < 200; i++) {
                base_buf_reset(&out);
                if (encoded == NULL)
                    kind->put(&out);
                else if (!kind->get(base_buf_data(encoded),
                                    base_buf_len(encoded)))
                    exit(1);
            }
            count += 200;
            took_s = bench_now_s() - began_s;
        } while (took_s < seconds / 3);
        if ((double)count / took_s > best)
            best = (double)count / took_s;
    }
    base_buf_close(&out);
    return best;
}

void bench_codec(const struct bench_options *options)
{
    double seconds = options->quick ? 0.03 : 0.6;
    size_t i;

    keyring = gossip_keyring_new();
    gossip_keyring_add(keyring, "0123456789abcdef", 16);
    encoder = lzw_encoder_new();
    decoder = lzw_decoder_new();
    printf("Messages a second, one thread, in millions.\n\n"
           "| message | bytes | encoded M/s | decoded M/s | ns | ns |\n"
           "| --- | --: | --: | --: | --: | --: |\n");
    for (i = 0; i < BASE_COUNT_OF(kinds); i++) {
        struct base_buf encoded = BASE_BUF_INIT;
        double put, get;

        kinds[i].put(&encoded);
        put = rate(&kinds[i], NULL, seconds);
        get = rate(&kinds[i], &encoded, seconds);
        printf("| %s | %zu | %.2f | %.2f | %.0f | %.0f |\n", kinds[i].name,
               base_buf_len(&encoded), put / 1e6, get / 1e6, 1e9 / put,
               1e9 / get);
        base_buf_close(&encoded);
    }
}
