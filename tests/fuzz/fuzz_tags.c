/*
 * Tags from a node's meta.
 * Property: what decodes is sorted and unique, encodes if it is small enough,
 * and decodes again to the same.
 * needs: gossip base
 * covers: libgossip/src/serf/tags.c
 */
#include "fuzz.h"

#include "gossip/error.h"
#include "serf/tags.h"

static void round_trip(const struct serf_tags *tags)
{
    struct base_buf meta = BASE_BUF_INIT;
    struct serf_tags again;
    size_t i;

    if (serf_tags_encode(&meta, tags->tags, tags->count, 5) < 0) {
        base_buf_close(&meta);
        return; /* over 512 bytes, from meta in longer forms */
    }
    FUZZ_REQUIRE(serf_tags_decode(&again, base_buf_data(&meta),
                                  base_buf_len(&meta)) == 0);
    FUZZ_REQUIRE(again.count == tags->count);
    for (i = 0; i < tags->count; i++) {
        FUZZ_REQUIRE(strcmp(again.tags[i].key, tags->tags[i].key) == 0);
        FUZZ_REQUIRE(strcmp(again.tags[i].value, tags->tags[i].value) == 0);
    }
    serf_tags_close(&again);
    base_buf_close(&meta);
}

/* The same two tags, in the wrong order, twice, and as a role. */
static void encode_others(const uint8_t *data, size_t len)
{
    char value[600];
    struct gossip_tag tags[] = {{"role", value}, {"dc", "x"}, {"role", "y"}};
    struct base_buf meta = BASE_BUF_INIT;

    snprintf(value, sizeof(value), "%.*s", (int)len, (const char *)data);
    (void)serf_tags_encode(&meta, tags, 2, 5);
    (void)serf_tags_encode(&meta, tags, 3, 5);
    (void)serf_tags_encode(&meta, tags, 2, 2);
    (void)serf_tags_encode(&meta, tags + 1, 1, 2);
    base_buf_close(&meta);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct serf_tags tags;
    size_t i;

    if (serf_tags_decode(&tags, data, len) == 0) {
        for (i = 1; i < tags.count; i++)
            FUZZ_REQUIRE(strcmp(tags.tags[i - 1].key, tags.tags[i].key) < 0);
        round_trip(&tags);
    }
    serf_tags_close(&tags);
    encode_others(data, len);
    return 0;
}
