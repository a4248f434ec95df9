/* The parts of a node, one by one: arithmetic, LZW, keys and blocks, broadcast
 * queue, records and members, suspicion, inbox. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sim.h"
#include "gossip/broadcast.h"
#include "gossip/error.h"
#include "memberlist/crc32.h"
#include "memberlist/crypt.h"
#include "memberlist/formulas.h"
#include "memberlist/inbox.h"
#include "memberlist/lzw.h"
#include "memberlist/members.h"
#include "memberlist/suspicion.h"
#include "suite.h"
#include "vectors.h"

static uint64_t number(const json_t *json, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(json, key));
}

/* Against what the reference code computes. */
START_TEST(formulas_agree_with_the_reference)
{
    json_t *doc = vectors_json("formulas.json");
    const json_t *list = json_object_get(doc, "retransmit_limit");
    const json_t *row;
    size_t i;

    json_array_foreach(list, i, row)
        ck_assert_uint_eq(ml_retransmit_limit((uint32_t)number(row, "mult"),
                                              number(row, "n")),
                          number(row, "limit"));
    list = json_object_get(doc, "suspicion_timeout");
    json_array_foreach(list, i, row)
        ck_assert_uint_eq(ml_suspicion_min_ns((uint32_t)number(row, "mult"),
                                              number(row, "n"),
                                              number(row, "interval_ns")),
                          number(row, "timeout_ns"));
    list = json_object_get(doc, "push_pull_scale");
    json_array_foreach(list, i, row)
        ck_assert_uint_eq(ml_push_pull_scale_ns(number(row, "interval_ns"),
                                                number(row, "n")),
                          number(row, "scaled_ns"));
    list = json_object_get(doc, "remaining_suspicion_time");
    json_array_foreach(list, i, row) {
        int64_t total = (int64_t)ml_suspicion_total_ns(
            (uint32_t)number(row, "confirmations"),
            (uint32_t)number(row, "k"), number(row, "min_ms") * 1000000,
            number(row, "max_ms") * 1000000);

        ck_assert_int_eq(total - (int64_t)number(row, "elapsed_ms") * 1000000,
                         json_integer_value(
                             json_object_get(row, "remaining_ns")));
    }
    json_decref(doc);
}
END_TEST

/* Bit by bit, as the polynomial says. */
static uint32_t crc32_of(const uint8_t *data, size_t len)
{
    uint32_t crc = UINT32_MAX;
    int bit;

    while (len-- > 0) {
        crc ^= *data++;
        for (bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

START_TEST(crc32_is_that_of_zlib)
{
    uint8_t bytes[1500];
    size_t i;

    ck_assert_uint_eq(ml_crc32("123456789", 9), 0xcbf43926);
    ck_assert_uint_eq(ml_crc32("", 0), 0);
    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 167 + (i >> 3));
        if (i % 97 < 6)
            ck_assert_uint_eq(ml_crc32(bytes, i + 1), crc32_of(bytes, i + 1));
    }
}
END_TEST

static int decode(const char *bytes, size_t len, size_t max)
{
    struct lzw_decoder *decoder = lzw_decoder_new();
    struct base_buf out = BASE_BUF_INIT;
    int rv = lzw_decode_all(decoder, bytes, len, max, &out);

    base_buf_close(&out);
    lzw_decoder_free(decoder);
    return rv;
}

/* Nine-bit codes packed by hand: clear, a, then what is to be refused. */
static void pack(const uint16_t *codes, size_t count, struct base_buf *out)
{
    uint32_t bits = 0, have = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        bits |= (uint32_t)codes[i] << have;
        for (have += 9; have >= 8; have -= 8, bits >>= 8)
            base_buf_append_u8(out, (uint8_t)bits);
    }
    base_buf_append_u8(out, (uint8_t)bits);
}

static int decode_codes(const uint16_t *codes, size_t count)
{
    struct base_buf packed = BASE_BUF_INIT;
    int rv;

    pack(codes, count, &packed);
    rv = decode((const char *)base_buf_data(&packed), base_buf_len(&packed),
                1000);
    base_buf_close(&packed);
    return rv;
}

START_TEST(bad_lzw_is_refused)
{
    const uint16_t good[] = {256, 'a', 'b', 258, 257};
    const uint16_t same[] = {256, 'a', 258, 257}; /* being defined */
    const uint16_t ahead[] = {256, 'a', 259, 257};
    const uint16_t first[] = {256, 258, 257};
    const uint16_t stale[] = {256, 'a', 'b', 'c', 256, 'a', 259, 257};
    const uint16_t endless[] = {256, 'a', 'b'};

    ck_assert_int_eq(decode_codes(good, 5), 0);
    ck_assert_int_eq(decode_codes(same, 4), 0);
    ck_assert_int_eq(decode_codes(ahead, 4), GOSSIP_EDECODE);
    ck_assert_int_eq(decode_codes(first, 3), GOSSIP_EDECODE);
    ck_assert_int_eq(decode_codes(stale, 8), GOSSIP_EDECODE);
    ck_assert_int_eq(decode_codes(endless, 3), GOSSIP_EDECODE);
    ck_assert_int_eq(decode("", 0, 1000), GOSSIP_EDECODE);
}
END_TEST

/* A megabyte of one letter packs into some kilobytes; the limit stops it. */
START_TEST(lzw_bombs_stop_at_the_limit)
{
    struct lzw_encoder *encoder = lzw_encoder_new();
    struct base_buf packed = BASE_BUF_INIT;
    uint8_t *plain = base_calloc(1, 1 << 20);

    lzw_encoder_begin(encoder, &packed);
    lzw_encoder_feed(encoder, plain, 1 << 20, &packed);
    lzw_encoder_end(encoder, &packed);
    ck_assert_uint_lt(base_buf_len(&packed), 10000);
    ck_assert_int_eq(decode((const char *)base_buf_data(&packed),
                            base_buf_len(&packed), 1 << 20), 0);
    ck_assert_int_eq(decode((const char *)base_buf_data(&packed),
                            base_buf_len(&packed), (1 << 20) - 1),
                     GOSSIP_ETOOBIG);
    base_free(plain);
    base_buf_close(&packed);
    lzw_encoder_free(encoder);
}
END_TEST

/* Random text of few letters, long enough for many tables. */
START_TEST(lzw_returns_what_it_took)
{
    struct lzw_encoder *encoder = lzw_encoder_new();
    struct lzw_decoder *decoder = lzw_decoder_new();
    uint64_t state = (uint64_t)_i * 977 + 1;
    size_t len = 1 + (size_t)_i * 3001, i;
    uint8_t *plain = base_alloc(len);
    struct base_buf packed = BASE_BUF_INIT, again = BASE_BUF_INIT;

    for (i = 0; i < len; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        plain[i] = (uint8_t)((state >> 33) % (2 + (uint64_t)_i * 16));
    }
    lzw_encoder_begin(encoder, &packed);
    lzw_encoder_feed(encoder, plain, len, &packed);
    lzw_encoder_end(encoder, &packed);
    ck_assert_int_eq(lzw_decode_all(decoder, base_buf_data(&packed),
                                    base_buf_len(&packed), len, &again), 0);
    ck_assert_uint_eq(base_buf_len(&again), len);
    ck_assert_mem_eq(base_buf_data(&again), plain, len);
    base_buf_close(&packed);
    base_buf_close(&again);
    base_free(plain);
    lzw_encoder_free(encoder);
    lzw_decoder_free(decoder);
}
END_TEST

START_TEST(keyrings_keep_order)
{
    struct gossip_keyring *ring = gossip_keyring_new();
    const char *a = "aaaaaaaaaaaaaaaa", *b = "bbbbbbbbbbbbbbbbbbbbbbbb",
               *c = "cccccccccccccccccccccccccccccccc";
    char key[16];
    int i;

    ck_assert_int_eq(gossip_keyring_add(ring, a, 15), GOSSIP_EKEY);
    ck_assert_int_eq(gossip_keyring_add(ring, a, 16), 0);
    ck_assert_int_eq(gossip_keyring_add(ring, b, 24), 0);
    ck_assert_int_eq(gossip_keyring_add(ring, a, 16), 0);
    ck_assert_uint_eq(gossip_keyring_count(ring), 2);
    ck_assert_int_eq(gossip_keyring_use(ring, c, 32), GOSSIP_ENOKEY);
    ck_assert_int_eq(gossip_keyring_add(ring, c, 32), 0);
    ck_assert_int_eq(gossip_keyring_use(ring, c, 32), 0);
    ck_assert_uint_eq(gossip_keyring_at(ring, 0)->len, 32);
    ck_assert_uint_eq(gossip_keyring_at(ring, 1)->len, 16);
    ck_assert_int_eq(gossip_keyring_remove(ring, c, 32), GOSSIP_EPRIMARY);
    ck_assert_int_eq(gossip_keyring_remove(ring, a, 16), 0);
    ck_assert_int_eq(gossip_keyring_remove(ring, a, 16), 0);
    ck_assert_uint_eq(gossip_keyring_count(ring), 2);
    ck_assert_ptr_null(gossip_keyring_at(ring, 2));
    for (i = 2; i < GOSSIP_KEYS_MAX; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        ck_assert_int_eq(gossip_keyring_add(ring, key, 16), 0);
    }
    ck_assert_int_eq(gossip_keyring_add(ring, "one too many    ", 16),
                     BASE_EFULL);
    gossip_keyring_free(ring);
}
END_TEST

START_TEST(keys_are_base64)
{
    struct gossip_key key;
    char *text;

    ck_assert_int_eq(gossip_key_parse(&key, "MDEyMzQ1Njc4OWFiY2RlZg=="), 0);
    ck_assert_uint_eq(key.len, 16);
    ck_assert_mem_eq(key.bytes, "0123456789abcdef", 16);
    text = gossip_key_format(&key);
    ck_assert_str_eq(text, "MDEyMzQ1Njc4OWFiY2RlZg==");
    base_free_secret(text, strlen(text));
    ck_assert_int_eq(
        gossip_key_parse(&key, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"), 0);
    ck_assert_uint_eq(key.len, 24);
    ck_assert_int_eq(gossip_key_parse(&key, ""), GOSSIP_EKEY);
    ck_assert_int_eq(gossip_key_parse(&key, "MDEyMzQ1Njc4OWFiY2Rl"),
                     GOSSIP_EKEY);
    ck_assert_int_eq(gossip_key_parse(&key, "MDEyMzQ1Njc4OWFiY2RlZg"),
                     GOSSIP_EKEY);
    ck_assert_int_eq(gossip_key_parse(&key, "MDEyMzQ1Njc4OWFiY2RlZh=="),
                     GOSSIP_EKEY); /* bits in the padding */
    ck_assert_int_eq(gossip_key_parse(&key, "MDEyMzQ1Njc4OWFi!2RlZg=="),
                     GOSSIP_EKEY);
    ck_assert_int_eq(gossip_key_parse(&key, " MDEyMzQ1Njc4OWFiY2RlZg==  "),
                     GOSSIP_EKEY);
}
END_TEST

START_TEST(altered_blocks_do_not_open)
{
    struct gossip_keyring *ring = gossip_keyring_new();
    const uint8_t nonce[ML_NONCE_BYTES] = {1, 2, 3};
    struct base_buf block = BASE_BUF_INIT, plain = BASE_BUF_INIT;
    unsigned version = (unsigned)_i;
    size_t i;

    gossip_keyring_add(ring, "0123456789abcdef", 16);
    ck_assert_int_eq(ml_encrypt(ring, version, nonce, "message", 7, "label", 5,
                                &block), 0);
    ck_assert_uint_eq(base_buf_len(&block), ml_crypt_block_len(version, 7));
    ck_assert_int_eq(ml_decrypt(ring, base_buf_data(&block),
                                base_buf_len(&block), "label", 5, &plain), 0);
    ck_assert_uint_eq(base_buf_len(&plain), 7);
    ck_assert_int_eq(ml_decrypt(ring, base_buf_data(&block),
                                base_buf_len(&block), "other", 5, &plain),
                     GOSSIP_ECRYPT);
    for (i = 0; i < base_buf_len(&block); i++) {
        block.bytes[block.start + i] ^= 0x10;
        ck_assert_int_eq(ml_decrypt(ring, base_buf_data(&block),
                                    base_buf_len(&block), "label", 5, &plain),
                         GOSSIP_ECRYPT);
        block.bytes[block.start + i] ^= 0x10;
        ck_assert_int_eq(ml_decrypt(ring, base_buf_data(&block), i, "label", 5,
                                    &plain), GOSSIP_ECRYPT);
    }
    base_buf_close(&block);
    base_buf_close(&plain);
    gossip_keyring_free(ring);
}
END_TEST

/* The owner of a key may still send padding that lies (gossip.md 9.8). */
START_TEST(lying_padding_is_refused)
{
    static const uint8_t pads[] = {0, 17, 255, 16};
    struct gossip_keyring *ring = gossip_keyring_new();
    const uint8_t nonce[ML_NONCE_BYTES] = {9};
    struct base_buf block = BASE_BUF_INIT, plain = BASE_BUF_INIT;
    uint8_t text[16] = {0};

    gossip_keyring_add(ring, "0123456789abcdef", 16);
    text[15] = pads[_i];
    /* The plaintext of a version 1 block of 16 bytes is what version 0 would
     * have padded; the version byte is not authenticated. */
    ck_assert_int_eq(ml_encrypt(ring, 1, nonce, text, 16, NULL, 0, &block), 0);
    block.bytes[block.start] = 0;
    ck_assert_int_eq(ml_decrypt(ring, base_buf_data(&block),
                                base_buf_len(&block), NULL, 0, &plain),
                     GOSSIP_ECRYPT);
    base_buf_close(&block);
    base_buf_close(&plain);
    gossip_keyring_free(ring);
}
END_TEST

struct taken {
    char text[256];
    unsigned done;
};

static void take_text(void *arg, const void *data, size_t len)
{
    struct taken *taken = arg;

    strncat(taken->text, data, len);
    strcat(taken->text, " ");
}

static void count_done(void *arg)
{
    ((struct taken *)arg)->done++;
}

static const char *take(struct gossip_broadcasts *queue, struct taken *taken,
                        size_t nodes, size_t limit)
{
    taken->text[0] = '\0';
    gossip_broadcasts_take(queue, nodes, 2, limit, take_text, taken);
    gossip_broadcasts_sent(queue, true);
    return taken->text;
}

START_TEST(broadcasts_go_least_sent_first)
{
    struct gossip_broadcasts *queue = gossip_broadcasts_new(1);
    struct taken taken = {"", 0};

    gossip_broadcasts_add(queue, NULL, "old", 3, count_done, &taken);
    gossip_broadcasts_add(queue, NULL, "longer", 6, count_done, &taken);
    gossip_broadcasts_add(queue, NULL, "new", 3, count_done, &taken);
    /* 1 x ceil(log10(101)) = 3 times each; longest, then newest first. */
    ck_assert_str_eq(take(queue, &taken, 100, 1000), "longer new old ");
    gossip_broadcasts_add(queue, NULL, "x", 1, count_done, &taken);
    ck_assert_str_eq(take(queue, &taken, 100, 1000), "x longer new old ");
    /* What does not fit lets shorter ones of its tier pass. */
    ck_assert_str_eq(take(queue, &taken, 100, 5), "x ");
    ck_assert_uint_eq(gossip_broadcasts_count(queue), 4);
    ck_assert_str_eq(take(queue, &taken, 100, 1000), "longer new old x ");
    ck_assert_uint_eq(gossip_broadcasts_count(queue), 0);
    ck_assert_uint_eq(taken.done, 4);
    ck_assert_str_eq(take(queue, &taken, 100, 1000), "");
    gossip_broadcasts_free(queue);
}
END_TEST

START_TEST(broadcasts_of_a_name_replace)
{
    struct gossip_broadcasts *queue = gossip_broadcasts_new(4);
    struct taken old = {"", 0}, taken = {"", 0};

    gossip_broadcasts_add(queue, "n1", "alive", 5, count_done, &old);
    take(queue, &taken, 100, 1000);
    gossip_broadcasts_add(queue, "n1", "suspect", 7, count_done, &taken);
    ck_assert_uint_eq(old.done, 1);
    gossip_broadcasts_add(queue, "n2", "dead", 4, NULL, NULL);
    ck_assert_uint_eq(gossip_broadcasts_count(queue), 2);
    ck_assert_str_eq(take(queue, &taken, 100, 1000), "suspect dead ");
    gossip_broadcasts_prune(queue, 1);
    ck_assert_str_eq(take(queue, &taken, 100, 1000), "suspect ");
    gossip_broadcasts_prune(queue, 0);
    ck_assert_uint_eq(taken.done, 1);
    gossip_broadcasts_free(queue);
}
END_TEST

/* What could not be sent is not used up, and keeps its place and its name. */
START_TEST(broadcasts_that_were_not_sent_do_not_count)
{
    struct gossip_broadcasts *queue = gossip_broadcasts_new(1);
    struct taken taken = {"", 0};
    unsigned i;

    gossip_broadcasts_add(queue, "a", "one", 3, count_done, &taken);
    for (i = 0; i < 100; i++) {
        gossip_broadcasts_take(queue, 1, 2, 100, take_text, &taken);
        ck_assert_str_eq(taken.text, "one ");
        taken.text[0] = '\0';
        gossip_broadcasts_sent(queue, false);
    }
    ck_assert_uint_eq(taken.done, 0);
    ck_assert_uint_eq(gossip_broadcasts_count(queue), 1);
    gossip_broadcasts_add(queue, "a", "two", 3, NULL, NULL);
    ck_assert_uint_eq(taken.done, 1);
    ck_assert_str_eq(take(queue, &taken, 1, 100), "two ");
    ck_assert_uint_eq(gossip_broadcasts_count(queue), 0);
    gossip_broadcasts_free(queue);
}
END_TEST

struct requeue {
    struct gossip_broadcasts *queue;
    unsigned left;
};

static void queue_again(void *arg)
{
    struct requeue *requeue = arg;

    if (requeue->left-- > 0)
        gossip_broadcasts_add(requeue->queue, "name", "again", 5, queue_again,
                              requeue);
}

/* Queues from a completion, and a queue that empties during a replacement:
 * original queues lost entries there (gossip.md 9.13). */
START_TEST(broadcasts_survive_reentry)
{
    struct gossip_broadcasts *queue = gossip_broadcasts_new(0);
    struct requeue requeue = {queue, 3};
    struct taken taken = {"", 0};
    unsigned i;

    gossip_broadcasts_add(queue, "name", "first", 5, queue_again, &requeue);
    for (i = 0; i < 4; i++)
        ck_assert_str_ne(take(queue, &taken, 10, 100), "");
    ck_assert_str_eq(take(queue, &taken, 10, 100), "");
    gossip_broadcasts_add(queue, "a", "one", 3, NULL, NULL);
    gossip_broadcasts_add(queue, "a", "two", 3, NULL, NULL);
    gossip_broadcasts_add(queue, "b", "tri", 3, NULL, NULL);
    ck_assert_uint_eq(gossip_broadcasts_count(queue), 2);
    ck_assert_str_eq(take(queue, &taken, 10, 100), "tri two ");
    gossip_broadcasts_free(queue);
}
END_TEST

struct in_order {
    size_t last;
    size_t count;
};

static void check_order(void *arg, const void *data, size_t len)
{
    struct in_order *order = arg;

    (void)data;
    ck_assert_uint_le(len, order->last);
    order->last = len;
    order->count++;
}

/* Thousands of random lengths: each goes once per take, the longest first. */
START_TEST(broadcasts_keep_order_in_numbers)
{
    struct gossip_broadcasts *queue = gossip_broadcasts_new(100);
    struct taken taken = {"", 0};
    uint64_t state = 42;
    char text[64] = "";
    size_t i;

    for (i = 0; i < 2000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        gossip_broadcasts_add(queue, NULL, text, 1 + (state >> 33) % 63,
                              count_done, &taken);
    }
    for (i = 0; i < 3; i++) {
        struct in_order order = {SIZE_MAX, 0};

        gossip_broadcasts_take(queue, 100, 2, 1 << 20, check_order, &order);
        gossip_broadcasts_sent(queue, true);
        ck_assert_uint_eq(order.count, 2000);
    }
    gossip_broadcasts_prune(queue, 500);
    ck_assert_uint_eq(gossip_broadcasts_count(queue), 500);
    ck_assert_uint_eq(taken.done, 1500);
    gossip_broadcasts_free(queue);
}
END_TEST

static struct ml_record *record_of(struct gossip_records *records,
                                   const char *name, const char *meta)
{
    static const uint8_t vsn[ML_VSN_BYTES] = {1, 5, 2, 2, 5, 4};
    struct ml_facts facts = {0};

    facts.name = mp_str_of(name);
    base_addr_parse(&facts.addr, "10.0.0.1:7946", 0);
    if (meta != NULL)
        facts.meta = mp_str_of(meta);
    facts.vsn = vsn;
    return ml_records_intern(records, &facts, NULL);
}

START_TEST(equal_facts_are_one_record)
{
    struct gossip_records *records = ml_records_new(7);
    struct ml_record *a = record_of(records, "a", "m");
    struct ml_record *b = record_of(records, "a", "m");
    struct ml_record *nil = record_of(records, "a", NULL);
    struct ml_record *empty = record_of(records, "a", "");
    struct ml_record *many[1000];
    char name[16];
    size_t i;

    ck_assert_ptr_eq(a, b);
    ck_assert_ptr_ne(nil, empty); /* they differ on the wire */
    ck_assert_uint_eq(ml_records_count(records), 3);
    for (i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "n%zu", i);
        many[i] = record_of(records, name, "m");
    }
    for (i = 0; i < 1000; i += 2)
        ml_record_unref(many[i]);
    for (i = 1; i < 1000; i += 2) {
        snprintf(name, sizeof(name), "n%zu", i);
        b = record_of(records, name, "m");
        ck_assert_ptr_eq(b, many[i]);
        ml_record_unref(b);
        ml_record_unref(b);
    }
    ml_record_unref(a);
    ml_record_unref(a);
    ml_record_unref(nil);
    ml_records_unref(records); /* the last record keeps it */
    ml_record_unref(empty);
}
END_TEST

struct table {
    struct base_sim *sim;
    struct base_env *env;
    struct ml_members members;
};

static void table_init(struct table *table)
{
    struct gossip_records *records = ml_records_new(3);
    struct base_addr addr;

    base_addr_parse(&addr, "10.0.0.1:1", 0);
    table->sim = base_sim_new(5);
    table->env = base_sim_host_env(
        base_sim_host_new(table->sim, "h", &addr, 1), "e");
    ml_members_init(&table->members, records);
    ml_records_unref(records);
}

static void table_close(struct table *table)
{
    ml_members_close(&table->members);
    base_sim_free(table->sim);
}

static struct ml_member *add(struct table *table, size_t number,
                             enum gossip_state state)
{
    struct ml_member *member;
    char name[16];

    snprintf(name, sizeof(name), "n%zu", number);
    member = ml_members_add(&table->members, table->env,
                            record_of(table->members.records, name, NULL));
    ml_members_set_state(&table->members, member, state,
                         base_env_now_ns(table->env));
    return member;
}

START_TEST(members_come_and_go)
{
    struct table table;
    size_t i;

    table_init(&table);
    for (i = 0; i < 1000; i++)
        add(&table, i, i % 2 == 0 ? GOSSIP_ALIVE
                                  : i % 4 == 1 ? GOSSIP_DEAD : GOSSIP_LEFT);
    ml_members_check(&table.members);
    ck_assert_uint_eq(table.members.alive_count, 500);
    ck_assert_uint_eq(ml_members_reset(&table.members, table.env, 0), 0);
    base_sim_run_for_ms(table.sim, 1000);
    add(&table, 2000, GOSSIP_DEAD);
    ck_assert_uint_eq(ml_members_reset(&table.members, table.env,
                                       base_env_now_ns(table.env)), 500);
    ml_members_check(&table.members);
    ck_assert_uint_eq(table.members.count, 501);
    ck_assert_ptr_null(ml_members_find(&table.members, mp_str_of("n1")));
    ck_assert_ptr_nonnull(ml_members_find(&table.members, mp_str_of("n2")));
    for (i = 3000; i < 4000; i++)
        add(&table, i, GOSSIP_SUSPECT);
    ml_members_check(&table.members);
    table_close(&table);
}
END_TEST

/* Per member, besides its record: well under the 80 bytes that a pool of pools
 * can spend on a view entry. */
START_TEST(members_are_small)
{
    ck_assert_uint_le(sizeof(struct ml_member), 40);
    ck_assert_uint_le(sizeof(struct ml_record), 80);
}
END_TEST

static bool keep_alive(void *arg, const struct ml_member *member)
{
    (void)arg;
    return member->state == GOSSIP_ALIVE;
}

/* With few members every eligible one is found (gossip.md 9.16); with many,
 * each is as likely as the others. */
START_TEST(random_choice_is_fair_and_complete)
{
    struct table table;
    struct ml_member *chosen[3];
    unsigned hits[100] = {0};
    size_t i, j;

    table_init(&table);
    for (i = 0; i < 5; i++)
        add(&table, i, i < 3 ? GOSSIP_ALIVE : GOSSIP_DEAD);
    for (i = 0; i < 100; i++)
        ck_assert_uint_eq(ml_members_random(&table.members, table.env, 3,
                                            keep_alive, NULL, chosen), 3);
    for (i = 5; i < 100; i++)
        add(&table, i, GOSSIP_ALIVE);
    for (i = 0; i < 10000; i++) {
        ck_assert_uint_eq(ml_members_random(&table.members, table.env, 3,
                                            keep_alive, NULL, chosen), 3);
        ck_assert(chosen[0] != chosen[1] && chosen[1] != chosen[2] &&
                  chosen[0] != chosen[2]);
        for (j = 0; j < 3; j++)
            hits[chosen[j]->id]++;
    }
    for (i = 0; i < 100; i++) {
        ck_assert(hits[i] == 0 || (hits[i] > 200 && hits[i] < 420));
    }
    table_close(&table);
}
END_TEST

static void on_fire(void *arg, void *subject)
{
    (void)subject;
    ++*(unsigned *)arg;
}

/* Lifeguard, LHA-Suspicion: each independent accuser shortens the wait. */
START_TEST(accusers_shorten_a_suspicion)
{
    static const uint64_t ms[] = {30000, 16000, 7810, 2000};
    struct table table;
    struct ml_suspicion *suspicion;
    unsigned fired = 0;
    int i;

    table_init(&table);
    suspicion = ml_suspicion_new(table.env, 3, UINT64_C(2000000000),
                                 UINT64_C(30000000000), mp_str_of("first"),
                                 on_fire, &fired, NULL);
    ck_assert(!ml_suspicion_confirm(suspicion, mp_str_of("first")));
    for (i = 1; i <= _i; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%d", i);
        ck_assert(ml_suspicion_confirm(suspicion, mp_str_of(name)));
        ck_assert(!ml_suspicion_confirm(suspicion, mp_str_of(name)));
    }
    if (_i == 3)
        ck_assert(!ml_suspicion_confirm(suspicion, mp_str_of("n4")));
    base_sim_run_for_ms(table.sim, ms[_i] - 1);
    ck_assert_uint_eq(fired, 0);
    base_sim_run_for_ms(table.sim, 2);
    ck_assert_uint_eq(fired, 1);
    ml_suspicion_free(suspicion);
    table_close(&table);
}
END_TEST

static void on_last_call(void *arg, void *subject)
{
    (void)subject;
    *(unsigned *)arg += 100;
}

/* A quarter of the shortest time is left for an answer, also where a late
 * accuser makes that longer. */
START_TEST(the_last_call_leaves_time_for_an_answer)
{
    struct table table;
    struct ml_suspicion *suspicion;
    unsigned fired = 0;

    table_init(&table);
    suspicion = ml_suspicion_new(table.env, 1, UINT64_C(2000000000),
                                 UINT64_C(9000000000), mp_str_of("a"), on_fire,
                                 &fired, NULL);
    ml_suspicion_on_last_call(suspicion, on_last_call);
    base_sim_run_for_ms(table.sim, _i == 0 ? 8499 : 5000);
    ck_assert_uint_eq(fired, 0);
    if (_i == 1)
        ck_assert(ml_suspicion_confirm(suspicion, mp_str_of("b")));
    base_sim_run_for_ms(table.sim, 2);
    ck_assert_uint_eq(fired, 100);
    base_sim_run_for_ms(table.sim, 497);
    ck_assert_uint_eq(fired, 100);
    base_sim_run_for_ms(table.sim, 4);
    ck_assert_uint_eq(fired, 101);
    ml_suspicion_free(suspicion);
    table_close(&table);
}
END_TEST

START_TEST(a_late_accuser_ends_it_at_once)
{
    struct table table;
    struct ml_suspicion *suspicion;
    unsigned fired = 0;

    table_init(&table);
    suspicion = ml_suspicion_new(table.env, 1, 1000000, UINT64_C(9000000000),
                                 mp_str_of("a"), on_fire, &fired, NULL);
    base_sim_run_for_ms(table.sim, 5000);
    ck_assert(ml_suspicion_confirm(suspicion, mp_str_of("b")));
    ck_assert_uint_eq(fired, 0); /* from the loop, not inside the call */
    base_sim_run_for_ms(table.sim, 1);
    ck_assert_uint_eq(fired, 1);
    ml_suspicion_free(suspicion);
    table_close(&table);
}
END_TEST

static void expect(struct ml_inbox *inbox, enum ml_type type, char what)
{
    struct ml_inbox_entry *entry = ml_inbox_take(inbox);

    ck_assert_ptr_nonnull(entry);
    ck_assert_uint_eq(entry->type, type);
    ck_assert_int_eq(entry->data[0], what);
    base_free(entry);
}

/* Alive first, newest first, and the oldest goes when it is full. */
START_TEST(the_inbox_is_last_in_first_out)
{
    struct base_addr from = {0};
    struct ml_inbox inbox;

    ml_inbox_init(&inbox, 2);
    ck_assert(ml_inbox_put(&inbox, &from, ML_DEAD, 0, "1", 1));
    ck_assert(ml_inbox_put(&inbox, &from, ML_ALIVE, 0, "2", 1));
    ck_assert(ml_inbox_put(&inbox, &from, ML_USER, 0, "3", 1));
    ck_assert(ml_inbox_put(&inbox, &from, ML_ALIVE, 0, "4", 1));
    /* 1 goes, then 2 */
    ck_assert(!ml_inbox_put(&inbox, &from, ML_SUSPECT, 0, "5", 1));
    ck_assert(!ml_inbox_put(&inbox, &from, ML_ALIVE, 0, "6", 1));
    ck_assert_uint_eq(ml_inbox_count(&inbox), 4);
    expect(&inbox, ML_ALIVE, '6');
    expect(&inbox, ML_ALIVE, '4');
    expect(&inbox, ML_SUSPECT, '5');
    ck_assert(ml_inbox_put(&inbox, &from, ML_ALIVE, 0, "7", 1));
    expect(&inbox, ML_ALIVE, '7');
    expect(&inbox, ML_USER, '3');
    ck_assert_ptr_null(ml_inbox_take(&inbox));
    ml_inbox_put(&inbox, &from, ML_USER, 0, "8", 1);
    ml_inbox_close(&inbox);
}
END_TEST

START_TEST(errors_have_words)
{
    ck_assert_str_eq(gossip_strerror(GOSSIP_EBUSY),
                     "too many exchanges at once, try later");
    ck_assert_str_eq(gossip_strerror(BASE_ETIMEOUT), "timed out");
    ck_assert_str_eq(gossip_strerror(0), "success");
}
END_TEST

Suite *parts_suite(void)
{
    Suite *suite = suite_create("memberlist-parts");
    TCase *tcase = tcase_create("parts");

    tcase_add_test(tcase, formulas_agree_with_the_reference);
    tcase_add_test(tcase, crc32_is_that_of_zlib);
    tcase_add_test(tcase, bad_lzw_is_refused);
    tcase_add_test(tcase, lzw_bombs_stop_at_the_limit);
    tcase_add_loop_test(tcase, lzw_returns_what_it_took, 0, 16);
    tcase_add_test(tcase, keyrings_keep_order);
    tcase_add_test(tcase, keys_are_base64);
    tcase_add_loop_test(tcase, altered_blocks_do_not_open, 0, 2);
    tcase_add_loop_test(tcase, lying_padding_is_refused, 0, 4);
    tcase_add_test(tcase, broadcasts_go_least_sent_first);
    tcase_add_test(tcase, broadcasts_of_a_name_replace);
    tcase_add_test(tcase, broadcasts_that_were_not_sent_do_not_count);
    tcase_add_test(tcase, broadcasts_survive_reentry);
    tcase_add_test(tcase, broadcasts_keep_order_in_numbers);
    tcase_add_test(tcase, equal_facts_are_one_record);
    tcase_add_test(tcase, members_come_and_go);
    tcase_add_test(tcase, members_are_small);
    tcase_add_test(tcase, random_choice_is_fair_and_complete);
    tcase_add_loop_test(tcase, accusers_shorten_a_suspicion, 0, 4);
    tcase_add_loop_test(tcase, the_last_call_leaves_time_for_an_answer, 0, 2);
    tcase_add_test(tcase, a_late_accuser_ends_it_at_once);
    tcase_add_test(tcase, the_inbox_is_last_in_first_out);
    tcase_add_test(tcase, errors_have_words);
    suite_add_tcase(suite, tcase);
    return suite;
}
