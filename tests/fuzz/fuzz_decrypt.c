/*
 * Encrypted blocks. The first byte chooses version and keys, the second what is
 * done to the block.
 * Property: what was sealed opens to itself, in one piece and in chunks; what
 * was altered, or was never sealed, does not open.
 * needs: gossip base
 * covers: libgossip/src/memberlist/crypt.c
 * covers: libgossip/src/memberlist/crypt_chunks.c
 * covers: libgossip/src/memberlist/chunks.c
 */
#include "fuzz.h"

#include "memberlist/crypt.h"

static void gather(struct ml_chunks *chunks, const uint8_t *data, size_t len)
{
    while (len > 0) {
        size_t room = ml_chunks_room(chunks);

        if (room == 0) {
            ml_chunks_grow(chunks);
            continue;
        }
        if (room > len)
            room = len;
        ml_chunks_append(chunks, data, room);
        data += room;
        len -= room;
    }
}

/* Opens it both ways, which must agree. */
static int open_both(struct gossip_keyring *keyring, const uint8_t *block,
                     size_t len, struct base_buf *out)
{
    struct ml_chunks chunks = {0};
    struct base_buf joined = BASE_BUF_INIT;
    int rv = ml_decrypt(keyring, block, len, "aad", 3, out), rv_chunks;

    gather(&chunks, block, len);
    rv_chunks = ml_decrypt_chunks(keyring, &chunks, "aad", 3);
    FUZZ_REQUIRE(rv == rv_chunks);
    while (rv == 0 && chunks.len > 0) {
        size_t front_len;
        const uint8_t *front = ml_chunks_front(&chunks, &front_len);

        base_buf_append(&joined, front, front_len);
        ml_chunks_consume(&chunks, front_len);
    }
    FUZZ_REQUIRE(rv < 0 || (base_buf_len(&joined) == base_buf_len(out) &&
                            memcmp(base_buf_data(&joined), base_buf_data(out),
                                   base_buf_len(out)) == 0));
    base_buf_close(&joined);
    ml_chunks_close(&chunks);
    return rv;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t nonce[ML_NONCE_BYTES] = {3};
    struct gossip_keyring *keyring;
    struct base_buf block = BASE_BUF_INIT, plain = BASE_BUF_INIT;
    unsigned version, change;

    if (len < 2)
        return 0;
    version = data[0] % 2;
    change = data[1];
    keyring = gossip_keyring_new();
    gossip_keyring_add(keyring, "0123456789abcdef", 16);
    if (data[0] & 2)
        gossip_keyring_add(keyring, "0123456789abcdef01234567", 24);
    FUZZ_REQUIRE(ml_encrypt(keyring, version, nonce, data + 2, len - 2, "aad",
                            3, &block) == 0);
    FUZZ_REQUIRE(base_buf_len(&block) ==
                 ml_crypt_block_len(version, len - 2));
    if (data[0] & 2) /* the key that sealed it is the second now */
        gossip_keyring_use(keyring, "0123456789abcdef01234567", 24);
    if (data[0] & 4) {
        size_t at = change % base_buf_len(&block);

        /* The version byte is not authenticated: a block of version 1 whose
         * text ends like padding may open as one of version 0. */
        block.bytes[block.start + at] ^= 1;
        if (open_both(keyring, base_buf_data(&block), base_buf_len(&block),
                      &plain) == 0)
            FUZZ_REQUIRE(at == 0);
    } else {
        int rv = open_both(keyring, base_buf_data(&block),
                           base_buf_len(&block), &plain);

        FUZZ_REQUIRE((rv == 0) == (len > 2));
        FUZZ_REQUIRE(rv < 0 || (base_buf_len(&plain) == len - 2 &&
                                memcmp(base_buf_data(&plain), data + 2,
                                       len - 2) == 0));
    }
    base_buf_reset(&plain);
    FUZZ_REQUIRE(open_both(keyring, data, len, &plain) < 0);
    base_buf_close(&block);
    base_buf_close(&plain);
    gossip_keyring_free(keyring);
    return 0;
}
