/*
 * serf's messages and payloads. The first byte chooses which.
 * Property: what decodes, encodes; and that decodes to an equal message.
 * needs: gossip base
 * covers: libgossip/src/serf/messages.c
 * covers: libgossip/src/serf/message_internal.c
 * covers: libgossip/src/serf/coordinate_wire.c
 */
#include "fuzz.h"

#include "base/error.h"
#include "serf/coordinate.h"
#include "serf/messages.h"

static struct mp_scratch scratch;

/* Each decodes *in (from the type byte on) and, if that works, appends the
 * message encoded. */
static bool again_intent(const uint8_t *in, size_t len, struct base_buf *out)
{
    struct serf_msg_intent msg;

    if (serf_get_intent(&msg, in + 1, len - 1) < 0)
        return false;
    serf_put_intent(out, in[0] == SERF_JOIN ? SERF_JOIN : SERF_LEAVE, &msg);
    return true;
}

static bool again_event(const uint8_t *in, size_t len, struct base_buf *out)
{
    struct serf_msg_event msg;

    if (serf_get_event(&msg, in + 1, len - 1, &scratch) < 0)
        return false;
    serf_put_event(out, &msg);
    return true;
}

static bool again_query(const uint8_t *in, size_t len, struct base_buf *out)
{
    struct serf_msg_query msg;

    if (serf_get_query(&msg, in + 1, len - 1, &scratch) < 0)
        return false;
    FUZZ_REQUIRE(msg.filter_count <= SERF_FILTERS_MAX);
    serf_put_query(out, &msg);
    return true;
}

static bool again_response(const uint8_t *in, size_t len, struct base_buf *out)
{
    struct serf_msg_response msg;

    if (serf_get_response(&msg, in + 1, len - 1, &scratch) < 0)
        return false;
    serf_put_response(out, &msg);
    return true;
}

static bool again_relay(const uint8_t *in, size_t len, struct base_buf *out)
{
    struct serf_msg_relay msg;

    if (serf_get_relay(&msg, in + 1, len - 1, &scratch) < 0)
        return false;
    serf_put_relay(out, &msg);
    return true;
}

static bool again_key_request(const uint8_t *in, size_t len,
                              struct base_buf *out)
{
    struct mp_bytes key;

    if (serf_get_key_request(&key, in, len, &scratch) < 0)
        return false;
    serf_put_key_request(out, key);
    return true;
}

static bool again_key_response(const uint8_t *in, size_t len,
                               struct base_buf *out)
{
    struct serf_msg_key_response msg;

    if (serf_get_key_response(&msg, in, len) < 0)
        return false;
    FUZZ_REQUIRE(msg.key_count <= GOSSIP_KEYS_MAX);
    serf_put_key_response(out, &msg);
    return true;
}

static bool again_conflict(const uint8_t *in, size_t len, struct base_buf *out)
{
    static const struct gossip_tag tags[] = {{"k", "v"}};
    struct gossip_member member = {0};
    bool known;

    if (serf_get_conflict(&known, &member.addr, in, len, &scratch) < 0)
        return false;
    member.name = "n";
    member.tags = tags;
    member.tag_count = 1;
    serf_put_conflict(out, known && member.addr.family != 0 ? &member : NULL);
    return true;
}

static bool again_coordinate(const uint8_t *in, size_t len,
                             struct base_buf *out)
{
    struct gossip_coordinate at;

    if (serf_coordinate_decode(&at, in, len) < 0)
        return false;
    serf_coordinate_encode(out, &at);
    return true;
}

static bool (*const all[])(const uint8_t *in, size_t len,
                           struct base_buf *out) = {
    again_intent,      again_event,        again_query,
    again_response,    again_relay,        again_key_request,
    again_key_response, again_conflict,    again_coordinate};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct base_buf once = BASE_BUF_INIT, twice = BASE_BUF_INIT;
    bool (*again)(const uint8_t *in, size_t n, struct base_buf *out);
    char name[GOSSIP_NAME_MAX + 1];

    if (len < 2)
        return 0;
    again = all[data[0] % (sizeof(all) / sizeof(all[0]))];
    if (again(data + 1, len - 1, &once)) {
        FUZZ_REQUIRE(again(base_buf_data(&once), base_buf_len(&once), &twice));
        FUZZ_REQUIRE(base_buf_len(&once) == base_buf_len(&twice));
        FUZZ_REQUIRE(memcmp(base_buf_data(&once), base_buf_data(&twice),
                            base_buf_len(&once)) == 0);
    }
    if (serf_name_copy(name, mp_bytes_of(data, len)))
        FUZZ_REQUIRE(strlen(name) == len);
    base_buf_close(&once);
    base_buf_close(&twice);
    mp_scratch_close(&scratch);
    return 0;
}
