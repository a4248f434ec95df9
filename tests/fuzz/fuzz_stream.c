/*
 * What comes in on a stream, in pieces. The first byte chooses the node's
 * setting and wrapping, the second the size of the pieces.
 * Property: in pieces and at once, the same comes out; and a member that is
 * handed on encodes and decodes to itself.
 * needs: gossip base
 * covers: libgossip/src/memberlist/reader.c
 * covers: libgossip/src/memberlist/reader_source.c
 */
#include "fuzz.h"

#include "gossip/error.h"
#include "memberlist/crypt.h"
#include "memberlist/reader.h"

enum { SET_KEY = 1, SET_LABEL = 2, OPEN = 4, WRAP_SEAL = 8, WRAP_LABEL = 16,
       WRAP_LZW = 32, DIALLING = 64, SKIP_LABEL = 128 };

#define RESERVE_MAX (64u << 20)

struct heard {
    struct base_buf text; /* all that was handed on, encoded */
    size_t held;
    int status;
    unsigned waits;
};

static int on_reserve(void *arg, size_t bytes)
{
    struct heard *heard = arg;

    /* Now and then there is no room yet. */
    if (heard->waits++ % 3 == 1)
        return ML_READER_WAIT;
    heard->held += bytes;
    return heard->held > RESERVE_MAX ? GOSSIP_EBUSY : 0;
}

static void on_release(void *arg, size_t bytes)
{
    struct heard *heard = arg;

    FUZZ_REQUIRE(bytes <= heard->held);
    heard->held -= bytes;
}

static int on_type(void *arg, unsigned type)
{
    base_buf_append_u8(&((struct heard *)arg)->text, (uint8_t)type);
    return 0;
}

static int on_push_pull(void *arg, const struct ml_push_pull *header)
{
    FUZZ_REQUIRE(header->nodes >= 0 && header->nodes <= ML_PUSH_NODES_MAX);
    ml_put(&((struct heard *)arg)->text, ML_PUSH_PULL, header);
    return 0;
}

static int on_push_node(void *arg, const struct ml_push_node *node)
{
    struct heard *heard = arg;
    size_t at = base_buf_len(&heard->text);
    struct ml_push_node again;
    struct base_cursor in;

    ml_put(&heard->text, ML_PUSH_NODE, node);
    in = base_cursor_of(base_buf_data(&heard->text) + at,
                        base_buf_len(&heard->text) - at);
    FUZZ_REQUIRE(ml_get(&in, ML_PUSH_NODE, &again, NULL));
    FUZZ_REQUIRE(again.incarnation == node->incarnation);
    FUZZ_REQUIRE(again.name.len == node->name.len);
    return 0;
}

static const struct ml_reader_ops ops = {on_reserve, on_release, on_type,
                                         on_push_pull, on_push_node};

static void hear(unsigned how, struct gossip_keyring *keyring,
                 const uint8_t *data, size_t len, size_t step,
                 struct heard *heard)
{
    struct ml_reader_config config = {0};
    struct ml_reader reader;
    size_t have = 0, at = 0;
    int rv = ML_READER_MORE;

    config.keyring = how & SET_KEY ? keyring : NULL;
    config.verify_incoming = !(how & OPEN);
    config.accepting = !(how & DIALLING);
    config.skip_label = how & SKIP_LABEL;
    config.label = how & SET_LABEL ? "blue" : "";
    config.label_len = strlen(config.label);
    config.ops = &ops;
    config.arg = heard;
    ml_reader_init(&reader, &config);
    while (rv > 0 && rv != ML_READER_DONE) {
        size_t used;

        if (rv == ML_READER_MORE) {
            if (have == len)
                break;
            have = len - have > step ? have + step : len;
        }
        do {
            rv = ml_reader_feed(&reader, data + at, have - at, &used);
            FUZZ_REQUIRE(used <= have - at);
            at += used;
        } while (rv == ML_READER_MORE && used > 0 && at < have);
    }
    base_buf_append(&heard->text, base_buf_data(&reader.body),
                    base_buf_len(&reader.body));
    (void)ml_reader_is_fresh(&reader);
    heard->status = rv;
    ml_reader_close(&reader);
}

static void add_lzw(struct base_buf *message)
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
    base_buf_close(&packed);
    base_buf_close(message);
    lzw_encoder_free(encoder);
    *message = out;
}

static void add_seal(struct gossip_keyring *keyring, const char *label,
                     struct base_buf *message)
{
    static const uint8_t nonce[ML_NONCE_BYTES] = {1};
    unsigned version = base_buf_len(message) % 2;
    struct base_buf aad = BASE_BUF_INIT, out = BASE_BUF_INIT;

    base_buf_append_u8(&aad, ML_ENCRYPT);
    base_buf_append_u32be(&aad, (uint32_t)ml_crypt_block_len(
                                    version, base_buf_len(message)));
    base_buf_append(&out, base_buf_data(&aad), base_buf_len(&aad));
    base_buf_append(&aad, label, strlen(label));
    (void)ml_encrypt(keyring, version, nonce, base_buf_data(message),
                     base_buf_len(message), base_buf_data(&aad),
                     base_buf_len(&aad), &out);
    base_buf_close(&aad);
    base_buf_close(message);
    *message = out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct gossip_keyring *keyring;
    struct base_buf message = BASE_BUF_INIT, labelled = BASE_BUF_INIT;
    struct heard whole = {0}, pieces = {0};
    unsigned how;
    size_t step;

    if (len < 2)
        return 0;
    how = data[0];
    step = 1u + data[1];
    keyring = gossip_keyring_new();
    gossip_keyring_add(keyring, "0123456789abcdef", 16);
    if (data[1] % 2 == 1)
        gossip_keyring_add(keyring, "another key here", 16);
    base_buf_append(&message, data + 2, len - 2);
    if (how & WRAP_LZW)
        add_lzw(&message);
    if (how & WRAP_SEAL)
        add_seal(keyring, how & SET_LABEL ? "blue" : "", &message);
    if (how & WRAP_LABEL)
        base_buf_append(&labelled, "\xf4\x04""blue", 6);
    base_buf_append(&labelled, base_buf_data(&message),
                    base_buf_len(&message));
    hear(how, keyring, base_buf_data(&labelled), base_buf_len(&labelled),
         1 << 20, &whole);
    hear(how, keyring, base_buf_data(&labelled), base_buf_len(&labelled), step,
         &pieces);
    FUZZ_REQUIRE(whole.status == pieces.status);
    FUZZ_REQUIRE(base_buf_len(&whole.text) == base_buf_len(&pieces.text));
    FUZZ_REQUIRE(base_buf_len(&whole.text) == 0 ||
                 memcmp(base_buf_data(&whole.text),
                        base_buf_data(&pieces.text),
                        base_buf_len(&whole.text)) == 0);
    base_buf_close(&whole.text);
    base_buf_close(&pieces.text);
    base_buf_close(&message);
    base_buf_close(&labelled);
    gossip_keyring_free(keyring);
    return 0;
}
