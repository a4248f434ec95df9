/*
 * The maps of memberlist's messages. The first byte chooses the type.
 * Property: what decodes, encodes; and that decodes to an equal message. What
 * the scanner takes for whole, and nothing else, the decoder finds whole.
 * needs: gossip base
 * covers: libgossip/src/memberlist/codec_read.c
 * covers: libgossip/src/memberlist/codec_scan.c
 * covers: libgossip/src/memberlist/codec_struct.c
 * covers: libgossip/src/memberlist/codec_write.c
 * covers: libgossip/src/memberlist/messages.c
 */
#include "fuzz.h"

#include "memberlist/messages.h"

static const enum ml_type types[] = {
    ML_PING, ML_INDIRECT_PING, ML_ACK, ML_SUSPECT, ML_ALIVE, ML_PUSH_PULL,
    ML_USER, ML_COMPRESS, ML_NACK, ML_ERR, ML_PUSH_NODE};

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

static void put(struct base_buf *out, enum ml_type type, const void *message)
{
    ml_put(out, type, message);
    if (type != ML_PUSH_NODE)
        base_buf_consume(out, 1); /* the type byte */
}

static void round_trip(enum ml_type type, const union message *message)
{
    struct base_buf once = BASE_BUF_INIT, twice = BASE_BUF_INIT;
    union message again;
    struct base_cursor in;

    put(&once, type, message);
    in = base_cursor_of(base_buf_data(&once), base_buf_len(&once));
    FUZZ_REQUIRE(mp_value_len(base_buf_data(&once), base_buf_len(&once)) ==
                 base_buf_len(&once));
    FUZZ_REQUIRE(ml_get(&in, type, &again, NULL));
    FUZZ_REQUIRE(base_cursor_left(&in) == 0);
    put(&twice, type, &again);
    FUZZ_REQUIRE(base_buf_len(&once) == base_buf_len(&twice));
    FUZZ_REQUIRE(memcmp(base_buf_data(&once), base_buf_data(&twice),
                        base_buf_len(&once)) == 0);
    base_buf_close(&once);
    base_buf_close(&twice);
}

/* Kinds of values that no message of memberlist has, but serf's have. */
static void other_kinds(const uint8_t *data, size_t len)
{
    struct base_cursor in = base_cursor_of(data, len);
    struct base_buf out = BASE_BUF_INIT;
    uint32_t count = mp_get_array(&in);
    double value;

    for (; count > 0 && !in.failed; count--) {
        if (mp_get_nil(&in))
            continue;
        base_buf_reset(&out);
        value = mp_get_double(&in);
        mp_put_double(&out, value);
        mp_put_array(&out, count);
    }
    base_buf_close(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct mp_scratch scratch = {NULL};
    union message message;
    struct base_cursor in;
    enum ml_type type;
    size_t whole;

    if (len == 0)
        return 0;
    type = types[data[0] % BASE_COUNT_OF(types)];
    data++;
    len--;
    (void)ml_type_name(len > 0 ? data[0] : type);
    whole = mp_value_len(data, len);
    in = base_cursor_of(data, len);
    mp_skip(&in);
    if (!in.failed)
        FUZZ_REQUIRE(whole == len - base_cursor_left(&in));
    else
        FUZZ_REQUIRE(whole == 0 || whole > len);
    in = base_cursor_of(data, len);
    if (ml_get(&in, type, &message, &scratch)) {
        FUZZ_REQUIRE(whole == len - base_cursor_left(&in));
        round_trip(type, &message);
    }
    mp_scratch_close(&scratch);
    other_kinds(data, len);
    return 0;
}
